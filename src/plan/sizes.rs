//! A workload whose size is changed twice in one plan: the second change begins where the first one ends.
//!
//! Every step is scripted from what was seen before the run, so both would begin at the same size; and a
//! change from a size that is not there is refused, because somebody else may have made it.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::effect::{Effect, Scale};
use crate::objects::ObjectId;

/// Site and workload → positions of the steps that set its size, in the order of the plan.
type Changes = BTreeMap<(String, ObjectId), Vec<usize>>;

/// Sets where each change of a size begins. Of steps that do not wait for each other nobody knows the order:
/// they stay as they were scripted.
pub(super) fn chain(drafts: &mut [Draft<'_>], needs: &[Vec<u32>]) {
    let mut changes = Changes::new();
    for (at, draft) in drafts.iter().enumerate() {
        for scale in draft.script.effects.iter().filter_map(scale) {
            let of = (scale.site.clone(), scale.id.clone());
            changes.entry(of).or_default().push(at);
        }
    }
    for ((site, id), steps) in changes {
        for (rank, &at) in steps.iter().enumerate().skip(1) {
            let earlier = steps.iter().take(rank).rev();
            let before = earlier
                .copied()
                .find(|&before| comes_before(drafts, needs, before, at));
            if let Some(from) = before.and_then(|before| size_after(&drafts[before], &site, &id)) {
                begin_at(&mut drafts[at], &site, &id, from);
            }
        }
    }
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
