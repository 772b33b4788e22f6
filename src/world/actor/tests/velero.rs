//! A Velero at work: every phase, every end, and nobody there. Most of it by the phases that a test plays; the whole
//! way by the embedded Velero; and by a real one in `tests/it/lab/velero.rs`.

use std::io::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::effect::{DriveVelero, VeleroWork};
use crate::objects::velero_kinds;
use crate::text::Text;

/// The restore's own name at Velero.
const RESTORE: &str = "restore-shop-d-4k2";
const LIMIT_MS: u64 = 60_000;

fn definitions() -> Vec<Value> {
    let one = |kind: &ApiKind| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": kind.resource() },
            "spec": { "group": kind.group, "scope": "Namespaced",
                "names": { "kind": kind.kind, "plural": kind.plural },
                "versions": [{ "name": "v1", "served": true, "storage": true }] },
        })
    };
    velero_kinds().iter().map(one).collect()
}

fn namespace() -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "velero" } })
}

fn backup_object(name: &str) -> Value {
    json!({ "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": { "name": name, "namespace": "velero" },
        "spec": { "includedNamespaces": ["shop"] } })
}

/// Velero's kinds at `east`, and no server.
fn without_server() -> Stage {
    let stage = Stage::new();
    stage.east().seed(&definitions()).expect("seeded");
    let objects = [namespace(), backup_object("nightly")];
    stage.east().seed(&objects).expect("seeded");
    stage
}

/// And one that runs.
async fn with_server() -> Stage {
    let stage = without_server();
    let labels = json!({ "app": "velero" });
    let server = json!({ "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "velero", "namespace": "velero" },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "velero" }] } } } });
    stage.east().seed([&server]).expect("seeded");
    pass(10_000).await;
    stage
}

fn restore() -> DriveVelero {
    DriveVelero {
        site: "east".into(),
        namespace: "velero".into(),
        name: "restore".into(),
        work: VeleroWork::Restore {
            backup: Some(Text::known("nightly")),
            spec: json!({ "includedNamespaces": ["shop"] }),
        },
        taken_up_within_ms: LIMIT_MS,
        store: None,
    }
}

fn capture() -> Effect {
    Effect::DriveVelero(DriveVelero {
        name: "capture".into(),
        work: VeleroWork::Backup {
            spec: json!({ "includedNamespaces": ["shop"] }),
        },
        ..restore()
    })
}

fn drive() -> Effect {
    Effect::DriveVelero(restore())
}

fn kind_of(name: &str) -> ApiKind {
    let mut kinds = velero_kinds().into_iter();
    kinds.find(|kind| kind.kind == name).expect("a kind of Velero's")
}

fn there(stage: &Stage, kind: &str, name: &str) -> Option<Value> {
    stage.east().peek(&kind_of(kind), Some("velero"), name)
}

/// As Velero's server writes it.
fn says(stage: &Stage, status: &Value) {
    let patch = json!({ "status": status });
    stage
        .east()
        .edit(&kind_of("Restore"), Some("velero"), RESTORE, &patch)
        .expect("the Restore is there");
}

/// Lets a restore begin, plays these states, a second each, and gives what came of it.
async fn played(stage: &Stage, effect: Effect, states: Vec<Value>) -> Result<Receipt, WorldError> {
    let server = async {
        for state in states {
            pass(1_000).await;
            says(stage, &state);
        }
    };
    tokio::join!(stage.perform("restore", effect), server).0
}

fn phase(word: &str) -> Value {
    json!({ "phase": word })
}

/// Requests that were carried out on Velero's kinds.
fn changes(stage: &Stage) -> Vec<String> {
    let audit = stage.east().audit().into_iter();
    let ours = audit.filter(|one| one.resource.ends_with("velero.io") && one.committed);
    ours.map(|one| format!("{} {}", one.verb, one.name)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_backup_and_its_restore_are_followed_to_their_end() {
    let stage = with_server().await;
    let began = stage.embedded.clock().now();
    let made = stage.done("capture", capture()).await;
    insta::assert_snapshot!(made.summary, @"Backup velero/capture-shop-d-4k2 is Completed: 16 items");
    assert_eq!(made.outputs["backup"], "capture-shop-d-4k2");
    let at = made.consistent_at.expect("the moment whose state it holds");
    assert!(at >= began && at <= stage.embedded.clock().now(), "{at}");
    let object = there(&stage, "Backup", "capture-shop-d-4k2").expect("the Backup");
    assert_eq!(object["spec"], json!({ "includedNamespaces": ["shop"] }));
    assert_eq!(object["metadata"]["labels"]["lifeboat.dev/run"], "shop-d-4k2");

    stage.east().lose(&kind("ConfigMap"), Some("shop"), "settings");
    let again = Effect::DriveVelero(DriveVelero {
        work: VeleroWork::Restore {
            backup: Some(Text::known("capture-shop-d-4k2")),
            spec: json!({}),
        },
        ..restore()
    });
    stage.said();
    let done = stage.done("restore", again).await;
    insta::assert_snapshot!(done.summary, @"Restore velero/restore-shop-d-4k2 is Completed: 1 item");
    assert_eq!(done.outputs["backup"], "capture-shop-d-4k2");
    assert_eq!(done.consistent_at, Some(at), "of the backup, not of the restore");
    assert!(
        stage
            .east()
            .peek(&kind("ConfigMap"), Some("shop"), "settings")
            .is_some()
    );
    insta::assert_snapshot!(stage.said().join("\n"), @"
    no Velero has looked at Restore velero/restore-shop-d-4k2 yet
    Restore velero/restore-shop-d-4k2: InProgress
    Restore velero/restore-shop-d-4k2: Finalizing
    ");
}

#[tokio::test(start_paused = true)]
async fn every_phase_is_told_and_only_completed_is_well() {
    let stage = without_server();
    let progress =
        |done: u32| json!({ "phase": "InProgress", "progress": { "totalItems": 33, "itemsRestored": done } });
    let states = vec![
        phase("New"),
        progress(1),
        progress(20),
        json!({ "phase": "WaitingForPluginOperations", "restoreItemOperationsAttempted": 2, "restoreItemOperationsCompleted": 1 }),
        phase("Finalizing"),
        json!({ "phase": "Completed", "warnings": 1, "progress": { "totalItems": 33, "itemsRestored": 33 } }),
    ];
    let done = played(&stage, drive(), states).await.expect("it is well");
    insta::assert_snapshot!(done.summary, @"Restore velero/restore-shop-d-4k2 is Completed: 33 items, 1 warning");
    insta::assert_snapshot!(stage.said().join("\n"), @"
    no Velero has looked at Restore velero/restore-shop-d-4k2 yet
    Restore velero/restore-shop-d-4k2: New
    Restore velero/restore-shop-d-4k2: InProgress, 1 of 33 items
    Restore velero/restore-shop-d-4k2: InProgress, 20 of 33 items
    Restore velero/restore-shop-d-4k2: WaitingForPluginOperations, 1 of 2 movements of data done
    Restore velero/restore-shop-d-4k2: Finalizing
    ");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("packed");
    gzip.finish().expect("packed")
}

fn partly() -> Vec<Value> {
    vec![
        phase("InProgress"),
        phase("WaitingForPluginOperationsPartiallyFailed"),
        phase("FinalizingPartiallyFailed"),
        json!({ "phase": "PartiallyFailed", "errors": 7, "warnings": 1,
            "progress": { "totalItems": 9, "itemsRestored": 9 } }),
    ]
}

#[tokio::test(start_paused = true)]
async fn partly_failed_is_a_failure_with_numbers_and_the_first_messages() {
    let stage = without_server();
    let messages: Vec<String> = (1..=7)
        .map(|n| format!("error restoring services/web-{n}"))
        .collect();
    let results =
        json!({ "errors": { "namespaces": { "shop": messages } }, "warnings": { "velero": ["late"] } });
    let key = format!("restores/{RESTORE}/restore-{RESTORE}-results.gz");
    stage.store("vault").plant(&key, gzip(&results.to_string()));
    let effect = || {
        Effect::DriveVelero(DriveVelero {
            store: Some("vault".into()),
            ..restore()
        })
    };
    let error = played(&stage, effect(), partly())
        .await
        .expect_err("it has failed");
    assert_eq!(error.kind, ErrorKind::Rejected, "not tried again by itself");
    insta::assert_snapshot!(error.message, @"Velero says PartiallyFailed of Restore velero/restore-shop-d-4k2: 9 items, 7 errors, 1 warning; the first: error: shop: error restoring services/web-1");
    insta::assert_snapshot!(error.causes.join("\n"), @"
    error: shop: error restoring services/web-1
    error: shop: error restoring services/web-2
    error: shop: error restoring services/web-3
    error: shop: error restoring services/web-4
    error: shop: error restoring services/web-5
    and 3 more
    ");
    assert!(
        stage
            .said()
            .iter()
            .any(|line| line.ends_with("Finalizing, part of it has failed already"))
    );
    // Another attempt finds the same end, and makes no second Restore.
    let again = stage
        .perform("restore", effect())
        .await
        .expect_err("it has failed");
    assert_eq!(again, error);
    assert_eq!(changes(&stage), [format!("create {RESTORE}")]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_cannot_be_read_do_not_hide_the_failure() {
    let stage = without_server();
    let error = played(&stage, drive(), partly()).await.expect_err("failed");
    assert_eq!(error.causes, <[String; 0]>::default(), "no store is named");
    assert!(
        error.hints[0].starts_with("velero -n velero restore describe"),
        "{error:?}"
    );

    let stage = without_server();
    let wrong = DriveVelero {
        store: Some("attic".into()),
        ..restore()
    };
    let error = played(&stage, Effect::DriveVelero(wrong), partly())
        .await
        .expect_err("failed");
    assert!(error.message.contains("7 errors"), "{error:?}");
    insta::assert_snapshot!(error.causes.join("\n"), @"Velero's own messages could not be read: attic: there is no restores/restore-shop-d-4k2/restore-restore-shop-d-4k2-results.gz: is it the store of this Velero?");
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_work_has_veleros_own_reasons() {
    let stage = without_server();
    let invalid = json!({ "phase": "FailedValidation", "validationErrors": ["a", "b"] });
    let error = played(&stage, drive(), vec![invalid]).await.expect_err("failed");
    assert_eq!(
        error.message,
        format!("Velero says FailedValidation of Restore velero/{RESTORE}: a; b")
    );

    let stage = without_server();
    let failed = json!({ "phase": "Failed", "failureReason": "found a restore with status \"InProgress\" during the server starting" });
    let error = played(&stage, drive(), vec![phase("InProgress"), failed])
        .await
        .expect_err("failed");
    assert!(
        error.message.starts_with("Velero says Failed of") && error.message.contains("server starting"),
        "{}",
        error.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_velero_that_does_not_run_is_said_and_finds_nothing_to_do_later() {
    let stage = without_server();
    let began = stage.embedded.clock().now();
    let error = stage.perform("restore", drive()).await.expect_err("nobody");
    assert_eq!(
        error.kind,
        ErrorKind::NotFound,
        "more of the same waiting does not help"
    );
    insta::assert_snapshot!(error.message, @"no Velero server has taken up Restore velero/restore-shop-d-4k2 within 1m: its phase is empty, and none is at anything else in velero. It was deleted again, so that nobody carries it out later");
    let waited = stage.embedded.clock().now() - began;
    assert_eq!(waited.get_seconds() / 60, 1, "{waited}");
    assert!(there(&stage, "Restore", RESTORE).is_none());
    assert_eq!(
        changes(&stage),
        [format!("create {RESTORE}"), format!("delete {RESTORE}")]
    );
    // When one runs, a person tries again.
    let done = played(&stage, drive(), vec![phase("InProgress"), phase("Completed")]).await;
    assert!(done.is_ok(), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_taken_up_at_the_last_moment_is_followed() {
    let stage = without_server();
    // Between the look that gave up and the request that takes it back.
    let taken = std::sync::atomic::AtomicBool::new(false);
    let cluster = stage.east().clone();
    stage.east().judged_by(Arc::new(move |asked, _| {
        let late = asked.verb == "delete" && !taken.swap(true, std::sync::atomic::Ordering::Relaxed);
        late.then(|| {
            WorldError::new(
                ErrorKind::Conflict,
                "east",
                "Precondition failed: ResourceVersion",
            )
        })
    }));
    let server = async {
        pass(LIMIT_MS + 5_000).await;
        for word in ["InProgress", "Completed"] {
            let patch = json!({ "status": { "phase": word } });
            cluster
                .edit(&kind_of("Restore"), Some("velero"), RESTORE, &patch)
                .expect("it is still there");
            pass(1_000).await;
        }
    };
    let done = tokio::join!(stage.perform("restore", drive()), server).0;
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(changes(&stage), [format!("create {RESTORE}")]);
}

#[tokio::test(start_paused = true)]
async fn behind_another_piece_of_work_the_limit_does_not_count() {
    let stage = without_server();
    let other = json!({ "apiVersion": "velero.io/v1", "kind": "Restore",
        "metadata": { "name": "large", "namespace": "velero" }, "spec": { "backupName": "nightly" } });
    stage.east().seed([&other]).expect("seeded");
    let at = |word: &str| json!({ "status": { "phase": word, "startTimestamp": "2026-11-22T21:00:00Z" } });
    let edit = |name: &str, patch: &Value| {
        stage
            .east()
            .edit(&kind_of("Restore"), Some("velero"), name, patch)
            .expect("it is there");
    };
    edit("large", &at("InProgress"));
    let server = async {
        pass(5 * LIMIT_MS).await;
        edit("large", &at("Completed"));
        edit(RESTORE, &at("InProgress"));
        pass(1_000).await;
        edit(RESTORE, &at("Completed"));
    };
    let done = tokio::join!(stage.perform("restore", drive()), server).0;
    assert!(done.is_ok(), "{done:?}");
    let said = stage.said().join("\n");
    assert!(
        said.contains("waits; Velero says that it works on large (since 2026-11-22T21:00:00Z)"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_the_same_object_is_found_again() {
    let stage = with_server().await;
    stage.fails(vec![fault(
        "east",
        "create",
        "Restore",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    assert_eq!(
        refused(stage.perform("restore", drive()).await).0,
        ErrorKind::LostReply
    );
    assert_eq!(
        stage.resolve("restore", drive()).await,
        Resolution::NotDone,
        "it works on it: the next attempt follows"
    );
    pass(30_000).await;
    let Resolution::Done(receipt) = stage.resolve("restore", drive()).await else {
        panic!("Velero has done it meanwhile")
    };
    let again = stage.done("restore", drive()).await;
    assert_eq!(*receipt, again);
    assert_eq!(changes(&stage), [format!("create {RESTORE}")]);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_not_taken_for_ours() {
    let stage = with_server().await;
    let foreign = json!({ "apiVersion": "velero.io/v1", "kind": "Restore",
        "metadata": { "name": RESTORE, "namespace": "velero" }, "spec": { "backupName": "nightly" } });
    stage.east().seed([&foreign]).expect("seeded");
    pass(10_000).await;
    let (kind, message) = refused(stage.perform("restore", drive()).await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(
        message,
        format!("Restore velero/{RESTORE} is there and was not made by this step")
    );
    assert_eq!(stage.resolve("restore", drive()).await, Resolution::NotDone);
}

#[tokio::test(start_paused = true)]
async fn where_velero_was_never_set_up_it_is_said() {
    let stage = Stage::new();
    let (kind, message) = refused(stage.perform("restore", drive()).await);
    assert_eq!(kind, ErrorKind::NotFound);
    insta::assert_snapshot!(message, @"no Velero is set up in velero: the server could not find the requested resource");
    stage.east().seed(&definitions()).expect("seeded");
    let (kind, message) = refused(stage.perform("restore", drive()).await);
    assert_eq!(kind, ErrorKind::NotFound);
    insta::assert_snapshot!(message, @r#"no Velero is set up in velero: namespaces "velero" not found"#);
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_vanishes_is_no_success() {
    let stage = without_server();
    let work = played(&stage, drive(), vec![phase("InProgress")]);
    let lost = async {
        pass(3_000).await;
        stage.east().lose(&kind_of("Restore"), Some("velero"), RESTORE);
    };
    let (kind, message) = refused(tokio::join!(work, lost).0);
    assert_eq!(kind, ErrorKind::NotFound);
    assert_eq!(
        message,
        format!("Restore velero/{RESTORE} was deleted while Velero had it")
    );
}
