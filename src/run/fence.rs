//! What has to know a run's epoch before the run does anything. What that means at a site is not known here.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::Claim;
use crate::effect::WorldError;

/// Has sites refuse every older epoch.
pub trait Fence: Send + Sync {
    /// When this returns, no older epoch can change anything at the sites where that can be had at all. Site → how it
    /// stands there, for people.
    fn raise<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<BTreeMap<String, String>, WorldError>>;
}
