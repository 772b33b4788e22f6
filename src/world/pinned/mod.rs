//! Sites and stores that have to prove who they are before anything else is asked of them.
//!
//! ## Why
//!
//! - **At the port, not at the command.** A site that does not answer when a run begins may answer later, as
//!   somebody else. So whoever holds a pinned cluster or store cannot send it anything before it has proved
//!   itself, whatever the command; also nothing that reads: a backup of the wrong cluster is a wrong backup.
//! - **Once per process.** A process reads its kubeconfig once, and a connection is bound to the authority by
//!   TLS; what answers at the address after that was vouched for by the same authority.
//! - **A cluster is its namespace `kube-system`**: its uid is made with the cluster and nobody can set it. A
//!   server that lies about it needs a certificate of a pinned authority. Not told apart: a cluster whose etcd
//!   was put back from another one's snapshot, and its original.
//! - **A store has no identity of its own**; an address and a bucket's name say where, not who. So one object
//!   with a random id is created in it, once. An emptied store, one made anew, and another one do not have it.
//!   Not told apart: a store and its replica or copy, which hold the same object.

mod store;
#[cfg(test)]
mod tests;

pub use store::{IDENTITY_KEY, StoreIdentity, pin_store, read_identity};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gate::{Ask, Gate, Gated};
use super::port::{Answer, Cluster, Store};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::{Pins, SitePin};

/// Said of a server that nobody vouches for: it cannot be pinned.
pub const UNVERIFIED: &str = "unverified";

/// The cluster called `name`, if it is the one that is pinned; as it is, where none is.
pub fn site(name: &str, cluster: Arc<dyn Cluster>, pins: &Pins) -> Arc<dyn Cluster> {
    match pins.sites.get(name) {
        Some(pin) => Arc::new(Gated(PinnedSite {
            name: name.to_owned(),
            inner: cluster,
            pin: pin.clone(),
            pins: pins.clone(),
            proved: AtomicBool::new(false),
        })),
        None => cluster,
    }
}

/// The store called `name`, if it is the one that is pinned; as it is, where none is.
pub fn store(name: &str, store: Arc<dyn Store>, pins: &Pins) -> Arc<dyn Store> {
    match pins.stores.get(name) {
        Some(pin) => Arc::new(store::PinnedStore::new(name, store, pin, pins)),
        None => store,
    }
}

struct PinnedSite {
    name: String,
    inner: Arc<dyn Cluster>,
    pin: SitePin,
    /// To say whose identity it is that was found.
    pins: Pins,
    proved: AtomicBool,
}

impl Gate for PinnedSite {
    fn open(&self, _: Ask) -> Answer<'_, Arc<dyn Cluster>> {
        Box::pin(async move {
            // Several may look at once: that costs requests, and waiting for each other would cost time.
            if !self.proved.load(Ordering::Acquire) {
                self.compare().await?;
                self.proved.store(true, Ordering::Release);
            }
            Ok(self.inner.clone())
        })
    }

    fn authorities(&self) -> Vec<String> {
        self.inner.authorities()
    }
}

impl PinnedSite {
    async fn compare(&self) -> Result<(), WorldError> {
        // Before anything is sent: a token must not go to a server that a stranger vouches for.
        let strange = |one: &&String| !self.pin.authorities.contains(one);
        if let Some(found) = self.inner.authorities().iter().find(strange) {
            let message = format!(
                "its kubeconfig trusts an authority that is not pinned: expected {}, found {found}",
                self.pin.authorities.join(" or "),
            );
            let other = self
                .pins
                .sites
                .iter()
                .find(|(_, pin)| pin.authorities.contains(found));
            return Err(stranger(
                &self.name,
                message,
                other.map(|(name, _)| name.as_str()),
            ));
        }
        let seen = self.inner.identity().await?;
        if seen.uid == self.pin.uid {
            return Ok(());
        }
        let message = format!(
            "it is not the cluster that is pinned: expected kube-system uid {}, found {} at {}",
            self.pin.uid, seen.uid, seen.server
        );
        let other = self.pins.sites.iter().find(|(_, pin)| pin.uid == seen.uid);
        Err(stranger(
            &self.name,
            message,
            other.map(|(name, _)| name.as_str()),
        ))
    }
}

/// What is said of somebody else in the place of `name`.
fn stranger(name: &str, message: String, other: Option<&str>) -> WorldError {
    let error = WorldError::new(ErrorKind::WrongIdentity, name, message);
    let error = match other {
        Some(other) => error.hint(format!(
            "that is {other} by its pin: the ways to {name} and {other} are mixed up in the inventory or the kubeconfig"
        )),
        None => error.hint(format!("see where the inventory's way to {name} leads, and mend it")),
    };
    error.hint(format!(
        "if {name} was made anew on purpose: lifeboat sites pin {name} --repin --reason \"…\""
    ))
}
