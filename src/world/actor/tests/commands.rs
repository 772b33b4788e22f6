//! Commands in pods: which pod, what they say, and what nobody knows afterwards.

use serde_json::json;

use super::*;
use crate::effect::RunCommand;
use crate::world::sim::StuckPod;

fn command(of: ObjectId, argv: &[&str]) -> Effect {
    Effect::RunCommand(RunCommand {
        site: "east".into(),
        of,
        container: None,
        command: argv.iter().map(ToString::to_string).collect(),
        repeatable: false,
    })
}

fn web() -> ObjectId {
    id("Deployment", "shop", "web")
}

/// Pods in which a command ran.
fn ran_in(stage: &Stage) -> Vec<String> {
    let audit = stage.east().audit().into_iter();
    let ran = audit.filter(|one| one.verb == "exec" && one.resource == "pods");
    ran.map(|one| one.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_command_runs_in_the_first_ready_pod_and_says_what_it_printed() {
    let stage = Stage::new();
    pass(10_000).await;
    let receipt = stage.done("version", command(web(), &["echo", "1.4.2"])).await;
    assert_eq!(receipt.outputs["stdout"], "1.4.2");
    let ran = ran_in(&stage);
    assert_eq!(ran.len(), 1);
    assert_eq!(receipt.summary, format!("ran in {}, exit code 0", ran[0]));
    stage.done("again", command(web(), &["echo", "1.4.2"])).await;
    assert_eq!(ran_in(&stage), [ran[0].clone(), ran[0].clone()], "the same pod");
    stage
        .done("pod", command(id("Pod", "shop", &ran[0]), &["true"]))
        .await;
    assert_eq!(ran_in(&stage).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_says_no_has_failed_with_its_own_words() {
    let stage = Stage::new();
    pass(10_000).await;
    stage.embedded.script(FaultPlan {
        failing_commands: vec!["migrate".into()],
        ..FaultPlan::default()
    });
    let error = stage
        .perform("m", command(web(), &["migrate"]))
        .await
        .expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Rejected);
    let pod = ran_in(&stage).remove(0);
    assert_eq!(error.message, format!("migrate in {pod} ended with exit code 1"));
    assert_eq!(error.causes, ["migrate: it failed"]);
}

#[tokio::test(start_paused = true)]
async fn where_no_pod_is_ready_nothing_is_run() {
    let stage = Stage::new();
    stage.embedded.script(FaultPlan {
        stuck_pods: vec![StuckPod {
            site: "east".into(),
            prefix: "late".into(),
            reason: "ImagePullBackOff".into(),
        }],
        ..FaultPlan::default()
    });
    let labels = json!({ "app": "late" });
    let late = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "late", "namespace": "shop" },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels },
                  "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "c" }] } } } });
    stage.east().seed([&late]).expect("seeded");
    pass(10_000).await;
    let (kind, message) = refused(
        stage
            .perform("l", command(id("Deployment", "shop", "late"), &["true"]))
            .await,
    );
    assert_eq!(kind, ErrorKind::NotYet);
    assert!(
        message.starts_with("no pod of Deployment shop/late is ready: there are late-"),
        "{message}"
    );
    let (kind, _) = refused(
        stage
            .perform("n", command(id("Deployment", "shop", "none"), &["true"]))
            .await,
    );
    assert_eq!(kind, ErrorKind::NotFound);
    assert_eq!(ran_in(&stage), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_nobody_can_tell_whether_it_ran() {
    let stage = Stage::new();
    pass(10_000).await;
    stage.fails(vec![fault(
        "east",
        "exec",
        "Pod",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    let (kind, _) = refused(stage.perform("m", command(web(), &["migrate"])).await);
    assert_eq!(kind, ErrorKind::LostReply);
    let Resolution::CannotTell(why) = stage.resolve("m", command(web(), &["migrate"])).await else {
        panic!("nothing at the cluster tells")
    };
    insta::assert_snapshot!(why, @"a command leaves nothing that says whether it ran");
    assert_eq!(ran_in(&stage).len(), 1);
}
