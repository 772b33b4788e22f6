//! A world whose sites are fenced: when one of them says that our epoch is over, so does every effect.
//!
//! ## Why
//!
//! A restore goes on past objects that fail, and a wait past trouble that passes; what they then say hides the reason.
//! The driver has to hear it, whatever the effect made of it.

use futures::future::BoxFuture;

use super::Fences;
use crate::effect::{Actor, Attempt, Effect, Observer, Query, Receipt, Resolution, Seen, WorldError};
use crate::world::World;

/// A world and its fences.
pub struct FencedWorld {
    /// Its clusters are those that [`Fences::around`] gave back.
    pub world: World,
    /// The fences.
    pub fences: Fences,
}

impl FencedWorld {
    fn unless_over<T>(&self, done: Result<T, WorldError>) -> Result<T, WorldError> {
        match self.fences.over() {
            Some(over) => Err(over),
            None => done,
        }
    }
}

impl Observer for FencedWorld {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        self.world.read(query)
    }
}

impl Actor for FencedWorld {
    fn perform<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        Box::pin(async move { self.unless_over(self.world.perform(effect, attempt).await) })
    }

    fn resolve<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        Box::pin(async move { self.unless_over(self.world.resolve(effect, attempt).await) })
    }
}
