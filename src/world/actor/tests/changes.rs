//! What a restore changes on the way: shown beforehand, done, and in a drill inside the walls.

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{Fate, RestoreObjects};
use crate::objects::{Changes, modifiers};

/// The same restore, changing this on the way.
fn changing(effect: RestoreObjects, changes: Value) -> RestoreObjects {
    let changes: Changes = serde_json::from_value(changes).expect("changes");
    RestoreObjects {
        changes: Box::new(changes),
        ..effect
    }
}

fn elsewhere() -> Value {
    json!({
        "map": {
            "namespaces": {"shop": "shop-eu"}, "storageClasses": {"fast": "standard", "slow": "standard"},
            "registries": {"registry.example/shop": "mirror.example/eu"}, "hosts": {"shop.example": "shop.eu.example"},
        },
        "rules": [
            {"name": "change 1", "when": {"kinds": ["deployments.apps"], "namespaces": ["shop"]},
             "patch": {"strategic": [{"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "REGION", "value": "eu"}]}]}}}}]}},
            {"name": "change 2", "when": {"kinds": ["services"]},
             "patch": {"json": [{"op": "test", "path": "/spec/type", "value": "LoadBalancer"}, {"op": "replace", "path": "/spec/type", "value": "NodePort"}]}},
            {"name": "change 3", "when": {"kinds": ["pods"]}, "patch": {"merge": [{"spec": {}}]}},
        ],
    })
}

async fn with_claim(stage: &Stage) -> String {
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "fast", "namespace": "shop" },
                        "spec": { "storageClassName": "fast", "accessModes": ["ReadWriteOnce"] } });
    stage.east().seed([&claim]).expect("seeded");
    captured(stage).await
}

fn at(stage: &Stage, namespace: &str, kind_name: &str, name: &str) -> Value {
    let found = stage.west().peek(&kind(kind_name), Some(namespace), name);
    found.unwrap_or_else(|| panic!("no {kind_name} {namespace}/{name}"))
}

#[tokio::test(start_paused = true)]
async fn a_restore_elsewhere_does_what_its_preview_says() {
    let stage = Stage::new();
    let name = with_claim(&stage).await;
    let effect = changing(plain(&name), elsewhere());
    let shown = preview(&stage, effect.clone()).await;
    insta::assert_snapshot!(shown.changes.join("\n"), @"
    storage class fast becomes standard: 1 object
    storage class slow becomes standard: no object names it
    registry registry.example/shop becomes mirror.example/eu: 3 objects
    host shop.example becomes shop.eu.example: 1 object
    change 1: 1 object
    change 2: 2 objects, 1 left as they are by its test
    change 3: no object fits its conditions
    ");
    let noted = shown
        .fates
        .iter()
        .filter(|one| !one.why.is_empty() && one.fate == Fate::Create);
    let noted: Vec<String> = noted.map(|one| format!("{}: {}", one.id, one.why)).collect();
    let mut sorted = noted.clone();
    sorted.sort();
    insta::assert_snapshot!(sorted.join("\n"), @"
    CronJob shop-eu/nightly: image registry.example/shop/report:2 becomes mirror.example/eu/report:2
    Deployment shop-eu/web: image registry.example/shop/web:1.4.2 becomes mirror.example/eu/web:1.4.2; change 1: spec.replicas, spec.template.spec.containers[0].env
    Ingress shop-eu/shop: host shop.example becomes shop.eu.example
    PersistentVolumeClaim shop-eu/fast: storage class fast becomes standard
    Service shop-eu/public: change 2: spec.type
    Service shop-eu/web: change 2: left as it is by its test of /spec/type
    StatefulSet shop-eu/db: image registry.example/shop/postgres:17 becomes mirror.example/eu/postgres:17
    ");
    let receipt = stage.done("restore", restore(effect.clone())).await;
    assert_eq!(receipt.created.len(), 16);
    assert!(
        receipt
            .created
            .iter()
            .all(|one| one.id.namespace.as_deref() != Some("shop"))
    );
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"
    storage class slow becomes standard: no object names it
    change 3: no object fits its conditions
    ");
    let web = at(&stage, "shop-eu", "Deployment", "web");
    assert_eq!(web["spec"]["replicas"], 1);
    let container = json!({ "name": "web", "image": "mirror.example/eu/web:1.4.2", "env": [{ "name": "REGION", "value": "eu" }] });
    assert_eq!(web["spec"]["template"]["spec"]["containers"], json!([container]));
    let ingress = at(&stage, "shop-eu", "Ingress", "shop");
    assert_eq!(ingress["spec"]["rules"][0]["host"], "shop.eu.example");
    let binding = at(&stage, "shop-eu", "RoleBinding", "web");
    assert_eq!(binding["subjects"][0]["namespace"], "shop-eu");
    assert_eq!(
        at(&stage, "shop-eu", "Service", "public")["spec"]["type"],
        "NodePort"
    );
    let again = preview(&stage, effect).await;
    assert_eq!(
        again.count(Fate::Keep),
        again.fates.len() - again.count(Fate::Skip),
        "all equal"
    );
}

#[tokio::test(start_paused = true)]
async fn a_large_restore_changes_what_it_reads_again() {
    let stage = Stage::new();
    let note = |number: usize| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "text": "a".repeat(1000) },
                "metadata": { "name": format!("note-{number:03}"), "namespace": "shop" } })
    };
    let notes: Vec<Value> = (0..300).map(note).collect();
    stage.east().seed(&notes).expect("seeded");
    let name = captured(&stage).await;
    let label = json!({"rules": [{"name": "change 1", "when": {"names": ["note-*"]}, "patch": {"merge": [{"metadata": {"labels": {"from": "east"}}}]}}]});
    let receipt = stage
        .done("restore", restore(changing(plain(&name), label)))
        .await;
    assert_eq!(receipt.created.len(), 315);
    for number in 0..300 {
        let note = at(&stage, "shop", "ConfigMap", &format!("note-{number:03}"));
        assert_eq!(note["metadata"]["labels"]["from"], "east", "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_does_not_go_refuses_the_restore_before_anything_is_made() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let wrong = json!({"rules": [{"name": "change 1", "when": {"kinds": ["deployments.apps"]},
                                  "patch": {"json": [{"op": "remove", "path": "/spec/paused"}]}}]});
    let effect = changing(plain(&name), wrong);
    let shown = preview(&stage, effect.clone()).await;
    let refused_one: Vec<_> = shown
        .fates
        .iter()
        .filter(|one| one.fate == Fate::Refuse)
        .collect();
    assert_eq!(refused_one.len(), 1);
    assert_eq!(refused_one[0].id, id("Deployment", "shop", "web"));
    assert_eq!(refused_one[0].why, "change 1: there is no /spec/paused to remove");
    let (kind, message) = refused(stage.perform("restore", restore(effect)).await);
    assert_eq!(kind, ErrorKind::Rejected);
    assert!(
        message.contains("change 1: there is no /spec/paused to remove"),
        "{message}"
    );
    assert!(stage.west().audit().is_empty(), "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn a_drill_meets_the_patches_of_the_failover_and_its_walls_come_last() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    let drill = RestoreObjects {
        confined: true,
        namespaces: vec![("shop-eu".into(), "shop-drill-4k2".into())],
        ..plain(&name)
    };
    let open = json!({
        "map": {"namespaces": {"shop": "shop-eu"}},
        "rules": [
            {"name": "change 1", "when": {"namespaces": ["shop"], "matches": [{"path": "/metadata/namespace", "value": "shop-eu"}], "kinds": ["services"]},
             "patch": {"merge": [{"spec": {"type": "LoadBalancer", "externalIPs": ["192.0.2.1"]}}]}},
            {"name": "change 2", "when": {"kinds": ["cronjobs.batch"]}, "patch": {"merge": [{"spec": {"suspend": false}, "metadata": {"finalizers": ["a/b"]}}]}},
            {"name": "change 3", "when": {"kinds": ["deployments.apps"]}, "patch": {"merge": [{"spec": {"template": {"spec": {"hostNetwork": true}}}}]}},
            {"name": "change 4", "when": {"kinds": ["rolebindings.rbac.authorization.k8s.io"]},
             "patch": {"json": [{"op": "add", "path": "/subjects/-", "value": {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}}]}},
        ],
    });
    let effect = changing(drill, open);
    assert_eq!(effect.target_namespace("shop"), "shop-drill-4k2");
    stage
        .done(
            "open",
            Effect::OpenSandbox(crate::effect::OpenSandbox { sandbox: sandbox() }),
        )
        .await;
    let receipt = stage.done("restore", restore(effect)).await;
    let outside = receipt
        .created
        .iter()
        .find(|one| one.id.namespace.as_deref() != Some("shop-drill-4k2"));
    assert_eq!(outside, None);
    for service in ["web", "public"] {
        let service = at(&stage, "shop-drill-4k2", "Service", service);
        assert_eq!(service["spec"]["type"], "ClusterIP");
        assert_eq!(service["spec"].get("externalIPs"), None);
    }
    let nightly = at(&stage, "shop-drill-4k2", "CronJob", "nightly");
    assert_eq!(nightly["spec"]["suspend"], true);
    assert_eq!(nightly["metadata"].get("finalizers"), None);
    assert!(
        receipt.skipped.iter().any(|one| one.contains("share the node")),
        "{:?}",
        receipt.skipped
    );
    let subjects = &at(&stage, "shop-drill-4k2", "RoleBinding", "web")["subjects"];
    assert_eq!(
        subjects,
        &json!([{"kind": "ServiceAccount", "name": "web", "namespace": "shop-drill-4k2"}])
    );
}

#[tokio::test(start_paused = true)]
async fn velero_s_modifiers_change_what_velero_would_change() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let file = crate::world::manifests(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/modifiers.yaml"),
    );
    let rules = modifiers(&file.expect("read"), "modifiers.yaml").expect("rules");
    let changes = Changes {
        rules,
        ..Changes::default()
    };
    let effect = RestoreObjects {
        changes: Box::new(changes),
        ..plain(&name)
    };
    stage.done("restore", restore(effect)).await;
    assert_eq!(at(&stage, "shop", "Deployment", "web")["spec"]["replicas"], 2);
    let settings = at(&stage, "shop", "ConfigMap", "settings");
    assert_eq!(settings["metadata"]["labels"]["restored-by"], "modifiers");
    assert_eq!(
        at(&stage, "shop", "Secret", "payments")["metadata"]["labels"].get("restored-by"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_patch_can_take_an_owner_away() {
    let stage = Stage::new();
    let web = stage
        .east()
        .peek(&kind("Deployment"), Some("shop"), "web")
        .expect("there");
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": web["metadata"]["uid"] });
    let child = json!({ "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": { "name": "child", "namespace": "shop", "ownerReferences": [owner] } });
    stage.east().seed([&child]).expect("seeded");
    let name = captured(&stage).await;
    let free = json!({"rules": [{"name": "change 1", "when": {"names": ["child"]},
                                 "patch": {"json": [{"op": "remove", "path": "/metadata/ownerReferences"}]}}]});
    stage.done("restore", restore(changing(plain(&name), free))).await;
    assert_eq!(
        at(&stage, "shop", "ConfigMap", "child")["metadata"].get("ownerReferences"),
        None
    );
}
