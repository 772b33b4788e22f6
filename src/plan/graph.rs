//! Which steps take part, in which order, and what each waits for.
//!
//! ## Why an own sort
//!
//! petgraph's topological order depends on the order of insertion. Here ties are broken by the order
//! in which the steps were written, so that equal runbooks give equal plans and a plan reads like its
//! runbook. Cycles are impossible here: loading a runbook refuses them.

use std::collections::{BTreeSet, HashMap};

use crate::runbook::Step;

/// The steps that take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Indices into the runbook's steps, each after everything that it needs.
    pub steps: Vec<usize>,
    /// For each of `steps`: positions in `steps` that it needs, sorted; steps that take no part are
    /// bridged by what they need themselves.
    pub needs: Vec<Vec<u32>>,
}

/// Orders the steps for which `takes_part` holds.
pub fn order(steps: &[Step], takes_part: impl Fn(&Step) -> bool) -> Order {
    // Only looked up, never iterated over: its order cannot be seen.
    let index: HashMap<&str, usize> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| (step.name.value.as_str(), at))
        .collect();
    let needs: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| {
            step.needs
                .iter()
                .filter_map(|need| index.get(need.value.as_str()).copied())
                .collect()
        })
        .collect();
    let mut order = Order::default();
    let mut position: Vec<Option<u32>> = vec![None; steps.len()];
    let mut bridged: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); steps.len()];
    for at in sorted(&needs) {
        let mut waits = BTreeSet::new();
        for &need in &needs[at] {
            match position[need] {
                Some(position) => _ = waits.insert(position),
                None => waits.extend(&bridged[need]),
            }
        }
        if takes_part(&steps[at]) {
            position[at] = u32::try_from(order.steps.len()).ok();
            order.steps.push(at);
            order.needs.push(waits.into_iter().collect());
        } else {
            bridged[at] = waits;
        }
    }
    order
}

/// All steps, each after everything that it needs; ties in the order of writing.
fn sorted(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut dependents = vec![Vec::new(); needs.len()];
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (at, list) in needs.iter().enumerate() {
        for &need in list {
            dependents[need].push(at);
        }
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|&at| open[at] == 0).collect();
    let mut sorted = Vec::with_capacity(needs.len());
    while let Some(at) = ready.pop_first() {
        sorted.push(at);
        for &dependent in &dependents[at] {
            open[dependent] -= 1;
            if open[dependent] == 0 {
                ready.insert(dependent);
            }
        }
    }
    sorted
}
