//! All rules at once: random plans, worlds, people and crashes, judged by an oracle of its own.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::simulator::{Act, Simulator, World};
use crate::effect::{Class, Effect, ErrorKind};
use crate::plan::PlannedStep;
use crate::run::Phase;
use crate::run::testing::{ask, effect, step};
use crate::runbook::OnFailure;

fn any_effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        2 => Just(effect(Class::Read)),
        4 => Just(effect(Class::Converge)),
        3 => Just(effect(Class::Guarded)),
        2 => Just(effect(Class::Once)),
        1 => Just(ask()),
    ]
}

fn any_policy() -> impl Strategy<Value = (u32, OnFailure)> {
    let on_failure = prop_oneof![
        3 => Just(OnFailure::Pause),
        2 => Just(OnFailure::Stop),
        3 => Just(OnFailure::Undo),
        2 => Just(OnFailure::Continue),
    ];
    (1..4u32, on_failure)
}

prop_compose! {
    fn any_step()(
        effects in vec(any_effect(), 0..4),
        undo in vec(any_effect(), 0..3),
        (attempts, on_failure) in any_policy(),
        needs in any::<u8>(),
        last in prop::bool::weighted(0.12),
        tear_down in any::<bool>(),
        left_out in prop::bool::weighted(0.1),
    ) -> (PlannedStep, u8) {
        let mut planned = step("").doing(effects).undoing(undo).attempts(attempts).then(on_failure);
        planned.last = last;
        if last && tear_down {
            planned.kind = PlannedStep::TEAR_DOWN.to_owned();
        }
        let planned = if left_out { planned.left_out() } else { planned };
        (planned, needs)
    }
}

/// Up to eight steps; each bit of the byte is a need, where there can be one.
fn any_steps() -> impl Strategy<Value = Vec<PlannedStep>> {
    vec(any_step(), 1..8).prop_map(|drawn| {
        let mut steps: Vec<PlannedStep> = Vec::new();
        for (index, (mut planned, needs)) in (0u32..).zip(drawn) {
            planned.name = format!("s{index}");
            let may = |need: &u32| planned.last || !steps[*need as usize].last;
            planned.needs = (0..index)
                .filter(|need| needs >> need & 1 == 1)
                .filter(may)
                .collect();
            steps.push(planned);
        }
        steps
    })
}

fn any_act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![
        Just(ErrorKind::Busy),
        Just(ErrorKind::Unreachable),
        Just(ErrorKind::Conflict),
        Just(ErrorKind::Forbidden),
        Just(ErrorKind::Rejected),
        Just(ErrorKind::Internal),
    ];
    prop_oneof![
        6 => Just(Act::Ok),
        3 => kind.prop_map(Act::Fail),
        2 => any::<bool>().prop_map(Act::Lost),
        1 => Just(Act::Muddy),
        1 => any::<bool>().prop_map(Act::Hang),
        1 => any::<bool>().prop_map(Act::Panic),
    ]
}

fn any_world() -> impl Strategy<Value = World> {
    let key = (
        0..8u32,
        prop_oneof![Just(Phase::Forward), Just(Phase::Undo)],
        0..3u32,
    );
    prop::collection::btree_map(key, vec(any_act(), 1..4), 0..12).prop_map(|script| {
        let mut world = World::default();
        world.script = script;
        world
    })
}

/// So many times the usual number of cases, which the environment variable `PROPTEST_CASES` raises.
fn cases(times: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.saturating_mul(times),
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(cases(8))]

    /// I2, I3, I5, I6, I7, L1, the limit of concurrency, and what `oracle` knows besides.
    #[test]
    fn no_run_breaks_a_rule_whatever_happens(
        steps in any_steps(),
        room in 1..4u32,
        world in any_world(),
        choices in vec(any::<u8>(), 0..80),
    ) {
        Simulator::new(steps, room, world, choices).run();
    }
}

proptest! {
    #![proptest_config(cases(1))]

    /// The state after any number of records, those in the middle of a batch included, is one from which
    /// the run goes on and comes to rest.
    #[test]
    fn a_run_may_be_cut_off_after_any_record(
        steps in any_steps(),
        room in 1..4u32,
        world in any_world(),
        choices in vec(any::<u8>(), 0..30),
    ) {
        let mut whole = Simulator::new(steps.clone(), room, world.clone(), choices.clone());
        whole.run();
        for entries in 1..=whole.entries.len() {
            Simulator::new(steps.clone(), room, world.clone(), choices.clone()).crashing_at(entries).run();
        }
    }
}

/// A plan in which at most one effect fails, always in the same way, so that how the run comes to rest
/// does not depend on the order of things.
fn decided() -> impl Strategy<Value = (Vec<PlannedStep>, World)> {
    let bad = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    // None that passes: how far the other steps get while one waits for its retry depends on the time, and
    // so does whether all that they did can be undone.
    let kind = prop_oneof![Just(ErrorKind::Forbidden), Just(ErrorKind::Rejected)];
    (any_steps(), prop::option::of(bad), kind).prop_map(|(mut steps, bad, kind)| {
        for planned in &mut steps {
            planned.effects.retain(|effect| !matches!(effect, Effect::Ask(_)));
            planned.undo.retain(|effect| !matches!(effect, Effect::Ask(_)));
            // A crash makes an effect of class `once` wait for a person: that is a different end.
            for effect in planned.effects.iter_mut().chain(&mut planned.undo) {
                if crate::run::testing::class_of(effect) == Class::Once {
                    *effect = crate::run::testing::effect(Class::Guarded);
                }
            }
        }
        let mut world = World::default();
        if let Some((at, which)) = bad {
            let at = at.index(steps.len());
            if !steps[at].effects.is_empty() {
                let which = which.index(steps[at].effects.len());
                let key = (
                    u32::try_from(at).unwrap(),
                    Phase::Forward,
                    u32::try_from(which).unwrap(),
                );
                world.always.insert(key, Act::Fail(kind));
            }
        }
        (steps, world)
    })
}

proptest! {
    #![proptest_config(cases(1))]

    /// I8, L3: a crash after any record changes nothing in how the run comes to rest.
    #[test]
    fn a_crash_after_any_record_leads_to_the_same_end((steps, world) in decided(), room in 1..4u32) {
        let mut whole = Simulator::new(steps.clone(), room, world.clone(), Vec::new());
        let rest = whole.run();
        for entries in 1..=whole.entries.len() {
            for reached in [false, true] {
                let cut = Simulator::new(steps.clone(), room, world.clone(), Vec::new());
                let again = cut.crashing_at(entries).reaching(reached).run();
                prop_assert_eq!(again, rest, "after {} entries", entries);
            }
        }
    }
}

#[test]
fn the_simulator_reaches_every_kind_of_event() {
    use std::collections::BTreeSet;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    let mut rests = BTreeSet::new();
    let runs = (any_steps(), 1..4u32, any_world(), vec(any::<u8>(), 0..80));
    for _ in 0..1_000 {
        let (steps, room, world, choices) = runs.new_tree(&mut runner).unwrap().current();
        let mut simulator = Simulator::new(steps, room, world, choices);
        rests.insert(format!("{:?}", simulator.run()));
        for entry in &simulator.entries {
            let words = crate::run::testing::words(&simulator.engine, &entry.event);
            let first = words.split(' ').next().unwrap().to_owned();
            let last = words.rsplit(' ').next().unwrap();
            let end = if first == "end" && !last.ends_with(')') {
                last
            } else {
                ""
            };
            seen.insert(format!("{first} {end}"));
        }
    }
    let seen: Vec<&str> = seen.iter().map(|words| words.trim()).collect();
    insta::assert_snapshot!(seen.join(", "), @"answered, began, end, end Continued, end Failed, end Succeeded, end UndoFailed, end Undone, end ben, failed, finished, ok, paused, resumed, retry, start, stopping, unknown, unwinding");
    let rests: Vec<&str> = rests.iter().map(String::as_str).collect();
    insta::assert_snapshot!(rests.join(", "), @"Finished(Failed), Finished(NotTornDown), Finished(Recovered), Finished(RecoveredWithFailures), Finished(Stopped), Finished(Undone), NeedsDecision");
}
