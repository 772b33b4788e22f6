//! What the embedded cluster promises to those who test with it.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{ApiKind, builtin};
use crate::world::port::{Listed, Listing};

fn start() -> Timestamp {
    "2026-11-22T22:00:00Z".parse().expect("a timestamp")
}

fn kind(name: &str) -> ApiKind {
    builtin(name).expect("a built-in kind")
}

fn shop_on(site: &str) -> (Embedded, SimCluster) {
    let world = Embedded::starting_at(start()).with_site(site);
    let cluster = world.cluster(site).expect("a site").clone();
    cluster.seed(&shop()).expect("the shop is accepted");
    (world, cluster)
}

#[expect(clippy::disallowed_methods, reason = "a test lets simulated time pass")]
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn refused<T: std::fmt::Debug>(result: Result<T, WorldError>) -> (ErrorKind, String) {
    let error = result.expect_err("refused");
    (error.kind, error.message)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_gets_its_pods_after_a_while() {
    let (world, cluster) = shop_on("east");
    let ready = || {
        cluster
            .peek(&kind("Deployment"), Some("shop"), "web")
            .expect("web")["status"]["readyReplicas"]
            .clone()
    };
    assert_eq!(ready(), Value::Null);
    let url = "http://east.embedded/shop/healthz";
    let page = super::super::port::Web::get(&world.web(), url)
        .await
        .expect("a page");
    assert_eq!((page.status, page.body.as_str()), (503, "0 of 3 ready"));
    pass(300).await;
    assert_eq!(ready(), 3);
    let pods = cluster.list(&kind("Pod"), Some("shop")).await.expect("pods");
    assert_eq!(pods.len(), 4, "three of web, one of db");
}

#[tokio::test(start_paused = true)]
async fn scaling_down_stops_pods_and_scaling_is_owned() {
    let (_, cluster) = shop_on("east");
    pass(400).await;
    let deployment = kind("Deployment");
    let patch = json!({ "spec": { "replicas": 0 } });
    cluster
        .patch(&deployment, Some("shop"), "web", Some("scale"), &patch)
        .await
        .expect("scaled");
    let pods = async || {
        cluster
            .list(&kind("Pod"), Some("shop"))
            .await
            .expect("pods")
            .len()
    };
    assert_eq!(pods().await, 4, "they are told to stop and still there");
    pass(150).await;
    assert_eq!(pods().await, 1);
    let mut wanted = shop()
        .into_iter()
        .find(|object| object["kind"] == "Deployment")
        .expect("web");
    wanted["spec"]["replicas"] = 3.into();
    let (kind, message) = refused(cluster.apply(&deployment, &wanted, false).await);
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @r#"Apply failed with 1 conflict: conflict with "lifeboat/Update": .spec.replicas"#);
}

#[tokio::test(start_paused = true)]
async fn a_patch_with_an_old_version_is_refused() {
    let (_, cluster) = shop_on("east");
    let patch = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 0 } });
    let scaled = cluster
        .patch(&kind("Deployment"), Some("shop"), "web", Some("scale"), &patch)
        .await;
    assert_eq!(refused(scaled).0, ErrorKind::Conflict);
    assert_eq!(cluster.audit().len(), 1, "a refused request is in the audit list");
    assert!(!cluster.audit()[0].committed);
}

#[tokio::test(start_paused = true)]
async fn what_a_cluster_wrote_itself_is_refused_when_it_comes_back() {
    let (_, east) = shop_on("east");
    let west = Embedded::starting_at(start())
        .with_site("west")
        .cluster("west")
        .expect("west")
        .clone();
    let service = east
        .peek(&kind("Service"), Some("shop"), "web")
        .expect("the service");
    insta::assert_snapshot!(refused(west.create(&kind("Service"), &service).await).1, @"metadata.managedFields must be nil");
    let mut service = service;
    service["metadata"]
        .as_object_mut()
        .expect("metadata")
        .remove("managedFields");
    insta::assert_snapshot!(refused(west.create(&kind("Service"), &service).await).1, @r#"namespaces "shop" not found"#);
    west.seed(&shop()[..1]).expect("the namespace");
    let (_, message) = refused(west.create(&kind("Service"), &service).await);
    assert!(
        message.contains("provided IP is not in the valid range"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_definition_makes_its_kind_appear_a_little_later() {
    let world = Embedded::starting_at(start()).with_site("west");
    let west = world.cluster("west").expect("west");
    let crd = &shop()[1];
    west.create(&kind("CustomResourceDefinition"), crd)
        .await
        .expect("created");
    let serves = async || {
        west.discover()
            .await
            .expect("kinds")
            .iter()
            .any(|kind| kind.kind == "Campaign")
    };
    assert!(!serves().await);
    pass(60).await;
    assert!(serves().await);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_its_content_along_except_what_a_finalizer_holds() {
    let (_, cluster) = shop_on("east");
    pass(400).await;
    let hold = json!({ "metadata": { "finalizers": ["shop.example/hold"] } });
    cluster
        .edit(&kind("ConfigMap"), Some("shop"), "settings", &hold)
        .expect("edited");
    let namespaces = kind("Namespace");
    let uid = |object: &Value| object["metadata"]["uid"].as_str().expect("a uid").to_owned();
    let shop = cluster.peek(&namespaces, None, "shop").expect("shop");
    assert_eq!(
        refused(cluster.delete(&namespaces, None, "shop", "another").await).0,
        ErrorKind::Conflict
    );
    assert!(
        cluster
            .delete(&namespaces, None, "shop", &uid(&shop))
            .await
            .expect("accepted")
    );
    let late = json!({ "metadata": { "name": "late", "namespace": "shop" } });
    assert_eq!(
        refused(cluster.create(&kind("ConfigMap"), &late).await).0,
        ErrorKind::Forbidden
    );
    pass(500).await;
    let shop = cluster.peek(&namespaces, None, "shop").expect("still there");
    insta::assert_snapshot!(shop["status"]["conditions"][1]["message"], @r#""Some content in the namespace has finalizers remaining: shop.example/hold in 1 resource instances""#);
    let release = json!({ "metadata": { "finalizers": null } });
    cluster
        .edit(&kind("ConfigMap"), Some("shop"), "settings", &release)
        .expect("edited");
    pass(500).await;
    assert!(cluster.peek(&namespaces, None, "shop").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_object_with_an_owner_of_another_cluster_is_collected() {
    let (_, cluster) = shop_on("east");
    let object = json!({ "metadata": {
        "name": "orphan", "namespace": "shop",
        "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "elsewhere" }],
    } });
    cluster
        .create(&kind("ConfigMap"), &object)
        .await
        .expect("created");
    pass(600).await;
    assert!(cluster.peek(&kind("ConfigMap"), Some("shop"), "orphan").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_may_have_been_carried_out_or_not() {
    let (world, cluster) = shop_on("east");
    let fault = |error| Fault {
        place: "east".into(),
        verb: "create".into(),
        what: Some("ConfigMap".into()),
        nth: 1,
        times: 1,
        error,
    };
    for (error, there) in [
        (FaultError::LostReplyBefore, false),
        (FaultError::LostReplyAfterCommit, true),
    ] {
        world.script(FaultPlan {
            faults: vec![fault(error)],
            ..FaultPlan::default()
        });
        let object = json!({ "metadata": { "name": "lost", "namespace": "shop" } });
        assert_eq!(
            refused(cluster.create(&kind("ConfigMap"), &object).await).0,
            ErrorKind::LostReply
        );
        assert_eq!(
            cluster.peek(&kind("ConfigMap"), Some("shop"), "lost").is_some(),
            there
        );
    }
}

#[tokio::test(start_paused = true)]
async fn plain_text_of_a_secret_is_kept_as_data() {
    let (_, cluster) = shop_on("east");
    let secret = json!({ "metadata": { "name": "s", "namespace": "shop" }, "stringData": { "a": "", "b": "x", "c": "xy", "d": "xyz" } });
    let kept = cluster.create(&kind("Secret"), &secret).await.expect("created");
    assert_eq!(kept.get("stringData"), None);
    assert_eq!(
        kept["data"],
        json!({ "a": "", "b": "eA==", "c": "eHk=", "d": "eHl6" })
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_requests_give_the_same_cluster() {
    let mut listings = Vec::new();
    for _ in 0..2 {
        let (_, cluster) = shop_on("east");
        pass(1000).await;
        listings.push(cluster.list(&kind("Pod"), None).await.expect("pods"));
    }
    assert_eq!(listings[0], listings[1]);
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_paged_and_expires_when_its_objects_change() {
    let world = Embedded::starting_at(Timestamp::UNIX_EPOCH).with_site("east");
    let cluster = world.cluster("east").expect("east");
    let listing = Listing {
        kind: kind("Namespace"),
        namespace: None,
        labels: None,
        limit: 3,
    };
    let page = async |next: Option<String>| match cluster.page(&listing, next.as_deref()).await {
        Ok(Listed::Objects { items, next, .. }) => Some((items.len(), next)),
        Ok(Listed::TooLarge | Listed::Expired) => None,
        Err(error) => panic!("{error}"),
    };
    let (count, next) = page(None).await.expect("a page");
    assert_eq!((count, page(next.clone()).await), (3, Some((1, None))));
    let more = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "more"}});
    cluster.seed([&more]).expect("seeded");
    assert_eq!(page(next).await, None, "it is not the state of the first page");
}
