//! What a restore that changes objects makes outside of namespaces, and whom it gives power.

use serde_json::{Value, json};

use super::kit::*;
use super::outside::*;
use super::*;
use crate::effect::{ClusterScoped, Fate, RestoreObjects};
use crate::objects::Risk;

/// The restore of `web` with this changed on the way.
fn changed(effect: RestoreObjects, changes: Value) -> RestoreObjects {
    let changes = serde_json::from_value(changes).expect("changes");
    RestoreObjects { changes, ..effect }
}

#[tokio::test(start_paused = true)]
async fn related_is_what_objects_name_after_they_were_changed() {
    let (stage, name) = with_platform_of(Stage::new()).await;
    let elsewhere =
        json!({ "map": { "namespaces": { "web": "web-eu" }, "storageClasses": { "fast": "idle" } } });
    let effect = changed(of_web(&name, ClusterScoped::Related, &ALL), elsewhere);
    let plan = preview(&stage, effect.clone()).await;
    assert_eq!(plan.count(Fate::Refuse), 0, "{}", lines(&plan, |_| true));
    stage.done("restore", restore(effect)).await;
    assert!(there(&stage, "StorageClass", "idle") && !there(&stage, "StorageClass", "fast"));
    let of = |kind_name: &str, name: &str| stage.west().peek(&kind(kind_name), None, name).expect("there");
    assert_eq!(
        of("ClusterRoleBinding", "runner-reads")["subjects"][0]["namespace"],
        "web-eu"
    );
    let hook = of("ValidatingWebhookConfiguration", "hook");
    assert_eq!(
        hook["webhooks"][0]["clientConfig"]["service"]["namespace"],
        "web-eu"
    );
}

#[tokio::test(start_paused = true)]
async fn a_patch_gives_nobody_power_without_a_word() {
    let stage = Stage::new();
    let objects = [
        namespace("web"),
        binding(
            "RoleBinding",
            Some("web"),
            "b",
            ("Role", "r"),
            &account("web", "runner"),
        ),
    ];
    let name = backed_up(&stage, &objects, json!({ "namespaces": ["web"] })).await;
    let patch = json!({ "rules": [{ "name": "change 1", "when": { "kinds": ["rolebindings.rbac.authorization.k8s.io"] },
        "patch": { "merge": [{ "subjects": [{ "kind": "User", "name": "eve" }] }] } }] });
    let of = |allow: &[(Risk, &str)]| changed(of_web(&name, ClusterScoped::Related, allow), patch.clone());
    let plan = preview(&stage, of(&[])).await;
    insta::assert_snapshot!(lines(&plan, |fate| fate == Fate::Refuse), @"Refuse RoleBinding web/b: it gives rights to User eve, outside of this restore; to allow it: {risk: outside-subjects, objects: [RoleBinding/web/b], because: …}; change 1: subjects[0].namespace, subjects[0].kind, subjects[0].name");
    let allowed = preview(&stage, of(&[(Risk::OutsideSubjects, "RoleBinding/web/b")])).await;
    assert_eq!(allowed.count(Fate::Refuse), 0);
}

#[tokio::test(start_paused = true)]
async fn a_map_that_does_not_fit_what_a_pattern_stands_for_is_refused_when_the_backup_is_read() {
    let stage = Stage::new();
    let objects = [namespace("web"), namespace("web-eu")];
    let name = backed_up(&stage, &objects, json!({ "namespaces": ["web*"] })).await;
    let map = json!({ "map": { "namespaces": { "web": "web-eu" } } });
    let effect = RestoreObjects {
        selection: selected(json!({ "namespaces": ["web*"] })),
        ..changed(plain(&name), map)
    };
    let before = stage.west().audit().len();
    let error = stage.perform("restore", restore(effect)).await.unwrap_err();
    assert_eq!(error.message, "two namespaces would become `web-eu`");
    let written = stage.west().audit().into_iter().skip(before);
    assert_eq!(
        written
            .filter(|one| one.verb != "get" && one.verb != "list")
            .count(),
        0
    );
}
