//! From a text to a plan: 10,000 steps, the offline part.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::Criterion;
use lifeboat::plan::{Look, Plan, Request, compile};
use lifeboat::runbook::{Loaded, Mode, Runbook, load};
use lifeboat::step::{Bound, KINDS, check, kind_names};
use lifeboat::text::{SourceId, Sources, yaml};

use crate::document::{self, Known};

/// A file as a command reads it.
struct File {
    sources: Sources,
    id: SourceId,
}

impl File {
    fn new() -> Self {
        let text = document::text();
        assert!(text.len() <= yaml::SIZE_MAX, "{} bytes", text.len());
        let mut sources = Sources::default();
        let id = sources.add("large.yaml", text);
        Self { sources, id }
    }

    fn load(&self) -> Loaded {
        load(&self.sources, &[self.id], &kind_names(KINDS))
    }

    fn check(&self) -> (Loaded, Option<Bound>) {
        let checked = check(self.load(), KINDS);
        let found = &checked.0.diagnostics;
        assert!(!found.has_errors(), "{}", found.render(&self.sources, false));
        checked
    }

    fn plan(&self, (checked, bound): &(Loaded, Option<Bound>)) -> Plan {
        let request = Request {
            runbook: checked.runbook.as_ref().unwrap(),
            sites: checked.sites.as_ref().unwrap(),
            mode: Mode::Failover,
            inputs: &BTreeMap::new(),
            id: "bench",
            kinds: KINDS,
            bound: bound.as_ref(),
            look: Look::Closely,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let plan = runtime.block_on(compile(&request, &Known));
        let plan = plan.unwrap_or_else(|found| panic!("{}", found.render(&self.sources, false)));
        assert_eq!(plan.steps.len(), Runbook::STEPS_MAX);
        plan
    }
}

/// The whole of it and its parts.
pub(crate) fn measure(criterion: &mut Criterion) {
    let file = File::new();
    let checked = file.check();
    let mut group = criterion.benchmark_group("10,000 steps");
    group.sample_size(30);
    group.bench_function("load", |bencher| bencher.iter(|| file.load()));
    group.bench_function("load and check", |bencher| bencher.iter(|| file.check()));
    group.bench_function("plan", |bencher| bencher.iter(|| file.plan(&checked)));
    group.bench_function("load, check and plan", |bencher| {
        bencher.iter(|| file.plan(&file.check()));
    });
    group.finish();
}

/// Everything once, kept until the end as a command keeps it.
pub(crate) fn once() {
    let file = File::new();
    let checked = file.check();
    black_box(file.plan(&checked));
}
