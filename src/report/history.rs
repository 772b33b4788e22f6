//! What earlier runs say of the steps of a plan: how long each took.
//!
//! ## Why
//!
//! - Only what was measured: a run that recovered, a step that succeeded, and a step during which no
//!   process died or was paused, because then the clock measured people.
//! - Runs of the plan's own mode, and only where there are none, drills; never both in one number, and
//!   every number says of which runs it is.
//! - Only on the same clusters, by their identity and not by their name.
//! - A restore of another size takes another time. Where it needs a different number of requests its time
//!   is scaled by them, which is said.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::forecast::{Estimates, Expected, seen};
use super::units::count;
use crate::effect::{Effect, Seen};
use crate::plan::{Part, Plan, PlannedStep};
use crate::run::{Entry, Event, Outcome, Phase, Verdict};
use crate::runbook::Mode;

/// One earlier run, reduced to what it measured.
#[derive(Clone, Debug)]
pub struct Record {
    runbook: String,
    mode: Mode,
    began_at: Timestamp,
    steps: Vec<Took>,
}

#[derive(Clone, Debug)]
struct Took {
    name: String,
    kind: String,
    /// Identities of the clusters that it worked on.
    clusters: Vec<String>,
    ms: u64,
    /// Of its restore.
    requests: Option<u64>,
}

impl Record {
    /// Reads it off a journal; `None` where the run did not recover.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let plan = entries.iter().find_map(|entry| match &entry.event {
            Event::Began(beginning) => Some(&beginning.plan),
            _ => None,
        })?;
        let recovered = |entry: &Entry| {
            matches!(
                entry.event,
                Event::Finished {
                    verdict: Verdict::Recovered | Verdict::RecoveredWithFailures
                }
            )
        };
        if !entries.iter().any(recovered) {
            return None;
        }
        let steps = durations(entries).into_iter();
        let took = |(at, ms): (u32, u64)| {
            let step = plan.steps.get(at as usize)?;
            Some(Took {
                name: step.name.clone(),
                kind: step.kind.clone(),
                clusters: clusters(plan, step)?,
                ms,
                requests: requests(plan, step),
            })
        };
        Some(Self {
            runbook: plan.runbook.name.clone(),
            mode: plan.mode,
            began_at: entries.first().map(|entry| entry.at)?,
            steps: steps.filter_map(took).collect(),
        })
    }
}

/// Step → milliseconds from its first effect to its end, of those that succeeded at one go.
fn durations(entries: &[Entry]) -> BTreeMap<u32, u64> {
    let mut began: BTreeMap<u32, u64> = BTreeMap::new();
    let mut took = BTreeMap::new();
    for entry in entries {
        match &entry.event {
            Event::Intended {
                step,
                phase: Phase::Forward,
                ..
            } => {
                began.entry(*step).or_insert(entry.elapsed_ms);
            }
            Event::Ended { step, outcome } => {
                if let (Outcome::Succeeded, Some(from)) = (outcome, began.remove(step)) {
                    took.insert(*step, entry.elapsed_ms.saturating_sub(from));
                }
            }
            Event::Decided { step, .. } => {
                began.remove(step);
            }
            Event::Resumed { .. } | Event::Paused { .. } => began.clear(),
            _ => {}
        }
    }
    took
}

/// `None` where one of them did not say who it is.
fn clusters(plan: &Plan, step: &PlannedStep) -> Option<Vec<String>> {
    let sites = step.effects.iter().filter_map(|effect| effect.meaning().site());
    let mut found: Vec<String> = sites
        .map(|site| plan.sites.get(site).map(|seen| seen.uid.clone()))
        .collect::<Option<_>>()?;
    found.sort();
    found.dedup();
    Some(found)
}

/// The requests of a step's restores, where the plan knows them.
fn requests(plan: &Plan, step: &PlannedStep) -> Option<u64> {
    let restores = step
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::RestoreObjects(_)));
    let known = restores.map(|effect| match seen(plan, effect) {
        Some(Seen::Restore(preview)) => preview.work.map(|work| work.requests()),
        _ => None,
    });
    let known: Option<Vec<u64>> = known.collect();
    known.filter(|all| !all.is_empty()).map(|all| all.iter().sum())
}

/// How long a step took in earlier runs, for a document that is not about one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Half of the runs took at most this long, in milliseconds.
    pub(crate) p50_ms: u64,
    /// None took longer.
    pub(crate) longest_ms: u64,
    /// `3 drills`.
    pub(crate) source: String,
    /// When the newest of them began.
    pub(crate) newest: Timestamp,
}

/// (name, kind) of a step → how long it took in runs of this mode, or where there are none, in drills; on
/// the clusters of the newest of them only.
pub(crate) fn spans(runs: &[Record], mode: Mode) -> BTreeMap<(String, String), Span> {
    let mut found = collect(runs, Mode::Drill);
    found.extend(collect(runs, mode));
    found
}

fn collect(runs: &[Record], mode: Mode) -> BTreeMap<(String, String), Span> {
    let mut all: BTreeMap<(String, String), Vec<(Timestamp, &Took)>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.mode == mode) {
        for took in &run.steps {
            let step = all.entry((took.name.clone(), took.kind.clone())).or_default();
            step.push((run.began_at, took));
        }
    }
    let span = |(step, took): ((String, String), Vec<(Timestamp, &Took)>)| Some((step, span(took, mode)?));
    all.into_iter().filter_map(span).collect()
}

fn span(mut took: Vec<(Timestamp, &Took)>, mode: Mode) -> Option<Span> {
    took.sort_by_key(|(at, _)| *at);
    let (newest, last) = *took.last()?;
    let same = took.iter().filter(|(_, one)| one.clusters == last.clusters);
    let mut all: Vec<u64> = same.map(|(_, one)| one.ms).collect();
    all.sort_unstable();
    Some(Span {
        p50_ms: *all.get(all.len().checked_sub(1)? / 2)?,
        longest_ms: *all.last()?,
        source: runs_of(all.len(), mode),
        newest,
    })
}

/// What these runs say of the steps of a plan.
pub fn estimates(plan: &Plan, runs: &[Record]) -> Estimates {
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    done.filter_map(|step| Some((step.name.clone(), expected(plan, step, runs)?)))
        .collect()
}

fn expected(plan: &Plan, step: &PlannedStep, runs: &[Record]) -> Option<Expected> {
    let clusters = clusters(plan, step)?;
    let same = |mode: Mode| -> Vec<&Took> {
        let runs = runs
            .iter()
            .filter(|run| run.runbook == plan.runbook.name && run.mode == mode);
        let steps = runs.flat_map(|run| &run.steps);
        steps
            .filter(|took| took.name == step.name && took.kind == step.kind && took.clusters == clusters)
            .collect()
    };
    let now = requests(plan, step);
    for mode in [plan.mode, Mode::Drill] {
        let found = same(mode);
        if !found.is_empty() {
            return middle(&found, now, &runs_of(found.len(), mode));
        }
    }
    // A single restore is a runbook of its own; what others took on that cluster says as much.
    now?;
    let steps = runs.iter().flat_map(|run| &run.steps);
    let others: Vec<&Took> = steps
        .filter(|took| took.kind == step.kind && took.clusters == clusters && took.requests.is_some())
        .collect();
    let site = step.effects.iter().find_map(|effect| effect.meaning().site())?;
    let source = format!("{} on {site}", count(others.len(), "restore"));
    middle(&others, now, &source)
}

fn runs_of(number: usize, mode: Mode) -> String {
    match mode {
        Mode::Protect => count(number, "protect run"),
        _ => count(number, mode.word()),
    }
}

/// Half of them took at most this long.
fn middle(found: &[&Took], now: Option<u64>, source: &str) -> Option<Expected> {
    let scale = |took: &&Took| match (now, took.requests) {
        (Some(now), Some(then)) if differs(now, then) => (took.ms.saturating_mul(now) / then.max(1), true),
        _ => (took.ms, false),
    };
    let mut all: Vec<(u64, bool)> = found.iter().map(scale).collect();
    all.sort_unstable();
    let (p50_ms, _) = *all.get(all.len().checked_sub(1)? / 2)?;
    let scaled = if all.iter().any(|(_, scaled)| *scaled) {
        ", scaled by its requests"
    } else {
        ""
    };
    Some(Expected {
        p50_ms,
        source: format!("{source}{scaled}"),
    })
}

/// A tenth more or less is the same size.
const fn differs(now: u64, then: u64) -> bool {
    now.abs_diff(then) * 10 > then
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Work;
    use crate::report::sample;

    /// A finished drill of the sample with its restore taking so long, and needing so many requests.
    fn run(ms: u64, work: Option<Work>) -> Vec<Entry> {
        let mut entries = sample::recovered();
        let Event::Began(beginning) = &mut entries[0].event else {
            panic!()
        };
        set(&mut beginning.plan, work);
        let restore = beginning
            .plan
            .steps
            .iter()
            .position(|step| step.name == "restore")
            .unwrap();
        let restore = u32::try_from(restore).unwrap();
        let began = entries
            .iter()
            .find(|entry| matches!(entry.event, Event::Intended { step, .. } if step == restore))
            .unwrap()
            .elapsed_ms;
        for entry in &mut entries {
            if matches!(entry.event, Event::Ended { step, .. } if step == restore) {
                entry.elapsed_ms = began + ms;
            }
        }
        entries
    }

    fn set(plan: &mut Plan, work: Option<Work>) {
        for sighting in &mut plan.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                std::sync::Arc::make_mut(preview).work = work;
            }
        }
    }

    fn work(writes: u64) -> Work {
        Work {
            writes,
            ..Work::default()
        }
    }

    fn restore(plan: &Plan, runs: &[Vec<Entry>]) -> Option<(u64, String)> {
        let records: Vec<Record> = runs.iter().filter_map(|entries| Record::of(entries)).collect();
        let found = estimates(plan, &records).remove("restore")?;
        Some((found.p50_ms, found.source))
    }

    #[test]
    fn half_of_the_drills_decide_and_a_failover_without_history_says_that_they_were_drills() {
        let runs = [run(100, None), run(900, None), run(300, None)];
        let mut plan = sample::drill();
        assert_eq!(restore(&plan, &runs), Some((300, "3 drills".into())));
        plan.mode = Mode::Failover;
        assert_eq!(restore(&plan, &runs), Some((300, "3 drills".into())));
        assert_eq!(restore(&plan, &[]), None);
    }

    #[test]
    fn a_larger_restore_is_scaled_and_says_so() {
        let runs = [run(1000, Some(work(100)))];
        let mut plan = sample::drill();
        set(&mut plan, Some(work(105)));
        assert_eq!(restore(&plan, &runs), Some((1000, "1 drill".into())));
        set(&mut plan, Some(work(300)));
        assert_eq!(
            restore(&plan, &runs),
            Some((3000, "1 drill, scaled by its requests".into()))
        );
    }

    #[test]
    fn another_cluster_of_the_same_name_says_nothing() {
        let mut plan = sample::drill();
        plan.sites.get_mut("west").unwrap().uid = "other".into();
        assert_eq!(restore(&plan, &[run(100, Some(work(1)))]), None);
    }

    #[test]
    fn what_was_interrupted_or_did_not_recover_is_no_measurement() {
        let mut entries = run(100, None);
        let operator = match &entries[0].event {
            Event::Began(beginning) => beginning.operator.clone(),
            _ => panic!(),
        };
        let at = entries
            .iter()
            .rposition(|entry| matches!(entry.event, Event::Intended { .. }))
            .unwrap();
        let first = entries
            .iter()
            .position(|entry| matches!(entry.event, Event::Intended { step: 2, .. }));
        let mut resumed = entries[first.unwrap_or(at)].clone();
        resumed.event = Event::Resumed { operator };
        entries.insert(first.unwrap_or(at) + 1, resumed);
        assert_eq!(restore(&sample::drill(), &[entries]), None);
        let mut failed = run(100, None);
        for entry in &mut failed {
            if let Event::Finished { verdict } = &mut entry.event {
                *verdict = Verdict::Failed;
            }
        }
        assert_eq!(restore(&sample::drill(), &[failed]), None);
    }
}
