//! What the engine, the driver and the journal add to steps that do nothing.
//!
//! The journal lies beside the other build products: on a disk, where syncing costs what it costs, and
//! not in a folder that may be memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lifeboat::effect::{
    Actor, Attempt, Effect, Observer, Pause, Query, Receipt, Resolution, Seen, WorldError,
};
use lifeboat::plan::{Digest, Part, Plan, PlannedStep, Subject};
use lifeboat::run::{
    Beginning, Ended, Entry, Operator, QuestionPolicy, Run, RunId, Timekeeper, Verdict, Watch, Wiring,
};
use lifeboat::runbook::{Mode, Objectives, Policy};
use tokio::sync::mpsc;

/// Steps of the chain, and of the fan between its first and last step.
const STEPS: u32 = 1_000;

/// How many steps a run has in flight unless told otherwise.
const CONCURRENCY: u32 = 8;

/// A chain, and a fan with little and with much room.
pub(crate) fn measure(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("1,000 steps that do nothing");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(STEPS.into()));
    for (name, steps, concurrency) in [
        ("chain", chain(), CONCURRENCY),
        ("fan-out, 8 at once", fan(), CONCURRENCY),
        ("fan-out, 1,000 at once", fan(), STEPS),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
                |runs| {
                    runtime.block_on(carry(runs.path(), steps.clone(), concurrency));
                    runs
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Begins a run and carries it to its end.
async fn carry(runs: &Path, steps: Vec<PlannedStep>, concurrency: u32) {
    let run = Run::begin(runs, beginning(steps, concurrency), Timekeeper::begin()).unwrap();
    let (_orders, receiver) = mpsc::unbounded_channel();
    let wiring = Wiring {
        actor: Arc::new(Idle),
        orders: receiver,
        watch: Arc::new(Deaf),
        questions: QuestionPolicy::Pause,
        inbox: true,
    };
    let ended = run.drive(wiring).await.unwrap();
    assert_eq!(ended, Ended::Finished(Verdict::Recovered));
}

/// Each step needs the one before it.
fn chain() -> Vec<PlannedStep> {
    (0..STEPS)
        .map(|at| step(at, at.checked_sub(1).into_iter().collect()))
        .collect()
}

/// One step, a thousand that need it, and one that needs them all.
fn fan() -> Vec<PlannedStep> {
    let mut steps = vec![step(0, Vec::new())];
    steps.extend((1..=STEPS).map(|at| step(at, vec![0])));
    steps.push(step(STEPS + 1, (1..=STEPS).collect()));
    steps
}

fn step(at: u32, needs: Vec<u32>) -> PlannedStep {
    let effect = Pause {
        for_ms: 1,
        reason: "nothing".to_owned(),
        after_change: false,
    };
    PlannedStep {
        name: format!("s{at}"),
        kind: "pause".to_owned(),
        description: None,
        needs,
        part: Part::Done,
        policy: Policy::default(),
        last: false,
        proves_health: false,
        effects: vec![Effect::Pause(effect)],
        undo: Vec::new(),
        notes: Vec::new(),
    }
}

fn beginning(steps: Vec<PlannedStep>, concurrency: u32) -> Beginning {
    let plan = plan(steps);
    Beginning {
        format: Beginning::FORMAT,
        tool: lifeboat::TOOL.to_owned(),
        run: RunId::new(&plan.runbook.name, plan.mode, "bench"),
        digest: Digest::of(&plan),
        operator: Operator {
            name: "anna".to_owned(),
            host: "laptop".to_owned(),
            pid: std::process::id(),
        },
        concurrency,
        journal: None,
        declared: None,
        plan,
    }
}

fn plan(steps: Vec<PlannedStep>) -> Plan {
    Plan {
        format: Plan::FORMAT,
        tool: lifeboat::TOOL.to_owned(),
        runbook: Subject {
            name: "idle".to_owned(),
            title: "Idle".to_owned(),
            summary: None,
            tier: None,
            owner: None,
            people: BTreeMap::new(),
            digest: String::new(),
            recovery: None,
            approvals: lifeboat::runbook::Approvals::default(),
        },
        mode: Mode::Failover,
        roles: BTreeMap::new(),
        inputs: BTreeMap::new(),
        objectives: Objectives::default(),
        sites: BTreeMap::new(),
        sandbox: None,
        steps,
        left_out: Vec::new(),
        sightings: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Does nothing, at once.
struct Idle;

impl Observer for Idle {
    fn read<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        futures::future::ready(Ok(Seen::Store)).boxed()
    }
}

impl Actor for Idle {
    fn perform<'a>(&'a self, _: &'a Effect, _: &'a Attempt) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        futures::future::ready(Ok(Receipt::default())).boxed()
    }

    fn resolve<'a>(&'a self, _: &'a Effect, _: &'a Attempt) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        futures::future::ready(Ok(Resolution::NotDone)).boxed()
    }
}

/// Hears nothing.
struct Deaf;

impl Watch for Deaf {
    fn recorded(&self, _: &Entry) {}

    fn progress(&self, _: u32, _: &str) {}
}
