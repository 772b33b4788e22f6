//! What is told, and what happens when nobody listens: nothing but a warning.

use super::*;
use crate::effect::{InDrill, Manner, Tell};
use crate::text::Text;
use crate::world::port::Notice;

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
async fn a_receiver_that_does_not_hear_costs_ten_seconds_and_a_warning() {
    for (error, summary, warning) in [
        (
            FaultError::Unreachable,
            "on-call was not told",
            "on-call WAS NOT TOLD: connection refused",
        ),
        (
            FaultError::LostReplyBefore,
            "whether on-call was told is not known",
            "whether on-call was told is not known: connection closed before the reply",
        ),
    ] {
        let stage = Stage::new();
        stage.fails(vec![Fault {
            times: 0,
            ..fault("on-call", "tell", "", 1, error)
        }]);
        let begin = tokio::time::Instant::now();
        let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
        assert_eq!(begin.elapsed().as_millis(), u128::from(Tell::LIMIT_MS), "{error:?}");
        assert_eq!(receipt.summary, summary);
        assert_eq!(receipt.warnings, [warning]);
        assert_eq!(texts(&stage), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_tried_again_and_fails_nothing() {
    let stage = Stage::new();
    stage.fails(vec![fault("on-call", "tell", "", 1, FaultError::Forbidden)]);
    let begin = tokio::time::Instant::now();
    let receipt = stage.done("tell", Effect::Tell(tell("a"))).await;
    assert!(begin.elapsed().as_millis() < 100, "{:?}", begin.elapsed());
    assert_eq!(
        receipt.warnings,
        ["on-call WAS NOT TOLD: not allowed by a rule of this simulation"]
    );
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
    stage.fails(vec![fault("on-call", "tell", "", 1, FaultError::LostReplyAfterCommit)]);
    let receipt = stage.done("tell", Effect::Tell(tell("b"))).await;
    assert_eq!(receipt.summary, "told on-call");
    assert_eq!(texts(&stage), ["a", "b", "b"]);
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
    assert_eq!(receipt.summary, "on-call could be told");
    assert_eq!(receipt.skipped, ["telling: this is a drill"]);
    assert_eq!(told(&stage), []);
    stage.done("tell", drilled(InDrill::Tell)).await;
    assert_eq!(texts(&stage), ["DRILL, not an incident. the shop is back"]);
    assert!(told(&stage)[0].drill);
    stage.fails(vec![fault("on-call", "check", "", 1, FaultError::Unreachable)]);
    let receipt = stage.done("tell", drilled(InDrill::Rehearse)).await;
    assert_eq!(receipt.warnings, ["on-call COULD NOT BE TOLD: connection refused"]);
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
