//! Restores of which a part fails: what is made all the same, what waits, what is said, and what a
//! retry sends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{Allowance, Before, RestoreObjects};
use crate::objects::{AFTER, Named, Risk};

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

fn rule(first: &str, then: &str) -> Before {
    let named = |text: &str| Named::try_from(text.to_owned()).expect("a name");
    Before {
        first: named(first),
        then: named(then),
    }
}

fn ordered(name: &str, rules: &[(&str, &str)]) -> RestoreObjects {
    RestoreObjects {
        order: rules.iter().map(|(first, then)| rule(first, then)).collect(),
        ..plain(name)
    }
}

/// Where this object stands among the changes.
fn place(stage: &Stage, resource: &str, name: &str) -> usize {
    let audit = stage.west().audit();
    let found = audit
        .iter()
        .position(|entry| entry.resource == resource && entry.name == name);
    found.unwrap_or_else(|| panic!("{resource} {name} was never asked for"))
}

#[tokio::test(start_paused = true)]
async fn a_declared_order_is_kept_and_is_a_need() {
    let (stage, name) = stage_with_applications().await;
    let rules = [
        ("sts/front", "deploy/web"),
        ("Deployment/shop/web", "cm/back-settings"),
    ];
    // `back-settings` comes later now, so this one is the first.
    stage.fails(vec![fault("west", "create", "ConfigMap", 1, FaultError::Busy)]);
    let error = stage.perform("restore", restore(ordered(&name, &rules))).await;
    insta::assert_snapshot!(error.expect_err("one is refused").causes.join("\n"), @"
    create ConfigMap shop/front-settings: too many requests, please try again later
    StatefulSet shop/front is not begun: it needs ConfigMap shop/front-settings
    Deployment shop/web is not begun: it needs StatefulSet shop/front
    HorizontalPodAutoscaler shop/front is not begun: it needs StatefulSet shop/front
    ConfigMap shop/back-settings is not begun: it needs Deployment shop/web
    StatefulSet shop/back is not begun: it needs ConfigMap shop/back-settings
    HorizontalPodAutoscaler shop/back is not begun: it needs StatefulSet shop/back
    ");
    stage.done("restore", restore(ordered(&name, &rules))).await;
    let places = [
        place(&stage, "statefulsets.apps", "front"),
        place(&stage, "deployments.apps", "web"),
        place(&stage, "configmaps", "back-settings"),
    ];
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test(start_paused = true)]
async fn an_annotation_declares_an_order_and_what_is_not_there_is_said() {
    let stage = Stage::new();
    let mut settings = applications().pop().expect("settings");
    settings["metadata"]["annotations"] = json!({ AFTER: "deploy/web, Job/migrate, nonsense" });
    stage.east().seed([&settings]).expect("seeded");
    let name = captured(&stage).await;
    let seen = preview(&stage, ordered(&name, &[("Secret/none", "deploy/web")])).await;
    assert_eq!(
        seen.said,
        ["order: Secret/none before Deployment/web: no Secret/none is restored"]
    );
    let fate = seen
        .fates
        .iter()
        .find(|one| one.id.name == "front-settings")
        .expect("planned");
    insta::assert_snapshot!(fate.why, @"lifeboat.dev/restore-after: `nonsense` is not an object; write <kind>/<name> or <kind>/<namespace>/<name>, such as ConfigMap/settings; lifeboat.dev/restore-after: no Job/migrate is restored");
    let receipt = stage
        .done(
            "restore",
            restore(ordered(&name, &[("Secret/none", "deploy/web")])),
        )
        .await;
    assert_eq!(receipt.warnings.len(), 3, "{:?}", receipt.warnings);
    assert!(place(&stage, "deployments.apps", "web") < place(&stage, "configmaps", "front-settings"));
}

#[tokio::test(start_paused = true)]
async fn a_circle_by_a_declared_order_is_said_and_everything_is_made() {
    let (stage, name) = stage_with_applications().await;
    let circle = ordered(&name, &[("hpa/front", "cm/front-settings")]);
    let said = preview(&stage, circle.clone()).await.said;
    insta::assert_snapshot!(said.join("\n"), @"the declared order makes a circle, and is kept only in part among: ConfigMap shop/front-settings, StatefulSet shop/front, HorizontalPodAutoscaler shop/front");
    let receipt = stage.done("restore", restore(circle)).await;
    assert_eq!((receipt.created.len(), receipt.warnings), (21, said));
}

/// A definition that converts by a webhook of the namespace `shop`, whose stored version is not the one
/// of the backup's objects.
fn converted_by_a_webhook(stage: &Stage) {
    let definition = kind("CustomResourceDefinition");
    let schema =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    let patch = json!({ "spec": {
        "versions": [{ "name": "v1", "served": true, "storage": false, "schema": schema },
                     { "name": "v2", "served": true, "storage": true, "schema": schema }],
        "conversion": { "strategy": "Webhook", "webhook": { "conversionReviewVersions": ["v1"],
            "clientConfig": { "service": { "namespace": "shop", "name": "web" } } } },
    } });
    let edited = stage
        .east()
        .edit(&definition, None, "campaigns.shop.example", &patch);
    edited.expect("edited");
}

#[tokio::test(start_paused = true)]
async fn a_custom_resource_waits_for_the_service_that_converts_it() {
    let stage = Stage::new();
    converted_by_a_webhook(&stage);
    let name = captured(&stage).await;
    let begin = tokio::time::Instant::now();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "web-1", "namespace": "shop", "labels": { "kubernetes.io/service-name": "web" } },
        "endpoints": [{ "addresses": ["10.0.0.1"] }],
    });
    let appear = || stage.west().seed([&slice]).expect("seeded");
    let effect = RestoreObjects {
        allow: vec![Allowance {
            risk: Risk::Conversion,
            objects: vec!["CustomResourceDefinition/campaigns.shop.example".into()],
            because: "the shop converts its campaigns".into(),
        }],
        ..plain(&name)
    };
    while_waiting(stage.done("restore", restore(effect)), 20_000, appear).await;
    assert!(place(&stage, "deployments.apps", "web") < place(&stage, "campaigns.shop.example", "winter"));
    let took = begin.elapsed().as_millis();
    assert!((20_000..21_000).contains(&took), "{took}");
    let said = stage.said();
    assert!(
        said.iter()
            .any(|one| one == "Service shop/web has no ready endpoint"),
        "{said:?}"
    );
}
