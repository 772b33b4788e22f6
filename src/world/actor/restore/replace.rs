//! Changes an object that is there, and where the server does not take the change, deletes it and makes
//! it again.
//!
//! ## Why
//!
//! - In place first, although to replace was allowed: an object that is only changed keeps its uid, its
//!   pods and whatever refers to it.
//! - Before anything is deleted the server is asked whether it would take the object as a new one. An
//!   object that is refused for another reason would be lost.
//! - Only an object that the plan showed is deleted: one that somebody made since under the same name is
//!   not what anybody said yes to.
//! - Deleted is the very object that was just looked at, by uid and resource version. After a crash
//!   between the two halves the object is not there, and the next attempt makes it.

use serde_json::Value;

use super::make::{Maker, Outcome, Trouble, outcome};
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{ApiKind, ObjectId};
use crate::world::actor::marks::{is_going, made, text, uid};
use crate::world::actor::pace::{Look, until};

/// Whether an object of this kind may be deleted to make it again. A claim takes its data along; what is
/// cluster-scoped may take others along (a definition all its objects, a namespace everything).
pub(super) fn is_replaceable(object: &Value) -> bool {
    let namespaced = !text(object, "/metadata/namespace").is_empty();
    namespaced && text(object, "/kind") != "PersistentVolumeClaim"
}

impl Maker<'_> {
    pub(super) async fn replace(&self, id: &ObjectId, object: Value) -> Result<Outcome, Trouble> {
        let kind = self.site.kind(id).await.map_err(|error| ("discover", error))?;
        let refused = match self.site.cluster.apply(&kind, &object, true).await {
            Ok(applied) => return Ok(outcome(&applied)),
            Err(error) if error.kind == ErrorKind::Rejected => error,
            Err(error) => return Err(("apply", error)),
        };
        let stamped = self.stamped(object);
        if let Err(error) = self.site.cluster.check_create(&kind, &stamped).await {
            tracing::debug!(%error, "it would not be taken as new either");
            return Err(("apply", refused));
        }
        (self.attempt.progress)(format!("{id} cannot be changed in place, and is made again"));
        let deleted = self
            .delete_old(&kind, id)
            .await
            .map_err(|error| ("delete", error))?;
        let created = self.site.cluster.create(&kind, &stamped).await;
        let created = created.map_err(|mut error| {
            error.message = format!("it was deleted and is not made again yet: {}", error.message);
            ("create", error)
        })?;
        Ok(match (deleted, made(&created)) {
            (Some(old), Some(new)) => Outcome::Replaced(Box::new((old, new))),
            (_, new) => Outcome::Created(new),
        })
    }

    async fn delete_old(
        &self,
        kind: &ApiKind,
        id: &ObjectId,
    ) -> Result<Option<crate::objects::Made>, WorldError> {
        let namespace = id.namespace.as_deref();
        let Some(live) = self.site.cluster.get(kind, namespace, &id.name).await? else {
            return Ok(None);
        };
        let (old, version) = (uid(&live).to_owned(), text(&live, "/metadata/resourceVersion"));
        if !self.effect.may_replace(&old) {
            let message = "it cannot be changed in place, and the plan showed another object under this name";
            let error = self.site.error(ErrorKind::Rejected, message);
            return Err(error.hint("look at it and make a new plan, or delete it yourself"));
        }
        if !is_going(&live) {
            let cluster = self.site.cluster;
            cluster
                .delete_unchanged(kind, namespace, &id.name, &old, version)
                .await?;
        }
        until(self.attempt, || {
            let old = &old;
            Box::pin(async move {
                let found = self.site.cluster.get(kind, namespace, &id.name).await?;
                Ok(match found.filter(|object| uid(object) == old) {
                    Some(_) => Look::Waiting(format!("{id} was deleted and is not gone yet")),
                    None => Look::Done(()),
                })
            })
        })
        .await?;
        Ok(made(&live))
    }
}
