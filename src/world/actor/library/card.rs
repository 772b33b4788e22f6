//! One backup on a card: what its small files tell without reading the archive.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::{BackupRecord, Keys, Usable};
use crate::effect::{ErrorKind, Firmness, WorldError};
use crate::world::actor::bytes::read_if_there;
use crate::world::actor::catalog::{self, Found, RECORD_BYTES_MAX};
use crate::world::actor::intent::{Begun, begun};
use crate::world::actor::lock::weakest;
use crate::world::actor::pace::{Work, all};
use crate::world::port::{Locked, Retention, Secrecy, Store, Stored};

/// Backups looked at side by side.
const IN_FLIGHT: usize = 8;

/// What is known of one backup. What is not known is absent, and never guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The store's name in the inventory.
    pub store: String,
    /// The backup's name.
    pub name: String,
    /// What wrote it.
    pub writer: Writer,
    /// Whether it can be relied on.
    #[serde(flatten)]
    pub state: State,
    /// The moment whose state it holds.
    pub consistent_at: Option<Timestamp>,
    /// How many objects, as its writer counted.
    pub objects: Option<u64>,
    /// Bytes of all of its files in the store, not of the archive alone.
    pub bytes: u64,
    /// The namespaces that were asked for; an empty list: all of the cluster.
    pub namespaces: Option<Vec<String>>,
    /// By which words it holds only a part of them: a backup of ConfigMaps replaces none of the whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<String>,
    /// The cluster it was read from.
    pub origin: Option<Origin>,
    /// Lifeboat can restore from it.
    pub lifeboat_reads: bool,
    /// The files by which Velero finds and restores a backup are there and say that it is usable.
    pub velero_reads: bool,
    /// Whether lifeboat encrypted it; whether the store does is for the store to say.
    pub encrypted: Option<bool>,
    /// Whether the store says that it keeps what a restore needs of it from being deleted.
    pub locked: Option<bool>,
    /// How: until when, by what, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Held>,
    /// When the newest of its files was written, as the store says.
    pub written_at: Option<Timestamp>,
    /// Deletions of it that were begun and have not ended: it stands in for no other backup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub going: Vec<Begun>,
}

/// What a store says of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// Until this moment, in this mode.
    Until {
        /// The end of the first of its locks.
        at: Timestamp,
        /// Who may lift it.
        mode: Firmness,
    },
    /// By a legal hold: until somebody lifts it.
    LegalHold,
    /// It does not say, and why.
    NotKnown(String),
}

/// A cluster as a backup names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The site's name in the inventory of that day.
    pub site: String,
    /// The cluster's identity.
    pub uid: String,
}

/// What wrote a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writer {
    /// This program.
    Lifeboat,
    /// Velero.
    Velero,
    /// Nothing there says so.
    Unknown,
}

/// Whether a backup can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum State {
    /// It was read back as a whole and was what its manifest says. The proof is of that moment.
    Verified {
        /// When the last byte had been compared.
        verified_at: Timestamp,
    },
    /// Nothing proves that it was ever read back.
    NotVerified,
    /// It was begun, and what makes it a backup is missing.
    Unfinished {
        /// What is missing.
        why: String,
    },
    /// It is not what was written.
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Velero's own word for it; nobody recorded checksums.
    Velero {
        /// `Completed`, `PartiallyFailed`.
        phase: String,
        /// How many errors Velero counted.
        errors: u64,
        /// How many warnings Velero counted.
        warnings: u64,
    },
    /// It is there and nobody can use it.
    Unusable {
        /// In its writer's words.
        why: String,
    },
    /// The store did not give its small files.
    Unread {
        /// What the store said.
        why: String,
    },
}

/// The cards of all backups of a store.
pub(super) async fn all_cards(
    store: &dyn Store,
    name: &str,
    now: Timestamp,
) -> Result<Vec<Card>, WorldError> {
    let files = files(store).await?;
    let mut work: Vec<Work<'_, Card>> = Vec::with_capacity(files.len());
    for (backup, files) in &files {
        work.push(Box::pin(async move {
            Ok(card(store, name, backup, files, now).await)
        }));
    }
    let mut cards = all(IN_FLIGHT, work).await?;
    let mut going = begun(store, None).await?;
    for card in &mut cards {
        card.going = going.remove(&card.name).unwrap_or_default();
    }
    cards.sort_by(|a, b| (a.consistent_at, &a.name).cmp(&(b.consistent_at, &b.name)));
    Ok(cards)
}

/// The card of one backup.
///
/// # Errors
///
/// `NotFound`: there is nothing of this name. The store's.
pub(super) async fn one(
    store: &dyn Store,
    store_name: &str,
    name: &str,
    now: Timestamp,
) -> Result<Card, WorldError> {
    let keys = Keys::of(name)
        .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
    let mut files = store.list(&keys.folder()).await?;
    files.extend(store.list(&keys.own_folder()).await?);
    files.retain(|file| file.key != keys.deleted());
    if files.is_empty() {
        let message = format!("there is no backup {name}");
        return Err(WorldError::new(ErrorKind::NotFound, store.address(), message)
            .hint("lifeboat backups lists what there is"));
    }
    let mut card = card(store, store_name, name, &files, now).await;
    card.going = begun(store, Some(&keys)).await?.remove(name).unwrap_or_default();
    Ok(card)
}

/// The files of each backup by its name.
async fn files(store: &dyn Store) -> Result<BTreeMap<String, Vec<Stored>>, WorldError> {
    let mut found: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for (folder, at) in [("backups/", 1), ("metadata/lifeboat/", 2)] {
        for entry in store.list(folder).await? {
            let name = entry.key.split('/').nth(at).unwrap_or_default().to_owned();
            // The note about one that was deleted is not a backup.
            if Keys::of(&name).is_ok_and(|keys| keys.deleted() != entry.key) {
                found.entry(name).or_default().push(entry);
            }
        }
    }
    Ok(found)
}

/// The card of one backup.
async fn card(store: &dyn Store, store_name: &str, name: &str, files: &[Stored], now: Timestamp) -> Card {
    let mut card = blank(store_name, name, files);
    let record = match record(store, name).await {
        Ok(record) => record,
        Err(why) => {
            card.state = why;
            None
        }
    };
    if let Some(record) = &record {
        card.recorded(record, files);
    }
    match catalog::open(store, name).await {
        Ok(Some(found)) => card.opened(&found, record.as_ref()),
        // Neither record nor manifest: what `blank` says, or why the record cannot be read.
        Ok(None) => {}
        Err(error) => card.state = refused(error, record.as_ref()),
    }
    let sealed = store.secrecy() != Secrecy::Plain;
    card.encrypted = Some(sealed);
    card.velero_reads &= !sealed;
    card.lock(weakest(store, &needed(name, files), now).await);
    card
}

/// The keys of what a restore needs: the archive, and what makes it a backup.
fn needed(name: &str, files: &[Stored]) -> Vec<String> {
    let Ok(keys) = Keys::of(name) else {
        return Vec::new();
    };
    let there = |key: &String| files.iter().any(|file| file.key == *key);
    let mark = [keys.manifest(), keys.velero_backup()].into_iter().find(there);
    std::iter::once(keys.archive())
        .filter(there)
        .chain(mark)
        .collect()
}

fn blank(store: &str, name: &str, files: &[Stored]) -> Card {
    Card {
        store: store.to_owned(),
        name: name.to_owned(),
        writer: Writer::Unknown,
        state: State::Unfinished {
            why: "it has neither a manifest nor velero-backup.json".to_owned(),
        },
        consistent_at: None,
        objects: None,
        bytes: files.iter().map(|file| file.size).sum(),
        namespaces: None,
        narrowed: Vec::new(),
        origin: None,
        lifeboat_reads: false,
        velero_reads: false,
        encrypted: None,
        locked: None,
        lock: None,
        written_at: files.iter().filter_map(|file| file.modified).max(),
        going: Vec::new(),
    }
}

/// `velero-backup.json`, or what it means that it cannot be read.
async fn record(store: &dyn Store, name: &str) -> Result<Option<BackupRecord>, State> {
    let Ok(keys) = Keys::of(name) else { return Ok(None) };
    let key = keys.velero_backup();
    match read_if_there(store, &key, RECORD_BYTES_MAX).await {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => BackupRecord::read(name, &bytes)
            .map(Some)
            .map_err(|why| State::Damaged {
                why: format!("{key}: {why}"),
            }),
        Err(error) => Err(refused(error, None)),
    }
}

impl Card {
    fn lock(&mut self, found: Locked) {
        (self.locked, self.lock) = match found {
            Locked::No => (Some(false), None),
            Locked::Until(Retention { mode, until: at }) => (Some(true), Some(Held::Until { at, mode })),
            Locked::Held => (Some(true), Some(Held::LegalHold)),
            Locked::Unknown(why) => (None, Some(Held::NotKnown(why))),
        };
    }

    fn recorded(&mut self, record: &BackupRecord, files: &[Stored]) {
        let archive = Keys::of(&record.name).map(|keys| keys.archive());
        let there = files.iter().any(|file| Ok(&file.key) == archive.as_ref());
        self.writer = if record.by_lifeboat {
            Writer::Lifeboat
        } else {
            Writer::Velero
        };
        self.namespaces = Some(record.namespaces.clone());
        self.objects = record.items;
        if let Usable::Yes { consistent_at, .. } = record.usable {
            self.consistent_at = Some(consistent_at);
            self.velero_reads = there;
        }
    }

    fn opened(&mut self, found: &Found, record: Option<&BackupRecord>) {
        self.consistent_at = Some(found.seen.consistent_at);
        self.namespaces = Some(found.namespaces.clone());
        self.lifeboat_reads = true;
        if let Some(manifest) = &found.manifest {
            self.writer = Writer::Lifeboat;
            self.objects = Some(manifest.objects.len() as u64);
            self.narrowed.clone_from(&manifest.narrowed);
            self.origin = Some(Origin {
                site: manifest.origin.site.clone(),
                uid: manifest.origin.uid.clone(),
            });
            self.state = match found.seen.verified_at {
                Some(verified_at) => State::Verified { verified_at },
                None => State::NotVerified,
            };
        } else if let Some(record) = record {
            self.state = State::Velero {
                phase: record.phase.clone(),
                errors: record.errors,
                warnings: record.warnings,
            };
        }
    }
}

/// What it means that a backup cannot be opened.
fn refused(error: WorldError, record: Option<&BackupRecord>) -> State {
    let ours = record.is_some_and(|record| record.by_lifeboat);
    match error.kind {
        ErrorKind::Damaged => State::Damaged { why: error.message },
        ErrorKind::Rejected if ours => State::Unfinished {
            why: "it has no manifest, which is written last".to_owned(),
        },
        ErrorKind::Rejected => State::Unusable { why: error.message },
        _ => State::Unread {
            why: error.to_string(),
        },
    }
}
