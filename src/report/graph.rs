//! The shape of a plan: who waits for whom, in how few arrows, in which wave.
//!
//! Not a drawing: [`super::plan_text()`], [`super::mermaid`] and [`super::svg_graph`] draw it.

use crate::plan::{Plan, PlannedStep};

/// The graph of a plan's steps by index, arrows reduced to those that say something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// For each step the steps that it directly waits for: no arrow that a path already says.
    pub(crate) needs: Vec<Vec<usize>>,
    /// For each step its wave from 0: the length of the longest way to it.
    pub(crate) wave: Vec<usize>,
}

impl Shape {
    /// The shape of a plan. Steps that run last wait for every step that nobody waits for.
    pub(crate) fn of(plan: &Plan) -> Self {
        let steps: Vec<_> = plan.steps.iter().map(|step| (needs(step), step.last)).collect();
        Self::new(&steps)
    }

    /// The same from needs and whether the step runs last. Needs that do not point backwards, which
    /// only a damaged plan has, are ignored.
    pub(crate) fn new(steps: &[(Vec<usize>, bool)]) -> Self {
        let mut all: Vec<Vec<usize>> = Vec::with_capacity(steps.len());
        for (index, (needs, last)) in steps.iter().enumerate() {
            let mut mine: Vec<_> = needs.iter().copied().filter(|need| *need < index).collect();
            if *last {
                mine.extend(ends(&all[..index], steps));
            }
            mine.sort_unstable();
            mine.dedup();
            all.push(mine);
        }
        let needs = reduce(&all);
        let wave = waves(&needs);
        Self { needs, wave }
    }

    /// How many waves there are.
    pub(crate) fn waves(&self) -> usize {
        self.wave.iter().max().map_or(0, |last| last + 1)
    }
}

/// A step's needs as indices.
pub(crate) fn needs(step: &PlannedStep) -> Vec<usize> {
    step.needs
        .iter()
        .filter_map(|need| usize::try_from(*need).ok())
        .collect()
}

/// Steps that nothing before `all.len()` waits for.
fn ends(all: &[Vec<usize>], steps: &[(Vec<usize>, bool)]) -> Vec<usize> {
    let mut waited = vec![false; all.len()];
    for need in all.iter().flatten() {
        waited[*need] = true;
    }
    (0..all.len())
        .filter(|index| !waited[*index] && !steps[*index].1)
        .collect()
}

fn waves(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut wave: Vec<usize> = Vec::with_capacity(needs.len());
    for mine in needs {
        wave.push(mine.iter().map(|need| wave[*need] + 1).max().unwrap_or(0));
    }
    wave
}

/// Drops every arrow that another path already says. Bit sets: 10,000 steps take milliseconds.
fn reduce(all: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let words = all.len().div_ceil(64);
    let mut before: Vec<Vec<u64>> = Vec::with_capacity(all.len());
    let mut reduced = Vec::with_capacity(all.len());
    for mine in all {
        let mut reach = vec![0_u64; words];
        for need in mine {
            for (word, theirs) in reach.iter_mut().zip(&before[*need]) {
                *word |= theirs;
            }
        }
        let said = |need: usize| reach[need / 64] & (1 << (need % 64)) != 0;
        reduced.push(mine.iter().copied().filter(|need| !said(*need)).collect());
        for need in mine {
            reach[need / 64] |= 1 << (need % 64);
        }
        before.push(reach);
    }
    reduced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_a_path_already_says_is_dropped() {
        let shape = Shape::new(&[
            (vec![], false),
            (vec![0], false),
            (vec![0, 1], false),
            (vec![0], false),
            (vec![], true),
        ]);
        assert_eq!(shape.needs, [vec![], vec![0], vec![1], vec![0], vec![2, 3]]);
        assert_eq!(shape.wave, [0, 1, 2, 1, 3]);
    }

    #[test]
    fn a_damaged_plan_with_arrows_forward_is_still_drawn() {
        let shape = Shape::new(&[(vec![1, 7], false), (vec![0], false)]);
        assert_eq!(shape.needs, [vec![], vec![0]]);
    }
}
