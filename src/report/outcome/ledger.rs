//! Created against deleted, by uid: what a drill left behind.
//!
//! ## Why
//!
//! Only receipts count. An attempt that failed or has no outcome may have made objects that nobody
//! wrote down, so it is named while nothing proves that the drill's namespaces are gone.
//!
//! A namespace ends only when nothing is in it any more. So a teardown that succeeded, and with that saw
//! the drill's namespaces gone, proves this of everything that was in them: also of what an earlier try
//! deleted whose list was lost with its process.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::AttemptResult;
use super::fold::Fold;
use super::step::{StepReport, StepState};
use crate::effect::{Class, Effect, Symbol};
use crate::objects::{Made, Roster};

/// Created against deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Different objects that receipts say were created.
    pub created: usize,
    /// Different objects that receipts say were deleted.
    pub deleted: usize,
    /// Whether the drill's walls were removed; `None` outside of a drill.
    pub torn_down: Option<bool>,
    /// In a drill: created and not deleted, as far as anything shows.
    pub left_behind: Vec<Left>,
    /// In a drill: created, on no list of what was deleted, and gone with its namespace, whose end the
    /// teardown saw.
    #[serde(default)]
    pub gone_unlisted: Vec<Made>,
    /// In a drill: deleted without being created by a receipt, so made by controllers or by an
    /// attempt that failed.
    pub extra_deleted: Vec<Made>,
    /// In a drill that is not torn down: attempts that may have made more than is written down.
    pub uncertain: Vec<String>,
}

/// One object that is still there, as far as the journal knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Which.
    #[serde(flatten)]
    pub object: Made,
    /// The step that made it.
    pub step: String,
}

impl Ledger {
    /// Whether nothing is left of a drill and its teardown is proved. Always true of other modes,
    /// which are meant to leave things.
    pub const fn is_clean(&self) -> bool {
        match self.torn_down {
            Some(torn_down) => torn_down && self.left_behind.is_empty(),
            None => true,
        }
    }

    pub(super) fn of(fold: &Fold, steps: &[StepReport]) -> Self {
        let (mut created, mut deleted) = (BTreeMap::new(), BTreeMap::new());
        for step in steps {
            for (_, attempt) in step.attempts() {
                if let AttemptResult::Performed { receipt } = &attempt.result {
                    created.extend(placed(&receipt.created).map(|(uid, at)| (uid, (at, &step.name))));
                    deleted.extend(placed(&receipt.deleted));
                }
            }
        }
        let mut ledger = Self {
            created: created.len(),
            deleted: deleted.len(),
            ..Self::default()
        };
        if fold.begun.plan.sandbox.is_none() {
            return ledger;
        }
        let torn_down = torn_down(fold, steps);
        ledger.torn_down = Some(torn_down);
        let walls = fold.begun.plan.sandbox.iter();
        let walls: BTreeSet<&str> = walls
            .flat_map(|sandbox| sandbox.namespaces.values().map(String::as_str))
            .collect();
        let kept = created.iter().filter(|(uid, _)| !deleted.contains_key(*uid));
        for (made, step) in kept.filter_map(|(_, (place, step))| Some((place.made()?, step))) {
            if torn_down && is_within(&walls, &made) {
                ledger.gone_unlisted.push(made);
            } else {
                ledger.left_behind.push(Left {
                    object: made,
                    step: (*step).clone(),
                });
            }
        }
        ledger.gone_unlisted.sort();
        ledger
            .left_behind
            .sort_by_cached_key(|left| (left.object.id.kind != "Namespace", left.object.clone()));
        let extra = deleted.iter().filter(|(uid, _)| !created.contains_key(*uid));
        ledger.extra_deleted = extra.filter_map(|(_, place)| place.made()).collect();
        ledger.extra_deleted.sort();
        if !torn_down {
            ledger.uncertain = uncertain(steps);
        }
        ledger
    }
}

/// Where an object stands in a receipt.
#[derive(Clone, Copy)]
struct Spot<'a> {
    roster: &'a Roster,
    at: usize,
}

impl Spot<'_> {
    fn made(&self) -> Option<Made> {
        self.roster.get(self.at)
    }
}

/// All objects of a receipt by uid.
fn placed(roster: &Roster) -> impl Iterator<Item = (&str, Spot<'_>)> {
    let places = (0..).map(move |at| Spot { roster, at });
    roster.uids().zip(places)
}

/// Whether an object is one of these namespaces, or in one of them.
fn is_within(walls: &BTreeSet<&str>, made: &Made) -> bool {
    match &made.id.namespace {
        Some(namespace) => walls.contains(namespace.as_str()),
        None => made.id.kind == "Namespace" && walls.contains(made.id.name.as_str()),
    }
}

/// Every teardown succeeded, and there is one; or nothing was ever begun, so there is nothing to
/// tear down.
fn torn_down(fold: &Fold, steps: &[StepReport]) -> bool {
    let planned = fold.begun.plan.steps.iter().zip(steps);
    let mut closers = planned
        .filter(|(step, _)| {
            step.effects
                .iter()
                .any(|effect| matches!(effect, Effect::CloseSandbox(_)))
        })
        .peekable();
    let touched = steps
        .iter()
        .any(|step| step.attempts().any(|(effect, _)| effect.class != Class::Read));
    let closed = closers.peek().is_some() && closers.all(|(_, report)| report.state == StepState::Succeeded);
    closed || !touched
}

fn uncertain(steps: &[StepReport]) -> Vec<String> {
    let mut all = Vec::new();
    for step in steps {
        for (effect, attempt) in step.attempts() {
            let what = match &attempt.result {
                AttemptResult::Open => "has no outcome",
                AttemptResult::Unknown { .. } => "has an unknown outcome",
                // Whoever looked saw that it had worked, and not what it made.
                AttemptResult::Decided { .. } => "had an unknown outcome, and a person looked",
                AttemptResult::Failed { .. } => "failed part of the way or before it",
                AttemptResult::Performed { .. } | AttemptResult::Answered { .. } => continue,
            };
            let makes = !matches!(effect.line.symbol, Symbol::Delete | Symbol::Destructive);
            if makes && effect.class != Class::Read && effect.asked.is_none() {
                all.push(format!(
                    "attempt {} of {} ({}) {what}",
                    attempt.number, step.name, effect.line.verb
                ));
            }
        }
    }
    all
}
