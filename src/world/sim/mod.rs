//! The embedded world: Kubernetes clusters, object stores and a network in memory.
//!
//! For `lifeboat demo` and `simulate`, and for every test of what the actor does. It is not a mock:
//! it keeps objects, versions, owners of fields, finalizers and cascades, has controllers that take
//! time, and refuses what a real server refuses where lifeboat depends on it. What it leaves out is
//! said in each file. The real servers of `tests/lab` have the last word.

mod admission;
mod backoff;
mod bench;
mod clock;
mod cluster;
mod controllers;
mod discovery;
mod fault;
mod merge;
mod names;
mod namespaces;
mod paging;
mod policies;
mod programs;
mod receiver;
mod shop;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod velero;
mod web;

pub use admission::{Admission, Asked, Objects};
pub use bench::Flaw;
pub use clock::SimClock;
pub use cluster::{AuditEntry, SimCluster};
pub use fault::{Fault, FaultError, FaultPlan, StuckPod};
pub use names::SimNames;
pub use programs::{Program, Programs};
pub use receiver::SimReceiver;
pub use shop::shop;
pub use store::SimStore;
pub use web::{SimWeb, WebCall};

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use self::fault::Faults;
use self::velero::Bucket;
use super::World;
use super::port::{Cluster, Names, Receiver, Store};
use crate::effect::Records;
use crate::runbook::{DnsEndpoint, KubernetesSite, ReceiverEndpoint, Sites};
use crate::text::DomainName;

/// The field manager that the port's contract names.
const MANAGER: &str = "lifeboat";

/// How long things take in the embedded world, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// One request.
    pub request_ms: u64,
    /// From a new pod to its running containers.
    pub pod_start_ms: u64,
    /// From a pod that is told to stop to one that is gone.
    pub pod_stop_ms: u64,
    /// A Job.
    pub job_ms: u64,
    /// Between two looks of the namespace controller at a namespace that is going.
    pub sweep_ms: u64,
    /// From a new namespace to its default account.
    pub furnish_ms: u64,
    /// From a new definition to its kind.
    pub establish_ms: u64,
    /// From a new admission policy to its first refusal.
    pub policy_ms: u64,
    /// From the first refusal of a workload's pods to the next try of its controller; each wait is twice the one
    /// before.
    pub try_again_ms: u64,
    /// The longest of these waits.
    pub try_again_max_ms: u64,
}

impl Default for Pace {
    /// Like a small, idle, near cluster, with images already pulled: fast enough for a demonstration,
    /// slow enough that every wait really waits.
    fn default() -> Self {
        Self {
            request_ms: 1,
            pod_start_ms: 300,
            pod_stop_ms: 100,
            job_ms: 500,
            sweep_ms: 200,
            furnish_ms: 10,
            establish_ms: 50,
            policy_ms: 150,
            // Of these two no cluster is faster: they are constants of Kubernetes.
            try_again_ms: 5,
            try_again_max_ms: 1_000_000,
        }
    }
}

impl Pace {
    #[expect(
        clippy::disallowed_methods,
        reason = "the embedded world is an adapter: a request takes its time"
    )]
    async fn request(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(self.request_ms)).await;
    }
}

/// Embedded clusters, stores, DNS servers and receivers with one clock and one script of faults.
#[derive(Clone, Debug)]
pub struct Embedded {
    clusters: BTreeMap<String, SimCluster>,
    stores: BTreeMap<String, SimStore>,
    names: BTreeMap<String, SimNames>,
    receivers: BTreeMap<String, SimReceiver>,
    clock: SimClock,
    pace: Pace,
    faults: Faults,
    calls: web::Calls,
    bucket: Bucket,
}

impl Embedded {
    /// An empty world whose clock shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            clusters: BTreeMap::new(),
            stores: BTreeMap::new(),
            names: BTreeMap::new(),
            receivers: BTreeMap::new(),
            clock: SimClock::starting_at(start),
            pace: Pace::default(),
            faults: Faults::default(),
            calls: web::Calls::default(),
            bucket: Bucket::default(),
        }
    }

    /// The embedded clusters, DNS servers and receivers of an inventory, and all of its stores in memory.
    pub fn of(sites: &Sites, start: Timestamp) -> Self {
        let embedded = sites
            .sites
            .iter()
            .filter(|(_, site)| matches!(site.kubernetes, KubernetesSite::Embedded { .. }));
        let world = embedded.fold(Self::starting_at(start), |world, (name, _)| world.with_site(name));
        let world = sites
            .stores
            .keys()
            .fold(world, |world, name| world.with_store(name));
        let world = sites
            .dns
            .iter()
            .fold(world, |world, (name, server)| match &server.endpoint {
                DnsEndpoint::Embedded(records) => world.with_names(name, &server.zones, records.clone()),
                DnsEndpoint::Rfc2136(_) => world,
            });
        let receivers = sites.notify.iter();
        receivers
            .filter(|(_, receiver)| receiver.endpoint == ReceiverEndpoint::Embedded)
            .fold(world, |world, (name, _)| world.with_receiver(name))
    }

    /// Adds an empty cluster.
    #[must_use]
    pub fn with_site(mut self, name: &str) -> Self {
        let (faults, bucket) = (self.faults.clone(), self.bucket.clone());
        let cluster = SimCluster::new(name, self.clock, self.pace, faults, bucket);
        self.clusters.insert(name.to_owned(), cluster);
        self
    }

    /// Adds an empty store.
    #[must_use]
    pub fn with_store(mut self, name: &str) -> Self {
        let store = SimStore::new(name, self.clock, self.pace, self.faults.clone());
        self.stores.insert(name.to_owned(), store);
        self
    }

    /// Adds a DNS server, the primary of some zones.
    #[must_use]
    pub fn with_names(
        mut self,
        name: &str,
        zones: &[DomainName],
        records: BTreeMap<DomainName, Records>,
    ) -> Self {
        let server = SimNames::new(name, zones, records, self.pace, self.faults.clone());
        self.names.insert(name.to_owned(), server);
        self
    }

    /// Adds a receiver.
    #[must_use]
    pub fn with_receiver(mut self, name: &str) -> Self {
        let receiver = SimReceiver::new(name, self.pace, self.faults.clone());
        self.receivers.insert(name.to_owned(), receiver);
        self
    }

    /// An equal world that goes its own way from here: what happens in one is not seen in the other. It has
    /// no faults and its stores have no flaws.
    #[must_use]
    pub fn fork(&self) -> Self {
        let faults = Faults::default();
        let bucket = self.bucket.fork();
        let clusters = self.clusters.iter();
        let stores = self.stores.iter();
        let names = self.names.iter();
        let receivers = self.receivers.iter();
        Self {
            clusters: clusters
                .map(|(name, one)| (name.clone(), one.fork(faults.clone(), bucket.clone())))
                .collect(),
            stores: stores
                .map(|(name, one)| (name.clone(), one.fork(faults.clone())))
                .collect(),
            names: names
                .map(|(name, one)| (name.clone(), one.fork(faults.clone())))
                .collect(),
            receivers: receivers
                .map(|(name, one)| (name.clone(), one.fork(faults.clone())))
                .collect(),
            clock: self.clock,
            pace: self.pace,
            faults,
            calls: self.calls.fork(),
            bucket,
        }
    }

    /// Scripts what goes wrong from now on.
    pub fn script(&self, faults: FaultPlan) {
        self.faults.set(faults);
    }

    /// A cluster.
    pub fn cluster(&self, site: &str) -> Option<&SimCluster> {
        self.clusters.get(site)
    }

    /// A store.
    pub fn store(&self, name: &str) -> Option<&SimStore> {
        self.stores.get(name)
    }

    /// A DNS server.
    pub fn names(&self, name: &str) -> Option<&SimNames> {
        self.names.get(name)
    }

    /// A receiver.
    pub fn receiver(&self, name: &str) -> Option<&SimReceiver> {
        self.receivers.get(name)
    }

    /// Its network.
    pub fn web(&self) -> SimWeb {
        SimWeb::new(
            self.clusters.clone(),
            self.pace,
            self.faults.clone(),
            self.calls.clone(),
        )
    }

    /// Every request that may change something and has reached its network, in order.
    pub fn calls(&self) -> Vec<WebCall> {
        self.calls.all()
    }

    /// Its clock.
    pub const fn clock(&self) -> SimClock {
        self.clock
    }

    /// The ports of this world in the hands of an actor. Whoever mixes worlds puts the ports together
    /// by hand instead.
    pub fn world(&self) -> World {
        let clock = self.clock;
        World {
            clusters: shared(&self.clusters, |cluster| Arc::new(cluster) as Arc<dyn Cluster>),
            stores: shared(&self.stores, |store| Arc::new(store) as Arc<dyn Store>),
            names: shared(&self.names, |names| Arc::new(names) as Arc<dyn Names>),
            receivers: shared(&self.receivers, |receiver| {
                Arc::new(receiver) as Arc<dyn Receiver>
            }),
            web: Arc::new(self.web()),
            now: Arc::new(move || clock.now()),
        }
    }
}

fn shared<T: Clone, P: ?Sized>(
    all: &BTreeMap<String, T>,
    port: impl Fn(T) -> Arc<P>,
) -> BTreeMap<String, Arc<P>> {
    all.iter()
        .map(|(name, one)| (name.clone(), port(one.clone())))
        .collect()
}
