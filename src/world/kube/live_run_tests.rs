//! Programs in pods of the lab: kwok lets them run on this machine. It has no exit codes: a program that
//! fails there is one of which nobody knows how it ended.

use serde_json::json;

use super::KubeCluster;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;
use crate::world::lab::Lab;
use crate::world::port::{Cluster, Command, Executed, PRINTED_MAX};

async fn east() -> KubeCluster {
    let lab = Lab::open().await;
    let kubeconfig = lab.dir.join("kubeconfig");
    KubeCluster::connect("east", Some(&kubeconfig), "east")
        .await
        .unwrap()
}

/// One of the shop's pods.
async fn pod(cluster: &KubeCluster) -> String {
    let pods = cluster
        .list(&builtin("Pod").unwrap(), Some("shop"))
        .await
        .unwrap();
    let running = pods.iter().find(|pod| pod["status"]["phase"] == json!("Running"));
    running.expect("a pod runs")["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn shell(cluster: &KubeCluster, pod: &str, script: &str) -> Result<Executed, WorldError> {
    let argv = ["sh", "-c", script].map(str::to_owned);
    let command = Command {
        namespace: "shop",
        pod,
        container: None,
        argv: &argv,
    };
    cluster.run(&command).await
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_program_in_a_pod_is_heard_to_its_end() {
    let cluster = east().await;
    let pod = pod(&cluster).await;
    let heard = shell(&cluster, &pod, "echo out; echo err >&2").await.unwrap();
    assert_eq!((heard.code, heard.cut), (0, false));
    assert_eq!(
        (&heard.stdout[..], &heard.stderr[..]),
        (&b"out\n"[..], &b"err\n"[..])
    );
    let much = shell(
        &cluster,
        &pod,
        "head -c 3000000 /dev/zero | tr '\\0' a; echo done >&2",
    )
    .await
    .unwrap();
    assert!(much.cut && much.stdout.len() == PRINTED_MAX && much.stdout.iter().all(|byte| *byte == b'a'));
    assert_eq!(much.stderr, b"done\n", "all of it was read");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_program_may_be_silent_for_longer_than_a_request_may() {
    let cluster = east().await;
    let pod = pod(&cluster).await;
    let silence = super::wire::SILENCE_LIMIT.as_secs() + 3;
    let heard = shell(&cluster, &pod, &format!("sleep {silence}; echo awake"))
        .await
        .unwrap();
    assert_eq!(heard.stdout, b"awake\n");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_what_was_not_run_is_told_from_what_nobody_knows() {
    let cluster = east().await;
    let error = shell(&cluster, "no-such-pod", "true").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    insta::assert_snapshot!(error.message, @r#"pods "no-such-pod" not found"#);
    let pod = pod(&cluster).await;
    let argv = ["true".to_owned()];
    let command = Command {
        namespace: "shop",
        pod: &pod,
        container: Some("no-such-container"),
        argv: &argv,
    };
    let error = cluster.run(&command).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected, "{error:?}");
    let error = shell(&cluster, &pod, "exit 3").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::LostReply, "{error:?}");
}
