//! Asking the sites of a plan whether they would take it.

use super::{CommandError, Exit, Settings, output};
use crate::effect::Rehearser;
use crate::plan::{Part, Plan};
use crate::report::{self, Answered};

/// Asks about every effect of a plan, one after the other, and shows the answers.
pub(super) async fn show(
    plan: &Plan,
    rehearser: &dyn Rehearser,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let mut all = Vec::new();
    for step in plan.steps.iter().filter(|step| step.part == Part::Done) {
        for effect in &step.effects {
            all.push(Answered {
                step: step.name.clone(),
                verb: effect.meaning().line().verb,
                said: rehearser.rehearse(effect).await,
            });
        }
    }
    output::text(&report::rehearsal(&all, settings.columns()));
    Ok(if all.iter().any(Answered::is_bad) {
        Exit::Refused
    } else {
        Exit::Done
    })
}
