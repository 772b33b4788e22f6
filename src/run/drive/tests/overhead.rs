//! What the engine, the journal and the driver cost.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::{Ended, Run, Wiring};
use super::theatre::Log;
use crate::effect::{Actor, Attempt, Effect, Observer, Query, Receipt, Resolution, Seen, WorldError};
use crate::plan::PlannedStep;
use crate::run::testing::{beginning, step};
use crate::run::{QuestionPolicy, Timekeeper, Verdict};

/// Numbers to look at, not to assert: `cargo test -- --ignored --nocapture overhead`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn overhead_of_chains_and_fans() {
    let mut chain: Vec<PlannedStep> = (0..1_000).map(|n| step(&format!("s{n}"))).collect();
    for (index, planned) in (0u32..).zip(&mut chain).skip(1) {
        planned.needs = vec![index - 1];
    }
    let mut fan: Vec<PlannedStep> = (0..1_001).map(|n| step(&format!("s{n}"))).collect();
    fan.push(step("join").needing(&(0..1_001).collect::<Vec<u32>>()));
    for planned in fan.iter_mut().skip(1).take(1_000) {
        planned.needs = vec![0];
    }
    for (name, steps, room) in [
        ("chain", chain, 10),
        ("fan, 10 at once", fan.clone(), 10),
        ("fan, 1,000 at once", fan, 1_000),
    ] {
        let runs = tempfile::tempdir_in(".").unwrap();
        let run = Run::begin(runs.path(), beginning(steps, room), Timekeeper::begin()).unwrap();
        let (_orders, receiver) = mpsc::unbounded_channel();
        let wiring = Wiring {
            actor: Arc::new(Idle),
            orders: receiver,
            watch: Arc::new(Log::default()),
            questions: QuestionPolicy::Pause,
            inbox: true,
        };
        let began = Instant::now();
        assert_eq!(
            run.drive(wiring).await.unwrap(),
            Ended::Finished(Verdict::Recovered)
        );
        let took = began.elapsed();
        println!("{name}: {took:?}, {:?} a step", took / 1_000);
    }
}

/// Does nothing, at once.
struct Idle;

impl Observer for Idle {
    fn read<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        async { Ok(Seen::Store) }.boxed()
    }
}

impl Actor for Idle {
    fn perform<'a>(&'a self, _: &'a Effect, _: &'a Attempt) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        async { Ok(Receipt::default()) }.boxed()
    }

    fn resolve<'a>(&'a self, _: &'a Effect, _: &'a Attempt) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        async { Ok(Resolution::NotDone) }.boxed()
    }
}
