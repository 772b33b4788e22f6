//! What each event does to the state. Called only with events that the table allows.

use super::state::{Course, Hold, Reply, Stage, State, Trial, effect_of};
use super::{Engine, check};
use crate::effect::{Class, ErrorKind, Receipt, WorldError};
use crate::run::{Event, Finding, Operator, Outcome, Phase};
use crate::runbook::OnFailure;

impl Engine {
    /// Folds one legal event.
    pub(super) fn fold(&mut self, event: &Event, elapsed_ms: u64) {
        self.state.now_ms = self.state.now_ms.max(elapsed_ms);
        match event {
            Event::Began(_)
            | Event::Claimed { .. }
            | Event::FencesRaised { .. }
            | Event::MirrorBehind { .. }
            | Event::MirrorCaughtUp { .. }
            | Event::Noted { .. } => {}
            Event::Resumed { operator } => self.fold_resumed(operator),
            Event::Intended { step, .. } => self.fold_intent(*step, check::trial_of(event)),
            Event::Performed { step, receipt, .. } => self.fold_performed(*step, receipt),
            Event::Failed {
                step,
                error,
                retry_at_ms,
                ..
            } => self.fold_failed(*step, error, *retry_at_ms),
            Event::Unknown { step, error, .. } => self.fold_unknown(*step, error),
            Event::Answered {
                step,
                answer,
                by,
                role,
                reason,
                ..
            } => self.fold_answer(
                *step,
                Reply {
                    answer: *answer,
                    by: by.clone(),
                    role: role.clone(),
                    reason: reason.clone(),
                },
            ),
            Event::Ended { step, outcome } => self.fold_end(*step, outcome),
            Event::RetryOrdered { step, .. } => self.fold_retry(*step),
            Event::Decided { step, finding, .. } => self.fold_finding(*step, *finding),
            Event::Paused { by, reason } => self.fold_paused(by, reason),
            Event::Stopping { .. } => self.fold_stopping(),
            Event::Unwinding { .. } => self.fold_unwinding(),
            Event::Finished { verdict } => self.state.finished = Some(*verdict),
        }
        self.state.look_for_end(&self.beginning.plan);
    }

    /// A pause ends, and every step that was on its way has its full time again: the time in which nobody
    /// worked on it is not its own, and nobody knows exactly how long that was.
    fn fold_resumed(&mut self, operator: &Operator) {
        self.state.carriers.push(operator.clone());
        self.state.paused = None;
        let now_ms = self.state.now_ms;
        let State { alarms, tracks, .. } = &mut self.state;
        // Whoever takes it up again has logged in, or is about to be told so.
        alarms.retain(|step| !matches!(tracks[*step as usize].stage, Stage::RetryWait { .. }));
        for (track, planned) in tracks.iter_mut().zip(&self.beginning.plan.steps) {
            if track.deadline_ms.is_some() {
                track.deadline_ms = Some(now_ms.saturating_add(planned.policy.timeout_ms));
            }
        }
    }

    fn fold_intent(&mut self, step: u32, trial: Option<Trial>) {
        let Some(trial) = trial else { return };
        let planned = &self.beginning.plan.steps[step as usize];
        let Some(effect) = effect_of(planned, trial) else {
            return;
        };
        let (question, class) = (check::is_question(effect), self.class(effect));
        let timeout_ms = planned.policy.timeout_ms;
        let now_ms = self.state.now_ms;
        self.state.begun = true;
        let track = self.state.track_mut(step);
        if trial.phase == Phase::Forward {
            track.begun = true;
            track.changed |= class != Class::Read && !question;
            let timing = &mut track.effects[trial.effect as usize];
            timing.began_ms.get_or_insert(now_ms);
            timing.attempts = trial.attempt;
        }
        track.began_ms.get_or_insert(now_ms);
        track.ended_ms = None;
        track.deadline_ms = if question {
            None
        } else {
            track.deadline_ms.or(Some(now_ms.saturating_add(timeout_ms)))
        };
        let stage = if question { Stage::Asking } else { Stage::Running };
        self.state.set(&self.beginning.plan, step, stage, trial);
    }

    fn fold_performed(&mut self, step: u32, receipt: &Receipt) {
        let trial = self.state.track(step).trial;
        self.close_effect(step, trial);
        if trial.phase == Phase::Forward && !receipt.outputs.is_empty() {
            let name = self.planned(step).name.clone();
            let outputs = receipt
                .outputs
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()));
            self.state.outputs.entry(name).or_default().extend(outputs);
        }
        let track = self.state.track_mut(step);
        track.error = None;
        track.forgiven = 0;
        self.state
            .set(&self.beginning.plan, step, Stage::Between, trial.after());
    }

    fn fold_failed(&mut self, step: u32, error: &WorldError, retry_at_ms: Option<u64>) {
        let trial = self.state.track(step).trial;
        self.close_effect(step, trial);
        let track = self.state.track_mut(step);
        track.error = Some(error.clone());
        // Nobody let it try.
        if error.kind == ErrorKind::Unauthenticated && retry_at_ms.is_some() {
            track.forgiven = track.forgiven.saturating_add(1);
            self.state.alarms.insert(step);
        }
        let (stage, trial) = match retry_at_ms {
            Some(until_ms) => (Stage::RetryWait { until_ms }, trial.again()),
            None => (Stage::GaveUp, trial),
        };
        self.state.set(&self.beginning.plan, step, stage, trial);
    }

    /// Where a run cleans up after itself, nobody is waited for: it fails and cleans up.
    fn fold_unknown(&mut self, step: u32, error: &WorldError) {
        let trial = self.state.track(step).trial;
        self.close_effect(step, trial);
        let track = self.state.track_mut(step);
        track.error = Some(error.clone());
        track.deadline_ms = None;
        self.state.set(&self.beginning.plan, step, Stage::Unknown, trial);
        if self.planned(step).last {
            self.release_dependents(step);
        } else if self.has_last {
            self.turn(Course::Failing(step));
        }
    }

    fn fold_answer(&mut self, step: u32, reply: Reply) {
        let trial = self.state.track(step).trial;
        self.state
            .set(&self.beginning.plan, step, Stage::Answered(reply), trial);
    }

    fn close_effect(&mut self, step: u32, trial: Trial) {
        let now_ms = self.state.now_ms;
        let track = self.state.track_mut(step);
        if trial.phase == Phase::Forward
            && let Some(timing) = track.effects.get_mut(trial.effect as usize)
        {
            timing.ended_ms = Some(now_ms);
        }
    }

    fn fold_end(&mut self, step: u32, outcome: &Outcome) {
        let now_ms = self.state.now_ms;
        self.state.ends = self.state.ends.saturating_add(1);
        let rank = self.state.ends;
        let track = self.state.track_mut(step);
        let undo_was_tried = track.trial.phase == Phase::Undo;
        let trial = track.trial;
        track.began_ms.get_or_insert(now_ms);
        track.ended_ms = Some(now_ms);
        track.deadline_ms = None;
        track.rank = rank;
        let by_hand = matches!(outcome, Outcome::MarkedDone { .. });
        track.undone = *outcome == Outcome::Undone || (undo_was_tried && by_hand);
        let ended = Stage::Ended(outcome.clone());
        self.state.set(&self.beginning.plan, step, ended, trial);
        self.state.alarms.remove(&step);
        self.leave_unwinding(step, outcome);
        if releases(outcome) {
            self.release_dependents(step);
        }
        self.follow_policy(step, outcome);
    }

    fn leave_unwinding(&mut self, step: u32, outcome: &Outcome) {
        if *outcome == Outcome::UndoFailed {
            return;
        }
        if let Some(stack) = &mut self.state.unwinding
            && stack.last() == Some(&step)
        {
            stack.pop();
        }
    }

    /// Once per step, whatever is decided about it later. A `last` step releases `last` ones however it
    /// ends: cleaning up one thing does not depend on having cleaned up another.
    fn release_dependents(&mut self, step: u32) {
        let track = self.state.track_mut(step);
        if std::mem::replace(&mut track.released, true) {
            return;
        }
        let last = self.planned(step).last;
        for &dependent in &self.dependents[step as usize] {
            if last == self.beginning.plan.steps[dependent as usize].last {
                self.state.release(&self.beginning.plan, dependent);
            }
        }
    }

    /// What a failure means for the run.
    fn follow_policy(&mut self, step: u32, outcome: &Outcome) {
        let planned = self.planned(step);
        let on_failure = planned.policy.on_failure;
        if planned.last {
            return self.release_dependents(step);
        }
        match (outcome, self.state.course) {
            (Outcome::Failed, Course::Forward) => match on_failure {
                OnFailure::Pause | OnFailure::Stop | OnFailure::Undo if self.has_last => {
                    self.turn(Course::Failing(step));
                }
                OnFailure::Stop => self.turn(Course::Failing(step)),
                OnFailure::Undo => self.turn(Course::Undoing(step)),
                OnFailure::Pause | OnFailure::Continue => {
                    self.state.alarms.insert(step);
                }
            },
            (Outcome::UndoFailed, Course::Undoing(_)) => {
                self.state.alarms.insert(step);
            }
            _ => {}
        }
    }

    /// Only the first reason to end a run counts, except that a person may always end it.
    fn turn(&mut self, course: Course) {
        if self.state.course == Course::Forward || course == Course::Stopping {
            self.state.course = course;
            self.state.alarms.clear();
        }
    }

    fn fold_retry(&mut self, step: u32) {
        let track = self.state.track_mut(step);
        let trial = track.trial;
        track.forgiven = trial.attempt;
        track.deadline_ms = None;
        track.ended_ms = None;
        self.state.alarms.remove(&step);
        let next = trial.again();
        self.state.set(&self.beginning.plan, step, Stage::Between, next);
    }

    /// What was carried out is not repeated; what was not has failed, as the world would have said.
    fn fold_finding(&mut self, step: u32, finding: Finding) {
        let track = self.state.track_mut(step);
        let trial = track.trial;
        let (stage, next) = match finding {
            Finding::Worked => {
                track.error = None;
                track.forgiven = 0;
                (Stage::Between, trial.after())
            }
            Finding::Failed => (Stage::GaveUp, trial),
        };
        self.state.set(&self.beginning.plan, step, stage, next);
    }

    fn fold_paused(&mut self, by: &str, reason: &str) {
        self.state.alarms.clear();
        self.state.paused = Some(Hold {
            by: by.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// The end is wanted, so a pause does not keep it.
    fn fold_stopping(&mut self) {
        self.state.paused = None;
        self.state.unwinding = None;
        self.turn(Course::Stopping);
    }

    /// Whatever was begun is undone, whether it worked or not: a step that failed may have changed the
    /// world more than one that did not. The latest to end is the first to be undone.
    fn fold_unwinding(&mut self) {
        let steps = (0u32..).zip(self.state.tracks.iter().zip(&self.beginning.plan.steps));
        let mut stack: Vec<(u64, u32)> = steps
            .filter(|(_, (track, planned))| track.begun && !planned.undo.is_empty())
            .map(|(step, (track, _))| (track.rank, step))
            .collect();
        stack.sort_unstable();
        for (_, step) in &stack {
            self.state.track_mut(*step).forgiven = 0;
        }
        self.state.unwinding = Some(stack.into_iter().map(|(_, step)| step).collect());
    }
}

/// Whether steps that need it may start.
const fn releases(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Succeeded | Outcome::Continued | Outcome::MarkedDone { .. } => true,
        Outcome::Skipped { releases, .. } => *releases,
        Outcome::Failed | Outcome::Undone | Outcome::UndoFailed => false,
    }
}

impl Trial {
    /// The next try of the same effect.
    const fn again(self) -> Self {
        Self {
            attempt: self.attempt.saturating_add(1),
            ..self
        }
    }
}
