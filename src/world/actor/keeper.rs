//! What changes backups that are there: a proof for one that was read to its end, and taking one away.
//!
//! ## Why
//!
//! - Taking a backup away begins with its manifest, the mark by which it counts: whatever happens after
//!   that, nothing takes the rest for a backup. Then goes what Velero finds it by, and the bytes last. A
//!   store that refuses the first step has lost nothing.
//! - Before all of that, every object's lock is asked for: of a backup of which one object is locked,
//!   nothing goes. A store that keeps versions would not even refuse: it would hide the locked object.
//! - Two who delete at once could each take away what the other relied on; [`super::intent`] is how they see
//!   each other. So a deletion is told on which other backup it rests.
//! - Who, when and why is written beside it before anything goes, and stays when all is gone: a backup that
//!   is not there any more should not be a riddle.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::World;
use super::intent::{announce, note_key, unfit};
use super::library::{Library, Verdict, Verification};
use super::lock::kept;
use super::older::{Older, older, recover};
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
    /// What a store that keeps versions still holds of it.
    pub older: Older,
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
        still_there(&*store, &keys).await?;
        Ok(verified_at)
    }

    /// Brings back a backup that lies under delete markers; says how many objects. It is not verified then.
    ///
    /// # Errors
    ///
    /// `NotFound`: nothing of it is there. `Conflict`: somebody deletes it. The store's.
    pub async fn recover(&self, store: &str, name: &str) -> Result<u64, WorldError> {
        recover(&*self.world.store(store)?, name).await
    }

    /// Takes a backup away, because another one stands in for it, or because it is nothing to lose.
    /// Who calls this has read the other one to its end; that it is still there is looked at here.
    ///
    /// # Errors
    ///
    /// `Conflict`: the other one is going too, or has gone. The store's. In both cases nothing was deleted;
    /// what it refused later is in the answer.
    pub async fn delete(
        &self,
        store: &str,
        obituary: &Obituary,
        stand_in: Option<&str>,
    ) -> Result<Gone, WorldError> {
        let store = self.world.store(store)?;
        let name = &obituary.backup;
        let keys = Keys::of(name)
            .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
        let order = in_order(&keys, listed(&*store, &keys).await?);
        let kept = kept(&*store, &order, (self.world.now)()).await?;
        if !kept.is_empty() {
            let mut gone = Gone::nothing_of(name);
            gone.remains = kept.iter().map(|(key, why)| remains(key, why)).collect();
            gone.untouched = true;
            return Ok(gone);
        }
        let note = note_key(&keys);
        let taken = match announce(&*store, &note, obituary).await {
            Ok(()) => take(&*store, &keys, obituary, stand_in).await,
            Err(error) => Err(error),
        };
        if let Ok(gone) = &taken
            && !gone.untouched
            && !gone.remains.is_empty()
        {
            // Not ended: by the note, whoever comes next may go on at once.
            return taken;
        }
        let mut gone = match (taken, store.delete(&note).await) {
            (Ok(gone), Ok(())) => return Ok(gone),
            (Err(error), Ok(())) => return Err(error),
            (Err(error), Err(_)) => return Err(error.hint(left_over(&note, name))),
            (Ok(gone), Err(_)) => gone,
        };
        gone.remains.push(remains(&note, &left_over(&note, name)));
        Ok(gone)
    }
}

fn left_over(note: &str, name: &str) -> String {
    format!(
        "the note that {name} is going may still be at {note}; while it is, {name} stands in for no other"
    )
}

/// Takes away a backup of which it is noted that it goes.
async fn take(
    store: &dyn Store,
    keys: &Keys,
    obituary: &Obituary,
    stand_in: Option<&str>,
) -> Result<Gone, WorldError> {
    let name = keys.name();
    if let Some(other) = stand_in
        && let Some(why) = unfit(store, other).await?
    {
        let message = format!("{name} was not deleted, because {other} was to stand in for it: {why}");
        return Err(WorldError::new(ErrorKind::Conflict, store.address(), message)
            .hint("look what is there now, and decide again: lifeboat backups"));
    }
    // Again: since it was first looked at, the note had to be written.
    let order = in_order(keys, listed(store, keys).await?);
    let note = serde_json::to_vec_pretty(obituary)
        .map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))?;
    replace(store, &keys.deleted(), note).await?;
    let mut gone = Gone::nothing_of(name);
    for (at, key) in order.iter().enumerate() {
        match store.delete(key).await {
            Ok(()) => gone.deleted += 1,
            Err(error) => gone.remains.push(remains(key, &error.to_string())),
        }
        // The mark stays, so the backup stays; a note about its end would be a lie. A lost reply may
        // hide that the mark is gone.
        if at == 0 && !gone.remains.is_empty() && listed(store, keys).await?.contains(key) {
            gone.untouched = true;
            store.delete(&keys.deleted()).await?;
            return Ok(gone);
        }
    }
    let still = listed(store, keys).await?;
    let refused = gone.remains.len();
    gone.remains.retain(|one| still.contains(&one.key));
    gone.deleted += (refused - gone.remains.len()) as u64;
    for key in still {
        if !gone.remains.iter().any(|one| one.key == key) {
            let why = "the store said that it is deleted, and still lists it";
            gone.remains.push(remains(&key, why));
        }
    }
    gone.older = older(store, keys).await;
    Ok(gone)
}

/// After a proof was written: a backup that was deleted meanwhile has left a proof of nothing, which goes.
///
/// # Errors
///
/// `NotFound`: it was deleted meanwhile. The store's.
pub(super) async fn still_there(store: &dyn Store, keys: &Keys) -> Result<(), WorldError> {
    let there = store.list(&keys.own_folder()).await?;
    if there.iter().any(|entry| entry.key == keys.manifest()) {
        return Ok(());
    }
    store.delete(&keys.verified()).await?;
    let message = format!("backup {} was deleted while it was read back", keys.name());
    Err(WorldError::new(ErrorKind::NotFound, store.address(), message))
}

impl Gone {
    fn nothing_of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            deleted: 0,
            remains: Vec::new(),
            untouched: false,
            older: Older::default(),
        }
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
