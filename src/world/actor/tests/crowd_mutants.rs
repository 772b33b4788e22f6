//! Mistakes that a deletion could make about others who delete in the same store, each made here by a layer between
//! it and the store. Without its part of the protection two who rely on each other both delete.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use super::crowd::kept;
use crate::archive::DELETIONS;
use crate::effect::WorldError;
use crate::world::port::{PutMode, Store as _, Stored};
use crate::world::sim::SimStore;

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Nobody is told that a backup is going.
    NoNote,
    /// It is told only after the notes of others were looked for.
    LooksBeforeItTells,
    /// Notes of others are not looked for.
    NotesNotRead,
    /// Whether the one that stands in is still there is looked at before the notes are: a deletion that ends takes
    /// its note along.
    LooksAtTheOtherFirst,
    /// What was there when it was decided is taken for what is there.
    OtherNotLookedAt,
}

impl Mutant {
    pub(super) const ALL: [Self; 5] = [
        Self::NoNote,
        Self::LooksBeforeItTells,
        Self::NotesNotRead,
        Self::LooksAtTheOtherFirst,
        Self::OtherNotLookedAt,
    ];
}

/// One deletion's mistake, and what it has to remember for it.
pub(super) struct Mistake {
    mutant: Mutant,
    /// The note that is still to be written.
    untold: Mutex<Option<(String, Bytes)>>,
    /// Whether notes of others were looked for since.
    looked: AtomicBool,
    /// What is taken for what is there.
    memory: Mutex<Option<BTreeMap<String, Bytes>>>,
}

impl Mistake {
    pub(super) fn of(mutant: Mutant) -> Self {
        Self {
            mutant,
            untold: Mutex::default(),
            looked: AtomicBool::default(),
            memory: Mutex::default(),
        }
    }

    /// Notes are looked for now.
    pub(super) fn before_list(&self, store: &SimStore, prefix: &str) {
        let first = match self.mutant {
            Mutant::OtherNotLookedAt => true,
            Mutant::LooksAtTheOtherFirst => prefix.starts_with(DELETIONS),
            _ => false,
        };
        if first {
            self.memory.lock().unwrap().get_or_insert_with(|| kept(store));
        }
    }

    pub(super) async fn list(&self, store: &SimStore, prefix: &str) -> Result<Vec<Stored>, WorldError> {
        let about_notes = prefix.starts_with(DELETIONS);
        if about_notes && self.mutant == Mutant::NotesNotRead {
            return Ok(Vec::new());
        }
        // A single object's size is asked for by its own key; folders are of what the deletion itself takes away.
        if let Some(bytes) = self.remembers(prefix) {
            return Ok(vec![Stored {
                key: prefix.to_owned(),
                size: bytes.len() as u64,
                modified: None,
            }]);
        }
        self.looked.fetch_or(about_notes, Ordering::Relaxed);
        store.list(prefix).await
    }

    /// Before the request that follows on its look for notes: only now it tells.
    pub(super) fn before_get(&self, store: &SimStore) {
        let looked = self.looked.load(Ordering::Relaxed);
        let untold = self.untold.lock().unwrap().take_if(|_| looked);
        if let Some((key, bytes)) = untold {
            store.plant(&key, bytes);
        }
    }

    /// What is there, as far as this deletion looks. Its own notes are not a memory.
    pub(super) fn remembers(&self, key: &str) -> Option<Bytes> {
        let memory = self.memory.lock().unwrap();
        memory
            .as_ref()?
            .get(key)
            .filter(|_| !key.starts_with(DELETIONS))
            .cloned()
    }

    pub(super) async fn put(
        &self,
        store: &SimStore,
        key: &str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Result<u64, WorldError> {
        let note = key.starts_with(DELETIONS);
        if !note || !matches!(self.mutant, Mutant::NoNote | Mutant::LooksBeforeItTells) {
            return store.put(key, body, mode).await;
        }
        let bytes: BytesMut = body
            .try_fold(BytesMut::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await?;
        let size = bytes.len() as u64;
        if self.mutant == Mutant::LooksBeforeItTells {
            *self.untold.lock().unwrap() = Some((key.to_owned(), bytes.freeze()));
            self.looked.store(false, Ordering::Relaxed);
        }
        Ok(size)
    }
}
