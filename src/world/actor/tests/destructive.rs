//! Restores that may delete: what they delete, what never, and what the plan says before.

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{Confinement, Existing, Fate, Meaning as _, RestoreObjects};
use crate::objects::Roster;

fn existing(name: &str, existing: Existing) -> RestoreObjects {
    RestoreObjects {
        existing,
        ..plain(name)
    }
}

/// The effect as a plan has it that was made now.
async fn planned(stage: &Stage, effect: RestoreObjects) -> RestoreObjects {
    let shown = preview(stage, effect.clone()).await.shown;
    RestoreObjects {
        shown: Some(shown),
        ..effect
    }
}

fn edit(stage: &Stage, kind_name: &str, name: &str, patch: &Value) {
    let edited = stage.west().edit(&kind(kind_name), Some("shop"), name, patch);
    edited.expect("edited");
}

fn uid_of(stage: &Stage, kind_name: &str, name: &str) -> String {
    let object = stage
        .west()
        .peek(&kind(kind_name), Some("shop"), name)
        .expect("there");
    object["metadata"]["uid"].as_str().expect("a uid").to_owned()
}

async fn restored() -> (Stage, String) {
    let stage = Stage::new();
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    pass(1000).await;
    (stage, name)
}

fn told(fates: &crate::effect::Fates, fate: Fate) -> String {
    let these = fates.iter().filter(|one| one.fate == fate);
    let lines: Vec<String> = these.map(|one| format!("{}: {}", one.id, one.why)).collect();
    lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn only_what_cannot_be_changed_in_place_is_made_again() {
    let (stage, name) = restored().await;
    edit(
        &stage,
        "ConfigMap",
        "settings",
        &json!({ "data": { "currency": "USD" } }),
    );
    // Nobody can do that in place; somebody deleted it and made another.
    stage.west().lose(&kind("RoleBinding"), Some("shop"), "web");
    let other = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "web", "namespace": "shop" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "other" }, "subjects": [],
    });
    stage.west().seed([&other]).expect("seeded");
    let (settings, binding) = (
        uid_of(&stage, "ConfigMap", "settings"),
        uid_of(&stage, "RoleBinding", "web"),
    );
    let refused = stage
        .perform("update", restore(existing(&name, Existing::Update)))
        .await;
    assert!(
        refused
            .expect_err("in place")
            .message
            .contains("field is immutable")
    );
    let fates = preview(&stage, existing(&name, Existing::Replace)).await.fates;
    insta::assert_snapshot!(told(&fates, Fate::Replace), @"RoleBinding shop/web: differs at metadata.labels; deleted and made again if it cannot be changed in place");
    let receipt = stage
        .done("replace", restore(existing(&name, Existing::Replace)))
        .await;
    insta::assert_snapshot!(receipt.summary, @"shop-2026-11-22t220001z: 1 replaced, 14 kept, 7 skipped");
    assert_eq!(uid_of(&stage, "ConfigMap", "settings"), settings);
    assert_ne!(uid_of(&stage, "RoleBinding", "web"), binding);
    assert_eq!(uids(&receipt.deleted), [binding.as_str()].into());
}

#[tokio::test(start_paused = true)]
async fn what_would_not_be_taken_as_new_is_not_deleted() {
    let (stage, name) = restored().await;
    stage.west().lose(&kind("RoleBinding"), Some("shop"), "web");
    let other = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "web", "namespace": "shop" }, "roleRef": { "name": "other" },
    });
    stage.west().seed([&other]).expect("seeded");
    stage.fails(vec![fault(
        "west",
        "check",
        "RoleBinding",
        1,
        FaultError::Forbidden,
    )]);
    let (_, message) = refused(
        stage
            .perform("replace", restore(existing(&name, Existing::Replace)))
            .await,
    );
    assert!(message.contains("apply RoleBinding shop/web"), "{message}");
    assert!(stage.west().audit().iter().all(|entry| entry.verb != "delete"));
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_delete_and_create_loses_nothing() {
    let (stage, name) = restored().await;
    stage.west().lose(&kind("RoleBinding"), Some("shop"), "web");
    let other = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "web", "namespace": "shop" }, "roleRef": { "name": "other" },
    });
    stage.west().seed([&other]).expect("seeded");
    stage.fails(vec![fault("west", "create", "RoleBinding", 1, FaultError::Busy)]);
    let (_, message) = refused(
        stage
            .perform("replace", restore(existing(&name, Existing::Replace)))
            .await,
    );
    insta::assert_snapshot!(message, @"1 of 15 objects could not be made, 0 not begun, 14 done: create RoleBinding shop/web: it was deleted and is not made again yet: too many requests, please try again later");
    stage
        .done("replace", restore(existing(&name, Existing::Replace)))
        .await;
    let binding = stage
        .west()
        .peek(&kind("RoleBinding"), Some("shop"), "web")
        .expect("there");
    assert_eq!(binding["roleRef"]["name"], "web");
}

fn extra(number: usize) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": format!("extra-{number}"), "namespace": "shop" } })
}

#[tokio::test(start_paused = true)]
async fn pruned_is_what_the_plan_shows_and_no_child_claim_or_unknown_kind() {
    let (stage, name) = restored().await;
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "theirs", "namespace": "shop" } });
    let budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "theirs", "namespace": "shop" } });
    let elsewhere = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "theirs", "namespace": "default" } });
    stage
        .west()
        .seed([&extra(1), &claim, &budget, &elsewhere])
        .expect("seeded");
    let effect = planned(&stage, existing(&name, Existing::Prune)).await;
    let fates = preview(&stage, existing(&name, Existing::Prune)).await.fates;
    insta::assert_snapshot!(told(&fates, Fate::Prune), @"ConfigMap shop/extra-1: it is not in the backup");
    let receipt = stage.done("prune", restore(effect)).await;
    insta::assert_snapshot!(receipt.summary, @"shop-2026-11-22t220001z: 1 pruned, 15 kept, 7 skipped");
    let audit = stage.west().audit();
    let deleted: Vec<_> = audit
        .iter()
        .filter(|entry| entry.verb == "delete")
        .map(|entry| &entry.name)
        .collect();
    assert_eq!(deleted, ["extra-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_restore_of_some_labels_prunes_only_what_has_them() {
    let (stage, name) = restored().await;
    let mut labelled = extra(1);
    labelled["metadata"]["labels"] = json!({ "app": "extra" });
    stage.west().seed([&labelled, &extra(2)]).expect("seeded");
    let mut some = existing(&name, Existing::Prune);
    some.selection.labels = serde_json::from_value(
        json!([{ "matchLabels": { "app": "extra" } }, { "matchLabels": { "app": "web" } }]),
    )
    .expect("selectors");
    let fates = preview(&stage, some).await.fates;
    let pruned = told(&fates, Fate::Prune);
    assert!(!pruned.contains("extra-2"), "{pruned}");
}

#[tokio::test(start_paused = true)]
async fn what_a_partial_backup_lacks_is_never_pruned() {
    let (stage, _) = restored().await;
    stage.west().seed([&extra(1)]).expect("seeded");
    let Effect::BackupObjects(mut some) = backup() else {
        unreachable!()
    };
    some.selection.kinds = vec!["configmaps".into()];
    pass(1000).await;
    let name = stage.done("capture", Effect::BackupObjects(some)).await.outputs["backup"].clone();
    let (kind, message) = refused(
        stage
            .perform("prune", restore(existing(&name, Existing::Prune)))
            .await,
    );
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"backup shop-2026-11-22t220003z holds only configmaps, so what it lacks is not pruned");
}

#[tokio::test(start_paused = true)]
async fn more_than_may_be_pruned_refuses_the_restore() {
    let (stage, name) = restored().await;
    let extras: Vec<Value> = (0..3).map(extra).collect();
    stage.west().seed(&extras).expect("seeded");
    let before = stage.west().audit().len();
    let few = RestoreObjects {
        prune_max: Some(2),
        ..existing(&name, Existing::Prune)
    };
    let fates = preview(&stage, few.clone()).await;
    assert_eq!((fates.count(Fate::Prune), fates.count(Fate::Refuse)), (0, 3));
    assert!(fates.shown.is_empty(), "what is refused may not go");
    // A plan of a run that was told to prune more does not help.
    let more = RestoreObjects {
        prune_max: Some(3),
        ..few.clone()
    };
    let shown = planned(&stage, more).await.shown;
    let few = RestoreObjects { shown, ..few };
    let (kind, message) = refused(stage.perform("prune", restore(few)).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"nothing was restored: ConfigMap shop/extra-0: it is not in the backup, like 3 objects; at most 2 are pruned (`pruneMax`)");
    assert_eq!(stage.west().audit().len(), before);
}

#[tokio::test(start_paused = true)]
async fn what_came_after_the_plan_is_not_pruned() {
    let (stage, name) = restored().await;
    stage.west().seed([&extra(1), &extra(2)]).expect("seeded");
    let effect = planned(&stage, existing(&name, Existing::Prune)).await;
    // One comes, and one is another one of the same name.
    stage.west().lose(&kind("ConfigMap"), Some("shop"), "extra-2");
    stage.west().seed([&extra(2), &extra(3)]).expect("seeded");
    let receipt = stage.done("prune", restore(effect)).await;
    insta::assert_snapshot!(receipt.summary, @"shop-2026-11-22t220001z: 1 pruned, 15 kept, 7 skipped");
    assert_eq!(receipt.deleted.get(0).unwrap().id.name, "extra-1");
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"not in the backup and not shown by the plan, so left as it is: ConfigMap shop/extra-2, ConfigMap shop/extra-3");
    let there = |name: &str| {
        stage
            .west()
            .peek(&kind("ConfigMap"), Some("shop"), name)
            .is_some()
    };
    assert!(there("extra-2") && there("extra-3") && !there("extra-1"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pruned_that_no_plan_could_show() {
    let (stage, name) = restored().await;
    stage.west().seed([&extra(1)]).expect("seeded");
    let unshown = existing(&name, Existing::Prune);
    let receipt = stage.done("prune", restore(unshown)).await;
    assert_eq!(receipt.deleted, Roster::default());
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"not in the backup, which was still to be made when the plan was shown, so left as it is: ConfigMap shop/extra-1");
}

#[tokio::test(start_paused = true)]
async fn another_object_than_the_plan_showed_is_not_made_again() {
    let (stage, name) = restored().await;
    let other = |role: &str| {
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": { "name": "web", "namespace": "shop" }, "roleRef": { "name": role } })
    };
    let swap = |role: &str| {
        stage.west().lose(&kind("RoleBinding"), Some("shop"), "web");
        stage.west().seed([&other(role)]).expect("seeded");
    };
    swap("other");
    let effect = planned(&stage, existing(&name, Existing::Replace)).await;
    swap("newer");
    let newer = uid_of(&stage, "RoleBinding", "web");
    let (kind, message) = refused(stage.perform("replace", restore(effect)).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"1 of 15 objects could not be made, 0 not begun, 14 done: delete RoleBinding shop/web: it cannot be changed in place, and the plan showed another object under this name");
    assert_eq!(uid_of(&stage, "RoleBinding", "web"), newer);
    let effect = planned(&stage, existing(&name, Existing::Replace)).await;
    let receipt = stage.done("again", restore(effect)).await;
    assert_eq!(uids(&receipt.deleted), [newer.as_str()].into());
}

#[test]
fn what_may_delete_says_so_and_a_drill_does_without() {
    for deletes in [Existing::Replace, Existing::Prune] {
        let mut effect = existing("shop-1", deletes);
        assert!(effect.destructive());
        assert_eq!(effect.line().symbol.glyph(), '!');
        assert!(effect.permissions().iter().any(|one| one.verb == "delete"));
        let Confinement::Confined(notes) = effect.confine(&sandbox()) else {
            panic!("confined")
        };
        assert!(
            notes
                .iter()
                .any(|note| note.contains("nothing is replaced or pruned")),
            "{notes:?}"
        );
        assert_eq!(effect.existing, Existing::Keep);
    }
    assert!(
        plain("shop-1")
            .permissions()
            .iter()
            .all(|one| one.verb != "delete")
    );
}
