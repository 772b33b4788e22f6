//! Restores of which a part fails: what is made all the same, what waits, what is said, and what a
//! retry sends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kit::*;
use super::*;

/// Two applications that share a namespace and nothing else: an autoscaler needs a workload, which needs
/// its settings.
fn applications() -> Vec<Value> {
    let pods = |settings: &str| {
        json!({ "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [{
            "name": "c", "image": "registry.example/app:1",
            "envFrom": [{ "configMapRef": { "name": settings } }],
        }] } })
    };
    let mut objects = Vec::new();
    for name in ["back", "front"] {
        let meta = json!({ "name": name, "namespace": "shop" });
        let settings = format!("{name}-settings");
        objects.push(json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
            "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "a" } }, "template": pods(&settings) } }));
        objects.push(json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta,
            "spec": { "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name } } }));
        objects.push(
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": settings, "namespace": "shop" } }),
        );
    }
    objects
}

async fn stage_with_applications() -> (Stage, String) {
    let stage = Stage::new();
    stage.east().seed(&applications()).expect("seeded");
    let name = captured(&stage).await;
    (stage, name)
}

/// The names of what `west` was asked to change since so many entries of its audit log, and was changed.
fn changed(stage: &Stage, since: usize) -> BTreeSet<String> {
    let audit = stage.west().audit();
    let changed = audit.iter().skip(since).filter(|entry| entry.committed);
    changed
        .map(|entry| format!("{} {}", entry.resource, entry.name))
        .collect()
}

/// Of the ConfigMaps of a wave, sorted by name, the second is `front-settings`.
fn front_settings_fail(error: FaultError) -> Vec<Fault> {
    vec![fault("west", "create", "ConfigMap", 2, error)]
}

#[tokio::test(start_paused = true)]
async fn only_what_needs_a_failed_object_is_not_begun() {
    let (stage, name) = stage_with_applications().await;
    stage.fails(front_settings_fail(FaultError::Forbidden));
    let error = stage.perform("restore", restore(plain(&name))).await;
    let error = error.expect_err("one is refused");
    assert_eq!(error.kind, ErrorKind::Forbidden);
    insta::assert_snapshot!(error.message, @"1 of 21 objects could not be made, 2 not begun, 18 done: create ConfigMap shop/front-settings: not allowed by a rule of this simulation");
    insta::assert_snapshot!(error.causes.join("\n"), @"
    create ConfigMap shop/front-settings: not allowed by a rule of this simulation
    StatefulSet shop/front is not begun: it needs ConfigMap shop/front-settings
    HorizontalPodAutoscaler shop/front is not begun: it needs StatefulSet shop/front
    ");
    insta::assert_snapshot!(error.hints.join("\n"), @r#"a retry sends nothing for what is done: lifeboat retry shop-d-4k2 restore --as <name> --reason "…""#);
    let there =
        |kind_name: &str, name: &str| stage.west().peek(&kind(kind_name), Some("shop"), name).is_some();
    assert!(
        there("HorizontalPodAutoscaler", "back") && there("Deployment", "web") && there("Ingress", "shop")
    );
    assert!(!there("StatefulSet", "front") && !there("HorizontalPodAutoscaler", "front"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_touches_only_what_failed_and_what_was_not_begun() {
    let (stage, name) = stage_with_applications().await;
    stage.fails(front_settings_fail(FaultError::Busy));
    let error = stage.perform("restore", restore(plain(&name))).await;
    assert_eq!(error.expect_err("one is refused").kind, ErrorKind::Busy);
    let before = stage.west().audit().len();
    let receipt = stage.done("restore", restore(plain(&name))).await;
    assert_eq!(
        receipt.created.len(),
        21,
        "what the first attempt made is in the ledger"
    );
    let touched: Vec<String> = changed(&stage, before).into_iter().collect();
    assert_eq!(
        touched,
        [
            "configmaps front-settings",
            "horizontalpodautoscalers.autoscaling front",
            "statefulsets.apps front"
        ]
    );
    assert_eq!(
        stage.west().audit().len(),
        before + 3,
        "and nothing else was even asked for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_namespace_takes_along_everything_in_it_and_nothing_else() {
    let (stage, name) = stage_with_applications().await;
    stage.fails(vec![fault(
        "west",
        "create",
        "Namespace",
        1,
        FaultError::Forbidden,
    )]);
    let error = stage.perform("restore", restore(plain(&name))).await;
    let error = error.expect_err("the namespace is refused");
    insta::assert_snapshot!(error.message, @"1 of 21 objects could not be made, 19 not begun, 1 done: create Namespace shop: not allowed by a rule of this simulation");
    assert_eq!(
        changed(&stage, 0),
        ["customresourcedefinitions.apiextensions.k8s.io campaigns.shop.example".to_owned()].into()
    );
}

#[tokio::test(start_paused = true)]
async fn a_site_that_fails_as_a_whole_ends_the_restore() {
    let (stage, name) = stage_with_applications().await;
    stage.fails(vec![Fault {
        times: 0,
        ..fault("west", "create", "Service", 1, FaultError::Unreachable)
    }]);
    let before = stage.west().audit().len();
    let error = stage.perform("restore", restore(plain(&name))).await;
    let error = error.expect_err("it cannot be reached");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error
            .causes
            .last()
            .expect("told")
            .contains("the site failed, not the objects"),
        "{:?}",
        error.causes
    );
    let workloads =
        ["Deployment", "StatefulSet"].map(|one| stage.west().peek(&kind(one), Some("shop"), "web"));
    assert_eq!(workloads, [None, None], "no later wave was begun");
    assert!(stage.west().audit().len() > before);
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_never_served_fails_alone() {
    let (stage, name) = stage_with_applications().await;
    stage.fails(vec![Fault {
        times: 0,
        ..fault("west", "get", "CustomResourceDefinition", 2, FaultError::Busy)
    }]);
    let error = stage.perform("restore", restore(plain(&name))).await;
    let error = error.expect_err("it is not seen to be established");
    insta::assert_snapshot!(error.causes.join("\n"), @"
    wait for CustomResourceDefinition campaigns.shop.example: west: too many requests, please try again later; looking again; given up after 1m
    Campaign shop/winter is not begun: it needs CustomResourceDefinition campaigns.shop.example
    ");
    assert!(
        stage
            .west()
            .peek(&kind("Deployment"), Some("shop"), "web")
            .is_some()
    );
}
