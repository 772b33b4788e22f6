//! Which backups a store holds, and which one is meant.
//!
//! ## Why
//!
//! - A backup of ours counts by its manifest, which is written last, and is *verified* only by a proof
//!   for exactly that manifest. A proof without the archive beside it proves nothing.
//! - The small `velero-backup.json` of each backup says in which order to look; what is believed is
//!   the manifest. Nothing protects a record, and one flipped bit makes another year of a year. So the
//!   age in a record of ours counts only where the backup's own name says the same; otherwise the
//!   manifest is asked. A backup whose age cannot be learnt is looked at first, so that damage to it is
//!   told and does not make an older one look like the newest.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::World;
use super::bytes::{read_all, read_if_there, reading, there};
use super::pace::{Work, all};
use crate::archive::{
    BackupRecord, EXTRA_BYTES_MAX, Keys, Manifest, ManifestError, Usable, Verified, moment_of_name, results,
};
use crate::effect::{BackupName, BackupSeen, ErrorKind, Seen, WorldError};
use crate::objects::{glob, is_glob};
use crate::world::port::{Secrecy, Store};

/// A record is a page; a megabyte is a mistake.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Records in flight.
const IN_FLIGHT: usize = 8;

/// One backup, as far as its small files tell.
pub(super) struct Found {
    pub(super) keys: Keys,
    pub(super) seen: BackupSeen,
    /// `None`: Velero made it, and nobody recorded checksums.
    pub(super) manifest: Option<Manifest>,
    /// The namespaces that were asked for; empty: all.
    pub(super) namespaces: Vec<String>,
    /// Velero could not read all of it.
    partial: bool,
}

impl Found {
    /// Whether something of each of these namespaces is in it. Of many backups only one that was made of
    /// all that a pattern stands for is meant by the pattern; one that a person names is meant as it is.
    fn holds(&self, namespaces: &[String], named: bool) -> bool {
        let asked = self.manifest.as_ref().map_or(&[][..], |made| &made.patterns);
        let has = |one: &String| {
            if is_glob(one) && !named {
                return asked.iter().any(|pattern| pattern == one || pattern == "*");
            }
            self.namespaces.iter().any(|name| glob(one, name))
        };
        self.namespaces.is_empty() || namespaces.iter().all(has)
    }
}

impl World {
    pub(super) async fn see_backup(
        &self,
        store: &str,
        backup: &BackupName,
        namespaces: &[String],
    ) -> Result<Seen, WorldError> {
        let store = self.store(store)?;
        let found = match backup {
            BackupName::Named(name) => open(&*store, name)
                .await?
                .filter(|found| found.holds(namespaces, true)),
            BackupName::Latest => newest(&*store, namespaces, false).await?,
            BackupName::LatestVerified => newest(&*store, namespaces, true).await?,
        };
        Ok(Seen::Backup(found.map(|found| found.seen)))
    }
}

/// The backup of this name; `None` where there is none.
///
/// # Errors
///
/// It is there and cannot be used: damaged, not finished, refused by Velero itself.
pub(super) async fn open(store: &dyn Store, name: &str) -> Result<Option<Found>, WorldError> {
    let refuse = |kind, message: String| WorldError::new(kind, store.address(), message);
    let keys = Keys::of(name).map_err(|error| refuse(ErrorKind::Rejected, error.to_string()))?;
    if let Some(read) = manifest(store, &keys).await? {
        return ours(store, keys, read).await.map(Some);
    }
    let Some(bytes) = read_if_there(store, &keys.velero_backup(), RECORD_BYTES_MAX).await? else {
        return Ok(None);
    };
    let record = BackupRecord::read(name, &bytes)
        .map_err(|why| refuse(ErrorKind::Damaged, format!("{}: {why}", keys.velero_backup())))?;
    if record.by_lifeboat {
        let message = format!("backup {name} was not finished: it has no manifest");
        return Err(refuse(ErrorKind::Rejected, message));
    }
    veleros(store, keys, record).await.map(Some)
}

/// A manifest of ours, and the SHA-256 of its stored bytes in hex.
pub(super) type Read = Result<(Manifest, String), ManifestError>;

/// What a backup's manifest is; `None`: it has none.
pub(super) async fn manifest(store: &dyn Store, keys: &Keys) -> Result<Option<Read>, WorldError> {
    there(reading(store, &keys.manifest(), Manifest::read).await)
}

/// A backup with a manifest of ours.
async fn ours(store: &dyn Store, keys: Keys, read: Read) -> Result<Found, WorldError> {
    let damaged = |key: String, why: String| {
        WorldError::new(ErrorKind::Damaged, store.address(), format!("{key}: {why}"))
    };
    let (manifest, stored) = read.map_err(|error| damaged(keys.manifest(), error.to_string()))?;
    if manifest.backup != keys.name() {
        let why = format!("it is of the backup {}", manifest.backup);
        return Err(damaged(keys.manifest(), why));
    }
    let there = store.list(&keys.archive()).await?;
    let archive = there.iter().find(|entry| entry.key == keys.archive());
    let sized = store.secrecy() == Secrecy::Plain;
    if archive.is_none_or(|entry| sized && entry.size != manifest.archive.size) {
        let why = archive.map_or_else(
            || "it is missing".to_owned(),
            |entry| format!("it has {} bytes instead of {}", entry.size, manifest.archive.size),
        );
        return Err(damaged(keys.archive(), why));
    }
    let proof = read_if_there(store, &keys.verified(), RECORD_BYTES_MAX).await?;
    let proof = proof.and_then(|bytes| Verified::from_bytes(&bytes).ok());
    let seen = BackupSeen {
        name: manifest.backup.clone(),
        consistent_at: manifest.consistent_at,
        verified_at: proof
            .filter(|proof| proof.proves(&manifest, &stored))
            .map(|proof| proof.verified_at),
        writer: "lifeboat".into(),
        objects: counts(&manifest),
        archive_sha256: Some(manifest.archive.sha256.clone()),
        errors: Vec::new(),
        passed_over: Vec::new(),
    };
    Ok(Found {
        keys,
        seen,
        namespaces: manifest.namespaces.clone(),
        manifest: Some(manifest),
        partial: false,
    })
}

/// Objects per namespace, with those of which nothing but themselves was captured.
fn counts(manifest: &Manifest) -> BTreeMap<String, u64> {
    let mut counts = manifest.count_namespaces();
    for name in &manifest.namespaces {
        counts.entry(name.clone()).or_default();
    }
    counts
}

/// A backup that Velero made.
async fn veleros(store: &dyn Store, keys: Keys, record: BackupRecord) -> Result<Found, WorldError> {
    let (consistent_at, partial) = match record.usable {
        Usable::Yes {
            consistent_at,
            partial,
        } => (consistent_at, partial),
        Usable::No(why) => {
            let message = format!("backup {} cannot be used: {why}", record.name);
            return Err(WorldError::new(ErrorKind::Rejected, store.address(), message));
        }
    };
    let mut errors = Vec::new();
    if partial || record.errors > 0 {
        errors = veleros_errors(store, &keys).await?;
        if errors.is_empty() {
            errors.push(format!("Velero says {} and names no error", record.phase));
        }
    }
    let seen = BackupSeen {
        name: record.name,
        consistent_at,
        verified_at: None,
        writer: "velero".into(),
        objects: BTreeMap::new(),
        archive_sha256: None,
        errors,
        passed_over: Vec::new(),
    };
    Ok(Found {
        keys,
        seen,
        manifest: None,
        namespaces: record.namespaces,
        partial,
    })
}

async fn veleros_errors(store: &dyn Store, keys: &Keys) -> Result<Vec<String>, WorldError> {
    let limit = usize::try_from(EXTRA_BYTES_MAX).unwrap_or(usize::MAX);
    let bytes = read_if_there(store, &keys.results(), limit).await?;
    Ok(match bytes.map(|bytes| results(bytes.as_slice())) {
        Some(Ok((errors, _))) => errors,
        Some(Err(why)) => vec![why],
        None => Vec::new(),
    })
}

/// The newest backup that may be used and holds these namespaces. One that cannot be used is passed
/// over, and the next one says so.
pub(super) async fn newest(
    store: &dyn Store,
    namespaces: &[String],
    verified: bool,
) -> Result<Option<Found>, WorldError> {
    let mut passed_over = Vec::new();
    for name in by_age(store).await? {
        match open(store, &name).await {
            Ok(Some(mut found)) => {
                if !found.holds(namespaces, false) {
                    continue;
                }
                match unfit(&found, verified) {
                    None => {
                        found.seen.passed_over = passed_over;
                        return Ok(Some(found));
                    }
                    Some(why) => passed_over.push(format!("{name}: {why}")),
                }
            }
            Ok(None) => {}
            Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Rejected) => {
                passed_over.push(format!("{name}: {}", error.message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Why a backup that can be read is not the one that is meant; `None`: it may be.
fn unfit(found: &Found, verified: bool) -> Option<&'static str> {
    let narrowed = |manifest: &Manifest| !manifest.narrowed.is_empty();
    if found.partial {
        Some("Velero could not read all of it")
    } else if found.manifest.as_ref().is_some_and(narrowed) {
        Some("it was told to hold only some kinds or labels of its namespaces")
    } else if verified && found.seen.verified_at.is_none() {
        Some("nothing proves that it was read back and is whole")
    } else {
        None
    }
}

/// The names of all backups, the newest first; those whose age is not known before all others.
async fn by_age(store: &dyn Store) -> Result<Vec<String>, WorldError> {
    let names = names(store).await?;
    let mut work: Vec<Work<'_, Option<Timestamp>>> = Vec::with_capacity(names.len());
    for (name, ours) in &names {
        work.push(Box::pin(age(store, name, *ours)));
    }
    let ages = all(IN_FLIGHT, work).await?;
    let mut found: Vec<(Option<Timestamp>, String)> = ages.into_iter().zip(names.into_keys()).collect();
    found.sort_by_key(|(at, name)| (at.is_some(), Reverse(*at), Reverse(name.clone())));
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// The names of all backups, and whether a manifest of ours is there.
async fn names(store: &dyn Store) -> Result<BTreeMap<String, bool>, WorldError> {
    let mut names = BTreeMap::new();
    for (folder, at, file, ours) in [
        ("backups/", 1, "/velero-backup.json", false),
        ("metadata/lifeboat/", 2, "/manifest.json", true),
    ] {
        let there = store.list(folder).await?;
        let there = there.iter().filter(|entry| entry.key.ends_with(file));
        let there = there.filter_map(|entry| entry.key.split('/').nth(at));
        names.extend(
            there
                .filter(|name| Keys::of(name).is_ok())
                .map(|name| (name.to_owned(), ours)),
        );
    }
    Ok(names)
}

/// When a backup was begun, in whole seconds; `None`: nothing that can be believed says so.
async fn age(store: &dyn Store, name: &str, ours: bool) -> Result<Option<Timestamp>, WorldError> {
    let recorded = recorded_age(store, name).await?;
    if !ours || (recorded.is_some() && recorded == moment_of_name(name)) {
        return Ok(recorded);
    }
    match open(store, name).await {
        Ok(found) => Ok(found.and_then(|found| {
            let at = found.seen.consistent_at;
            Timestamp::from_second(at.as_second()).ok()
        })),
        // It is opened again when it is its turn, and says what is wrong.
        Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Rejected) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What `velero-backup.json` says.
async fn recorded_age(store: &dyn Store, name: &str) -> Result<Option<Timestamp>, WorldError> {
    let Ok(keys) = Keys::of(name) else { return Ok(None) };
    let bytes = match read_all(store, &keys.velero_backup(), RECORD_BYTES_MAX).await {
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Damaged) => return Ok(None),
        bytes => bytes?,
    };
    Ok(
        match BackupRecord::read(name, &bytes).map(|record| record.usable) {
            Ok(Usable::Yes { consistent_at, .. }) => Some(consistent_at),
            _ => None,
        },
    )
}
