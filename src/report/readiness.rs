//! Whether a service could be recovered now, as far as anybody has proved it.
//!
//! ## Why
//!
//! The absence of a recent, verified success is the alarm: nothing that merely did not fail counts as
//! ready. What could not be looked at is said and needs attention; it is never taken for good.

mod text;

pub use text::readiness_table;

use jiff::Timestamp;
use serde::Serialize;

use super::outcome::{Ending, Measure, Reached, Summary};
use super::units::{age, between_ms, duration};
use crate::effect::BackupSeen;
use crate::runbook::{Mode, Objectives, Runbook};

/// What is known of one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The runbook's name.
    pub service: String,
    /// What people call it.
    pub title: String,
    /// Its tier.
    pub tier: Option<u8>,
    /// The verdict.
    pub state: Ready,
    /// What must be achieved.
    pub objectives: Objectives,
    /// The newest run that recovered it.
    pub proof: Option<Proof>,
    /// Why it is not simply ready; the worst first.
    pub because: Vec<Reason>,
    /// When this was found out.
    pub at: Timestamp,
}

/// The verdict about a service, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// Proved, lately, and unchanged since.
    Ready,
    /// Proved once; something has to be looked at.
    NeedsAttention,
    /// A recovery now would not keep what was promised, or nobody knows how the last one ended.
    NotReady,
    /// No run has ever recovered it.
    NeverProven,
}

impl Ready {
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NeedsAttention => "needs attention",
            Self::NotReady => "not ready",
            Self::NeverProven => "never proven",
        }
    }
}

/// A run that recovered the service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The run.
    pub run: String,
    /// A drill, or the real thing.
    pub mode: Mode,
    /// When it ended.
    pub at: Timestamp,
    /// How long recovery took.
    pub rto: Measure,
    /// How much data was or would have been lost.
    pub rpo: Measure,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// What kind of reason, for programs.
    pub code: Why,
    /// What it makes of the verdict.
    pub state: Ready,
    /// For people: a fragment.
    pub text: String,
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No run has ever recovered it.
    NeverDrilled,
    /// The newest drill or recovery did not.
    LastRunFailed,
    /// The newest drill left something behind.
    NotTornDown,
    /// A run has no recorded end, or is paused.
    RunOpen,
    /// The last proof is older than it may be.
    ProofTooOld,
    /// The recovery was changed since it was proved.
    RunbookChanged,
    /// The last proof missed an objective, or could not measure it.
    ObjectiveMissed,
    /// A step failed in the last proof, and its runbook said to go on.
    StepFailed,
    /// The newest backup is older than the recovery point objective.
    BackupTooOld,
    /// There is no backup that could be restored.
    NoBackup,
    /// The newest backup was never read back and compared.
    BackupUnverified,
    /// A store did not answer.
    StoreSilent,
    /// The last proof is of sites in lifeboat's own memory.
    NotReal,
}

/// What a store said of the backup that a recovery would use.
#[derive(Clone, Debug, PartialEq)]
pub struct Stock {
    /// The step that would restore it.
    pub step: String,
    /// The store.
    pub store: String,
    /// The backup; `Ok(None)`: there is none. An error is the store's, in words.
    pub found: Result<Option<BackupSeen>, String>,
}

/// With this begins the address that an embedded site gives of itself.
const EMBEDDED: &str = "embedded:";

/// The verdict about one service, from the runs of its runbook in any order and from what its stores said;
/// without that, nothing is said about backups.
pub fn readiness(runbook: &Runbook, runs: &[Summary], stocks: &[Stock], now: Timestamp) -> Readiness {
    let mut recoveries: Vec<&Summary> = runs
        .iter()
        .filter(|run| run.subject.name == runbook.name.value && run.mode != Mode::Protect)
        .collect();
    recoveries.sort_by_key(|run| run.began_at);
    let proving = recoveries.iter().rev().find(|run| proves(run));
    let mut because = Vec::new();
    because.extend(last_run(&recoveries, now));
    match proving {
        None => because.push(never(&recoveries)),
        Some(run) => because.extend(about_proof(runbook, run, now)),
    }
    because.extend(stocks.iter().filter_map(|stock| about_stock(stock, runbook, now)));
    because.sort_by_key(|reason| std::cmp::Reverse(reason.state));
    let state = because.iter().map(|reason| reason.state).max();
    Readiness {
        service: runbook.name.value.clone(),
        title: runbook.title.clone(),
        tier: runbook.tier,
        state: state.unwrap_or(Ready::Ready),
        objectives: runbook.objectives,
        proof: proving.map(|run| proof(run)),
        because,
        at: now,
    }
}

/// Whether a run shows that the service can be recovered: it reached its end, a step looked at the service
/// and found it well, and what a drill made is gone.
fn proves(run: &Summary) -> bool {
    let ended = matches!(run.ending(), Ending::Recovered | Ending::RecoveredWithFailures);
    ended && run.rto.measured_ms.is_some() && run.problems.is_empty()
}

fn proof(run: &Summary) -> Proof {
    Proof {
        run: run.run.0.clone(),
        mode: run.mode,
        at: run.last_at,
        rto: run.rto.clone(),
        rpo: run.rpo.clone(),
    }
}

fn reason(code: Why, state: Ready, text: impl Into<String>) -> Reason {
    Reason {
        code,
        state,
        text: text.into(),
    }
}

fn never(recoveries: &[&Summary]) -> Reason {
    let text = match recoveries.len() {
        0 => "no drill has ever been made".to_owned(),
        _ => "no drill has ever recovered it".to_owned(),
    };
    reason(Why::NeverDrilled, Ready::NeverProven, text)
}

/// What the newest run says, if it is not a success.
fn last_run(recoveries: &[&Summary], now: Timestamp) -> Option<Reason> {
    let run = recoveries.last()?;
    let named = format!("{} {} of {}", run.mode, run.run, ago(run.last_at, now));
    let (code, state, text) = match run.ending() {
        Ending::Recovered | Ending::RecoveredWithFailures if run.rto.measured_ms.is_none() => (
            Why::LastRunFailed,
            Ready::NotReady,
            format!("{named} ended, but nothing proved that the service was healthy"),
        ),
        Ending::Recovered | Ending::RecoveredWithFailures if !run.problems.is_empty() => (
            Why::LastRunFailed,
            Ready::NotReady,
            format!("the record of {named} is damaged"),
        ),
        Ending::Recovered | Ending::RecoveredWithFailures => return None,
        Ending::Failed => (Why::LastRunFailed, Ready::NotReady, format!("{named} failed")),
        Ending::Undone => (
            Why::LastRunFailed,
            Ready::NotReady,
            format!("{named} failed and was undone"),
        ),
        Ending::Stopped => (
            Why::LastRunFailed,
            Ready::NotReady,
            format!("{named} was stopped by a person"),
        ),
        Ending::NotTornDown => (
            Why::NotTornDown,
            Ready::NotReady,
            format!("{named} is not torn down"),
        ),
        Ending::Paused => (
            Why::RunOpen,
            Ready::NeedsAttention,
            format!("{named} is paused and waits for a person"),
        ),
        Ending::Open => (
            Why::RunOpen,
            Ready::NeedsAttention,
            format!("{named} has no recorded end"),
        ),
    };
    Some(reason(code, state, text))
}

fn about_proof(runbook: &Runbook, run: &Summary, now: Timestamp) -> Vec<Reason> {
    let attention = |code, text: String| reason(code, Ready::NeedsAttention, text);
    let mut found = Vec::new();
    let good_ms = runbook.continuity.proof_ms();
    match between_ms(run.last_at, now) {
        Some(old) if old > good_ms => found.push(attention(
            Why::ProofTooOld,
            format!(
                "proved {} ago; a proof is good for {}",
                age(old),
                duration(good_ms)
            ),
        )),
        Some(_) => {}
        None => found.push(attention(
            Why::ProofTooOld,
            format!("{} is dated in the future: the clocks disagree", run.run),
        )),
    }
    let embedded = run.sites.values().any(|site| site.server.starts_with(EMBEDDED));
    if embedded {
        found.push(attention(
            Why::NotReal,
            format!("{} was on embedded sites, which are no real clusters", run.run),
        ));
    }
    if changed_since(runbook, run) {
        found.push(attention(
            Why::RunbookChanged,
            format!("the recovery was changed since {} {}", run.mode, run.run),
        ));
    }
    for (name, measure) in [("RTO", &run.rto), ("RPO", &run.rpo)] {
        let missed = match measure.reached {
            Reached::Missed => true,
            Reached::NotMeasured => measure.target_ms.is_some(),
            Reached::Met | Reached::NoTarget | Reached::NotApplicable => false,
        };
        if missed {
            let took = measure
                .measured_ms
                .map_or_else(|| "not measured".to_owned(), duration);
            found.push(attention(
                Why::ObjectiveMissed,
                format!("{name} missed in {}: {took}", run.run),
            ));
        }
    }
    if run.ending() == Ending::RecoveredWithFailures {
        found.push(attention(
            Why::StepFailed,
            format!("a step failed in {}", run.run),
        ));
    }
    found
}

/// Whether the recovery is another one than in that run. A run of an older lifeboat knows only the file's
/// bytes.
pub(crate) fn changed_since(runbook: &Runbook, run: &Summary) -> bool {
    match &run.subject.recovery {
        Some(recovery) => *recovery != runbook.recovery,
        None => run.subject.digest != runbook.digest,
    }
}

fn about_stock(stock: &Stock, runbook: &Runbook, now: Timestamp) -> Option<Reason> {
    let store = &stock.store;
    let backup = match &stock.found {
        Err(why) => {
            let text = format!("store {store} did not say what it holds: {why}");
            return Some(reason(Why::StoreSilent, Ready::NeedsAttention, text));
        }
        Ok(None) => {
            let text = format!(
                "store {store} holds no backup that step {} could restore",
                stock.step
            );
            return Some(reason(Why::NoBackup, Ready::NotReady, text));
        }
        Ok(Some(backup)) => backup,
    };
    let name = &backup.name;
    let Some(old) = between_ms(backup.consistent_at, now) else {
        let text = format!("backup {name} is dated in the future: the clocks disagree");
        return Some(reason(Why::BackupTooOld, Ready::NeedsAttention, text));
    };
    match runbook.objectives.rpo_ms {
        Some(rpo) if old > rpo => {
            let text = format!("backup {name} is {} old; RPO {}", age(old), duration(rpo));
            Some(reason(Why::BackupTooOld, Ready::NotReady, text))
        }
        _ if backup.verified_at.is_none() => {
            let text = format!("backup {name} was never read back and compared");
            Some(reason(Why::BackupUnverified, Ready::NeedsAttention, text))
        }
        _ => None,
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    between_ms(at, now).map_or_else(|| "the future".to_owned(), |ms| format!("{} ago", age(ms)))
}

#[cfg(test)]
mod tests;
