//! Names that are led elsewhere: from exactly where they lead, and with a proof that they do.

use super::*;
use crate::effect::{Records, Rehearsal, Rehearser as _, SwapRecords, Would};
use crate::text::DomainName;
use crate::world::Understudy;

fn shop_name() -> DomainName {
    "shop.acme.example".parse().expect("a name")
}

fn at(address: &str, ttl_s: u32) -> Records {
    Records::addresses(&[address.parse().expect("an address")], ttl_s)
}

fn swap(from: Records, to: Records) -> SwapRecords {
    SwapRecords {
        server: "corp".into(),
        name: shop_name(),
        outlives_s: from.outlive_s(&to, 0),
        from,
        to,
        only_ask: false,
    }
}

fn moved() -> SwapRecords {
    swap(at("192.0.2.10", 300), at("198.51.100.7", 60))
}

fn has(stage: &Stage) -> Records {
    let corp = stage.embedded.names("corp").expect("corp");
    corp.all().get(&shop_name()).cloned().unwrap_or_default()
}

fn plant(stage: &Stage, records: Records) {
    let corp = stage.embedded.names("corp").expect("corp");
    corp.plant(&shop_name(), records);
}

#[tokio::test(start_paused = true)]
async fn a_name_leads_elsewhere_and_the_receipt_says_until_when_caches_may_not_know() {
    let stage = Stage::new();
    let receipt = stage.done("move", Effect::SwapRecords(moved())).await;
    insta::assert_snapshot!(receipt.summary, @"shop.acme.example  A 192.0.2.10 → A 198.51.100.7, read back from corp; caches may give the old answer until 2026-11-22 22:05:00 UTC");
    assert_eq!(receipt.outputs["caches_until"], "2026-11-22T22:05:00Z");
    assert_eq!(has(&stage), at("198.51.100.7", 60));
    let again = stage.done("move", Effect::SwapRecords(moved())).await;
    assert!(again.summary.ends_with(" (it already was)"), "{}", again.summary);
    let back = moved().reversed(0);
    stage.done("back", Effect::SwapRecords(back)).await;
    assert_eq!(has(&stage), at("192.0.2.10", 300));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_changed_is_left_as_it_is() {
    let stage = Stage::new();
    plant(&stage, at("203.0.113.9", 300));
    let (kind, message) = refused(stage.perform("move", Effect::SwapRecords(moved())).await);
    assert_eq!(kind, ErrorKind::Rejected, "a second try would meet the same");
    insta::assert_snapshot!(message, @"shop.acme.example has A 203.0.113.9; the plan saw A 192.0.2.10 and wants A 198.51.100.7");
    assert_eq!(has(&stage), at("203.0.113.9", 300));
    plant(&stage, Records::default());
    let (_, message) = refused(stage.perform("move", Effect::SwapRecords(moved())).await);
    assert!(
        message.starts_with("shop.acme.example has nothing; "),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_what_the_name_has_tells() {
    let stage = Stage::new();
    let effect = || Effect::SwapRecords(moved());
    for (error, done) in [
        (FaultError::LostReplyBefore, false),
        (FaultError::LostReplyAfterCommit, true),
    ] {
        plant(&stage, at("192.0.2.10", 300));
        stage.fails(vec![fault("corp", "swap", "shop", 1, error)]);
        let (kind, _) = refused(stage.perform("move", effect()).await);
        assert_eq!(kind, ErrorKind::LostReply);
        match stage.resolve("move", effect()).await {
            Resolution::Done(receipt) if done => {
                assert!(receipt.summary.contains("read back"), "{receipt:?}");
            }
            Resolution::NotDone if !done => {}
            other => panic!("{error:?}: {other:?}"),
        }
    }
    plant(&stage, at("203.0.113.9", 300));
    let Resolution::CannotTell(why) = stage.resolve("move", effect()).await else {
        panic!("nobody can tell")
    };
    insta::assert_snapshot!(why, @"shop.acme.example has A 203.0.113.9: neither what it had nor what it was to get, so somebody else has changed it");
}

#[tokio::test(start_paused = true)]
async fn a_ttl_alone_is_changed_too() {
    let stage = Stage::new();
    let shorter = || Effect::SwapRecords(swap(at("192.0.2.10", 300), at("192.0.2.10", 30)));
    assert_eq!(stage.resolve("ttl", shorter()).await, Resolution::NotDone);
    let receipt = stage.done("ttl", shorter()).await;
    assert!(!receipt.summary.contains("caches"), "{}", receipt.summary);
    assert_eq!(has(&stage), at("192.0.2.10", 30));
    assert!(matches!(
        stage.resolve("ttl", shorter()).await,
        Resolution::Done(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_drill_only_asks_and_a_rehearsal_too() {
    let stage = Stage::new();
    let mut asked = Effect::SwapRecords(moved());
    asked.meaning_mut().confine(&sandbox());
    let receipt = stage.done("move", asked.clone()).await;
    insta::assert_snapshot!(receipt.summary, @"shop.acme.example has A 192.0.2.10, and corp takes the key");
    assert!(receipt.skipped[0].starts_with("the change itself"), "{receipt:?}");
    let understudy = Understudy::of(stage.world.clone());
    let answer = |effect: Effect| {
        let understudy = &understudy;
        async move {
            match understudy.rehearse(&effect).await.expect("an answer") {
                Rehearsal::Whole { answer, .. } => answer,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(answer(Effect::SwapRecords(moved())).await, Would::Accept);
    stage.fails(vec![fault("corp", "check", "shop", 1, FaultError::Forbidden)]);
    assert!(matches!(
        answer(Effect::SwapRecords(moved())).await,
        Would::Refuse(_)
    ));
    assert_eq!(has(&stage), at("192.0.2.10", 300), "nothing was changed");
    plant(&stage, at("203.0.113.9", 300));
    assert!(matches!(
        answer(Effect::SwapRecords(moved())).await,
        Would::Unknown(_)
    ));
    refused(stage.perform("move", asked).await);
}

#[tokio::test(start_paused = true)]
async fn a_name_of_another_zone_is_not_asked_for() {
    let stage = Stage::new();
    let name: DomainName = "shop.other.example".parse().expect("a name");
    let query = Query::Name {
        server: "corp".into(),
        name: name.clone(),
    };
    assert_eq!(stage.read(query).await, Seen::Name(None));
    let elsewhere = SwapRecords { name, ..moved() };
    let (kind, _) = refused(stage.perform("move", Effect::SwapRecords(elsewhere)).await);
    assert_eq!(kind, ErrorKind::WrongTarget);
    let nobody = SwapRecords {
        server: "crop".into(),
        ..moved()
    };
    let (_, message) = refused(stage.perform("move", Effect::SwapRecords(nobody)).await);
    assert_eq!(message, "the inventory has no such DNS server");
}
