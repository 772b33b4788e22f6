//! Copies between stores.

use super::*;
use crate::effect::CopyPrefix;

fn copy(overwrite: bool) -> CopyPrefix {
    CopyPrefix {
        from: "vault".into(),
        to: "attic".into(),
        prefix: "backups/".into(),
        overwrite,
        sandbox: None,
    }
}

fn plant(stage: &Stage) {
    for (key, text) in [
        ("backups/b/manifest.json", "what is in it"),
        ("backups/b/b.tar.gz", "the archive"),
        ("backups/b/verified.json", "it is well"),
        ("other", "not meant"),
    ] {
        stage.store("vault").plant(key, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_brings_what_makes_a_backup_count_at_last() {
    let stage = Stage::new();
    plant(&stage);
    let receipt = stage.done("copy", Effect::CopyPrefix(copy(false))).await;
    insta::assert_snapshot!(receipt.summary, @"3 copied (34 bytes), 0 already there and equal");
    insta::assert_snapshot!(stage.said().join("\n"), @"
    copying backups/b/b.tar.gz (11 bytes)
    copying backups/b/manifest.json (13 bytes)
    copying backups/b/verified.json (10 bytes)
    ");
    let again = stage.done("copy", Effect::CopyPrefix(copy(false))).await;
    insta::assert_snapshot!(again.summary, @"0 copied (0 bytes), 3 already there and equal");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_differs_is_replaced_only_on_demand() {
    let stage = Stage::new();
    plant(&stage);
    stage.store("attic").plant("backups/b/b.tar.gz", "an archive.");
    let (kind, message) = refused(stage.perform("copy", Effect::CopyPrefix(copy(false))).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"another content is already there under backups/b/b.tar.gz; nothing was written");
    assert_eq!(stage.store("attic").keys().len(), 1);
    stage.done("copy", Effect::CopyPrefix(copy(true))).await;
    assert_eq!(
        stage.store("attic").peek("backups/b/b.tar.gz").expect("there"),
        "the archive"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_copies_beside_the_target() {
    let stage = Stage::new();
    plant(&stage);
    let effect = CopyPrefix {
        sandbox: Some("drill-4k2".into()),
        ..copy(false)
    };
    stage.done("copy", Effect::CopyPrefix(effect)).await;
    assert!(
        stage
            .store("attic")
            .keys()
            .iter()
            .all(|key| key.starts_with("attic-drill-4k2/"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_no_copy() {
    let stage = Stage::new();
    plant(&stage);
    stage.fails(vec![fault("vault", "get", "b.tar.gz", 1, FaultError::BrokenBody)]);
    assert_eq!(
        refused(stage.perform("copy", Effect::CopyPrefix(copy(false))).await).0,
        ErrorKind::LostReply
    );
    assert!(stage.store("attic").keys().is_empty());
    stage.done("copy", Effect::CopyPrefix(copy(false))).await;
}
