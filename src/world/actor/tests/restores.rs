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

/// What is said if the archive becomes another while the first definition is waited for.
async fn swapped(change: impl FnOnce(&Stage)) -> String {
    let stage = crowded(Stage::new());
    let last = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "spec": { "replicas": 0 },
                       "metadata": { "name": "zz", "namespace": "shop" } });
    stage.east().seed([&last]).expect("seeded");
    let first = captured(&stage).await;
    change(&stage);
    let second = captured(&stage).await;
    let other = stage.store("vault").peek(&keys(&second).archive());
    let other = other.expect("an archive");
    let swap = || stage.store("vault").plant(&keys(&first).archive(), other);
    let restored = stage.perform("restore", restore(plain(&first)));
    let error = while_waiting(restored, 30, swap).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Damaged);
    error.message
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_changes_between_two_passes_is_refused() {
    let changed = |stage: &Stage| {
        let patch = json!({ "data": { "text": "b" } });
        let east = stage.east();
        let edited = east.edit(&kind("ConfigMap"), Some("shop"), "note-0250", &patch);
        edited.expect("edited");
    };
    insta::assert_snapshot!(swapped(changed).await, @"backups/shop-2026-11-22t220001z/shop-2026-11-22t220001z.tar.gz: resources/configmaps/namespaces/shop/note-0250.json changed after it had been compared");
    // What is missing shows at the object that stands in its place.
    let lost = |stage: &Stage| stage.east().lose(&kind("StatefulSet"), Some("shop"), "zz");
    insta::assert_snapshot!(swapped(lost).await, @"backups/shop-2026-11-22t220001z/shop-2026-11-22t220001z.tar.gz: resources/customresourcedefinitions.apiextensions.k8s.io/cluster/campaigns.shop.example.json changed after it had been compared");
}

/// A configmap of the shop that names these owners, each as `(apiVersion, kind, name, uid)`.
fn owned(name: &str, owners: &[(&str, &str, &str, &str)]) -> Value {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(version, kind, name, uid)| {
            json!({ "apiVersion": version, "kind": kind, "name": name, "uid": uid,
                    "controller": true, "blockOwnerDeletion": true })
        })
        .collect();
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": {},
            "metadata": { "name": name, "namespace": "shop", "ownerReferences": owners } })
}

/// `child` belongs to the Deployment `web`, `orphan` to something that is in no backup.
fn with_owners(stage: Stage) -> Stage {
    let web = uid_of(stage.east(), "Deployment", "shop", "web");
    let child = owned("child", &[("apps/v1", "Deployment", "web", &web)]);
    let node = ("v1", "Node", "n1", "of-a-node");
    let orphan = owned("orphan", &[node, ("apps/v1", "Deployment", "web", &web)]);
    stage.east().seed([&child, &orphan]).expect("seeded");
    stage
}

fn uid_of(cluster: &SimCluster, kind_name: &str, namespace: &str, name: &str) -> String {
    let object = cluster
        .peek(&kind(kind_name), Some(namespace), name)
        .expect("there");
    object["metadata"]["uid"].as_str().expect("a uid").to_owned()
}

fn owners_of(cluster: &SimCluster, namespace: &str, name: &str) -> Value {
    let object = cluster
        .peek(&kind("ConfigMap"), Some(namespace), name)
        .expect("there");
    object["metadata"]["ownerReferences"].clone()
}

fn link_to(uid: &str) -> Value {
    json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid,
             "controller": true, "blockOwnerDeletion": true }])
}

const LEFT: &str =
    "ConfigMap shop/orphan: owner Node n1 is neither there nor restored: the reference is left out";

#[tokio::test(start_paused = true)]
async fn owners_are_linked_to_what_was_made_and_others_are_said() {
    let stage = with_owners(Stage::new());
    let name = captured(&stage).await;
    let fates = preview(&stage, plain(&name)).await.fates;
    let orphan = fates.iter().find(|one| one.id.name == "orphan").expect("planned");
    assert_eq!(format!("{}: {}", orphan.id, orphan.why), LEFT);
    let receipt = stage.done("restore", restore(plain(&name))).await;
    assert_eq!(receipt.warnings, [LEFT]);
    let web = uid_of(stage.west(), "Deployment", "shop", "web");
    assert_eq!(owners_of(stage.west(), "shop", "child"), link_to(&web));
    assert_eq!(owners_of(stage.west(), "shop", "orphan"), link_to(&web));
    let again = stage.done("again", restore(plain(&name))).await;
    assert_eq!(again.warnings, [LEFT], "and nothing differs");
}

#[tokio::test(start_paused = true)]
async fn owners_are_linked_inside_the_walls_of_a_drill() {
    let stage = with_owners(with_platform(Stage::new()));
    let name = captured(&stage).await;
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } });
    stage.west().seed([&node]).expect("seeded");
    let open = crate::effect::OpenSandbox { sandbox: sandbox() };
    stage.done("open", Effect::OpenSandbox(open)).await;
    let receipt = stage.done("restore", restore(confined(&name))).await;
    let web = uid_of(stage.west(), "Deployment", "shop-drill-4k2", "web");
    assert_eq!(owners_of(stage.west(), "shop-drill-4k2", "orphan"), link_to(&web));
    let said =
        "ConfigMap shop-drill-4k2/orphan: owner Node n1 is not inside the drill: the reference is left out";
    assert!(
        receipt.warnings.iter().any(|one| one == said),
        "{:?}",
        receipt.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn an_owner_of_an_earlier_attempt_is_linked_to() {
    let stage = with_owners(Stage::new());
    let name = captured(&stage).await;
    stage.fails(vec![Fault {
        times: 2,
        ..fault("west", "create", "ConfigMap", 2, FaultError::Busy)
    }]);
    let error = stage.perform("restore", restore(plain(&name))).await;
    assert_eq!(error.expect_err("both fail").causes.len(), 2);
    stage.done("restore", restore(plain(&name))).await;
    let web = uid_of(stage.west(), "Deployment", "shop", "web");
    assert_eq!(owners_of(stage.west(), "shop", "child"), link_to(&web));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_lost_its_owner_differs() {
    let stage = with_owners(Stage::new());
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    let none = json!({ "metadata": { "ownerReferences": null } });
    let edited = stage
        .west()
        .edit(&kind("ConfigMap"), Some("shop"), "child", &none);
    edited.expect("edited");
    let kept = stage.done("keep", restore(plain(&name))).await;
    let said = "ConfigMap shop/child: differs at metadata.ownerReferences, and is left as it is";
    assert_eq!(kept.warnings, [said, LEFT]);
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    stage.done("update", restore(update)).await;
    let web = uid_of(stage.west(), "Deployment", "shop", "web");
    assert_eq!(owners_of(stage.west(), "shop", "child"), link_to(&web));
}

/// The campaign has a status; `apart`: its definition gives it one of its own, as most do.
fn with_status(stage: Stage, apart: bool) -> Stage {
    let definition = kind("CustomResourceDefinition");
    let name = "campaigns.shop.example";
    let mut versions = stage.east().peek(&definition, None, name).expect("there")["spec"]["versions"].clone();
    if apart {
        versions[0]["subresources"] = json!({ "status": {} });
    }
    let patch = json!({ "spec": { "versions": versions } });
    stage
        .east()
        .edit(&definition, None, name, &patch)
        .expect("edited");
    let status = json!({ "status": { "redeemed": 7 } });
    stage
        .east()
        .edit(&campaigns(), Some("shop"), "winter", &status)
        .expect("edited");
    stage
}

fn campaigns() -> ApiKind {
    ApiKind {
        group: "shop.example".into(),
        version: "v1".into(),
        kind: "Campaign".into(),
        plural: "campaigns".into(),
        namespaced: true,
    }
}

fn asking_for_status(name: &str) -> RestoreObjects {
    RestoreObjects {
        status: vec!["campaigns.shop.example".into(), "coupons.shop.example".into()],
        ..plain(name)
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_is_restored_where_it_was_asked_for() {
    let stage = with_status(Stage::new(), true);
    let name = captured(&stage).await;
    let lost = fault("west", "patch", "Campaign", 1, FaultError::LostReplyBefore);
    stage.fails(vec![lost]);
    let error = stage.perform("restore", restore(asking_for_status(&name))).await;
    insta::assert_snapshot!(error.expect_err("lost").causes.join("\n"), @"patch status of Campaign shop/winter: connection closed before the reply");
    let receipt = stage.done("restore", restore(asking_for_status(&name))).await;
    assert_eq!(receipt.created.len(), 15);
    assert_eq!(
        receipt.warnings,
        ["no coupons.shop.example is restored, so no status of one"]
    );
    let winter = stage
        .west()
        .peek(&campaigns(), Some("shop"), "winter")
        .expect("there");
    assert_eq!(winter["status"], json!({ "redeemed": 7 }));
    let before = stage.west().audit().len();
    stage.done("restore", restore(asking_for_status(&name))).await;
    assert_eq!(stage.west().audit().len(), before, "nothing is sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_no_part_of_its_own_is_left_out_and_said() {
    let stage = with_status(Stage::new(), false);
    let name = captured(&stage).await;
    let receipt = stage.done("restore", restore(asking_for_status(&name))).await;
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"
    no coupons.shop.example is restored, so no status of one
    campaigns.shop.example have no status that can be restored: it was left out
    ");
}
