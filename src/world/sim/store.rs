//! An object store in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::Pace;
use super::bench::{Flaw, Flaws};
use super::clock::SimClock;
use super::fault::{FaultError, Faults};
use crate::effect::{ErrorKind, Firmness, WorldError};
use crate::world::doctor::Bench;
use crate::world::port::{Answer, Hidden, Locked, PutMode, Retention, Store, Stored, no_versions};

/// Bodies come in pieces, as from a network: whoever reads must not expect all of it at once.
const PIECE: usize = 16 * 1024;

/// An object store in memory. Clones and siblings hold the same objects.
#[derive(Clone, Debug)]
pub struct SimStore {
    name: String,
    /// Ends with `/`.
    prefix: String,
    clock: SimClock,
    pace: Pace,
    faults: Faults,
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    /// What is written is locked.
    retention: Option<Retention>,
    forgetful: Arc<AtomicBool>,
    pub(super) flaws: Flaws,
}

#[derive(Clone, Debug)]
struct Object {
    bytes: Bytes,
    modified: Timestamp,
    retention: Option<Retention>,
}

impl SimStore {
    pub(super) fn new(name: &str, clock: SimClock, pace: Pace, faults: Faults) -> Self {
        Self {
            name: name.to_owned(),
            prefix: format!("{name}/"),
            clock,
            pace,
            faults,
            objects: Arc::default(),
            retention: None,
            forgetful: Arc::default(),
            flaws: Flaws::default(),
        }
    }

    /// An equal store that goes its own way from here, without flaws.
    pub(super) fn fork(&self, faults: Faults) -> Self {
        let objects = self.lock().clone();
        Self {
            faults,
            objects: Arc::new(Mutex::new(objects)),
            forgetful: Arc::default(),
            flaws: Flaws::default(),
            ..self.clone()
        }
    }

    /// Every key there is, of siblings too.
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The bytes of one object, without a request.
    pub fn peek(&self, key: &str) -> Option<Bytes> {
        self.lock()
            .get(&self.full(key))
            .map(|object| object.bytes.clone())
    }

    /// The bytes of all objects under a prefix, in the order of their keys, without a request.
    pub fn peek_under(&self, prefix: &str) -> Vec<Bytes> {
        let start = self.full(prefix);
        let objects = self.lock();
        let fitting = objects
            .range(start.clone()..)
            .take_while(|(key, _)| key.starts_with(&start));
        fitting.map(|(_, object)| object.bytes.clone()).collect()
    }

    /// Puts an object there, without a request.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        let object = Object {
            bytes: bytes.into(),
            modified: self.clock.now(),
            retention: self.retention.filter(|_| !self.forgetful.load(Ordering::Relaxed)),
        };
        self.lock().insert(self.full(key), object);
    }

    /// Locks an object, without a request.
    pub fn freeze(&self, key: &str, until: Timestamp) {
        let mode = Firmness::Governance;
        if let Some(object) = self.lock().get_mut(&self.full(key)) {
            object.retention = Some(Retention { mode, until });
        }
    }

    /// From now on it takes locks and does not keep them, as some servers do.
    pub fn forgets_locks(&self) {
        self.forgetful.store(true, Ordering::Relaxed);
    }

    /// From now on it does this wrong, and says nothing.
    pub fn has_flaw(&self, flaw: Flaw) {
        self.flaws.add(flaw);
    }

    /// As [`Store::address`].
    pub(super) fn title(&self) -> String {
        self.address()
    }

    /// Its clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes an object away, without a request.
    pub fn erase(&self, key: &str) {
        self.lock().remove(&self.full(key));
    }

    /// Flips one bit, as a bad disk would; `false` where there is no such byte.
    pub fn damage(&self, key: &str, offset: usize) -> bool {
        let mut objects = self.lock();
        let Some(object) = objects.get_mut(&self.full(key)) else {
            return false;
        };
        let mut bytes = BytesMut::from(object.bytes.as_ref());
        let Some(byte) = bytes.get_mut(offset) else {
            return false;
        };
        *byte ^= 1;
        object.bytes = bytes.freeze();
        true
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request: its time on the wire, its fault, its effect.
    pub(super) async fn request<T>(
        &self,
        verb: &str,
        key: &str,
        act: impl FnOnce() -> Result<T, WorldError>,
    ) -> Result<T, WorldError> {
        self.pace.request().await;
        match self.faults.meet(&self.name, verb, key) {
            None | Some(FaultError::BrokenBody) => act(),
            Some(fault) if fault.commits() => {
                act()?;
                Err(fault.error(&self.name))
            }
            Some(fault) => Err(fault.error(&self.name)),
        }
    }

    fn write(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<u64, WorldError> {
        let careless = self.flaws.has(Flaw::Conditions) || self.flaws.has(Flaw::Races);
        if mode == PutMode::Create && !careless && self.lock().contains_key(&self.full(key)) {
            let message = format!("{key} is already there");
            return Err(WorldError::new(ErrorKind::Conflict, self.address(), message));
        }
        let size = bytes.len() as u64;
        self.plant(key, bytes);
        Ok(size)
    }

    /// Looks and then writes, so that of two who look at once both write.
    async fn look_before(&self, key: &str) -> Result<(), WorldError> {
        let there = self.lock().contains_key(&self.full(key));
        self.pace.request().await;
        if there {
            let message = format!("{key} is already there");
            return Err(WorldError::new(ErrorKind::Conflict, self.address(), message));
        }
        Ok(())
    }

    fn body(
        &self,
        key: &str,
        broken: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, WorldError>>, WorldError> {
        let missing = || WorldError::new(ErrorKind::NotFound, self.address(), format!("there is no {key}"));
        let mut bytes = self.peek(key).ok_or_else(missing)?;
        let mut pieces = Vec::new();
        if broken {
            pieces.push(Ok(bytes.split_to(bytes.len() / 2)));
            pieces.push(Err(FaultError::BrokenBody.error(&self.name)));
            return Ok(stream::iter(pieces).boxed());
        }
        while !bytes.is_empty() {
            pieces.push(Ok(bytes.split_to(PIECE.min(bytes.len()))));
        }
        Ok(stream::iter(pieces).boxed())
    }
}

impl Store for SimStore {
    fn address(&self) -> String {
        format!("memory:{}", self.prefix)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        Box::pin(self.request("list", prefix, || {
            let start = self.full(prefix);
            let objects = self.lock();
            let fitting = objects
                .range(start.clone()..)
                .take_while(|(key, _)| key.starts_with(&start));
            let entries = fitting.map(|(key, object)| Stored {
                key: key[self.prefix.len()..].to_owned(),
                size: object.bytes.len() as u64,
                modified: Some(object.modified),
            });
            let mut entries: Vec<Stored> = entries.collect();
            if self.flaws.has(Flaw::Listings) {
                entries.pop();
            }
            Ok(entries)
        }))
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        Box::pin(async move {
            self.pace.request().await;
            match self.faults.meet(&self.name, "get", key) {
                None => self.body(key, false),
                Some(FaultError::BrokenBody) => self.body(key, true),
                Some(fault) => Err(fault.error(&self.name)),
            }
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64> {
        Box::pin(async move {
            let bytes: BytesMut = body
                .try_fold(BytesMut::new(), |mut all, piece| async move {
                    all.extend_from_slice(&piece);
                    Ok(all)
                })
                .await?;
            if self.flaws.has(Flaw::Races) && mode == PutMode::Create {
                self.look_before(key).await?;
            }
            self.request("put", key, || self.write(key, bytes.freeze(), mode))
                .await
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(self.request("delete", key, || {
            self.lock().remove(&self.full(key));
            Ok(())
        }))
    }

    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked> {
        Box::pin(self.request("locked", key, || {
            let retention = self
                .lock()
                .get(&self.full(key))
                .and_then(|object| object.retention);
            Ok(retention.map_or(Locked::No, Locked::Until))
        }))
    }

    fn locking(&self, retention: Retention) -> Result<Arc<dyn Store>, WorldError> {
        Ok(Arc::new(Self {
            retention: Some(retention),
            ..self.clone()
        }))
    }

    fn bench(&self) -> Option<&dyn Bench> {
        Some(self)
    }

    fn hidden<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Hidden>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn unhide<'a>(&'a self, key: &'a str, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { Err(no_versions(self, key)) })
    }

    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        Arc::new(Self {
            prefix: format!("{}-{suffix}/", self.prefix.trim_end_matches('/')),
            ..self.clone()
        })
    }
}
