//! What a restore asks of a cluster and of memory: few requests, few passes, nothing twice.

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{Existing, RestoreObjects};

/// A configmap with a kilobyte in it.
fn note(number: usize, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": format!("note-{number:04}"), "namespace": "shop" },
        "data": { "text": text.repeat(1000 / text.len()) },
    })
}

/// More than fits into memory, so that the archive is read again to make the objects.
fn crowded(stage: Stage) -> Stage {
    let notes: Vec<Value> = (0..300).map(|number| note(number, "a")).collect();
    stage.east().seed(&notes).expect("seeded");
    stage
}

#[tokio::test(start_paused = true)]
async fn an_object_costs_one_request_and_a_repeat_none() {
    let stage = crowded(Stage::new());
    let name = captured(&stage).await;
    let before = stage.west().requests();
    let receipt = stage.done("restore", restore(plain(&name))).await;
    let spent = stage.west().requests() - before;
    assert_eq!(receipt.created.len(), 315);
    // The namespace and a definition are looked for; the definition's kind is waited for.
    assert!((315..=325).contains(&spent), "{spent} requests");
    let before = stage.west().requests();
    let again = stage.done("restore", restore(plain(&name))).await;
    let spent = stage.west().requests() - before;
    assert!(
        uids(&again.created) == uids(&receipt.created),
        "found by its key, and not made again"
    );
    assert!(spent < 20, "{spent} requests: one list per kind");
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_only_what_failed() {
    let stage = crowded(Stage::new());
    let name = captured(&stage).await;
    let fails = |nth| Fault {
        times: 2,
        ..fault("west", "create", "ConfigMap", nth, FaultError::Busy)
    };
    stage.fails(vec![fails(7), fails(100)]);
    let error = stage
        .perform("restore", restore(plain(&name)))
        .await
        .expect_err("four fail");
    assert_eq!((error.kind, error.causes.len()), (ErrorKind::Busy, 4));
    let done = |stage: &Stage| {
        let audit = stage.west().audit();
        audit.iter().filter(|entry| entry.committed).count()
    };
    let before = (done(&stage), stage.west().audit().len());
    let receipt = stage.done("restore", restore(plain(&name))).await;
    assert_eq!(receipt.created.len(), 315);
    assert_eq!(done(&stage), 315);
    assert_eq!(
        stage.west().audit().len() - before.1,
        315 - before.0,
        "every change was sent once more only where it was not done"
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_makes_in_the_meantime_is_not_overwritten() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "shop" },
        "data": { "currency": "USD" },
    });
    // The first wave waits for a definition; then the namespace is there, and the look is over.
    let appear = || stage.west().seed([&theirs]).expect("seeded");
    let kept = while_waiting(stage.done("restore", restore(plain(&name))), 30, appear).await;
    insta::assert_snapshot!(kept.warnings.join("\n"), @"ConfigMap shop/settings: somebody made it in the meantime; differs at data.currency, and is left as it is");
    let settings = stage.west().peek(&kind("ConfigMap"), Some("shop"), "settings");
    assert_eq!(settings.expect("there")["data"], theirs["data"]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_makes_in_the_meantime_is_updated_where_that_was_said() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "shop" },
        "data": { "currency": "USD" },
    });
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    let appear = || stage.west().seed([&theirs]).expect("seeded");
    let receipt = while_waiting(stage.done("restore", restore(update)), 30, appear).await;
    assert_eq!(receipt.created.len(), 14);
    let settings = stage.west().peek(&kind("ConfigMap"), Some("shop"), "settings");
    assert_eq!(settings.expect("there")["data"]["currency"], "EUR");
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_changes_between_two_passes_is_refused() {
    let stage = crowded(Stage::new());
    let first = captured(&stage).await;
    let patch = json!({ "data": { "text": "b" } });
    let edited = stage
        .east()
        .edit(&kind("ConfigMap"), Some("shop"), "note-0250", &patch);
    edited.expect("edited");
    let second = captured(&stage).await;
    let other = stage
        .store("vault")
        .peek(&keys(&second).archive())
        .expect("an archive");
    let swap = || stage.store("vault").plant(&keys(&first).archive(), other);
    let restored = stage.perform("restore", restore(plain(&first)));
    let error = while_waiting(restored, 30, swap).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Damaged);
    insta::assert_snapshot!(error.message, @"backups/shop-2026-11-22t220001z/shop-2026-11-22t220001z.tar.gz: resources/configmaps/namespaces/shop/note-0250.json changed after it had been compared");
}
