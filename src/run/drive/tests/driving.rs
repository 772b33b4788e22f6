//! Carrying a run: side by side, in time, after failures, pauses and kills.

use std::time::Duration;

use insta::assert_snapshot;
use tokio::sync::mpsc;

use super::super::{Ended, Run, RunError};
use super::theatre::{Deed, Fake, Theatre, doing, placed, wait};
use crate::effect::{Class, ErrorKind, Resolution};
use crate::run::testing::{ask, operator, step};
use crate::run::{Answer, Engine, Journal, JournalError, QuestionPolicy, Timekeeper, Verdict, What};
use crate::runbook::OnFailure;

#[tokio::test(start_paused = true)]
async fn steps_that_do_not_need_each_other_run_at_the_same_time() {
    let takes = |ms| vec![Deed::Takes(ms)];
    let mut theatre = Theatre::of(Fake::with(&[
        ("a", &takes(300)),
        ("b", &takes(200)),
        ("c", &takes(100)),
    ]));
    let steps = vec![step("a"), step("b"), step("c").needing(&[0, 1])];
    assert_eq!(theatre.play(steps, 4).await, Ended::Finished(Verdict::Recovered));
    assert_snapshot!(theatre.story(), @r"
        0 start a
        0 start b
      200 ok b
      200 end b Succeeded
      300 ok a
      300 end a Succeeded
      300 start c
      400 ok c
      400 end c Succeeded
      400 finished Recovered
    ");
    assert_eq!(theatre.log.progress.lock().unwrap()[0], "0: a is under way");
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_allowed() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    let steps = (0..20).map(|n| step(&format!("s{n}"))).collect();
    assert_eq!(theatre.play(steps, 3).await, Ended::Finished(Verdict::Recovered));
    assert_eq!(*theatre.actor.at_once.lock().unwrap(), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn an_effect_without_an_answer_is_dropped_at_the_deadline() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Never])]));
    let mut slow = step("a").doing(doing(Class::Read)).then(OnFailure::Stop);
    slow.policy.timeout_ms = 5_000;
    assert_eq!(
        theatre.play(vec![slow], 1).await,
        Ended::Finished(Verdict::Failed)
    );
    assert_eq!(theatre.actor.at_once.lock().unwrap().0, 0);
    let history = Journal::read(&theatre.folder()).unwrap();
    let engine = Engine::replay(&history.entries).unwrap();
    assert_snapshot!(engine.step_error(0).unwrap(), @"a: the step's 5s were over; last seen: a is under way");
    assert_eq!(history.entries.last().unwrap().elapsed_ms, 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_when_its_time_has_come() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Fails(10, ErrorKind::Busy)])]));
    assert_eq!(
        theatre.play(vec![step("a").attempts(2)], 1).await,
        Ended::Finished(Verdict::Recovered)
    );
    assert_snapshot!(theatre.story(), @r"
        0 start a
       10 failed a: Busy, again at 2010
     2010 start a attempt 2
     2011 ok a attempt 2
     2011 end a Succeeded
     2011 finished Recovered
    ");
    assert_eq!(theatre.actor.calls(), "a#1, a#2");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_looked_after() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Fails(10, ErrorKind::LostReply)])]));
    let done = Resolution::Done(Box::default());
    theatre.actor.resolutions.lock().unwrap().insert("a".into(), done);
    let steps = vec![step("a").doing(doing(Class::Guarded))];
    assert_eq!(theatre.play(steps, 1).await, Ended::Finished(Verdict::Recovered));
    assert_eq!(theatre.actor.calls(), "a#1, a?");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_effect_fails_its_step_and_nothing_else() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Panics])]));
    let steps = vec![step("a").then(OnFailure::Continue), step("b")];
    assert_eq!(
        theatre.play(steps, 2).await,
        Ended::Finished(Verdict::RecoveredWithFailures)
    );
    let engine = Engine::replay(&Journal::read(&theatre.folder()).unwrap().entries).unwrap();
    let error = engine.step_error(0).unwrap();
    assert_eq!(
        (error.kind, error.causes[0].as_str()),
        (ErrorKind::Internal, "a bug in an adapter")
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_undoes_what_was_done() {
    let mut theatre = Theatre::of(Fake::with(&[("b", &[Deed::Fails(1, ErrorKind::Rejected)])]));
    let steps = vec![
        step("a").undoing(doing(Class::Converge)),
        step("b").needing(&[0]).then(OnFailure::Undo),
    ];
    assert_eq!(
        theatre.play(steps, 2).await,
        Ended::Finished(Verdict::Failed),
        "b has no undo"
    );
    assert_eq!(theatre.actor.calls(), "a#1, b#1, a#1");
}

#[tokio::test(start_paused = true)]
async fn a_run_pauses_lets_the_present_end_and_is_taken_up_again() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Takes(1_000)])]));
    let run = theatre.begin(vec![step("a"), step("b").needing(&[0])], 2);
    let wiring = theatre.wiring();
    let (pause, reply) = placed(What::Pause);
    theatre.orders.send(pause).unwrap();
    let ended = run.drive(wiring).await.unwrap();
    assert!(matches!(ended, Ended::Paused(hold) if hold.by == "ben"));
    assert_eq!(reply.await.unwrap(), Ok(()));
    assert_eq!(theatre.resume().await, Ended::Finished(Verdict::Recovered));
    assert_snapshot!(theatre.story(), @r"
        0 start a
        0 paused by ben: a test
     1000 ok a
     1000 end a Succeeded
     1000 resumed
     1000 start b
     1001 ok b
     1001 end b Succeeded
     1001 finished Recovered
    ");
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_from_the_terminal_by_who_may() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    theatre.questions = QuestionPolicy::Wait;
    let run = theatre.begin(vec![step("go").doing(vec![ask()])], 1);
    let wiring = theatre.wiring();
    let orders = theatre.orders.clone();
    let person = async move {
        wait(60_000).await;
        let answer = |role: &str| What::Answer {
            step: "go".into(),
            answer: Answer::Yes,
            role: Some(role.into()),
        };
        let (wrong, refused) = placed(answer("intern"));
        orders.send(wrong).unwrap();
        assert_eq!(
            refused.await.unwrap().unwrap_err().to_string(),
            "only commander may answer go"
        );
        let (right, followed) = placed(answer("commander"));
        orders.send(right).unwrap();
        assert_eq!(followed.await.unwrap(), Ok(()));
    };
    let (ended, ()) = tokio::join!(run.drive(wiring), person);
    assert_eq!(ended.unwrap(), Ended::Finished(Verdict::Recovered));
}

#[tokio::test(start_paused = true)]
async fn a_question_without_anybody_to_answer_pauses_the_run() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    let ended = theatre
        .play(vec![step("go").doing(vec![ask()]), step("b")], 1)
        .await;
    let Ended::Paused(hold) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(hold.reason, "nothing else can run: go waits for an answer");
    assert_eq!(theatre.actor.calls(), "b#1");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_answer_that_nobody_can_give_any_more_ends_in_a_pause() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    theatre.questions = QuestionPolicy::Wait;
    let run = theatre.begin(vec![step("go").doing(vec![ask()])], 1);
    let wiring = theatre.wiring();
    drop(std::mem::replace(
        &mut theatre.orders,
        mpsc::unbounded_channel().0,
    ));
    assert!(matches!(run.drive(wiring).await.unwrap(), Ended::Paused(_)));
}

#[tokio::test(start_paused = true)]
async fn the_first_ctrl_c_tears_a_drill_down_and_the_second_leaves_at_once() {
    let mut theatre = Theatre::of(Fake::with(&[("work", &[Deed::Takes(500)])]));
    let steps = || {
        vec![
            step("work"),
            step("look").doing(doing(Class::Read)),
            step("close").last(),
        ]
    };
    let run = theatre.begin(steps(), 3);
    let wiring = theatre.wiring();
    theatre.orders.send(placed(What::Interrupt).0).unwrap();
    assert_eq!(
        run.drive(wiring).await.unwrap(),
        Ended::Finished(Verdict::Stopped)
    );
    assert_snapshot!(theatre.story(), @r"
        0 start work
        0 start look
        0 stopping by ben
        0 end look cut off (stopped while it only looked: the run was stopped)
      500 ok work
      500 end work Succeeded
      500 start close
      501 ok close
      501 end close Succeeded
      501 finished Stopped
    ");

    let mut theatre = Theatre::of(Fake::with(&[("work", &[Deed::Never]), ("look", &[Deed::Never])]));
    let run = theatre.begin(steps(), 3);
    let wiring = theatre.wiring();
    let orders = theatre.orders.clone();
    let twice = async move {
        for _ in 0..2 {
            wait(100).await;
            orders.send(placed(What::Interrupt).0).unwrap();
        }
    };
    let (ended, ()) = tokio::join!(run.drive(wiring), twice);
    assert_eq!(ended.unwrap(), Ended::Interrupted);
    assert_eq!(
        theatre.actor.at_once.lock().unwrap().0,
        0,
        "what was in flight is dropped"
    );
    assert_eq!(theatre.resume().await, Ended::Finished(Verdict::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_killed_goes_on_where_it_was() {
    let script: &[(&str, &[Deed])] = &[("b", &[Deed::Never]), ("c", &[Deed::Never])];
    let mut theatre = Theatre::of(Fake::with(script));
    let steps = vec![
        step("a"),
        step("b").needing(&[0]),
        step("c").needing(&[0]).doing(doing(Class::Guarded)),
    ];
    let run = theatre.begin(steps, 3);
    let wiring = theatre.wiring();
    let killed = tokio::time::timeout(Duration::from_secs(1), run.drive(wiring)).await;
    assert!(killed.is_err());
    assert_eq!(theatre.actor.calls(), "a#1, b#1, c#1");
    assert_eq!(theatre.resume().await, Ended::Finished(Verdict::Recovered));
    assert_eq!(theatre.actor.calls(), "b#1, c?, c#2");
    let again = Run::resume(&theatre.folder(), &operator(), Timekeeper::resume).unwrap_err();
    assert!(matches!(again, RunError::Ended(Verdict::Recovered)), "{again}");
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn nothing_begins_when_the_journal_cannot_be_written() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    let mut run = theatre.begin(vec![step("a"), step("b").needing(&[0])], 1);
    run.journal.fill_the_disk();
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(
        matches!(error, RunError::Journal(JournalError::Io { .. })),
        "{error}"
    );
    assert_eq!(theatre.actor.calls(), "");
    assert!(
        theatre.log.entries.lock().unwrap().is_empty(),
        "nobody is told of what is not durable"
    );
}
