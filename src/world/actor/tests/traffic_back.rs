//! Requests that went elsewhere come back: after a bad answer, after another process has died, and when a run is undone.

use super::traffic::{BEFORE, STEADY_MS, answers, back, live, noted, now, plain, shift, stage, watched};
use super::*;
use crate::effect::{ReturnTraffic, ShiftTraffic};

/// The step has failed, says that it went back, and has.
fn went_back(stage: &Stage, failed: Result<Receipt, WorldError>) {
    let (_, message) = refused(failed);
    assert!(
        message.ends_with("it is back at shop-east 100, shop-west 0"),
        "{message}"
    );
    assert_eq!((now(stage).as_str(), noted(stage)), (BEFORE, None));
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_puts_everything_back_and_is_told() {
    let stage = stage().await;
    let before = plain(live(&stage));
    // In the middle of the second stage.
    let work = while_waiting(
        stage.perform("shift", Effect::ShiftTraffic(shift())),
        15_000,
        || answers(&stage, false),
    );
    let (failed, seen) = watched(&stage, work).await;
    let error = failed.expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Rejected, "not tried again by itself");
    insta::assert_snapshot!(error.message, @"HTTPRoute shop/shop was at shop-east 50, shop-west 50, and the new side did not answer well: http://east.embedded/shop/healthz: 503 instead of 200: 0 of 0 ready; it is back at shop-east 100, shop-west 0");
    let states: Vec<&str> = seen.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        states,
        [
            BEFORE,
            "shop-east 90, shop-west 10",
            "shop-east 50, shop-west 50",
            BEFORE
        ]
    );
    assert_eq!(
        plain(live(&stage)),
        before,
        "to the last field, and without a note"
    );
    // A person who has mended the new side tries again, from the first stage on.
    answers(&stage, true);
    pass(5_000).await;
    let (_, seen) = watched(&stage, stage.done("shift", Effect::ShiftTraffic(shift()))).await;
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_in_the_middle_knows_where_to_go_back_to() {
    let stage = stage().await;
    // The drill's case: the plan saw nothing.
    let unseen = || {
        Effect::ShiftTraffic(ShiftTraffic {
            before: None,
            ..shift()
        })
    };
    let cut = tokio::time::timeout(
        Duration::from_millis(STEADY_MS + 5_000),
        stage.perform("shift", unseen()),
    );
    assert!(cut.await.is_err(), "the process dies at the second stage");
    assert_eq!(now(&stage), "shop-east 50, shop-west 50");
    let work = stage.perform("shift", unseen());
    let failed = while_waiting(work, 3_000, || answers(&stage, false)).await;
    went_back(&stage, failed);
}

#[tokio::test(start_paused = true)]
async fn an_undo_puts_back_from_any_stage_and_from_nothing_else() {
    let stage = stage().await;
    let before = plain(live(&stage));
    insta::assert_snapshot!(stage.done("shift", back()).await.summary, @"HTTPRoute shop/shop: shop-east 100, shop-west 0 (it already was)");
    let cut = tokio::time::timeout(
        Duration::from_secs(5),
        stage.perform("shift", Effect::ShiftTraffic(shift())),
    );
    assert!(cut.await.is_err());
    insta::assert_snapshot!(stage.done("shift", back()).await.summary, @"HTTPRoute shop/shop: shop-east 90, shop-west 10 → shop-east 100, shop-west 0, as it was");
    assert_eq!(plain(live(&stage)), before);
    stage.done("shift", Effect::ShiftTraffic(shift())).await;
    stage.done("shift", back()).await;
    assert_eq!(plain(live(&stage)), before);
    let Effect::ReturnTraffic(blind) = back() else {
        unreachable!()
    };
    let blind = Effect::ReturnTraffic(ReturnTraffic {
        before: None,
        ..blind
    });
    insta::assert_snapshot!(stage.done("shift", blind).await.summary, @"HTTPRoute shop/shop: this run has changed nothing of it");
}

#[tokio::test(start_paused = true)]
async fn going_back_is_sent_until_it_is_there() {
    let stage = stage().await;
    let outage = |nth, error| fault("east", "patch", "HTTPRoute", nth, error);
    stage.fails(vec![
        outage(2, FaultError::Unreachable),
        outage(3, FaultError::Busy),
        outage(4, FaultError::LostReplyAfterCommit),
    ]);
    let work = stage.perform("shift", Effect::ShiftTraffic(shift()));
    let failed = while_waiting(work, 5_000, || answers(&stage, false)).await;
    went_back(&stage, failed);
}

#[tokio::test(start_paused = true)]
async fn where_going_back_does_not_go_it_says_so_and_what_was_there() {
    let stage = stage().await;
    stage.embedded.script(FaultPlan {
        faults: vec![Fault {
            times: 0,
            ..fault("east", "patch", "HTTPRoute", 2, FaultError::Unreachable)
        }],
        ..FaultPlan::default()
    });
    let work = stage.perform("shift", Effect::ShiftTraffic(shift()));
    let failed = while_waiting(work, 5_000, || answers(&stage, false)).await;
    let error = failed.expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Rejected);
    insta::assert_snapshot!(error.message, @"HTTPRoute shop/shop was at shop-east 90, shop-west 10, and the new side did not answer well: http://east.embedded/shop/healthz: 503 instead of 200: 0 of 0 ready; within 1m it could not be put back: east: connection refused; looking again. It was shop-east 100, shop-west 0 before");
    assert_eq!(now(&stage), "shop-east 90, shop-west 10");
    stage.fails(Vec::new());
    stage.done("shift", back()).await;
    assert_eq!((now(&stage).as_str(), noted(&stage)), (BEFORE, None));
}
