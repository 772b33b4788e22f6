//! A shelf in memory whose requests can be made to fail.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Fleet, Shelf};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::Release;

/// How a `create` goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Mishap {
    /// Nothing was sent.
    Unreachable,
    /// It is there, and nobody was told.
    LostAfter,
    /// It is not there, and nobody was told.
    LostBefore,
    /// 409 of a store that wrote nothing.
    EmptyConflict,
    /// It answers after this many milliseconds.
    Slow(u64),
}

/// Objects, and what the next creations meet.
#[derive(Default)]
pub(in crate::run) struct Desk {
    pub(in crate::run) objects: BTreeMap<String, Bytes>,
    pub(in crate::run) mishaps: VecDeque<Mishap>,
    /// Nobody gets through, to read or to write.
    pub(in crate::run) away: bool,
    pub(in crate::run) creates: usize,
}

/// Clones are the same shelf.
#[derive(Clone)]
pub(in crate::run) struct MemoryShelf {
    name: String,
    pub(in crate::run) desk: Arc<Mutex<Desk>>,
}

impl MemoryShelf {
    pub(in crate::run) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            desk: Arc::default(),
        }
    }

    /// All objects of all runs, one after the other.
    pub(in crate::run) fn text(&self) -> Vec<u8> {
        self.desk
            .lock()
            .unwrap()
            .objects
            .values()
            .flatten()
            .copied()
            .collect()
    }

    pub(in crate::run) fn meets(&self, mishaps: &[Mishap]) {
        self.desk.lock().unwrap().mishaps.extend(mishaps);
    }

    pub(in crate::run) fn goes_away(&self, away: bool) {
        self.desk.lock().unwrap().away = away;
    }

    fn error(&self, kind: ErrorKind, message: &str) -> WorldError {
        WorldError::new(kind, &self.name, message)
    }

    fn present(&self) -> Result<(), WorldError> {
        if self.desk.lock().unwrap().away {
            return Err(self.error(ErrorKind::Unreachable, "connection refused"));
        }
        Ok(())
    }

    fn put(&self, key: &str, bytes: Bytes) -> Result<(), WorldError> {
        let mut desk = self.desk.lock().unwrap();
        if desk.objects.contains_key(key) {
            return Err(self.error(ErrorKind::Conflict, "it is there"));
        }
        desk.objects.insert(key.to_owned(), bytes);
        Ok(())
    }
}

/// All of them with a rule.
pub(in crate::run) fn fleet(shelves: &[&MemoryShelf], release: Release) -> Fleet {
    let shelves = shelves
        .iter()
        .map(|shelf| Arc::new((*shelf).clone()) as Arc<dyn Shelf>);
    Fleet {
        shelves: shelves.collect(),
        release,
    }
}

impl Shelf for MemoryShelf {
    fn name(&self) -> &str {
        &self.name
    }

    fn address(&self) -> String {
        format!("memory:{}", self.name)
    }

    fn create<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async move {
            self.present()?;
            let mishap = {
                let mut desk = self.desk.lock().unwrap();
                desk.creates += 1;
                desk.mishaps.pop_front()
            };
            match mishap {
                None => self.put(key, bytes),
                Some(Mishap::Unreachable) => Err(self.error(ErrorKind::Unreachable, "connection refused")),
                Some(Mishap::LostBefore) => Err(self.error(ErrorKind::LostReply, "reset")),
                Some(Mishap::EmptyConflict) => Err(self.error(ErrorKind::Conflict, "409")),
                Some(Mishap::LostAfter) => {
                    self.put(key, bytes)?;
                    Err(self.error(ErrorKind::LostReply, "reset"))
                }
                Some(Mishap::Slow(ms)) => {
                    let until = tokio::time::Instant::now() + std::time::Duration::from_millis(ms);
                    tokio::time::sleep_until(until).await;
                    self.put(key, bytes)
                }
            }
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes, WorldError>> {
        Box::pin(async move {
            self.present()?;
            let found = self.desk.lock().unwrap().objects.get(key).cloned();
            found.ok_or_else(|| self.error(ErrorKind::NotFound, "not there"))
        })
    }

    fn keys<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        Box::pin(async move {
            self.present()?;
            let desk = self.desk.lock().unwrap();
            Ok(desk
                .objects
                .keys()
                .filter(|key| key.starts_with(prefix))
                .cloned()
                .collect())
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        Box::pin(async move {
            let keys = self.keys(prefix).await?;
            let names = keys
                .iter()
                .filter_map(|key| key.strip_prefix(prefix)?.split_once('/'));
            let names: std::collections::BTreeSet<String> = names.map(|(name, _)| name.to_owned()).collect();
            Ok(names.into_iter().collect())
        })
    }
}
