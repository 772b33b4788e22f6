//! From a runbook and what was seen to the plan: the contract between what was shown and what is done.
//!
//! A [`Plan`] is a value: serialised, hashed, saved. It holds no clock time, so that the same world
//! and the same runbook give the same digest.

pub mod codes;
mod compile;
mod digest;
mod draft;
mod graph;
mod judge;
mod lacking;
mod observe;
mod pins;
mod scope;
mod sizes;
mod stale;
mod swaps;
#[cfg(test)]
mod tests;
mod waits;

pub use compile::compile;
pub use digest::Digest;
pub use draft::{Look, Request};
pub use graph::{Order, order};
pub use stale::{Change, changes, contradictions};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::effect::{
    Ask, BackupSeen, Effect, Expected, Hazard, Query, RestorePreview, Sandbox, Seen, SiteSeen, SwapRecords,
};
use crate::runbook::{Approvals, Mode, Objectives, Owner, Policy};

/// Everything that a run will do, and what that was decided from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// `lifeboat 0.1.0`.
    pub tool: String,
    /// Which runbook, and what people must know of it.
    pub runbook: Subject,
    /// What for.
    pub mode: Mode,
    /// Role → site, already swapped for a failback.
    pub roles: BTreeMap<String, String>,
    /// The inputs' values.
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// What must be achieved.
    pub objectives: Objectives,
    /// The clusters as they identified themselves; a site that did not answer is missing.
    pub sites: BTreeMap<String, SiteSeen>,
    /// The walls, in a drill.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sandbox: Option<Sandbox>,
    /// In an order in which they could run one after the other.
    pub steps: Vec<PlannedStep>,
    /// Steps of the runbook that take no part, with the reason.
    pub left_out: Vec<LeftOut>,
    /// The answers that the plan was made from; asked again before a saved plan runs.
    pub sightings: Vec<Sighting>,
    /// What a person should know before saying yes.
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// The format that this binary writes.
    pub const FORMAT: u32 = 1;

    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Stores that its steps read or write; with repetitions.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(PlannedStep::stores)
    }

    /// The change of each domain name, of several the first.
    pub fn swaps(&self) -> impl Iterator<Item = &SwapRecords> {
        let done = self.steps.iter().filter(|step| step.part == Part::Done);
        let mut met = BTreeSet::new();
        done.flat_map(|step| &step.effects)
            .filter_map(|effect| match effect {
                Effect::SwapRecords(swap) => Some(swap),
                _ => None,
            })
            .filter(move |swap| met.insert((&swap.server, &swap.name)))
    }

    /// What is told, with whom it is told to; with repetitions.
    pub fn notices(&self) -> impl Iterator<Item = (&str, &Effect)> {
        let done = self.steps.iter().filter(|step| step.part == Part::Done);
        done.flat_map(|step| &step.effects)
            .filter_map(|effect| match effect {
                Effect::Tell(tell) => Some((tell.receiver.as_str(), effect)),
                _ => None,
            })
    }

    /// Backups that steps of this plan restore from, as they were seen.
    pub fn backups(&self) -> impl Iterator<Item = &BackupSeen> {
        let seen = self.sightings.iter().map(|sighting| &sighting.seen);
        previews(seen).filter_map(|preview| preview.backup.as_ref())
    }
}

/// What restores would do, among what was seen.
fn previews<'a>(seen: impl Iterator<Item = &'a Seen>) -> impl Iterator<Item = &'a RestorePreview> {
    seen.filter_map(|seen| match seen {
        Seen::Restore(preview) => Some(&**preview),
        _ => None,
    })
}

/// The runbook of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// `metadata.name`.
    pub name: String,
    /// What people call the service.
    pub title: String,
    /// In one sentence.
    pub summary: Option<String>,
    /// 1 is what the company cannot live without.
    pub tier: Option<u8>,
    /// Who answers for it.
    pub owner: Option<Owner>,
    /// Role of a person → names: who may answer in which role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub people: BTreeMap<String, Vec<String>>,
    /// What holds for every approval.
    #[serde(skip_serializing_if = "Approvals::is_default", default)]
    pub approvals: Approvals,
    /// Hex SHA-256 of the runbook's bytes.
    pub digest: String,
    /// Of what the recovery depends on; see [`crate::runbook::Runbook::recovery`]. Older plans have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery: Option<String>,
}

/// One step, decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Unique in the plan.
    pub name: String,
    /// Name of its kind; `sandbox` and `tear-down` are added by a drill.
    pub kind: String,
    /// One sentence for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Indices into [`Plan::steps`], each smaller than this step's own; steps left out are bridged.
    pub needs: Vec<u32>,
    /// Done, or skipped and why. A skipped step releases those that need it.
    pub part: Part,
    /// How often, how long, and then what.
    pub policy: Policy,
    /// Runs when all others have ended, however they ended.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub last: bool,
    /// Whether its success shows that the service is healthy: what RTO is measured to.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub proves_health: bool,
    /// Performed one after the other.
    pub effects: Vec<Effect>,
    /// Performed in this order when the run is unwound; empty: cannot be undone.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub undo: Vec<Effect>,
    /// What a drill changed, for people.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

impl PlannedStep {
    /// The kind of the step that removes what a drill made.
    pub const TEAR_DOWN: &str = "tear-down";

    /// Stores that it reads or writes; with repetitions.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        let effects = self.effects.iter().chain(&self.undo);
        effects.flat_map(|effect| match effect {
            Effect::BackupObjects(effect) => vec![effect.store.as_str()],
            Effect::RestoreObjects(effect) => vec![effect.store.as_str()],
            Effect::CompareObjects(effect) => effect.stores(),
            Effect::CopyPrefix(effect) => vec![effect.from.as_str(), effect.to.as_str()],
            Effect::DriveVelero(effect) => effect.store.as_deref().into_iter().collect(),
            Effect::Apply(_)
            | Effect::Ask(_)
            | Effect::Await(_)
            | Effect::CallHttp(_)
            | Effect::CheckSql(_)
            | Effect::CloseSandbox(_)
            | Effect::Delete(_)
            | Effect::HoldNamespaces(_)
            | Effect::OpenSandbox(_)
            | Effect::Pause(_)
            | Effect::Probe(_)
            | Effect::ReleaseNamespaces(_)
            | Effect::ReturnTraffic(_)
            | Effect::RunCommand(_)
            | Effect::RunJob(_)
            | Effect::Scale(_)
            | Effect::ShiftTraffic(_)
            | Effect::SwapRecords(_)
            | Effect::Tell(_)
            | Effect::WakeControllers(_) => Vec::new(),
        })
    }

    /// The risk that it has a person take, and who may.
    pub fn risk(&self) -> Option<(Hazard, &[String])> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Ask(Ask {
                expected: Expected::Acceptance(hazard),
                by,
                ..
            }) => Some((*hazard, by.as_slice())),
            _ => None,
        })
    }

    /// Whether it removes what a drill made.
    pub fn is_tear_down(&self) -> bool {
        self.kind == Self::TEAR_DOWN
    }
}

/// Whether a step is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It is performed.
    Done,
    /// It is shown and not performed.
    Skipped(String),
}

/// A step that takes no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub step: String,
    /// Why.
    pub why: String,
}

/// One answer and its question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What was asked.
    pub query: Query,
    /// What was answered.
    pub seen: Seen,
}

/// What a person should know before saying yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable code, `P…`.
    pub code: String,
    /// A sentence without its full stop.
    pub message: String,
    /// What can be done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}
