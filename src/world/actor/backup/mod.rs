//! Performs [`BackupObjects`]: read, written, read back, and only then called verified.
//!
//! ## Why
//!
//! - `consistent_at` is taken before the first request. Every list is read after it, so whatever was
//!   written before that moment is in the backup: what RPO is counted from is never too good.
//! - The manifest is written last: without it a backup does not count, so a crash in the middle leaves
//!   bytes and no lie. Nothing is overwritten; a name that is taken ends the attempt.
//! - A proof is written only after the store gave every byte back. A store that is sealed for others
//!   gives nothing back here: its backups stay unverified until somebody with the key verifies them.

mod collect;

pub(super) use collect::{Collected, collect};

use jiff::Timestamp;
use serde_json::Value;

use super::World;
use super::bytes::{read_all, read_if_there, reading, write, writing};
use super::catalog::{self, RECORD_BYTES_MAX};
use super::marks::{KEY, annotation, counted};
use super::pods::named;
use crate::archive::{
    Contents, Keys, Manifest, Origin, Verified, Writer, backup_name, backup_of_key, extra_files,
    velero_backup, verify,
};
use crate::effect::{
    Attempt, BackupObjects, Counts, ErrorKind, Receipt, Resolution, Seen, Selection, WorldError,
};
use crate::objects::{ApiKind, left_out_of_restore};
use crate::text::sha256_hex;
use crate::world::port::{Secrecy, Store};

/// An attempt is looked for among so many newest backups of its name: it was made by this run.
const LOOK_BACK: usize = 20;

impl World {
    pub(super) async fn back_up(
        &self,
        effect: &BackupObjects,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let store = self.store(&effect.store)?;
        let consistent_at = (self.now)();
        let keys = backup_name(&effect.name_prefix, consistent_at)
            .map_err(|error| WorldError::new(ErrorKind::Rejected, &effect.store, error.to_string()))?;
        let identity = site.cluster.identity().await?;
        (attempt.progress)(format!("reading {}", effect.selection.namespaces.join(", ")));
        let collected = collect(&site, &effect.selection).await?;
        let completed_at = (self.now)();
        let left_out = collected.left_out.clone();
        (attempt.progress)(format!("writing {}", counted(collected.count(), "object")));
        let contents = pack(&*store, &keys, collected.kinds, consistent_at).await?;
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
            namespaces: effect.selection.namespaces.clone(),
            kinds: Manifest::count_kinds(&contents.entries),
            objects: contents.entries,
            left_out,
            archive: contents.archive,
        };
        describe(&*store, &keys, &manifest, attempt).await?;
        if store.secrecy() == (Secrecy::Sealed { opens: false }) {
            return Ok(unproved(&manifest));
        }
        (attempt.progress)("reading it back".into());
        self.prove(&*store, &keys, &manifest).await?;
        Ok(receipt(&manifest))
    }

    /// Reads all of it back and writes the proof.
    async fn prove(&self, store: &dyn Store, keys: &Keys, manifest: &Manifest) -> Result<(), WorldError> {
        let limit = usize::MAX;
        let stored = read_all(store, &keys.manifest(), limit).await?;
        if Manifest::from_bytes(&stored).ok().as_ref() != Some(manifest) {
            return Err(damaged(
                store,
                format!("{} reads back differently", keys.manifest()),
            ));
        }
        compare(store, keys, manifest).await?;
        let proof = Verified {
            backup: manifest.backup.clone(),
            verified_at: (self.now)(),
            tool: crate::TOOL.to_owned(),
            manifest_sha256: sha256_hex(&stored),
            archive: manifest.archive.clone(),
        };
        let bytes = proof.to_bytes().map_err(|error| internal(store, &error))?;
        write(store, &keys.verified(), bytes).await
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
                return Ok(Resolution::Done(Box::new(receipt(manifest))));
            }
        }
        Ok(Resolution::NotDone)
    }

    pub(super) async fn see_inventory(&self, site: &str, selection: &Selection) -> Result<Seen, WorldError> {
        let collected = collect(&self.site(site)?, selection).await?;
        Ok(Seen::Counts(inventory(&collected)))
    }
}

/// Counts what a restore would make again. What controllers make by themselves comes and goes, and
/// would make a plan stale for no reason.
fn inventory(collected: &Collected) -> Counts {
    let mut counts = Counts::default();
    for (kind, objects) in &collected.kinds {
        let again = objects
            .iter()
            .filter(|object| left_out_of_restore(object).is_none())
            .count() as u64;
        if again > 0 {
            counts.count += again;
            counts.of.insert(kind.resource(), again);
        }
    }
    counts
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

/// Writes the archive as a stream.
async fn pack(
    store: &dyn Store,
    keys: &Keys,
    kinds: Vec<(ApiKind, Vec<Value>)>,
    time: Timestamp,
) -> Result<Contents, WorldError> {
    let address = store.address();
    writing(store, &keys.archive(), move |sink| {
        let write = || -> Result<_, crate::archive::WriteError> {
            let mut writer = Writer::new(sink, time)?;
            for (kind, objects) in kinds {
                for object in objects {
                    writer.append(&kind, object)?;
                }
            }
            writer.finish()
        };
        write().map_err(|error| {
            WorldError::new(ErrorKind::Internal, address, error.to_string()).caused_by(&error)
        })
    })
    .await
}

/// Writes what makes the archive a backup, the manifest last.
async fn describe(
    store: &dyn Store,
    keys: &Keys,
    manifest: &Manifest,
    attempt: &Attempt,
) -> Result<(), WorldError> {
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
    let bytes = manifest.to_bytes().map_err(|error| internal(store, &error))?;
    write(store, &keys.manifest(), bytes).await
}

/// Reads the whole archive and compares it with its manifest.
///
/// # Errors
///
/// `Damaged`, naming what is wrong.
pub(super) async fn compare(store: &dyn Store, keys: &Keys, manifest: &Manifest) -> Result<(), WorldError> {
    let against = manifest.clone();
    let compared = reading(store, &keys.archive(), move |body| verify(body, &against)).await?;
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
