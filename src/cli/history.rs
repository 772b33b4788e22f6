//! What the runs on this machine say of a plan.

use super::{Settings, runs};
use crate::plan::Plan;
use crate::report::{Estimates, Record, estimates};

/// Runs that are read at most, the newest: each journal holds a whole plan, and what was long ago says
/// little of today.
const RUNS_MAX: usize = 10;

/// How long the steps of a plan took before. A journal that cannot be read says nothing.
pub(super) fn of(plan: &Plan, settings: &Settings) -> Estimates {
    let all = runs::list(settings);
    let newest = all.iter().rev().take(RUNS_MAX);
    let read = newest.filter_map(|run| {
        let history = runs::history(&runs::folder(settings).join(run)).ok()?;
        Record::of(&history.entries)
    });
    estimates(plan, &read.collect::<Vec<_>>())
}
