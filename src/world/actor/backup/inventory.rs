//! What a backup would read, counted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::choose::choose;
use super::collect::look;
use super::sieve::Sink;
use crate::effect::{Counts, Seen, Selection, WorldError};
use crate::objects::{ApiKind, left_out_of_restore, names_veleros_hook};
use crate::world::actor::World;

/// Counts what a restore would make again. What controllers make by themselves comes and goes, and
/// would make a plan stale for no reason.
#[derive(Default)]
struct Count {
    counts: Counts,
    /// Namespaces with pods that name hooks for Velero. Not how many: pods come and go.
    hooked: BTreeSet<String>,
}

impl Sink for Count {
    fn take(&mut self, kind: &ApiKind, object: Value) -> Result<(), WorldError> {
        self.hooked.extend(names_veleros_hook(&object).map(str::to_owned));
        if left_out_of_restore(&object).is_none() {
            self.counts.count += 1;
            *self.counts.of.entry(kind.resource()).or_default() += 1;
        }
        Ok(())
    }
}

impl World {
    pub(in crate::world::actor) async fn see_inventory(
        &self,
        site: &str,
        selection: &Selection,
    ) -> Result<Seen, WorldError> {
        let Count { mut counts, hooked } = look(&self.site(site)?, selection, Count::default()).await?;
        counts.notes.extend(hooked.iter().map(|namespace| {
            format!("pods in {namespace} name hooks for Velero, which lifeboat does not run")
        }));
        Ok(Seen::Counts(counts))
    }

    pub(in crate::world::actor) async fn see_chosen(
        &self,
        site: &str,
        selection: &Selection,
    ) -> Result<Seen, WorldError> {
        let chosen = choose(&self.site(site)?, selection).await?;
        Ok(Seen::Namespaces(chosen.namespaces))
    }
}
