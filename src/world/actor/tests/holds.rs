//! A namespace that is held: what it takes to prove it, and that nobody gets a pod in.

use serde_json::{Value, json};

use super::*;
use crate::effect::{HoldNamespaces, ReleaseNamespaces, WakeControllers};
use crate::objects::{HELD_BY, HOLD_LABEL, HOLD_POLICY, WOKEN, hold_kinds, hold_objects};
use crate::world::sim::AuditEntry;

fn hold() -> Effect {
    Effect::HoldNamespaces(HoldNamespaces {
        site: "east".into(),
        namespaces: vec!["shop".into()],
    })
}

fn release() -> Effect {
    Effect::ReleaseNamespaces(ReleaseNamespaces {
        site: "east".into(),
        namespaces: vec!["shop".into()],
    })
}

fn wake() -> Effect {
    Effect::WakeControllers(WakeControllers {
        site: "east".into(),
        namespaces: vec!["shop".into()],
    })
}

/// Pods of the shop that are there.
async fn pods(stage: &Stage) -> usize {
    use crate::world::port::Cluster as _;
    let all = stage.east().list(&kind("Pod"), Some("shop")).await.expect("pods");
    all.len()
}

fn web(stage: &Stage) -> Value {
    let web = stage.east().peek(&kind("Deployment"), Some("shop"), "web");
    web.expect("web")
}

/// As a person, a controller or a GitOps tool would.
fn scaled_by_somebody(stage: &Stage, replicas: u32) {
    let size = json!({ "spec": { "replicas": replicas } });
    stage
        .east()
        .edit(&kind("Deployment"), Some("shop"), "web", &size)
        .expect("scaled");
}

fn line(entry: &AuditEntry) -> String {
    format!("{} {} {}", entry.verb, entry.resource, entry.name)
}

async fn running() -> Stage {
    let stage = Stage::new();
    pass(1000).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_every_pod_and_says_what_was_seen() {
    let stage = running().await;
    assert_eq!(pods(&stage).await, 4);
    let receipt = stage.done("stop-active", hold()).await;
    insta::assert_snapshot!(receipt.summary, @"0 pods run in shop, and a new one is refused; seen at 2026-11-22T22:00:01Z");
    assert_eq!(receipt.outputs[Receipt::PROOF], receipt.summary);
    assert_eq!(receipt.deleted.len(), 4);
    assert_eq!(receipt.warnings, Vec::<String>::new());
    assert_eq!(pods(&stage).await, 0);
    let said = stage.said();
    assert_eq!(said[0], "not proved: a new pod in shop would be taken");
    let stopping = "not proved: 4 pods still there: shop/db-0 (told to stop), shop/web-";
    assert!(said[1].starts_with(stopping), "{said:?}");
    let changes: Vec<String> = stage.east().audit().iter().map(line).collect();
    assert_eq!(
        changes[..3],
        [
            "apply validatingadmissionpolicies.admissionregistration.k8s.io lifeboat-hold",
            "apply validatingadmissionpolicybindings.admissionregistration.k8s.io lifeboat-hold",
            "patch namespaces shop",
        ]
    );
    assert!(
        changes[3..]
            .iter()
            .all(|change| change.starts_with("delete pods web-") || change == "delete pods db-0")
    );
    assert_eq!(web(&stage)["spec"]["replicas"], 3, "nothing has to be remembered");
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_a_pod_into_a_held_namespace_until_it_is_let_go() {
    let stage = running().await;
    stage.done("stop-active", hold()).await;
    scaled_by_somebody(&stage, 5);
    let bare =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "debug", "namespace": "shop" } });
    let refused = stage.east().seed([&bare]).expect_err("refused");
    insta::assert_snapshot!(refused.message, @r#"pods "debug" is forbidden: ValidatingAdmissionPolicy 'lifeboat-hold' with binding 'lifeboat-hold' denied request: lifeboat holds this namespace stopped; its annotation lifeboat.dev/fenced-by names the run that does"#);
    pass(120_000).await;
    assert_eq!(pods(&stage).await, 0);
    let receipt = stage.done("back", release()).await;
    insta::assert_snapshot!(receipt.summary, @"shop is let go: a new pod is taken");
    stage.done("back", wake()).await;
    pass(2_000).await;
    assert_eq!(pods(&stage).await, 6, "by their controllers alone, as wanted now");
    assert_eq!(web(&stage)["status"]["readyReplicas"], 5);
    insta::assert_snapshot!(stage.done("back", release()).await.summary, @"shop was not held");
}

#[tokio::test(start_paused = true)]
async fn holding_again_changes_nothing_and_proves_it_again() {
    let stage = running().await;
    let first = stage.done("stop-active", hold()).await;
    let changes = stage.east().audit().len();
    pass(60_000).await;
    let again = stage.done("stop-active", hold()).await;
    assert_eq!(stage.east().audit().len(), changes);
    assert!(again.deleted.is_empty());
    assert_ne!(again.summary, first.summary, "it says when it was seen");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_has_weakened_is_mended_and_a_foreign_one_is_left_alone() {
    let stage = running().await;
    stage.done("stop-active", hold()).await;
    let [_, bindings] = hold_kinds();
    let warn = json!({ "spec": { "validationActions": ["Warn"] } });
    stage
        .east()
        .edit(&bindings, None, HOLD_POLICY, &warn)
        .expect("edited");
    pass(1_000).await;
    stage.done("stop-active", hold()).await;
    let binding = stage.east().peek(&bindings, None, HOLD_POLICY).expect("there");
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    let foreign = json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "somebody" } } });
    stage
        .east()
        .edit(&bindings, None, HOLD_POLICY, &foreign)
        .expect("edited");
    let (kind, message) = super::refused(stage.perform("stop-active", hold()).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"not proved: ValidatingAdmissionPolicyBinding lifeboat-hold is there and is not lifeboat's");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_does_not_answer_is_unreachable_and_nothing_is_proved() {
    let stage = running().await;
    stage.embedded.script(FaultPlan {
        faults: vec![Fault {
            place: "east".into(),
            verb: "*".into(),
            what: None,
            nth: 1,
            times: 0,
            error: FaultError::Unreachable,
        }],
        ..FaultPlan::default()
    });
    let error = stage.perform("stop-active", hold()).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    insta::assert_snapshot!(error.message, @"not proved: connection refused");
    assert!(error.hints[0].contains("not the same"), "{:?}", error.hints);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_stop_keeps_the_proof_back() {
    let stage = running().await;
    let stuck =
        json!({ "metadata": { "finalizers": ["shop.example/hold"] }, "spec": { "nodeName": "node-3" } });
    stage
        .east()
        .edit(&kind("Pod"), Some("shop"), "db-0", &stuck)
        .expect("edited");
    let work = stage.perform("stop-active", hold());
    let limited = tokio::time::timeout(Duration::from_mins(1), work).await;
    assert!(limited.is_err(), "it goes on looking for as long as its step may");
    let said = stage.said();
    insta::assert_snapshot!(said.last().expect("said"), @"not proved: 1 pod still there: shop/db-0 on node-3 (should have stopped by 2026-11-22T22:00:01Z; its node has not said that it did)");
}

#[tokio::test(start_paused = true)]
async fn a_static_pod_is_named_and_its_mirror_is_not_deleted() {
    let stage = running().await;
    let mirror = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "proxy-node-1", "namespace": "shop", "annotations": { "kubernetes.io/config.mirror": "x" } },
        "spec": { "nodeName": "node-1" },
    });
    stage.east().seed([&mirror]).expect("seeded");
    let (kind, message) = super::refused(stage.perform("stop-active", hold()).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"not proved: 1 static pod that only the kubelet of its node stops: shop/proxy-node-1 on node-1");
    assert_eq!(pods(&stage).await, 1, "all others were stopped");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_nobody_makes_again_is_told_and_one_that_has_ended_stays() {
    let stage = running().await;
    let bare = |name: &str| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "shop" } });
    stage
        .east()
        .seed([&bare("debug"), &bare("done")])
        .expect("seeded");
    pass(1_000).await;
    let ended = json!({ "status": { "phase": "Succeeded" } });
    stage
        .east()
        .edit(&kind("Pod"), Some("shop"), "done", &ended)
        .expect("edited");
    let receipt = stage.done("stop-active", hold()).await;
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"Pod shop/debug had no controller: nothing makes it again");
    assert_eq!(pods(&stage).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_somebody_else_is_no_proof() {
    let stage = running().await;
    stage.east().judged_by(Arc::new(|asked, _| {
        let quota = || WorldError::new(ErrorKind::Rejected, "east", "exceeded quota: pods=4");
        (asked.verb == "check").then(quota)
    }));
    let (kind, message) = super::refused(stage.perform("stop-active", hold()).await);
    assert_eq!(kind, ErrorKind::NotYet);
    insta::assert_snapshot!(message, @"not proved: within 30 s it did not refuse a new pod by the hold: a new pod in shop is refused by something else: exceeded quota: pods=4");
    assert_eq!(
        pods(&stage).await,
        4,
        "no pod is stopped that another would replace"
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_there_is_an_error_to_hold_and_none_to_let_go() {
    let stage = running().await;
    let elsewhere = |effect: Effect| match effect {
        Effect::HoldNamespaces(one) => Effect::HoldNamespaces(HoldNamespaces {
            site: "west".into(),
            ..one
        }),
        Effect::ReleaseNamespaces(one) => Effect::ReleaseNamespaces(ReleaseNamespaces {
            site: "west".into(),
            ..one
        }),
        other => other,
    };
    let (kind, message) = super::refused(stage.perform("stop-active", elsewhere(hold())).await);
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::NotFound, "not proved: there is no namespace shop")
    );
    insta::assert_snapshot!(stage.done("back", elsewhere(release())).await.summary, @"shop is not there, so nothing holds it");
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_a_held_namespace_does_not_hold_the_one_that_is_made_of_it() {
    use super::kit::{captured, plain, restore, with_platform};
    let stage = with_platform(running().await);
    stage.done("stop-active", hold()).await;
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    let namespace = stage
        .west()
        .peek(&kind("Namespace"), None, "shop")
        .expect("restored");
    assert_eq!(namespace["metadata"]["labels"].get(HOLD_LABEL), None);
    assert_eq!(namespace["metadata"]["annotations"].get(HELD_BY), None);
    pass(2_000).await;
    let web = stage
        .west()
        .peek(&kind("Deployment"), Some("shop"), "web")
        .expect("web");
    assert_eq!(web["status"]["readyReplicas"], 3);
}

/// Held for ten minutes and let go, as somebody with kubectl would.
async fn held_for_long() -> Stage {
    let stage = running().await;
    stage.done("stop-active", hold()).await;
    pass(600_000).await;
    stage.done("back", release()).await;
    stage
}

/// What was changed since, a line each.
fn changes_since(stage: &Stage, before: usize) -> Vec<String> {
    stage.east().audit().iter().skip(before).map(line).collect()
}

fn held_by(stage: &Stage) -> Value {
    let namespace = stage.east().peek(&kind("Namespace"), None, "shop").expect("shop");
    namespace["metadata"]["annotations"][HELD_BY].clone()
}

#[tokio::test(start_paused = true)]
async fn after_a_long_hold_controllers_sleep_until_they_are_woken() {
    let stage = held_for_long().await;
    pass(50_000).await;
    assert_eq!(
        pods(&stage).await,
        0,
        "as on real servers: the next try is minutes away"
    );
    assert_eq!(
        held_by(&stage),
        "shop-d-4k2",
        "whoever takes over knows whom to wake"
    );
    let before = stage.east().audit().len();
    let receipt = stage.done("back", wake()).await;
    insta::assert_snapshot!(receipt.summary, @"woke 2 controllers in shop, and pods are made");
    insta::assert_snapshot!(receipt.found.join("\n"), @r"
    ReplicaSet shop/web-4adc79e6 (0 of 3 pods): woken, and pods are made
    StatefulSet shop/db (0 of 1 pod): woken, and pods are made
    ");
    assert_eq!(receipt.warnings, Vec::<String>::new());
    assert_eq!(pods(&stage).await, 4);
    let changes = changes_since(&stage, before);
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(
        changes[0].starts_with("patch replicasets.apps web-"),
        "{changes:?}"
    );
    assert_eq!(
        changes[1..],
        ["patch statefulsets.apps db", "patch namespaces shop"]
    );
    let db = stage
        .east()
        .peek(&kind("StatefulSet"), Some("shop"), "db")
        .expect("db");
    let mark = db["metadata"]["annotations"][WOKEN].as_str().expect("marked");
    assert!(mark.starts_with("shop-d-4k2/back/0 at 2026-11-22T22:"), "{mark}");
    assert_eq!(db["metadata"]["generation"], 1, "nothing is rolled out anew");
    assert_eq!(held_by(&stage), Value::Null);
    insta::assert_snapshot!(stage.done("back", wake()).await.summary, @"nothing has held shop");
    assert_eq!(changes_since(&stage, before).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_what_lacks_pods_where_something_was_held_is_woken() {
    let stage = running().await;
    scaled_by_somebody(&stage, 0);
    pass(1_000).await;
    let before = stage.east().audit().len();
    insta::assert_snapshot!(stage.done("back", wake()).await.summary, @"nothing has held shop");
    assert_eq!(changes_since(&stage, before), Vec::<String>::new());
    stage.done("stop-active", hold()).await;
    let (kind, message) = super::refused(stage.perform("back", wake()).await);
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @"shop is held again, by shop-d-4k2: nobody there gets a pod");
    pass(600_000).await;
    stage.done("back", release()).await;
    let before = stage.east().audit().len();
    insta::assert_snapshot!(stage.done("back", wake()).await.summary, @"woke 1 controller in shop, and pods are made");
    assert_eq!(
        changes_since(&stage, before),
        ["patch statefulsets.apps db", "patch namespaces shop"]
    );
}

/// Refuses every new pod in the shop, as a hold does, and is none.
fn frozen_by_somebody(stage: &Stage) {
    let mut objects = hold_objects();
    for object in &mut objects {
        object["metadata"]["name"] = "freeze".into();
    }
    objects[0]["spec"]["matchConstraints"]["namespaceSelector"] =
        json!({ "matchLabels": { "kubernetes.io/metadata.name": "shop" } });
    objects[1]["spec"]["policyName"] = "freeze".into();
    stage.east().seed(&objects).expect("seeded");
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_wake_is_told_and_fails_nothing() {
    let stage = running().await;
    stage.done("stop-active", hold()).await;
    frozen_by_somebody(&stage);
    pass(60_000).await;
    stage.done("back", release()).await;
    let receipt = stage.done("back", wake()).await;
    insta::assert_snapshot!(receipt.summary, @"2 workloads in shop lack pods and made none yet");
    insta::assert_snapshot!(receipt.warnings.join("\n"), @r"
    ReplicaSet shop/web-4adc79e6 (0 of 3 pods) was woken and has made no pod within 12 s: its events say why
    StatefulSet shop/db (0 of 1 pod) was woken and has made no pod within 12 s: its events say why
    ");
    assert_eq!(held_by(&stage), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn one_that_another_server_still_refuses_is_woken_again() {
    let stage = running().await;
    stage.done("stop-active", hold()).await;
    frozen_by_somebody(&stage);
    pass(600_000).await;
    stage.done("back", release()).await;
    let [_, bindings] = hold_kinds();
    let thaw = || stage.east().lose(&bindings, None, "freeze");
    let receipt = while_waiting(stage.done("back", wake()), 2_000, thaw).await;
    insta::assert_snapshot!(receipt.summary, @"woke 2 controllers in shop, and pods are made");
    assert_eq!(receipt.warnings, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_may_not_be_changed_is_told_and_the_others_are_woken() {
    let stage = held_for_long().await;
    stage.east().judged_by(Arc::new(|asked, _| {
        let forbidden = || WorldError::new(ErrorKind::Forbidden, "east", "you may not patch it");
        (asked.verb == "patch" && asked.resource == "statefulsets.apps").then(forbidden)
    }));
    let receipt = stage.done("back", wake()).await;
    insta::assert_snapshot!(receipt.summary, @"woke 1 controller in shop, and pods are made; 1 made none yet");
    assert_eq!(pods(&stage).await, 3);
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"StatefulSet shop/db (0 of 1 pod) could not be woken, and comes later: you may not patch it");
}
