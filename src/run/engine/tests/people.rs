//! Rules for people: pauses, decisions, questions, orders.

use insta::assert_snapshot;

use super::super::{Order, What};
use super::play::{Play, doing};
use crate::effect::{Class, ErrorKind};
use crate::run::testing::{ask, effect, step};
use crate::run::{Answer, Verdict};
use crate::runbook::{OnFailure, Policy};

#[test]
fn a_paused_run_finishes_what_is_in_flight_and_begins_nothing() {
    let two = [effect(Class::Converge), effect(Class::Converge)].to_vec();
    let mut play = Play::of(vec![step("a").doing(two), step("b").needing(&[0])]);
    play.orders(What::Pause);
    assert!(!play.engine.is_paused_idle());
    play.ok("a");
    assert!(play.engine.is_paused_idle());
    play.crash_and_resume();
    play.ok("a");
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    paused by ben: a test
    ok a
    resumed
    start a effect 2
    ok a effect 2
    end a Succeeded
    start b
    ok b
    end b Succeeded
    finished Recovered
    ");
}

#[test]
fn a_pause_does_not_wait_for_effects_that_only_look() {
    let mut play = Play::of(vec![step("a").doing(doing(Class::Read))]);
    play.orders(What::Pause);
    assert!(play.engine.is_paused_idle());
    play.crash_and_resume();
    assert_eq!(play.in_flight(), "a");
    assert_eq!(
        play.errands[0].ticket.attempt, 1,
        "its intent is open and is used again"
    );
}

#[test]
fn a_failed_step_pauses_the_run_and_a_person_may_have_it_tried_again() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Forbidden);
    assert!(play.engine.is_paused_idle());
    play.orders(What::Retry { step: "a".into() });
    assert_eq!(play.in_flight(), "", "a pause is a pause");
    play.crash_and_resume();
    play.ok("a");
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Forbidden
    end a Failed
    paused by lifeboat: step a failed
    retry a by ben
    resumed
    start a attempt 2
    ok a attempt 2
    end a Succeeded
    start b
    ok b
    end b Succeeded
    finished Recovered
    ");
}

#[test]
fn an_ordered_retry_has_all_attempts_and_all_time_again() {
    let mut play = Play::of(vec![step("a").attempts(2)]);
    play.fails("a", ErrorKind::Busy);
    play.at(2_000);
    play.fails("a", ErrorKind::Busy);
    play.now_ms = 10_000_000;
    play.orders(What::Retry { step: "a".into() });
    play.crash_and_resume();
    assert_eq!(play.errands[0].deadline_ms, Some(10_000_000 + Policy::TIMEOUT_MS));
    play.log();
    play.fails("a", ErrorKind::Busy);
    assert_snapshot!(play.log(), @"failed a attempt 3: Busy, again at 10002000");
}

#[test]
fn a_run_does_not_end_while_a_failed_step_waits_for_a_decision() {
    let mut play = Play::of(vec![step("a"), step("b")]);
    play.fails("a", ErrorKind::Forbidden);
    play.crash_and_resume();
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    start b
    failed a: Forbidden
    end a Failed
    paused by lifeboat: step a failed
    resumed
    ok b
    end b Succeeded
    paused by lifeboat: nothing else can run: a failed
    ");
    play.orders(What::Skip { step: "a".into() });
    assert_snapshot!(play.log(), @r"
    end a skipped (by ben: a test)
    finished RecoveredWithFailures
    ");
}

#[test]
fn a_step_done_by_hand_counts_as_done() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Forbidden);
    play.orders(What::MarkDone { step: "a".into() });
    play.crash_and_resume();
    play.ok("b");
    assert_eq!(play.engine.verdict(), Some(Verdict::Recovered));
}

#[test]
fn stop_ends_a_paused_run() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Forbidden);
    play.log();
    play.orders(What::Stop);
    assert_snapshot!(play.log(), @r"
    stopping by ben
    end b cut off (not begun: the run was stopped)
    finished Stopped
    ");
}

#[test]
fn a_question_needs_no_room_and_has_no_deadline() {
    let mut play = Play::with_room(vec![step("go").doing(vec![ask()]), step("work")], 1);
    assert_snapshot!(play.log(), @r"
    start go
    start work
    ");
    assert_eq!(play.in_flight(), "work");
    play.at(100 * Policy::TIMEOUT_MS);
    assert_eq!(play.engine.questions().count(), 1);
    play.ok("work");
    assert_snapshot!(play.log(), @r"
    ok work
    end work Succeeded
    paused by lifeboat: nothing else can run: go waits for an answer
    ");
}

#[test]
fn somebody_at_the_terminal_is_waited_for_without_a_pause() {
    let mut play = Play::of(vec![step("go").doing(vec![effect(Class::Converge), ask()])]);
    play.wait_for_people();
    play.ok("go");
    play.answers("go", Answer::Yes);
    assert_snapshot!(play.log(), @r"
    start go
    ok go
    start go effect 2
    answered go Yes by ben
    ok go effect 2
    end go Succeeded
    finished Recovered
    ");
}

#[test]
fn a_no_fails_the_step_and_is_not_asked_again() {
    let mut play = Play::of(vec![
        step("go").doing(vec![ask()]).attempts(3).then(OnFailure::Stop),
    ]);
    play.log();
    play.answers("go", Answer::No);
    assert_snapshot!(play.log(), @r"
    answered go No by ben
    failed go: Declined
    end go Failed
    finished Failed
    ");
}

#[test]
fn only_the_named_roles_may_answer() {
    let mut play = Play::of(vec![step("go").doing(vec![ask()])]);
    let answer = |role: Option<&str>| What::Answer {
        step: "go".into(),
        answer: Answer::Yes,
        role: role.map(str::to_owned),
    };
    for role in [None, Some("intern")] {
        let refused = play.tries_to_order(answer(role)).unwrap_err();
        assert_eq!(refused, "only commander may answer go");
    }
    assert_eq!(play.tries_to_order(answer(Some("commander"))), Ok(()));
}

#[test]
fn only_the_people_whom_the_runbook_names_may_answer_in_a_role() {
    let mut play = Play::of(vec![step("go").doing(vec![ask()])]);
    let order = |by: &str| Order {
        by: by.to_owned(),
        reason: "a test".to_owned(),
        what: What::Answer {
            step: "go".into(),
            answer: Answer::Yes,
            role: Some("commander".into()),
        },
        seen: None,
        from: None,
    };
    let refused = play.engine.obey(&order("mallory"), 0).unwrap_err();
    assert_snapshot!(refused, @"mallory is not commander: anna, ben");
    assert_eq!(play.engine.obey(&order("anna"), 0), Ok(()));
}

#[test]
fn orders_that_make_no_sense_are_refused_with_the_reason() {
    let mut play = Play::of(vec![step("a"), step("b").needing(&[0]), step("c").needing(&[0])]);
    let a = || "a".to_owned();
    let tries = [
        What::Retry { step: a() },
        What::Skip { step: a() },
        What::Skip { step: "b".into() },
        What::Answer {
            step: a(),
            answer: Answer::Yes,
            role: None,
        },
        What::MarkDone { step: "z".into() },
    ];
    let refused = tries
        .map(|what| play.tries_to_order(what).unwrap_err())
        .join("\n");
    assert_snapshot!(refused, @r"
    retrying (a) is not possible: an effect of the step is in flight
    skipped (a) is not possible: an effect of the step is in flight
    skipped (b) is not possible: steps that it needs have not ended; decide about those first
    an answer (a) is not possible: an effect of the step is in flight
    the plan has no step z
    ");
    play.orders(What::Pause);
    assert_eq!(
        play.tries_to_order(What::Pause).unwrap_err(),
        "pausing is not possible: the run is paused already"
    );
}
