//! A namespace that is held: what it takes to prove it, and that nobody gets a pod in.

use serde_json::{Value, json};

use super::*;
use crate::effect::{HoldNamespaces, ReleaseNamespaces};
use crate::objects::{HELD_BY, HOLD_LABEL, HOLD_POLICY, hold_kinds};
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
