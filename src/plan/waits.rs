//! Time that passes by itself: pauses that do not fit into their step, and caches that outlive the recovery.

use std::collections::BTreeMap;

use super::{Part, Plan, PlannedStep, Warning, codes, judge};
use crate::effect::{Effect, Pause};
use crate::text::{Diagnostic, DomainName, Millis, Span};

/// A step that pauses for longer than it has time: it would be cut off in the middle, each time.
pub(super) fn cut_off(step: &PlannedStep, span: Span) -> Option<Diagnostic> {
    let pauses = step.effects.iter().map(|effect| match effect {
        Effect::Pause(Pause { for_ms, .. }) => *for_ms,
        _ => 0,
    });
    let (pauses, limit) = (Millis(pauses.sum()), Millis(step.policy.timeout_ms));
    (pauses.0 > 0 && pauses >= limit).then(|| {
        let message = format!("step `{}` waits for {pauses} and has {limit}", step.name);
        Diagnostic::error(codes::TOO_SHORT, message, span, "this step")
            .help("give it more: `timeout: …` at this step")
    })
}

/// Domain names whose old answer may be in caches for longer than the recovery may take.
pub(super) fn slow_caches(plan: &Plan) -> Vec<Warning> {
    let Some(rto) = plan.objectives.rto_ms.map(Millis) else {
        return Vec::new();
    };
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    // Of several changes of one name, the longest.
    let mut names: BTreeMap<&DomainName, Millis> = BTreeMap::new();
    for effect in done.flat_map(|step| &step.effects) {
        if let Effect::SwapRecords(swap) = effect {
            let outlives = Millis::of_seconds(swap.outlives_s);
            let known = names.entry(&swap.name).or_insert(outlives);
            *known = outlives.max(*known);
        }
    }
    let slow = names.into_iter().filter(|(_, outlives)| *outlives > rto);
    slow.map(|(name, outlives)| {
        let message = format!(
            "caches may give the old answer of {name} for {outlives} after its change; the RTO is {rto}"
        );
        let hint =
            "lower its TTL now and wait as long as the old one says: then the next change is seen sooner";
        judge::warning(codes::SLOW_CACHES, &message, hint)
    })
    .collect()
}
