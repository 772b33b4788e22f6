//! What nodes have left, and what comes: by objects that a site holds.

use serde_json::json;

use super::kit::{captured, plain, preview, restore, with_platform};
use super::*;
use crate::effect::HoldNamespaces;
use crate::objects::{Coming, Nodes};

async fn capacity(stage: &Stage, site: &str) -> (Nodes, Coming) {
    let query = Query::Capacity {
        site: site.into(),
        held: vec!["shop".into()],
    };
    match stage.read(query).await {
        Seen::Capacity(found) => *found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_have_left_what_the_pods_on_them_do_not_ask_for() {
    let stage = Stage::new();
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node-1" } });
    let bare = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "bare", "namespace": "shop" },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "c", "resources": { "requests": { "cpu": "250m", "memory": "1Gi" } } }] } });
    stage.east().seed([&node, &bare]).expect("seeded");
    let status = json!({ "status": { "allocatable": { "cpu": "2", "memory": "4Gi", "pods": "10" },
        "conditions": [{ "type": "Ready", "status": "True" }] } });
    stage
        .east()
        .edit(&kind("Node"), None, "node-1", &status)
        .expect("ready");
    pass(1000).await;
    let (nodes, coming) = capacity(&stage, "east").await;
    assert_eq!(
        (nodes.all, nodes.waiting, nodes.growers.len()),
        (1, 4, 0),
        "pods of embedded clusters name no node"
    );
    let left = nodes.open["node-1"];
    assert_eq!(
        (
            left.share.cpu.to_string(),
            left.share.memory.to_string(),
            left.pods
        ),
        ("1750m".into(), "3Gi".into(), 9)
    );
    assert!(coming.is_nothing(), "nothing is held: {coming:?}");
    let status = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "cluster-autoscaler-status", "namespace": "kube-system" } });
    stage.east().seed([&status]).expect("seeded");
    assert_eq!(capacity(&stage, "east").await.0.growers, ["Cluster Autoscaler"]);
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_held_namespace_come_when_it_is_let_go() {
    let stage = Stage::new();
    pass(1000).await;
    let hold = HoldNamespaces {
        site: "east".into(),
        namespaces: vec!["shop".into()],
    };
    stage.done("stop-active", Effect::HoldNamespaces(hold)).await;
    let (nodes, coming) = capacity(&stage, "east").await;
    assert_eq!((nodes.all, coming.pods), (0, 4), "three of web, one of db");
}

#[tokio::test(start_paused = true)]
async fn a_preview_says_which_pods_a_restore_brings_and_none_twice() {
    let stage = with_platform(Stage::new());
    pass(1000).await;
    let name = captured(&stage).await;
    assert_eq!(preview(&stage, plain(&name)).await.coming.pods, 4);
    stage.done("restore", restore(plain(&name))).await;
    pass(1000).await;
    assert!(preview(&stage, plain(&name)).await.coming.is_nothing());
}
