//! What the seed wants done: two sites, and a plan of a failover between them with everything that a plan may
//! have. Small, so that a million of them can be carried out; made of the same effects as any other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dice::Dice;
use crate::effect::{
    Apply, Ask, Await, Condition, Delete, Effect, Expected, Pause, Query, RunCommand, RunJob, Scale, Seen,
    WorkloadSeen,
};
use crate::objects::{ObjectId, builtin};
use crate::plan::{Part, Plan, PlannedStep, Sighting, Subject};
use crate::runbook::{Mode, Objectives, OnFailure, Policy};
use crate::text::Text;
use crate::world::sim::Embedded;

/// The recovery group of all runs.
pub(super) const GROUP: &str = "shop";

/// A deployment of the shop's web, and one that is always there to run commands in.
pub(super) fn seeded(mut world: Embedded, stores: &[String]) -> Embedded {
    for site in ["east", "west"] {
        world = world.with_site(site);
        let replicas = if site == "east" { 3 } else { 0 };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
        let objects = [namespace, deployment("web", replicas), deployment("tools", 1)];
        world.cluster(site).unwrap().seed(&objects).unwrap();
    }
    stores.iter().fold(world, |world, store| world.with_store(store))
}

fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": name, "image": "registry.example.com/web:1" }] },
            },
        },
    })
}

fn id(kind: &str, version: &str, name: &str) -> ObjectId {
    ObjectId {
        api_version: version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some("shop".to_owned()),
        name: name.to_owned(),
    }
}

fn config(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "shop" }, "data": { "made": "by a run" },
    })
}

fn scale(site: &str, from: u32, to: u32) -> Effect {
    Effect::Scale(Scale {
        site: site.to_owned(),
        id: id("Deployment", "apps/v1", "web"),
        from,
        to,
    })
}

fn command(words: &[&str], repeatable: bool) -> Effect {
    Effect::RunCommand(RunCommand {
        site: "west".to_owned(),
        of: id("Deployment", "apps/v1", "tools"),
        container: None,
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        repeatable,
    })
}

fn step(name: &str, effects: Vec<Effect>) -> PlannedStep {
    PlannedStep {
        name: name.to_owned(),
        kind: "torture".to_owned(),
        description: None,
        needs: Vec::new(),
        part: Part::Done,
        policy: Policy::default(),
        last: false,
        proves_health: false,
        effects,
        undo: Vec::new(),
        notes: Vec::new(),
    }
}

/// What may stand between stopping one side and starting the other, and after it.
fn others(run: &str) -> Vec<PlannedStep> {
    let apply = |name: String| {
        Effect::Apply(Apply {
            site: "west".to_owned(),
            object: config(&name),
            force: false,
        })
    };
    let job = RunJob {
        site: "west".to_owned(),
        namespace: "shop".to_owned(),
        name: "migrate".to_owned(),
        image: "registry.example.com/tools:1".to_owned(),
        command: Vec::new(),
        env: Vec::new(),
        env_from_secret: Vec::new(),
        service_account: None,
    };
    let drop = Delete {
        site: "west".to_owned(),
        id: id("ConfigMap", "v1", &format!("old-{run}")),
        missing_ok: false,
    };
    let ask = Ask {
        question: Text::known("go?"),
        by: Vec::new(),
        expected: Expected::Approval,
        unless_proved: Vec::new(),
    };
    let available = Await {
        site: "west".to_owned(),
        id: id("Deployment", "apps/v1", "tools"),
        condition: Condition::Available { replicas: None },
    };
    let rest = Pause {
        for_ms: 20_000,
        reason: "caches".to_owned(),
        after_change: false,
    };
    vec![
        step("mark", vec![apply(format!("mark-{run}"))]),
        step("migrate", vec![Effect::RunJob(job)]),
        step("charge", vec![command(&["charge", run], false)]),
        step("drop", vec![Effect::Delete(drop)]),
        step("go", vec![Effect::Ask(ask)]),
        step("warm", vec![command(&["warm", run], true), Effect::Pause(rest)]),
        step("up", vec![Effect::Await(available), apply(format!("up-{run}"))]),
        step(
            "tell",
            vec![
                command(&["tell", run], false),
                command(&["tell", run, "again"], false),
            ],
        ),
    ]
}

/// How many of the shop's web a site is told to have.
fn replicas(world: &Embedded, site: &str) -> u32 {
    let web = builtin("Deployment").and_then(|kind| world.cluster(site)?.peek(&kind, Some("shop"), "web"));
    let replicas = web.and_then(|web| web.pointer("/spec/replicas").and_then(Value::as_u64));
    u32::try_from(replicas.unwrap()).unwrap()
}

/// How both sites stand, as far as a plan is made from it.
pub(super) fn stands(world: &Embedded) -> String {
    format!(
        "east {}, west {}",
        replicas(world, "east"),
        replicas(world, "west")
    )
}

/// What the plan is made from, as its question and its answer.
fn sighting(world: &Embedded, site: &str) -> Sighting {
    let seen = WorkloadSeen {
        id: id("Deployment", "apps/v1", "web"),
        replicas: replicas(world, site),
    };
    Sighting {
        query: Query::Workloads {
            site: site.to_owned(),
            namespace: "shop".to_owned(),
            kind: "Deployment".to_owned(),
            name: Some("web".to_owned()),
            selector: Vec::new(),
        },
        seen: Seen::Workloads(vec![seen]),
    }
}

/// From what is seen there now. What is as wanted needs no change, and then there is nothing to undo.
fn resize(world: &Embedded, name: &str, site: &str, to: u32) -> PlannedStep {
    let from = replicas(world, site);
    if from == to {
        return step(name, Vec::new());
    }
    let mut step = step(name, vec![scale(site, from, to)]);
    step.undo = vec![scale(site, to, from)];
    step
}

/// The plan of one run; what it wants to delete is put there.
pub(super) fn plan(run: &str, dice: &mut Dice, world: &Embedded) -> Plan {
    let west = world.cluster("west").unwrap();
    west.seed(&[config(&format!("old-{run}"))]).unwrap();
    let sightings = ["east", "west"].map(|site| sighting(world, site)).into();
    let stop = resize(world, "stop", "east", 0);
    let promote = resize(world, "promote", "west", 3);
    let mut all: Vec<PlannedStep> = others(run).into_iter().filter(|_| dice.permille(600)).collect();
    let at = usize::try_from(dice.below(all.len() as u64 + 1)).unwrap();
    all.insert(at, promote);
    all.insert(0, stop);
    for (index, step) in (0u32..).zip(&mut all) {
        step.needs = (0..index).filter(|_| dice.permille(300)).collect();
        if step.name == "promote" && !step.needs.contains(&0) {
            step.needs.insert(0, 0);
        }
    }
    for step in &mut all {
        step.policy = policy(dice, step.name == "stop");
    }
    if dice.permille(200) {
        let mut close = step("close", vec![command(&["warm", run], true)]);
        close.last = true;
        all.push(close);
    }
    whole(all, sightings)
}

fn policy(dice: &mut Dice, first: bool) -> Policy {
    let on_failure = match dice.below(10) {
        0 if !first => OnFailure::Continue,
        1 => OnFailure::Stop,
        2..=4 => OnFailure::Undo,
        _ => OnFailure::Pause,
    };
    Policy {
        timeout_ms: dice.between(30, 600) * 1000,
        attempts: u32::try_from(dice.between(1, 4)).unwrap(),
        backoff_ms: dice.between(500, 5_000),
        on_failure,
    }
}

fn whole(steps: Vec<PlannedStep>, sightings: Vec<Sighting>) -> Plan {
    Plan {
        format: Plan::FORMAT,
        tool: crate::TOOL.to_owned(),
        runbook: Subject {
            name: GROUP.to_owned(),
            title: "Shop".to_owned(),
            summary: None,
            tier: None,
            owner: None,
            people: BTreeMap::new(),
            digest: String::new(),
            recovery: None,
            approvals: crate::runbook::Approvals::default(),
        },
        mode: Mode::Failover,
        roles: [("active", "east"), ("standby", "west")]
            .map(|(role, site)| (role.to_owned(), site.to_owned()))
            .into(),
        inputs: BTreeMap::new(),
        objectives: Objectives::default(),
        sites: BTreeMap::new(),
        sandbox: None,
        steps,
        left_out: Vec::new(),
        sightings,
        warnings: Vec::new(),
    }
}
