//! Orders from other processes, with and without a driver.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the files that the driver leaves"
)]

use std::path::Path;
use std::time::Duration;

use super::super::Ended;
use super::theatre::{Deed, Fake, Theatre, order, wait};
use crate::effect::ErrorKind;
use crate::run::testing::{ask, operator, step};
use crate::run::{Answer, QuestionPolicy, Refused, Verdict, What};

#[tokio::test(start_paused = true)]
async fn orders_from_other_processes_come_through_the_inbox() {
    let mut theatre = Theatre::of(Fake::with(&[("work", &[Deed::Takes(2_000)])]));
    theatre.questions = QuestionPolicy::Wait;
    theatre.inbox = true;
    let run = theatre.begin(vec![step("go").doing(vec![ask()]), step("work")], 1);
    let folder = theatre.folder();
    let other = async {
        wait(1_000).await;
        let refused = submit(&folder, What::Retry { step: "work".into() })
            .await
            .unwrap_err();
        let yes = What::Answer {
            step: "go".into(),
            answer: Answer::Yes,
            role: Some("commander".into()),
        };
        let followed = submit(&folder, yes).await.unwrap();
        (refused.to_string(), followed)
    };
    let (ended, (refused, followed)) = tokio::join!(run.drive(theatre.wiring()), other);
    assert_eq!(ended.unwrap(), Ended::Finished(Verdict::Recovered));
    assert_eq!(
        refused,
        "retrying (work) is not possible: an effect of the step is in flight"
    );
    assert_eq!(followed, crate::run::Submitted::Followed);
    let left: Vec<_> = std::fs::read_dir(folder.join("inbox")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn submit(folder: &Path, what: What) -> Result<crate::run::Submitted, crate::run::SubmitError> {
    crate::run::submit(folder, &order(what), &operator(), Duration::from_secs(10)).await
}

#[tokio::test(start_paused = true)]
async fn without_a_driver_an_order_goes_into_the_journal_itself() {
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Fails(1, ErrorKind::Forbidden)])]));
    let ended = theatre.play(vec![step("a"), step("b").needing(&[0])], 1).await;
    assert!(matches!(ended, Ended::Paused(_)));
    let folder = theatre.folder();
    let refused = submit(&folder, What::Retry { step: "b".into() })
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "retrying (b) is not possible: the step was not begun"
    );
    let done = submit(&folder, What::MarkDone { step: "a".into() })
        .await
        .unwrap();
    assert!(matches!(done, crate::run::Submitted::Recorded(_)));
    assert_eq!(theatre.resume().await, Ended::Finished(Verdict::Recovered));
    let late = submit(&folder, What::Pause).await.unwrap_err();
    assert_eq!(late.to_string(), "pausing is not possible: the run has ended");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_takes_is_withdrawn() {
    let theatre = Theatre::of(Fake::with(&[]));
    let run = theatre.begin(vec![step("a")], 1);
    let folder = theatre.folder();
    let error = submit(&folder, What::Pause).await.unwrap_err();
    assert!(matches!(error, crate::run::SubmitError::NotTaken), "{error}");
    assert_eq!(std::fs::read_dir(folder.join("inbox")).unwrap().count(), 0);
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_an_order_is_refused_and_what_was_taken_is_not_followed_twice() {
    let mut theatre = Theatre::of(Fake::with(&[]));
    theatre.inbox = true;
    let run = theatre.begin(vec![step("a")], 1);
    let inbox = theatre.folder().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(inbox.join("1.json"), "rm -rf").unwrap();
    std::fs::write(
        inbox.join("0.taken"),
        serde_json::to_vec(&order(What::Stop)).unwrap(),
    )
    .unwrap();
    assert_eq!(
        run.drive(theatre.wiring()).await.unwrap(),
        Ended::Finished(Verdict::Recovered)
    );
    let refused = |name: &str| {
        let refused: Refused = serde_json::from_slice(&std::fs::read(inbox.join(name)).unwrap()).unwrap();
        refused.to_string()
    };
    assert!(refused("1.refused").starts_with("this is not an order"));
    assert!(refused("0.refused").contains("ended before it answered"));
}
