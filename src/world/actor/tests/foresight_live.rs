//! Plans and rehearsals against the lab: what a plan says beforehand is what the API server's own audit
//! log counts afterwards, and a rehearsal changes nothing. Nobody else may use the lab's account meanwhile.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kit::{plain, restore};
use super::live::{attempt, remove, requests, west_with};
use super::{kind, pass};
use crate::effect::{
    Actor as _, Delete, Effect, Existing, Observer as _, Query, Rehearsal, Rehearsed, Rehearser as _,
    RestoreObjects, RestorePreview, Scale, Seen, Selection, Would,
};
use crate::objects::ObjectId;
use crate::world::actor::{Understudy, World};
use crate::world::lab::{Lab, fresh};
use crate::world::port::Cluster;

async fn preview(world: &World, effect: &RestoreObjects) -> RestorePreview {
    match world
        .read(&Query::Restore(Box::new(effect.clone())))
        .await
        .unwrap()
    {
        Seen::Restore(preview) => std::sync::Arc::unwrap_or_clone(preview),
        other => panic!("{other:?}"),
    }
}

/// What is there, each with what changes with every write.
async fn versions(cluster: &dyn Cluster, place: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in [
        "ConfigMap",
        "Secret",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "Service",
        "PersistentVolumeClaim",
    ] {
        for object in cluster.list(&kind(name), Some(place)).await.unwrap() {
            let text = |pointer: &str| object.pointer(pointer).unwrap().to_string();
            let id = format!("{name} {}", text("/metadata/name"));
            found.insert(id, text("/metadata/uid") + &text("/metadata/resourceVersion"));
        }
    }
    // Their status is written by controllers all the time; their generation only by a change of the spec.
    for object in cluster.list(&kind("Deployment"), Some(place)).await.unwrap() {
        let text = |pointer: &str| object.pointer(pointer).unwrap().to_string();
        found.insert(
            text("/metadata/name"),
            text("/metadata/uid") + &text("/metadata/generation"),
        );
    }
    found
}

fn fixture() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/velero-1.18.3")
}

fn effect(place: &str, existing: Existing) -> RestoreObjects {
    RestoreObjects {
        namespaces: vec![("shop".into(), place.to_owned())],
        existing,
        // Its node port is the same in every copy of the namespace.
        selection: Selection {
            exclude: vec!["services".into()],
            ..plain("shop-a").selection
        },
        ..plain("shop-a")
    }
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn gone(west: &dyn Cluster, place: &str, kind_name: &str, name: &str) {
    let found = west
        .get(&kind(kind_name), Some(place), name)
        .await
        .unwrap()
        .unwrap();
    west.delete(&kind(kind_name), Some(place), name, &uid(&found))
        .await
        .unwrap();
}

async fn free_and_remove(west: &dyn Cluster, place: &str) {
    let coupons = crate::objects::ApiKind {
        group: "shop.example.com".into(),
        version: "v1".into(),
        kind: "Coupon".into(),
        plural: "coupons".into(),
        namespaced: true,
    };
    let free = json!({ "metadata": { "finalizers": null } });
    // There may be none.
    let _ = west.patch(&coupons, Some(place), "spring", None, &free).await;
    remove(west, &[place.to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_plan_counts_exactly_the_requests_that_the_audit_log_has() {
    let lab = Lab::open().await;
    let (west, world) = west_with(&lab, &fixture()).await;
    let place = fresh("foresight");
    let effects = [
        ("all new", effect(&place, Existing::Keep)),
        ("all there", effect(&place, Existing::Update)),
        ("one is changed", effect(&place, Existing::Update)),
    ];
    for (what, effect) in effects {
        if what == "one is changed" {
            let change = json!({ "data": { "currency": "changed" } });
            let maps = west.list(&kind("ConfigMap"), Some(&place)).await.unwrap();
            let name = maps
                .iter()
                .map(|one| one["metadata"]["name"].as_str().unwrap())
                .find(|name| *name != "kube-root-ca.crt");
            west.patch(&kind("ConfigMap"), Some(&place), name.unwrap(), None, &change)
                .await
                .unwrap();
        }
        let seen = preview(&world, &effect).await;
        let work = seen.work.unwrap();
        let before = requests(&lab).await.len();
        let receipt = world.perform(&restore(effect), &attempt()).await.unwrap();
        let spent = requests(&lab).await.len() - before;
        println!("{what}: planned {work:?}, audit log {spent}; {}", receipt.summary);
        for lack in &seen.lacks {
            println!("  lacks: {}", lack.sentence());
        }
        if work.waits == 0 {
            assert_eq!(work.requests(), spent as u64, "{what}");
        } else {
            assert!(work.requests() <= spent as u64, "{what}");
        }
    }
    free_and_remove(&*west, &place).await;
}

/// Takes two objects away, changes one, and leaves no room; gives the name of the ConfigMap that is gone.
async fn disturb(west: &dyn Cluster, place: &str) -> String {
    let maps = west.list(&kind("ConfigMap"), Some(place)).await.unwrap();
    let mut names = maps.iter().map(|one| one["metadata"]["name"].as_str().unwrap());
    let others = ["kube-root-ca.crt", "child"];
    let map = names.find(|name| !others.contains(name)).unwrap().to_owned();
    gone(west, place, "ConfigMap", &map).await;
    gone(west, place, "RoleBinding", "web").await;
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "tight", "namespace": place },
                        "spec": { "hard": { "count/configmaps": "1" } } });
    west.create(&kind("ResourceQuota"), &quota).await.unwrap();
    let scaled = json!({ "spec": { "replicas": 1 } });
    west.patch(&kind("Deployment"), Some(place), "web", None, &scaled)
        .await
        .unwrap();
    // Until the quota has counted and nothing moves any more.
    pass(4000).await;
    map
}

/// Every request that could change something was a dry run; how many there were.
fn only_asked(sent: &[Value]) -> usize {
    let writing = |line: &&Value| !matches!(line["verb"].as_str().unwrap(), "get" | "list" | "watch");
    let writes: Vec<&Value> = sent.iter().filter(writing).collect();
    for line in &writes {
        let asked = line["requestURI"].as_str().unwrap().contains("dryRun=All");
        let in_body = line.pointer("/requestObject/dryRun/0") == Some(&json!("All"));
        assert!(asked || in_body, "only dry runs: {line}");
    }
    writes.len()
}

async fn ask(world: &World, effect: Effect) -> Vec<Rehearsed> {
    match Understudy::of(world.clone()).rehearse(&effect).await.unwrap() {
        Rehearsal::Asked(answers) => answers,
        Rehearsal::Whole { .. } => panic!("not object by object"),
        Rehearsal::Not(why) => panic!("{why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_rehearsal_in_an_empty_cluster_says_what_it_cannot_ask() {
    let lab = Lab::open().await;
    let (_, world) = west_with(&lab, &fixture()).await;
    let place = fresh("rehearsal");
    let seen = requests(&lab).await.len();
    let answers = ask(&world, restore(effect(&place, Existing::Keep))).await;
    let unknown = answers
        .iter()
        .filter(|one| matches!(one.answer, Would::Unknown(_)))
        .count();
    println!("{} answers, {unknown} could not be asked", answers.len());
    assert!(unknown > 5, "{answers:#?}");
    assert_eq!(unknown + 1, answers.len(), "all but the namespace: {answers:#?}");
    assert_eq!(only_asked(&requests(&lab).await.split_off(seen)), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_rehearsal_asks_about_everything_and_changes_nothing() {
    let lab = Lab::open().await;
    let (west, world) = west_with(&lab, &fixture()).await;
    let place = fresh("rehearsal");
    let made = restore(effect(&place, Existing::Keep));
    world.perform(&made, &attempt()).await.unwrap();
    let map = disturb(&*west, &place).await;
    let (before, seen) = (versions(&*west, &place).await, requests(&lab).await.len());
    let update = effect(&place, Existing::Update);
    let mut answers = ask(&world, restore(update.clone())).await;
    let web = ObjectId {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some(place.clone()),
        name: "web".into(),
    };
    let scale = Scale {
        site: "west".into(),
        id: web.clone(),
        from: 1,
        to: 0,
    };
    let delete = Delete {
        site: "west".into(),
        id: web,
        missing_ok: false,
    };
    let of = |name: &str| {
        answers
            .iter()
            .find(|one| one.id.name == name)
            .unwrap()
            .answer
            .clone()
    };
    assert!(
        matches!(of(&map), Would::Refuse(why) if why.contains("exceeded quota")),
        "{answers:#?}"
    );
    let binding = answers.iter().find(|one| one.id.kind == "RoleBinding").unwrap();
    assert_eq!(binding.answer, Would::Accept);
    for effect in [Effect::Scale(scale), Effect::Delete(delete)] {
        let answer = ask(&world, effect).await;
        assert_eq!(answer[0].answer, Would::Accept);
        answers.extend(answer);
    }
    for one in &answers {
        println!("{} {}: {:?}", one.request, one.id, one.answer);
    }
    let after = versions(&*west, &place).await;
    assert_eq!(after, before, "a rehearsal changes nothing");
    let sent = requests(&lab).await.split_off(seen);
    assert_eq!(only_asked(&sent), answers.len());
    let seen = preview(&world, &update).await;
    let full = |lack: &crate::effect::Lack| lack.refuses && lack.what.contains("count/configmaps 1");
    assert!(seen.lacks.iter().any(full), "{:#?}", seen.lacks);
    for one in seen.fates.iter().filter(|one| one.word() == "conflict") {
        println!("{} {}: {}", one.word(), one.id, one.reason());
    }
    free_and_remove(&*west, &place).await;
}
