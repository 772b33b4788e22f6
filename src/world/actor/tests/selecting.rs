//! What a backup holds by the words of its step, and that it holds the same twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::archive::{Manifest, Reader};
use crate::effect::{BackupName, BackupObjects, RestoreObjects, Selection};

fn backup_of(selection: Value) -> Effect {
    let Effect::BackupObjects(effect) = backup() else {
        unreachable!()
    };
    Effect::BackupObjects(BackupObjects {
        selection: serde_json::from_value(selection).expect("a selection"),
        ..effect
    })
}

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, more: &Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        match key.as_str() {
            "labels" => object["metadata"]["labels"] = value.clone(),
            _ => object[key] = value.clone(),
        }
    }
    object
}

fn configmap(namespace: &str, name: &str, labels: &Value) -> Value {
    object(
        "v1",
        "ConfigMap",
        Some(namespace),
        name,
        &json!({"labels": labels}),
    )
}

/// A site of its own with some namespaces, each with two ConfigMaps.
fn with_namespaces(stage: Stage, names: &[&str]) -> Stage {
    for name in names {
        let all = [
            object("v1", "Namespace", None, name, &json!({})),
            configmap(name, "web", &json!({"app": "web"})),
            configmap(name, "db", &json!({"app": "db", "tier": "data"})),
        ];
        stage.east().seed(&all).expect("seeded");
    }
    stage
}

/// Everything in a backup, as `Kind namespace/name`, in the order of the archive.
fn held(stage: &Stage, name: &str) -> Vec<String> {
    let bytes = stage
        .store("vault")
        .peek(&keys(name).archive())
        .expect("an archive");
    Reader::new(&bytes[..])
        .map(|archived| archived.expect("readable").id.to_string())
        .collect()
}

fn manifest(stage: &Stage, name: &str) -> Manifest {
    let bytes = stage
        .store("vault")
        .peek(&keys(name).manifest())
        .expect("a manifest");
    Manifest::read(&bytes[..]).expect("well").0
}

async fn capture(stage: &Stage, selection: Value) -> String {
    pass(1000).await;
    stage.done("capture", backup_of(selection)).await.outputs["backup"].clone()
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_chosen_by_pattern_and_left_out_by_name() {
    let stage = with_namespaces(Stage::new(), &["web-eu", "web-us", "web"]);
    let name = capture(
        &stage,
        json!({"namespaces": ["web*"], "excludeNamespaces": ["web-us"], "kinds": ["configmaps"], "cluster": "none"}),
    )
    .await;
    insta::assert_snapshot!(held(&stage, &name).join("\n"), @"
    Namespace web
    Namespace web-eu
    ConfigMap web-eu/db
    ConfigMap web-eu/kube-root-ca.crt
    ConfigMap web-eu/web
    ConfigMap web/db
    ConfigMap web/kube-root-ca.crt
    ConfigMap web/web
    ");
    let manifest = manifest(&stage, &name);
    assert_eq!(manifest.namespaces, ["web", "web-eu"]);
    let rules: BTreeMap<&str, &str> = manifest
        .left_out
        .iter()
        .map(|one| (one.what.as_str(), one.why.as_str()))
        .collect();
    assert_eq!(rules["Namespace web-us"], "the step leaves this namespace out");
    assert_eq!(rules["secrets"], "it is not among the step's `kinds`");
    assert_eq!(rules["cluster-scoped objects"], "the step takes none");
}

#[tokio::test(start_paused = true)]
async fn what_the_step_names_and_nobody_has_is_refused_before_anything_is_written() {
    let stage = Stage::new();
    let said = async |selection: Value| {
        let error = stage
            .perform("capture", backup_of(selection))
            .await
            .expect_err("refused");
        let hints = error.hints.join("; ");
        format!("{:?} {}: {hints}", error.kind, error.message)
    };
    let all = [
        said(json!({"namespaces": ["shopp"]})).await,
        said(json!({"namespaces": ["web-*"]})).await,
        said(json!({"namespaces": ["shop"], "excludeNamespaces": ["*"]})).await,
        said(json!({"namespaces": ["shop"], "kinds": ["deployment.apps"]})).await,
        said(json!({"namespaces": ["shop"], "exclude": ["campaigns.shop.exmaple"]})).await,
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    NotFound there is no namespace shopp: did you mean shop?
    NotFound no namespace is like web-*: correct the step's `namespaces`
    NotFound `excludeNamespaces` leaves no namespace: correct the step's `namespaces`
    Rejected there is no kind deployment.apps: did you mean deployments.apps?
    Rejected there is no kind campaigns.shop.exmaple: did you mean campaigns.shop.example?
    ");
    assert!(stage.store("vault").keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn labels_choose_objects_and_several_selectors_take_each_object_once() {
    let stage = with_namespaces(Stage::new(), &["web"]);
    stage
        .east()
        .seed([&configmap("web", "other", &json!({"app": "other"}))])
        .expect("seeded");
    let labels = json!([
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]},
        {"matchLabels": {"tier": "data"}},
    ]);
    let name = capture(
        &stage,
        json!({"namespaces": ["web"], "kinds": ["configmaps"], "labels": labels}),
    )
    .await;
    insta::assert_snapshot!(held(&stage, &name).join("\n"), @"
    Namespace web
    ConfigMap web/db
    ConfigMap web/web
    ");
    let left_out = manifest(&stage, &name).left_out;
    assert!(
        left_out
            .iter()
            .any(|one| one.why == "the step takes only app in (web,db) or tier=data"),
        "{left_out:?}"
    );
}

/// What is outside of namespaces, some of it named by objects in `web`.
fn cluster() -> Vec<Value> {
    let rbac = "rbac.authorization.k8s.io/v1";
    let role = |name: &str| object(rbac, "ClusterRole", None, name, &json!({"rules": []}));
    let binding = |name: &str, account: &str| {
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"});
        let subjects = json!([{"kind": "ServiceAccount", "namespace": "web", "name": account}]);
        let more = json!({"roleRef": role, "subjects": subjects});
        object(rbac, "ClusterRoleBinding", None, name, &more)
    };
    let priority = |name: &str| {
        let more = json!({"value": 7});
        object("scheduling.k8s.io/v1", "PriorityClass", None, name, &more)
    };
    let storage = |name: &str| {
        let more = json!({"provisioner": "x"});
        object("storage.k8s.io/v1", "StorageClass", None, name, &more)
    };
    let template = json!({"metadata": {"labels": {"a": "b"}},
        "spec": {"priorityClassName": "high", "containers": [{"name": "c"}]}});
    let web = json!({"spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}});
    let claim = json!({"spec": {"storageClassName": "fast"}});
    let hooks = json!({"webhooks": []});
    let hook_kind = "ValidatingWebhookConfiguration";
    vec![
        object("v1", "ServiceAccount", Some("web"), "runner", &json!({})),
        role("reader"),
        role("idle"),
        binding("runner-reads", "runner"),
        binding("gone-reads", "gone"),
        priority("high"),
        priority("low"),
        object("v1", "PersistentVolumeClaim", Some("web"), "data", &claim),
        object("v1", "PersistentVolume", None, "pv-2", &json!({"spec": {}})),
        storage("fast"),
        storage("idle"),
        object("apps/v1", "Deployment", Some("web"), "web", &web),
        object("admissionregistration.k8s.io/v1", hook_kind, None, "hook", &hooks),
    ]
}

#[tokio::test(start_paused = true)]
async fn related_objects_outside_of_namespaces_come_along() {
    let stage = with_namespaces(Stage::new(), &["web"]);
    stage.east().seed(&cluster()).expect("seeded");
    let outside = async |scope: &str| {
        let name = capture(&stage, json!({"namespaces": ["web"], "cluster": scope})).await;
        let mut held = held(&stage, &name);
        held.retain(|one| !one.contains('/'));
        held.join("\n")
    };
    insta::assert_snapshot!(outside("related").await, @"
    Namespace web
    ClusterRoleBinding runner-reads
    ClusterRole reader
    PriorityClass high
    StorageClass fast
    ");
    insta::assert_snapshot!(outside("none").await, @"Namespace web");
    let all = outside("all").await;
    for one in [
        "ValidatingWebhookConfiguration hook",
        "ClusterRole idle",
        "PersistentVolume pv-2",
        "CustomResourceDefinition campaigns.shop.example",
    ] {
        assert!(all.contains(one), "{one} is not in {all}");
    }
    assert!(!all.contains("Namespace shop"), "only chosen namespaces");
}

#[tokio::test(start_paused = true)]
async fn the_same_backup_twice_differs_in_its_times_only() {
    let stage = with_namespaces(Stage::new(), &["a", "b", "c", "d", "e", "f"]);
    stage.east().seed(&cluster_in("a")).expect("seeded");
    pass(5000).await;
    let first = capture(&stage, json!({"namespaces": ["*"], "cluster": "all"})).await;
    let second = capture(&stage, json!({"namespaces": ["*"], "cluster": "all"})).await;
    let [one, two] = [&first, &second].map(|name| manifest(&stage, name));
    assert_eq!(one.objects, two.objects);
    assert_eq!(one.left_out, two.left_out);
    let [one, two] = [&first, &second].map(|name| {
        let bytes = stage
            .store("vault")
            .peek(&keys(name).archive())
            .expect("an archive");
        let mut tar = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut tar).expect("gzip");
        without_times(tar)
    });
    assert!(one == two, "the archives differ");
    assert_eq!(held(&stage, &first), held(&stage, &second));
}

fn cluster_in(namespace: &str) -> Vec<Value> {
    let mut all = cluster();
    for object in &mut all {
        if object["metadata"].get("namespace").is_some() {
            object["metadata"]["namespace"] = namespace.into();
        }
    }
    all
}

/// The tar with each header's time, and the checksum that follows from it, set to zeros.
fn without_times(mut tar: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at + 512 <= tar.len() {
        let size = String::from_utf8_lossy(&tar[at + 124..at + 135]).into_owned();
        let size = usize::from_str_radix(size.trim_end_matches('\0'), 8).unwrap_or(0);
        tar[at + 136..at + 156].fill(b'0');
        at += 512 + size.next_multiple_of(512);
    }
    tar
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_a_part_is_never_taken_for_one_of_its_namespaces() {
    let stage = Stage::new();
    let whole = captured(&stage).await;
    let part = capture(&stage, json!({"namespaces": ["shop"], "kinds": ["secrets"]})).await;
    let found = seen(&stage, BackupName::LatestVerified).await.expect("one");
    assert_eq!(found.name, whole);
    insta::assert_snapshot!(found.passed_over.join("\n"), @"shop-2026-11-22t220002z: it was told to hold only some kinds or labels of its namespaces");
    let named = seen(&stage, BackupName::Named(part)).await.expect("by its name");
    assert!(named.verified_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_restore_takes_kinds_and_labels_out_of_a_whole_backup() {
    let stage = with_platform(with_namespaces(Stage::new(), &["web"]));
    let name = capture(&stage, json!({"namespaces": ["web"]})).await;
    let labels = json!([{"matchLabels": {"app": "web"}}]);
    let selection = json!({"namespaces": ["web"], "kinds": ["configmaps"], "labels": labels});
    let effect = RestoreObjects {
        selection: serde_json::from_value::<Selection>(selection).expect("a selection"),
        ..plain(&name)
    };
    let receipt = stage.done("restore", restore(effect)).await;
    let made: Vec<String> = receipt.created.iter().map(|made| made.id.to_string()).collect();
    assert_eq!(made, ["Namespace web", "ConfigMap web/web"]);
}

/// 1,200 objects of one kind: three pages.
fn crowd(stage: &Stage) {
    let all: Vec<Value> = (0..1200)
        .map(|number| configmap("shop", &format!("crowd-{number:04}"), &json!({})))
        .collect();
    stage.east().seed(&all).expect("seeded");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_expires_under_its_pages_begins_anew_and_nothing_is_mixed() {
    let stage = Stage::new();
    crowd(&stage);
    let more = configmap("shop", "crowd-9999", &json!({}));
    // Discovery, namespaces, then the first pages; in the middle of them somebody adds an object.
    let receipt = while_waiting(stage.perform("capture", backup()), 5, || {
        stage.east().seed([&more]).expect("seeded");
    });
    let receipt = receipt.await.expect("performed");
    assert!(
        stage.said().iter().any(|one| one.contains("beginning anew")),
        "it expired when pages had been given out"
    );
    let held = held(&stage, &receipt.outputs["backup"]);
    assert_eq!(held.iter().filter(|one| one.contains("crowd-")).count(), 1201);
    assert!(
        stage
            .store("vault")
            .keys()
            .iter()
            .filter(|key| key.ends_with(".tar.gz"))
            .count()
            == 1,
        "nothing is left of what was begun"
    );
}

#[tokio::test(start_paused = true)]
async fn hooks_for_velero_are_named_as_not_run_by_the_plan_and_by_the_manifest() {
    let stage = with_namespaces(Stage::new(), &["web"]);
    for name in ["db-0", "db-1"] {
        let mut pod = object(
            "v1",
            "Pod",
            Some("web"),
            name,
            &json!({"spec": {"containers": [{"name": "db", "image": "db:1"}]}}),
        );
        pod["metadata"]["annotations"] = json!({"pre.hook.backup.velero.io/command": "[\"sync\"]"});
        stage.east().seed([&pod]).expect("seeded");
    }
    let selection = json!({"namespaces": ["web"]});
    let query = Query::Inventory {
        site: "east".into(),
        selection: serde_json::from_value(selection.clone()).expect("a selection"),
    };
    let Seen::Counts(counts) = stage.read(query).await else {
        panic!("counted")
    };
    assert_eq!(
        counts.notes,
        ["pods in web name hooks for Velero, which lifeboat does not run"]
    );
    let name = capture(&stage, selection).await;
    let why = rule(&stage, &name, "Velero's hooks on 2 pods");
    assert_eq!(why, "lifeboat does not run them, before or after a backup");
}

fn rule(stage: &Stage, name: &str, what: &str) -> String {
    let all = manifest(stage, name).left_out;
    let one = all.into_iter().find(|one| one.what == what);
    one.expect("a rule").why
}
