//! The two numbers that everything is about, each with how it was measured or why it was not.
//!
//! ## Why
//!
//! RTO runs from the declaration of the incident to health that a step proved: customers wait while people
//! decide, too. Where nothing was declared it is the recovery's own time, from the run's beginning; the time
//! to notice comes on top in either case, and the report says so. RPO is the run's beginning
//! minus the consistent point that the *receipt* of the restore names, not the plan: what was
//! restored counts, not what was meant to be.

use serde::{Deserialize, Serialize};

use super::fold::{Fold, StepFold};
use super::step::{StepState, state_of};
use super::{AttemptResult, State};
use crate::effect::{DriveVelero, Effect, Receipt, VeleroWork};
use crate::plan::{Part, PlannedStep};
use crate::report::units::{between_ms, duration};
use crate::run::Outcome;
use crate::runbook::Mode;

/// An objective and what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// The objective; `None`: nobody has decided one.
    pub target_ms: Option<u64>,
    /// What was measured; `None`: see `how`.
    pub measured_ms: Option<u64>,
    /// How the two compare.
    pub reached: Reached,
    /// How it was measured, or why it could not be: a fragment.
    pub how: String,
}

/// How an objective and a measurement compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Measured and not more than the objective.
    Met,
    /// More than the objective, or not reached when that time was over.
    Missed,
    /// Could not be measured. Counts as a miss.
    NotMeasured,
    /// Measured, and nobody has decided an objective.
    NoTarget,
    /// This mode recovers nothing.
    NotApplicable,
}

impl Reached {
    /// The word that people see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::NotMeasured => "not measured",
            Self::NoTarget => "no objective",
            Self::NotApplicable => "not applicable",
        }
    }
}

impl Measure {
    /// Whether it must not be shown as achieved.
    pub const fn is_miss(&self) -> bool {
        matches!(self.reached, Reached::Missed | Reached::NotMeasured)
    }

    fn measured(target_ms: Option<u64>, measured_ms: u64, how: impl Into<String>) -> Self {
        let reached = match target_ms {
            Some(target) if measured_ms <= target => Reached::Met,
            Some(_) => Reached::Missed,
            None => Reached::NoTarget,
        };
        Self {
            target_ms,
            measured_ms: Some(measured_ms),
            reached,
            how: how.into(),
        }
    }

    fn missing(target_ms: Option<u64>, how: impl Into<String>) -> Self {
        Self {
            target_ms,
            measured_ms: None,
            reached: Reached::NotMeasured,
            how: how.into(),
        }
    }

    fn not_applicable(target_ms: Option<u64>) -> Self {
        Self {
            reached: Reached::NotApplicable,
            ..Self::missing(
                target_ms,
                "this mode makes backups and copies; it recovers nothing",
            )
        }
    }
}

/// How long people took to decide: from the declaration to the run's beginning; `None`: nothing was declared.
pub(super) fn decision_time(fold: &Fold) -> Option<Measure> {
    let declared = fold.begun.declared.as_ref()?;
    let target = declared.decide_within_ms;
    Some(match between_ms(declared.at, fold.began_at) {
        Some(ms) => Measure::measured(target, ms, "from the declaration to the start of the run"),
        None => Measure::missing(
            target,
            "the declaration lies after the start of the run: the clocks disagree",
        ),
    })
}

/// From the declaration, or where there is none from the beginning, to the end of the last step that proves
/// health, once all of them succeeded.
pub(crate) fn recovery_time(fold: &Fold) -> Measure {
    let target = fold.begun.plan.objectives.rto_ms;
    if fold.begun.plan.mode == Mode::Protect {
        return Measure::not_applicable(target);
    }
    let planned = fold.begun.plan.steps.iter().zip(&fold.steps);
    let wanted: Vec<_> = planned
        .filter(|(step, _)| step.proves_health && step.part == Part::Done)
        .collect();
    let Some(missing) = unproved(&wanted) else {
        return measured_to(fold, &wanted);
    };
    match target {
        Some(target_ms) if fold.waited_ms() > target_ms && !wanted.is_empty() => Measure {
            reached: Reached::Missed,
            ..Measure::missing(
                target,
                format!("{missing} when {} were over", duration(target_ms)),
            )
        },
        _ => Measure::missing(target, missing),
    }
}

/// Why health is not proved; `None` if it is.
fn unproved(wanted: &[(&PlannedStep, &StepFold)]) -> Option<String> {
    /// The table of steps has all of them.
    const NAMED: usize = 3;
    if wanted.is_empty() {
        return Some("no step that takes part proves health".to_owned());
    }
    let missing: Vec<_> = wanted
        .iter()
        .map(|(planned, known)| (&planned.name, state_of(planned, known)))
        .filter(|(_, state)| *state != StepState::Succeeded)
        .map(|(name, state)| format!("{name} {}", state.word()))
        .collect();
    let more = match missing.len() {
        0 => return None,
        1..=NAMED => String::new(),
        n => format!(" and {} more", n - NAMED),
    };
    let first: Vec<_> = missing.into_iter().take(NAMED).collect();
    Some(format!("health is not proved: {}{more}", first.join(", ")))
}

fn measured_to(fold: &Fold, wanted: &[(&PlannedStep, &StepFold)]) -> Measure {
    let last = wanted.iter().max_by_key(|(_, known)| known.ended_ms);
    let (name, end) = last.map_or(("", None), |(planned, known)| {
        (planned.name.as_str(), known.ended_ms)
    });
    let from = if fold.begun.declared.is_some() {
        "from the declaration"
    } else {
        "from the start"
    };
    let how = match wanted.len() {
        1 => format!("{from} to the end of {name}, which proves health"),
        n => format!("{from} to the end of {name}, the last of {n} steps that prove health"),
    };
    let measured_ms = end.unwrap_or(0).saturating_add(fold.decided_ms());
    Measure::measured(fold.begun.plan.objectives.rto_ms, measured_ms, how)
}

/// From the oldest consistent point that was restored to the run's beginning.
pub(super) fn recovery_point(fold: &Fold) -> Measure {
    let target = fold.begun.plan.objectives.rpo_ms;
    if fold.begun.plan.mode == Mode::Protect {
        return Measure::not_applicable(target);
    }
    let restores: Vec<_> = restores(fold).collect();
    if restores.is_empty() {
        return Measure::missing(target, "no step of this run restores data");
    }
    let mut worst: Option<(u64, String)> = None;
    for (planned, known, effect) in restores {
        match loss(fold, planned, known, effect) {
            Err(why) => return Measure::missing(target, why),
            Ok((lost, how)) if worst.as_ref().is_none_or(|(most, _)| lost > *most) => {
                worst = Some((lost, how));
            }
            Ok(_) => {}
        }
    }
    let (lost, how) = worst.unwrap_or_default();
    Measure::measured(target, lost, how)
}

fn restores(fold: &Fold) -> impl Iterator<Item = (&PlannedStep, &StepFold, u32)> {
    let done = fold
        .begun
        .plan
        .steps
        .iter()
        .zip(&fold.steps)
        .filter(|(step, _)| step.part == Part::Done);
    done.flat_map(|(step, known)| {
        let effects = step.effects.iter().zip(0_u32..);
        effects
            .filter(|(effect, _)| restores_data(effect))
            .map(move |(_, at)| (step, known, at))
    })
}

/// How much one restore lost, or why nobody can say.
fn loss(fold: &Fold, planned: &PlannedStep, known: &StepFold, effect: u32) -> Result<(u64, String), String> {
    let name = &planned.name;
    let ended = matches!(fold.state, State::Ended { .. });
    let Some(receipt) = receipt(known, effect) else {
        return Err(match &known.outcome {
            Some(Outcome::MarkedDone { .. }) => {
                format!("{name} was done by hand: nothing shows from which data")
            }
            _ if ended => format!("{name} restored nothing"),
            _ => format!("{name} has not restored anything yet"),
        });
    };
    let Some(consistent_at) = receipt.consistent_at else {
        return Err(format!("the receipt of {name} names no consistent point"));
    };
    match between_ms(consistent_at, fold.began_at) {
        Some(lost) => Ok((lost, "from the backup's consistent point to the start".to_owned())),
        None if made_here(fold, receipt) => {
            Ok((0, "the backup was made in this run, after its start".to_owned()))
        }
        None => Err("the backup's consistent point lies after the start: the clocks disagree".to_owned()),
    }
}

fn receipt(known: &StepFold, effect: u32) -> Option<&Receipt> {
    known
        .attempts
        .iter()
        .rev()
        .find_map(|attempt| match &attempt.result {
            AttemptResult::Performed { receipt }
                if attempt.effect == effect && attempt.phase == crate::run::Phase::Forward =>
            {
                Some(&**receipt)
            }
            _ => None,
        })
}

/// Whether the restored backup is one that a step of this run wrote.
fn made_here(fold: &Fold, restored: &Receipt) -> bool {
    let Some(name) = restored.outputs.get("backup") else {
        return false;
    };
    let backups = fold.begun.plan.steps.iter().zip(&fold.steps);
    backups
        .filter(|(step, _)| step.effects.iter().any(makes_a_backup))
        .flat_map(|(_, known)| &known.attempts)
        .any(|attempt| matches!(&attempt.result, AttemptResult::Performed { receipt } if receipt.outputs.get("backup") == Some(name)))
}

/// Whether its receipt says of which moment the restored data is.
const fn restores_data(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::RestoreObjects(_)
            | Effect::DriveVelero(DriveVelero {
                work: VeleroWork::Restore { .. },
                ..
            })
    )
}

const fn makes_a_backup(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::BackupObjects(_)
            | Effect::DriveVelero(DriveVelero {
                work: VeleroWork::Backup { .. },
                ..
            })
    )
}
