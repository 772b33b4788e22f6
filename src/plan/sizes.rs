//! A workload whose size is changed twice in one plan: the second change begins where the first one ends.
//!
//! Every step is scripted from what was seen before the run, so both would begin at the same size; and a
//! change from a size that is not there is refused, because somebody else may have made it.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::effect::{Effect, Scale};
use crate::objects::ObjectId;

/// Sets where each change of a size begins.
pub(super) fn chain(drafts: &mut [Draft<'_>], needs: &[Vec<u32>]) {
    let of = |effect: &Effect| scale(effect).map(|scale| (scale.site.clone(), scale.id.clone()));
    for ((site, id), before, at) in twice(drafts, needs, of) {
        if let Some(from) = size_after(&drafts[before], &site, &id) {
            begin_at(&mut drafts[at], &site, &id, from);
        }
    }
}

/// What several steps change, with a step and the last one before it that changes it too. Of steps that do not wait
/// for each other nobody knows the order: they stay as they were scripted.
pub(super) fn twice<K: Ord + Clone>(
    drafts: &[Draft<'_>],
    needs: &[Vec<u32>],
    of: impl Fn(&Effect) -> Option<K>,
) -> Vec<(K, usize, usize)> {
    let mut changes: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        for key in draft.script.effects.iter().filter_map(&of) {
            changes.entry(key).or_default().push(at);
        }
    }
    let mut pairs = Vec::new();
    for (key, steps) in changes {
        for (rank, &at) in steps.iter().enumerate().skip(1) {
            let mut earlier = steps.iter().take(rank).rev().copied();
            let before = earlier.find(|&before| comes_before(drafts, needs, before, at));
            pairs.extend(before.map(|before| (key.clone(), before, at)));
        }
    }
    pairs
}

const fn scale(effect: &Effect) -> Option<&Scale> {
    match effect {
        Effect::Scale(scale) => Some(scale),
        _ => None,
    }
}

fn size_after(draft: &Draft<'_>, site: &str, id: &ObjectId) -> Option<u32> {
    let mut all = draft.script.effects.iter().filter_map(scale);
    all.find(|scale| scale.site == site && scale.id == *id)
        .map(|scale| scale.to)
}

/// What runs at the end comes after everything that does not.
fn comes_before(drafts: &[Draft<'_>], needs: &[Vec<u32>], before: usize, at: usize) -> bool {
    if drafts[at].step.finally && !drafts[before].step.finally {
        return true;
    }
    let mut open = vec![at];
    let mut met = vec![false; needs.len()];
    while let Some(step) = open.pop() {
        for &need in &needs[step] {
            let need = need as usize;
            if need == before {
                return true;
            }
            // Steps come after what they need.
            if need > before && !std::mem::replace(&mut met[need], true) {
                open.push(need);
            }
        }
    }
    false
}

fn begin_at(draft: &mut Draft<'_>, site: &str, id: &ObjectId, from: u32) {
    for effect in &mut draft.script.effects {
        match effect {
            Effect::Scale(scale) if scale.site == site && scale.id == *id => scale.from = from,
            _ => {}
        }
    }
    // Back to where each of them began, the last one first.
    let changed = draft.script.effects.iter().rev().filter_map(scale);
    let back = changed.filter(|scale| scale.from != scale.to).map(|scale| {
        Effect::Scale(Scale {
            from: scale.to,
            to: scale.from,
            ..scale.clone()
        })
    });
    draft.script.undo = back.collect();
}
