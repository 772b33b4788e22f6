//! What became of a run, as one value: `report.json` is it, and every other rendering reads it.
//!
//! A fold of the journal that is independent of the engine: it repeats no decision and believes no
//! verdict that the receipts do not bear out. What was not observed is `None` with a reason, and a
//! missing proof counts as a miss.

mod fold;
mod ledger;
mod measure;
mod risks;
mod step;

#[cfg(test)]
mod tests;

pub(crate) use fold::{Fold, StepFold, index};
pub use ledger::{Ledger, Left};
pub(crate) use measure::recovery_time;
pub use measure::{Measure, Reached};
pub use risks::{Fencing, TakenRisk};
pub(crate) use step::state_of;
pub use step::{AttemptReport, AttemptResult, EffectReport, StepReport, StepState, Waited};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::{BackupSeen, Sandbox, SiteSeen};
use crate::plan::{Digest, LeftOut, Subject, Warning};
use crate::run::{Answer, Declaration, Entry, Finding, Operator, RunId, Verdict};
use crate::runbook::Mode;

/// Everything that is known of a run. Times of day are wall clock, `…_ms` count from its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Version of this format.
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// What wrote the journal: `lifeboat 0.1.0`.
    pub tool: String,
    /// Of the plan that was carried out, as the journal says.
    pub digest: Digest,
    /// The runbook and whose service it is.
    pub subject: Subject,
    /// What for.
    pub mode: Mode,
    /// Role → site.
    pub roles: BTreeMap<String, String>,
    /// The clusters as they identified themselves when planning.
    pub sites: BTreeMap<String, SiteSeen>,
    /// The inputs' values.
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// The walls, in a drill.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sandbox: Option<Sandbox>,
    /// Who started it.
    pub operator: Operator,
    /// When it began.
    pub began_at: Timestamp,
    /// When the last entry was written: its end, if it has ended.
    pub last_at: Timestamp,
    /// The same on the run's own clock.
    pub elapsed_ms: u64,
    /// How it stands.
    pub state: State,
    /// The declared incident that it was for: the clock started there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub declared: Option<Declaration>,
    /// How long people took to decide, where an incident was declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Measure>,
    /// How long recovery took.
    pub rto: Measure,
    /// How much data was lost or would have been.
    pub rpo: Measure,
    /// In the plan's order.
    pub steps: Vec<StepReport>,
    /// Steps of the runbook that took no part, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What people and processes did to the run, in order.
    pub acts: Vec<Act>,
    /// Whether the side that served was proved to have stopped, fence by fence.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fences: Vec<Fencing>,
    /// Risks that people took in their own names, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub risks: Vec<TakenRisk>,
    /// Created against deleted.
    pub ledger: Ledger,
    /// Backups that the plan restores from, as seen when planning.
    pub backups: Vec<BackupSeen>,
    /// What the plan warned of.
    pub warnings: Vec<Warning>,
    /// What is wrong with the journal itself, each a fragment; whoever reads the file adds to it.
    pub problems: Vec<String>,
}

/// How a run stands, as its journal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// No end is recorded: it runs, or its process died.
    Open,
    /// A durable pause; nothing new starts.
    Paused {
        /// Who or what asked for it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The end was asked for and is not reached.
    Stopping {
        /// Who or what asked for it.
        by: String,
        /// Why.
        reason: String,
    },
    /// It is being undone.
    Unwinding {
        /// The step whose failure asked for it.
        step: String,
    },
    /// Nothing follows.
    Ended {
        /// How, in the journal's own words; see [`Summary::ending`].
        verdict: Verdict,
    },
}

/// How a run ended or why it has not, checked against the receipts: what an exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every step did what it should.
    Recovered,
    /// It reached its end, but a step failed and its runbook said to go on.
    RecoveredWithFailures,
    /// It did not.
    Failed,
    /// It failed and everything done was undone.
    Undone,
    /// A person ended it.
    Stopped,
    /// Something that a drill made is still there, or nothing shows that it is gone.
    NotTornDown,
    /// It waits for a person.
    Paused,
    /// No end is recorded.
    Open,
}

/// One thing that somebody did to the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// On the run's clock.
    pub at_ms: u64,
    /// On the wall clock.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// Who or what, as it named itself.
    pub by: String,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// From which account, as far as its machine knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// To which step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<String>,
    /// Why; empty where nobody is asked for a reason.
    pub reason: String,
}

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Started the run.
    Started,
    /// Took it up again.
    Resumed,
    /// Answered a question.
    Answered(Answer),
    /// Ordered another try.
    OrderedRetry,
    /// Said what became of an effect of which nobody knew it.
    Decided(Finding),
    /// Wrote something down.
    Noted,
    /// Said that it was done by hand.
    MarkedDone,
    /// Paused it.
    Paused,
    /// Asked for its end.
    Stopped,
}

impl Deed {
    /// What it was, after the name of who did it: `anna answered yes`.
    pub const fn did(self) -> &'static str {
        match self {
            Self::Started => "started the run",
            Self::Resumed => "took the run up again",
            Self::Answered(Answer::Yes) => "answered yes",
            Self::Answered(Answer::No) => "answered no",
            Self::OrderedRetry => "ordered another try",
            Self::Decided(Finding::Worked) => "looked, and found that it had worked",
            Self::Decided(Finding::Failed) => "looked, and found that it had not worked",
            Self::Noted => "noted",
            Self::MarkedDone => "said that it was done by hand",
            Self::Paused => "paused the run",
            Self::Stopped => "asked for the end",
        }
    }
}

/// The entries are not a run's journal from its beginning, so there is nothing to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the journal of a run: its first entry is not a beginning")]
pub struct NoBeginning;

impl Summary {
    /// The format that this binary writes.
    pub const FORMAT: u32 = 1;

    /// The summary of a journal.
    ///
    /// # Errors
    ///
    /// Where the first entry does not begin a run.
    pub fn of(entries: &[Entry]) -> Result<Self, NoBeginning> {
        let (first, rest) = entries.split_first().ok_or(NoBeginning)?;
        let mut fold = Fold::begin(first)?;
        for entry in rest {
            fold.push(entry);
        }
        Ok(Self::from_fold(&fold))
    }

    pub(crate) fn from_fold(fold: &Fold) -> Self {
        let plan = &fold.begun.plan;
        let steps = step::reports(fold);
        let ledger = Ledger::of(fold, &steps);
        Self {
            format: Self::FORMAT,
            run: fold.begun.run.clone(),
            tool: fold.begun.tool.clone(),
            digest: fold.begun.digest.clone(),
            subject: plan.runbook.clone(),
            mode: plan.mode,
            roles: plan.roles.clone(),
            sites: plan.sites.clone(),
            inputs: plan.inputs.clone(),
            sandbox: plan.sandbox.clone(),
            operator: fold.begun.operator.clone(),
            began_at: fold.began_at,
            last_at: fold.last_at,
            elapsed_ms: fold.elapsed_ms,
            state: fold.state.clone(),
            declared: fold.begun.declared.clone(),
            decision: measure::decision_time(fold),
            rto: recovery_time(fold),
            rpo: measure::recovery_point(fold),
            ledger,
            left_out: plan.left_out.clone(),
            acts: fold.acts.clone(),
            fences: risks::fences(fold),
            risks: risks::taken(fold),
            backups: plan.backups().cloned().collect(),
            warnings: plan.warnings.clone(),
            problems: fold.problems.clone(),
            steps,
        }
    }

    /// The run's end as the receipts bear it out: a drill of which something is left, or whose
    /// teardown nothing proves, is not recovered, whatever its last line says.
    pub const fn ending(&self) -> Ending {
        match &self.state {
            State::Paused { .. } => Ending::Paused,
            State::Open | State::Stopping { .. } | State::Unwinding { .. } => Ending::Open,
            State::Ended { .. } if !self.ledger.is_clean() => Ending::NotTornDown,
            State::Ended { verdict } => match verdict {
                Verdict::Recovered => Ending::Recovered,
                Verdict::RecoveredWithFailures => Ending::RecoveredWithFailures,
                Verdict::Failed => Ending::Failed,
                Verdict::Undone => Ending::Undone,
                Verdict::Stopped => Ending::Stopped,
                Verdict::NotTornDown => Ending::NotTornDown,
            },
        }
    }

    /// From the declaration to the run's beginning; 0 where nothing was declared, or the clocks disagree.
    pub(crate) fn decided_ms(&self) -> u64 {
        let decision = self.decision.as_ref();
        decision.and_then(|one| one.measured_ms).unwrap_or(0)
    }

    /// Whether nothing follows.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// Whether no objective was missed; one that could not be measured is a miss.
    pub const fn objectives_met(&self) -> bool {
        !self.rto.is_miss() && !self.rpo.is_miss()
    }

    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// How many steps stand so.
    pub fn count(&self, state: StepState) -> usize {
        self.steps.iter().filter(|step| step.state == state).count()
    }

    /// The steps that took longest, longest first.
    pub fn longest(&self, at_most: usize) -> Vec<&StepReport> {
        let mut steps: Vec<_> = self
            .steps
            .iter()
            .filter(|step| step.took_ms().is_some())
            .collect();
        steps.sort_by_key(|step| std::cmp::Reverse(step.took_ms()));
        steps.truncate(at_most);
        steps
    }

    /// Steps that the plan wanted done and that never ran, or of which nobody knows it.
    pub fn not_executed(&self) -> impl Iterator<Item = &StepReport> {
        self.steps.iter().filter(|step| step.state == StepState::Pending)
    }
}
