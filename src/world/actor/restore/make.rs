//! Makes one object.
//!
//! ## Why
//!
//! - **A new object is created, not applied.** A server-side apply without force is no "only if it is
//!   not there": it conflicts on fields that somebody owns with another value, and merges into
//!   everything else, so an object that somebody made since the look would be changed without a word. A
//!   `POST` is refused for *any* object of that name, and only then is it looked at: our own of an
//!   attempt whose reply was lost (it has the attempt's key), or somebody else's, which is treated as
//!   the restore was told to treat what exists. It also takes what apply refuses, such as a variable
//!   that is named twice, and is a quarter faster.
//! - **What exists is applied with force.** A restore that was told to update takes fields over from
//!   whoever owns them: to have the backup's version is what it was asked for.
//! - The one exception is the account `default`: its cluster makes one in every namespace at some
//!   moment, before us or after, so it is applied without force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::gate::Gate;
use super::index::Index;
use super::judge::{is_everywhere, meet, take_status};
use super::losses::Failed;
use super::owners::Link;
use crate::effect::{Attempt, ErrorKind, Fate, RestoreObjects, WorldError};
use crate::objects::{ApiKind, Made, ObjectId, take_owners};
use crate::text::Millis;
use crate::world::actor::marks::{condition, has_key, is_going, made, stamp_key, stamp_run, text};
use crate::world::actor::pace::{Look, until_limit};
use crate::world::actor::site::Site;
use crate::world::port::Applied;

/// What became of one object.
pub(super) enum Outcome {
    /// By this or an earlier attempt.
    Created(Option<Made>),
    Updated(Option<Made>),
    /// Deleted and made again.
    Replaced(Box<(Made, Made)>),
    /// It was there; with what people should know of it.
    Kept(Option<(Made, String)>),
    Failed(Box<Failed>),
}

impl Outcome {
    /// The object that is there now.
    fn made(&self) -> Option<&Made> {
        match self {
            Self::Created(made) | Self::Updated(made) => made.as_ref(),
            Self::Replaced(both) => Some(&both.1),
            Self::Kept(told) => told.as_ref().map(|(made, _)| made),
            Self::Failed(_) => None,
        }
    }
}

/// Makes objects at one site.
pub(super) struct Maker<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) effect: &'a RestoreObjects,
    pub(super) attempt: &'a Attempt,
    pub(super) index: &'a Index,
    /// Of what this attempt made, by position: owners are linked by it.
    pub(super) uids: Mutex<BTreeMap<usize, String>>,
    /// Kinds that turned out to have no status of their own.
    pub(super) without_status: Mutex<BTreeSet<String>>,
    pub(super) gate: Gate,
}

/// How long a new definition may take until it is served, and a new namespace until it is active. Both
/// take well under a second; a definition that waits longer collides with another, and that must not
/// take the step's whole time from objects that do not need it.
pub(super) const SETTLE_LIMIT_MS: u64 = 60_000;

/// What was asked when it failed, and the failure.
pub(super) type Trouble = (&'static str, WorldError);

impl Maker<'_> {
    /// Makes the object at this position of the index.
    pub(super) async fn make(&self, at: usize, mut object: Value) -> Outcome {
        let id = self.index.id(at);
        self.link(at, &mut object);
        let status = take_status(&mut object);
        let done = match self.pass_gate(&id, &object).await {
            Ok(()) => self.send(at, &id, object).await,
            Err(error) => Err(("wait before", error)),
        };
        let done = match (done, status) {
            (Ok(outcome), Some(status)) if !matches!(outcome, Outcome::Kept(_)) => {
                self.restore_status(&id, &status).await.map(|()| outcome)
            }
            (done, _) => done,
        };
        if let Ok(outcome) = &done
            && self.index.owning.contains(&at)
        {
            self.uids()
                .extend(outcome.made().map(|made| (at, made.uid.clone())));
        }
        done.unwrap_or_else(|(request, error)| Outcome::Failed(Box::new(Failed { id, request, error })))
    }

    async fn send(&self, at: usize, id: &ObjectId, object: Value) -> Result<Outcome, Trouble> {
        match self.index.fate(at) {
            Some(Fate::Create) => self.create(id, object).await,
            Some(Fate::Update) => self.put_over(id, object).await,
            Some(Fate::Replace) => self.replace(id, object).await,
            _ => Ok(self
                .index
                .earlier(at)
                .map_or(Outcome::Kept(None), |made| Outcome::Created(Some(made)))),
        }
    }

    /// Waits for the services that must answer before it is made. Without its conversion an object of
    /// another version than the stored one is refused by the server, and that is for it to say.
    async fn pass_gate(&self, id: &ObjectId, object: &Value) -> Result<(), WorldError> {
        let (site, attempt) = (self.site, self.attempt);
        self.gate.pass(site, attempt, object).await?;
        let kind = (id.group().to_owned(), id.kind.clone());
        if let Some((service, stored)) = self.index.conversions.get(&kind)
            && !id.api_version.ends_with(&format!("/{stored}"))
        {
            // Whether it answers is told while it is waited for.
            drop(self.gate.wait(site, attempt, service).await?);
        }
        Ok(())
    }

    /// Names the owners by the uids that they have here; an owner that has none is not named.
    fn link(&self, at: usize, object: &mut Value) {
        let references = take_owners(object);
        let owners = self.index.owners.get(&at).into_iter().flatten();
        let linked: Vec<Value> = references
            .into_iter()
            .zip(owners)
            .filter_map(|(mut reference, owner)| {
                reference["uid"] = self.uid(&owner.link)?.into();
                Some(reference)
            })
            .collect();
        if !linked.is_empty() {
            object["metadata"]["ownerReferences"] = linked.into();
        }
    }

    fn uid(&self, link: &Link) -> Option<String> {
        match link {
            Link::Of(at) => {
                let live = self.index.entries.get(*at)?.live.as_ref();
                live.map(|live| live.uid.clone())
                    .or_else(|| self.uids().get(at).cloned())
            }
            Link::Uid(uid) => Some(uid.clone()),
            Link::Left => None,
        }
    }

    /// Writes the backup's status over that of an object that was just made or changed.
    async fn restore_status(&self, id: &ObjectId, status: &Value) -> Result<(), Trouble> {
        let kind = self.site.kind(id).await.map_err(|error| ("discover", error))?;
        let without = || self.without_status.lock().unwrap_or_else(PoisonError::into_inner);
        if without().contains(&kind.resource()) {
            return Ok(());
        }
        let (cluster, namespace) = (self.site.cluster, id.namespace.as_deref());
        let patch = json!({ "status": status });
        let patched = cluster
            .patch(&kind, namespace, &id.name, Some("status"), &patch)
            .await;
        let Err(error) = patched else { return Ok(()) };
        // The object is not there, or its kind has no such part: the same number says both.
        let there = || cluster.get(&kind, namespace, &id.name);
        if error.kind == ErrorKind::NotFound && there().await.is_ok_and(|found| found.is_some()) {
            without().insert(kind.resource());
            return Ok(());
        }
        Err(("patch status of", error))
    }

    /// What people should know of the kinds that were asked for.
    pub(super) fn said(&self) -> Vec<String> {
        let without = self.without_status.lock().unwrap_or_else(PoisonError::into_inner);
        let said = without.iter();
        said.map(|name| format!("{name} have no status that can be restored: it was left out"))
            .collect()
    }

    fn uids(&self) -> MutexGuard<'_, BTreeMap<usize, String>> {
        self.uids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn create(&self, id: &ObjectId, object: Value) -> Result<Outcome, Trouble> {
        let kind = self.site.kind(id).await.map_err(|error| ("discover", error))?;
        let everywhere = is_everywhere(&object);
        let stamped = self.stamped(object.clone());
        if everywhere {
            let applied = self.site.cluster.apply(&kind, &stamped, false).await;
            return Ok(outcome(&applied.map_err(|error| ("apply", error))?));
        }
        match self.site.cluster.create(&kind, &stamped).await {
            Ok(created) => {
                self.settle(id, &created)
                    .await
                    .map_err(|error| ("wait for", error))?;
                Ok(Outcome::Created(made(&created)))
            }
            Err(error) if error.kind == ErrorKind::Conflict => self.taken(&kind, id, object, error).await,
            Err(error) => Err(("create", error)),
        }
    }

    pub(super) fn stamped(&self, mut object: Value) -> Value {
        if self.effect.confined {
            stamp_run(&mut object, self.attempt);
        }
        stamp_key(&mut object, self.attempt);
        object
    }

    /// The name was taken between the look and the create, or by ourselves.
    async fn taken(
        &self,
        kind: &ApiKind,
        id: &ObjectId,
        object: Value,
        conflict: WorldError,
    ) -> Result<Outcome, Trouble> {
        let live = self
            .site
            .cluster
            .get(kind, id.namespace.as_deref(), &id.name)
            .await;
        let Some(live) = live.map_err(|error| ("get", error))? else {
            return Err(("create", conflict));
        };
        if has_key(&live, self.attempt) && !is_going(&live) {
            self.settle(id, &live)
                .await
                .map_err(|error| ("wait for", error))?;
            return Ok(Outcome::Created(made(&live)));
        }
        let judged = meet(&object, &live, self.effect, Some(self.attempt));
        match judged.fate {
            Fate::Update => self.put_over(id, object).await,
            Fate::Replace => self.replace(id, object).await,
            Fate::Refuse => Err(("create", self.site.error(ErrorKind::Conflict, judged.why))),
            _ => {
                let told = format!("{id}: somebody made it in the meantime; {}", judged.why);
                Ok(Outcome::Kept(made(&live).map(|made| (made, told))))
            }
        }
    }

    /// Applies the backup's version over what is there. No key: on what was there before there is no
    /// mark, the key says who made it.
    async fn put_over(&self, id: &ObjectId, mut object: Value) -> Result<Outcome, Trouble> {
        let kind = self.site.kind(id).await.map_err(|error| ("discover", error))?;
        if self.effect.confined {
            stamp_run(&mut object, self.attempt);
        }
        let applied = self.site.cluster.apply(&kind, &object, true).await;
        Ok(outcome(&applied.map_err(|error| ("apply", error))?))
    }

    /// Waits until others can rely on a new definition or namespace.
    async fn settle(&self, id: &ObjectId, object: &Value) -> Result<(), WorldError> {
        let is = |kind: &str, group: &str| id.kind == kind && id.group() == group;
        let (attempt, limit_ms) = (self.attempt, SETTLE_LIMIT_MS);
        let settled = if is("CustomResourceDefinition", "apiextensions.k8s.io") {
            until_limit(attempt, limit_ms, || Box::pin(established(self.site, id))).await?
        } else if is("Namespace", "") && text(object, "/status/phase") != "Active" {
            until_limit(attempt, limit_ms, || Box::pin(active(self.site, id))).await?
        } else {
            Ok(())
        };
        settled.map_err(|missing| {
            let message = format!("{missing}; given up after {}", Millis(limit_ms));
            self.site.error(ErrorKind::NotYet, message)
        })
    }
}

pub(super) fn outcome(applied: &Applied) -> Outcome {
    if applied.created {
        Outcome::Created(made(&applied.object))
    } else {
        Outcome::Updated(made(&applied.object))
    }
}

async fn established(site: &Site<'_>, id: &ObjectId) -> Result<Look<()>, WorldError> {
    let found = site.get(id).await?;
    Ok(
        match found.filter(|object| condition(object, "Established").is_some()) {
            Some(_) => Look::Done(()),
            None => Look::Waiting(format!("{id} is not established yet")),
        },
    )
}

async fn active(site: &Site<'_>, id: &ObjectId) -> Result<Look<()>, WorldError> {
    let found = site.get(id).await?;
    match found {
        Some(object) if is_going(&object) => {
            let message = format!("{id} was deleted while it was being restored");
            Err(site.error(ErrorKind::Conflict, message))
        }
        Some(object) if text(&object, "/status/phase") == "Active" => Ok(Look::Done(())),
        _ => Ok(Look::Waiting(format!("{id} is not active yet"))),
    }
}
