//! The walls of a drill: made, refused, removed, and removed when half of it is gone.

use serde_json::json;

use super::*;
use crate::effect::{CloseSandbox, OpenSandbox};
use crate::world::port::{PutMode, Store as _};

fn open() -> Effect {
    Effect::OpenSandbox(OpenSandbox { sandbox: sandbox() })
}

fn close() -> Effect {
    Effect::CloseSandbox(CloseSandbox {
        sandbox: sandbox(),
        stores: vec!["vault".into()],
    })
}

fn uids(made: &crate::objects::Roster) -> Vec<&str> {
    made.uids().collect()
}

/// Something of the drill itself, besides its walls.
async fn fill(stage: &Stage, finalizer: Option<&str>) {
    // The cluster furnishes a new namespace a moment later.
    pass(50).await;
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "settings", "namespace": "shop-drill-4k2" },
    });
    if let Some(finalizer) = finalizer {
        object["metadata"]["finalizers"] = json!([finalizer]);
    }
    stage.west().seed([&object]).expect("seeded");
    let own = stage.store("vault").sibling("drill-4k2");
    let body = Box::pin(futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]));
    own.put("a", body, PutMode::Create).await.expect("put");
    stage.store("vault").plant("a", "production's");
}

#[tokio::test(start_paused = true)]
async fn what_a_sandbox_makes_its_end_removes() {
    let stage = Stage::new();
    let opened = stage.done("open", open()).await;
    insta::assert_snapshot!(opened.summary, @"shop-drill-4k2 made, each with NetworkPolicy lifeboat-drill");
    assert_eq!(opened.created.len(), 2);
    fill(&stage, None).await;
    let closed = stage.done("close", close()).await;
    insta::assert_snapshot!(closed.summary, @"5 objects deleted, 1 namespace among them, 1 object of vault");
    for uid in uids(&opened.created) {
        assert!(uids(&closed.deleted).contains(&uid));
    }
    assert_eq!(
        stage.store("vault").keys(),
        ["vault/a"],
        "production's part is untouched"
    );
    let outside = stage
        .west()
        .audit()
        .into_iter()
        .filter(|entry| entry.place() != Some("shop-drill-4k2"));
    assert_eq!(outside.count(), 0);
    let again = stage.done("close", close()).await;
    assert_eq!(
        (again.deleted.len(), again.warnings.len()),
        (0, 1),
        "it says that it could list nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_opening_finds_its_own_walls() {
    let stage = Stage::new();
    let lost = FaultError::LostReplyAfterCommit;
    stage.fails(vec![fault("west", "create", "NetworkPolicy", 1, lost)]);
    assert_eq!(
        refused(stage.perform("open", open()).await).0,
        ErrorKind::LostReply
    );
    let Resolution::Done(found) = stage.resolve("open", open()).await else {
        panic!("both are there")
    };
    assert_eq!(*found, stage.done("open", open()).await);
    assert_eq!(found.created.len(), 2);
    stage
        .west()
        .lose(&kind("NetworkPolicy"), Some("shop-drill-4k2"), "lifeboat-drill");
    assert_eq!(stage.resolve("open", open()).await, Resolution::NotDone);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_somebody_else_is_neither_used_nor_removed() {
    let stage = Stage::new();
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop-drill-4k2" } });
    stage.west().seed([&object]).expect("seeded");
    let (kind, message) = refused(stage.perform("open", open()).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"namespace shop-drill-4k2 is there and was not made by this run");
    let (kind, message) = refused(stage.perform("close", close()).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"namespace shop-drill-4k2 does not carry the label lifeboat.dev/drill=4k2: nothing was deleted");
    assert!(stage.west().audit().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_is_named_and_waited_for() {
    let stage = Stage::new();
    stage.done("open", open()).await;
    fill(&stage, Some("shop.example/hold")).await;
    let release = || {
        let none = json!({ "metadata": { "finalizers": null } });
        let edited = stage
            .west()
            .edit(&kind("ConfigMap"), Some("shop-drill-4k2"), "settings", &none);
        edited.expect("edited");
    };
    let closed = while_waiting(stage.done("close", close()), 5000, release).await;
    assert_eq!(closed.deleted.len(), 5);
    let said = stage.said();
    assert!(
        said.iter()
            .any(|text| text.contains("finalizers remaining: shop.example/hold")),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn half_of_it_may_be_gone_and_replies_may_be_lost() {
    let stage = Stage::new();
    let opened = stage.done("open", open()).await;
    fill(&stage, None).await;
    stage
        .west()
        .lose(&kind("NetworkPolicy"), Some("shop-drill-4k2"), "lifeboat-drill");
    stage.fails(vec![
        fault("west", "delete", "Namespace", 1, FaultError::LostReplyBefore),
        fault("west", "delete", "Namespace", 2, FaultError::LostReplyAfterCommit),
    ]);
    let closed = stage.done("close", close()).await;
    let namespace = opened.created.get(0).unwrap();
    assert!(uids(&closed.deleted).contains(&namespace.uid.as_str()));
    assert!(
        stage
            .west()
            .peek(&kind("Namespace"), None, "shop-drill-4k2")
            .is_none()
    );
    assert!(matches!(
        stage.resolve("close", close()).await,
        Resolution::Done(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_listed_is_said_and_removed_all_the_same() {
    let stage = Stage::new();
    stage.done("open", open()).await;
    fill(&stage, None).await;
    let denied = Fault {
        times: 0,
        ..fault("west", "list", "ConfigMap", 1, FaultError::Forbidden)
    };
    stage.fails(vec![denied]);
    let closed = stage.done("close", close()).await;
    insta::assert_snapshot!(closed.warnings.join("\n"), @"configmaps may not be listed: those of the drill are not in the ledger");
    let namespace = stage.west().peek(&kind("Namespace"), None, "shop-drill-4k2");
    assert!(namespace.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_the_storage_keeps_is_reported() {
    let stage = Stage::new();
    stage.done("open", open()).await;
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "pv-7" },
        "spec": { "claimRef": { "namespace": "shop-drill-4k2", "name": "images" }, "persistentVolumeReclaimPolicy": "Retain" },
    });
    stage.west().seed([&volume]).expect("seeded");
    let closed = stage.done("close", close()).await;
    insta::assert_snapshot!(closed.warnings.join("\n"), @"PersistentVolume pv-7 of the drill is still there (reclaim policy Retain)");
}
