//! Sites that refuse older epochs, as those with a fence do: whoever changes something there does it as the account of
//! an epoch, and a newer one ends it, however late what was sent arrives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use super::chronicle::Happening;
use super::mutant::Mutant;
use super::weather::Sort;
use super::wire::Plug;
use crate::effect::{ErrorKind, WorldError};
use crate::run::{Claim, Fence};

/// Sites that both are fenced, or none is.
pub(super) const SITES: [&str; 2] = ["east", "west"];

/// A process asks so often: one lost packet is not a fence that cannot be raised.
const TRIES: usize = 3;

/// What the sites know. Clones are the same sites.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard(Arc<Mutex<BTreeMap<String, u64>>>);

impl Guard {
    /// Lets in who acts for the newest epoch that the site knows.
    pub(super) fn lets_in(&self, site: &str, epoch: u64) -> Result<(), WorldError> {
        let newest = self.0.lock().unwrap().get(site).copied().unwrap_or(0);
        if epoch >= newest {
            return Ok(());
        }
        let message = format!("epoch {epoch} is over: the site is at epoch {newest}");
        Err(WorldError::new(ErrorKind::Overtaken, site, message))
    }

    fn raise(&self, site: &str, epoch: u64) -> Result<(), WorldError> {
        self.lets_in(site, epoch)?;
        self.0.lock().unwrap().insert(site.to_owned(), epoch);
        Ok(())
    }
}

/// As whom a process acts: nobody, until it has an epoch.
#[derive(Clone, Debug)]
pub(super) struct Badge {
    pub(super) guard: Guard,
    pub(super) epoch: Arc<AtomicU64>,
}

impl Badge {
    pub(super) fn of(guard: &Guard) -> Self {
        Self {
            guard: guard.clone(),
            epoch: Arc::default(),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }
}

/// One process's way of telling the sites.
pub(super) struct Raising {
    pub(super) plug: Plug,
    pub(super) badge: Badge,
    pub(super) mutant: Option<Mutant>,
}

impl Raising {
    async fn tell(&self, site: &'static str, epoch: u64) -> Result<(), WorldError> {
        let mut last = None;
        for _ in 0..TRIES {
            let (guard, plug) = (self.badge.guard.clone(), self.plug.clone());
            let arriving = async move {
                guard.raise(site, epoch)?;
                let raised = Happening::Raised {
                    site: site.to_owned(),
                    epoch,
                };
                plug.chronicle.write(&plug.who, raised);
                Ok(())
            };
            match self.plug.send(site, Sort::Change, arriving).await {
                Err(error) if error.kind != ErrorKind::Overtaken => last = Some(error),
                answer => return answer,
            }
        }
        Err(last.unwrap_or_else(|| WorldError::new(ErrorKind::Busy, site, "nobody was asked")))
    }
}

impl Fence for Raising {
    fn raise<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<BTreeMap<String, String>, WorldError>> {
        Box::pin(async move {
            let mut stands = BTreeMap::new();
            for site in SITES {
                if self.mutant != Some(Mutant::FenceNotRaised) {
                    self.tell(site, claim.epoch).await?;
                }
                stands.insert(site.to_owned(), "enforced".to_owned());
            }
            self.badge.epoch.store(claim.epoch, Ordering::Relaxed);
            Ok(stands)
        })
    }
}
