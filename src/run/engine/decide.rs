//! What to do next. Each function names at most one event or errand; together they run until nothing is due.

use super::errands::Next;
use super::hands::{Errand, Ticket};
use super::state::{Course, LIFEBOAT, NO_LOGIN, Stage, Trial};
use super::{Engine, IllegalEvent, QuestionPolicy};
use crate::effect::{Ask, Effect, ErrorKind, Receipt, WorldError};
use crate::plan::Part;
use crate::run::{Answer, Event, Outcome, Phase};
use crate::runbook::OnFailure;

/// What the engine wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commands {
    /// To be made durable, in this order, before anything else here is done.
    pub record: Vec<Event>,
    /// Steps whose effect in flight is no longer wanted; such an effect only looks.
    pub abandon: Vec<u32>,
    /// To be begun.
    pub errands: Vec<Errand>,
    /// When to ask again even if nothing has happened, on the run's clock.
    pub wake_at_ms: Option<u64>,
}

impl Engine {
    /// Decides. The returned events are folded already.
    ///
    /// # Errors
    ///
    /// A decision that its own table forbids: a bug of the engine.
    pub fn commands(&mut self, now_ms: u64) -> Result<Commands, IllegalEvent> {
        let mut errands = Vec::new();
        loop {
            while let Some(event) = self.next_event(now_ms) {
                self.note(event, now_ms)?;
            }
            match self.next_errand(now_ms) {
                Next::Errand(errand) => errands.push(*errand),
                Next::Event(event) => self.note(*event, now_ms)?,
                Next::Nothing => break,
            }
        }
        Ok(Commands {
            record: std::mem::take(&mut self.hands.unsaved),
            abandon: std::mem::take(&mut self.hands.abandoned),
            errands,
            wake_at_ms: self.wake_at_ms(now_ms),
        })
    }

    /// Folds an event and keeps it for the driver.
    pub(super) fn note(&mut self, event: Event, now_ms: u64) -> Result<(), IllegalEvent> {
        self.record(&event, now_ms)?;
        self.hands.unsaved.push(event);
        Ok(())
    }

    fn next_event(&self, now_ms: u64) -> Option<Event> {
        if self.state.finished.is_some() {
            return None;
        }
        self.settle()
            .or_else(|| self.raise_alarm())
            .or_else(|| self.cut_off())
            .or_else(|| self.unwind())
            .or_else(|| self.finish())
            .or_else(|| self.intend(now_ms))
            .or_else(|| self.wait_for_people())
    }

    /// Conclusions that need neither the world nor a person nor room.
    fn settle(&self) -> Option<Event> {
        let step = *self.state.shelves.settle.first()?;
        let track = self.state.track(step);
        let outcome = match &track.stage {
            Stage::Answered(reply) => {
                let ticket = Ticket::of(step, track.trial);
                return Some(match reply.answer {
                    Answer::Yes => {
                        ticket.performed(approval(&reply.by, reply.role.as_deref(), &reply.reason))
                    }
                    Answer::No => ticket.failed(declined(&reply.by, &reply.reason), None),
                });
            }
            Stage::GaveUp => self.failure(step),
            Stage::Idle => match &self.planned(step).part {
                Part::Skipped(why) => Outcome::Skipped {
                    why: why.clone(),
                    releases: true,
                },
                Part::Done => match self.state.needless(self.planned(step), track.trial) {
                    Some(ask) => Outcome::Skipped {
                        why: self.why_not_asked(ask),
                        releases: true,
                    },
                    None => Outcome::Succeeded,
                },
            },
            _ if track.trial.phase == Phase::Undo => Outcome::Undone,
            _ => Outcome::Succeeded,
        };
        Some(Event::Ended { step, outcome })
    }

    fn why_not_asked(&self, ask: &Ask) -> String {
        let proofs = ask.unless_proved.iter().map(|step| {
            let proof = self.state.proof(step).unwrap_or_default();
            format!("{step} proved: {proof}")
        });
        format!("not asked: {}", proofs.collect::<Vec<_>>().join("; "))
    }

    /// How a step that gave up ends.
    fn failure(&self, step: u32) -> Outcome {
        let planned = self.planned(step);
        match (self.state.track(step).trial.phase, planned.policy.on_failure) {
            (Phase::Undo, _) => Outcome::UndoFailed,
            (Phase::Forward, OnFailure::Continue) if !planned.last => Outcome::Continued,
            (Phase::Forward, _) => Outcome::Failed,
        }
    }

    fn raise_alarm(&self) -> Option<Event> {
        let step = *self.state.alarms.first()?;
        if self.state.paused.is_some() {
            return None;
        }
        let (track, name) = (self.state.track(step), &self.planned(step).name);
        let reason = match (&track.stage, &track.error) {
            (Stage::RetryWait { .. }, Some(error)) => {
                format!("{NO_LOGIN}{}; `resume` tries {name} again", error.target)
            }
            (Stage::Ended(Outcome::UndoFailed), _) => format!("undoing {name} failed"),
            _ => format!("step {name} failed"),
        };
        Some(Event::Paused {
            by: LIFEBOAT.to_owned(),
            reason,
        })
    }

    /// A run that is being ended begins nothing more and waits for no one: what was not begun, or is between
    /// two effects, or only looks, is cut off; what would be tried again has failed.
    fn cut_off(&self) -> Option<Event> {
        if !self.state.is_ending() {
            return None;
        }
        let shelves = &self.state.shelves;
        let nothing_to_clean_up = shelves.unended_last.iter().filter(|_| !self.state.begun);
        if let Some(&step) = shelves.idle.iter().chain(nothing_to_clean_up).next() {
            return Some(self.cut(step, "not begun"));
        }
        if let Some(step) = self.first_to_cut(shelves.next.iter().chain(&shelves.questions)) {
            return Some(self.cut(step, "stopped between two effects"));
        }
        if let Some(step) = self.first_to_cut(shelves.asking.iter()) {
            return Some(self.cut(step, "not answered"));
        }
        if let Some(step) = self.first_to_cut(shelves.retries.iter().map(|(_, step)| step)) {
            let outcome = self.failure(step);
            return Some(Event::Ended { step, outcome });
        }
        let open = shelves.open.iter();
        let looking = open
            .filter(|&&step| self.only_looks(step) && self.state.track(step).trial.phase == Phase::Forward);
        let step = self.first_to_cut(looking)?;
        Some(self.cut(step, "stopped while it only looked"))
    }

    /// `last` steps are never cut off, and undoing only when a person ends it.
    fn first_to_cut<'a>(&self, mut steps: impl Iterator<Item = &'a u32>) -> Option<u32> {
        let undoing_goes_on = matches!(self.state.course, Course::Undoing(_));
        steps
            .find(|&&step| {
                let undo = self.state.track(step).trial.phase == Phase::Undo;
                let goes_on = undo && undoing_goes_on;
                !self.planned(step).last && !goes_on
            })
            .copied()
    }

    fn cut(&self, step: u32, what: &str) -> Event {
        let outcome = if self.state.track(step).trial.phase == Phase::Undo {
            Outcome::UndoFailed
        } else {
            Outcome::Skipped {
                why: format!("{what}: {}", self.why_it_ends()),
                releases: false,
            }
        };
        Event::Ended { step, outcome }
    }

    /// Why the run is being ended, as a fragment.
    pub(super) fn why_it_ends(&self) -> String {
        match self.state.course {
            Course::Forward => "the plan is done".to_owned(),
            Course::Stopping => "the run was stopped".to_owned(),
            Course::Failing(step) | Course::Undoing(step) => {
                let how = match self.state.track(step).stage {
                    Stage::Unknown => "may or may not have worked",
                    _ => "failed",
                };
                format!("{} {how}", self.planned(step).name)
            }
        }
    }

    fn unwind(&self) -> Option<Event> {
        let Course::Undoing(step) = self.state.course else {
            return None;
        };
        let due = self.state.unwinding.is_none() && self.state.shelves.unended.is_empty();
        due.then_some(Event::Unwinding { step })
    }

    fn finish(&self) -> Option<Event> {
        self.state.is_settled().then(|| Event::Finished {
            verdict: self.judge_run(),
        })
    }

    /// The next intent: questions need no room; then steps that are on their way; then new ones.
    fn intend(&self, now_ms: u64) -> Option<Event> {
        if self.state.paused.is_some() {
            return None;
        }
        let shelves = &self.state.shelves;
        if let Some(&step) = shelves.questions.first() {
            return Some(Ticket::of(step, self.state.track(step).trial).intended());
        }
        let room = self.concurrency().saturating_sub(shelves.open.len());
        if room == 0 {
            return None;
        }
        if let Some(&step) = shelves.next.first() {
            return Some(Ticket::of(step, self.state.track(step).trial).intended());
        }
        if let Some(&(until_ms, step)) = shelves.retries.first()
            && until_ms <= now_ms
        {
            return Some(self.retry(step, now_ms));
        }
        if let Some(&step) = shelves.ready.first() {
            return Some(Ticket::of(step, self.state.track(step).trial).intended());
        }
        self.intend_undo()
    }

    /// A try whose turn comes after the step's time was up is not made.
    fn retry(&self, step: u32, now_ms: u64) -> Event {
        let track = self.state.track(step);
        if track.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            let outcome = self.failure(step);
            return Event::Ended { step, outcome };
        }
        Ticket::of(step, track.trial).intended()
    }

    /// One step after the other, each after the one before it is undone.
    fn intend_undo(&self) -> Option<Event> {
        let &step = self.state.unwinding.as_ref()?.last()?;
        let first = Trial {
            phase: Phase::Undo,
            effect: 0,
            attempt: 1,
        };
        match &self.state.track(step).stage {
            Stage::Ended(Outcome::UndoFailed) => None,
            Stage::Ended(_) => Some(Ticket::of(step, first).intended()),
            _ => None,
        }
    }

    /// When only people can move the run on, and nobody sits there to do it.
    fn wait_for_people(&self) -> Option<Event> {
        let nothing_runs = self.state.shelves.open.is_empty() && self.state.shelves.retries.is_empty();
        if self.questions == QuestionPolicy::Wait || self.state.paused.is_some() || !nothing_runs {
            return None;
        }
        Some(Event::Paused {
            by: LIFEBOAT.to_owned(),
            reason: format!("nothing else can run: {}", self.open_decisions()),
        })
    }

    fn open_decisions(&self) -> String {
        let shelves = &self.state.shelves;
        let named = |steps: &std::collections::BTreeSet<u32>, what: &str| {
            steps
                .iter()
                .map(|&step| format!("{} {what}", self.planned(step).name))
                .collect::<Vec<_>>()
        };
        let mut all = named(&shelves.asking, "waits for an answer");
        all.extend(named(&shelves.unknown, "may or may not have worked"));
        all.extend(named(&shelves.failed, "failed"));
        if let Some(&step) = self.state.unwinding.as_ref().and_then(|stack| stack.last())
            && self.state.track(step).stage == Stage::Ended(Outcome::UndoFailed)
        {
            all.push(format!("undoing {} failed", self.planned(step).name));
        }
        all.join(", ")
    }

    /// The next time at which something becomes due by itself. What is due and only lacks room waits for
    /// an outcome, not for the clock.
    fn wake_at_ms(&self, now_ms: u64) -> Option<u64> {
        let retry = self.state.shelves.retries.first().map(|(at_ms, _)| *at_ms);
        let retry = retry.filter(|at_ms| self.state.paused.is_none() && *at_ms > now_ms);
        let look = self.hands.looks.first().map(|(at_ms, _)| *at_ms);
        retry.into_iter().chain(look).min()
    }
}

fn approval(by: &str, role: Option<&str>, reason: &str) -> Receipt {
    let role = role.map(|role| format!(" ({role})")).unwrap_or_default();
    Receipt {
        summary: format!("{by}{role}: {reason}"),
        ..Receipt::default()
    }
}

fn declined(by: &str, reason: &str) -> WorldError {
    WorldError::new(ErrorKind::Declined, by, reason)
}

/// The question that a step asks, if its current effect is one.
pub(super) const fn question(effect: &Effect) -> Option<&Ask> {
    match effect {
        Effect::Ask(ask) => Some(ask),
        _ => None,
    }
}
