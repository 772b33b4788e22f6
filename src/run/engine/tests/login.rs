//! A login that is refused: the run waits for a person, and nothing is lost by it.

use insta::assert_snapshot;

use super::super::What;
use super::play::{Play, doing};
use crate::effect::{Class, ErrorKind};
use crate::run::Verdict;
use crate::run::testing::{effect, step};
use crate::runbook::OnFailure;

#[test]
fn a_refused_login_pauses_the_run_and_costs_no_attempt() {
    let mut play = Play::of(vec![step("a").attempts(2), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Unauthenticated);
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Unauthenticated, again at 0
    paused by lifeboat: lifeboat is not logged in at west; `resume` tries a again
    ");
    for _ in 0..3 {
        play.crash_and_resume();
        play.fails("a", ErrorKind::Unauthenticated);
    }
    play.log();
    play.crash_and_resume();
    play.fails("a", ErrorKind::Busy);
    play.at(2_000);
    play.ok("a");
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    resumed
    start a attempt 5
    failed a attempt 5: Busy, again at 2000
    start a attempt 6
    ok a attempt 6
    end a Succeeded
    start b
    ok b
    end b Succeeded
    finished Recovered
    ");
    assert_eq!(play.engine.verdict(), Some(Verdict::Recovered));
}

#[test]
fn whatever_the_runbook_says_of_failures_a_refused_login_is_none() {
    for policy in [
        OnFailure::Pause,
        OnFailure::Stop,
        OnFailure::Undo,
        OnFailure::Continue,
    ] {
        let mut play = Play::of(vec![
            step("a").then(policy).undoing(vec![effect(Class::Converge)]),
        ]);
        play.fails("a", ErrorKind::Unauthenticated);
        assert!(play.engine.is_paused_idle(), "{policy:?}");
        play.crash_and_resume();
        play.ok("a");
        assert_eq!(play.engine.verdict(), Some(Verdict::Recovered), "{policy:?}");
    }
}

#[test]
fn what_happens_once_fails_without_a_login_because_a_part_of_it_may_have_worked() {
    let mut play = Play::of(vec![step("a").doing(doing(Class::Once)).attempts(3)]);
    play.fails("a", ErrorKind::Unauthenticated);
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Unauthenticated
    end a Failed
    paused by lifeboat: step a failed
    ");
}

#[test]
fn several_refusals_are_one_pause_and_a_resume_tries_all_of_them() {
    let mut play = Play::of(vec![step("a"), step("b")]);
    play.fails("a", ErrorKind::Unauthenticated);
    play.fails("b", ErrorKind::Unauthenticated);
    assert_snapshot!(play.log(), @r"
    start a
    start b
    failed a: Unauthenticated, again at 0
    paused by lifeboat: lifeboat is not logged in at west; `resume` tries a again
    failed b: Unauthenticated, again at 0
    ");
    play.crash_and_resume();
    assert_eq!(play.in_flight(), "a b");
}

#[test]
fn a_drill_waits_with_its_teardown_too() {
    let mut play = Play::of(vec![step("a"), step("down").last()]);
    play.ok("a");
    play.log();
    play.fails("down", ErrorKind::Unauthenticated);
    assert_snapshot!(play.log(), @r"
    failed down: Unauthenticated, again at 0
    paused by lifeboat: lifeboat is not logged in at west; `resume` tries down again
    ");
    play.crash_and_resume();
    play.ok("down");
    assert_eq!(play.engine.verdict(), Some(Verdict::Recovered));
}

#[test]
fn a_person_may_end_a_run_that_waits_for_a_login() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Unauthenticated);
    play.log();
    play.orders(What::Stop);
    assert_snapshot!(play.log(), @r"
    stopping by ben
    end b cut off (not begun: the run was stopped)
    end a Failed
    finished Stopped
    ");
}
