//! Backups: complete or none, read back, chosen, damaged, and Velero's.

use serde_json::json;

use super::kit::*;
use super::*;
use crate::effect::{BackupName, BackupObjects, OpenSandbox, Selection};

#[tokio::test(start_paused = true)]
async fn a_backup_is_read_back_and_says_what_it_holds() {
    let stage = Stage::new();
    assert_eq!(seen(&stage, BackupName::LatestVerified).await, None);
    let inventory = Query::Inventory {
        site: "east".into(),
        selection: selection(),
    };
    let Seen::Counts(counts) = stage.read(inventory.clone()).await else {
        panic!("counts")
    };
    pass(1000).await;
    assert_eq!(
        stage.read(inventory).await,
        Seen::Counts(counts.clone()),
        "pods come and go"
    );
    let receipt = stage.done("capture", backup()).await;
    insta::assert_snapshot!(stage.said().join("\n"), @"
    reading shop
    reading 22 objects back
    ");
    let found = seen(&stage, BackupName::LatestVerified).await.expect("one");
    assert_eq!(found.consistent_at, receipt.consistent_at.expect("a moment"));
    assert_eq!(found.consistent_at.to_string(), "2026-11-22T22:00:01.016Z");
    assert!(found.verified_at.expect("verified") > found.consistent_at);
    insta::assert_snapshot!(format!("{:?}", found.objects), @r#"{"": 2, "shop": 20}"#);
    insta::assert_snapshot!(format!("{counts:?}"), @r#"Counts { count: 15, bytes: None, of: {"campaigns.shop.example": 1, "configmaps": 1, "cronjobs.batch": 1, "customresourcedefinitions.apiextensions.k8s.io": 1, "deployments.apps": 1, "ingresses.networking.k8s.io": 1, "namespaces": 1, "persistentvolumeclaims": 1, "rolebindings.rbac.authorization.k8s.io": 1, "roles.rbac.authorization.k8s.io": 1, "secrets": 1, "serviceaccounts": 1, "services": 2, "statefulsets.apps": 1}, notes: [] }"#);
    let Resolution::Done(again) = stage.resolve("capture", backup()).await else {
        panic!("it is there")
    };
    assert_eq!(*again, receipt);
    assert_eq!(stage.resolve("another", backup()).await, Resolution::NotDone);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_archive_is_refused_before_the_first_change() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let archive = keys(&name).archive();
    let size = stage.store("vault").peek(&archive).expect("an archive").len();
    for offset in [0, 200, size / 2, size - 1] {
        assert!(stage.store("vault").damage(&archive, offset));
        let error = stage
            .perform("restore", restore(plain(&name)))
            .await
            .expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Damaged, "byte {offset}: {error}");
        assert!(stage.store("vault").damage(&archive, offset), "and back again");
    }
    assert!(stage.west().audit().is_empty());
    stage.done("restore", restore(plain(&name))).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_verified_is_never_the_latest_verified() {
    let stage = Stage::new();
    let first = captured(&stage).await;
    let second = captured(&stage).await;
    assert_eq!(
        seen(&stage, BackupName::LatestVerified).await.expect("one").name,
        second
    );
    let verified = keys(&second).verified();
    let proof = stage.store("vault").peek(&verified).expect("a proof");
    assert!(stage.store("vault").damage(&verified, proof.len() / 2));
    let older = seen(&stage, BackupName::LatestVerified).await.expect("one");
    assert_eq!(older.name, first);
    assert_eq!(
        older.passed_over,
        [format!(
            "{second}: nothing proves that it was read back and is whole"
        )]
    );
    let latest = seen(&stage, BackupName::Latest).await.expect("one");
    assert_eq!(
        (latest.name.as_str(), latest.verified_at),
        (second.as_str(), None)
    );
    stage.store("vault").plant(
        &verified,
        stage
            .store("vault")
            .peek(&keys(&first).verified())
            .expect("a proof"),
    );
    assert_eq!(
        seen(&stage, BackupName::LatestVerified).await.expect("one").name,
        first,
        "another's proof"
    );
    stage.store("vault").plant(&verified, proof);
    assert!(stage.store("vault").damage(&keys(&second).manifest(), 100));
    let found = seen(&stage, BackupName::LatestVerified).await.expect("one");
    assert_eq!(found.name, first);
    assert!(
        found.passed_over[0].starts_with(&format!("{second}: ")),
        "{:?}",
        found.passed_over
    );
    let other = Query::Backup {
        store: "vault".into(),
        backup: BackupName::LatestVerified,
        namespaces: vec!["other".into()],
    };
    assert_eq!(stage.read(other).await, Seen::Backup(None));
}

/// A year, a phase, a name: nothing protects `velero-backup.json`, and nothing may depend on it.
#[tokio::test(start_paused = true)]
async fn no_bit_of_a_record_makes_another_backup_the_latest() {
    let stage = Stage::new();
    let tiny = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "tiny" } });
    stage.east().seed([&tiny]).expect("seeded");
    let Effect::BackupObjects(mut effect) = backup() else {
        unreachable!()
    };
    effect.selection.namespaces = vec!["tiny".into()];
    let mut names = Vec::new();
    for _ in 0..2 {
        pass(1000).await;
        let made = stage.done("capture", Effect::BackupObjects(effect.clone())).await;
        names.push(made.outputs["backup"].clone());
    }
    let latest = async || {
        let query = Query::Backup {
            store: "vault".into(),
            backup: BackupName::LatestVerified,
            namespaces: vec!["tiny".into()],
        };
        stage.read(query).await
    };
    let before = latest().await;
    assert!(matches!(&before, Seen::Backup(Some(found)) if found.name == names[1]));
    for key in names.iter().map(|name| keys(name).velero_backup()) {
        let record = stage.store("vault").peek(&key).expect("a record");
        for at in 0..record.len() {
            // A digit becomes another one, a letter its other case, a quote something else.
            for flip in [0x01, 0x04, 0x20] {
                let mut changed = record.to_vec();
                changed[at] ^= flip;
                stage.store("vault").plant(&key, changed);
                assert_eq!(latest().await, before, "byte {at} of {key} ^ {flip:#x}");
            }
        }
        stage.store("vault").erase(&key);
        assert_eq!(latest().await, before, "{key}");
        stage.store("vault").plant(&key, record);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proof_without_its_archive_proves_nothing() {
    let stage = Stage::new();
    let first = captured(&stage).await;
    let second = captured(&stage).await;
    stage.store("vault").erase(&keys(&second).archive());
    let found = seen(&stage, BackupName::LatestVerified).await.expect("one");
    assert_eq!(found.name, first);
    assert!(
        found.passed_over[0].ends_with("it is missing"),
        "{:?}",
        found.passed_over
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_breaks_off_never_counts() {
    for (what, nth) in [
        ("tar.gz", 1),
        ("logs.gz", 1),
        ("velero-backup.json", 1),
        ("manifest.json", 1),
        ("verified.json", 1),
    ] {
        let stage = Stage::new();
        stage.fails(vec![fault(
            "vault",
            "put",
            what,
            nth,
            FaultError::LostReplyBefore,
        )]);
        assert_eq!(
            refused(stage.perform("capture", backup()).await).0,
            ErrorKind::LostReply,
            "{what}"
        );
        assert_eq!(seen(&stage, BackupName::LatestVerified).await, None, "{what}");
        assert_eq!(
            stage.resolve("capture", backup()).await,
            Resolution::NotDone,
            "{what}"
        );
        pass(1000).await;
        stage.done("capture", backup()).await;
    }
    let stage = Stage::new();
    stage.fails(vec![fault(
        "vault",
        "put",
        "verified.json",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    assert_eq!(
        refused(stage.perform("capture", backup()).await).0,
        ErrorKind::LostReply
    );
    assert!(
        matches!(stage.resolve("capture", backup()).await, Resolution::Done(_)),
        "only its reply was lost"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_complete_or_it_is_none() {
    let stage = Stage::new();
    stage.fails(vec![fault("east", "list", "Secret", 1, FaultError::Forbidden)]);
    let (kind, message) = refused(stage.perform("capture", backup()).await);
    assert_eq!(kind, ErrorKind::Forbidden);
    insta::assert_snapshot!(message, @"cannot list secrets in shop: not allowed by a rule of this simulation");
    stage.fails(vec![fault("east", "discover", "", 1, FaultError::Busy)]);
    assert_eq!(
        refused(stage.perform("capture", backup()).await).0,
        ErrorKind::Busy
    );
    let Effect::BackupObjects(effect) = backup() else {
        unreachable!()
    };
    let nothing = Selection {
        namespaces: vec!["shopp".into()],
        ..Selection::default()
    };
    let typo = Effect::BackupObjects(BackupObjects {
        selection: nothing,
        ..effect
    });
    assert_eq!(
        refused(stage.perform("capture", typo).await),
        (ErrorKind::NotFound, "there is no namespace shopp".into())
    );
    assert!(stage.store("vault").keys().is_empty());
}

/// The same bytes as Velero would have left them: no manifest, no mark of ours.
fn as_veleros(stage: &Stage, name: &str, phase: &str) {
    let vault = stage.store("vault");
    let mut record: serde_json::Value =
        serde_json::from_slice(&vault.peek(&keys(name).velero_backup()).expect("a record")).expect("JSON");
    record["metadata"]["labels"] = json!({});
    record["status"]["phase"] = phase.into();
    vault.plant(&keys(name).velero_backup(), record.to_string());
    vault.erase(&keys(name).manifest());
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_velero_is_restored_and_never_called_verified() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    as_veleros(&stage, &name, "Completed");
    assert_eq!(seen(&stage, BackupName::LatestVerified).await, None);
    let latest = seen(&stage, BackupName::Latest).await.expect("one");
    assert_eq!(
        (latest.writer.as_str(), latest.consistent_at.to_string().as_str()),
        ("velero", "2026-11-22T22:00:01Z")
    );
    let receipt = stage.done("restore", restore(plain(&name))).await;
    assert_eq!(receipt.created.len(), 15);
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"nobody recorded checksums of shop-2026-11-22t220001z: that it is what was written is not known");
    as_veleros(&stage, &name, "PartiallyFailed");
    assert_eq!(
        seen(&stage, BackupName::Latest).await,
        None,
        "half of it is for people to choose"
    );
    let named = seen(&stage, BackupName::Named(name.clone())).await.expect("one");
    insta::assert_snapshot!(named.errors.join("\n"), @"Velero says PartiallyFailed and names no error");
    as_veleros(&stage, &name, "InProgress");
    let error = stage
        .perform("restore", restore(plain(&name)))
        .await
        .expect_err("refused");
    insta::assert_snapshot!(error.message, @"backup shop-2026-11-22t220001z cannot be used: Velero says InProgress: it was not finished");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_scoped_object_cannot_pass_for_one_of_the_drills() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    let mut archive =
        crate::archive::Writer::new(Vec::new(), "2026-11-22T22:00:00Z".parse().expect("a time"))
            .expect("begun");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "everything", "namespace": "shop" }, "rules": [],
    });
    let pretends = ApiKind {
        namespaced: true,
        ..kind("ClusterRole")
    };
    archive.append(&pretends, role).expect("written");
    let (bytes, _) = archive.finish().expect("finished");
    stage.store("vault").plant(&keys(&name).archive(), bytes);
    as_veleros(&stage, &name, "Completed");
    stage
        .done("open", Effect::OpenSandbox(OpenSandbox { sandbox: sandbox() }))
        .await;
    let receipt = stage.done("restore", restore(confined(&name))).await;
    insta::assert_snapshot!(receipt.skipped.join("\n"), @"ClusterRole shop-drill-4k2/everything: it is cluster-scoped: a drill keeps to namespaces of its own");
    assert!(receipt.created.is_empty());
    let unconfined = stage.perform("restore", restore(plain(&name))).await;
    assert!(unconfined.is_err(), "nor for one of the namespace");
    assert!(
        stage
            .west()
            .peek(&kind("ClusterRole"), None, "everything")
            .is_none()
    );
}
