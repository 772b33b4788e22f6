//! What a comparison tells of two backups and of a site, and what it keeps to itself.

use serde_json::json;

use super::kit::*;
use super::*;
use crate::effect::{CompareObjects, OtherSide};
use crate::text::Text;

fn compare(before: &str, with: OtherSide) -> CompareObjects {
    CompareObjects {
        store: "vault".into(),
        backup: Text::known(before),
        with,
        namespaces: vec!["shop".into()],
        expected: None,
    }
}

fn other(name: &str) -> OtherSide {
    OtherSide::Backup {
        store: "vault".into(),
        backup: Text::known(name),
    }
}

async fn compared(stage: &Stage, effect: CompareObjects) -> Result<Receipt, WorldError> {
    stage.perform("differences", Effect::CompareObjects(effect)).await
}

fn outputs(receipt: &Receipt) -> String {
    let one = |(name, value): (&String, &String)| format!("{name}={value}");
    receipt.outputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Somebody who is not us was here: one object more, one less, two different.
fn intrude(stage: &Stage) {
    let east = stage.east();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "helper", "namespace": "shop" },
        "spec": { "schedule": "*/5 * * * *", "jobTemplate": { "spec": { "template": { "spec": {
            "containers": [{ "name": "helper", "image": "registry.example/tools:1" }] } } } } },
    });
    east.seed([&job]).expect("seeded");
    east.lose(&kind("Role"), Some("shop"), "web");
    let image = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": "registry.example/other:1" }] } } } });
    east.edit(&kind("Deployment"), Some("shop"), "web", &image)
        .expect("edited");
    let key = json!({ "data": { "key": "c3RvbGVuLXNlY3JldA==" } });
    east.edit(&kind("Secret"), Some("shop"), "payments", &key)
        .expect("edited");
}

#[tokio::test(start_paused = true)]
async fn what_came_went_and_changed_is_named_with_its_places_and_without_its_values() {
    let stage = Stage::new();
    let before = captured(&stage).await;
    intrude(&stage);
    let after = captured(&stage).await;
    let receipt = compared(&stage, compare(&before, other(&after)))
        .await
        .expect("compared");
    insta::assert_snapshot!(receipt.found.join("\n"), @"
    + CronJob shop/helper
    - Role shop/web
    ~ Deployment shop/web: spec.template.spec.containers[0].image
    ~ Secret shop/payments: data.key
    ");
    let equal = receipt.outputs["equal"].parse::<u32>().expect("a number");
    assert!(equal > 8, "{receipt:?}");
    assert_eq!(
        outputs(&receipt),
        format!("added=1 changed=2 differences=4 equal={equal} removed=1")
    );
    assert_eq!(
        receipt.summary,
        format!("{before} → {after}: 1 added, 1 removed, 2 changed, {equal} equal")
    );
    let all = serde_json::to_string(&receipt).expect("JSON");
    assert!(
        !all.contains("c3RvbGVuLXNlY3JldA") && !all.contains("bm90LWEta2V5"),
        "{all}"
    );
    assert!(
        receipt
            .skipped
            .iter()
            .any(|one| one.contains("its owner makes it again")),
        "pods are counted and not compared: {receipt:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_site_is_compared_as_it_is_and_nothing_is_changed_anywhere() {
    let stage = Stage::new();
    let before = captured(&stage).await;
    let live = || OtherSide::Site("east".into());
    let receipt = compared(&stage, compare(&before, live()))
        .await
        .expect("compared");
    assert_eq!(
        (receipt.found.len(), receipt.outputs["differences"].as_str()),
        (0, "0")
    );
    let keys = stage.store("vault").keys();
    intrude(&stage);
    let receipt = compared(&stage, compare(&before, live()))
        .await
        .expect("compared");
    assert_eq!(receipt.outputs["differences"], "4");
    assert_eq!(stage.store("vault").keys(), keys);
    assert!(stage.east().audit().is_empty(), "the audit list has every change");
    let receipt = compared(&stage, compare(&before, OtherSide::Site("west".into())))
        .await
        .expect("compared");
    assert_eq!(
        (
            receipt.outputs["equal"].as_str(),
            receipt.outputs["added"].as_str()
        ),
        ("0", "0"),
        "a site without the namespace has lost all of it: {receipt:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn only_what_may_differ_may_differ() {
    let stage = Stage::new();
    let before = captured(&stage).await;
    let expecting = |names: &[&str]| CompareObjects {
        expected: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..compare(&before, OtherSide::Site("east".into()))
    };
    compared(&stage, expecting(&[]))
        .await
        .expect("nothing differs yet");
    intrude(&stage);
    let (kind, message) = refused(compared(&stage, expecting(&["Secret/*", "Deployment/shop/web"])).await);
    assert_eq!(kind, ErrorKind::Rejected);
    assert_eq!(
        message,
        format!(
            "{before} → east as it is: 2 objects may not differ and do: + CronJob shop/helper, - Role shop/web"
        )
    );
    let all = [
        "Secret/*",
        "Deployment/shop/web",
        "CronJob/shop/*",
        "Role/shop/web",
    ];
    let receipt = compared(&stage, expecting(&all)).await.expect("all are expected");
    assert_eq!(receipt.outputs["differences"], "4");
}

#[tokio::test(start_paused = true)]
async fn only_the_named_namespaces_are_compared() {
    let stage = Stage::new();
    let note = |text: &str| {
        [
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "office" } }),
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "note", "namespace": "office" },
                    "data": { "text": text } }),
        ]
    };
    stage.east().seed(&note("one")).expect("seeded");
    let both = || {
        let Effect::BackupObjects(mut effect) = backup() else {
            unreachable!("a backup")
        };
        effect.selection.namespaces = vec!["office".into(), "shop".into()];
        Effect::BackupObjects(effect)
    };
    let mut names = Vec::new();
    for text in ["one", "two"] {
        let patch = json!({ "data": { "text": text } });
        stage
            .east()
            .edit(&kind("ConfigMap"), Some("office"), "note", &patch)
            .expect("edited");
        pass(1000).await;
        names.push(stage.done(text, both()).await.outputs["backup"].clone());
    }
    let within = |namespace: &str| CompareObjects {
        namespaces: vec![namespace.into()],
        ..compare(&names[0], other(&names[1]))
    };
    let shop = compared(&stage, within("shop")).await.expect("compared");
    assert_eq!(shop.found, [""; 0]);
    let office = compared(&stage, within("off*")).await.expect("compared");
    assert_eq!(office.found, ["~ ConfigMap office/note: data.text"]);
    let live = CompareObjects {
        with: OtherSide::Site("east".into()),
        ..within("office")
    };
    let live = compared(&stage, live).await.expect("compared");
    assert_eq!(live.outputs["equal"], office.outputs["equal"]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_not_what_was_written_is_compared_with_nothing() {
    let stage = Stage::new();
    let before = captured(&stage).await;
    let after = captured(&stage).await;
    let receipt = compared(&stage, compare(&before, other(&before)))
        .await
        .expect("compared");
    assert!(
        receipt
            .summary
            .starts_with(&format!("{before} → itself: 0 added")),
        "{receipt:?}"
    );
    for broken in [&before, &after] {
        let archive = keys(broken).archive();
        let size = stage.store("vault").peek(&archive).expect("an archive").len();
        assert!(stage.store("vault").damage(&archive, size / 2));
        let (kind, message) = refused(compared(&stage, compare(&before, other(&after))).await);
        assert_eq!(kind, ErrorKind::Damaged, "{message}");
        assert!(stage.store("vault").damage(&archive, size / 2), "and back again");
    }
    let (kind, message) = refused(compared(&stage, compare(&before, other("shop-never"))).await);
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::NotFound, "there is no backup shop-never")
    );
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_bounded_however_much_differs() {
    let stage = Stage::new();
    let before = captured(&stage).await;
    let site = || OtherSide::Site("east".into());
    let key = "k".repeat(250);
    let data: serde_json::Map<_, _> = (0..30).map(|at| (format!("{key}-{at}"), json!("x"))).collect();
    let patch = json!({ "data": data });
    stage
        .east()
        .edit(&kind("ConfigMap"), Some("shop"), "settings", &patch)
        .expect("edited");
    let receipt = compared(&stage, compare(&before, site()))
        .await
        .expect("compared");
    let line = &receipt.found[0];
    assert!(
        line.chars().count() == 502
            && line.starts_with("~ ConfigMap shop/settings: data.k")
            && line.ends_with(" …"),
        "{line}"
    );
    let many = (0..250).map(|number| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("ransom-note-{number:03}"), "namespace": "shop" } })
    });
    stage.east().seed(&many.collect::<Vec<_>>()).expect("seeded");
    let receipt = compared(&stage, compare(&before, site()))
        .await
        .expect("compared");
    assert_eq!(receipt.outputs["differences"], "251");
    assert_eq!(receipt.found.len(), 101);
    assert_eq!(
        receipt.found[100],
        "and 151 more: lifeboat backup diff names all of them"
    );
}
