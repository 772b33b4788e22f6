//! A restore that fails in part on a real API server, and what its retry sends, by the server's own
//! audit log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kit::restore;
use super::live::{attempt, backed_up, bare, load, namespaces, open, remove, requests, world_of};
use super::{kind, pass};
use crate::effect::{Actor as _, ErrorKind, Existing, RestoreObjects};
use crate::world::World;
use crate::world::lab::Lab;
use crate::world::port::Cluster;

/// Enough for several waves; how many makes no difference here.
const OBJECTS: usize = 300;

/// `<verb> <resource> <namespace>/<name>` of every change that our user asked `west` for in these
/// namespaces.
async fn changes(lab: &Lab, names: &[String]) -> Vec<String> {
    let entries = requests(lab).await.into_iter();
    let sent = entries.filter(|entry| {
        let namespace = entry["objectRef"]["namespace"].as_str().unwrap_or_default();
        let reads = ["get", "list", "watch"];
        names.iter().any(|name| name == namespace)
            && !reads.contains(&entry["verb"].as_str().unwrap_or_default())
    });
    sent.map(|entry| {
        let part = |pointer| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        // A created object is named by what was sent.
        let name = match part("/objectRef/name") {
            "" => part("/requestObject/metadata/name"),
            name => name,
        };
        let (verb, resource, namespace) = (
            part("/verb"),
            part("/objectRef/resource"),
            part("/objectRef/namespace"),
        );
        format!("{verb} {resource} {namespace}/{name}")
    })
    .collect()
}

/// A Deployment that names one Secret of its namespace.
fn needing(namespace: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "needing", "namespace": namespace },
        "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "needing" } }, "template": {
            "metadata": { "labels": { "app": "needing" } },
            "spec": { "containers": [{ "name": "c", "image": "registry.example/app:1",
                                       "envFrom": [{ "secretRef": { "name": secret } }] }] },
        } },
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_retry_sends_changes_only_for_what_failed_or_was_not_begun() {
    let lab = Lab::open().await;
    let (east, west) = (open(&lab, "east").await, open(&lab, "west").await);
    let folder = tempfile::tempdir().unwrap();
    let world = world_of(&east, &west, folder.path());
    let names = namespaces(&*east, "partly").await;
    let objects = load(&names, OBJECTS);
    bare(&*east, &objects, 48).await;
    let first = names[0].as_str();
    let secrets: BTreeSet<&str> = objects
        .iter()
        .filter(|one| one["kind"] == "Secret" && one["metadata"]["namespace"] == first)
        .filter_map(|one| one["metadata"]["name"].as_str())
        .collect();
    let secret = secrets.first().unwrap();
    east.create(&kind("Deployment"), &needing(first, secret))
        .await
        .unwrap();
    let effect = backed_up(&world, "partly", &names).await;

    let quota = without_secrets(&*west, first).await;
    let attempt = attempt();
    let error = world
        .perform(&restore(effect.clone()), &attempt)
        .await
        .unwrap_err();
    println!("{}\n{}", error.message, error.causes.join("\n"));
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(
        error.causes.len(),
        secrets.len() + 1,
        "every failure, and what needs one"
    );

    let uid = quota["metadata"]["uid"].as_str().unwrap();
    west.delete(&kind("ResourceQuota"), Some(first), "none", uid)
        .await
        .unwrap();
    let before = changes(&lab, &names).await;
    let receipt = world.perform(&restore(effect.clone()), &attempt).await.unwrap();
    let sent: BTreeSet<String> = changes(&lab, &names)
        .await
        .split_off(before.len())
        .into_iter()
        .collect();
    println!("{}; the retry sent {} changes", receipt.summary, sent.len());
    let mut wanted: BTreeSet<String> = secrets
        .iter()
        .map(|name| format!("create secrets {first}/{name}"))
        .collect();
    wanted.insert(format!("create deployments {first}/needing"));
    assert_eq!(sent, wanted, "nothing for what the first attempt had made");
    assert_eq!(
        receipt.created.len(),
        OBJECTS + names.len(),
        "all but the namespace that was there"
    );

    updates_are_sent_once(&lab, (&world, &*west), effect, (first, secret)).await;
    remove(&*east, &names).await;
    remove(&*west, &names).await;
}

/// A namespace in which the server refuses every Secret; gives back the quota that does it.
async fn without_secrets(west: &dyn Cluster, first: &str) -> Value {
    let place = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": first } });
    west.create(&kind("Namespace"), &place).await.unwrap();
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "none", "namespace": first },
                        "spec": { "hard": { "count/secrets": "0" } } });
    let quota = west.create(&kind("ResourceQuota"), &quota).await.unwrap();
    quota_counts(west, first).await;
    quota
}

/// One Secret differs: other runs than the one that made it change it back, and only the first of them.
async fn updates_are_sent_once(
    lab: &Lab,
    (world, west): (&World, &dyn Cluster),
    effect: RestoreObjects,
    (first, secret): (&str, &str),
) {
    let names = effect.selection.namespaces.clone();
    let update = RestoreObjects {
        existing: Existing::Update,
        ..effect
    };
    let other = json!({ "metadata": { "labels": { "app": "other" } } });
    let changed = west
        .patch(&kind("Secret"), Some(first), secret, None, &other)
        .await;
    changed.unwrap();
    for wanted in [vec![format!("patch secrets {first}/{secret}")], Vec::new()] {
        let before = changes(lab, &names).await;
        let receipt = world.perform(&restore(update.clone()), &attempt()).await.unwrap();
        let sent = changes(lab, &names).await.split_off(before.len());
        println!("{}; {} changes", receipt.summary, sent.len());
        assert_eq!(sent, wanted, "an update is sent once");
    }
}

/// A quota refuses nothing before it was counted once.
async fn quota_counts(cluster: &dyn Cluster, namespace: &str) {
    loop {
        let quota = cluster
            .get(&kind("ResourceQuota"), Some(namespace), "none")
            .await
            .unwrap();
        if quota.is_some_and(|quota| quota["status"]["hard"].is_object()) {
            return;
        }
        pass(100).await;
    }
}
