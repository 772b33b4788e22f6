//! Performs [`Delete`].

use serde_json::Value;

use super::World;
use super::marks::{made, text, uid};
use super::pace::{Look, until};
use super::site::Site;
use super::wait::still_there;
use crate::effect::{Attempt, Delete, ErrorKind, Receipt, Resolution, WorldError};
use crate::objects::{ApiKind, ObjectId};

impl World {
    pub(super) async fn delete(&self, effect: &Delete, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let id = &effect.id;
        let Some(object) = site.get(id).await? else {
            if effect.missing_ok {
                return Ok(gone(format!("{id} was not there"), None));
            }
            return Err(site.error(ErrorKind::NotFound, format!("there is no {id}")));
        };
        let kind = site.kind(id).await?;
        delete_as_seen(&site, &kind, id, object.clone()).await?;
        until_gone(&site, &kind, id, uid(&object), attempt).await?;
        Ok(gone(format!("{id} deleted"), Some(&object)))
    }

    /// Gone is done: the plan saw it there.
    pub(super) async fn resolve_delete(&self, effect: &Delete) -> Result<Resolution, WorldError> {
        let site = self.site(&effect.site)?;
        if site.get(&effect.id).await?.is_some() {
            return Ok(Resolution::NotDone);
        }
        let mut receipt = gone(format!("{} is gone", effect.id), None);
        receipt
            .warnings
            .push("the reply was lost: its uid is not known, nor whether this run deleted it".into());
        Ok(Resolution::Done(Box::new(receipt)))
    }
}

fn gone(summary: String, object: Option<&Value>) -> Receipt {
    Receipt {
        summary,
        deleted: object.and_then(made).into_iter().collect(),
        ..Receipt::default()
    }
}

/// How often its status may change between our reading and our request.
const LOOKS: usize = 5;

/// Deletes exactly the object that was seen, as it was seen: a request that arrives late, when somebody has changed
/// the object since, is refused. Controllers change objects all the time, so what is refused is looked at again, as
/// long as it is the same object; nothing was changed by then.
async fn delete_as_seen(
    site: &Site<'_>,
    kind: &ApiKind,
    id: &ObjectId,
    mut seen: Value,
) -> Result<(), WorldError> {
    let namespace = id.namespace.as_deref();
    let own = uid(&seen).to_owned();
    let mut looks = 1;
    loop {
        let version = text(&seen, "/metadata/resourceVersion");
        let sent = site
            .cluster
            .delete_unchanged(kind, namespace, &id.name, &own, version)
            .await;
        let error = match sent {
            Ok(_) => return Ok(()),
            Err(error) if error.kind == ErrorKind::Conflict && looks < LOOKS => error,
            Err(error) => return Err(error),
        };
        looks += 1;
        match site.cluster.get(kind, namespace, &id.name).await? {
            Some(now) if uid(&now) == own => seen = now,
            // Another one of its name is not what was to be deleted.
            Some(_) => return Err(error),
            None => return Ok(()),
        }
    }
}

/// Waits until there is no object of this name, or one with another uid.
async fn until_gone(
    site: &Site<'_>,
    kind: &ApiKind,
    id: &ObjectId,
    old: &str,
    attempt: &Attempt,
) -> Result<(), WorldError> {
    until(attempt, || {
        Box::pin(async move {
            let namespace = id.namespace.as_deref();
            let found = site.cluster.get(kind, namespace, &id.name).await?;
            Ok(match found.filter(|object| uid(object) == old) {
                Some(object) => Look::Waiting(still_there(&object, id)),
                None => Look::Done(()),
            })
        })
    })
    .await
}
