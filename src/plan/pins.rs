//! Writes into every restore that may delete what its preview showed, so that nothing else goes.

use super::{Part, Plan, Warning, codes, judge};
use crate::effect::{Effect, Existing, RestoreObjects, Seen};
use crate::step::Observed;

/// Pins what may be deleted.
pub(super) fn pin(plan: &mut Plan, seen: &Observed) {
    let effects = plan.steps.iter_mut().flat_map(|step| &mut step.effects);
    for effect in effects.filter(|effect| matches!(effect, Effect::RestoreObjects(_))) {
        let question = effect.meaning().preview();
        let answer = question.and_then(|question| seen.answer(&question));
        if let (Effect::RestoreObjects(restore), Some(Seen::Restore(preview))) = (effect, answer)
            && restore.existing.deletes()
            && preview.backup.is_some()
        {
            restore.shown = Some(preview.shown.clone());
        }
    }
}

/// Steps that are told to prune and will not.
pub(super) fn not_shown(plan: &Plan) -> Vec<Warning> {
    let prunes = |restore: &RestoreObjects| restore.existing == Existing::Prune && restore.shown.is_none();
    let steps = plan.steps.iter().filter(|step| step.part == Part::Done);
    let steps = steps.filter(|step| {
        let mut effects = step.effects.iter();
        effects.any(|effect| matches!(effect, Effect::RestoreObjects(restore) if prunes(restore)))
    });
    steps
        .map(|step| {
            let message = format!(
                "{} restores a backup that is still to be made: what it would prune cannot be shown, so it prunes nothing",
                step.name
            );
            let hint = "prune afterwards, by a restore of that backup with a plan of its own";
            judge::warning(codes::NOT_SHOWN, &message, hint)
        })
        .collect()
}
