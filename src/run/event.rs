//! What can happen in a run. The state of a run is the fold of these, and of nothing else.
//!
//! Everything is owned and serialisable: terminal, report and journal read the same value.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Declaration;
use crate::effect::{Receipt, WorldError};
use crate::plan::{Digest, Plan};
use crate::runbook::JournalPlaces;

/// `shop-d-4k2w`: runbook, a letter for the mode, id. Names the folder of the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// From 0, without gaps.
    pub seq: u64,
    /// Wall-clock time. For people; nothing is decided from it.
    pub at: Timestamp,
    /// Milliseconds since the run began, never falling, on a monotonic clock while one process
    /// lives; after a resume it goes on from the wall clock's difference.
    pub elapsed_ms: u64,
    /// Hex SHA-256 of the previous line's bytes without its newline; empty for the first.
    pub prev: String,
    /// What happened.
    pub event: Event,
}

/// Forward, or back again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A step's effects.
    #[default]
    Forward,
    /// A step's undo.
    Undo,
}

/// Who started something, as far as this machine knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// A person's name or an account's.
    pub name: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
}

/// The first line of every journal: this one file explains the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beginning {
    /// Version of the journal's format.
    pub format: u32,
    /// `lifeboat 0.1.0`.
    pub tool: String,
    /// The run.
    pub run: RunId,
    /// Of the plan that follows.
    pub digest: Digest,
    /// Who started it.
    pub operator: Operator,
    /// Steps in flight at most.
    pub concurrency: u32,
    /// Where the journal is kept besides this machine, and what releases a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalPlaces>,
    /// The declared incident that it is for; recovery is measured from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declaration>,
    /// The whole plan.
    pub plan: Plan,
}

impl Beginning {
    /// The format that this binary writes.
    pub const FORMAT: u32 = 1;
}

/// What happened. `step` is an index into the plan's steps, `effect` one into the step's effects
/// (or its undo, in that phase), `attempt` counts from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The run began.
    Began(Box<Beginning>),
    /// Another process took the run up again. Ends a pause.
    Resumed {
        /// Who.
        operator: Operator,
    },
    /// Durable before the first byte of the effect is sent.
    Intended {
        /// Which step.
        step: u32,
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// Which attempt.
        attempt: u32,
    },
    /// Durable before anything that depends on it starts.
    Performed {
        /// Which step.
        step: u32,
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// Which attempt.
        attempt: u32,
        /// The proof.
        receipt: Box<Receipt>,
    },
    /// It did not work. Where the error is a lost reply it may have been carried out all the same: that
    /// stands only at effects that may be repeated.
    Failed {
        /// Which step.
        step: u32,
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// Which attempt.
        attempt: u32,
        /// Why.
        error: WorldError,
        /// When to try again, on the run's clock; `None`: not by itself.
        retry_at_ms: Option<u64>,
    },
    /// Nobody knows whether it worked. The branch waits for a person.
    Unknown {
        /// Which step.
        step: u32,
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// Which attempt.
        attempt: u32,
        /// What is known.
        error: WorldError,
    },
    /// A person answered an `Ask`.
    Answered {
        /// Which step.
        step: u32,
        /// What.
        answer: Answer,
        /// Who.
        by: String,
        /// In which role.
        role: Option<String>,
        /// Mandatory.
        reason: String,
        /// From which account, as far as its machine knows; `by` is only what a person said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Operator>,
        /// Of the plan that was answered about: an answer is to one plan and to no other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Digest>,
    },
    /// A person looked and found out what became of an effect of which nobody knew it.
    Decided {
        /// Which step.
        step: u32,
        /// What they found.
        finding: Finding,
        /// Who.
        by: String,
        /// Mandatory.
        reason: String,
    },
    /// A person wrote something down. It changes nothing.
    Noted {
        /// Who.
        by: String,
        /// What.
        text: String,
    },
    /// A step has ended. Steps that need it are released by `Succeeded`, `Skipped` and `Continued`.
    Ended {
        /// Which step.
        step: u32,
        /// How.
        outcome: Outcome,
    },
    /// A person ordered a failed or unknown step to be tried again.
    RetryOrdered {
        /// Which step.
        step: u32,
        /// Who.
        by: String,
        /// Mandatory.
        reason: String,
    },
    /// A person, Ctrl-C or a failure asked for a durable pause: nothing new starts.
    Paused {
        /// Who or what.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person asked for the end; steps marked `last` still run. Ends a pause.
    Stopping {
        /// Who or what.
        by: String,
        /// Why.
        reason: String,
    },
    /// The process that carries the run holds this epoch of its group, or of the run alone.
    Claimed {
        /// The number.
        epoch: u64,
    },
    /// The sites know that epoch.
    FencesRaised {
        /// Site → whether its API server refuses older epochs, for people.
        fences: std::collections::BTreeMap<String, String>,
    },
    /// A mirror of the journal does not get its records. The run goes on if the others are enough.
    MirrorBehind {
        /// The store.
        mirror: String,
        /// Why.
        error: WorldError,
    },
    /// A mirror that was late holds everything again.
    MirrorCaughtUp {
        /// The store.
        mirror: String,
    },
    /// Undoing began.
    Unwinding {
        /// The step whose failure asked for it.
        step: u32,
    },
    /// Nothing follows.
    Finished {
        /// How it ended.
        verdict: Verdict,
    },
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes; or: it is done.
    Yes,
    /// No; or: it could not be done.
    No,
}

/// What a person found out about an effect with an unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It was carried out: the step goes on after it.
    Worked,
    /// It was not, and is not tried again.
    Failed,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All effects were performed.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It failed, and its runbook says to go on.
    Continued,
    /// It was not done: by the plan, or by a person, or because something it needs failed.
    Skipped {
        /// Why.
        why: String,
        /// Whether steps that need it may start.
        releases: bool,
    },
    /// A person did it by hand and said so.
    MarkedDone {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// It was done and then undone.
    Undone,
    /// Undoing it failed: somebody must look.
    UndoFailed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
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
    /// Whatever else: something that a drill made is still there.
    NotTornDown,
}
