//! Against a real API server: the lab's sites `east` and `west`.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use serde_json::{Value, json};

use super::KubeCluster;
use super::call::Call;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{ApiKind, builtin};
use crate::world::lab::{Lab, fresh, timed};
use crate::world::port::Cluster;
use crate::world::testserver::pause;

async fn open(site: &str) -> KubeCluster {
    let lab = Lab::open().await;
    let kubeconfig = lab.dir.join("kubeconfig");
    KubeCluster::connect(site, Some(&kubeconfig), site).await.unwrap()
}

fn kind(name: &str) -> ApiKind {
    builtin(name).unwrap()
}

fn configmap(namespace: &str, name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"k": value}})
}

/// A namespace of its own, made by this test.
async fn namespace(cluster: &KubeCluster, name: &str) -> String {
    let name = fresh(name);
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    assert!(cluster.apply(&kind("ns"), &object, false).await.unwrap().created);
    name
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap()
}

async fn remove_namespace(cluster: &KubeCluster, name: &str) {
    let object = cluster.get(&kind("ns"), None, name).await.unwrap().unwrap();
    assert!(
        cluster
            .delete(&kind("ns"), None, name, uid(&object))
            .await
            .unwrap()
    );
}

/// The lab's kubeconfig, changed.
async fn changed(change: impl Fn(String, &Lab) -> String) -> Result<KubeCluster, WorldError> {
    let lab = Lab::open().await;
    let text = tokio::fs::read_to_string(lab.dir.join("kubeconfig"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    tokio::fs::write(&file, change(text, &lab)).await.unwrap();
    KubeCluster::connect("east", Some(&file), "east").await
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_two_sites_are_two_clusters() {
    let (east, west) = (
        open("east").await.identity().await.unwrap(),
        open("west").await.identity().await.unwrap(),
    );
    assert_ne!(east.uid, west.uid);
    assert!(east.version.starts_with("v1."), "{east:?}");
    assert!(east.server.starts_with("https://127.0.0.1:"), "{east:?}");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_every_built_in_kind_is_discovered_as_we_know_it() {
    let cluster = open("east").await;
    let kinds = timed("discovery", 1, cluster.discover()).await.unwrap();
    for name in [
        "ns",
        "deploy",
        "cm",
        "secret",
        "pvc",
        "cj",
        "ing",
        "netpol",
        "role",
        "clusterrole",
        "crd",
        "pdb",
    ] {
        assert!(kinds.contains(&kind(name)), "{name}");
    }
    assert!(kinds.iter().all(|kind| !kind.plural.contains('/')));
    assert!(
        kinds
            .iter()
            .all(|kind| kind.plural != "tokenreviews" && kind.plural != "componentstatuses")
    );
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_aggregated_and_classic_discovery_agree() {
    let cluster = open("east").await;
    let aggregated = cluster.discover().await.unwrap();
    let classic = super::discover::kinds_of(&cluster.wire, "application/json")
        .await
        .unwrap();
    assert_eq!(aggregated, classic);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_twelve_hundred_objects_are_applied_and_listed_whole() {
    const OBJECTS: usize = 1_200;
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "many").await;
    let cm = kind("cm");
    let objects: Vec<Value> = (0..OBJECTS)
        .map(|n| configmap(&namespace, &format!("c{n:04}"), "v"))
        .collect();
    for created in [true, false] {
        let applied = stream::iter(&objects)
            .map(|object| cluster.apply(&cm, object, false))
            .buffer_unordered(16);
        let what = if created {
            "created by apply, 16 in flight"
        } else {
            "applied again, 16 in flight"
        };
        let applied: Vec<_> = timed(what, OBJECTS, applied.try_collect()).await.unwrap();
        assert!(applied.iter().all(|one| one.created == created));
    }
    let listed = timed("listed", OBJECTS, cluster.list(&cm, Some(&namespace)))
        .await
        .unwrap();
    assert!(
        listed
            .iter()
            .all(|item| item["apiVersion"] == "v1" && item["kind"] == "ConfigMap")
    );
    let ours = listed.iter().filter(|item| item["data"]["k"] == "v").count();
    assert_eq!(ours, OBJECTS);
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_fields_of_another_manager_are_a_conflict_unless_forced() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "conflict").await;
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/a?fieldManager=somebody");
    let theirs = Call::new(Method::PATCH, "patch", "configmaps", Some(&namespace), path).body(
        "application/apply-patch+yaml",
        &configmap(&namespace, "a", "theirs"),
    );
    let _: (_, Value) = cluster.wire.json(&theirs).await.unwrap();
    let ours = configmap(&namespace, "a", "ours");
    let error = cluster.apply(&kind("cm"), &ours, false).await.unwrap_err();
    println!("{error}\n  {}", error.causes.join("\n  "));
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(format!("{error:?}").contains("somebody"), "{error:?}");
    let forced = cluster.apply(&kind("cm"), &ours, true).await.unwrap();
    assert_eq!(
        (forced.created, &forced.object["data"]["k"]),
        (false, &json!("ours"))
    );
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_creating_twice_is_a_conflict_and_patching_merges() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "create").await;
    let object = configmap(&namespace, "a", "v");
    cluster.create(&kind("cm"), &object).await.unwrap();
    let error = cluster.create(&kind("cm"), &object).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error:?}");
    let patch = json!({"data": {"other": "w"}});
    let patched = cluster
        .patch(&kind("cm"), Some(&namespace), "a", None, &patch)
        .await
        .unwrap();
    assert_eq!(patched["data"], json!({"k": "v", "other": "w"}));
    let error = cluster
        .patch(&kind("cm"), Some(&namespace), "b", None, &patch)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_deployment_is_scaled_through_its_subresource() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "scale").await;
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}});
    cluster.apply(&kind("deploy"), &deployment, false).await.unwrap();
    let patch = json!({"spec": {"replicas": 0}});
    let scaled = cluster
        .patch(&kind("deploy"), Some(&namespace), "web", Some("scale"), &patch)
        .await
        .unwrap();
    assert_eq!((&scaled["kind"], &scaled["spec"]), (&json!("Scale"), &json!({})));
    let seen = cluster
        .get(&kind("deploy"), Some(&namespace), "web")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen["spec"]["replicas"], 0);
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_exactly_the_object_with_the_uid_is_deleted() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "delete").await;
    let made = cluster
        .create(&kind("cm"), &configmap(&namespace, "a", "v"))
        .await
        .unwrap();
    let cm = kind("cm");
    let delete = |uid: String| {
        let (cluster, cm, namespace) = (&cluster, &cm, &namespace);
        async move { cluster.delete(cm, Some(namespace), "a", &uid).await }
    };
    let error = delete("00000000-0000-0000-0000-000000000000".to_owned())
        .await
        .unwrap_err();
    println!("{error}");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(cluster.get(&cm, Some(&namespace), "a").await.unwrap().is_some());
    assert!(delete(uid(&made).to_owned()).await.unwrap());
    assert_eq!(cluster.get(&cm, Some(&namespace), "a").await.unwrap(), None);
    assert!(!delete(uid(&made).to_owned()).await.unwrap());
    remove_namespace(&cluster, &namespace).await;
}

/// A custom kind whose schema keeps what it does not know.
fn open_crd(group: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}})
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_fields_that_nobody_here_knows_survive_the_way_from_site_to_site() {
    let group = format!("{}.example", fresh("g"));
    let thing = ApiKind {
        group: group.clone(),
        version: "v1".into(),
        kind: "Thing".into(),
        plural: "things".into(),
        namespaced: true,
    };
    let spec =
        json!({"never": {"seen": [1, 2.5, null, "x"]}, "big": 9_007_199_254_740_993_i64, "ünï": "çödé"});
    let (east, west) = (open("east").await, open("west").await);
    let namespace = fresh("unknown");
    for cluster in [&east, &west] {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.apply(&kind("ns"), &object, false).await.unwrap();
        cluster
            .apply(&kind("crd"), &open_crd(&group), false)
            .await
            .unwrap();
        until_served(cluster, &thing).await;
    }
    let object = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "a", "namespace": namespace}, "spec": spec});
    east.create(&thing, &object).await.unwrap();
    let listed = east.list(&thing, None).await.unwrap();
    assert_eq!(listed[0]["spec"], spec);
    let moved = json!({"apiVersion": listed[0]["apiVersion"], "kind": listed[0]["kind"],
        "metadata": {"name": "a", "namespace": namespace}, "spec": listed[0]["spec"]});
    assert!(west.apply(&thing, &moved, false).await.unwrap().created);
    let arrived = west.get(&thing, Some(&namespace), "a").await.unwrap().unwrap();
    assert_eq!(arrived["spec"], spec);
    for cluster in [&east, &west] {
        let name = format!("things.{group}");
        let crd = cluster.get(&kind("crd"), None, &name).await.unwrap().unwrap();
        cluster
            .delete(&kind("crd"), None, &name, uid(&crd))
            .await
            .unwrap();
        remove_namespace(cluster, &namespace).await;
    }
}

async fn until_served(cluster: &KubeCluster, kind: &ApiKind) {
    for _ in 0..100 {
        match cluster.list(kind, None).await {
            Ok(_) => return,
            // What a kind that is not served (yet) looks like.
            Err(error) => assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}"),
        }
        pause(Duration::from_millis(100)).await;
    }
    panic!("the kind was never served");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_field_that_the_server_does_not_know_is_refused_and_not_dropped() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "strict").await;
    let mut object = configmap(&namespace, "a", "v");
    object["surprise"] = json!(1);
    for error in [
        cluster.create(&kind("cm"), &object).await.unwrap_err(),
        cluster.apply(&kind("cm"), &object, false).await.unwrap_err(),
    ] {
        println!("{error}");
        assert!(error.message.contains("surprise"), "{error:?}");
        assert_eq!(error.kind, ErrorKind::Rejected, "{error:?}");
    }
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_what_is_invalid_is_rejected_in_the_servers_words() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "invalid").await;
    let mut object = configmap(&namespace, "a", "v");
    object["metadata"]["name"] = json!("Not A Name");
    let error = cluster.create(&kind("cm"), &object).await.unwrap_err();
    println!("{error}");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error:?}");
    let error = cluster
        .create(&kind("cm"), &configmap("no-such-namespace", "a", "v"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_namespace_that_is_being_deleted_takes_nothing_in_yet() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "ending").await;
    let mut held = configmap(&namespace, "held", "v");
    held["metadata"]["finalizers"] = json!(["lifeboat.dev/test"]);
    cluster.create(&kind("cm"), &held).await.unwrap();
    remove_namespace(&cluster, &namespace).await;
    let error = cluster
        .create(&kind("cm"), &configmap(&namespace, "b", "v"))
        .await
        .unwrap_err();
    println!("{error}");
    assert_eq!(error.kind, ErrorKind::NotYet, "{error:?}");
    let free = json!({"metadata": {"finalizers": null}});
    cluster
        .patch(&kind("cm"), Some(&namespace), "held", None, &free)
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_weak_token_may_not_and_a_wrong_one_is_not_known() {
    let cluster = open("east").await;
    let namespace = namespace(&cluster, "weak").await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "weak", "namespace": namespace}});
    cluster.create(&kind("sa"), &account).await.unwrap();
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/weak/token");
    let ask = Call::new(
        Method::POST,
        "create",
        "serviceaccounts/token",
        Some(&namespace),
        path,
    )
    .body(
        "application/json",
        &json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    );
    let (_, token): (_, Value) = cluster.wire.json(&ask).await.unwrap();
    let token = token["status"]["token"].as_str().unwrap();

    let weak = changed(|text, lab| text.replace(&lab.text("/sites/east/token"), token))
        .await
        .unwrap();
    let error = weak.list(&kind("secret"), Some("kube-system")).await.unwrap_err();
    println!("{error}\n  hint: {}", error.hints.join("\n  hint: "));
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error
            .message
            .contains(&format!("system:serviceaccount:{namespace}:weak")),
        "{error}"
    );
    let error = weak
        .create(&kind("cm"), &configmap(&namespace, "a", "v"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);

    let wrong = changed(|text, lab| text.replace(&lab.text("/sites/east/token"), "wrong"))
        .await
        .unwrap();
    let error = wrong.identity().await.unwrap_err();
    println!("{error}\n  hint: {}", error.hints.join("\n  hint: "));
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    remove_namespace(&cluster, &namespace).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_certificate_of_another_authority_is_the_wrong_target() {
    let stranger = changed(|text, lab| swap_address(&text, lab)).await.unwrap();
    let error = stranger.identity().await.unwrap_err();
    println!("{error}\n  hint: {}", error.hints.join("\n  hint: "));
    assert_eq!(error.kind, ErrorKind::WrongTarget, "{error:?}");
}

/// East's authority with west's address.
fn swap_address(text: &str, lab: &Lab) -> String {
    text.replace(&lab.text("/sites/east/url"), &lab.text("/sites/west/url"))
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_kind_that_is_not_served_is_an_error_and_not_an_absent_object() {
    let cluster = open("east").await;
    let nothing = ApiKind {
        group: "no.such.group".into(),
        version: "v1".into(),
        kind: "Thing".into(),
        plural: "things".into(),
        namespaced: true,
    };
    let error = cluster.get(&nothing, Some("default"), "a").await.unwrap_err();
    println!("{error}");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(
        cluster.get(&kind("cm"), Some("default"), "no-such-object").await,
        Ok(None)
    );
}
