//! The crash suite: every runbook that there is, in every mode, on the simulator.
//!
//! - cut off after every record, with what was in flight arriving or not, and the next record half written;
//! - paused by a person after every record, and resumed;
//! - torn at every byte of the last record;
//! - failing at every effect, in seven ways;
//! - with every effect performed twice;
//! - with every undo performed twice.
//!
//! Each time: the same verdict and the same world as without the accident, no effect of class `once` twice
//! without a person's word, no effect without a durable intent, nothing lost of what was called durable. A
//! new kind of step is covered as soon as it has its example.
//!
//! ## Why here
//!
//! The suite begins, plans and resumes with the functions of the commands, so it is their way and no copy.

mod base;
mod people;
mod remains;
mod stage;
mod trap;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;

use self::base::{Base, base, calm_down, modes, runbooks};
use self::remains::{Remains, remains};
pub(super) use self::stage::scratch;
use self::stage::{Stage, cut};
use self::trap::{Deed, Failing, Snare};
use crate::effect::{Actor as _, Attempt, Class, Effect, ErrorKind};
use crate::plan::PlannedStep;
use crate::run::{Beginning, Entry, Event, Verdict};
use crate::runbook::OnFailure;
use crate::world::sim::Embedded;

/// A run without accidents, with which all others are compared.
struct Calm {
    base: Base,
    beginning: Beginning,
    verdict: Verdict,
    entries: Vec<Entry>,
    deeds: Vec<Deed>,
    remains: Remains,
    before: Remains,
    file: Vec<u8>,
}

impl Calm {
    async fn of(base: Base) -> Self {
        let before = look(&base.world.fork(), &base).await;
        let mut stage = Stage::new(&base.world.fork(), &base.plan, Snare::None);
        let verdict = stage.play().await;
        #[expect(clippy::disallowed_methods, reason = "the suite plays the disk")]
        let file = std::fs::read(stage.file()).unwrap();
        Self {
            beginning: stage.beginning().clone(),
            verdict,
            entries: stage.entries(),
            deeds: stage.deeds(),
            remains: look(&stage.world, &base).await,
            before,
            file,
            base,
        }
    }

    fn stage(&self, snare: Snare) -> Stage {
        Stage::of(&self.base.world.fork(), self.beginning.clone(), snare)
    }

    fn step(&self, name: &str) -> &PlannedStep {
        self.base.plan.step(name).unwrap()
    }

    /// Whether a change was on its way to the world after so many records. If not, it is the same crash whether
    /// what is in flight arrives or not.
    fn changes_something(&self, records: usize) -> bool {
        let mut open = std::collections::BTreeSet::new();
        for entry in &self.entries[..records] {
            match entry.event {
                Event::Intended { step, effect, .. } => {
                    let effects = &self.base.plan.steps[step as usize].effects;
                    let effect = effects.get(effect as usize);
                    // Nothing of a question is in flight, and a look changes nothing.
                    let still = |effect: &Effect| {
                        matches!(effect, Effect::Ask(_)) || effect.meaning().class() == Class::Read
                    };
                    if !effect.is_some_and(still) {
                        open.insert(step);
                    }
                }
                Event::Performed { step, .. } | Event::Failed { step, .. } => _ = open.remove(&step),
                _ => {}
            }
        }
        !open.is_empty()
    }

    fn cleans_up(&self) -> bool {
        self.base.plan.steps.iter().any(|step| step.last)
    }

    /// Whatever happened to it: nothing that may be done once was done twice, and nothing was forgotten.
    fn check(&self, stage: &Stage, what: &str) {
        let what = format!("{}: {what}", self.base.name);
        let mut begun: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let deeds = stage.deeds();
        for deed in deeds.iter().filter(|deed| deed.once) {
            let count = begun.entry(&deed.key).or_default();
            count.0 += 1;
            count.1 += usize::from(deed.done);
        }
        for deed in deeds.iter().filter(|deed| deed.once) {
            let ordered = stage.people.retries.lock().unwrap();
            let ordered = ordered.iter().filter(|step| **step == deed.step).count();
            let (begun, done) = begun[deed.key.as_str()];
            assert!(
                begun <= 1 + ordered,
                "I3: {what}: {deed:?} was begun {begun} times"
            );
            assert!(done <= 1, "I3: {what}: {deed:?} was done {done} times");
        }
        let kept = stage.entries();
        for told in stage.people.told.lock().unwrap().iter() {
            let lost = matches!(stage.trap.died_at(), Some(records) if told.seq >= records as u64);
            let same = kept.get(usize::try_from(told.seq).unwrap()) == Some(told);
            assert!(lost || same, "I1: {what}: record {} was told and lost", told.seq);
        }
    }

    async fn same_end(&self, stage: &Stage, verdict: Verdict, what: &str) {
        assert_eq!(verdict, self.verdict, "{}: {what}", self.base.name);
        let left = look(&stage.world, &self.base).await;
        for (place, object) in &self.remains {
            assert_eq!(
                left.get(place),
                Some(object),
                "{}: {what}: {place}",
                self.base.name
            );
        }
        let more: Vec<&String> = left
            .keys()
            .filter(|place| !self.remains.contains_key(*place))
            .collect();
        assert!(more.is_empty(), "{}: {what}: left over: {more:?}", self.base.name);
    }
}

async fn look(world: &Embedded, base: &Base) -> Remains {
    calm_down().await;
    let sites: Vec<String> = base.plan.sites.keys().cloned().collect();
    let stores: Vec<String> = base.plan.stores().map(str::to_owned).collect();
    let dns: Vec<String> = base.plan.swaps().map(|swap| swap.server.clone()).collect();
    remains(world, &sites, &stores, &dns).await
}

/// All runbooks in all their modes, each on virtual time of its own.
fn everywhere<F: Future<Output = usize>>(what: &str, each: impl Fn(Calm) -> F) {
    let mut count = 0;
    let mut runs = 0;
    for path in runbooks() {
        for mode in modes(&path) {
            count += on_virtual_time(async {
                each(Box::pin(Calm::of(Box::pin(base(&path, mode)).await)).await).await
            });
            runs += 1;
        }
    }
    println!("{what}: {count} in {runs} runs");
    assert!(runs > 40, "the suite has lost its runbooks: {runs}");
}

fn on_virtual_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn every_kind_of_step_and_every_class_of_effect_is_in_the_suite() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut classes = std::collections::BTreeSet::new();
    for path in runbooks() {
        for mode in modes(&path) {
            let base = on_virtual_time(base(&path, mode));
            for step in &base.plan.steps {
                kinds.insert(step.kind.clone());
                classes.extend(
                    step.effects
                        .iter()
                        .map(|effect| format!("{:?}", effect.meaning().class())),
                );
            }
        }
    }
    let missing: Vec<&str> = crate::step::kind_names(crate::step::KINDS)
        .into_iter()
        .filter(|name| !kinds.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no runbook has {missing:?}");
    assert_eq!(
        classes.into_iter().collect::<Vec<_>>(),
        ["Converge", "Guarded", "Once", "Read"]
    );
}

#[test]
fn a_run_cut_off_after_any_record_comes_to_the_same_end() {
    everywhere("crashes", async |calm| {
        let mut crashes = 0;
        for records in 1..=calm.entries.len() {
            let ways: &[bool] = if calm.changes_something(records) {
                &[false, true]
            } else {
                &[false]
            };
            for &arrives in ways {
                let mut stage = calm.stage(Snare::Death { records, arrives });
                // Sometimes the next record is there in part.
                let whole = arrives || ways.len() == 1 && records % 2 == 0;
                stage.torn = if whole { 0 } else { 17 };
                let verdict = stage.play().await;
                let what = format!("cut off after {records} records, arrives: {arrives}");
                calm.check(&stage, &what);
                if calm.cleans_up() && stage.lost_a_once(records) {
                    // Nobody knows whether it was done, and nobody is waited for: it is cleaned up.
                    assert_eq!(verdict, Verdict::Failed, "{}: {what}", calm.base.name);
                } else {
                    calm.same_end(&stage, verdict, &what).await;
                }
                crashes += 1;
            }
        }
        crashes
    });
}

#[test]
fn a_run_paused_after_any_record_and_resumed_comes_to_the_same_end() {
    everywhere("pauses", async |calm| {
        let mut pauses = 0;
        // After its last record a run takes no order.
        let records = calm.entries.len() - 1;
        for after in 1..=records {
            let mut stage = calm.stage(Snare::None);
            *stage.people.pause_after.lock().unwrap() = Some(after);
            let verdict = stage.play().await;
            let what = format!("paused after {after} records");
            calm.check(&stage, &what);
            calm.same_end(&stage, verdict, &what).await;
            let by_ben = |entry: &Entry| matches!(&entry.event, Event::Paused { by, .. } if by == "ben");
            pauses += usize::from(stage.entries().iter().any(by_ben));
        }
        assert!(pauses > 0, "{}: {pauses} pauses of {records}", calm.base.name);
        pauses
    });
}

#[test]
fn a_last_record_torn_at_any_byte_is_written_again() {
    everywhere("torn bytes", async |calm| {
        let last = calm
            .file
            .split_inclusive(|byte| *byte == b'\n')
            .next_back()
            .unwrap()
            .len();
        let records = calm.entries.len() - 1;
        let mut stage = calm.stage(Snare::None);
        assert_eq!(stage.play().await, calm.verdict);
        #[expect(clippy::disallowed_methods, reason = "the suite plays the disk")]
        let whole = std::fs::read(stage.file()).unwrap();
        for torn in 0..last {
            #[expect(clippy::disallowed_methods, reason = "the suite plays the disk")]
            std::fs::write(stage.file(), &whole).unwrap();
            cut(&stage.file(), records, torn);
            let what = format!("torn after {torn} bytes of its last record");
            assert_eq!(
                Box::pin(stage.go_on()).await,
                calm.verdict,
                "{}: {what}",
                calm.base.name
            );
            assert_eq!(
                stage.deeds().len(),
                calm.deeds.len(),
                "{}: {what}",
                calm.base.name
            );
        }
        last
    });
}

const FAILINGS: [Failing; 7] = [
    Failing {
        kind: ErrorKind::Unreachable,
        done: false,
    },
    Failing {
        kind: ErrorKind::LostReply,
        done: false,
    },
    Failing {
        kind: ErrorKind::LostReply,
        done: true,
    },
    Failing {
        kind: ErrorKind::Busy,
        done: false,
    },
    Failing {
        kind: ErrorKind::Unauthenticated,
        done: false,
    },
    Failing {
        kind: ErrorKind::Forbidden,
        done: false,
    },
    Failing {
        kind: ErrorKind::Internal,
        done: true,
    },
];

#[test]
fn a_run_that_fails_at_any_effect_ends_as_its_policy_says() {
    everywhere("failures", async |calm| {
        for nth in 0..calm.deeds.len() {
            for how in FAILINGS {
                let mut stage = calm.stage(Snare::Failure { nth, how });
                let verdict = stage.play().await;
                let step = stage.deeds()[nth].step.clone();
                let what = format!("{how:?} at {step}");
                calm.check(&stage, &what);
                fails_as_said(&calm, &stage, (&step, verdict), &what).await;
            }
        }
        calm.deeds.len() * FAILINGS.len()
    });
}

/// Who fails a step, and whether what follows is what its runbook says.
async fn fails_as_said(calm: &Calm, stage: &Stage, (step, verdict): (&str, Verdict), what: &str) {
    if verdict == calm.verdict {
        return calm.same_end(stage, verdict, what).await;
    }
    let name = &calm.base.name;
    let planned = calm.step(step);
    if planned.is_tear_down() {
        assert_eq!(verdict, Verdict::NotTornDown, "{name}: {what}");
        return;
    }
    let ends = calm.cleans_up() || planned.policy.on_failure != OnFailure::Pause;
    assert!(
        ends,
        "{name}: {what}: {verdict:?}, and people would have tried it again"
    );
    let once = stage.deeds().iter().any(|deed| deed.step == step && deed.once);
    let expected = match planned.policy.on_failure {
        // Perhaps it was done, and a run that cleans up after itself asks nobody.
        OnFailure::Continue if once => vec![Verdict::RecoveredWithFailures, Verdict::Failed],
        OnFailure::Continue => vec![Verdict::RecoveredWithFailures],
        OnFailure::Undo => vec![Verdict::Undone, Verdict::Failed],
        OnFailure::Pause | OnFailure::Stop => vec![Verdict::Failed],
    };
    assert!(expected.contains(&verdict), "{name}: {what}: {verdict:?}");
    if calm.base.plan.sandbox.is_some() || verdict == Verdict::Undone {
        let mut left = look(&stage.world, &calm.base).await;
        // The policy of a hold is kept on purpose: to a namespace without the label it means nothing.
        left.retain(|place, _| calm.before.contains_key(place) || !place.ends_with("/lifeboat-hold"));
        assert_eq!(left, calm.before, "{name}: {what}: something is left");
    }
}

#[test]
fn an_effect_performed_twice_is_an_effect_performed_once() {
    everywhere("repeats", async |calm| {
        let mut stage = calm.stage(Snare::Repeats);
        let verdict = stage.play().await;
        calm.check(&stage, "every effect twice");
        calm.same_end(&stage, verdict, "every effect twice").await;
        calm.deeds.len()
    });
}

#[test]
fn an_undo_performed_twice_is_an_undo_performed_once() {
    everywhere("undos", async |calm| {
        let mut stage = calm.stage(Snare::None);
        stage.play().await;
        let world = stage.world.world();
        let mut count = 0;
        for step in calm
            .base
            .plan
            .steps
            .iter()
            .rev()
            .filter(|step| !step.undo.is_empty())
        {
            for (at, effect) in (0u32..).zip(&step.undo) {
                assert_ne!(
                    effect.meaning().class(),
                    Class::Once,
                    "{}: {}",
                    calm.base.name,
                    step.name
                );
                let attempt = attempt(&calm.beginning, &step.name, at);
                world.perform(effect, &attempt).await.unwrap();
                let first = look(&stage.world, &calm.base).await;
                world.perform(effect, &attempt).await.unwrap();
                assert_eq!(look(&stage.world, &calm.base).await, first, "{}", calm.base.name);
                count += 1;
            }
        }
        count
    });
}

fn attempt(beginning: &Beginning, step: &str, effect: u32) -> Attempt {
    Attempt {
        run: beginning.run.0.clone(),
        step: step.to_owned(),
        effect,
        number: 1,
        key: format!("{step}-undo-{effect}"),
        progress: std::sync::Arc::new(|_| {}),
    }
}

#[test]
fn the_suite_finds_the_playbooks() {
    let all = runbooks();
    let names: Vec<&str> = all
        .iter()
        .filter_map(|path| Path::file_stem(path)?.to_str())
        .collect();
    for wanted in ["shop", "exec", "once"] {
        assert!(names.contains(&wanted), "{names:?}");
    }
}
