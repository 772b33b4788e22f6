//! Performs [`ShiftTraffic`] and [`ReturnTraffic`].
//!
//! ## Why
//!
//! - **From known states only.** A change is sent only from the state that the plan saw or this step left, in the
//!   version in which it was read, so that a change by somebody else in between is refused by the server. What
//!   somebody else made of it is told, with his name where the server has kept it, and stays.
//! - **What was there before is written on the object**, in the same request as the first change. So a process that
//!   takes over in the middle, an undo a day later, and a person without lifeboat know where requests went; and a
//!   state that looks like one of our stages is ours only if our mark is there.
//! - **The guard is asked before the first change**: nobody is sent to a side that does not answer. Then the failure
//!   has changed nothing, and may be tried again by itself. A guard that fails later is not tried again: it would
//!   send the same customers to the same place.
//! - **Going back is the one change here that is sent again after trouble.** It is safe, because the version is named
//!   each time; and to give up after one lost packet would leave customers where nothing answers.
//! - **The last look comes after the time**, so that an answer which hung when it was over is not taken for a good one.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::marks::text;
use super::pace::{Look, rest, until_limit};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, Guard, Receipt, ReturnTraffic, ShiftTraffic, WorldError};
use crate::objects::{ApiKind, ObjectId, Split, Switch, TRAFFIC_BEFORE, Turned};
use crate::text::Millis;

/// Controllers write the status of a route now and then, which moves its version between look and patch; so often in
/// a row it is something else.
const SWAPS: u32 = 5;

/// An API server that restarts is back in less; who waits longer keeps customers where nothing answers, and a person
/// is told.
const BACK_LIMIT_MS: u64 = 60_000;

/// One object whose requests are sent elsewhere, in the hands of one attempt.
struct Crossing<'a> {
    site: Site<'a>,
    kind: ApiKind,
    id: &'a ObjectId,
    switch: &'a Switch,
    /// Run and step: whose mark is ours.
    by: String,
}

/// What it goes through.
struct Way {
    before: Split,
    stages: Vec<Split>,
    /// How many of the stages it has reached.
    reached: usize,
}

/// What came of sending a change.
enum Sent {
    /// It is as wanted already: nothing was sent.
    There,
    /// It was sent and taken; what the server holds now is still to be read.
    Taken,
    /// Somebody was faster: the version that was read is gone.
    Late,
}

/// Answers at one stage.
#[derive(Default)]
struct Tally {
    good: u32,
    bad: u32,
}

/// How a guard answered.
enum Watched {
    /// Well, so many times.
    Well(u32),
    /// Badly: what was seen.
    Badly(String),
}

impl World {
    pub(super) async fn shift_traffic(
        &self,
        effect: &ShiftTraffic,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let crossing = self
            .crossing(&effect.site, &effect.id, &effect.switch, attempt)
            .await?;
        let way = crossing.way(effect.before.as_ref()).await?;
        let Some(last) = way.stages.last() else {
            return Ok(said(format!("{}: {} (it already was)", effect.id, way.before)));
        };
        if let (0, Some(guard)) = (way.reached, &effect.guard) {
            self.look_first(guard).await?;
        }
        let mut seen = Vec::new();
        // The last one that was reached is looked at again: nobody knows for how long it was.
        for at in way.reached.saturating_sub(1)..way.stages.len() {
            let from = at.checked_sub(1).map_or(&way.before, |at| &way.stages[at]);
            let stage = &way.stages[at];
            let put = crossing.put(from, stage, Some(&way.before)).await;
            put.map_err(|error| crossing.last_seen(error, from))?;
            let Some(guard) = &effect.guard else { continue };
            match self.watch(guard, stage, attempt).await? {
                Watched::Well(looks) => {
                    seen.push(format!(
                        "{stage} for {}, {looks} good answers",
                        Millis(guard.steady_ms)
                    ));
                }
                Watched::Badly(why) => return Err(crossing.give_up(&way.before, stage, &why, attempt).await),
            }
        }
        crossing.still(last).await?;
        let way = if seen.is_empty() {
            format!("{} → {last}", way.before)
        } else {
            format!("{} → {}", way.before, seen.join(" → "))
        };
        Ok(said(format!("{}: {way}", effect.id)))
    }

    pub(super) async fn return_traffic(
        &self,
        effect: &ReturnTraffic,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let crossing = self
            .crossing(&effect.site, &effect.id, &effect.switch, attempt)
            .await?;
        let object = crossing.live().await?;
        let ours = crossing.mark(&object);
        let Some(before) = ours.clone().or_else(|| effect.before.clone()) else {
            return Ok(said(format!("{}: this run has changed nothing of it", effect.id)));
        };
        let now = crossing.split(&object)?;
        if now.same(&before) && ours.is_none() {
            return Ok(said(format!("{}: {now} (it already was)", effect.id)));
        }
        let left = effect.switch.stages(&before).into_iter().chain([before.clone()]);
        let Some(from) = left.into_iter().find(|left| left.same(&now)) else {
            return Err(crossing.changed(&object, &now, "this step has not left it so"));
        };
        crossing.put(&from, &before, None).await?;
        Ok(said(format!("{}: {now} → {before}, as it was", effect.id)))
    }

    async fn crossing<'a>(
        &'a self,
        site: &'a str,
        id: &'a ObjectId,
        switch: &'a Switch,
        attempt: &Attempt,
    ) -> Result<Crossing<'a>, WorldError> {
        let site = self.site(site)?;
        let kind = site.kind(id).await?;
        Ok(Crossing {
            site,
            kind,
            id,
            switch,
            by: format!("{}/{}", attempt.run, attempt.step),
        })
    }

    /// One look before anything is changed.
    async fn look_first(&self, guard: &Guard) -> Result<(), WorldError> {
        let look = self.look_once(&guard.probe).await?;
        look.map_err(|why| {
            let message = format!("nothing was changed, because the new side does not answer well: {why}");
            WorldError::new(
                ErrorKind::NotYet,
                guard.probe.target.address().to_string(),
                message,
            )
        })
    }

    /// Looks for as long as the guard has to answer well.
    async fn watch(&self, guard: &Guard, stage: &Split, attempt: &Attempt) -> Result<Watched, WorldError> {
        let mut tally = Tally::default();
        (attempt.progress)(format!("{stage}: looked at for {}", Millis(guard.steady_ms)));
        let looking = async {
            loop {
                if let Some(why) = self.count(guard, &mut tally, attempt).await? {
                    return Ok::<_, WorldError>(why);
                }
                rest(guard.probe.interval_ms).await;
            }
        };
        let steady = Duration::from_millis(guard.steady_ms);
        if let Ok(ended) = tokio::time::timeout(steady, looking).await {
            return Ok(Watched::Badly(ended?));
        }
        loop {
            let before = tally.good;
            if let Some(why) = self.count(guard, &mut tally, attempt).await? {
                return Ok(Watched::Badly(why));
            }
            if tally.good > before && tally.good >= guard.probe.successes {
                return Ok(Watched::Well(tally.good));
            }
            rest(guard.probe.interval_ms).await;
        }
    }

    /// One look; what was seen if it was one bad answer too many.
    async fn count(
        &self,
        guard: &Guard,
        tally: &mut Tally,
        attempt: &Attempt,
    ) -> Result<Option<String>, WorldError> {
        let Err(why) = self.look_once(&guard.probe).await? else {
            tally.good += 1;
            return Ok(None);
        };
        tally.bad += 1;
        if tally.bad > guard.bad_answers {
            return Ok(Some(why));
        }
        (attempt.progress)(format!("{why} ({} of {} let pass)", tally.bad, guard.bad_answers));
        Ok(None)
    }
}

fn said(summary: String) -> Receipt {
    Receipt {
        summary,
        ..Receipt::default()
    }
}

impl Crossing<'_> {
    async fn live(&self) -> Result<Value, WorldError> {
        let namespace = self.id.namespace.as_deref();
        let found = self
            .site
            .cluster
            .get(&self.kind, namespace, &self.id.name)
            .await?;
        found.ok_or_else(|| {
            self.site
                .error(ErrorKind::NotFound, format!("there is no {}", self.id))
        })
    }

    fn split(&self, object: &Value) -> Result<Split, WorldError> {
        self.switch.read(object).map_err(|why| {
            let message = format!("{} cannot be switched: {why}", self.id);
            self.site.error(ErrorKind::Rejected, message)
        })
    }

    /// What this step has noted that was there before.
    fn mark(&self, object: &Value) -> Option<Split> {
        let turned = Turned::of(object).filter(|turned| turned.by == self.by)?;
        Some(turned.before)
    }

    /// Where it stands, between how it was and how it is to be.
    async fn way(&self, seen: Option<&Split>) -> Result<Way, WorldError> {
        let object = self.live().await?;
        let now = self.split(&object)?;
        let ours = self.mark(&object);
        let before = ours
            .clone()
            .or_else(|| seen.cloned())
            .unwrap_or_else(|| now.clone());
        let stages = self.switch.stages(&before);
        if now.same(&before) {
            return Ok(Way {
                before,
                stages,
                reached: 0,
            });
        }
        let reached = stages.iter().position(|stage| stage.same(&now));
        match (reached, ours) {
            (Some(at), Some(_)) => Ok(Way {
                before,
                stages,
                reached: at + 1,
            }),
            // Somebody else has done it: it is as wanted, and it is not ours to take back.
            (Some(at), None) if at + 1 == stages.len() => Ok(Way {
                before: now,
                stages: Vec::new(),
                reached: 0,
            }),
            (_, ours) => {
                let who = if ours.is_some() {
                    "this step began at"
                } else {
                    "the plan saw"
                };
                Err(self.changed(&object, &now, &format!("{who} {before}")))
            }
        }
    }

    /// Compares and sets, and reads back; `before` is noted with it, and without it the note is taken away.
    async fn put(&self, from: &Split, to: &Split, before: Option<&Split>) -> Result<(), WorldError> {
        for _ in 0..=SWAPS {
            let object = self.live().await?;
            if let Sent::There = self.send(&object, from, to, before).await? {
                return Ok(());
            }
        }
        let message = format!(
            "{} was changed by somebody else {SWAPS} times in a row, each time before our change arrived",
            self.id
        );
        Err(self.site.error(ErrorKind::Conflict, message))
    }

    /// Sends the change if it has to be made and may be made.
    async fn send(
        &self,
        object: &Value,
        from: &Split,
        to: &Split,
        before: Option<&Split>,
    ) -> Result<Sent, WorldError> {
        let now = self.split(object)?;
        let ours = self.mark(object);
        if now.same(to) && ours.is_some() == before.is_some() {
            return Ok(Sent::There);
        }
        if !now.same(from) && !now.same(to) {
            return Err(self.changed(object, &now, &format!("this step has left {from}")));
        }
        let mut patch = self.switch.patch(object, to);
        patch["metadata"] = json!({
            "resourceVersion": text(object, "/metadata/resourceVersion"),
            "annotations": { TRAFFIC_BEFORE: self.note(before)? },
        });
        let namespace = self.id.namespace.as_deref();
        let sent = self
            .site
            .cluster
            .patch(&self.kind, namespace, &self.id.name, None, &patch);
        match sent.await {
            Ok(_) => Ok(Sent::Taken),
            Err(error) if error.kind == ErrorKind::Conflict => Ok(Sent::Late),
            Err(error) => Err(error),
        }
    }

    /// The text of the mark; `null` takes it away.
    fn note(&self, before: Option<&Split>) -> Result<Value, WorldError> {
        let Some(before) = before else {
            return Ok(Value::Null);
        };
        let turned = Turned {
            by: self.by.clone(),
            before: before.clone(),
        };
        let text = serde_json::to_string(&turned);
        text.map(Value::String)
            .map_err(|error| self.site.error(ErrorKind::Internal, error.to_string()))
    }

    /// Trouble in the middle leaves customers somewhere: the error says where.
    fn last_seen(&self, mut error: WorldError, at: &Split) -> WorldError {
        if error.kind != ErrorKind::Conflict {
            error.causes.push(format!("{} was last seen at {at}", self.id));
        }
        error
    }

    /// After all looks it is still as this step has left it.
    async fn still(&self, last: &Split) -> Result<(), WorldError> {
        let object = self.live().await?;
        let now = self.split(&object)?;
        if now.same(last) {
            return Ok(());
        }
        Err(self.changed(&object, &now, &format!("this step has left {last}")))
    }

    /// Puts everything back and says what was seen, and how far going back has come.
    async fn give_up(&self, before: &Split, stage: &Split, why: &str, attempt: &Attempt) -> WorldError {
        (attempt.progress)(format!("{stage}: {why}; going back to {before}"));
        let back = until_limit(attempt, BACK_LIMIT_MS, || {
            Box::pin(async move {
                let object = self.live().await?;
                Ok(match self.send(&object, stage, before, None).await? {
                    Sent::There => Look::Done(()),
                    Sent::Taken => Look::Waiting("reading back what the server holds".into()),
                    Sent::Late => Look::Waiting("its version has moved; going back from the new one".into()),
                })
            })
        });
        let id = self.id;
        let trouble = match back.await {
            Ok(Ok(())) => {
                let message = format!(
                    "{id} was at {stage}, and the new side did not answer well: {why}; it is back at {before}"
                );
                return self.site.error(ErrorKind::Rejected, message);
            }
            Ok(Err(last)) => format!(
                "within {} it could not be put back: {last}",
                Millis(BACK_LIMIT_MS)
            ),
            Err(error) => format!("it could not be put back: {}", error.message),
        };
        let message = format!(
            "{id} was at {stage}, and the new side did not answer well: {why}; {trouble}. It was {before} before"
        );
        self.site.error(ErrorKind::Rejected, message).hint(format!(
            "look where {id} sends requests now, and put it back by hand, or let the step be undone"
        ))
    }

    /// Says what somebody else has made of it, and who, where the server knows.
    fn changed(&self, object: &Value, now: &Split, instead_of: &str) -> WorldError {
        let who = self.switch.last_writer(object);
        let who = who.map_or_else(String::new, |who| format!(", last written by {who}"));
        let message = format!(
            "somebody else has changed {}: it is at {now}{who}; {instead_of}. Nothing is overwritten",
            self.id
        );
        self.site
            .error(ErrorKind::Conflict, message)
            .hint("find out who it was; then put it back to what this step expects, or plan again")
    }
}
