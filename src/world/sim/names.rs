//! A DNS server in memory: the primary of its zones, which answers only for them.
//!
//! It has no transfers, no caches, no wildcards and no records of other kinds, and whoever asks is let in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Pace;
use super::fault::Faults;
use crate::effect::{ErrorKind, NameSeen, Records, WorldError};
use crate::text::DomainName;
use crate::world::port::{Answer, Names};

/// For how long a cache may keep that a name has nothing, in seconds: what zones usually say.
const ABSENT_S: u32 = 300;

/// A DNS server in memory. Clones are the same server.
#[derive(Clone, Debug)]
pub struct SimNames {
    name: String,
    zones: Vec<DomainName>,
    pace: Pace,
    faults: Faults,
    records: Arc<Mutex<BTreeMap<DomainName, Records>>>,
}

impl SimNames {
    pub(super) fn new(
        name: &str,
        zones: &[DomainName],
        records: BTreeMap<DomainName, Records>,
        pace: Pace,
        faults: Faults,
    ) -> Self {
        Self {
            name: name.to_owned(),
            zones: zones.to_vec(),
            pace,
            faults,
            records: Arc::new(Mutex::new(records)),
        }
    }

    /// An equal server that goes its own way from here.
    pub(super) fn fork(&self, faults: Faults) -> Self {
        Self {
            faults,
            records: Arc::new(Mutex::new(self.all())),
            ..self.clone()
        }
    }

    /// Every name that has something.
    pub fn all(&self) -> BTreeMap<DomainName, Records> {
        self.lock().clone()
    }

    /// Changes a name as somebody else would, without a request.
    pub fn plant(&self, name: &DomainName, records: Records) {
        if records.is_empty() {
            self.lock().remove(name);
        } else {
            self.lock().insert(name.clone(), records);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DomainName, Records>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn request<T>(
        &self,
        verb: &str,
        name: &DomainName,
        act: impl FnOnce() -> Result<T, WorldError> + Send,
    ) -> Result<T, WorldError> {
        self.pace.request().await;
        match self.faults.meet(&self.name, verb, name.as_str()) {
            None => act(),
            Some(fault) if fault.commits() => {
                act()?;
                Err(fault.error(&self.name))
            }
            Some(fault) => Err(fault.error(&self.name)),
        }
    }

    fn seen(&self, name: &DomainName) -> Option<NameSeen> {
        Some(NameSeen {
            zone: name.zone_of(&self.zones)?.clone(),
            records: self.lock().get(name).cloned().unwrap_or_default(),
            absent_s: ABSENT_S,
        })
    }

    fn compare(&self, name: &DomainName, has: &Records) -> Result<(), WorldError> {
        let wrong = |kind, message: String| Err(WorldError::new(kind, &self.name, message));
        match self.seen(name) {
            None => wrong(ErrorKind::Rejected, format!("{name} is in none of its zones")),
            Some(seen) if seen.records.lead_as(has) => Ok(()),
            Some(_) => wrong(ErrorKind::Conflict, format!("{name} has other records")),
        }
    }
}

impl Names for SimNames {
    fn look<'a>(&'a self, name: &'a DomainName) -> Answer<'a, Option<NameSeen>> {
        Box::pin(self.request("look", name, || Ok(self.seen(name))))
    }

    fn check<'a>(&'a self, name: &'a DomainName, from: &'a Records, _: &'a Records) -> Answer<'a, ()> {
        Box::pin(self.request("check", name, || self.compare(name, from)))
    }

    fn swap<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()> {
        Box::pin(self.request("swap", name, || {
            self.compare(name, from)?;
            self.plant(name, to.clone());
            Ok(())
        }))
    }
}
