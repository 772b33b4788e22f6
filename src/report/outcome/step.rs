//! What became of each step: its state, its clocks, its effects with every attempt.

use serde::{Deserialize, Serialize};

use super::fold::{AttemptFold, Fold, StepFold, index};
use crate::effect::{Class, Effect, Line, Receipt, WorldError};
use crate::plan::{Part, PlannedStep};
use crate::report::late::bound;
use crate::run::{Answer, Finding, Outcome, Phase};

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Unique in the run.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// One sentence for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Names of the steps it waited for.
    pub needs: Vec<String>,
    /// Runs when all others have ended.
    pub last: bool,
    /// Its success shows that the service is healthy.
    pub proves_health: bool,
    /// The time it was given, in milliseconds.
    pub timeout_ms: u64,
    /// The tries that each effect was given.
    pub attempts_allowed: u32,
    /// How it stands.
    pub state: StepState,
    /// Why it was skipped, or what the person said who did it by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// When everything it waited for had ended.
    pub ready_ms: Option<u64>,
    /// When its first effect began.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Time in which it did not work itself.
    pub waited: Waited,
    /// In their order.
    pub effects: Vec<EffectReport>,
    /// Its undo, in order; empty: cannot be undone.
    pub undo: Vec<EffectReport>,
    /// What a drill changed.
    pub notes: Vec<String>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun. When the run has ended: not executed.
    Pending,
    /// An effect is on its way.
    Running,
    /// It failed and will be tried again.
    Retrying,
    /// It waits for a person's answer.
    Asking,
    /// Nobody knows whether it worked; a person decides.
    Unknown,
    /// It failed for now; a person may order another try.
    Failed,
    /// All effects were performed.
    Succeeded,
    /// It failed, and its runbook said to go on.
    Continued,
    /// It was not done.
    Skipped,
    /// A person did it by hand and said so.
    MarkedDone,
    /// Its undo is on its way.
    Undoing,
    /// It was done and then undone.
    Undone,
    /// Undoing it failed: somebody must look.
    UndoFailed,
}

/// Time in which a step did not work itself, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    /// From being ready to its first effect.
    pub turn_ms: u64,
    /// For people's answers.
    pub person_ms: u64,
    /// Between a failure and the next try.
    pub retry_ms: u64,
}

/// One effect and its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectReport {
    /// As the plan draws it; late values are put in where they are known.
    pub line: Line,
    /// What a repeat does.
    pub class: Class,
    /// Whether it takes something away that cannot be given back.
    pub destructive: bool,
    /// Who may answer, where a person is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Vec<String>>,
    /// In order.
    pub attempts: Vec<AttemptReport>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptReport {
    /// From 1.
    pub number: u32,
    /// When its intent was written down.
    pub began_ms: u64,
    /// When its outcome was.
    pub ended_ms: Option<u64>,
    /// The outcome.
    pub result: AttemptResult,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "is")]
pub enum AttemptResult {
    /// No outcome is recorded.
    Open,
    /// It worked.
    Performed {
        /// The proof.
        receipt: Box<Receipt>,
    },
    /// A person answered.
    Answered {
        /// What.
        answer: Answer,
        /// Who.
        by: String,
    },
    /// It surely did not work.
    Failed {
        /// Why.
        error: WorldError,
        /// When it is tried again, if by itself.
        retry_at_ms: Option<u64>,
    },
    /// Nobody knows.
    Unknown {
        /// What is known.
        error: WorldError,
    },
    /// Nobody knew, and a person looked.
    Decided {
        /// What they found.
        finding: Finding,
        /// Who.
        by: String,
        /// What was known before.
        error: WorldError,
    },
}

impl StepState {
    /// The word that people see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Asking => "asking",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Succeeded => "ok",
            Self::Continued => "failed, went on",
            Self::Skipped => "skipped",
            Self::MarkedDone => "done by hand",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo failed",
        }
    }

    /// Whether it is nobody's turn any more.
    pub const fn is_over(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Running | Self::Retrying | Self::Asking | Self::Unknown | Self::Undoing
        )
    }
}

impl StepReport {
    /// From its first effect to its end, waiting included.
    pub fn took_ms(&self) -> Option<u64> {
        Some(self.ended_ms?.saturating_sub(self.started_ms?))
    }

    /// All its attempts, forward and undo, with their effects.
    pub fn attempts(&self) -> impl Iterator<Item = (&EffectReport, &AttemptReport)> {
        let all = self.effects.iter().chain(&self.undo);
        all.flat_map(|effect| effect.attempts.iter().map(move |attempt| (effect, attempt)))
    }

    /// Receipts of what was performed forward, in order.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.effects.iter().flat_map(EffectReport::receipts)
    }

    /// The newest error, if any attempt failed.
    pub fn last_error(&self) -> Option<&WorldError> {
        self.attempts().filter_map(|(_, attempt)| attempt.error()).last()
    }

    /// How many attempts there were beyond one per effect.
    pub fn repeats(&self) -> usize {
        self.effects
            .iter()
            .map(|effect| effect.attempts.len().saturating_sub(1))
            .sum()
    }

    /// The receipts' summaries, or why there is none.
    pub fn result(&self) -> String {
        if let Some(why) = &self.why {
            return why.clone();
        }
        let summaries: Vec<_> = self.effects.iter().filter_map(EffectReport::result).collect();
        match (&self.state, self.last_error()) {
            (StepState::Succeeded | StepState::Undone, _) | (_, None) => summaries.join("; "),
            (_, Some(error)) => error.to_string(),
        }
    }
}

impl EffectReport {
    /// Receipts of its attempts.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.attempts.iter().filter_map(|attempt| match &attempt.result {
            AttemptResult::Performed { receipt } => Some(&**receipt),
            _ => None,
        })
    }

    /// What came of it, in a few words.
    fn result(&self) -> Option<String> {
        let said = self
            .attempts
            .iter()
            .rev()
            .find_map(|attempt| match &attempt.result {
                AttemptResult::Performed { receipt } => Some(receipt.summary.clone()),
                AttemptResult::Answered {
                    answer: Answer::Yes,
                    by,
                } => Some(format!("yes, by {by}")),
                AttemptResult::Answered {
                    answer: Answer::No,
                    by,
                } => Some(format!("no, by {by}")),
                AttemptResult::Decided {
                    finding: Finding::Worked,
                    by,
                    ..
                } => Some(format!("it had worked, found {by}")),
                _ => None,
            });
        said.filter(|text| !text.is_empty())
    }
}

impl AttemptReport {
    /// Its error, if it failed or nobody knows.
    pub const fn error(&self) -> Option<&WorldError> {
        match &self.result {
            AttemptResult::Failed { error, .. }
            | AttemptResult::Unknown { error }
            | AttemptResult::Decided {
                finding: Finding::Failed,
                error,
                ..
            } => Some(error),
            _ => None,
        }
    }
}

/// One report per step of the plan, in its order.
pub(super) fn reports(fold: &Fold) -> Vec<StepReport> {
    let pairs = fold.begun.plan.steps.iter().zip(&fold.steps);
    pairs
        .map(|(planned, known)| report(fold, planned, known))
        .collect()
}

fn report(fold: &Fold, planned: &PlannedStep, known: &StepFold) -> StepReport {
    let ready_ms = fold.ready_ms(planned);
    let forward = |phase| known.attempts.iter().filter(move |one| one.phase == phase);
    let started_ms = forward(Phase::Forward).map(|one| one.began_ms).min();
    let effects = |list: &[Effect], phase| {
        let all = list.iter().zip(0_u32..);
        all.map(|(effect, at)| {
            effect_report(fold, effect, forward(phase).filter(move |one| one.effect == at))
        })
        .collect::<Vec<_>>()
    };
    let effects_forward = effects(&planned.effects, Phase::Forward);
    StepReport {
        name: planned.name.clone(),
        kind: planned.kind.clone(),
        description: planned.description.clone(),
        needs: planned.needs.iter().map(|need| fold.name(*need)).collect(),
        last: planned.last,
        proves_health: planned.proves_health,
        timeout_ms: planned.policy.timeout_ms,
        attempts_allowed: planned.policy.attempts,
        state: state_of(planned, known),
        why: why(planned, known),
        ready_ms,
        started_ms,
        ended_ms: known.ended_ms,
        waited: waited(ready_ms, started_ms, &effects_forward),
        effects: effects_forward,
        undo: effects(&planned.undo, Phase::Undo),
        notes: planned.notes.clone(),
    }
}

fn effect_report<'a>(
    fold: &Fold,
    effect: &Effect,
    attempts: impl Iterator<Item = &'a AttemptFold>,
) -> EffectReport {
    let shown = bound(effect, |step, name| fold.output(step, name));
    EffectReport {
        line: shown.meaning().line(),
        class: effect.meaning().class(),
        destructive: effect.meaning().destructive(),
        asked: match effect {
            Effect::Ask(ask) => Some(ask.by.clone()),
            _ => None,
        },
        attempts: attempts.map(attempt_report).collect(),
    }
}

fn attempt_report(attempt: &AttemptFold) -> AttemptReport {
    AttemptReport {
        number: attempt.number,
        began_ms: attempt.began_ms,
        ended_ms: attempt.ended_ms,
        result: attempt.result.clone(),
    }
}

fn why(planned: &PlannedStep, known: &StepFold) -> Option<String> {
    match (&known.outcome, &planned.part) {
        (Some(Outcome::Skipped { why, .. }), _) | (None, Part::Skipped(why)) => Some(why.clone()),
        (Some(Outcome::MarkedDone { by, reason }), _) => Some(format!("done by hand by {by}: {reason}")),
        _ => None,
    }
}

fn waited(ready_ms: Option<u64>, started_ms: Option<u64>, effects: &[EffectReport]) -> Waited {
    let mut waited = Waited::default();
    if let (Some(ready), Some(started)) = (ready_ms, started_ms) {
        waited.turn_ms = started.saturating_sub(ready);
    }
    for effect in effects {
        for attempt in &effect.attempts {
            let lasted = attempt
                .ended_ms
                .map_or(0, |end| end.saturating_sub(attempt.began_ms));
            waited.person_ms += if effect.asked.is_some() { lasted } else { 0 };
        }
        for pair in effect.attempts.windows(2) {
            if let [failed, again] = pair {
                let end = failed.ended_ms.unwrap_or(again.began_ms);
                waited.retry_ms += again.began_ms.saturating_sub(end);
            }
        }
    }
    waited
}

impl Fold {
    /// What a step has told under this name, newest first.
    pub(crate) fn output(&self, step: &str, name: &str) -> Option<String> {
        let at = self
            .begun
            .plan
            .steps
            .iter()
            .position(|planned| planned.name == step)?;
        let mut newest = self.steps.get(at)?.attempts.iter().rev();
        newest.find_map(|attempt| match &attempt.result {
            AttemptResult::Performed { receipt } => receipt.outputs.get(name).cloned(),
            _ => None,
        })
    }

    /// From when a step's time is counted: its first attempt since it was begun, undone, answered or
    /// ordered again, but not before the run was taken up again.
    pub(crate) fn trying_since(&self, planned: &PlannedStep, known: &StepFold) -> u64 {
        let phase = known.attempts.last().map(|attempt| attempt.phase);
        let asks = |attempt: &&AttemptFold| {
            matches!(planned.effects.get(index(attempt.effect)), Some(Effect::Ask(_)))
        };
        let mine = known.attempts.iter().rev().take_while(|attempt| {
            Some(attempt.phase) == phase && !asks(attempt) && attempt.began_ms >= known.ordered_ms
        });
        let first = mine.last().map_or(self.elapsed_ms, |attempt| attempt.began_ms);
        first.max(self.resumed_ms)
    }

    /// When everything that a step waits for had ended; `None` while it has not.
    pub(crate) fn ready_ms(&self, planned: &PlannedStep) -> Option<u64> {
        let mut ready = 0;
        for need in self.waits_for(planned) {
            let known = self.step(need)?;
            match &known.outcome {
                Some(outcome) if planned.last || releases(outcome) => ready = ready.max(known.ended_ms?),
                None if self.skipped_by_plan(need) => {}
                _ => return None,
            }
        }
        Some(ready)
    }

    /// Indices of the steps that a step waits for: its needs, or all others if it runs last.
    pub(crate) fn waits_for(&self, planned: &PlannedStep) -> Vec<u32> {
        if !planned.last {
            return planned.needs.clone();
        }
        let steps = self.begun.plan.steps.iter().zip(0_u32..);
        steps.filter(|(other, _)| !other.last).map(|(_, at)| at).collect()
    }

    fn skipped_by_plan(&self, step: u32) -> bool {
        self.planned(step)
            .is_some_and(|planned| matches!(planned.part, Part::Skipped(_)))
    }
}

/// How a step stands.
pub(crate) fn state_of(planned: &PlannedStep, known: &StepFold) -> StepState {
    if let Some(attempt) = known.attempts.last().filter(|one| one.phase == Phase::Undo) {
        return undo_state(known, attempt);
    }
    if let Some(outcome) = &known.outcome {
        return outcome_state(outcome);
    }
    if matches!(planned.part, Part::Skipped(_)) {
        return StepState::Skipped;
    }
    let newest = known.attempts.last();
    newest.map_or(StepState::Pending, |attempt| attempt_state(planned, attempt))
}

const fn releases(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Succeeded | Outcome::Continued | Outcome::MarkedDone { .. } => true,
        Outcome::Skipped { releases, .. } => *releases,
        Outcome::Failed | Outcome::Undone | Outcome::UndoFailed => false,
    }
}

const fn outcome_state(outcome: &Outcome) -> StepState {
    match outcome {
        Outcome::Succeeded => StepState::Succeeded,
        Outcome::Failed => StepState::Failed,
        Outcome::Continued => StepState::Continued,
        Outcome::Skipped { .. } => StepState::Skipped,
        Outcome::MarkedDone { .. } => StepState::MarkedDone,
        Outcome::Undone => StepState::Undone,
        Outcome::UndoFailed => StepState::UndoFailed,
    }
}

fn undo_state(known: &StepFold, attempt: &AttemptFold) -> StepState {
    match (&known.outcome, &attempt.result) {
        (Some(Outcome::Undone), _) => StepState::Undone,
        (Some(Outcome::UndoFailed), _) => StepState::UndoFailed,
        (_, AttemptResult::Unknown { .. }) => StepState::Unknown,
        _ => StepState::Undoing,
    }
}

fn attempt_state(planned: &PlannedStep, attempt: &AttemptFold) -> StepState {
    let effect = planned.effects.get(index(attempt.effect));
    match &attempt.result {
        AttemptResult::Open if matches!(effect, Some(Effect::Ask(_))) => StepState::Asking,
        AttemptResult::Failed {
            retry_at_ms: Some(_), ..
        } => StepState::Retrying,
        AttemptResult::Failed { .. }
        | AttemptResult::Decided {
            finding: Finding::Failed,
            ..
        } => StepState::Failed,
        AttemptResult::Unknown { .. } => StepState::Unknown,
        AttemptResult::Open
        | AttemptResult::Performed { .. }
        | AttemptResult::Answered { .. }
        | AttemptResult::Decided { .. } => StepState::Running,
    }
}
