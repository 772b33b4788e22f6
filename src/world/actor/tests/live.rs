//! Backup and restore between the lab's sites: how fast against a bare loop of creates, and with how
//! many requests by the API server's own audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::kit::{plain, restore};
use super::{kind, pass};
use crate::effect::{
    Actor as _, Attempt, BackupObjects, Effect, ErrorKind, Existing, RestoreObjects, Selection,
};
use crate::objects::{ApiKind, Changes, ObjectId, builtin, modifiers};
use crate::world::World;
use crate::world::directory::DirectoryStore;
use crate::world::kube::KubeCluster;
use crate::world::lab::{Lab, fresh, timed};
use crate::world::port::Cluster;
use crate::world::sim::Embedded;

/// In each of ten namespaces; `LIFEBOAT_LIVE_OBJECTS` is how many there are in all.
const NAMESPACES: usize = 10;

#[expect(
    clippy::disallowed_methods,
    reason = "how large the data set is, is for whoever runs the test"
)]
fn wanted() -> usize {
    let text = std::env::var("LIFEBOAT_LIVE_OBJECTS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(1000)
}

#[expect(clippy::disallowed_methods, reason = "live servers have the real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

pub(super) async fn open(lab: &Lab, site: &str) -> Arc<KubeCluster> {
    let kubeconfig = lab.dir.join("kubeconfig");
    Arc::new(KubeCluster::connect(site, Some(&kubeconfig), site).await.unwrap())
}

/// One object of a namespace; what a real one has, in about its proportions.
fn object(namespace: &str, number: usize) -> Value {
    let meta = json!({ "name": format!("o-{number}"), "namespace": namespace, "labels": { "app": "load" } });
    let text = "x".repeat(600);
    let pods = json!({ "metadata": { "labels": { "app": "load" } },
                       "spec": { "containers": [{ "name": "c", "image": "registry.example/app:1", "env": [{ "name": "A", "value": text }] }] } });
    match number / NAMESPACES % 10 {
        0 => json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
                     "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "load" } }, "template": pods } }),
        1 => json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
        2 => json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta,
                     "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }] }),
        3..=5 => {
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": { "k": text } })
        }
        _ => json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": { "k": text } }),
    }
}

/// Creates in parallel, as the barest program would.
pub(super) async fn bare(cluster: &dyn Cluster, objects: &[Value], at_once: usize) {
    let create = |object: &Value| {
        let (kind, object) = (builtin(object["kind"].as_str().unwrap()).unwrap(), object.clone());
        async move { cluster.create(&kind, &object).await.map(|_| ()) }
    };
    let work: Vec<_> = objects.iter().map(create).collect();
    stream::iter(work)
        .buffer_unordered(at_once)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
}

pub(super) async fn namespaces(cluster: &dyn Cluster, name: &str) -> Vec<String> {
    let names: Vec<String> = (0..NAMESPACES)
        .map(|number| fresh(&format!("{name}-{number}")))
        .collect();
    for name in &names {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        cluster.create(&kind("Namespace"), &object).await.unwrap();
    }
    names
}

pub(super) fn load(names: &[String], count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| object(&names[number % NAMESPACES], number))
        .collect()
}

pub(super) async fn remove(cluster: &dyn Cluster, names: &[String]) {
    for name in names {
        let found = cluster
            .get(&kind("Namespace"), None, name)
            .await
            .unwrap()
            .unwrap();
        let uid = found["metadata"]["uid"].as_str().unwrap();
        cluster.delete(&kind("Namespace"), None, name, uid).await.unwrap();
    }
}

/// Every request of our account to `west`, as the API server logged it.
pub(super) async fn requests(lab: &Lab) -> Vec<Value> {
    pass(500).await;
    let log = tokio::fs::read_to_string(lab.dir.join("west/audit.log"))
        .await
        .unwrap();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line.pointer("/user/username") == Some(&json!("lifeboat-lab")))
        .collect()
}

/// Requests of our user about these namespaces that the API server has logged. Other tests ask it too.
async fn logged(lab: &Lab, names: &[String]) -> usize {
    pass(500).await;
    let log = tokio::fs::read_to_string(lab.dir.join("west/audit.log"))
        .await
        .unwrap();
    log.lines()
        .filter(|line| line.contains("\"username\":\"lifeboat-lab\""))
        .filter(|line| names.iter().any(|name| line.contains(name.as_str())))
        .count()
}

pub(super) fn attempt() -> Attempt {
    let run = fresh("live");
    Attempt {
        key: format!("{run}/restore/0"),
        run,
        step: "restore".into(),
        effect: 0,
        number: 1,
        progress: Arc::new(|said| println!("  {said}")),
    }
}

/// The restore of a backup of these namespaces that was made just now.
pub(super) async fn backed_up(world: &World, prefix: &str, names: &[String]) -> RestoreObjects {
    let selection = Selection {
        namespaces: names.to_vec(),
        ..Selection::default()
    };
    let backup = Effect::BackupObjects(BackupObjects {
        site: "east".into(),
        store: "vault".into(),
        name_prefix: prefix.to_owned(),
        selection: selection.clone(),
        lock: None,
    });
    let made = world.perform(&backup, &attempt()).await.unwrap();
    RestoreObjects {
        selection,
        ..plain(&made.outputs["backup"])
    }
}

/// How fast the barest program is, for comparison: printed, not judged.
async fn measure_bare(west: &dyn Cluster, count: usize) {
    for at_once in [16, 32, 48, 64] {
        let names = namespaces(west, "bare").await;
        let objects = load(&names, count);
        let what = format!("bare creates, {at_once} at once");
        timed(&what, count, bare(west, &objects, at_once)).await;
        remove(west, &names).await;
    }
}

/// Both sites, and a store in this folder.
pub(super) fn world_of(east: &Arc<KubeCluster>, west: &Arc<KubeCluster>, folder: &std::path::Path) -> World {
    World {
        clusters: BTreeMap::from([
            ("east".to_owned(), east.clone() as Arc<dyn Cluster>),
            ("west".to_owned(), west.clone() as Arc<dyn Cluster>),
        ]),
        stores: BTreeMap::from([("vault".to_owned(), Arc::new(DirectoryStore::new(folder)) as _)]),
        names: BTreeMap::new(),
        receivers: BTreeMap::new(),
        web: Arc::new(Embedded::starting_at(Timestamp::UNIX_EPOCH).web()),
        now: Arc::new(now),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_restore_keeps_up_with_a_bare_loop() {
    let lab = Lab::open().await;
    let (east, west) = (open(&lab, "east").await, open(&lab, "west").await);
    let folder = tempfile::tempdir().unwrap();
    let world = world_of(&east, &west, folder.path());
    let count = wanted();
    measure_bare(&*west, count).await;
    let names = namespaces(&*east, "load").await;
    bare(&*east, &load(&names, count), 48).await;
    let effect = timed("backup", count, backed_up(&world, "load", &names)).await;
    let before = logged(&lab, &names).await;
    let attempt = attempt();
    let restored = timed(
        "restore",
        count,
        world.perform(&restore(effect.clone()), &attempt),
    )
    .await
    .unwrap();
    let spent = logged(&lab, &names).await - before;
    println!("{}; {spent} requests", restored.summary);
    assert_eq!(restored.created.len(), count + NAMESPACES);
    assert!(spent * 10 <= count * 12, "{spent} requests");
    let before = logged(&lab, &names).await;
    let again = timed("again", count, world.perform(&restore(effect), &attempt))
        .await
        .unwrap();
    println!(
        "{}; {} requests",
        again.summary,
        logged(&lab, &names).await - before
    );
    assert_eq!(again.created.len(), restored.created.len());
    let one = ObjectId {
        namespace: Some(names[0].clone()),
        ..ObjectId::namespace("o-0")
    };
    let deployment = west
        .get(&kind("Deployment"), one.namespace.as_deref(), &one.name)
        .await
        .unwrap();
    assert_eq!(deployment.unwrap()["spec"]["replicas"], 0);
    remove(&*east, &names).await;
    remove(&*west, &names).await;
}

/// The world with `west` alone, and a store in this folder.
pub(super) async fn west_with(lab: &Lab, folder: &std::path::Path) -> (Arc<KubeCluster>, World) {
    let west = open(lab, "west").await;
    let world = World {
        clusters: BTreeMap::from([("west".to_owned(), west.clone() as Arc<dyn Cluster>)]),
        stores: BTreeMap::from([("vault".to_owned(), Arc::new(DirectoryStore::new(folder)) as _)]),
        names: BTreeMap::new(),
        receivers: BTreeMap::new(),
        web: Arc::new(Embedded::starting_at(Timestamp::UNIX_EPOCH).web()),
        now: Arc::new(now),
    };
    (west, world)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_velero_s_own_backup_keeps_owner_and_status_and_is_replaced() {
    let lab = Lab::open().await;
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/velero-1.18.3");
    let (west, world) = west_with(&lab, &fixture).await;
    let place = fresh("velero");
    let effect = RestoreObjects {
        namespaces: vec![("shop".into(), place.clone())],
        status: vec!["coupons.shop.example.com".into()],
        ..plain("shop-a")
    };
    let receipt = world.perform(&restore(effect.clone()), &attempt()).await.unwrap();
    println!("{}\n{}", receipt.summary, receipt.warnings.join("\n"));
    let at = Some(place.as_str());
    let read = async |kind: ApiKind, name: &str| west.get(&kind, at, name).await.unwrap().unwrap();
    let coupons = ApiKind {
        group: "shop.example.com".into(),
        version: "v1".into(),
        kind: "Coupon".into(),
        plural: "coupons".into(),
        namespaced: true,
    };
    let (web, child) = (
        read(kind("Deployment"), "web").await,
        read(kind("ConfigMap"), "child").await,
    );
    let owner = &child["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["name"], &owner["uid"]),
        (&json!("web"), &web["metadata"]["uid"])
    );
    let spring = read(coupons.clone(), "spring").await;
    assert!(spring["status"].is_object(), "{spring}");

    // A field that no server changes in place, and a stranger.
    let binding = read(kind("RoleBinding"), "web").await;
    let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap().to_owned();
    west.delete(&kind("RoleBinding"), at, "web", &uid(&binding))
        .await
        .unwrap();
    let other = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                        "metadata": { "name": "web", "namespace": place },
                        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "other" } });
    let other = west.create(&kind("RoleBinding"), &other).await.unwrap();
    let stranger = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "stranger", "namespace": place } });
    west.create(&kind("ConfigMap"), &stranger).await.unwrap();
    let as_told = |existing| RestoreObjects {
        existing,
        ..effect.clone()
    };
    // Nobody knows whether Velero's backup is complete, so what it lacks is nobody's to delete.
    let prune = restore(as_told(Existing::Prune));
    let refused = world.perform(&prune, &attempt()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Rejected, "{refused}");
    let replace = restore(as_told(Existing::Replace));
    let receipt = world.perform(&replace, &attempt()).await.unwrap();
    println!("{}\n{:#?}", receipt.summary, receipt.deleted);
    assert_eq!(receipt.deleted.len(), 1, "the other binding");
    let again = read(kind("RoleBinding"), "web").await;
    assert_ne!(uid(&again), uid(&other));
    assert_eq!(again["roleRef"], binding["roleRef"]);
    assert!(
        west.get(&kind("ConfigMap"), at, "stranger")
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(uid(&read(kind("Deployment"), "web").await), uid(&web));

    let free = json!({ "metadata": { "finalizers": null } });
    west.patch(&coupons, at, "spring", None, &free).await.unwrap();
    remove(&*west, &[place]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_velero_s_own_backup_is_restored_under_other_names_and_by_velero_s_modifiers() {
    let lab = Lab::open().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (west, world) = west_with(&lab, &root.join("tests/it/fixtures/velero-1.18.3")).await;
    let place = fresh("eu");
    let file = crate::world::manifests(&root.join("examples/modifiers.yaml")).unwrap();
    let mut changes: Changes = serde_json::from_value(json!({
        "map": { "namespaces": { "shop": place }, "storageClasses": { "standard": "slow" },
                 "registries": { "registry.example.com/shop": "mirror.example.com/eu", "docker.io": "mirror.example.com/hub" },
                 "hosts": { "*.example.com": "*.example.org" } },
        "rules": [
            { "name": "change 1", "when": { "kinds": ["deployments.apps"] }, "patch": { "strategic": [{ "spec": { "template": { "spec": {
                "containers": [{ "name": "web", "env": [{ "name": "REGION", "value": "eu" }] }] } } } }] } },
            // The fixture's node port belongs to the lab's own shop.
            { "name": "change 2", "when": { "kinds": ["services"], "names": ["web"] },
              "patch": { "json": [{ "op": "remove", "path": "/spec/ports/0/nodePort" }] } },
            // Else the autoscaler makes three of them as soon as it is there.
            { "name": "change 3", "when": { "kinds": ["horizontalpodautoscalers.autoscaling"] },
              "patch": { "merge": [{ "spec": { "minReplicas": 2 } }] } },
        ],
    }))
    .unwrap();
    changes
        .rules
        .splice(0..0, modifiers(&file, "modifiers.yaml").unwrap());
    let effect = RestoreObjects {
        changes: Box::new(changes),
        ..plain("shop-a")
    };
    let shown = super::kit::shown(&world, effect.clone()).await;
    println!("{}", shown.changes.join("\n"));
    let receipt = world.perform(&restore(effect), &attempt()).await.unwrap();
    println!("{}\n{}", receipt.summary, receipt.warnings.join("\n"));
    let read = async |name: &str, object: &str| {
        let found = west.get(&kind(name), Some(&place), object).await;
        found.unwrap().unwrap()
    };
    let web = read("Deployment", "web").await;
    let container = &web["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "mirror.example.com/eu/web:1.4.2");
    let env: Vec<_> = container["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(env, ["PASSWORD", "REGION"], "merged by name");
    assert_eq!(web["spec"]["replicas"], 2, "by Velero's rule");
    let nightly = read("CronJob", "nightly").await;
    let pods = &nightly["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(
        pods["containers"][0]["image"],
        "mirror.example.com/hub/library/busybox"
    );
    assert_eq!(
        read("PersistentVolumeClaim", "data").await["spec"]["storageClassName"],
        "slow"
    );
    assert_eq!(
        read("Ingress", "web").await["spec"]["rules"][0]["host"],
        "shop.example.org"
    );
    assert_eq!(
        read("ConfigMap", "settings").await["metadata"]["labels"]["restored-by"],
        "modifiers"
    );
    assert_eq!(
        read("RoleBinding", "web").await["subjects"][0]["namespace"],
        place.as_str()
    );
    remove(&*west, &[place]).await;
}
