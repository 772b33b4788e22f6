//! A domain name that is changed twice in one plan: the second change begins where the first one ends.
//!
//! As with sizes: every step is scripted from what was seen before the run, and a change of what is not there is
//! refused. In a drill the server is only asked and nothing is changed, so there each begins with what was seen.

use super::draft::Draft;
use super::sizes::twice;
use crate::effect::{Effect, Pause, SwapRecords};
use crate::text::{DomainName, Millis};

/// Sets where each change of a name begins.
pub(super) fn chain(drafts: &mut [Draft<'_>], needs: &[Vec<u32>]) {
    let of = |effect: &Effect| swap(effect).map(|swap| (swap.server.clone(), swap.name.clone()));
    for ((server, name), before, at) in twice(drafts, needs, of) {
        if let Some(first) = find(&drafts[before], &server, &name).cloned() {
            begin_at(&mut drafts[at], &first);
        }
    }
}

const fn swap(effect: &Effect) -> Option<&SwapRecords> {
    match effect {
        Effect::SwapRecords(swap) => Some(swap),
        _ => None,
    }
}

fn find<'d>(draft: &'d Draft<'_>, server: &str, name: &DomainName) -> Option<&'d SwapRecords> {
    let mut all = draft.script.effects.iter().filter_map(swap);
    all.find(|swap| swap.server == server && swap.name == *name)
}

fn begin_at(draft: &mut Draft<'_>, first: &SwapRecords) {
    let mut outlives_s = 0;
    let mut back = None;
    for effect in &mut draft.script.effects {
        match effect {
            Effect::SwapRecords(swap) if swap.server == first.server && swap.name == first.name => {
                swap.from = first.to.clone();
                // Caches that still hold what was there before the first change do not know of either.
                swap.outlives_s = swap.from.outlive_s(&swap.to, 0).max(first.outlives_s);
                outlives_s = swap.outlives_s;
                back = (swap.from != swap.to).then(|| Effect::SwapRecords(swap.reversed(0)));
            }
            Effect::Pause(Pause {
                for_ms,
                after_change: true,
                ..
            }) => *for_ms = Millis::of_seconds(outlives_s).0,
            _ => {}
        }
    }
    draft.script.undo = back.into_iter().collect();
}
