//! The table of legal transitions: which event may follow which state. Says no, changes nothing.
//!
//! It does not judge decisions that need a clock (whether a retry came early) or a rule that may become
//! better (the verdict): a journal of an older lifeboat stays readable.

use super::state::{Course, Stage, Trial, effect_of};
use super::{Engine, IllegalEvent};
use crate::effect::{Class, Effect};
use crate::plan::Part;
use crate::run::{Answer, Event, Outcome, Phase};

/// Why not, as a fragment that follows "is not possible: ".
type Verdict = Result<(), String>;

impl Engine {
    /// Whether an event may happen now.
    ///
    /// # Errors
    ///
    /// Names the event and the state that forbids it.
    pub fn check(&self, event: &Event) -> Result<(), IllegalEvent> {
        self.judge(event).map_err(|because| IllegalEvent {
            event: describe(self, event),
            because,
        })
    }

    fn judge(&self, event: &Event) -> Verdict {
        if self.state.finished.is_some() {
            return no("the run has ended");
        }
        if let Some(step) = step_of(event)
            && self.state.tracks.len() <= step as usize
        {
            return no("the plan has no such step");
        }
        match event {
            Event::Began(_) => no("a run begins once"),
            Event::Resumed { .. }
            | Event::Claimed { .. }
            | Event::FencesRaised { .. }
            | Event::MirrorBehind { .. }
            | Event::MirrorCaughtUp { .. }
            | Event::Noted { .. } => Ok(()),
            Event::Intended { .. } => self.judge_intent(event),
            Event::Performed { step, .. } => self.judge_result(*step, trial_of(event), Some(Answer::Yes)),
            Event::Failed { step, .. } => self.judge_result(*step, trial_of(event), Some(Answer::No)),
            Event::Unknown { step, .. } => self.judge_result(*step, trial_of(event), None),
            Event::Answered { step, .. } => self.judge_answer(*step),
            Event::Ended { step, outcome } => self.judge_end(*step, outcome),
            Event::RetryOrdered { step, .. } => self.judge_retry(*step),
            Event::Decided { step, .. } => self.judge_finding(*step),
            Event::Paused { .. } => self.judge_pause(),
            Event::Stopping { .. } => self.judge_stop(),
            Event::Unwinding { step } => self.judge_unwinding(*step),
            Event::Finished { .. } => self.judge_finish(),
        }
    }

    /// Intents: nothing new while paused, no more at once than allowed, and each in its turn.
    fn judge_intent(&self, event: &Event) -> Verdict {
        let (Some(step), Some(trial)) = (step_of(event), trial_of(event)) else {
            return no("it names no effect");
        };
        let (planned, track) = (self.planned(step), self.state.track(step));
        if self.state.paused.is_some() {
            return no("the run is paused");
        }
        let Some(effect) = effect_of(planned, trial) else {
            return no("the step has no such effect");
        };
        if self.state.is_ending() && !planned.last && trial.phase == Phase::Forward {
            return no("the run is being ended");
        }
        if !is_question(effect) && self.state.shelves.open.len() >= self.concurrency() {
            return Err(format!(
                "as many effects as are allowed are in flight ({})",
                self.concurrency()
            ));
        }
        let first = trial.effect == 0 && trial.attempt == 1;
        match &track.stage {
            Stage::Idle if planned.part != Part::Done => no("the plan leaves this step out"),
            Stage::Idle if !self.state.is_released(planned, step) => no("steps that it needs have not ended"),
            Stage::Idle if first && trial.phase == Phase::Forward => Ok(()),
            Stage::Between | Stage::RetryWait { .. } if trial == track.trial => Ok(()),
            Stage::Ended(_) if first && self.is_next_to_undo(step, trial) => Ok(()),
            stage => Err(name(stage)),
        }
    }

    fn is_next_to_undo(&self, step: u32, trial: Trial) -> bool {
        let top = self.state.unwinding.as_ref().and_then(|stack| stack.last());
        trial.phase == Phase::Undo && top == Some(&step) && self.state.shelves.open.is_empty()
    }

    /// Results: of exactly the try that is open; `said` is the answer that a question needs for it.
    fn judge_result(&self, step: u32, trial: Option<Trial>, said: Option<Answer>) -> Verdict {
        let track = self.state.track(step);
        if trial != Some(track.trial) {
            let open = track.trial;
            return Err(format!("the step is at {}", self.words(step, open)));
        }
        match &track.stage {
            Stage::Running => Ok(()),
            Stage::Answered(reply) if said == Some(reply.answer) => Ok(()),
            stage => Err(name(stage)),
        }
    }

    fn judge_answer(&self, step: u32) -> Verdict {
        match &self.state.track(step).stage {
            Stage::Asking => Ok(()),
            stage => Err(name(stage)),
        }
    }

    fn judge_end(&self, step: u32, outcome: &Outcome) -> Verdict {
        match outcome {
            Outcome::Succeeded => self.judge_success(step, Phase::Forward),
            Outcome::Undone => self.judge_success(step, Phase::Undo),
            Outcome::Failed | Outcome::Continued | Outcome::UndoFailed => self.judge_failure(step, outcome),
            Outcome::Skipped { releases: false, .. } => self.judge_cut(step),
            Outcome::Skipped { releases: true, .. } => self.judge_skip(step),
            Outcome::MarkedDone { .. } => self.judge_decision(step),
        }
    }

    /// All effects of the phase are done; or there are none.
    fn judge_success(&self, step: u32, phase: Phase) -> Verdict {
        let (planned, track) = (self.planned(step), self.state.track(step));
        let complete = track.trial.phase == phase && effect_of(planned, track.trial).is_none();
        match &track.stage {
            Stage::Between if complete => Ok(()),
            Stage::Idle if complete && self.state.is_released(planned, step) => Ok(()),
            stage => Err(name(stage)),
        }
    }

    /// The last try has failed, or there will be no next one.
    fn judge_failure(&self, step: u32, outcome: &Outcome) -> Verdict {
        let track = self.state.track(step);
        let undo = *outcome == Outcome::UndoFailed;
        if undo != (track.trial.phase == Phase::Undo) {
            return no("that is the other direction");
        }
        match &track.stage {
            Stage::GaveUp | Stage::RetryWait { .. } => Ok(()),
            Stage::Between | Stage::Asking if undo && self.state.is_ending() => Ok(()),
            stage => Err(name(stage)),
        }
    }

    /// The run's end cuts a step off: before it began, between two effects, or in one that only looks.
    fn judge_cut(&self, step: u32) -> Verdict {
        let (planned, track) = (self.planned(step), self.state.track(step));
        if !self.state.is_ending() || (planned.last && self.state.begun) {
            return no("the run is not being ended");
        }
        match &track.stage {
            Stage::Idle => Ok(()),
            Stage::Between | Stage::Asking if track.trial.phase == Phase::Forward => Ok(()),
            Stage::Running if track.trial.phase == Phase::Forward && self.only_looks(step) => Ok(()),
            stage => Err(name(stage)),
        }
    }

    /// By the plan, or because its question needs no answer any more, as soon as its needs have ended; or by a
    /// person.
    fn judge_skip(&self, step: u32) -> Verdict {
        let (planned, track) = (self.planned(step), self.state.track(step));
        let by_itself = planned.part != Part::Done || self.state.needless(planned, track.trial).is_some();
        if by_itself && track.stage == Stage::Idle && self.state.is_released(planned, step) {
            return Ok(());
        }
        self.judge_decision(step)
    }

    /// A person decides about a step that cannot or should not go on by itself.
    fn judge_decision(&self, step: u32) -> Verdict {
        let track = self.state.track(step);
        let undo_failed = track.stage == Stage::Ended(Outcome::UndoFailed);
        match self.state.course {
            Course::Forward => {}
            Course::Undoing(_) if undo_failed || track.stage == Stage::Unknown => {}
            _ => return no("the run is being ended"),
        }
        match &track.stage {
            Stage::Idle if !self.state.is_released(self.planned(step), step) => {
                no("steps that it needs have not ended; decide about those first")
            }
            Stage::Idle
            | Stage::Between
            | Stage::Asking
            | Stage::RetryWait { .. }
            | Stage::Unknown
            | Stage::Ended(Outcome::Failed | Outcome::UndoFailed) => Ok(()),
            stage => Err(name(stage)),
        }
    }

    fn judge_retry(&self, step: u32) -> Verdict {
        let track = self.state.track(step);
        let in_doubt = track.stage == Stage::Unknown;
        let failed = |outcome| track.stage == Stage::Ended(outcome);
        match self.state.course {
            Course::Forward if in_doubt || failed(Outcome::Failed) => Ok(()),
            Course::Undoing(_) if in_doubt && track.trial.phase == Phase::Undo => Ok(()),
            Course::Undoing(_) if failed(Outcome::UndoFailed) => Ok(()),
            Course::Forward => Err(name(&track.stage)),
            _ => no("the run is being ended"),
        }
    }

    /// A finding is about an effect of which nobody knows what became of it.
    fn judge_finding(&self, step: u32) -> Verdict {
        let track = self.state.track(step);
        if track.stage != Stage::Unknown {
            return Err(name(&track.stage));
        }
        match self.state.course {
            Course::Forward => Ok(()),
            Course::Undoing(_) if track.trial.phase == Phase::Undo => Ok(()),
            _ => no("the run is being ended"),
        }
    }

    fn judge_pause(&self) -> Verdict {
        if self.state.paused.is_some() {
            return no("the run is paused already");
        }
        Ok(())
    }

    fn judge_stop(&self) -> Verdict {
        match self.state.course {
            Course::Forward | Course::Undoing(_) => Ok(()),
            Course::Stopping | Course::Failing(_) => no("the run is being ended already"),
        }
    }

    fn judge_unwinding(&self, step: u32) -> Verdict {
        if self.state.course != Course::Undoing(step) || self.state.unwinding.is_some() {
            return no("no failure asks for it");
        }
        if !self.state.shelves.unended.is_empty() {
            return no("steps have not ended");
        }
        Ok(())
    }

    fn judge_finish(&self) -> Verdict {
        if !self.state.is_settled() {
            return no("steps have not ended");
        }
        Ok(())
    }

    /// Whether the effect in flight changes nothing, so that it may be dropped at any time.
    pub(super) fn only_looks(&self, step: u32) -> bool {
        let track = self.state.track(step);
        effect_of(self.planned(step), track.trial).is_some_and(|effect| self.class(effect) == Class::Read)
    }

    /// `effect 1, attempt 2 of the undo of web-up`, counted as people count.
    fn words(&self, step: u32, trial: Trial) -> String {
        let undo = match trial.phase {
            Phase::Forward => "",
            Phase::Undo => "the undo of ",
        };
        let name = self.beginning.plan.steps.get(step as usize);
        let name = name.map_or("?", |planned| planned.name.as_str());
        format!(
            "effect {}, attempt {} of {undo}{name}",
            trial.effect.saturating_add(1),
            trial.attempt
        )
    }
}

pub(super) const fn is_question(effect: &Effect) -> bool {
    matches!(effect, Effect::Ask(_))
}

fn no(because: &str) -> Verdict {
    Err(because.to_owned())
}

/// The state of a step as a fragment.
pub(super) fn name(stage: &Stage) -> String {
    match stage {
        Stage::Idle => "the step was not begun",
        Stage::Running => "an effect of the step is in flight",
        Stage::Asking => "the step waits for an answer",
        Stage::Answered(_) => "the question was answered",
        Stage::Between => "the step is between two effects",
        Stage::RetryWait { .. } => "the step is tried again by itself",
        Stage::GaveUp => "the step is about to end",
        Stage::Unknown => "nobody knows whether the step worked",
        Stage::Ended(outcome) => return format!("the step has ended: {}", outcome_name(outcome)),
    }
    .to_owned()
}

/// An outcome in one word or two.
pub(super) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Continued => "failed, and the runbook says to go on",
        Outcome::Skipped { .. } => "skipped",
        Outcome::MarkedDone { .. } => "marked as done",
        Outcome::Undone => "undone",
        Outcome::UndoFailed => "undoing failed",
    }
}

/// The step that an event is about.
pub(super) const fn step_of(event: &Event) -> Option<u32> {
    match event {
        Event::Intended { step, .. }
        | Event::Performed { step, .. }
        | Event::Failed { step, .. }
        | Event::Unknown { step, .. }
        | Event::Answered { step, .. }
        | Event::Ended { step, .. }
        | Event::RetryOrdered { step, .. }
        | Event::Decided { step, .. }
        | Event::Unwinding { step } => Some(*step),
        Event::Began(_)
        | Event::Resumed { .. }
        | Event::Paused { .. }
        | Event::Stopping { .. }
        | Event::Claimed { .. }
        | Event::FencesRaised { .. }
        | Event::MirrorBehind { .. }
        | Event::MirrorCaughtUp { .. }
        | Event::Noted { .. }
        | Event::Finished { .. } => None,
    }
}

/// The try that an event is about.
pub(super) const fn trial_of(event: &Event) -> Option<Trial> {
    match event {
        Event::Intended {
            phase,
            effect,
            attempt,
            ..
        }
        | Event::Performed {
            phase,
            effect,
            attempt,
            ..
        }
        | Event::Failed {
            phase,
            effect,
            attempt,
            ..
        }
        | Event::Unknown {
            phase,
            effect,
            attempt,
            ..
        } => Some(Trial {
            phase: *phase,
            effect: *effect,
            attempt: *attempt,
        }),
        _ => None,
    }
}

/// An event as a person would name it.
fn describe(engine: &Engine, event: &Event) -> String {
    let what = match event {
        Event::Began(_) => "beginning",
        Event::Resumed { .. } => "resuming",
        Event::Claimed { .. } => "a claim",
        Event::FencesRaised { .. } => "raised fences",
        Event::MirrorBehind { .. } => "a late mirror",
        Event::MirrorCaughtUp { .. } => "a mirror that is up to date",
        Event::Intended { .. } => "starting",
        Event::Performed { .. } => "success",
        Event::Failed { .. } => "failure",
        Event::Unknown { .. } => "an unknown outcome",
        Event::Answered { .. } => "an answer",
        Event::Ended { outcome, .. } => outcome_name(outcome),
        Event::RetryOrdered { .. } => "retrying",
        Event::Decided { .. } => "a finding",
        Event::Noted { .. } => "a note",
        Event::Paused { .. } => "pausing",
        Event::Stopping { .. } => "stopping",
        Event::Unwinding { .. } => "undoing",
        Event::Finished { .. } => "finishing",
    };
    match (step_of(event), trial_of(event)) {
        (Some(step), Some(trial)) => format!("{what} ({})", engine.words(step, trial)),
        (Some(step), None) => {
            let planned = engine.beginning.plan.steps.get(step as usize);
            format!("{what} ({})", planned.map_or("?", |planned| &planned.name))
        }
        (None, _) => what.to_owned(),
    }
}
