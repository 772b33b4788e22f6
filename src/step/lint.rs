//! What an incident would find out: doubts, of which nothing is refused, and in [`takeover`] the one that is.

mod dns;
mod takeover;

use super::names::Names;
use crate::runbook::Step;
use crate::text::{Diagnostic, Diagnostics, codes, quote};

/// Steps whose result has to be looked at: of this kind, and those that have a Velero do the same.
const RESTORE: &str = "restore";
const VELERO: &str = "velero";

fn restores(step: &Step) -> bool {
    match step.kind.value.as_str() {
        RESTORE => true,
        VELERO => step.params.get(RESTORE).is_some(),
        _ => false,
    }
}

pub(super) fn check(names: &Names<'_>, found: &mut Diagnostics) {
    check_service(names, found);
    check_restores(names, found);
    dns::check(names, found);
    takeover::check(names, found);
}

fn check_service(names: &Names<'_>, found: &mut Diagnostics) {
    let runbook = names.runbook;
    let missing = [
        (
            runbook.owner.is_none(),
            codes::NO_OWNER,
            "nobody is named as owner",
            "owner: { team: … }",
        ),
        (
            runbook.objectives.rto_ms.is_none(),
            codes::NO_RTO,
            "no recovery time objective",
            "objectives: { rto: 30m }",
        ),
        (
            runbook.objectives.rpo_ms.is_none(),
            codes::NO_RPO,
            "no recovery point objective",
            "objectives: { rpo: 15m }",
        ),
    ];
    for (missing, code, message, example) in missing {
        if missing {
            let span = runbook.name.span;
            let diagnostic = Diagnostic::warning(code, message, span, "for this service");
            found.push(diagnostic.help(format!("add `{example}` to its `spec`")));
        }
    }
}

fn check_restores(names: &Names<'_>, found: &mut Diagnostics) {
    let steps = &names.runbook.steps;
    let restores: Vec<&Step> = steps.iter().filter(|step| restores(step)).collect();
    if restores.is_empty() {
        return;
    }
    let proofs = steps.iter().filter(|step| {
        let kind = names.kinds.get(step.kind.value.as_str());
        kind.is_some_and(|kind| kind.proves_health)
    });
    let looked_at = names.come_before(proofs);
    for restore in restores {
        let place = names.place(&restore.name.value);
        if !place.is_some_and(|at| looked_at[at]) {
            let message = format!("nothing proves that {} worked", quote(&restore.name.value));
            let span = restore.name.span;
            let diagnostic = Diagnostic::warning(
                codes::UNPROVEN_RESTORE,
                message,
                span,
                "no look at the service follows",
            );
            found.push(diagnostic.help(prove(names)));
        }
    }
}

/// `add a `probe` or `wait` step that needs it`.
fn prove(names: &Names<'_>) -> String {
    let proving: Vec<String> = names
        .kinds
        .values()
        .filter(|kind| kind.proves_health)
        .map(|kind| quote(kind.name))
        .collect();
    format!("add a {} step that needs it", proving.join(" or "))
}
