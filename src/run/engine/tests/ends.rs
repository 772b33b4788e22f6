//! Rules of ending: stop, undo, continue, and the steps that run last.

use insta::assert_snapshot;

use super::super::{StepState, What};
use super::play::{Play, doing};
use crate::effect::{Class, ErrorKind, Resolution};
use crate::run::testing::{ask, effect, step};
use crate::run::{Phase, Verdict};
use crate::runbook::OnFailure;

#[test]
fn continue_goes_on_and_says_so_at_the_end() {
    let mut play = Play::of(vec![step("a").then(OnFailure::Continue), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::Forbidden);
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    failed a: Forbidden
    end a Continued
    start b
    ok b
    end b Succeeded
    finished RecoveredWithFailures
    ");
}

#[test]
fn stop_lets_changes_in_flight_end_and_cuts_everything_else_off() {
    let two = [effect(Class::Converge), effect(Class::Converge)].to_vec();
    let mut play = Play::of(vec![
        step("a").then(OnFailure::Stop),
        step("half").doing(two),
        step("looks").doing(doing(Class::Read)),
        step("asks").doing(vec![ask()]),
        step("later").needing(&[1]),
    ]);
    play.log();
    play.fails("a", ErrorKind::Forbidden);
    assert_snapshot!(play.log(), @r"
    failed a: Forbidden
    end a Failed
    end later cut off (not begun: a failed)
    end asks cut off (not answered: a failed)
    end looks cut off (stopped while it only looked: a failed)
    ");
    assert_eq!(play.in_flight(), "half", "the look was dropped");
    play.ok("half");
    assert_snapshot!(play.log(), @r"
    ok half
    end half cut off (stopped between two effects: a failed)
    finished Failed
    ");
}

#[test]
fn undo_takes_back_what_was_begun_the_latest_first() {
    let undo = || vec![effect(Class::Converge)];
    let mut play = Play::of(vec![
        step("a").undoing(undo()),
        step("b").undoing(undo()),
        step("c").needing(&[0, 1]).undoing(undo()).then(OnFailure::Undo),
        step("d").needing(&[2]).undoing(undo()),
    ]);
    play.ok("b");
    play.ok("a");
    play.log();
    play.fails("c", ErrorKind::Rejected);
    play.ok("c");
    play.ok("a");
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    failed c: Rejected
    end c Failed
    end d cut off (not begun: c failed)
    unwinding because of c
    start c undo
    ok c undo
    end c Undone
    start a undo
    ok a undo
    end a Undone
    start b undo
    ok b undo
    end b Undone
    finished Undone
    ");
}

#[test]
fn a_run_is_not_called_undone_when_a_change_could_not_be_taken_back() {
    let mut play = Play::of(vec![
        step("a"),
        step("looks").doing(doing(Class::Read)),
        step("b")
            .needing(&[0, 1])
            .undoing(doing(Class::Converge))
            .then(OnFailure::Undo),
    ]);
    play.ok("a");
    play.ok("looks");
    play.fails("b", ErrorKind::Rejected);
    play.ok("b");
    assert_eq!(play.engine.verdict(), Some(Verdict::Failed), "a has no undo");
}

#[test]
fn an_undo_that_fails_stops_the_undoing_until_somebody_has_looked() {
    let undo = || vec![effect(Class::Converge)];
    let mut play = Play::of(vec![
        step("a").undoing(undo()),
        step("b").needing(&[0]).undoing(undo()).then(OnFailure::Undo),
    ]);
    play.ok("a");
    play.fails("b", ErrorKind::Rejected);
    play.log();
    play.fails("b", ErrorKind::Forbidden);
    assert_snapshot!(play.log(), @r"
    failed b undo: Forbidden
    end b UndoFailed
    paused by lifeboat: undoing b failed
    ");
    play.crash_and_resume();
    assert_snapshot!(play.log(), @r"
    resumed
    paused by lifeboat: nothing else can run: undoing b failed
    ");
    play.orders(What::Retry { step: "b".into() });
    play.crash_and_resume();
    play.ok("b");
    play.ok("a");
    assert_snapshot!(play.log(), @r"
    retry b by ben
    resumed
    start b undo attempt 2
    ok b undo attempt 2
    end b Undone
    start a undo
    ok a undo
    end a Undone
    finished Undone
    ");
}

#[test]
fn an_undo_that_is_skipped_does_not_count_as_undone_but_one_done_by_hand_does() {
    let run = |what: fn(String) -> What| {
        let mut play = Play::of(vec![
            step("a").undoing(doing(Class::Converge)).then(OnFailure::Undo),
        ]);
        play.fails("a", ErrorKind::Rejected);
        play.fails("a", ErrorKind::Rejected);
        play.orders(what("a".into()));
        play.engine.verdict()
    };
    assert_eq!(run(|step| What::Skip { step }), Some(Verdict::Failed));
    assert_eq!(run(|step| What::MarkDone { step }), Some(Verdict::Undone));
}

#[test]
fn last_steps_run_after_a_failure_and_nobody_is_waited_for() {
    let mut play = Play::of(vec![
        step("open"),
        step("work").needing(&[0]),
        step("close").last(),
    ]);
    play.ok("open");
    play.log();
    play.fails("work", ErrorKind::Forbidden);
    play.ok("close");
    assert_snapshot!(play.log(), @r"
    failed work: Forbidden
    end work Failed
    start close
    ok close
    end close Succeeded
    finished Failed
    ");
}

#[test]
fn last_steps_run_after_ctrl_c_once_all_changes_have_ended() {
    let mut play = Play::of(vec![
        step("work"),
        step("wait").doing(doing(Class::Read)),
        step("close").last(),
    ]);
    play.log();
    play.orders(What::Interrupt);
    assert_snapshot!(play.log(), @r"
    stopping by ben
    end wait cut off (stopped while it only looked: the run was stopped)
    ");
    play.ok("work");
    play.ok("close");
    assert_snapshot!(play.log(), @r"
    ok work
    end work Succeeded
    start close
    ok close
    end close Succeeded
    finished Stopped
    ");
}

#[test]
fn last_steps_run_after_an_unknown_outcome() {
    let mut play = Play::of(vec![
        step("work").doing(doing(Class::Guarded)),
        step("close").last(),
    ]);
    play.fails("work", ErrorKind::LostReply);
    play.finds("work", Resolution::CannotTell("nobody knows".into()));
    play.ok("close");
    assert_snapshot!(play.log(), @r"
    start work
    unknown work
    start close
    ok close
    end close Succeeded
    finished Failed
    ");
    assert_eq!(
        play.engine.step_state(0),
        Some(StepState::Unknown {
            phase: Phase::Forward,
            effect: 0
        })
    );
}

#[test]
fn whatever_else_happened_a_failed_last_step_means_not_torn_down() {
    let close = |name: &str| step(name).last();
    let mut play = Play::of(vec![
        step("work"),
        close("close"),
        close("sweep").needing(&[0, 1]),
    ]);
    play.ok("work");
    play.fails("close", ErrorKind::Forbidden);
    assert_eq!(
        play.in_flight(),
        "sweep",
        "one that fails does not keep the others"
    );
    play.ok("sweep");
    assert_eq!(play.engine.verdict(), Some(Verdict::NotTornDown));
}

#[test]
fn ctrl_c_during_the_last_steps_takes_nothing_from_what_was_proved() {
    let mut play = Play::of(vec![step("work"), step("close").last()]);
    play.ok("work");
    play.orders(What::Interrupt);
    play.ok("close");
    assert_eq!(play.engine.verdict(), Some(Verdict::Recovered));
}

#[test]
fn ctrl_c_pauses_a_plan_that_does_not_clean_up() {
    let mut play = Play::of(vec![step("a")]);
    play.log();
    play.orders(What::Interrupt);
    assert_snapshot!(play.log(), @"paused by ben: a test");
}

#[test]
fn what_runs_finally_runs_after_a_failure_and_after_a_stop() {
    let steps = || {
        vec![
            step("quiesce"),
            step("backup").needing(&[0]).then(OnFailure::Stop),
            step("resume").finally(),
        ]
    };
    let mut play = Play::of(steps());
    play.ok("quiesce");
    play.fails("backup", ErrorKind::Forbidden);
    assert_eq!(play.in_flight(), "resume");
    play.ok("resume");
    assert_snapshot!(play.log(), @r"
    start quiesce
    ok quiesce
    end quiesce Succeeded
    start backup
    failed backup: Forbidden
    end backup Failed
    start resume
    ok resume
    end resume Succeeded
    finished Failed
    ");

    let mut play = Play::of(steps());
    play.ok("quiesce");
    play.ok("backup");
    play.fails("resume", ErrorKind::Forbidden);
    assert_eq!(
        play.engine.verdict(),
        Some(Verdict::Failed),
        "everything else went well, and the application is still stopped"
    );
}
