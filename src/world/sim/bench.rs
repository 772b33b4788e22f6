//! What the store probe asks of a store in memory, and the flaws that real servers were seen to have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::SimStore;
use crate::effect::{ErrorKind, WorldError};
use crate::world::doctor::Bench;
use crate::world::port::Answer;

/// How far the clock of a store with that flaw is ahead.
const SKEW: SignedDuration = SignedDuration::from_mins(7);

/// What a store does wrong without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Conditions are ignored and answered with success.
    Conditions,
    /// A condition is looked at, and kept only if nobody else writes at the same time.
    Races,
    /// Checksums are not compared.
    Checksums,
    /// A listing misses the newest object.
    Listings,
    /// Its clock is wrong.
    Clock,
}

/// The flaws of one store; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flaws(Arc<[AtomicBool; 5]>);

impl Flaws {
    pub(super) fn add(&self, flaw: Flaw) {
        self.0[flaw as usize].store(true, Ordering::Relaxed);
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.0[flaw as usize].load(Ordering::Relaxed)
    }
}

impl SimStore {
    fn tag_of(&self, key: &str) -> Result<String, WorldError> {
        let missing = || WorldError::new(ErrorKind::NotFound, self.title(), format!("there is no {key}"));
        let bytes = self.peek(key).ok_or_else(missing)?;
        Ok(crate::text::sha256_hex(&bytes))
    }

    fn no_versions<T>(&self) -> Result<T, WorldError> {
        let message = "a store in memory keeps no versions";
        Err(WorldError::new(ErrorKind::Rejected, self.title(), message))
    }
}

impl Bench for SimStore {
    fn tag<'a>(&'a self, key: &'a str) -> Answer<'a, String> {
        Box::pin(self.request("get", key, || self.tag_of(key)))
    }

    fn swap<'a>(&'a self, key: &'a str, tag: &'a str, bytes: Bytes) -> Answer<'a, ()> {
        Box::pin(self.request("put", key, move || {
            if self.tag_of(key)? != tag && !self.flaws.has(Flaw::Conditions) {
                let message = format!("{key} has changed");
                return Err(WorldError::new(ErrorKind::Conflict, self.title(), message));
            }
            self.plant(key, bytes);
            Ok(())
        }))
    }

    fn put_wrongly<'a>(&'a self, key: &'a str, bytes: Bytes) -> Answer<'a, ()> {
        Box::pin(self.request("put", key, move || {
            if !self.flaws.has(Flaw::Checksums) {
                let message = format!("{key} has another checksum");
                return Err(WorldError::new(ErrorKind::Damaged, self.title(), message));
            }
            self.plant(key, bytes);
            Ok(())
        }))
    }

    fn version<'a>(&'a self, _: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    fn read_version<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async { self.no_versions() })
    }

    fn delete_version<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async { self.no_versions() })
    }

    fn locks(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async { Ok(Some(false)) })
    }

    fn clock(&self) -> Answer<'_, Timestamp> {
        Box::pin(async {
            let now = self.now();
            Ok(if self.flaws.has(Flaw::Clock) {
                now + SKEW
            } else {
                now
            })
        })
    }
}
