//! What a backup would read, counted.

use serde_json::Value;

use super::collect::look;
use super::sieve::Sink;
use crate::effect::{Counts, Seen, Selection, WorldError};
use crate::objects::{ApiKind, left_out_of_restore};
use crate::world::actor::World;

/// Counts what a restore would make again. What controllers make by themselves comes and goes, and
/// would make a plan stale for no reason.
struct Count(Counts);

impl Sink for Count {
    fn take(&mut self, kind: &ApiKind, object: Value) -> Result<(), WorldError> {
        if left_out_of_restore(&object).is_none() {
            self.0.count += 1;
            *self.0.of.entry(kind.resource()).or_default() += 1;
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
        let Count(counts) = look(&self.site(site)?, selection, Count(Counts::default())).await?;
        Ok(Seen::Counts(counts))
    }
}
