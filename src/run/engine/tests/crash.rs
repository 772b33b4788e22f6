//! Rules of going on after a crash, and what no journal may hold.

use insta::assert_snapshot;

use super::super::{Course, What};
use super::play::{Play, doing, done};
use crate::effect::{Class, ErrorKind, Resolution};
use crate::run::testing::{beginning, step, trouble};
use crate::run::{Engine, Event, Outcome, Phase, Verdict};
use crate::runbook::{OnFailure, Policy};

#[test]
fn after_a_crash_what_may_be_repeated_is_performed_again_under_its_number() {
    let mut play = Play::of(vec![step("a"), step("b").doing(doing(Class::Read))]);
    play.crash_and_resume();
    assert_eq!(play.in_flight(), "a b");
    assert!(play.errands.iter().all(|errand| errand.ticket.attempt == 1));
}

#[test]
fn after_a_crash_what_may_not_be_repeated_is_looked_after() {
    let mut play = Play::of(vec![
        step("done").doing(doing(Class::Guarded)),
        step("lost").doing(doing(Class::Guarded)),
        step("once").doing(doing(Class::Once)),
    ]);
    play.log();
    play.now_ms = 500;
    play.crash_and_resume();
    assert_eq!(play.in_flight(), "done? lost? once?");
    play.finds("done", done());
    play.finds("lost", Resolution::NotDone);
    play.finds("once", Resolution::NotDone);
    assert_snapshot!(play.log(), @r"
    resumed
    ok done
    end done Succeeded
    failed lost: LostReply, again at 500
    start lost attempt 2
    failed once: LostReply
    end once Failed
    paused by lifeboat: step once failed
    ");
}

#[test]
fn a_resumed_step_has_its_full_time_again() {
    let mut play = Play::of(vec![step("a")]);
    play.now_ms = 50 * Policy::TIMEOUT_MS;
    play.crash_and_resume();
    assert_eq!(play.errands[0].deadline_ms, Some(51 * Policy::TIMEOUT_MS));
}

#[test]
fn a_pause_that_a_crash_swallowed_is_made_up_for() {
    let mut play = Play::of(vec![step("a"), step("b")]);
    play.fails("a", ErrorKind::Forbidden);
    assert!(matches!(play.entries.pop().unwrap().event, Event::Paused { .. }));
    play.crash_and_resume();
    assert!(play.engine.paused().is_some());
}

#[test]
fn every_effect_of_a_run_has_a_key_of_its_own_and_keeps_it() {
    let mut play = Play::of(vec![step("a").attempts(2), step("b").attempts(2)]);
    let keys: Vec<String> = play.errands.iter().map(|errand| errand.key.clone()).collect();
    assert_ne!(keys[0], keys[1]);
    assert!(keys.iter().all(|key| key.len() == 32));
    play.fails("a", ErrorKind::Busy);
    play.at(2_000);
    let again = play.errands.iter().find(|errand| errand.step == "a").unwrap();
    assert_eq!((again.ticket.attempt, &again.key), (2, &keys[0]));
}

#[test]
fn an_impossible_event_names_itself_and_the_state() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0])]);
    let intended = |step| Event::Intended {
        step,
        phase: Phase::Forward,
        effect: 0,
        attempt: 1,
    };
    let mut says = |event: Event| play.engine.record(&event, 0).unwrap_err().to_string();
    let all = [
        says(intended(0)),
        says(intended(1)),
        says(intended(7)),
        says(Event::Finished {
            verdict: Verdict::Recovered,
        }),
        says(Event::Unwinding { step: 0 }),
    ];
    assert_snapshot!(all.join("\n"), @r"
    starting (effect 1, attempt 1 of a) is not possible: an effect of the step is in flight
    starting (effect 1, attempt 1 of b) is not possible: steps that it needs have not ended
    starting (effect 1, attempt 1 of ?) is not possible: the plan has no such step
    finishing is not possible: steps have not ended
    undoing (a) is not possible: no failure asks for it
    ");
    assert_eq!(play.engine.course(), Course::Forward);
}

#[test]
fn a_beginning_that_cannot_be_is_refused() {
    let refused = |steps, room| Engine::new(beginning(steps, room)).unwrap_err().to_string();
    let all = [
        refused(vec![step("a").needing(&[0])], 1),
        refused(vec![step("a").last(), step("b").needing(&[0])], 1),
        refused(vec![step("a"), step("b").needing(&[0, 0])], 1),
        refused(vec![step("a")], 0),
    ];
    assert_snapshot!(all.join("\n"), @r"
    beginning is not possible: step a needs a step that does not come before it
    beginning is not possible: step b needs a step that runs last
    beginning is not possible: step b needs the same step twice
    beginning is not possible: no step may run at all (concurrency 0)
    ");
}

#[test]
fn no_event_is_taken_in_where_the_rules_forbid_it() {
    let intended = |step, phase, effect, attempt| Event::Intended {
        step,
        phase,
        effect,
        attempt,
    };
    let failed = |step, attempt| Event::Failed {
        step,
        phase: Phase::Forward,
        effect: 0,
        attempt,
        error: trouble(ErrorKind::Busy),
        retry_at_ms: None,
    };
    let ended = |step, outcome| Event::Ended { step, outcome };
    let cut = || Outcome::Skipped {
        why: String::new(),
        releases: false,
    };
    let says = |play: &Play, event: &Event| play.engine.check(event).unwrap_err().because;

    let busy = Play::with_room(vec![step("a"), step("b")], 1);
    let mut paused = Play::of(vec![step("a"), step("b").needing(&[0])]);
    paused.orders(What::Pause);
    paused.ok("a");
    let mut failing = Play::of(vec![
        step("a").undoing(doing(Class::Converge)).then(OnFailure::Undo),
        step("b").undoing(doing(Class::Converge)),
    ]);
    failing.ok("b");
    failing.fails("a", ErrorKind::Rejected);
    let all = [
        says(&busy, &intended(1, Phase::Forward, 0, 1)),
        says(&busy, &intended(1, Phase::Undo, 0, 1)),
        says(&busy, &failed(0, 2)),
        says(&busy, &failed(1, 1)),
        says(&busy, &ended(0, Outcome::Succeeded)),
        says(&busy, &ended(0, Outcome::Undone)),
        says(&busy, &ended(0, Outcome::UndoFailed)),
        says(&busy, &ended(1, cut())),
        says(&paused, &intended(1, Phase::Forward, 0, 1)),
        says(&failing, &intended(1, Phase::Undo, 0, 1)),
        says(&failing, &ended(1, Outcome::Failed)),
        says(
            &failing,
            &Event::Began(Box::new(failing.engine.beginning().clone())),
        ),
    ];
    assert_snapshot!(all.join("\n"), @r"
    as many effects as are allowed are in flight (1)
    the step has no such effect
    the step is at effect 1, attempt 1 of a
    the step was not begun
    an effect of the step is in flight
    an effect of the step is in flight
    that is the other direction
    the run is not being ended
    the run is paused
    the step has ended: succeeded
    the step has ended: succeeded
    a run begins once
    ");
}
