//! Effects on one object or none.

use serde_json::json;

use super::*;
use crate::effect::{
    Apply, Ask, Await, Condition, Delete, Expected, HttpExpect, Pause, Probe, RunJob, Scale, Target,
};
use crate::text::Text;

fn settings(currency: &str) -> Effect {
    Effect::Apply(Apply {
        site: "west".into(),
        object: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "settings", "namespace": "default" },
            "data": { "currency": currency },
        }),
        force: false,
    })
}

#[tokio::test(start_paused = true)]
async fn applying_twice_is_applying_once() {
    let stage = Stage::new();
    let first = stage.done("a", settings("EUR")).await;
    insta::assert_snapshot!(first.summary, @"ConfigMap default/settings created");
    assert_eq!(first.created.len(), 1);
    let again = stage.done("b", settings("EUR")).await;
    assert!(again.created.is_empty(), "another step did not make it");
    let changed = stage.done("b", settings("USD")).await;
    insta::assert_snapshot!(changed.summary, @"ConfigMap default/settings changed");
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_reply_made_is_in_the_ledger_of_the_next_attempt() {
    let stage = Stage::new();
    stage.fails(vec![fault(
        "west",
        "apply",
        "ConfigMap",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    let lost = stage.perform("a", settings("EUR")).await;
    assert_eq!(refused(lost).0, ErrorKind::LostReply);
    assert_eq!(
        stage.resolve("a", settings("EUR")).await,
        Resolution::NotDone,
        "it may be repeated"
    );
    assert_eq!(stage.done("a", settings("EUR")).await.created.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_field_of_somebody_else_is_a_conflict_unless_forced() {
    let stage = Stage::new();
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "default" }, "data": { "currency": "CHF" } });
    stage.west().seed([&object]).expect("seeded");
    let (kind, message) = refused(stage.perform("a", settings("EUR")).await);
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @r#"Apply failed with 1 conflict: conflict with "kubectl/Apply": .data.currency"#);
    let Effect::Apply(apply) = settings("EUR") else {
        unreachable!()
    };
    let forced = stage
        .done("a", Effect::Apply(Apply { force: true, ..apply }))
        .await;
    assert!(forced.created.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_of_a_kind_that_is_not_served_says_what_is_missing() {
    let stage = Stage::new();
    let object = json!({ "apiVersion": "shop.example/v1", "kind": "Campaign", "metadata": { "name": "x", "namespace": "default" } });
    let effect = Effect::Apply(Apply {
        site: "west".into(),
        object,
        force: false,
    });
    let error = stage.perform("a", effect).await.expect_err("refused");
    insta::assert_snapshot!(format!("{error} / {}", error.hints[0]), @"west: it serves no Campaign of shop.example/v1 / install the CustomResourceDefinition first");
}

fn web_available(site: &str) -> Effect {
    Effect::Await(Await {
        site: site.into(),
        id: id("Deployment", "shop", "web"),
        condition: Condition::Available { replicas: None },
    })
}

#[tokio::test(start_paused = true)]
async fn a_wait_names_the_pods_it_waits_for() {
    let stage = Stage::new();
    stage.embedded.script(FaultPlan {
        stuck_pods: vec![crate::world::sim::StuckPod {
            site: "east".into(),
            prefix: "db-".into(),
            reason: "ImagePullBackOff".into(),
        }],
        ..FaultPlan::default()
    });
    let receipt = stage.done("web-up", web_available("east")).await;
    assert_eq!(receipt.summary, "3 of 3 replicas ready");
    let said = stage.said();
    assert_eq!(said.len(), 1, "the same is not said twice: {said:?}");
    assert!(
        said[0].starts_with("0 of 3 replicas ready, waiting for web-"),
        "{said:?}"
    );
    assert!(said[0].contains("(ContainerCreating)"), "{said:?}");
    let db = Effect::Await(Await {
        site: "east".into(),
        id: id("StatefulSet", "shop", "db"),
        condition: Condition::Available { replicas: Some(1) },
    });
    let limit = Duration::from_secs(5);
    let waited = tokio::time::timeout(limit, stage.perform("db-up", db)).await;
    assert!(waited.is_err(), "it waits for the deadline of somebody else");
    insta::assert_snapshot!(stage.said().join("\n"), @"0 of 1 replicas ready, waiting for db-0 (ImagePullBackOff)");
}

#[tokio::test(start_paused = true)]
async fn a_wait_looks_past_a_server_that_restarts() {
    let stage = Stage::new();
    let down = Fault {
        times: 4,
        ..fault("east", "get", "Deployment", 1, FaultError::Unreachable)
    };
    stage.fails(vec![down]);
    stage.done("web-up", web_available("east")).await;
    insta::assert_snapshot!(stage.said().join("\n"), @"east: connection refused; looking again");
    stage.fails(vec![fault("east", "get", "Deployment", 1, FaultError::Forbidden)]);
    assert_eq!(
        refused(stage.perform("web-up", web_available("east")).await).0,
        ErrorKind::Forbidden
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_there_yet() {
    let stage = Stage::new();
    let exists = |site: &str, condition| {
        Effect::Await(Await {
            site: site.into(),
            id: id("ConfigMap", "default", "late"),
            condition,
        })
    };
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "late", "namespace": "default" } });
    let seed = || stage.west().seed([&object]).expect("seeded");
    while_waiting(stage.done("w", exists("west", Condition::Exists)), 3000, seed).await;
    insta::assert_snapshot!(stage.said().join("\n"), @"ConfigMap default/late is not there yet");
    let lose = || stage.west().lose(&kind("ConfigMap"), Some("default"), "late");
    while_waiting(stage.done("w", exists("west", Condition::Gone)), 3000, lose).await;
    insta::assert_snapshot!(stage.said().join("\n"), @"ConfigMap default/late is still there");
    let established = Effect::Await(Await {
        site: "east".into(),
        id: ObjectId {
            namespace: None,
            ..id("CustomResourceDefinition", "", "campaigns.shop.example")
        },
        condition: Condition::Status("Established".into()),
    });
    stage.done("w", established).await;
}

fn scale(from: u32, to: u32) -> Effect {
    Effect::Scale(Scale {
        site: "east".into(),
        id: id("Deployment", "shop", "web"),
        from,
        to,
    })
}

#[tokio::test(start_paused = true)]
async fn stopped_means_that_no_pod_is_left() {
    let stage = Stage::new();
    pass(1000).await;
    let receipt = stage.done("stop", scale(3, 0)).await;
    insta::assert_snapshot!(receipt.summary, @"Deployment shop/web  3 → 0, no pod is left");
    assert!(
        stage.said()[0].starts_with("3 pods still there: web-"),
        "it waited for those that were stopping"
    );
    let pods = stage.east().audit();
    assert_eq!(pods.len(), 1, "one patch and nothing else");
    insta::assert_snapshot!(stage.done("stop", scale(3, 0)).await.summary, @"Deployment shop/web  3 → 0, no pod is left (it already was)");
    insta::assert_snapshot!(stage.done("start", scale(0, 3)).await.summary, @"Deployment shop/web  0 → 3");
}

#[tokio::test(start_paused = true)]
async fn a_size_that_the_plan_does_not_know_is_a_conflict() {
    let stage = Stage::new();
    let (kind, message) = refused(stage.perform("stop", scale(5, 0)).await);
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @"Deployment shop/web has 3 replicas; the plan saw 5 and wants 0");
    assert!(stage.east().audit().is_empty());
}

fn job(name: &str) -> Effect {
    Effect::RunJob(RunJob {
        site: "west".into(),
        namespace: "default".into(),
        name: name.into(),
        image: "registry.example/migrate:1".into(),
        command: vec!["migrate".into()],
        env: vec![("MODE".into(), "drill".into())],
        env_from_secret: vec!["db".into()],
        service_account: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_once_however_often_its_reply_is_lost() {
    let stage = Stage::new();
    stage.fails(vec![fault(
        "west",
        "create",
        "Job",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    assert_eq!(
        refused(stage.perform("migrate", job("migrate")).await).0,
        ErrorKind::LostReply
    );
    assert_eq!(
        stage.resolve("migrate", job("migrate")).await,
        Resolution::NotDone,
        "it runs"
    );
    let receipt = stage.done("migrate", job("migrate")).await;
    insta::assert_snapshot!(receipt.summary, @"Job default/migrate-shop-d-4k2 completed");
    assert_eq!(receipt.created.len(), 1);
    assert_eq!(stage.west().audit().len(), 1);
    let Resolution::Done(found) = stage.resolve("migrate", job("migrate")).await else {
        panic!("it is done")
    };
    assert_eq!(*found, receipt);
    let (kind, message) = refused(stage.perform("another", job("migrate")).await);
    assert_eq!(
        (kind, message.as_str()),
        (
            ErrorKind::Conflict,
            "Job default/migrate-shop-d-4k2 is there and was not made by this step"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_says_how_its_container_ended() {
    let stage = Stage::new();
    stage.embedded.script(FaultPlan {
        failing_jobs: vec!["migrate".into()],
        ..FaultPlan::default()
    });
    let error = stage
        .perform("migrate", job("migrate"))
        .await
        .expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Rejected);
    insta::assert_snapshot!(error.message, @"Job default/migrate-shop-d-4k2 failed: Job has reached the specified backoff limit");
    assert!(
        error.causes[0].ends_with("container main ended with exit code 1 (Error)"),
        "{:?}",
        error.causes
    );
    insta::assert_snapshot!(error.hints[0], @"kubectl logs -n default job/migrate-shop-d-4k2");
}

#[tokio::test(start_paused = true)]
async fn a_long_job_name_leaves_room_for_the_run() {
    let stage = Stage::new();
    let receipt = stage.done("m", job(&"m".repeat(80))).await;
    assert_eq!(receipt.created.get(0).unwrap().id.name.len(), 63);
    assert!(receipt.created.get(0).unwrap().id.name.ends_with("-shop-d-4k2"));
}

#[tokio::test(start_paused = true)]
async fn deleted_means_gone() {
    let stage = Stage::new();
    let hold = json!({ "metadata": { "finalizers": ["shop.example/hold"] } });
    stage
        .east()
        .edit(&kind("ConfigMap"), Some("shop"), "settings", &hold)
        .expect("edited");
    let delete = |missing_ok| {
        Effect::Delete(Delete {
            site: "east".into(),
            id: id("ConfigMap", "shop", "settings"),
            missing_ok,
        })
    };
    assert_eq!(stage.resolve("d", delete(false)).await, Resolution::NotDone);
    let release = || {
        let none = json!({ "metadata": { "finalizers": null } });
        stage
            .east()
            .edit(&kind("ConfigMap"), Some("shop"), "settings", &none)
            .expect("edited");
    };
    let receipt = while_waiting(stage.done("d", delete(false)), 2000, release).await;
    assert_eq!(receipt.deleted.len(), 1);
    insta::assert_snapshot!(stage.said().join("\n"), @"ConfigMap shop/settings is being deleted, held by shop.example/hold");
    assert_eq!(
        refused(stage.perform("d", delete(false)).await).0,
        ErrorKind::NotFound
    );
    assert!(stage.done("d", delete(true)).await.deleted.is_empty());
    assert!(matches!(
        stage.resolve("d", delete(false)).await,
        Resolution::Done(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_exactly_its_time_pass() {
    let stage = Stage::new();
    let before = stage.embedded.clock().elapsed_ms();
    stage
        .done(
            "p",
            Effect::Pause(Pause {
                for_ms: 90_000,
                reason: "caches".into(),
                after_change: false,
            }),
        )
        .await;
    assert_eq!(stage.embedded.clock().elapsed_ms() - before, 90_000);
    insta::assert_snapshot!(stage.said().join("\n"), @"waiting 1m30s for caches");
}

#[tokio::test(start_paused = true)]
async fn a_probe_wants_its_good_answers_in_a_row() {
    let stage = Stage::new();
    let probe = |url: &str| {
        Effect::Probe(Probe {
            target: Target::Http {
                url: Text::known(url),
                expect: HttpExpect {
                    status: 200,
                    body: Some("ok".into()),
                },
            },
            successes: 2,
            interval_ms: 100,
            look_timeout_ms: 1000,
        })
    };
    let receipt = stage
        .done("answers", probe("http://east.embedded/shop/healthz"))
        .await;
    insta::assert_snapshot!(receipt.summary, @"2 good answers in a row, 5 looks");
    insta::assert_snapshot!(stage.said().join("\n"), @r#"
    http://east.embedded/shop/healthz: 503 instead of 200: 0 of 3 ready (look 1)
    http://east.embedded/shop/healthz: 503 instead of 200: 0 of 3 ready (look 2)
    http://east.embedded/shop/healthz: 503 instead of 200: 0 of 3 ready (look 3)
    1 of 2 good answers in a row
    "#);
    let nowhere = stage.perform("answers", probe("http://shop.example/"));
    assert!(
        tokio::time::timeout(Duration::from_secs(1), nowhere)
            .await
            .is_err()
    );
    assert!(stage.said()[0].starts_with("http://shop.example/: connection refused"));
    let late = Effect::Probe(Probe {
        target: Target::Tcp {
            address: Text::output("restore", "address"),
        },
        successes: 1,
        interval_ms: 100,
        look_timeout_ms: 1000,
    });
    assert_eq!(
        refused(stage.perform("answers", late).await).0,
        ErrorKind::Internal
    );
}

#[tokio::test(start_paused = true)]
async fn people_are_not_part_of_the_world() {
    let stage = Stage::new();
    let ask = Effect::Ask(Ask {
        question: Text::known("go?"),
        by: Vec::new(),
        expected: Expected::Approval,
        unless_proved: Vec::new(),
    });
    assert_eq!(
        refused(stage.perform("go", ask.clone()).await).0,
        ErrorKind::Internal
    );
    assert!(matches!(
        stage.resolve("go", ask).await,
        Resolution::CannotTell(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_without_what_changes_by_itself() {
    let stage = Stage::new();
    let site = Query::Site { site: "east".into() };
    let object = Query::Object {
        site: "east".into(),
        id: id("Deployment", "shop", "web"),
    };
    let namespaces = Query::Namespaces {
        site: "east".into(),
        names: vec!["shop".into(), "other".into()],
    };
    let workloads = Query::Workloads {
        site: "east".into(),
        namespace: "shop".into(),
        kind: "Deployment".into(),
        name: None,
        selector: vec![("app".into(), "web".into())],
    };
    let queries = [site, object, namespaces.clone(), workloads.clone()];
    let mut first = Vec::new();
    for query in &queries {
        first.push(stage.read(query.clone()).await);
    }
    pass(60_000).await;
    for (query, seen) in queries.iter().zip(first) {
        assert_eq!(stage.read(query.clone()).await, seen, "{query:?}");
    }
    assert_eq!(
        stage.read(namespaces).await,
        Seen::Namespaces(vec!["shop".into()])
    );
    let Seen::Workloads(found) = stage.read(workloads).await else {
        panic!("workloads")
    };
    assert_eq!((found.len(), found[0].replicas), (1, 3));
    let unknown = stage
        .world
        .read(&Query::Store {
            store: "nowhere".into(),
        })
        .await;
    assert_eq!(unknown.expect_err("unknown").kind, ErrorKind::WrongTarget);
}

#[tokio::test(start_paused = true)]
async fn what_changed_before_it_was_deleted_is_looked_at_again_and_not_for_ever() {
    for (changes, expected) in [(1, Ok(())), (5, Err(ErrorKind::Conflict))] {
        let stage = Stage::new();
        let deletes = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = deletes.clone();
        stage.east().judged_by(std::sync::Arc::new(move |asked, _| {
            let before = match asked.verb {
                "delete" => count.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                _ => changes,
            };
            let changed = || WorldError::new(ErrorKind::Conflict, "east", "Precondition failed");
            (before < changes).then(changed)
        }));
        let delete = Effect::Delete(Delete {
            site: "east".into(),
            id: id("ConfigMap", "shop", "settings"),
            missing_ok: false,
        });
        let done = stage.perform("d", delete).await;
        assert_eq!(done.map(|_| ()).map_err(|error| error.kind), expected);
        let sent = deletes.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(sent, if expected.is_ok() { 2 } else { 5 });
    }
}
