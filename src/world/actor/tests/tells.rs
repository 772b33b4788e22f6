//! What is told, and what happens when nobody listens: nothing but a warning.

use super::*;
use crate::effect::{InDrill, Manner, Tell};
use crate::text::Text;
use crate::world::port::{Answer, Notice, Receiver};

fn tell(text: &str) -> Tell {
    Tell {
        receiver: "on-call".into(),
        text: Text::known(text),
        in_drill: InDrill::Rehearse,
        manner: Manner::Real,
    }
}

fn told(stage: &Stage) -> Vec<Notice> {
    stage.embedded.receiver("on-call").expect("on-call").told()
}

fn texts(stage: &Stage) -> Vec<String> {
    told(stage).into_iter().map(|notice| notice.text).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_told_has_one_id_for_all_attempts() {
    let stage = Stage::new();
    let receipt = stage.done("tell", Effect::Tell(tell("the shop is back"))).await;
    assert_eq!(receipt.summary, "told on-call");
    assert_eq!(receipt.warnings, [""; 0]);
    stage.done("tell", Effect::Tell(tell("the shop is back"))).await;
    let ids: Vec<String> = told(&stage).into_iter().map(|notice| notice.id).collect();
    assert_eq!(ids, ["shop-d-4k2/tell/0", "shop-d-4k2/tell/0"]);
    assert_eq!(texts(&stage), ["the shop is back", "the shop is back"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_hear_is_tried_four_times_and_is_a_warning() {
    for (error, warning) in [
        (
            FaultError::Unreachable,
            "on-call WAS NOT TOLD: connection refused",
        ),
        (
            FaultError::LostReplyBefore,
            "WHETHER on-call WAS TOLD IS NOT KNOWN: connection closed before the reply",
        ),
    ] {
        let stage = Stage::new();
        stage.fails(vec![Fault {
            times: 0,
            ..fault("on-call", "tell", "", 1, error)
        }]);
        let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
        assert_eq!(receipt.warnings, [warning]);
        assert_eq!(receipt.summary, warning);
        assert_eq!(texts(&stage), [""; 0]);
        let tries = stage.said();
        let tries = tries.iter().filter(|one| *one == "telling on-call");
        assert_eq!(tries.count(), 4, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_tried_again_and_fails_nothing() {
    let stage = Stage::new();
    stage.fails(vec![fault("on-call", "tell", "", 1, FaultError::Forbidden)]);
    let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
    assert_eq!(
        receipt.warnings,
        ["on-call WAS NOT TOLD: not allowed by a rule of this simulation"]
    );
    assert_eq!(stage.said(), ["telling on-call"]);
    assert_eq!(texts(&stage), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_passing_trouble_is_got_over() {
    let stage = Stage::new();
    stage.fails(vec![Fault {
        times: 2,
        ..fault("on-call", "tell", "", 1, FaultError::Busy)
    }]);
    let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
    assert_eq!(receipt.summary, "told on-call");
    assert_eq!(texts(&stage), ["a"]);
    // After a lost reply it may be heard twice, and never not at all.
    stage.fails(vec![fault(
        "on-call",
        "tell",
        "",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    let receipt = stage.done("tell", Effect::Tell(tell("b"))).await;
    assert_eq!(receipt.summary, "told on-call");
    assert_eq!(texts(&stage), ["a", "b", "b"]);
}

/// Answers as it is told, again and again; `None`: never. It knows no ids.
struct Odd(Option<WorldError>, Arc<Mutex<u32>>);

impl Receiver for Odd {
    fn tell<'a>(&'a self, _: &'a Notice) -> Answer<'a, ()> {
        *self.1.lock().expect("not poisoned") += 1;
        match self.0.clone() {
            Some(error) => Box::pin(async { Err(error) }),
            None => Box::pin(std::future::pending()),
        }
    }

    fn knows_repeats(&self) -> bool {
        false
    }

    fn check(&self) -> Answer<'_, String> {
        Box::pin(std::future::pending())
    }
}

/// What came of telling one of them, how often it was told, and how long that took in milliseconds.
async fn odd(error: Option<WorldError>) -> (Receipt, u32, u128) {
    let mut stage = Stage::new();
    let count = Arc::default();
    let odd = Odd(error, Arc::clone(&count));
    stage.world.receivers.insert("on-call".into(), Arc::new(odd));
    let begin = tokio::time::Instant::now();
    let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
    let count = *count.lock().expect("not poisoned");
    (receipt, count, begin.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn who_knows_no_ids_is_not_told_again_after_a_lost_reply() {
    let error = |kind| Some(WorldError::new(kind, "on-call", "went wrong"));
    let (receipt, tries, _) = odd(error(ErrorKind::LostReply)).await;
    assert_eq!(tries, 1);
    assert_eq!(
        receipt.warnings,
        ["WHETHER on-call WAS TOLD IS NOT KNOWN: went wrong"]
    );
    let (receipt, tries, ms) = odd(None).await;
    assert_eq!((tries, ms), (1, 4_000));
    assert_eq!(
        receipt.warnings,
        ["WHETHER on-call WAS TOLD IS NOT KNOWN: no answer within 4s"]
    );
    let (receipt, tries, ms) = odd(error(ErrorKind::Busy)).await;
    assert_eq!((tries, ms), (4, 500 + 1_000 + 2_000));
    assert_eq!(receipt.warnings, ["on-call WAS NOT TOLD: went wrong"]);
}

#[tokio::test(start_paused = true)]
async fn patience_is_given_as_far_as_there_is_time() {
    let busy = |ms| {
        let error = WorldError::new(ErrorKind::Busy, "on-call", "went wrong");
        Some(WorldError {
            retry_after_ms: Some(ms),
            ..error
        })
    };
    let (_, tries, ms) = odd(busy(3_000)).await;
    assert_eq!((tries, ms), (4, 9_000));
    let (receipt, tries, ms) = odd(busy(60_000)).await;
    assert_eq!((tries, ms), (1, 0));
    assert_eq!(receipt.warnings, ["on-call WAS NOT TOLD: went wrong"]);
}

#[tokio::test(start_paused = true)]
async fn silence_costs_ten_seconds_at_most_even_in_a_rehearsal() {
    let mut stage = Stage::new();
    let silent = Odd(None, Arc::default());
    stage.world.receivers.insert("on-call".into(), Arc::new(silent));
    let begin = tokio::time::Instant::now();
    let rehearsed = Tell {
        manner: Manner::Rehearsed,
        ..tell("a")
    };
    let receipt = stage.done("tell", Effect::Tell(rehearsed)).await;
    assert_eq!(begin.elapsed().as_millis(), u128::from(Tell::LIMIT_MS));
    assert_eq!(
        receipt.warnings,
        ["on-call COULD NOT BE TOLD: no answer within 10s"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_tells_nobody_unless_it_is_to_and_then_says_first_what_it_is() {
    let stage = Stage::new();
    let drilled = |in_drill: InDrill| {
        let mut effect = Effect::Tell(Tell {
            in_drill,
            ..tell("the shop is back")
        });
        effect.meaning_mut().confine(&sandbox());
        effect
    };
    let receipt = stage.done("tell", drilled(InDrill::Rehearse)).await;
    assert_eq!(
        receipt.summary,
        "on-call could be told: embedded in this process: nobody hears it"
    );
    assert_eq!(receipt.skipped, ["telling: this is a drill"]);
    assert_eq!(told(&stage), []);
    stage.done("tell", drilled(InDrill::Tell)).await;
    assert_eq!(texts(&stage), ["DRILL, not an incident. the shop is back"]);
    assert!(told(&stage)[0].drill);
    stage.fails(vec![fault("on-call", "check", "", 1, FaultError::Unreachable)]);
    let receipt = stage.done("tell", drilled(InDrill::Rehearse)).await;
    assert_eq!(
        receipt.warnings,
        ["on-call COULD NOT BE TOLD: connection refused"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_or_too_long_is_told_as_far_as_it_goes() {
    let stage = Stage::new();
    let gap = Tell {
        text: Text::output("restore", "backup"),
        ..tell("")
    };
    let receipt = stage.done("tell", Effect::Tell(gap)).await;
    assert_eq!(texts(&stage), ["${steps.restore.backup}"]);
    assert_eq!(receipt.warnings.len(), 1, "{receipt:?}");
    let receipt = stage.done("tell", Effect::Tell(tell(&"ä".repeat(4000)))).await;
    assert_eq!(told(&stage)[1].text.chars().count(), 3001);
    assert_eq!(receipt.warnings, ["only the first 3000 characters were told"]);
    let nobody = Tell {
        receiver: "no-call".into(),
        ..tell("a")
    };
    let receipt = stage.done("tell", Effect::Tell(nobody)).await;
    assert_eq!(
        receipt.warnings,
        ["no-call WAS NOT TOLD: the inventory has no such receiver"]
    );
}
