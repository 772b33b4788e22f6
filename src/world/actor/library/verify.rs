//! A backup against its own words: everything recomputed from what the store gives back.
//!
//! ## Why
//!
//! - A backup of Velero's that reads to its end is still not *verified*: nobody recorded what it was, so
//!   a changed object that is well-formed cannot be told from the true one.
//! - The proof of an earlier reading is not believed here. It is told apart from today's result.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::card::Writer;
use crate::archive::{
    ArchiveError, BackupRecord, EXTRA_BYTES_MAX, Keys, Manifest, Reader, Summary, Usable, Verified, listed,
    verify,
};
use crate::effect::{ErrorKind, WorldError};
use crate::world::actor::bytes::{read_if_there, reading, there};
use crate::world::actor::catalog::{self, RECORD_BYTES_MAX};
use crate::world::port::Store;

/// Names of objects that a list has more or less than the archive: more would not help anybody.
const NAMED: usize = 10;

/// What a whole reading of a backup showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The backup's name.
    pub name: String,
    /// What wrote it.
    pub writer: Writer,
    /// The verdict.
    pub verdict: Verdict,
    /// What is wrong; empty unless the verdict is `Wrong`.
    pub wrong: Vec<String>,
    /// What a person should know besides.
    pub notes: Vec<String>,
    /// The moment whose state it holds.
    pub consistent_at: Option<Timestamp>,
    /// Objects that were read; `None`: it was not read to its end.
    pub objects: Option<u64>,
    /// How many of them are there in two equal copies.
    pub copies: Option<u64>,
    /// Size of the archive, in bytes.
    pub archive_bytes: Option<u64>,
    /// SHA-256 of the archive, computed now.
    pub archive_sha256: Option<String>,
    /// The proof that was there before: when it was made.
    pub proved_at: Option<Timestamp>,
    /// SHA-256 of the manifest's stored bytes, for a proof.
    #[serde(skip)]
    pub(in crate::world::actor) manifest_sha256: Option<String>,
}

/// The verdict of a whole reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every object is what its manifest says, and there is nothing else.
    Whole,
    /// Something is not what was written.
    Wrong,
    /// Nothing wrong was found, and nobody recorded what it should be.
    NotProvable,
}

/// Reads all of a backup.
pub(super) async fn reread(store: &dyn Store, name: &str) -> Result<Verification, WorldError> {
    let keys = Keys::of(name)
        .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
    let manifest = catalog::manifest(store, &keys).await?;
    let record = read_if_there(store, &keys.velero_backup(), RECORD_BYTES_MAX).await?;
    let record = record.map(|bytes| BackupRecord::read(name, &bytes));
    match (manifest, record) {
        (Some(read), record) => ours(store, &keys, read, record).await,
        (None, Some(Ok(record))) if !record.by_lifeboat => veleros(store, &keys, &record).await,
        (None, None) if store.list(&keys.folder()).await?.is_empty() => {
            let message = format!("there is no backup {name}");
            Err(WorldError::new(ErrorKind::NotFound, store.address(), message))
        }
        (None, record) => unfinished(store, &keys, record).await,
    }
}

impl Verification {
    fn of(keys: &Keys, writer: Writer) -> Self {
        Self {
            name: keys.name().to_owned(),
            writer,
            verdict: Verdict::Wrong,
            wrong: Vec::new(),
            notes: Vec::new(),
            consistent_at: None,
            objects: None,
            copies: None,
            archive_bytes: None,
            archive_sha256: None,
            proved_at: None,
            manifest_sha256: None,
        }
    }

    fn read(&mut self, summary: &Summary) {
        self.objects = Some(summary.objects);
        self.copies = Some(summary.copies);
        self.archive_bytes = Some(summary.archive.size);
        self.archive_sha256 = Some(summary.archive.sha256.clone());
    }
}

/// A backup with a manifest of ours.
async fn ours(
    store: &dyn Store,
    keys: &Keys,
    read: catalog::Read,
    record: Option<Result<BackupRecord, String>>,
) -> Result<Verification, WorldError> {
    let mut found = Verification::of(keys, Writer::Lifeboat);
    let (manifest, stored) = match sound(keys, read) {
        Ok(sound) => sound,
        Err(why) => {
            found.wrong.push(format!("{}: {why}", keys.manifest()));
            found.notes.extend(told(read_through(store, keys).await?.1));
            return Ok(found);
        }
    };
    found.consistent_at = Some(manifest.consistent_at);
    found.proved_at = proof(store, keys, &manifest, &stored).await?;
    found.manifest_sha256 = Some(stored);
    let against = manifest.clone();
    let archive = keys.archive();
    match there(reading(store, &archive, move |body| verify(body, &against)).await)? {
        None => found.wrong.push(format!("{archive} is missing")),
        Some(Err(wrongs)) => found.wrong.extend(wrongs.iter().map(ToString::to_string)),
        Some(Ok(summary)) => {
            found.read(&summary);
            found.verdict = Verdict::Whole;
        }
    }
    if let (Verdict::Wrong, Some(at)) = (found.verdict, found.proved_at) {
        found.notes.push(format!(
            "it was whole at {at}, and its proof of that is still there: `latest-verified` may mean it, and the restore will refuse it"
        ));
    }
    found.notes.extend(for_velero(&manifest, record));
    Ok(found)
}

/// The manifest, if it is what was written and agrees with itself, and the SHA-256 of its stored bytes.
fn sound(keys: &Keys, read: catalog::Read) -> Result<(Manifest, String), String> {
    let (manifest, stored) = read.map_err(|error| error.to_string())?;
    if manifest.backup != keys.name() {
        return Err(format!("it is of the backup {}", manifest.backup));
    }
    if manifest.kinds != Manifest::count_kinds(&manifest.objects) {
        return Err("its counts are not those of its objects".to_owned());
    }
    Ok((manifest, stored))
}

/// When a proof for exactly this manifest was made.
async fn proof(
    store: &dyn Store,
    keys: &Keys,
    manifest: &Manifest,
    stored: &str,
) -> Result<Option<Timestamp>, WorldError> {
    let bytes = read_if_there(store, &keys.verified(), RECORD_BYTES_MAX).await?;
    let proof = bytes.and_then(|bytes| Verified::from_bytes(&bytes).ok());
    Ok(proof
        .filter(|proof| proof.proves(manifest, stored))
        .map(|proof| proof.verified_at))
}

/// What Velero goes by is not ours to rely on, and whoever counts on Velero should know.
fn for_velero(manifest: &Manifest, record: Option<Result<BackupRecord, String>>) -> Option<String> {
    let why = match record {
        None => "it is not there".to_owned(),
        Some(Err(why)) => why,
        Some(Ok(record)) => match record.usable {
            Usable::Yes { .. } if record.namespaces == manifest.namespaces => return None,
            Usable::Yes { .. } => "it names other namespaces than the manifest".to_owned(),
            Usable::No(why) => why,
        },
    };
    Some(format!(
        "velero-backup.json: {why}; lifeboat does not need it, Velero does"
    ))
}

/// A backup without a manifest that is not Velero's either.
async fn unfinished(
    store: &dyn Store,
    keys: &Keys,
    record: Option<Result<BackupRecord, String>>,
) -> Result<Verification, WorldError> {
    let mut found = Verification::of(keys, Writer::Unknown);
    match record {
        Some(Ok(_)) => {
            found.writer = Writer::Lifeboat;
            found
                .wrong
                .push("it was not finished: it has no manifest, which is written last".to_owned());
        }
        Some(Err(why)) => found.wrong.push(format!("{}: {why}", keys.velero_backup())),
        None => found
            .wrong
            .push("it has neither a manifest nor velero-backup.json".to_owned()),
    }
    found.notes.extend(told(read_through(store, keys).await?.1));
    Ok(found)
}

/// A backup that Velero made: what can be checked is checked.
async fn veleros(store: &dyn Store, keys: &Keys, record: &BackupRecord) -> Result<Verification, WorldError> {
    let mut found = Verification::of(keys, Writer::Velero);
    match &record.usable {
        Usable::Yes { consistent_at, .. } => found.consistent_at = Some(*consistent_at),
        Usable::No(why) => found.wrong.push(why.clone()),
    }
    let (names, read) = read_through(store, keys).await?;
    match &read {
        Some(Ok(summary)) => found.read(summary),
        Some(Err(error)) => found.wrong.push(error.to_string()),
        None => found.wrong.push(format!("{} is missing", keys.archive())),
    }
    if found.objects.is_some() {
        against_list(store, keys, &names, &mut found).await?;
    }
    if record.errors > 0 {
        found.notes.push(format!(
            "Velero itself counted {} errors: see show",
            record.errors
        ));
    }
    if found.wrong.is_empty() {
        found.verdict = Verdict::NotProvable;
    }
    Ok(found)
}

/// Holds the archive against the list that Velero wrote beside it.
async fn against_list(
    store: &dyn Store,
    keys: &Keys,
    names: &Names,
    found: &mut Verification,
) -> Result<(), WorldError> {
    let key = keys.resource_list();
    let limit = usize::try_from(EXTRA_BYTES_MAX).unwrap_or(usize::MAX);
    let Some(bytes) = read_if_there(store, &key, limit).await? else {
        found.notes.push(format!(
            "{key} is not there, so nothing says how many objects there should be"
        ));
        return Ok(());
    };
    let list = match listed(bytes.as_slice()) {
        Ok(list) => list,
        Err(why) => {
            found.wrong.push(format!("{key}: {why}"));
            return Ok(());
        }
    };
    let flat = |names: &Names| -> BTreeSet<String> {
        let one = |(kind, names): (&String, &BTreeSet<String>)| {
            names
                .iter()
                .map(|name| format!("{kind} {name}"))
                .collect::<Vec<_>>()
        };
        names.iter().flat_map(one).collect()
    };
    let (listed, there) = (flat(&list), flat(names));
    let missing = listed.difference(&there).take(NAMED);
    found
        .wrong
        .extend(missing.map(|one| format!("{one} is in Velero's list and not in the archive")));
    let added = there.difference(&listed).take(NAMED);
    found
        .wrong
        .extend(added.map(|one| format!("{one} is in the archive and not in Velero's list")));
    Ok(())
}

/// Names by kind, as Velero lists them.
type Names = BTreeMap<String, BTreeSet<String>>;

/// Reads an archive to its end. `None`: there is none.
async fn read_through(
    store: &dyn Store,
    keys: &Keys,
) -> Result<(Names, Option<Result<Summary, ArchiveError>>), WorldError> {
    let work = |body| {
        let mut reader = Reader::new(body);
        let mut names = Names::new();
        for archived in reader.by_ref() {
            let id = match archived {
                Ok(archived) => archived.id,
                Err(error) => return (names, Err(error)),
            };
            let name = match id.namespace {
                Some(namespace) => format!("{namespace}/{}", id.name),
                None => id.name,
            };
            let kind = format!("{}/{}", id.api_version, id.kind);
            names.entry(kind).or_default().insert(name);
        }
        (names, Ok(reader.summary().clone()))
    };
    Ok(match there(reading(store, &keys.archive(), work).await)? {
        Some((names, read)) => (names, Some(read)),
        None => (Names::new(), None),
    })
}

/// What is left of a backup that does not count.
fn told(read: Option<Result<Summary, ArchiveError>>) -> Option<String> {
    Some(match read? {
        Ok(summary) => format!(
            "its archive reads to its end, with {} objects; that they are what was written is not known",
            summary.objects
        ),
        Err(error) => error.to_string(),
    })
}
