//! What changes backups that are there: a proof for one that was read to its end, and taking one away.
//!
//! ## Why
//!
//! - Taking a backup away begins with its manifest, the mark by which it counts: whatever happens after
//!   that, nothing takes the rest for a backup. Then goes what Velero finds it by, and the bytes last. A
//!   store that refuses the first step has lost nothing.
//! - Before all of that, every object's lock is asked for: of a backup of which one object is locked,
//!   nothing goes. A store that keeps versions would not even refuse: it would hide the locked object.
//! - Who, when and why is written beside it before anything goes, and stays when all is gone: a backup that
//!   is not there any more should not be a riddle.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::World;
use super::library::{Library, Verdict, Verification};
use super::lock::kept;
use crate::archive::{Keys, Sum, Verified};
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{PutMode, Store};

/// A world, to take care of its backups.
pub struct Keeper {
    world: World,
}

/// Who took a backup away, and why: `metadata/lifeboat/<name>/deleted.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Obituary {
    /// The backup's name.
    pub backup: String,
    /// When it was decided.
    pub at: jiff::Timestamp,
    /// Who, as far as the machine knows.
    pub by: String,
    /// In their words.
    pub reason: String,
    /// What deleted: `lifeboat 0.1.0`.
    pub tool: String,
}

/// What became of a backup that was to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    /// The backup's name.
    pub name: String,
    /// How many objects are deleted.
    pub deleted: u64,
    /// What the store refused to delete, or lists still, and its words.
    pub remains: Vec<Remains>,
    /// Something of it is locked, or the first refusal was of the mark by which it counts: it is whole, and
    /// counts as before.
    pub untouched: bool,
}

/// An object that did not go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remains {
    /// Its key.
    pub key: String,
    /// In the store's words.
    pub why: String,
}

impl Keeper {
    /// Of a world.
    pub fn of(world: World) -> Self {
        Self { world }
    }

    /// The half of it that only reads.
    pub fn library(&self) -> Library {
        Library::of(self.world.clone())
    }

    /// Writes the proof that a backup was read to its end and is whole; says when.
    ///
    /// # Errors
    ///
    /// `Rejected`: it is not whole. The store's.
    pub async fn prove(&self, store: &str, found: &Verification) -> Result<jiff::Timestamp, WorldError> {
        let store = self.world.store(store)?;
        let refuse = |kind, why: String| WorldError::new(kind, store.address(), why);
        let (Verdict::Whole, Some(sha256), Some(size), Some(manifest_sha256)) = (
            found.verdict,
            &found.archive_sha256,
            found.archive_bytes,
            &found.manifest_sha256,
        ) else {
            let why = format!("backup {} is not whole, so nothing can be proved", found.name);
            return Err(refuse(ErrorKind::Rejected, why));
        };
        let keys = Keys::of(&found.name).map_err(|error| refuse(ErrorKind::Rejected, error.to_string()))?;
        let verified_at = (self.world.now)();
        let proof = Verified {
            backup: found.name.clone(),
            verified_at,
            tool: crate::TOOL.to_owned(),
            manifest_sha256: manifest_sha256.clone(),
            archive: Sum {
                sha256: sha256.clone(),
                size,
            },
        };
        let bytes = proof
            .to_bytes()
            .map_err(|error| refuse(ErrorKind::Internal, error.to_string()))?;
        // One that proves something else is in the way of the true one.
        replace(&*store, &keys.verified(), bytes).await?;
        Ok(verified_at)
    }

    /// Takes a backup away. Who calls this has made sure that it may go.
    ///
    /// # Errors
    ///
    /// The store's, where nothing was deleted. What it refused later is in the answer.
    pub async fn delete(&self, store: &str, obituary: &Obituary) -> Result<Gone, WorldError> {
        let store = self.world.store(store)?;
        let name = &obituary.backup;
        let keys = Keys::of(name)
            .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
        let order = in_order(&keys, listed(&*store, &keys).await?);
        let kept = kept(&*store, &order, (self.world.now)()).await?;
        if !kept.is_empty() {
            return Ok(Gone {
                name: name.clone(),
                deleted: 0,
                remains: kept.iter().map(|(key, why)| remains(key, why)).collect(),
                untouched: true,
            });
        }
        let note = serde_json::to_vec_pretty(obituary)
            .map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))?;
        replace(&*store, &keys.deleted(), note).await?;
        let mut gone = Gone {
            name: name.clone(),
            deleted: 0,
            remains: Vec::new(),
            untouched: false,
        };
        for (at, key) in order.iter().enumerate() {
            match store.delete(key).await {
                Ok(()) => gone.deleted += 1,
                Err(error) => gone.remains.push(remains(key, &error.to_string())),
            }
            // The mark stays, so the backup stays; a note about its end would be a lie. A lost reply may
            // hide that the mark is gone.
            if at == 0 && !gone.remains.is_empty() && listed(&*store, &keys).await?.contains(key) {
                gone.untouched = true;
                store.delete(&keys.deleted()).await?;
                return Ok(gone);
            }
        }
        let still = listed(&*store, &keys).await?;
        let refused = gone.remains.len();
        gone.remains.retain(|one| still.contains(&one.key));
        gone.deleted += (refused - gone.remains.len()) as u64;
        for key in still {
            if !gone.remains.iter().any(|one| one.key == key) {
                let why = "the store said that it is deleted, and still lists it";
                gone.remains.push(remains(&key, why));
            }
        }
        Ok(gone)
    }
}

fn remains(key: &str, why: &str) -> Remains {
    Remains {
        key: key.to_owned(),
        why: why.to_owned(),
    }
}

async fn replace(store: &dyn Store, key: &str, bytes: Vec<u8>) -> Result<(), WorldError> {
    let body = stream::iter([Ok(Bytes::from(bytes))]).boxed();
    store.put(key, body, PutMode::Replace).await?;
    Ok(())
}

/// All keys of a backup, but for the note about its end.
async fn listed(store: &dyn Store, keys: &Keys) -> Result<Vec<String>, WorldError> {
    let mut all = store.list(&keys.own_folder()).await?;
    all.extend(store.list(&keys.folder()).await?);
    let all = all.into_iter().map(|entry| entry.key);
    Ok(all.filter(|key| *key != keys.deleted()).collect())
}

/// The mark first, then the proof, then what Velero finds it by, and all else.
fn in_order(keys: &Keys, mut all: Vec<String>) -> Vec<String> {
    let first = [keys.manifest(), keys.verified(), keys.velero_backup()];
    let place = |key: &String| first.iter().position(|one| one == key).unwrap_or(first.len());
    all.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    all
}
