//! What several who delete in one store at once tell each other: a note for each deletion, before it.
//!
//! ## Why
//!
//! Whether a backup may go rests on another one that stands in for it. Two who delete at once could each
//! take away what the other relied on. So whoever deletes
//!
//! 1. writes a note that *this* backup is going, under a key that nobody else uses;
//! 2. then looks for notes about the one that stands in, and *after that* whether it is still there and
//!    verified;
//! 3. deletes only if there is no such note; otherwise takes its own note back, and nothing has gone.
//!
//! Of all notes that stay, one was written last. Its writer saw no note about its stand-in, and none that
//! stays was written later: so nobody is deleting the stand-in. Whatever the order, however many delete,
//! however long one of them sleeps between two steps, and wherever one is killed, a verified backup stays.
//! This takes no clock, no lease and no conditional write: only that a store shows what was written, to
//! whoever asks after that. In step 2 the order matters: a deletion that ends takes its note along.
//!
//! A note of a process that was killed stays. Its backup stands in for no other until somebody deletes it
//! to its end: that the process does not merely sleep, nobody can know.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};

use jiff::Timestamp;
use serde::Serialize;

use super::bytes::{read_if_there, write};
use super::catalog::{self, RECORD_BYTES_MAX};
use super::keeper::Obituary;
use crate::archive::{DELETIONS, Keys};
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::Store;

/// A deletion that was begun and has not ended, or whose process was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Where it is noted.
    pub key: String,
    /// Since when, where the note can be read.
    pub at: Option<Timestamp>,
    /// By whom, where the note can be read.
    pub by: Option<String>,
}

impl Begun {
    /// `since 2026-11-23 07:17:49 UTC by anna`.
    pub fn words(&self) -> String {
        let since = self
            .at
            .map(|at| at.strftime("since %Y-%m-%d %H:%M:%S UTC").to_string());
        let by = self.by.as_ref().map(|by| format!("by {by}"));
        let known: Vec<String> = since.into_iter().chain(by).collect();
        if known.is_empty() {
            "by somebody whose note cannot be read".to_owned()
        } else {
            known.join(" ")
        }
    }
}

/// The deletions that were begun in a store: of one backup, or of all.
pub(super) async fn begun(
    store: &dyn Store,
    of: Option<&Keys>,
) -> Result<BTreeMap<String, Vec<Begun>>, WorldError> {
    let prefix = of.map_or_else(|| DELETIONS.to_owned(), Keys::deletions);
    let mut found: BTreeMap<String, Vec<Begun>> = BTreeMap::new();
    for entry in store.list(&prefix).await? {
        let name = entry
            .key
            .strip_prefix(DELETIONS)
            .and_then(|rest| rest.split_once('/'));
        if let Some((name, _)) = name {
            let note = told(store, &entry.key).await;
            found.entry(name.to_owned()).or_default().push(Begun {
                at: note.as_ref().map(|note| note.at),
                by: note.map(|note| note.by),
                key: entry.key.clone(),
            });
        }
    }
    Ok(found)
}

/// The note is what counts, and not what it says: one that cannot be read is one.
async fn told(store: &dyn Store, key: &str) -> Option<Obituary> {
    let bytes = read_if_there(store, key, RECORD_BYTES_MAX).await.ok().flatten()?;
    serde_json::from_slice(&bytes).ok()
}

/// Where a note about this backup may be written: nobody else uses the key.
pub(super) fn note_key(keys: &Keys) -> String {
    format!("{}{}.json", keys.deletions(), nobody_elses())
}

/// Notes under this key that a backup is going. If that fails, perhaps the note is there.
pub(super) async fn announce(store: &dyn Store, key: &str, obituary: &Obituary) -> Result<(), WorldError> {
    let note = serde_json::to_vec_pretty(obituary)
        .map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))?;
    write(store, key, note).await
}

/// Why a backup cannot stand in for one whose note is written; `None`: it can.
pub(super) async fn unfit(store: &dyn Store, name: &str) -> Result<Option<String>, WorldError> {
    let keys = Keys::of(name)
        .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
    let going = begun(store, Some(&keys)).await?;
    if let Some(note) = going.values().flatten().next() {
        return Ok(Some(format!("it is being deleted itself, {}", note.words())));
    }
    Ok(match catalog::open(store, name).await {
        Ok(Some(found)) if found.seen.verified_at.is_some() => None,
        Ok(Some(_)) => Some("it is not verified any more".to_owned()),
        Ok(None) => Some("it is not there any more".to_owned()),
        Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Rejected) => Some(error.message),
        Err(error) => return Err(error),
    })
}

/// A hundred and twenty-eight bits: two notes never have one key. The standard library's hasher is keyed
/// from the operating system's random source, and nothing secret depends on it.
fn nobody_elses() -> String {
    let bits = || {
        std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish()
    };
    format!("{:016x}{:016x}-{}", bits(), bits(), std::process::id())
}
