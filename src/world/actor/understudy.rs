//! Rehearses effects: asks sites whether they would take what would be sent.
//!
//! ## Why
//!
//! - **It holds nothing that changes or tells**: every cluster, DNS server and receiver is wrapped so that only reading
//!   and asking pass.
//! - **A server judges each object as things are now.** What is made before it by the same restore is not
//!   there, and what is made beside it is not counted: an accepted object may still be refused later, and
//!   a refused one taken. Both are said with the answers.

use futures::future::BoxFuture;
use serde_json::json;

use super::World;
use super::marks::{number, text, uid};
use crate::effect::{
    Apply, Delete, Effect, ErrorKind, Permission, Rehearsal, Rehearsed, Rehearser, Scale, ShiftTraffic,
    SwapRecords, Tell, WorldError, Would,
};
use crate::objects::ObjectId;
use crate::world::dry::{Dry, DryNames, DryReceiver};
use crate::world::port::{Right, Trial};

/// A world that is only asked.
pub struct Understudy(World);

impl Understudy {
    /// Of a world, whose clusters and DNS servers can then not be changed, and whose receivers not be told anything.
    pub fn of(mut world: World) -> Self {
        for cluster in world.clusters.values_mut() {
            *cluster = std::sync::Arc::new(Dry(cluster.clone()));
        }
        for names in world.names.values_mut() {
            *names = std::sync::Arc::new(DryNames(names.clone()));
        }
        for receiver in world.receivers.values_mut() {
            *receiver = std::sync::Arc::new(DryReceiver(receiver.clone()));
        }
        Self(world)
    }
}

impl Rehearser for Understudy {
    fn rehearse<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Rehearsal, WorldError>> {
        Box::pin(async move {
            match effect {
                Effect::RestoreObjects(effect) => Box::pin(self.0.rehearse_restore(effect)).await,
                Effect::Apply(effect) => self.apply(effect).await,
                Effect::Scale(effect) => self.scale(effect).await,
                Effect::Delete(effect) => self.delete(effect).await,
                Effect::ShiftTraffic(effect) => self.shift(effect).await,
                Effect::Tell(effect) => Ok(self.tell(effect).await),
                Effect::ReturnTraffic(_) => Ok(Rehearsal::Not("going back is not asked about".into())),
                Effect::SwapRecords(effect) => self.swap(effect).await,
                Effect::DriveVelero(_) => Ok(Rehearsal::Not(
                    "Velero judges what it is asked only when it takes it up".into(),
                )),
                Effect::Await(_)
                | Effect::Probe(_)
                | Effect::CheckSql(_)
                | Effect::Ask(_)
                | Effect::Pause(_)
                | Effect::CompareObjects(_) => Ok(Rehearsal::Not("it changes nothing".into())),
                Effect::BackupObjects(_) | Effect::CopyPrefix(_) => {
                    Ok(Rehearsal::Not("stores cannot be asked".into()))
                }
                Effect::CallHttp(_) => Ok(Rehearsal::Not(
                    "a request to an address is not asked about".into(),
                )),
                Effect::RunCommand(_) => Ok(Rehearsal::Not("a command is not asked about".into())),
                Effect::RunJob(_) => Ok(Rehearsal::Not("a job is not asked about".into())),
                Effect::HoldNamespaces(_) | Effect::ReleaseNamespaces(_) => {
                    Ok(Rehearsal::Not("whether a hold holds, only holding shows".into()))
                }
                Effect::WakeControllers(_) => Ok(Rehearsal::Not(
                    "whom to wake is seen when the hold is gone".into(),
                )),
                Effect::OpenSandbox(_) | Effect::CloseSandbox(_) => Ok(Rehearsal::Not(
                    "a drill's own namespaces are not asked about".into(),
                )),
            }
        })
    }

    fn may<'a>(&'a self, right: &'a Permission) -> BoxFuture<'a, Result<bool, WorldError>> {
        Box::pin(async move {
            let site = self.0.site(&right.site)?;
            let right = Right {
                verb: &right.verb,
                group: &right.group,
                resource: &right.resource,
                namespace: right.namespace.as_deref(),
            };
            site.cluster.may(&right).await
        })
    }
}

impl Understudy {
    async fn apply(&self, effect: &Apply) -> Result<Rehearsal, WorldError> {
        let site = self.0.site(&effect.site)?;
        let id = effect.id();
        let trial = Trial::Apply {
            object: &effect.object,
            force: effect.force,
        };
        let asked = match site.kind(&id).await {
            Ok(kind) => site.cluster.check_change(&kind, trial).await,
            Err(error) => Err(error),
        };
        one(id, "apply", asked)
    }

    async fn scale(&self, effect: &Scale) -> Result<Rehearsal, WorldError> {
        let site = self.0.site(&effect.site)?;
        let id = effect.id.clone();
        let kind = site.kind(&id).await?;
        let namespace = id.namespace.as_deref();
        let Some(live) = site.cluster.get(&kind, namespace, &id.name).await? else {
            let gone = site.error(ErrorKind::Conflict, format!("there is no {id}"));
            return one(id, "patch scale of", Err(gone));
        };
        if number(&live, "/spec/replicas").unwrap_or(1) == u64::from(effect.to) {
            return Ok(Rehearsal::Not(
                "it has that size already, so nothing is sent".into(),
            ));
        }
        let patch = json!({
            "metadata": { "resourceVersion": text(&live, "/metadata/resourceVersion") },
            "spec": { "replicas": effect.to },
        });
        let trial = Trial::Patch {
            namespace,
            name: &id.name,
            subresource: Some("scale"),
            patch: &patch,
        };
        let asked = site.cluster.check_change(&kind, trial).await;
        one(id.clone(), "patch scale of", asked)
    }

    async fn swap(&self, effect: &SwapRecords) -> Result<Rehearsal, WorldError> {
        let answer = match self.0.would_swap(effect).await {
            // Perhaps an earlier step of the same plan makes what this one begins with.
            Err(error) if error.kind == ErrorKind::Conflict => Would::Unknown(error.message),
            asked => would(asked)?,
        };
        Ok(Rehearsal::Whole {
            answer,
            open: super::dns::OPEN.into(),
        })
    }

    /// As far as one can go without telling anybody.
    async fn tell(&self, effect: &Tell) -> Rehearsal {
        const OPEN: &str = "whether it is taken, only telling shows";
        let (answer, open) = match self.0.would_tell(effect).await {
            Ok(found) => (Would::Accept, format!("{found}; {OPEN}")),
            Err(error) => (Would::Refuse(error.message), OPEN.to_owned()),
        };
        Rehearsal::Whole { answer, open }
    }

    async fn delete(&self, effect: &Delete) -> Result<Rehearsal, WorldError> {
        let site = self.0.site(&effect.site)?;
        let id = effect.id.clone();
        let kind = site.kind(&id).await?;
        let namespace = id.namespace.as_deref();
        let Some(live) = site.cluster.get(&kind, namespace, &id.name).await? else {
            return Ok(Rehearsal::Not("it is not there, so nothing is sent".into()));
        };
        let trial = Trial::Delete {
            namespace,
            name: &id.name,
            uid: uid(&live),
        };
        let asked = site.cluster.check_change(&kind, trial).await;
        one(id.clone(), "delete", asked)
    }

    /// The first change; the others differ in numbers only.
    async fn shift(&self, effect: &ShiftTraffic) -> Result<Rehearsal, WorldError> {
        let site = self.0.site(&effect.site)?;
        let id = effect.id.clone();
        let kind = site.kind(&id).await?;
        let namespace = id.namespace.as_deref();
        let Some(live) = site.cluster.get(&kind, namespace, &id.name).await? else {
            let missing = site.error(ErrorKind::NotFound, format!("there is no {id}"));
            return one(id, "patch", Err(missing));
        };
        let now = effect.switch.read(&live);
        let now = now.map_err(|why| site.error(ErrorKind::Rejected, format!("{id}: {why}")));
        let stages = now.map(|now| effect.switch.stages(&now));
        let asked = match stages.as_ref().map(|stages| stages.first()) {
            Ok(None) => return Ok(Rehearsal::Not("it is so already, so nothing is sent".into())),
            Ok(Some(stage)) => {
                let mut patch = effect.switch.patch(&live, stage);
                let version = text(&live, "/metadata/resourceVersion");
                patch["metadata"] = json!({ "resourceVersion": version });
                let trial = Trial::Patch {
                    namespace,
                    name: &id.name,
                    subresource: None,
                    patch: &patch,
                };
                site.cluster.check_change(&kind, trial).await
            }
            Err(error) => Err(error.clone()),
        };
        one(id.clone(), "patch", asked)
    }
}

fn one(id: ObjectId, request: &str, asked: Result<(), WorldError>) -> Result<Rehearsal, WorldError> {
    let answer = would(asked)?;
    Ok(Rehearsal::Asked(vec![Rehearsed {
        id,
        request: request.to_owned(),
        answer,
    }]))
}

/// What an answer says of the future.
///
/// # Errors
///
/// There was no answer, or we may not ask.
pub(super) fn would(asked: Result<(), WorldError>) -> Result<Would, WorldError> {
    let Err(error) = asked else {
        return Ok(Would::Accept);
    };
    // The API server's own words about a webhook that declares side effects.
    if error.message.contains("does not support dry run") {
        return Ok(Would::Unknown(error.message));
    }
    match error.kind {
        ErrorKind::Rejected | ErrorKind::Conflict | ErrorKind::Forbidden => Ok(Would::Refuse(error.message)),
        // A namespace or a kind that is to be made first.
        ErrorKind::NotFound | ErrorKind::NotYet => Ok(Would::Unknown(error.message)),
        _ => Err(error),
    }
}
