//! The fence of epochs at a Kubernetes site: the API server itself refuses whoever acts for an older epoch.
//!
//! The identity carries the epoch: a run acts as the service account `lifeboat.<group>.<epoch>`, and one
//! `ValidatingAdmissionPolicy` compares that number with the group's, which stands in it. So it holds for every verb, deletes,
//! `scale` and `exec` included, which carry no annotation; and there is no webhook that could be down.
//!
//! It does not keep out whoever has the inventory's own credential: that one makes the accounts. Nor does it judge
//! changes of admission policies themselves, which an API server exempts.
//!
//! ## Why
//!
//! - **Only runs that hold an epoch act as one.** Drills and `protect` raise none and act as the inventory says.
//! - **A site without a fence is as it was**: the fence is then advisory, and that is said.
//! - **A site that is silent keeps nobody from the others.** Its fence is raised before its first request.

mod actor;
mod epochs;
mod install;
mod names;
mod objects;
mod place;
mod proof;
mod raise;
mod site;
mod standing;
#[cfg(test)]
mod tests;

pub use actor::FencedWorld;
pub use epochs::{Holder, Known};
pub use install::{groups, install, manifests, titles, uninstall};
pub use names::NAMESPACE;
pub use standing::Standing;

#[cfg(test)]
pub(super) mod testing {
    //! What the fence's own tests and those against a real server share, and what the latter need of its insides.

    #[cfg(feature = "kube")]
    pub(in crate::world) use super::names::{NAMESPACE, OVER, account};
    #[cfg(feature = "kube")]
    pub(in crate::world) use super::objects::role_binding;

    use crate::run::{Claim, Operator, RunId};

    /// An epoch of a group, held by Anna.
    pub(in crate::world) fn claim(group: &str, epoch: u64) -> Claim {
        Claim {
            epoch,
            nonce: format!("nonce-{group}-{epoch}"),
            run: RunId(format!("{group}-f-{epoch}")),
            plan: serde_json::from_value("0".repeat(64).into()).unwrap(),
            group: group.to_owned(),
            operator: Operator {
                name: "anna".into(),
                host: "desk".into(),
                pid: 7,
            },
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use self::site::{FencedSite, Over, Post};
use super::gate::Gated;
use super::port::Cluster;
use crate::effect::{ErrorKind, WorldError};
use crate::run::{Claim, Fence};

/// The fences of all sites of a world.
#[derive(Clone, Default)]
pub struct Fences {
    sites: BTreeMap<String, Arc<FencedSite>>,
    over: Over,
}

impl Fences {
    /// The cluster called `name`, whose requests go through its fence from now on.
    pub fn around(&mut self, name: &str, cluster: Arc<dyn Cluster>) -> Arc<dyn Cluster> {
        let site = Arc::new(FencedSite::new(name, cluster, self.over.clone()));
        self.sites.insert(name.to_owned(), site.clone());
        Arc::new(Gated(Post(site)))
    }

    /// Sites that have an API server.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.sites.keys().map(String::as_str)
    }

    /// A site in the hands of whoever the inventory says, whatever its fence.
    pub fn base(&self, site: &str) -> Option<Arc<dyn Cluster>> {
        self.sites.get(site).map(|site| site.base.clone())
    }

    /// How fences stand for a group, by a trial at each of these sites.
    pub async fn standing<'a>(
        &self,
        sites: impl IntoIterator<Item = &'a str>,
        group: Option<&str>,
    ) -> BTreeMap<String, Standing> {
        let sites = sites.into_iter().filter_map(|name| self.sites.get(name));
        let looks = sites.map(|site| async move { (site.name.clone(), site.standing(group).await) });
        join_all(looks).await.into_iter().collect()
    }

    /// Whether a site's own identity, by the inventory, may do what accounts of epochs may.
    ///
    /// # Errors
    ///
    /// The server's.
    pub async fn is_decoration(&self, site: &str) -> Result<bool, WorldError> {
        match self.sites.get(site) {
            Some(site) => site.is_decoration().await,
            None => Ok(false),
        }
    }

    /// What raises the fences of these sites when a run holds its epoch. Those in `silent` did not answer before
    /// and are not waited for: theirs are raised before their first request.
    pub fn raising<'a>(
        &self,
        sites: impl IntoIterator<Item = &'a str>,
        silent: impl Fn(&str) -> bool,
    ) -> Arc<dyn Fence> {
        let sites = sites.into_iter().filter_map(|name| self.sites.get(name));
        Arc::new(Raising(
            sites.map(|site| (site.clone(), silent(&site.name))).collect(),
        ))
    }

    /// Why nothing more may be done, if some site has refused us for good.
    fn over(&self) -> Option<WorldError> {
        self.over.get().cloned()
    }
}

struct Raising(Vec<(Arc<FencedSite>, bool)>);

impl Fence for Raising {
    fn raise<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<BTreeMap<String, String>, WorldError>> {
        Box::pin(async move {
            for (site, _) in &self.0 {
                site.arm(claim).await;
            }
            let all = self.0.iter().map(|(site, silent)| async move {
                if *silent {
                    return Ok((site.name.clone(), SILENT.to_owned()));
                }
                match site.settle().await {
                    Ok(word) => Ok((site.name.clone(), word)),
                    Err(error) if is_silent(error.kind) => {
                        Ok((site.name.clone(), format!("{SILENT} ({})", error.message)))
                    }
                    Err(error) => Err(error),
                }
            });
            let all = join_all(all).await;
            // Who is overtaken at one site need not hear what is wrong at another.
            let over = all.iter().find_map(|one| match one {
                Err(error) if error.kind == ErrorKind::Overtaken => Some(error.clone()),
                _ => None,
            });
            over.map_or_else(|| all.into_iter().collect(), Err)
        })
    }
}

/// Said of a site that does not answer.
const SILENT: &str = "raised before its first request, for it does not answer now";

/// A site that cannot be talked to is not a fence that cannot be raised: in a disaster one of them is usually gone.
const fn is_silent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unreachable
            | ErrorKind::LostReply
            | ErrorKind::Busy
            | ErrorKind::Unauthenticated
            | ErrorKind::WrongTarget
            | ErrorKind::WrongIdentity
    )
}
