//! Which objects need which: what is kept of the graph of `order` once the order is known.
//!
//! ## Why
//!
//! - Four bytes a reference and four an object: at 50,000 objects with four references each that is a
//!   megabyte, and it need not be worked out again from objects that are not at hand any more.
//! - Only references are kept, never the junctions. That all configuration of a namespace comes before
//!   its workloads is an *order*: a workload does not need a ConfigMap that it does not name. So one
//!   object that cannot be made takes along what names it, and not its namespace. For the same reason a
//!   reference that was ignored to break a circle is no need.

use std::collections::{BTreeMap, VecDeque};

/// For every object those that name it, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needers {
    /// Where the needers of an object begin in `all`; one more than there are objects.
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Needers {
    /// From pairs of what is needed and what needs it.
    pub(super) fn of(objects: usize, pairs: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0_u32; objects + 1];
        for (needed, _) in pairs.clone() {
            starts[needed + 1] += 1;
        }
        for at in 0..objects {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut all = vec![0_u32; starts[objects] as usize];
        for (needed, needer) in pairs {
            // Positions were given out by counting objects in memory.
            all[next[needed] as usize] = u32::try_from(needer).unwrap_or(u32::MAX);
            next[needed] += 1;
        }
        Self { starts, all }
    }

    /// The objects that name this one.
    pub fn of_one(&self, at: usize) -> impl Iterator<Item = usize> {
        let bound = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        let (from, to) = (bound(at), bound(at + 1));
        let needers = self.all.get(from..to).unwrap_or_default();
        needers.iter().map(|needer| *needer as usize)
    }

    /// Adds to `waiting` everything that needs these objects, directly or not, each with the object that
    /// it names. `is_due` tells what has still to be made: what is there already waits for nobody, and
    /// what needs it does not wait either.
    pub fn block(
        &self,
        lost: impl IntoIterator<Item = usize>,
        is_due: impl Fn(usize) -> bool,
        waiting: &mut BTreeMap<usize, usize>,
    ) {
        let mut lost: VecDeque<usize> = lost.into_iter().collect();
        while let Some(needed) = lost.pop_front() {
            for needer in self.of_one(needed) {
                if is_due(needer) && !waiting.contains_key(&needer) {
                    waiting.insert(needer, needed);
                    lost.push_back(needer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needers(pairs: &[(usize, usize)]) -> Needers {
        Needers::of(6, pairs.iter().copied())
    }

    fn blocked(pairs: &[(usize, usize)], lost: usize, due: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
        let mut waiting = BTreeMap::new();
        needers(pairs).block([lost], due, &mut waiting);
        waiting.into_iter().collect()
    }

    #[test]
    fn every_pair_is_kept_and_no_other() {
        let pairs = [(4, 1), (0, 1), (0, 5), (4, 1)];
        let needers = needers(&pairs);
        let mut found: Vec<_> = (0..6)
            .flat_map(|at| needers.of_one(at).map(move |needer| (at, needer)))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(0, 1), (0, 5), (4, 1), (4, 1)]);
        assert_eq!(needers.of_one(99).count(), 0);
    }

    #[test]
    fn what_needs_a_lost_object_waits_for_what_it_names() {
        let chain = [(0, 1), (1, 2), (3, 4), (0, 2)];
        assert_eq!(blocked(&chain, 0, |_| true), [(1, 0), (2, 0)]);
        assert_eq!(blocked(&chain, 1, |_| true), [(2, 1)]);
        assert_eq!(blocked(&[(0, 1), (1, 0)], 0, |at| at != 0), [(1, 0)]);
    }

    #[test]
    fn what_is_there_waits_for_nobody() {
        assert_eq!(blocked(&[(0, 1), (1, 2)], 0, |at| at != 1), []);
    }
}
