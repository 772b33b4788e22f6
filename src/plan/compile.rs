//! The planner: runbook + observations → plan. It is given an [`Observer`] and so cannot write.
//!
//! In this order, each a pure function but for the two rounds of asking: bind early values; choose
//! and order the steps of the mode; ask what the kinds want to know; let each kind script its
//! effects; draw a drill's walls; ask what each effect would do; pin what may be deleted; judge.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::{Draft, Look, Request};
use super::graph::{self, Order};
use super::{
    LeftOut, Part, Plan, PlannedStep, Sighting, Subject, codes, judge, observe, pins, scope, sizes, swaps,
};
use crate::effect::{Await, Condition, Effect, Observer, Query, Sandbox};
use crate::runbook::{Mode, Runbook, Step};
use crate::step::{self, Bound, Kind, Observed, Ready, Refusal, Scene, Script};
use crate::text::{Diagnostic, Diagnostics};

/// Plans.
///
/// # Errors
///
/// Everything that stands against it, each at the step that it concerns.
pub async fn compile(request: &Request<'_>, observer: &dyn Observer) -> Result<Plan, Diagnostics> {
    let runbook = request.runbook;
    let roles = scope::roles(runbook, request.mode)?;
    let inputs = runbook.input_values(request.inputs, request.mode)?;
    let again;
    let ready = if let Some(bound) = request.bound.filter(|bound| bound.is_with(&roles, &inputs)) {
        &bound.steps
    } else {
        again = bind(request, &roles, &inputs)?;
        &again.steps
    };
    let order = graph::order(&runbook.steps, |step| step.modes.contains(&request.mode));
    let mut seen = Observed::default();
    observe::ask(observer, questions(runbook, &order, ready), &mut seen).await;
    let (drafts, sandbox) = draft(request, &roles, &order, ready, &seen)?;
    let asked = previews(request.look, &drafts, sandbox.as_ref());
    observe::ask(observer, asked.clone(), &mut seen).await;
    let mut plan = assemble(request, roles, inputs, &order, drafts, sandbox);
    pins::pin(&mut plan, &seen);
    let mut plan = judge::judge(request, plan, &seen)?;
    plan.sightings = sightings(&asked, seen);
    Ok(plan)
}

/// Reads the steps with the roles and inputs of this plan.
fn bind(
    request: &Request<'_>,
    roles: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Value>,
) -> Result<Bound, Diagnostics> {
    let (bound, found) = step::bind(request.runbook, request.sites, roles, inputs, request.kinds);
    if found.has_errors() { Err(found) } else { Ok(bound) }
}

/// What the kinds want to know.
fn questions(runbook: &Runbook, order: &Order, ready: &[Option<Box<dyn Ready>>]) -> BTreeSet<Query> {
    let backups = BTreeMap::new();
    order
        .steps
        .iter()
        .filter_map(|&at| ready[at].as_ref().map(|ready| (at, ready)))
        .flat_map(|(at, ready)| ready.queries(&scene(runbook, &runbook.steps[at], &backups)))
        .collect()
}

fn scene<'a>(runbook: &'a Runbook, step: &'a Step, backups: &'a BTreeMap<String, String>) -> Scene<'a> {
    Scene {
        runbook: runbook.name.value.as_str(),
        folder: runbook.folder.as_path(),
        step: step.name.value.as_str(),
        backups,
    }
}

/// Scripts every step, then draws the walls.
fn draft<'a>(
    request: &Request<'a>,
    roles: &BTreeMap<String, String>,
    order: &Order,
    ready: &[Option<Box<dyn Ready>>],
    seen: &Observed,
) -> Result<(Vec<Draft<'a>>, Option<Sandbox>), Diagnostics> {
    let mut drafts: Vec<Draft<'a>> = Vec::with_capacity(order.steps.len());
    let mut made: Vec<BTreeMap<String, String>> = Vec::with_capacity(order.steps.len());
    let mut found = Diagnostics::default();
    for (at, &index) in order.steps.iter().enumerate() {
        let step = &request.runbook.steps[index];
        let (Some(ready), Some(kind)) = (&ready[index], kind_of(request.kinds, step)) else {
            continue;
        };
        let backups = earlier(&made, &order.needs[at]);
        let scene = scene(request.runbook, step, &backups);
        let (script, part) = match ready.script(&scene, seen) {
            Ok(script) => (script, Part::Done),
            Err(refusal) => refused(request, roles, step, refusal, &mut found),
        };
        made.push(add_backups(backups, step, &script));
        drafts.push(Draft {
            step,
            kind,
            script,
            part,
            notes: Vec::new(),
        });
    }
    sizes::chain(&mut drafts, &order.needs);
    if request.mode != Mode::Drill {
        swaps::chain(&mut drafts, &order.needs);
    }
    let sandbox = scope::scope(request, roles, &mut drafts, &mut found);
    if found.has_errors() {
        Err(found)
    } else {
        Ok((drafts, sandbox))
    }
}

fn kind_of(kinds: &[Kind], step: &Step) -> Option<Kind> {
    kinds.iter().find(|kind| kind.name == step.kind.value).copied()
}

/// Stores into which steps before this one make a backup: store → step.
fn earlier(made: &[BTreeMap<String, String>], needs: &[u32]) -> BTreeMap<String, String> {
    needs
        .iter()
        .filter_map(|&need| made.get(need as usize))
        .flat_map(Clone::clone)
        .collect()
}

fn add_backups(
    mut backups: BTreeMap<String, String>,
    step: &Step,
    script: &Script,
) -> BTreeMap<String, String> {
    for effect in &script.effects {
        if let Effect::BackupObjects(backup) = effect {
            backups.insert(backup.store.clone(), step.name.value.clone());
        }
    }
    backups
}

/// What a step that cannot be scripted means for the plan.
fn refused(
    request: &Request<'_>,
    roles: &BTreeMap<String, String>,
    step: &Step,
    refusal: Refusal,
    found: &mut Diagnostics,
) -> (Script, Part) {
    let name = &step.name.value;
    match refusal {
        Refusal::Unanswered(error) => match scope::silence(request, roles, step, &error) {
            Ok(why) => return (Script::default(), Part::Skipped(why)),
            Err(diagnostic) => found.push(diagnostic),
        },
        Refusal::No { why, hint } => found.push(
            Diagnostic::error(
                codes::CANNOT_SCRIPT,
                format!("step `{name}` cannot be planned: {why}"),
                step.name.span,
                "this step",
            )
            .help(hint),
        ),
    }
    (Script::default(), Part::Done)
}

/// What each effect would do, who the sites are, and whether the stores answer.
fn previews(look: Look, drafts: &[Draft<'_>], sandbox: Option<&Sandbox>) -> BTreeSet<Query> {
    let mut queries = BTreeSet::new();
    for draft in drafts.iter().filter(|draft| draft.part == Part::Done) {
        for effect in draft.script.effects.iter().chain(&draft.script.undo) {
            queries.extend(about(look, effect));
        }
    }
    for effect in sandbox.iter().flat_map(|sandbox| scope::opening(sandbox)) {
        queries.extend(about(look, &effect));
    }
    queries
}

fn about(look: Look, effect: &Effect) -> Vec<Query> {
    let meaning = effect.meaning();
    let site = meaning.site().map(|site| Query::Site {
        site: site.to_owned(),
    });
    let preview = meaning.preview().map(|query| look.at(query));
    preview.into_iter().chain(site).collect()
}

fn sightings(asked: &BTreeSet<Query>, seen: Observed) -> Vec<Sighting> {
    seen.into_answers()
        .filter(|(query, _)| super::stale::matters(query) || asked.contains(query))
        .map(|(query, seen)| Sighting { query, seen })
        .collect()
}

fn assemble(
    request: &Request<'_>,
    roles: BTreeMap<String, String>,
    inputs: BTreeMap<String, Value>,
    order: &Order,
    drafts: Vec<Draft<'_>>,
    sandbox: Option<Sandbox>,
) -> Plan {
    let runbook = request.runbook;
    let steps = drafts
        .into_iter()
        .zip(&order.needs)
        .map(|(draft, needs)| planned(draft, needs))
        .collect();
    let mut plan = Plan {
        format: Plan::FORMAT,
        tool: crate::TOOL.to_owned(),
        runbook: subject(runbook),
        mode: request.mode,
        roles,
        inputs,
        objectives: runbook.objectives,
        sites: BTreeMap::new(),
        sandbox: None,
        steps,
        left_out: left_out(runbook, request.mode),
        sightings: Vec::new(),
        warnings: Vec::new(),
    };
    if let Some(sandbox) = sandbox {
        scope::frame(&mut plan, sandbox);
    }
    plan
}

fn subject(runbook: &Runbook) -> Subject {
    Subject {
        name: runbook.name.value.clone(),
        title: runbook.title.clone(),
        summary: runbook.summary.clone(),
        tier: runbook.tier,
        owner: runbook.owner.clone(),
        people: runbook.people.clone(),
        approvals: runbook.approvals,
        digest: runbook.digest.clone(),
        recovery: Some(runbook.recovery.clone()),
    }
}

fn left_out(runbook: &Runbook, mode: Mode) -> Vec<LeftOut> {
    runbook
        .steps
        .iter()
        .filter(|step| !step.modes.contains(&mode))
        .map(|step| {
            let modes: Vec<_> = step.modes.iter().map(|mode| mode.word()).collect();
            LeftOut {
                step: step.name.value.clone(),
                why: format!("only in {}", modes.join(", ")),
            }
        })
        .collect()
}

fn planned(draft: Draft<'_>, needs: &[u32]) -> PlannedStep {
    let step = draft.step;
    PlannedStep {
        name: step.name.value.clone(),
        kind: step.kind.value.clone(),
        description: step.description.clone(),
        needs: needs.to_vec(),
        proves_health: draft.kind.proves_health && draft.script.effects.iter().any(shows_health),
        part: draft.part,
        policy: step.policy,
        last: step.finally,
        effects: draft.script.effects,
        // What puts things back is not taken back.
        undo: if step.finally {
            Vec::new()
        } else {
            draft.script.undo
        },
        notes: draft.notes,
    }
}

/// Waiting for a Job or for something to be gone is no sign of health; a serving workload and a good
/// answer are.
const fn shows_health(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Probe(_)
            | Effect::CheckSql(_)
            | Effect::Await(Await {
                condition: Condition::Available { .. },
                ..
            })
    )
}
