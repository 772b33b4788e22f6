//! What a plan knows beforehand of a restore: what the target lacks, whose fields change, how many
//! requests it takes.

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{Existing, Lack, Rehearsal, Rehearser as _, RestoreObjects, Would};
use crate::world::Understudy;

fn seed(stage: &Stage, site: &str, objects: &[Value]) {
    let cluster = stage.embedded.cluster(site).expect("a site");
    cluster.seed(objects).expect("seeded");
}

fn object(kind_name: &str, name: &str, more: &Value) -> Value {
    let kind = kind(kind_name);
    let mut object =
        json!({ "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": { "name": name } });
    if kind.namespaced {
        object["metadata"]["namespace"] = "shop".into();
    }
    for (field, value) in more.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
    object
}

fn class(name: &str, default: bool) -> Value {
    let mut class = object("StorageClass", name, &json!({}));
    let mark = json!({ "storageclass.kubernetes.io/is-default-class": default.to_string() });
    class["metadata"]["annotations"] = mark;
    class
}

fn claim(name: &str, class: &str, size: &str) -> Value {
    let spec = json!({ "storageClassName": class, "resources": { "requests": { "storage": size } } });
    object("PersistentVolumeClaim", name, &json!({ "spec": spec }))
}

fn deployment(name: &str, replicas: u32, spec: &Value) -> Value {
    let labels = json!({ "app": name });
    object(
        "Deployment",
        name,
        &json!({ "spec": { "replicas": replicas, "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels }, "spec": spec } } }),
    )
}

async fn lacks(stage: &Stage, effect: RestoreObjects) -> Vec<Lack> {
    preview(stage, effect).await.lacks
}

fn sentences(lacks: &[Lack]) -> String {
    let line = |lack: &Lack| {
        format!(
            "{}{}",
            if lack.refuses { "REFUSED " } else { "" },
            lack.sentence()
        )
    };
    lacks.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn classes_and_accounts_that_nobody_brings_are_named_and_those_that_are_there_are_not() {
    let stage = Stage::new();
    seed(
        &stage,
        "east",
        &[
            claim("fast", "fast", "1Gi"),
            claim("slow", "slow", "1Gi"),
            deployment(
                "high",
                1,
                &json!({ "priorityClassName": "high", "serviceAccountName": "ghost", "containers": [] }),
            ),
            object(
                "RoleBinding",
                "odd",
                &json!({ "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nobody" } }),
            ),
        ],
    );
    let name = captured(&stage).await;
    seed(&stage, "west", &[class("slow", true)]);
    let found = lacks(&stage, plain(&name)).await;
    insta::assert_snapshot!(sentences(&found), @r"
    west has no ClusterRole nobody, and the restore does not bring it (for RoleBinding shop/odd): what it would grant is not granted, and without the right to bind it is refused
    west has no PriorityClass high (for Deployment shop/high): their pods are refused
    west has no ServiceAccount shop/ghost, and the restore does not bring it (for Deployment shop/high): pods that run as it are refused, and what is granted to it goes to nobody
    west has no StorageClass fast (for PersistentVolumeClaim shop/fast): the claims wait until it is there, or a volume of that class, and their pods with them
    ");
    seed(
        &stage,
        "west",
        &[
            object("StorageClass", "fast", &json!({})),
            object("PriorityClass", "high", &json!({})),
            object("ClusterRole", "nobody", &json!({})),
            object("Namespace", "shop", &json!({})),
            object("ServiceAccount", "ghost", &json!({})),
        ],
    );
    assert_eq!(sentences(&lacks(&stage, plain(&name)).await), "");
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_a_class_needs_a_default_one() {
    let stage = Stage::new();
    let spec = json!({ "spec": { "resources": { "requests": { "storage": "1Gi" } } } });
    seed(&stage, "east", &[object("PersistentVolumeClaim", "any", &spec)]);
    let name = captured(&stage).await;
    seed(&stage, "west", &[class("slow", false)]);
    let found = lacks(&stage, plain(&name)).await;
    assert!(
        sentences(&found).contains("west has no default StorageClass"),
        "{found:?}"
    );
    let kind = kind("StorageClass");
    stage
        .west()
        .edit(&kind, None, "slow", &class("slow", true))
        .expect("there");
    assert_eq!(sentences(&lacks(&stage, plain(&name)).await), "");
}

#[tokio::test(start_paused = true)]
async fn what_a_quota_has_no_room_for_refuses_and_its_pods_only_warn() {
    let stage = Stage::new();
    seed(
        &stage,
        "east",
        &[
            claim("data", "slow", "10Gi"),
            deployment(
                "api",
                3,
                &json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "500m" } } }] }),
            ),
        ],
    );
    let name = captured(&stage).await;
    seed(
        &stage,
        "west",
        &[class("slow", true), object("Namespace", "shop", &json!({}))],
    );
    let hard = json!({ "requests.storage": "12Gi", "requests.cpu": "1", "count/configmaps": "100" });
    let used = json!({ "requests.storage": "3Gi", "requests.cpu": "0", "count/configmaps": "1" });
    let quota = object("ResourceQuota", "small", &json!({ "spec": { "hard": hard } }));
    seed(&stage, "west", &[quota]);
    let edit = |patch: Value| {
        let edited = stage
            .west()
            .edit(&kind("ResourceQuota"), Some("shop"), "small", &patch);
        edited.expect("there")
    };
    edit(json!({ "status": { "used": used } }));
    let found = lacks(&stage, plain(&name)).await;
    insta::assert_snapshot!(sentences(&found), @r"
    quota shop/small on west allows requests.cpu 1 in all, and the restored workloads ask for 1500m more than now, for which there is no room: some of their pods are refused
    quota shop/small on west asks every pod to say requests.cpu, and some do not (for Deployment shop/web, StatefulSet shop/db): their pods are refused
    REFUSED quota shop/small on west allows requests.storage 12Gi; 3Gi is used, and the restore needs 11Gi more: the server would refuse some of it
    ");
    edit(json!({ "spec": { "hard": { "requests.storage": "14Gi", "requests.cpu": "100" } } }));
    let found = lacks(&stage, plain(&name)).await;
    assert!(found.iter().all(|lack| !lack.refuses), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn whose_fields_are_taken_is_said_and_equal_is_not_keep() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    let change = json!({ "spec": { "replicas": 7 } });
    stage
        .west()
        .edit(&kind("Deployment"), Some("shop"), "web", &change)
        .expect("there");
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    let seen = preview(&stage, update).await;
    let web = seen
        .fates
        .iter()
        .find(|one| one.id == id("Deployment", "shop", "web"))
        .expect("web");
    assert_eq!(
        (web.word(), web.reason().as_str()),
        (
            "conflict",
            "differs at spec.replicas; takes from kubectl (spec.replicas)"
        )
    );
    let kept = preview(&stage, plain(&name)).await;
    assert_eq!((kept.words("keep"), kept.words("conflict")), (1, 0));
    assert_eq!(kept.words("equal"), seen.words("equal"));
    assert!(kept.words("equal") > 5);
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_a_restore_are_known_beforehand_exactly() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    for (step, effect) in [("create", plain(&name)), ("update", update)] {
        let work = preview(&stage, effect.clone()).await.work.expect("counted");
        let before = stage.west().requests();
        stage.done(step, restore(effect)).await;
        let spent = stage.west().requests() - before;
        assert_eq!((work.requests(), work.waits), (spent, 0), "{step}: {work:?}");
        let change = json!({ "data": { "currency": "USD" } });
        stage
            .west()
            .edit(&kind("ConfigMap"), Some("shop"), "settings", &change)
            .expect("there");
    }
}

async fn rehearsed(stage: &Stage, effect: impl Into<Effect>) -> Vec<(String, Would)> {
    let understudy = Understudy::of(stage.world.clone());
    match understudy.rehearse(&effect.into()).await.expect("answered") {
        Rehearsal::Asked(answers) => answers
            .into_iter()
            .map(|one| (format!("{} {}", one.request, one.id), one.answer))
            .collect(),
        Rehearsal::Whole { .. } => panic!("not object by object"),
        Rehearsal::Not(why) => panic!("{why}"),
    }
}

fn answer<'a>(answers: &'a [(String, Would)], what: &str) -> &'a Would {
    let found = answers.iter().find(|(name, _)| name == what);
    &found.unwrap_or_else(|| panic!("{what}: {answers:#?}")).1
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_yet_is_not_said_to_be_accepted() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    let answers = rehearsed(&stage, restore(plain(&name))).await;
    assert_eq!(answer(&answers, "create Namespace shop"), &Would::Accept);
    let others = answers.iter().filter(|(name, _)| name != "create Namespace shop");
    for (name, would) in others {
        let why = Would::Unknown("namespace shop is not there yet".into());
        assert_eq!(would, &why, "{name}");
    }
    assert!(answers.len() > 10);
    assert_eq!(stage.west().audit(), []);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_has_the_servers_words_and_changes_nothing() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    stage.west().lose(&kind("ConfigMap"), Some("shop"), "settings");
    stage.west().lose(&kind("RoleBinding"), Some("shop"), "web");
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "other" });
    seed(
        &stage,
        "west",
        &[object("RoleBinding", "web", &json!({ "roleRef": role }))],
    );
    let binding = |stage: &Stage| stage.west().peek(&kind("RoleBinding"), Some("shop"), "web");
    let before = (binding(&stage), stage.west().audit().len());
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    let answers = rehearsed(&stage, restore(update)).await;
    assert_eq!(answer(&answers, "create ConfigMap shop/settings"), &Would::Accept);
    let refused = answer(&answers, "apply RoleBinding shop/web");
    assert!(
        matches!(refused, Would::Refuse(why) if why.contains("immutable")),
        "{refused:?}"
    );
    assert_eq!(answers.len(), 2, "what is equal is not asked about: {answers:#?}");
    assert_eq!((binding(&stage), stage.west().audit().len()), before);
    assert!(
        stage
            .west()
            .peek(&kind("ConfigMap"), Some("shop"), "settings")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn the_hands_of_a_rehearsal_cannot_change_anything() {
    let stage = Stage::new();
    let before = stage.east().audit().len();
    let scale = crate::effect::Scale {
        site: "east".into(),
        id: id("Deployment", "shop", "web"),
        from: 3,
        to: 0,
    };
    let answers = rehearsed(&stage, Effect::Scale(scale)).await;
    assert_eq!(answers[0].1, Would::Accept);
    let delete = crate::effect::Delete {
        site: "east".into(),
        id: id("ConfigMap", "shop", "settings"),
        missing_ok: false,
    };
    let answers = rehearsed(&stage, Effect::Delete(delete)).await;
    assert_eq!(answers[0].1, Would::Accept);
    assert!(
        stage
            .east()
            .peek(&kind("ConfigMap"), Some("shop"), "settings")
            .is_some()
    );
    assert_eq!(stage.east().audit().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_served_only_in_another_version_is_refused_with_that_version() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let mut crd = shop()
        .into_iter()
        .find(|one| one["kind"] == "CustomResourceDefinition")
        .expect("a definition");
    crd["spec"]["versions"][0]["name"] = "v2".into();
    stage.west().seed([&crd]).expect("seeded");
    let seen = preview(&stage, plain(&name)).await;
    let refused: Vec<String> = seen
        .fates
        .iter()
        .filter(|one| one.word() == "refuse")
        .map(|one| format!("{}: {}", one.id, one.why))
        .collect();
    insta::assert_snapshot!(refused.join("\n"), @"Campaign shop/winter: west serves Campaign in shop.example/v2, and not in shop.example/v1");
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    let seen = preview(&stage, update).await;
    assert_eq!(
        seen.words("refuse"),
        0,
        "the restore changes the definition first"
    );
}
