//! Performs [`OpenSandbox`]. Its counterpart is in [`super::teardown`].

use serde_json::Value;

use super::World;
use super::marks::{has_run, label, made, stamp_key, stamp_run};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, OpenSandbox, Receipt, Resolution, Sandbox, WorldError};
use crate::objects::{DRILL_LABEL, ObjectId, Roster, WALL_NAME, drill_namespace, wall};

impl World {
    pub(super) async fn open_sandbox(
        &self,
        effect: &OpenSandbox,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let sandbox = &effect.sandbox;
        let site = self.site(&sandbox.site)?;
        for namespace in sandbox.namespaces.values() {
            refuse_foreign(&site, sandbox, namespace, attempt).await?;
        }
        let mut created = Roster::default();
        for namespace in sandbox.namespaces.values() {
            for mut object in objects(sandbox, namespace) {
                stamp_run(&mut object, attempt);
                stamp_key(&mut object, attempt);
                let there = ensure(&site, &object, attempt).await?;
                created.extend(made(&there));
            }
        }
        Ok(opened(sandbox, created))
    }

    pub(super) async fn resolve_sandbox(
        &self,
        effect: &OpenSandbox,
        attempt: &Attempt,
    ) -> Result<Resolution, WorldError> {
        let site = self.site(&effect.sandbox.site)?;
        let mut created = Roster::default();
        for namespace in effect.sandbox.namespaces.values() {
            for object in objects(&effect.sandbox, namespace) {
                let Some(id) = ObjectId::of(&object) else { continue };
                match site.get(&id).await? {
                    Some(found) if has_run(&found, attempt) => created.extend(made(&found)),
                    _ => return Ok(Resolution::NotDone),
                }
            }
        }
        Ok(Resolution::Done(Box::new(opened(&effect.sandbox, created))))
    }
}

/// A namespace and its wall, in this order: the wall stands before anything else comes in.
fn objects(sandbox: &Sandbox, namespace: &str) -> [Value; 2] {
    [
        drill_namespace(namespace, &sandbox.id),
        wall(namespace, &sandbox.id),
    ]
}

fn opened(sandbox: &Sandbox, created: Roster) -> Receipt {
    let names: Vec<&str> = sandbox.namespaces.values().map(String::as_str).collect();
    Receipt {
        summary: format!("{} made, each with NetworkPolicy {WALL_NAME}", names.join(", ")),
        created,
        ..Receipt::default()
    }
}

/// A namespace of that name that this run did not make is somebody else's.
async fn refuse_foreign(
    site: &Site<'_>,
    sandbox: &Sandbox,
    namespace: &str,
    attempt: &Attempt,
) -> Result<(), WorldError> {
    match site.get(&ObjectId::namespace(namespace)).await? {
        Some(found) if !has_run(&found, attempt) || label(&found, DRILL_LABEL) != Some(&sandbox.id) => {
            let message = format!("namespace {namespace} is there and was not made by this run");
            Err(site
                .error(ErrorKind::Rejected, message)
                .hint("start the drill again: it gets another id and other namespaces"))
        }
        _ => Ok(()),
    }
}

/// Creates, or finds what an earlier attempt of this run created.
async fn ensure(site: &Site<'_>, object: &Value, attempt: &Attempt) -> Result<Value, WorldError> {
    let id = ObjectId::of(object).unwrap_or_else(|| ObjectId::namespace(""));
    let kind = site.kind(&id).await?;
    match site.get(&id).await? {
        None => site.cluster.create(&kind, object).await,
        Some(found) if has_run(&found, attempt) => Ok(found),
        Some(_) => {
            let message = format!("{id} is there and was not made by this run");
            Err(site.error(ErrorKind::Rejected, message))
        }
    }
}
