//! Performs [`Await`]. Fails by itself only where waiting is hopeless: a Job that failed.

use serde_json::Value;

use super::World;
use super::marks::{condition, is_going, list, number, text};
use super::pace::{Look, until};
use super::pods::{pods_of, waiting_for};
use super::site::Site;
use crate::effect::{Attempt, Await, Condition, ErrorKind, Receipt, WorldError};
use crate::objects::ObjectId;

impl World {
    pub(super) async fn wait(&self, effect: &Await, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        until(attempt, || Box::pin(look(&site, &effect.id, &effect.condition))).await
    }
}

async fn look(site: &Site<'_>, id: &ObjectId, wanted: &Condition) -> Result<Look<Receipt>, WorldError> {
    let Some(object) = site.get(id).await? else {
        return Ok(match wanted {
            Condition::Gone => done(format!("{id} is gone")),
            _ => Look::Waiting(format!("{id} is not there yet")),
        });
    };
    match wanted {
        Condition::Exists => Ok(done(format!("{id} exists"))),
        Condition::Gone => Ok(Look::Waiting(still_there(&object, id))),
        Condition::Available { replicas } => available(site, &object, *replicas).await,
        Condition::Complete => complete(site, &object, id),
        Condition::Status(name) => Ok(status(&object, id, name)),
    }
}

fn done(summary: String) -> Look<Receipt> {
    Look::Done(Receipt {
        summary,
        ..Receipt::default()
    })
}

/// Says what keeps an object that should be gone.
pub(super) fn still_there(object: &Value, id: &ObjectId) -> String {
    let finalizers: Vec<&str> = list(object, "/metadata/finalizers")
        .filter_map(Value::as_str)
        .collect();
    match (is_going(object), finalizers.is_empty()) {
        (false, _) => format!("{id} is still there"),
        (true, true) => format!("{id} is being deleted"),
        (true, false) => format!("{id} is being deleted, held by {}", finalizers.join(", ")),
    }
}

/// How much of a workload serves.
struct Size {
    ready: u64,
    wanted: u64,
    observed: bool,
}

impl Size {
    /// Reads the status of a Deployment, `StatefulSet`, `ReplicaSet` or `DaemonSet`.
    fn of(object: &Value, wanted: Option<u32>) -> Self {
        let ready = number(object, "/status/readyReplicas").or_else(|| number(object, "/status/numberReady"));
        let own =
            number(object, "/status/desiredNumberScheduled").or_else(|| number(object, "/spec/replicas"));
        let generation = number(object, "/metadata/generation").unwrap_or(0);
        Self {
            ready: ready.unwrap_or(0),
            wanted: wanted.map(u64::from).or(own).unwrap_or(1),
            observed: number(object, "/status/observedGeneration").is_some_and(|seen| seen >= generation),
        }
    }
}

async fn available(
    site: &Site<'_>,
    object: &Value,
    wanted: Option<u32>,
) -> Result<Look<Receipt>, WorldError> {
    let serves = Size::of(object, wanted);
    let summary = format!("{} of {} replicas ready", serves.ready, serves.wanted);
    if serves.observed && serves.ready >= serves.wanted {
        let warnings = match serves.wanted {
            0 => vec![format!(
                "{} has no replicas: nothing serves",
                text(object, "/metadata/name")
            )],
            _ => Vec::new(),
        };
        return Ok(Look::Done(Receipt {
            summary,
            warnings,
            ..Receipt::default()
        }));
    }
    if !serves.observed {
        return Ok(Look::Waiting(format!(
            "{summary}, its controller has not seen it yet"
        )));
    }
    // The names are a help and no condition: who may not list pods waits all the same.
    let pods = pods_of(site, object).await.unwrap_or_default();
    Ok(Look::Waiting(match waiting_for(&pods) {
        Some(names) => format!("{summary}, {names}"),
        None => summary,
    }))
}

fn complete(site: &Site<'_>, object: &Value, id: &ObjectId) -> Result<Look<Receipt>, WorldError> {
    if condition(object, "Complete").is_some() {
        return Ok(done(format!("{id} is complete")));
    }
    if let Some(failed) = condition(object, "Failed") {
        let message = format!("{id} failed: {}", text(failed, "/message"));
        return Err(site.error(ErrorKind::Rejected, message));
    }
    Ok(Look::Waiting(format!(
        "{id} is not complete, {} active",
        number(object, "/status/active").unwrap_or(0)
    )))
}

fn status(object: &Value, id: &ObjectId, name: &str) -> Look<Receipt> {
    if condition(object, name).is_some() {
        return done(format!("{id} is {name}"));
    }
    let found = list(object, "/status/conditions").find(|one| one["type"] == name);
    let words =
        found.map(|one| [text(one, "/status"), text(one, "/reason"), text(one, "/message")].join(" "));
    Look::Waiting(match words {
        Some(words) => format!("{id} is not {name}: {}", words.trim()),
        None => format!("{id} says nothing about {name} yet"),
    })
}
