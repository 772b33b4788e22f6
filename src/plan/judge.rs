//! The last look at a plan before it is shown: what refuses it, and what a person should know.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::draft::Request;
use super::{Look, Part, Plan, PlannedStep, Warning, codes, lacking, previews, scope, waits};
use crate::effect::{Effect, Fate, Query, RestorePreview, Seen, WorldError};
use crate::runbook::{KubernetesSite, Runbook, Step};
use crate::step::Observed;
use crate::text::{Diagnostic, Diagnostics, Span};

/// How many objects an error names; the rest is counted.
const NAMED: usize = 5;

/// Refuses the plan or completes it, but for the sightings: what was seen is still `seen`'s.
///
/// # Errors
///
/// Everything that stands against it.
pub(super) fn judge(request: &Request<'_>, mut plan: Plan, seen: &Observed) -> Result<Plan, Diagnostics> {
    let mut found = Diagnostics::default();
    let written = written(request.runbook);
    identify(&mut plan, seen);
    // Asking for every effect is much work, and mostly everybody answers.
    if seen.iter().any(|(_, seen)| matches!(seen, Seen::Unanswered(_))) {
        for step in plan.steps.iter_mut().filter(|step| step.part == Part::Done) {
            hear(request, &plan.roles, &written, step, seen, &mut found);
        }
    }
    for step in plan.steps.iter().filter(|step| step.part == Part::Done) {
        let span = written
            .get(step.name.as_str())
            .map_or(request.runbook.name.span, |step| step.name.span);
        if let Some(cut_off) = waits::cut_off(step, span) {
            found.push(cut_off);
        }
        for preview in step
            .effects
            .iter()
            .filter_map(|effect| restore_preview(effect, seen))
        {
            let refused = [
                refuse_restore(&step.name, span, preview),
                lacking::refused(&step.name, span, preview),
            ];
            refused.into_iter().flatten().for_each(|one| found.push(one));
        }
    }
    let restores: Vec<&RestorePreview> = previews(seen.iter().map(|(_, seen)| seen)).collect();
    plan.warnings = warnings(&plan, &restores);
    plan.warnings.extend(not_pinned(request, &plan));
    plan.warnings.extend(passed_over(seen));
    plan.warnings.extend(said(&restores));
    plan.warnings.extend(idle_allowances(&plan, seen));
    if found.has_errors() { Err(found) } else { Ok(plan) }
}

/// Keeps what every site that answered said of itself.
fn identify(plan: &mut Plan, seen: &Observed) {
    let sites: Vec<String> = plan.roles.values().cloned().collect();
    for site in sites {
        if let Some(Seen::Site(identity)) = identity(seen, &site) {
            plan.sites.insert(site, identity.clone());
        }
    }
}

/// A step on a site or store that did not answer is left out or refuses the plan.
fn hear(
    request: &Request<'_>,
    roles: &BTreeMap<String, String>,
    written: &Written<'_>,
    planned: &mut PlannedStep,
    seen: &Observed,
    found: &mut Diagnostics,
) {
    let Some(error) = silent(request.look, &planned.effects, seen) else {
        return;
    };
    let Some(step) = written.get(planned.name.as_str()) else {
        let message = format!("{} did not answer: {}", error.target, error.message);
        found.push(Diagnostic::error(
            codes::SILENT,
            message,
            request.runbook.name.span,
            "this runbook",
        ));
        return;
    };
    match scope::silence(request, roles, step, error) {
        Ok(why) => planned.part = Part::Skipped(why),
        Err(diagnostic) => found.push(diagnostic),
    }
}

/// The steps of the runbook by name; a drill adds some to the plan that nobody wrote. Only looked up, never
/// iterated over: its order cannot be seen.
type Written<'a> = HashMap<&'a str, &'a Step>;

fn written(runbook: &Runbook) -> Written<'_> {
    let steps = runbook.steps.iter();
    steps.map(|step| (step.name.value.as_str(), step)).collect()
}

/// The first silence that concerns one of these effects.
fn silent<'a>(look: Look, effects: &[Effect], seen: &'a Observed) -> Option<&'a WorldError> {
    let silence = |answer: Option<&'a Seen>| match answer {
        Some(Seen::Unanswered(error)) => Some(error),
        _ => None,
    };
    effects.iter().find_map(|effect| {
        let meaning = effect.meaning();
        let site = meaning.site().and_then(|site| silence(identity(seen, site)));
        let preview = || silence(seen.answer(&look.at(meaning.preview()?)));
        site.or_else(preview)
    })
}

fn restore_preview<'a>(effect: &Effect, seen: &'a Observed) -> Option<&'a RestorePreview> {
    if !matches!(effect, Effect::RestoreObjects(_)) {
        return None;
    }
    match seen.answer(&effect.meaning().preview()?)? {
        Seen::Restore(preview) => Some(preview),
        _ => None,
    }
}

/// Objects that must not or cannot be restored refuse the plan, by name.
fn refuse_restore(name: &str, span: Span, preview: &RestorePreview) -> Option<Diagnostic> {
    let refused: Vec<_> = preview
        .fates
        .iter()
        .filter(|one| one.fate == Fate::Refuse)
        .collect();
    if refused.is_empty() {
        return None;
    }
    let message = format!(
        "step `{name}` cannot restore {} of {} objects",
        refused.len(),
        preview.fates.len()
    );
    let mut diagnostic = Diagnostic::error(codes::CANNOT_RESTORE, message, span, "this step");
    for one in refused.iter().take(NAMED) {
        diagnostic = diagnostic.help(format!("{}: {}", one.id, one.why));
    }
    if refused.len() > NAMED {
        diagnostic = diagnostic.help(format!("and {} more", refused.len() - NAMED));
    }
    Some(diagnostic.help(
        "mend the standby, name in `allow` what may give power, or leave these kinds out with `exclude`",
    ))
}

/// What a person should know before saying yes.
fn warnings(plan: &Plan, restores: &[&RestorePreview]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if plan.sandbox.is_some() {
        warnings.push(warning(
            codes::EGRESS_UNPROVED,
            "egress is closed by NetworkPolicy; whether the site's network enforces it is not proved",
            "make sure that the standby's network plugin enforces NetworkPolicy",
        ));
    }
    for backup in restores.iter().filter_map(|preview| preview.backup.as_ref()) {
        if backup.verified_at.is_none() {
            let message = format!(
                "backup {} was never read back and compared with a manifest",
                backup.name
            );
            warnings.push(warning(
                codes::UNVERIFIED,
                &message,
                "make one that is: lifeboat protect <runbook>",
            ));
        }
        if !backup.errors.is_empty() {
            let message = format!(
                "the writer of backup {} reported {} errors",
                backup.name,
                backup.errors.len()
            );
            warnings.push(warning(
                codes::WRITER_ERRORS,
                &message,
                "read them before relying on it",
            ));
        }
    }
    warnings.extend(lacking::warnings(restores));
    if !plan
        .steps
        .iter()
        .any(|step| step.proves_health && step.part == Part::Done)
    {
        warnings.push(warning(
            codes::NO_PROOF,
            "no step proves that the service is healthy, so RTO cannot be measured",
            "add a `probe`, or a `wait` for a workload to be available",
        ));
    }
    warnings.extend(super::pins::not_shown(plan));
    warnings.extend(waits::slow_caches(plan));
    for step in &plan.steps {
        if let Part::Skipped(why) = &step.part
            && why.ends_with(scope::NOT_DOWN)
        {
            warnings.push(warning(
                codes::LEFT_OUT_SILENT,
                &format!("{} is left out: {why}", step.name),
                "find out before going on",
            ));
        }
    }
    warnings
}

/// Real sites and stores of this plan that nobody pinned, in one sentence. Where every site is in this
/// process, nothing is real enough to be mistaken for something else.
fn not_pinned(request: &Request<'_>, plan: &Plan) -> Option<Warning> {
    let sites = request.sites;
    let real = |site: &&String| {
        let site = sites.sites.get(*site);
        site.is_some_and(|site| matches!(site.kubernetes, KubernetesSite::Context { .. }))
    };
    let at: BTreeSet<&String> = plan.roles.values().filter(real).collect();
    if at.is_empty() {
        return None;
    }
    let mirrors = sites.journal.iter().flat_map(|places| &places.mirrors);
    let kept = plan.stores().chain(mirrors.map(String::as_str));
    let kept: BTreeSet<&str> = kept
        .filter(|store| !sites.pins.stores.contains_key(*store))
        .collect();
    let at = at
        .into_iter()
        .filter(|site| !sites.pins.sites.contains_key(*site));
    let open: Vec<&str> = at.map(String::as_str).chain(kept).collect();
    let verb = if open.len() == 1 { "is" } else { "are" };
    (!open.is_empty()).then(|| {
        let message = format!("who {} {verb} is not pinned", open.join(", "));
        warning(codes::NOT_PINNED, &message, "lifeboat sites pin")
    })
}

/// What restores say of themselves as a whole.
fn said(restores: &[&RestorePreview]) -> Vec<Warning> {
    let said = restores.iter().flat_map(|preview| &preview.said);
    said.map(|words| {
        warning(
            codes::RESTORE_SAYS,
            words,
            "correct the restore step, or go on without it",
        )
    })
    .collect()
}

/// Newer backups that are not the ones restored. A plan keeps only the name that was chosen, so this
/// is said from what was seen.
fn passed_over(seen: &Observed) -> Vec<Warning> {
    let chosen = seen.iter().filter_map(|(_, seen)| match seen {
        Seen::Backup(Some(backup)) => Some(backup),
        _ => None,
    });
    let lines = chosen.flat_map(|backup| {
        backup.passed_over.iter().map(|why| {
            let message = format!(
                "{} is not the newest backup there; passed over: {why}",
                backup.name
            );
            warning(
                codes::PASSED_OVER,
                &message,
                "find out what happened to it, and make a new one: lifeboat protect <runbook>",
            )
        })
    });
    lines.collect()
}

/// What a runbook allows and nothing in the backup needs.
fn idle_allowances(plan: &Plan, seen: &Observed) -> Vec<Warning> {
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    let idle = done.flat_map(|step| {
        let previews = step
            .effects
            .iter()
            .filter_map(|effect| restore_preview(effect, seen));
        previews.flat_map(|preview| preview.idle_allowances.iter().map(|one| (&step.name, one)))
    });
    idle.map(|(step, one)| {
        let message = format!("step `{step}` allows {one}, and nothing in the backup needs it");
        warning(
            codes::IDLE_ALLOWANCE,
            &message,
            "correct the names, or take the allowance out: it would let in what comes later",
        )
    })
    .collect()
}

pub(super) fn warning(code: &str, message: &str, hint: &str) -> Warning {
    Warning {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

/// The identity that a site gave when asked.
fn identity<'a>(seen: &'a Observed, site: &str) -> Option<&'a Seen> {
    seen.answer(&Query::Site {
        site: site.to_owned(),
    })
}
