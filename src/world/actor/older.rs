//! Backups of which a store that keeps versions holds more than it lists, and bringing them back.
//!
//! ## Why
//!
//! - Whoever may delete can hide every backup of a bucket, those with an object lock included: a delete
//!   marker needs no right that the lock could refuse. So what a lock is for is to find them again.
//! - What is brought back gets its proof only from whoever reads it to its end again: `verified.json` stays
//!   where it is. The manifest comes back last, so that half of a backup does not count.

use std::collections::BTreeMap;

use serde::Serialize;

use super::intent::begun;
use crate::archive::Keys;
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{Hidden, Store};

/// What a store still holds of a backup and does not list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Older {
    /// So many versions of objects.
    pub versions: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Why that is not known, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A backup that is hidden as a whole: the mark by which it counts lies under a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Its name.
    pub name: String,
    /// What of it is there.
    #[serde(flatten)]
    pub older: Older,
    /// Whether lifeboat deleted it: then who, when and why is noted.
    pub noted: bool,
}

/// Of one backup, after it was deleted.
pub(super) async fn older(store: &dyn Store, keys: &Keys) -> Older {
    match of(store, keys).await {
        Ok(hidden) => hidden.iter().fold(Older::default(), Older::plus),
        Err(error) => Older {
            unknown: Some(error.message),
            ..Older::default()
        },
    }
}

impl Older {
    fn plus(self, one: &Hidden) -> Self {
        Self {
            versions: self.versions + one.versions,
            bytes: self.bytes + one.bytes,
            ..self
        }
    }
}

async fn of(store: &dyn Store, keys: &Keys) -> Result<Vec<Hidden>, WorldError> {
    let mut all = store.hidden(&keys.folder()).await?;
    all.extend(store.hidden(&keys.own_folder()).await?);
    all.retain(|one| one.key != keys.deleted());
    Ok(all)
}

/// The backups of a store that are hidden as a whole, sorted by name.
pub(super) async fn lost(store: &dyn Store) -> Result<Vec<Lost>, WorldError> {
    let mut names: BTreeMap<String, (Older, bool)> = BTreeMap::new();
    for (folder, at) in [("backups/", 1), ("metadata/lifeboat/", 2)] {
        for one in store.hidden(folder).await? {
            let name = one.key.split('/').nth(at).unwrap_or_default();
            let Ok(keys) = Keys::of(name) else { continue };
            if one.key == keys.deleted() {
                continue;
            }
            let mark = one.key == keys.manifest() || one.key == keys.velero_backup();
            let entry = names.entry(name.to_owned()).or_default();
            entry.0 = std::mem::take(&mut entry.0).plus(&one);
            entry.1 |= mark && one.marker.is_some();
        }
    }
    names.retain(|_, (_, hidden)| *hidden);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut there: Vec<String> = Vec::new();
    for folder in ["backups/", "metadata/lifeboat/"] {
        there.extend(store.list(folder).await?.into_iter().map(|entry| entry.key));
    }
    there.sort();
    let is_there = |key: &String| there.binary_search(key).is_ok();
    let lost = names.into_iter().filter_map(|(name, (older, _))| {
        let keys = Keys::of(&name).ok()?;
        let counts = is_there(&keys.manifest()) || is_there(&keys.velero_backup());
        (!counts).then(|| Lost {
            noted: is_there(&keys.deleted()),
            name,
            older,
        })
    });
    Ok(lost.collect())
}

/// Brings back what is hidden of a backup; says how many objects.
pub(super) async fn recover(store: &dyn Store, name: &str) -> Result<u64, WorldError> {
    let refuse = |kind, why: String| WorldError::new(kind, store.address(), why);
    let keys = Keys::of(name).map_err(|error| refuse(ErrorKind::Rejected, error.to_string()))?;
    let mut hidden = of(store, &keys).await?;
    hidden.retain(|one| one.marker.is_some() && one.key != keys.verified());
    if hidden.is_empty() {
        let why = format!("nothing of a backup {name} lies under a delete marker");
        return Err(refuse(ErrorKind::NotFound, why));
    }
    if let Some(note) = begun(store, Some(&keys)).await?.values().flatten().next() {
        let why = format!("{name} is being deleted, {}", note.words());
        return Err(refuse(ErrorKind::Conflict, why).hint(format!(
            "if nobody is at it any more, take the note away: {}",
            note.key
        )));
    }
    let last = [keys.velero_backup(), keys.manifest()];
    hidden.sort_by_key(|one| last.iter().position(|key| *key == one.key).map_or(0, |at| at + 1));
    for one in &hidden {
        if let Some(marker) = &one.marker {
            store.unhide(&one.key, marker).await?;
        }
    }
    // It says that the backup is gone, and it is not.
    store.delete(&keys.deleted()).await?;
    Ok(hidden.len() as u64)
}
