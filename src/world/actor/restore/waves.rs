//! Makes prepared objects, wave after wave.
//!
//! ## Why
//!
//! - All objects of a wave are tried, and every failure is named; a wave with a failure is the last,
//!   because what follows needs it.
//! - A restore that was told to update takes fields over from whoever owns them: to have the backup's
//!   version is what it was asked for. A restore that makes new objects takes nothing from anybody.
//! - Between waves it waits for what later ones cannot do without: definitions that are established
//!   and namespaces that are active.

use serde_json::Value;

use super::judge::Judged;
use super::prepare::Prepared;
use crate::effect::{Attempt, ErrorKind, Fate, RestoreObjects, WorldError};
use crate::objects::{Made, ObjectId};
use crate::world::actor::marks::{condition, counted, is_going, made, stamp_key, stamp_run, text};
use crate::world::actor::pace::{Look, Work, all, until};
use crate::world::actor::pods::named;
use crate::world::actor::site::Site;

/// Changes in flight: an API server with default limits answers as many at once without queueing, and
/// the next wave is never far.
const IN_FLIGHT: usize = 16;

/// What the waves did.
#[derive(Default)]
pub(super) struct Done {
    /// The ledger: made by this restore, in this or an earlier attempt.
    pub(super) created: Vec<Made>,
    pub(super) updated: usize,
    pub(super) kept: usize,
}

/// One restore at one site.
pub(super) struct Waves<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) effect: &'a RestoreObjects,
    pub(super) prepared: &'a Prepared,
    pub(super) judged: &'a [Judged],
    pub(super) attempt: &'a Attempt,
}

/// What became of one object.
enum Outcome {
    Created(Option<Made>),
    Updated(Option<Made>),
    Kept,
    Failed(ObjectId, WorldError),
}

impl Waves<'_> {
    pub(super) async fn run(&self) -> Result<Done, WorldError> {
        let mut done = Done::default();
        let waves = &self.prepared.order.waves;
        let mut begun = 0;
        for (number, wave) in waves.iter().enumerate() {
            begun += wave.len();
            (self.attempt.progress)(format!(
                "wave {} of {}: {}, {} of {} in all",
                number + 1,
                waves.len(),
                counted(wave.len(), "object"),
                begun,
                self.prepared.objects.len()
            ));
            let mut work: Vec<Work<'_, Outcome>> = Vec::with_capacity(wave.len());
            for &at in wave {
                work.push(Box::pin(async move { Ok(self.make(at).await) }));
            }
            let outcomes = all(IN_FLIGHT, work).await?;
            let failed = done.count(outcomes, self.effect.confined);
            if !failed.is_empty() {
                return Err(self.failure(&failed, self.prepared.objects.len() - begun));
            }
            self.settle(wave).await?;
        }
        Ok(done)
    }

    async fn make(&self, at: usize) -> Outcome {
        let (Some(judged), Some(object)) = (self.judged.get(at), self.prepared.objects.get(at)) else {
            return Outcome::Kept;
        };
        match (judged.fate, &judged.earlier) {
            (_, Some(earlier)) => Outcome::Created(Some(earlier.clone())),
            (Fate::Create, None) => self.apply(&judged.id, object, false).await,
            (Fate::Update, None) => self.apply(&judged.id, object, true).await,
            (Fate::Keep | Fate::Skip | Fate::Refuse, None) => Outcome::Kept,
        }
    }

    async fn apply(&self, id: &ObjectId, object: &Value, force: bool) -> Outcome {
        let mut object = object.clone();
        if self.effect.confined {
            stamp_run(&mut object, self.attempt);
        }
        // On what was there before there is no mark: the key says who made it.
        if !force {
            stamp_key(&mut object, self.attempt);
        }
        let applied = async {
            let kind = self.site.kind(id).await?;
            self.site.cluster.apply(&kind, &object, force).await
        };
        match applied.await {
            Ok(applied) if applied.created => Outcome::Created(made(&applied.object)),
            Ok(applied) => Outcome::Updated(made(&applied.object)),
            Err(error) => Outcome::Failed(id.clone(), error),
        }
    }

    /// Waits for what the next waves cannot do without.
    async fn settle(&self, wave: &[usize]) -> Result<(), WorldError> {
        let mut definitions = false;
        for one in wave.iter().filter_map(|&at| self.judged.get(at)) {
            let is = |kind: &str, group: &str| one.id.kind == kind && one.id.group() == group;
            if is("CustomResourceDefinition", "apiextensions.k8s.io") {
                definitions = true;
                until(self.attempt, || Box::pin(established(self.site, &one.id))).await?;
            } else if is("Namespace", "") {
                until(self.attempt, || Box::pin(active(self.site, &one.id))).await?;
            }
        }
        if definitions {
            self.site.forget_kinds().await;
        }
        Ok(())
    }

    /// One error that names every failure. Its kind is that of the first that will not pass by
    /// itself: repeating would meet it again.
    fn failure(&self, failed: &[(ObjectId, WorldError)], not_begun: usize) -> WorldError {
        let lines: Vec<String> = failed
            .iter()
            .map(|(id, error)| format!("{id}: {}", error.message))
            .collect();
        let kind = failed
            .iter()
            .map(|(_, error)| error.kind)
            .find(|kind| !kind.passing())
            .or(failed.first().map(|(_, error)| error.kind))
            .unwrap_or(ErrorKind::Internal);
        let message = format!(
            "{} of {} could not be made, {not_begun} not begun: {}",
            lines.len(),
            counted(self.prepared.objects.len(), "object"),
            named(&lines)
        );
        let mut error = self.site.error(kind, message);
        error.retry_after_ms = failed.iter().filter_map(|(_, error)| error.retry_after_ms).max();
        error.causes = lines;
        error
    }
}

impl Done {
    /// Counts outcomes and gives back the failures. In a drill everything that is applied is in
    /// namespaces that the drill made, so all of it belongs into the ledger.
    fn count(&mut self, outcomes: Vec<Outcome>, confined: bool) -> Vec<(ObjectId, WorldError)> {
        let mut failed = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Created(made) => self.created.extend(made),
                Outcome::Updated(made) => {
                    self.updated += 1;
                    self.created.extend(made.filter(|_| confined));
                }
                Outcome::Kept => self.kept += 1,
                Outcome::Failed(id, error) => failed.push((id, error)),
            }
        }
        failed
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
