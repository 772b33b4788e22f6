//! Performs [`Apply`].

use super::World;
use super::marks::{has_key, made, stamp_key, text};
use crate::effect::{Apply, Attempt, Receipt, WorldError};
use crate::objects::Roster;

impl World {
    pub(super) async fn apply(&self, effect: &Apply, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let id = effect.id();
        let kind = site.kind(&id).await?;
        let before = site.cluster.get(&kind, id.namespace.as_deref(), &id.name).await?;
        // Made by an earlier attempt whose reply was lost counts as made.
        let ours = before.as_ref().is_none_or(|object| has_key(object, attempt));
        let mut object = effect.object.clone();
        if ours {
            stamp_key(&mut object, attempt);
        }
        let applied = site.cluster.apply(&kind, &object, effect.force).await?;
        let version = |object| text(object, "/metadata/resourceVersion");
        let same = before.as_ref().map(version) == Some(version(&applied.object));
        let done = match (applied.created || ours, same) {
            (true, _) => "created",
            (false, true) => "was already so",
            (false, false) => "changed",
        };
        Ok(Receipt {
            summary: format!("{id} {done}"),
            created: if applied.created || ours {
                made(&applied.object).into_iter().collect()
            } else {
                Roster::default()
            },
            ..Receipt::default()
        })
    }
}
