//! Everything about a runbook that can be found without a network.

use super::Kind;
use super::bind::{bind, bind_other_sites};
use crate::runbook::{Loaded, swapped};

/// The names of step kinds.
pub fn kind_names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name).collect()
}

/// Adds what is wrong with the steps to what is wrong with the documents: with the roles as they are
/// today, and as a failback would have them.
#[must_use]
pub fn check(mut loaded: Loaded, kinds: &[Kind]) -> Loaded {
    if let (Some(runbook), Some(sites)) = (&loaded.runbook, &loaded.sites) {
        let inputs = runbook.sample_inputs();
        let today = runbook.sites_by_role();
        let failback = swapped(today.clone());
        let found = bind(runbook, sites, &today, &inputs, kinds).1;
        let more = if failback.keys().eq(today.keys()) {
            bind_other_sites(runbook, sites, &failback, &inputs, kinds)
        } else {
            bind(runbook, sites, &failback, &inputs, kinds).1
        };
        loaded.diagnostics.extend(more);
        loaded.diagnostics.extend(found);
        loaded.diagnostics.settle();
    }
    loaded
}
