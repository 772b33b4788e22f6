//! What a mode means: which way the roles point, and the walls of a drill.
//!
//! Together with the command line this is the only place that knows modes. The walls are drawn once,
//! here, on effects that are data; what cannot be kept inside refuses the drill before anything is
//! written.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Request};
use super::{Part, Plan, PlannedStep, codes};
use crate::effect::{Class, CloseSandbox, Confinement, Effect, ErrorKind, OpenSandbox, Sandbox, WorldError};
use crate::runbook::{ACTIVE, InDrill, Mode, OnFailure, Policy, Runbook, STANDBY, Step, Ungraceful, swapped};
use crate::step::Script;
use crate::text::{Diagnostic, Diagnostics, Piece};

/// Names of the steps that a drill adds. A colon cannot stand in a runbook's step names.
const OPEN: &str = "drill:open";
const CLOSE: &str = "drill:tear-down";
/// A namespace's name is a DNS label.
const LABEL_MAX: usize = 63;
/// A namespace with many objects and a slow controller takes minutes to go; half an hour means that
/// something holds it, and a person must look.
const CLOSE_TIMEOUT_MS: u64 = 30 * 60 * 1000;
/// Removing what a drill made is worth more tries than an ordinary step.
const CLOSE_ATTEMPTS: u32 = 10;

/// Which site plays which role. A failback is the same recovery the other way round.
pub(super) fn roles(runbook: &Runbook, mode: Mode) -> Result<BTreeMap<String, String>, Diagnostics> {
    let roles = runbook.sites_by_role();
    let wanted: &[&str] = match mode {
        Mode::Drill => &[STANDBY],
        Mode::Failback => &[ACTIVE, STANDBY],
        Mode::Switchover | Mode::Failover | Mode::Protect => &[],
    };
    let mut found = Diagnostics::default();
    for role in wanted.iter().filter(|role| !roles.contains_key(**role)) {
        let message = format!("a {mode} needs a site in role `{role}`");
        found.push(
            Diagnostic::error(codes::NO_ROLE, message, runbook.name.span, "this runbook")
                .help(format!("add it: roles: {{ {role}: <site> }}")),
        );
    }
    if found.has_errors() {
        return Err(found);
    }
    Ok(if mode == Mode::Failback {
        swapped(roles)
    } else {
        roles
    })
}

/// How the reason ends for which a step is left out because of a silent site.
pub(super) const NOT_DOWN: &str = "that is not the same as down";

/// What it means that a site or store did not answer: the reason for leaving the step out, or a
/// diagnostic that refuses the plan.
pub(super) fn silence(
    request: &Request<'_>,
    roles: &BTreeMap<String, String>,
    step: &Step,
    error: &WorldError,
) -> Result<String, Diagnostic> {
    let name = &step.name.value;
    if error.kind == ErrorKind::WrongIdentity {
        let message = format!("step `{name}` is refused at {}: {}", error.target, error.message);
        let refused = Diagnostic::error(codes::STRANGER, message, step.name.span, "this step");
        return Err(error
            .hints
            .iter()
            .fold(refused, |refused, hint| refused.help(hint.as_str())));
    }
    if error.kind == ErrorKind::Damaged {
        let message = format!(
            "step `{name}` needs what is damaged at {}: {}",
            error.target, error.message
        );
        return Err(
            Diagnostic::error(codes::DAMAGED, message, step.name.span, "this step")
                .help("name another backup at this step, or make one: lifeboat protect <runbook>"),
        );
    }
    let outside = request.mode == Mode::Drill
        && request.sites.sites.contains_key(&error.target)
        && roles.get(STANDBY) != Some(&error.target);
    if outside || step.ungraceful == Ungraceful::Skip {
        let how = if error.kind == ErrorKind::Unreachable {
            "is unreachable"
        } else {
            "did not answer"
        };
        return Ok(format!("{} {how} ({}); {NOT_DOWN}", error.target, error.message));
    }
    let shut = matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden);
    let did = if shut {
        "did not let us in"
    } else {
        "did not answer"
    };
    let message = format!(
        "step `{name}` needs {}, which {did}: {}",
        error.target, error.message
    );
    let way_on = error.hints.first().filter(|_| shut);
    let help = way_on.map_or(
        "unreachable is not the same as down; to go on without this step write `ungraceful: skip` at it",
        String::as_str,
    );
    Err(Diagnostic::error(codes::SILENT, message, step.name.span, "this step").help(help))
}

/// Draws the walls in a drill; puts the real names in everywhere else.
pub(super) fn scope(
    request: &Request<'_>,
    roles: &BTreeMap<String, String>,
    drafts: &mut [Draft<'_>],
    found: &mut Diagnostics,
) -> Option<Sandbox> {
    let sandbox = (request.mode == Mode::Drill).then(|| walls(request, roles, drafts));
    if let Some(sandbox) = &sandbox {
        if sandbox.namespaces.is_empty() && !found.has_errors() {
            let message = format!(
                "nothing is restored on {}, so there is nothing to drill",
                sandbox.site
            );
            found.push(
                Diagnostic::error(
                    codes::NOTHING_TO_DRILL,
                    message,
                    request.runbook.name.span,
                    "this runbook",
                )
                .help("add a `restore` step with `site: standby` that takes part in drills"),
            );
        }
        for draft in drafts.iter_mut() {
            confine(draft, sandbox, found);
        }
    }
    for draft in drafts {
        bind_namespaces(&mut draft.script, sandbox.as_ref());
    }
    sandbox
}

/// Every namespace that is restored on the standby gets one of the drill's own in its place. It goes by
/// the name that the namespace has there in a failover: that is what other steps call it.
fn walls(request: &Request<'_>, roles: &BTreeMap<String, String>, drafts: &[Draft<'_>]) -> Sandbox {
    let site = roles.get(STANDBY).cloned().unwrap_or_default();
    let restored: BTreeSet<&str> = drafts
        .iter()
        .filter(|draft| draft.part == Part::Done && draft.step.drill != InDrill::Skip)
        .flat_map(|draft| &draft.script.effects)
        .filter_map(|effect| match effect {
            Effect::RestoreObjects(restore) if restore.site == site => Some(restore.mapped_namespaces()),
            _ => None,
        })
        .flatten()
        .collect();
    let namespaces = restored
        .into_iter()
        .map(|name| (name.to_owned(), inside(name, request.id)))
        .collect();
    Sandbox {
        id: request.id.to_owned(),
        site,
        namespaces,
    }
}

/// `shop-drill-4k2`, cut so that it stays a DNS label.
fn inside(namespace: &str, id: &str) -> String {
    let tail = format!("-drill-{id}");
    let room = LABEL_MAX.saturating_sub(tail.len());
    let head: String = namespace.chars().take(room).collect();
    format!("{}{tail}", head.trim_end_matches('-'))
}

/// One step inside the walls, or left out, or refused.
fn confine(draft: &mut Draft<'_>, sandbox: &Sandbox, found: &mut Diagnostics) {
    // The sandbox is removed as a whole, so nothing needs to be undone.
    draft.script.undo.clear();
    if draft.part != Part::Done {
        return;
    }
    match draft.step.drill {
        InDrill::Skip => draft.part = Part::Skipped("its runbook says so".to_owned()),
        InDrill::AsIs => allow(draft, found),
        InDrill::Confine => {
            for effect in &mut draft.script.effects {
                let confinement = effect.meaning_mut().confine(sandbox);
                note(draft.step, confinement, &mut draft.part, &mut draft.notes, found);
            }
        }
    }
}

/// `drill: as-is` is for steps that change nothing.
fn allow(draft: &mut Draft<'_>, found: &mut Diagnostics) {
    if draft
        .script
        .effects
        .iter()
        .all(|effect| effect.meaning().class() == Class::Read)
    {
        draft
            .notes
            .push("as in production: its runbook says that it harms nobody".to_owned());
        return;
    }
    let message = format!(
        "step `{}` changes something, so a drill cannot do it as it is",
        draft.step.name.value
    );
    found.push(
        Diagnostic::error(codes::CHANGES_AS_IS, message, draft.step.name.span, "this step")
            .help("`drill: as-is` is for steps that only look; write `drill: skip`"),
    );
}

fn note(
    step: &Step,
    confinement: Confinement,
    part: &mut Part,
    notes: &mut Vec<String>,
    found: &mut Diagnostics,
) {
    match confinement {
        Confinement::Untouched => {}
        Confinement::Confined(fragments) => {
            for fragment in fragments {
                if !notes.contains(&fragment) {
                    notes.push(fragment);
                }
            }
        }
        Confinement::Skipped(why) => *part = Part::Skipped(why),
        Confinement::Refused { why, hint } => {
            let message = format!("step `{}` cannot be kept inside a drill: {why}", step.name.value);
            found.push(Diagnostic::error(codes::OUTSIDE, message, step.name.span, "this step").help(hint));
        }
    }
}

/// `${namespaces.shop}` becomes the drill's namespace, or itself.
fn bind_namespaces(script: &mut Script, sandbox: Option<&Sandbox>) {
    for effect in script.effects.iter_mut().chain(&mut script.undo) {
        for text in effect.meaning_mut().late() {
            text.bind(|piece| match piece {
                Piece::Namespace(name) => {
                    let drilled = sandbox.and_then(|sandbox| sandbox.namespaces.get(name));
                    Some(drilled.unwrap_or(name).clone())
                }
                Piece::Literal(_) | Piece::Output { .. } => None,
            });
        }
    }
}

/// The effects that open a sandbox.
pub(super) fn opening(sandbox: &Sandbox) -> Vec<Effect> {
    vec![Effect::OpenSandbox(OpenSandbox {
        sandbox: sandbox.clone(),
    })]
}

/// Puts the opening before everything and the tear-down after it, whatever happens between.
pub(super) fn frame(plan: &mut Plan, sandbox: Sandbox) {
    for step in &mut plan.steps {
        step.needs = step.needs.iter().map(|need| need + 1).collect();
        if step.needs.is_empty() {
            step.needs.push(0);
        }
        // Nobody is left waiting over a half-done drill: a failure ends it, and it is torn down.
        if step.policy.on_failure == OnFailure::Pause {
            step.policy.on_failure = OnFailure::Stop;
        }
    }
    let stores = own_prefixes(plan);
    let open = added(
        OPEN,
        "sandbox",
        opening(&sandbox),
        Policy {
            on_failure: OnFailure::Stop,
            ..Policy::default()
        },
    );
    let close = Effect::CloseSandbox(CloseSandbox {
        sandbox: sandbox.clone(),
        stores,
    });
    let policy = Policy {
        timeout_ms: CLOSE_TIMEOUT_MS,
        attempts: CLOSE_ATTEMPTS,
        on_failure: OnFailure::Stop,
        ..Policy::default()
    };
    plan.steps.insert(0, open);
    let finally = (0u32..).zip(&plan.steps).filter(|(_, step)| step.last);
    plan.steps.push(PlannedStep {
        needs: finally.map(|(at, _)| at).collect(),
        last: true,
        ..added(CLOSE, PlannedStep::TEAR_DOWN, vec![close], policy)
    });
    plan.sandbox = Some(sandbox);
}

fn added(name: &str, kind: &str, effects: Vec<Effect>, policy: Policy) -> PlannedStep {
    PlannedStep {
        name: name.to_owned(),
        kind: kind.to_owned(),
        description: None,
        needs: Vec::new(),
        part: Part::Done,
        policy,
        last: false,
        proves_health: false,
        effects,
        undo: Vec::new(),
        notes: Vec::new(),
    }
}

/// Stores in which the drill writes under a prefix of its own.
fn own_prefixes(plan: &Plan) -> Vec<String> {
    let stores: BTreeSet<String> = plan
        .steps
        .iter()
        .flat_map(|step| &step.effects)
        .filter_map(|effect| match effect {
            Effect::CopyPrefix(copy) if copy.sandbox.is_some() => Some(copy.to.clone()),
            _ => None,
        })
        .collect();
    stores.into_iter().collect()
}
