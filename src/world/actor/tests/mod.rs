//! The actor against the embedded world, under paused time.

mod backups;
mod calls;
mod capacity;
mod changes;
mod commands;
mod compares;
mod crowd;
mod crowd_mutants;
mod destructive;
mod effects;
mod foresight;
#[cfg(feature = "kube")]
mod foresight_live;
mod holds;
mod keeper;
mod kit;
#[cfg(feature = "kube")]
mod live;
#[cfg(feature = "kube")]
mod live_partly;
mod locks;
mod names;
mod outside;
mod outside_changed;
mod partly;
mod recovery;
mod restores;
mod sandbox;
mod selecting;
mod sql;
#[cfg(unix)]
mod sql_real;
mod stores;
mod tells;
mod traffic;
mod traffic_back;
mod velero;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::World;
use crate::effect::{
    Actor as _, Attempt, Effect, ErrorKind, Observer as _, Query, Receipt, Records, Resolution, Sandbox,
    Seen, WorldError,
};
use crate::objects::{ApiKind, ObjectId, builtin};
use crate::text::DomainName;
use crate::world::sim::{Embedded, Fault, FaultError, FaultPlan, SimCluster, SimStore, shop};

/// Two sites, two stores, the shop on `east`, and what the actor said meanwhile.
struct Stage {
    embedded: Embedded,
    world: World,
    said: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    fn new() -> Self {
        let start = "2026-11-22T22:00:00Z".parse().expect("a timestamp");
        let embedded = Embedded::starting_at(start)
            .with_site("east")
            .with_site("west")
            .with_store("vault")
            .with_store("attic")
            .with_names("corp", &["acme.example".parse().expect("a zone")], records())
            .with_receiver("on-call");
        let world = embedded.world();
        let stage = Self {
            embedded,
            world,
            said: Arc::default(),
        };
        stage.east().seed(&shop()).expect("the shop is accepted");
        stage
    }

    fn east(&self) -> &SimCluster {
        self.embedded.cluster("east").expect("east")
    }

    fn west(&self) -> &SimCluster {
        self.embedded.cluster("west").expect("west")
    }

    fn store(&self, name: &str) -> &SimStore {
        self.embedded.store(name).expect("a store")
    }

    /// An attempt of the only effect of a step in run `shop-d-4k2`.
    fn attempt(&self, step: &str) -> Attempt {
        let said = self.said.clone();
        Attempt {
            run: "shop-d-4k2".into(),
            step: step.into(),
            effect: 0,
            number: 1,
            key: format!("shop-d-4k2/{step}/0"),
            progress: Arc::new(move |text| said.lock().expect("not poisoned").push(text)),
        }
    }

    async fn perform(&self, step: &str, effect: impl Into<Effect>) -> Result<Receipt, WorldError> {
        self.world.perform(&effect.into(), &self.attempt(step)).await
    }

    async fn done(&self, step: &str, effect: impl Into<Effect>) -> Receipt {
        self.perform(step, effect).await.expect("performed")
    }

    async fn resolve(&self, step: &str, effect: impl Into<Effect>) -> Resolution {
        let effect = effect.into();
        self.world
            .resolve(&effect, &self.attempt(step))
            .await
            .expect("resolved")
    }

    async fn read(&self, query: Query) -> Seen {
        self.world.read(&query).await.expect("answered")
    }

    /// What was said since this was asked last.
    fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().expect("not poisoned"))
    }

    fn fails(&self, faults: Vec<Fault>) {
        self.embedded.script(FaultPlan {
            faults,
            ..FaultPlan::default()
        });
    }
}

/// Where the shop's customers go.
fn records() -> BTreeMap<DomainName, Records> {
    let address = "192.0.2.10".parse().expect("an address");
    let name = "shop.acme.example".parse().expect("a name");
    BTreeMap::from([(name, Records::addresses(&[address], 300))])
}

fn fault(place: &str, verb: &str, what: &str, nth: u32, error: FaultError) -> Fault {
    Fault {
        place: place.into(),
        verb: verb.into(),
        what: Some(what.into()),
        nth,
        times: 1,
        error,
    }
}

fn kind(name: &str) -> ApiKind {
    builtin(name).expect("a built-in kind")
}

fn id(kind_name: &str, namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        api_version: kind(kind_name).api_version(),
        kind: kind_name.into(),
        namespace: Some(namespace.into()),
        name: name.into(),
    }
}

fn sandbox() -> Sandbox {
    Sandbox {
        id: "4k2".into(),
        site: "west".into(),
        namespaces: [("shop".to_owned(), "shop-drill-4k2".to_owned())].into(),
    }
}

fn refused(result: Result<Receipt, WorldError>) -> (ErrorKind, String) {
    let error = result.expect_err("refused");
    (error.kind, error.message)
}

#[expect(clippy::disallowed_methods, reason = "a test lets simulated time pass")]
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Runs `work` and, after some simulated time, `meanwhile`.
async fn while_waiting<T>(work: impl Future<Output = T>, ms: u64, meanwhile: impl FnOnce()) -> T {
    let later = async {
        pass(ms).await;
        meanwhile();
    };
    tokio::join!(work, later).0
}
