//! Rules of the way forward: order, room, retries, deadlines, looks, values.

use insta::assert_snapshot;

use super::super::outcome::{Follow, follow};
use super::super::{Blocker, Sight};
use super::play::{Play, doing, done};
use crate::effect::{Class, Effect, ErrorKind, Probe, Receipt, Resolution, Target};
use crate::run::Verdict;
use crate::run::testing::{step, trouble};
use crate::runbook::{OnFailure, Policy};
use crate::text::Text;

#[test]
fn steps_run_as_soon_as_their_needs_have_ended_and_no_sooner() {
    let mut play = Play::of(vec![
        step("a"),
        step("b"),
        step("c").needing(&[0, 1]),
        step("d").needing(&[0]),
    ]);
    assert_snapshot!(play.log(), @r"
    start a
    start b
    ");
    play.ok("a");
    assert_snapshot!(play.log(), @r"
    ok a
    end a Succeeded
    start d
    ");
    play.ok("d");
    play.ok("b");
    play.ok("c");
    assert_snapshot!(play.log(), @r"
    ok d
    end d Succeeded
    ok b
    end b Succeeded
    start c
    ok c
    end c Succeeded
    finished Recovered
    ");
}

#[test]
fn no_more_effects_are_in_flight_than_allowed_and_steps_under_way_come_first() {
    let two = || {
        doing(Class::Converge)
            .into_iter()
            .chain(doing(Class::Converge))
            .collect()
    };
    let mut play = Play::with_room(vec![step("a").doing(two()), step("b").doing(two()), step("c")], 2);
    assert_eq!(play.in_flight(), "a b");
    assert_eq!(play.engine.why_not_started(2), [Blocker::NoRoom(2)]);
    play.ok("b");
    assert_eq!(play.in_flight(), "a b");
    play.ok("b");
    assert_eq!(play.in_flight(), "a c");
}

#[test]
fn a_step_without_effects_succeeds_at_once() {
    let mut play = Play::of(vec![
        step("a").doing(vec![]),
        step("b").needing(&[0]).doing(vec![]),
    ]);
    assert_snapshot!(play.log(), @r"
    end a Succeeded
    end b Succeeded
    finished Recovered
    ");
}

#[test]
fn a_step_that_the_plan_leaves_out_keeps_its_place_in_the_order() {
    let mut play = Play::of(vec![
        step("a"),
        step("b").needing(&[0]).left_out(),
        step("c").needing(&[1]),
    ]);
    assert_snapshot!(play.log(), @"start a");
    play.ok("a");
    assert_snapshot!(play.log(), @r"
    ok a
    end a Succeeded
    end b skipped (not in a test)
    start c
    ");
    play.ok("c");
    assert_eq!(play.engine.verdict(), Some(Verdict::Recovered));
}

#[test]
fn a_passing_error_is_tried_again_with_growing_pauses_until_attempts_are_used_up() {
    let mut play = Play::of(vec![step("a").attempts(3)]);
    play.fails("a", ErrorKind::Busy);
    assert_eq!(play.wake_at_ms, Some(2_000));
    play.at(1_999);
    assert_eq!(play.in_flight(), "");
    play.at(2_000);
    play.fails("a", ErrorKind::Unreachable);
    play.at(6_000);
    play.fails("a", ErrorKind::Busy);
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Busy, again at 2000
    start a attempt 2
    failed a attempt 2: Unreachable, again at 6000
    start a attempt 3
    failed a attempt 3: Busy
    end a Failed
    paused by lifeboat: step a failed
    ");
}

#[test]
fn the_target_may_ask_for_more_patience_than_the_runbook() {
    let mut play = Play::of(vec![step("a").attempts(3)]);
    let mut busy = trouble(ErrorKind::Busy);
    busy.retry_after_ms = Some(90_000);
    play.sees("a", Sight::Performed(Err(busy)));
    assert_eq!(play.wake_at_ms, Some(90_000));
}

#[test]
fn pauses_between_attempts_grow_up_to_a_limit() {
    let mut patient = step("a").attempts(20);
    patient.policy.timeout_ms = 24 * 3600 * 1000;
    let mut play = Play::of(vec![patient]);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        play.fails("a", ErrorKind::Busy);
        let wake_at_ms = play.wake_at_ms.unwrap();
        pauses.push((wake_at_ms - play.now_ms) / 1000);
        play.at(wake_at_ms);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn no_attempt_is_planned_for_a_time_at_which_the_step_is_over() {
    let mut play = Play::of(vec![step("a").attempts(10)]);
    play.now_ms = Policy::TIMEOUT_MS - 1_000;
    play.fails("a", ErrorKind::Busy);
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Busy
    end a Failed
    paused by lifeboat: step a failed
    ");
}

#[test]
fn a_retry_that_finds_room_only_after_the_steps_time_is_not_made() {
    let mut play = Play::with_room(vec![step("a").attempts(3).then(OnFailure::Stop), step("b")], 1);
    play.fails("a", ErrorKind::Busy);
    play.at(2_000);
    assert_eq!((play.in_flight().as_str(), play.wake_at_ms), ("b", None));
    play.log();
    play.now_ms = Policy::TIMEOUT_MS;
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    ok b
    end b Succeeded
    end a Failed
    finished Failed
    ");
}

#[test]
fn what_follows_from_an_error_depends_on_its_kind_and_the_class_only() {
    use ErrorKind::*;
    use Follow::*;
    let kinds = [LostReply, Internal, Busy, Conflict, Unauthenticated, Forbidden];
    let row = |class| kinds.map(|kind| follow(class, kind));
    assert_eq!(row(Class::Read), [Retry, Fail, Retry, Retry, Wait, Fail]);
    assert_eq!(row(Class::Converge), [Retry, Fail, Retry, Retry, Wait, Fail]);
    assert_eq!(row(Class::Guarded), [Look, Look, Retry, Retry, Wait, Fail]);
    assert_eq!(row(Class::Once), [Look, Look, Fail, Fail, Fail, Fail]);
}

#[test]
fn a_deadline_ends_a_look_as_not_yet_and_a_change_as_a_lost_reply() {
    let mut play = Play::of(vec![
        step("look").doing(doing(Class::Read)).attempts(3),
        step("change").doing(doing(Class::Converge)).attempts(3),
        step("guarded").doing(doing(Class::Guarded)).attempts(3),
    ]);
    assert_eq!(play.errands[0].deadline_ms, Some(Policy::TIMEOUT_MS));
    play.log();
    play.now_ms = Policy::TIMEOUT_MS;
    play.wait_for_people();
    for name in ["look", "change", "guarded"] {
        play.sees(name, Sight::TimedOut(Some("2 of 3 replicas ready".into())));
    }
    assert_snapshot!(play.log(), @r"
    failed look: NotYet
    end look Failed
    paused by lifeboat: step look failed
    failed change: LostReply
    end change Failed
    ");
    assert_eq!(play.in_flight(), "guarded?");
    let error = play.engine.step_error(0).unwrap();
    assert_snapshot!(error, @"look: the step's 10m were over; last seen: 2 of 3 replicas ready");
}

#[test]
fn a_lost_reply_of_a_guarded_effect_is_looked_after_before_anything_else() {
    let guarded = || step("a").doing(doing(Class::Guarded)).attempts(2);
    let mut found = Play::of(vec![guarded()]);
    found.fails("a", ErrorKind::LostReply);
    assert_eq!(found.in_flight(), "a?");
    found.finds("a", done());
    assert_snapshot!(found.log(), @r"
    start a
    ok a
    end a Succeeded
    finished Recovered
    ");

    let mut not_found = Play::of(vec![guarded()]);
    not_found.fails("a", ErrorKind::LostReply);
    not_found.finds("a", Resolution::NotDone);
    assert_snapshot!(not_found.log(), @r"
    start a
    failed a: LostReply, again at 2000
    ");

    let mut nobody_knows = Play::of(vec![guarded()]);
    nobody_knows.fails("a", ErrorKind::LostReply);
    nobody_knows.finds("a", Resolution::CannotTell("its log is gone".into()));
    assert_snapshot!(nobody_knows.log(), @r"
    start a
    unknown a
    paused by lifeboat: nothing else can run: a may or may not have worked
    ");
    assert_eq!(nobody_knows.engine.undecided(), [0]);
}

#[test]
fn an_effect_of_class_once_is_never_tried_again_by_itself() {
    for kind in [ErrorKind::Busy, ErrorKind::Unreachable, ErrorKind::Conflict] {
        let mut play = Play::of(vec![step("a").doing(doing(Class::Once)).attempts(5)]);
        play.fails("a", kind);
        assert_eq!(play.engine.undecided(), [0], "{kind:?}");
    }
    let mut play = Play::of(vec![step("a").doing(doing(Class::Once)).attempts(5)]);
    play.fails("a", ErrorKind::LostReply);
    play.finds("a", Resolution::NotDone);
    assert_snapshot!(play.log(), @r"
    start a
    failed a: LostReply
    end a Failed
    paused by lifeboat: step a failed
    ");
}

#[test]
fn a_look_that_cannot_be_taken_is_tried_some_times_and_then_nobody_knows() {
    let mut play = Play::of(vec![step("a").doing(doing(Class::Guarded))]);
    play.fails("a", ErrorKind::LostReply);
    let mut looks = 0;
    while play.in_flight() == "a?" {
        looks += 1;
        play.sees("a", Sight::Resolved(Err(trouble(ErrorKind::Unreachable))));
        if let Some(wake_at_ms) = play.wake_at_ms {
            play.at(wake_at_ms);
        }
    }
    assert_eq!(looks, 5);
    assert_snapshot!(play.log(), @r"
    start a
    unknown a
    paused by lifeboat: nothing else can run: a may or may not have worked
    ");
}

#[test]
fn code_that_breaks_down_fails_or_is_looked_after() {
    let mut play = Play::of(vec![
        step("a").attempts(3),
        step("b").doing(doing(Class::Guarded)).attempts(3),
    ]);
    play.sees("a", Sight::Panicked("index out of bounds".into()));
    play.sees("b", Sight::Panicked("index out of bounds".into()));
    assert_eq!(play.in_flight(), "b?");
    play.finds("b", Resolution::NotDone);
    assert_snapshot!(play.log(), @r"
    start a
    start b
    failed a: Internal
    end a Failed
    paused by lifeboat: step a failed
    failed b: Internal
    end b Failed
    ");
}

#[test]
fn outputs_of_earlier_steps_are_put_in_and_missing_ones_fail_the_step() {
    let probe = Effect::Probe(Probe {
        target: Target::Tcp {
            address: Text::output("capture", "address"),
        },
        successes: 1,
        interval_ms: 1,
        look_timeout_ms: 1,
    });
    let steps = || {
        vec![
            step("capture"),
            step("look").needing(&[0]).doing(vec![probe.clone()]),
        ]
    };
    let mut play = Play::of(steps());
    let mut receipt = Receipt::default();
    receipt.outputs.insert("address".into(), "west:443".into());
    play.sees("capture", Sight::Performed(Ok(receipt)));
    let Effect::Probe(bound) = &play.errands[0].effect else {
        panic!("not a probe");
    };
    assert_eq!(bound.target.address(), &Text::known("west:443"));

    let mut play = Play::of(steps());
    play.ok("capture");
    assert_eq!(play.in_flight(), "", "nothing is sent");
    assert_snapshot!(play.engine.step_error(1).unwrap(), @"look: `${steps.capture.address}` is not known: the step that should have told it did not");
}

#[test]
fn times_of_steps_and_effects_are_known() {
    let mut play = Play::of(vec![step("a").attempts(2), step("b").needing(&[0])]);
    play.now_ms = 100;
    play.fails("a", ErrorKind::Busy);
    play.at(2_100);
    play.now_ms = 2_500;
    play.ok("a");
    assert_eq!(play.engine.step_times(0), (Some(0), Some(2_500)));
    let timing = play.engine.effect_times(0)[0];
    assert_eq!(
        (timing.began_ms, timing.ended_ms, timing.attempts),
        (Some(0), Some(2_500), 2)
    );
    assert_eq!(play.engine.step_times(1), (Some(2_500), None));
    assert_eq!(play.engine.step_error(0), None, "it worked in the end");
}
