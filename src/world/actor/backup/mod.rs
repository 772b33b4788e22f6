//! Performs [`BackupObjects`]: read, written, read back, and only then called verified.
//!
//! ## Why
//!
//! - `consistent_at` is taken before the first request. Every list is read after it, so whatever was
//!   written before that moment is in the backup: what RPO is counted from is never too good.
//! - The manifest is written last: without it a backup does not count, so a crash in the middle leaves
//!   bytes and no lie. Nothing is overwritten; a name that is taken ends the attempt.
//! - A lock is put on with each write and not afterwards: there is no moment in which somebody could
//!   delete what was just written. A server may take the words and not keep them, so at the end it is
//!   asked for the lock of every object. Whether it holds, only a deletion would show.
//! - A proof is written only after the store gave every byte back. A store that is sealed for others
//!   gives nothing back here: its backups stay unverified until somebody with the key verifies them.

mod choose;
mod collect;
mod inventory;
mod pack;
mod pages;
mod sieve;

pub(super) use collect::look;
pub(super) use sieve::Sink;

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use serde_json::Value;

use super::World;
use super::bytes::{read_if_there, reading, write, writing};
use super::catalog::{self, RECORD_BYTES_MAX};
use super::keeper::still_there;
use super::lock::{confirm, retention};
use super::marks::{KEY, annotation, counted};
use super::pods::named;
use crate::archive::{
    Keys, Manifest, Origin, Verified, backup_name, backup_of_key, extra_files, velero_backup, verify,
};
use crate::effect::{Attempt, BackupObjects, ErrorKind, Receipt, Resolution, WorldError};
use crate::text::HashRead;
use crate::world::port::{Retention, Secrecy, Store};
use choose::choose;
use pack::Packing;

/// What the decompressor is given at once: a store's pieces are larger or smaller.
const READ_BYTES: usize = 64 * 1024;

/// An attempt is looked for among so many newest backups of its name: it was made by this run.
const LOOK_BACK: usize = 20;

impl World {
    pub(super) async fn back_up(
        &self,
        effect: &BackupObjects,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let plain = self.store(&effect.store)?;
        let consistent_at = (self.now)();
        let kept = effect.lock.as_ref().map(|lock| retention(lock, consistent_at));
        let kept = kept.transpose()?;
        let store = match kept {
            Some(kept) => plain.locking(kept)?,
            None => plain,
        };
        let keys = backup_name(&effect.name_prefix, consistent_at)
            .map_err(|error| WorldError::new(ErrorKind::Rejected, &effect.store, error.to_string()))?;
        let identity = site.cluster.identity().await?;
        let chosen = choose(&site, &effect.selection).await?;
        (attempt.progress)(format!("reading {}", chosen.namespaces.join(", ")));
        let packing = Packing {
            site: &site,
            store: &*store,
            keys: &keys,
            selection: &effect.selection,
            chosen: &chosen,
            time: consistent_at,
            attempt,
        };
        let (contents, left_out) = packing.run().await?;
        let completed_at = (self.now)();
        let manifest = Manifest {
            backup: keys.name().to_owned(),
            tool: crate::TOOL.to_owned(),
            origin: Origin {
                site: effect.site.clone(),
                uid: identity.uid,
                version: identity.version,
            },
            consistent_at,
            completed_at,
            namespaces: chosen.namespaces,
            kinds: Manifest::count_kinds(&contents.entries),
            objects: contents.entries,
            left_out,
            archive: contents.archive,
            narrowed: effect.selection.narrowed(),
            patterns: effect.selection.patterns(),
        };
        let manifest = Arc::new(manifest);
        let stored = describe(&*store, &keys, &manifest, attempt).await?;
        if store.secrecy() == (Secrecy::Sealed { opens: false }) {
            let lock = locked(&*store, &keys, kept.as_ref()).await?;
            return Ok(with(unproved(&manifest), lock));
        }
        let count = counted(manifest.objects.len(), "object");
        (attempt.progress)(format!("reading {count} back"));
        self.prove(&*store, &keys, &manifest, stored).await?;
        let lock = locked(&*store, &keys, kept.as_ref()).await?;
        Ok(with(receipt(&manifest), lock))
    }

    /// Reads all of it back and writes the proof; `stored` is the SHA-256 of the manifest as it was written.
    async fn prove(
        &self,
        store: &dyn Store,
        keys: &Keys,
        manifest: &Arc<Manifest>,
        stored: String,
    ) -> Result<(), WorldError> {
        let back = reading(store, &keys.manifest(), sha256_of).await?;
        if back.as_ref() != Ok(&stored) {
            return Err(damaged(
                store,
                format!("{} reads back differently", keys.manifest()),
            ));
        }
        compare_with(store, keys, manifest.clone()).await?;
        let proof = Verified {
            backup: manifest.backup.clone(),
            verified_at: (self.now)(),
            tool: crate::TOOL.to_owned(),
            manifest_sha256: stored,
            archive: manifest.archive.clone(),
        };
        let bytes = proof.to_bytes().map_err(|error| internal(store, &error))?;
        write(store, &keys.verified(), bytes).await?;
        still_there(store, keys).await
    }

    /// A backup that carries this attempt's key and is verified was made by it.
    pub(super) async fn resolve_backup(
        &self,
        effect: &BackupObjects,
        attempt: &Attempt,
    ) -> Result<Resolution, WorldError> {
        let store = self.store(&effect.store)?;
        let listed = store.list(&format!("backups/{}-", effect.name_prefix)).await?;
        let names = listed.iter().rev().filter_map(|entry| backup_of_key(&entry.key));
        for name in names.take(LOOK_BACK) {
            let Some(found) = made_by(&*store, name, attempt).await? else {
                continue;
            };
            if found.seen.verified_at.is_some()
                && let Some(manifest) = &found.manifest
            {
                let lock = effect.lock.as_ref();
                let kept = lock.map(|lock| retention(lock, manifest.consistent_at));
                let lock = locked(&*store, &found.keys, kept.transpose()?.as_ref()).await?;
                return Ok(Resolution::Done(Box::new(with(receipt(manifest), lock))));
            }
        }
        Ok(Resolution::NotDone)
    }
}

async fn made_by(
    store: &dyn Store,
    name: &str,
    attempt: &Attempt,
) -> Result<Option<catalog::Found>, WorldError> {
    let Ok(keys) = Keys::of(name) else { return Ok(None) };
    let record = read_if_there(store, &keys.velero_backup(), RECORD_BYTES_MAX).await?;
    let record: Option<Value> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if record.as_ref().and_then(|record| annotation(record, KEY)) != Some(&attempt.key) {
        return Ok(None);
    }
    match catalog::open(store, name).await {
        // Not finished or damaged: not a backup, and the next attempt makes another.
        Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::Damaged) => Ok(None),
        found => found,
    }
}

/// The SHA-256 of all that can be read, in hex.
fn sha256_of(body: impl Read) -> Result<String, String> {
    let mut body = HashRead::new(body);
    io::copy(&mut body, &mut io::sink()).map_err(|error| error.to_string())?;
    Ok(body.digest())
}

/// Writes what makes the archive a backup, the manifest last; returns the SHA-256 of that.
async fn describe(
    store: &dyn Store,
    keys: &Keys,
    manifest: &Arc<Manifest>,
    attempt: &Attempt,
) -> Result<String, WorldError> {
    let log = format!(
        "{} read {} of {} for step {} of {}\n",
        manifest.tool,
        counted(manifest.objects.len(), "object"),
        manifest.origin.site,
        attempt.step,
        attempt.run
    );
    let extras = extra_files(keys, manifest, &log).map_err(|error| internal(store, &error))?;
    for (key, bytes) in extras {
        write(store, &key, bytes).await?;
    }
    let mut record = velero_backup(keys, manifest);
    record["metadata"]["annotations"][KEY] = attempt.key.clone().into();
    write(store, &keys.velero_backup(), record.to_string().into_bytes()).await?;
    let (content, address) = (manifest.clone(), store.address());
    writing(store, &keys.manifest(), move |mut sink| {
        let written = content.write(&mut sink).map_err(|error| {
            WorldError::new(ErrorKind::Internal, address, error.to_string()).caused_by(&error)
        })?;
        Ok((sink, written))
    })
    .await
}

/// Reads the whole archive and compares it with its manifest.
///
/// # Errors
///
/// `Damaged`, naming what is wrong.
pub(super) async fn compare(store: &dyn Store, keys: &Keys, manifest: &Manifest) -> Result<(), WorldError> {
    compare_with(store, keys, Arc::new(manifest.clone())).await
}

async fn compare_with(store: &dyn Store, keys: &Keys, manifest: Arc<Manifest>) -> Result<(), WorldError> {
    let look = move |body| verify(BufReader::with_capacity(READ_BYTES, body), &manifest);
    let compared = reading(store, &keys.archive(), look).await?;
    let Err(wrongs) = compared else { return Ok(()) };
    let wrongs: Vec<String> = wrongs.iter().map(ToString::to_string).collect();
    let mut error = damaged(store, format!("{}: {}", keys.archive(), named(&wrongs)));
    error.causes = wrongs;
    Err(error)
}

fn receipt(manifest: &Manifest) -> Receipt {
    Receipt {
        summary: format!(
            "{}: {}, {} bytes, read back and equal",
            manifest.backup,
            counted(manifest.objects.len(), "object"),
            manifest.archive.size
        ),
        outputs: [("backup".to_owned(), manifest.backup.clone())].into(),
        skipped: manifest
            .left_out
            .iter()
            .map(|one| format!("{}: {}", one.what, one.why))
            .collect(),
        consistent_at: Some(manifest.consistent_at),
        ..Receipt::default()
    }
}

/// Asks the store whether it keeps all of a backup as it was told to, and says until when.
async fn locked(
    store: &dyn Store,
    keys: &Keys,
    wanted: Option<&Retention>,
) -> Result<Option<String>, WorldError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let mut all = store.list(&keys.folder()).await?;
    all.extend(store.list(&keys.own_folder()).await?);
    let all: Vec<String> = all.into_iter().map(|entry| entry.key).collect();
    confirm(store, &all, wanted).await?;
    Ok(Some(format!("the store says that it keeps it until {wanted}")))
}

fn with(receipt: Receipt, lock: Option<String>) -> Receipt {
    let lock = lock.map(|lock| format!("; {lock}"));
    Receipt {
        summary: receipt.summary + &lock.unwrap_or_default(),
        ..receipt
    }
}

/// Of a backup that was sealed for others: it is there, and nobody here can read it.
fn unproved(manifest: &Manifest) -> Receipt {
    let receipt = receipt(manifest);
    Receipt {
        summary: receipt
            .summary
            .replace("read back and equal", "sealed and not read back"),
        ..receipt
    }
}

fn damaged(store: &dyn Store, message: String) -> WorldError {
    WorldError::new(ErrorKind::Damaged, store.address(), message)
}

fn internal(store: &dyn Store, error: &(dyn std::error::Error + 'static)) -> WorldError {
    WorldError::new(ErrorKind::Internal, store.address(), error.to_string()).caused_by(error)
}
