//! What a restore makes outside of namespaces, and what it refuses because it would give power.

use serde_json::{Value, json};

use super::kit::*;
use super::*;
use crate::effect::{
    Allowance, BackupName, BackupObjects, ClusterScoped, Existing, Fate, RestoreObjects, RestorePreview,
    Selection,
};
use crate::objects::Risk;

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const HOOKS: &str = "admissionregistration.k8s.io/v1";

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, more: &Value) -> Value {
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata });
    for (key, value) in more.as_object().expect("a map") {
        object[key] = value.clone();
    }
    object
}

fn configmap(namespace: &str, name: &str) -> Value {
    object("v1", "ConfigMap", Some(namespace), name, &json!({ "data": {} }))
}

pub(super) fn namespace(name: &str) -> Value {
    object("v1", "Namespace", None, name, &json!({}))
}

pub(super) fn account(namespace: &str, name: &str) -> Value {
    json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name })
}

pub(super) fn binding(
    kind: &str,
    namespace: Option<&str>,
    name: &str,
    role: (&str, &str),
    to: &Value,
) -> Value {
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1 });
    object(
        RBAC,
        kind,
        namespace,
        name,
        &json!({ "roleRef": role, "subjects": [to] }),
    )
}

fn priority(name: &str, value: u32) -> Value {
    let more = json!({ "value": value });
    object("scheduling.k8s.io/v1", "PriorityClass", None, name, &more)
}

/// Classes that `web` names and others that it does not, and rights of its account `runner`.
fn platform() -> Vec<Value> {
    let class = |name: &str| {
        object(
            "storage.k8s.io/v1",
            "StorageClass",
            None,
            name,
            &json!({ "provisioner": "x" }),
        )
    };
    let role = |name: &str| object(RBAC, "ClusterRole", None, name, &json!({ "rules": [] }));
    let hook = json!({ "webhooks": [{ "name": "h", "failurePolicy": "Ignore", "clientConfig": { "service": { "namespace": "web", "name": "hook" } } }] });
    let template = json!({ "metadata": { "labels": { "a": "b" } },
        "spec": { "priorityClassName": "high", "containers": [{ "name": "c" }] } });
    let web = json!({ "spec": { "replicas": 0, "selector": { "matchLabels": { "a": "b" } }, "template": template } });
    vec![
        namespace("web"),
        object("v1", "ServiceAccount", Some("web"), "runner", &json!({})),
        object("apps/v1", "Deployment", Some("web"), "web", &web),
        object(
            "v1",
            "PersistentVolumeClaim",
            Some("web"),
            "data",
            &json!({ "spec": { "storageClassName": "fast" } }),
        ),
        class("fast"),
        class("idle"),
        priority("high", 7),
        priority("low", 1),
        priority("system-node-critical", 2_000_001_000),
        role("reader"),
        role("idle"),
        role("system:of-the-cluster"),
        binding(
            "ClusterRoleBinding",
            None,
            "runner-reads",
            ("ClusterRole", "reader"),
            &account("web", "runner"),
        ),
        binding(
            "ClusterRoleBinding",
            None,
            "other-reads",
            ("ClusterRole", "idle"),
            &account("bank", "teller"),
        ),
        object(HOOKS, "ValidatingWebhookConfiguration", None, "hook", &hook),
        object("v1", "PersistentVolume", None, "pv-1", &json!({ "spec": {} })),
        object("v1", "Node", None, "n1", &json!({})),
    ]
}

pub(super) fn selected(selection: Value) -> Selection {
    serde_json::from_value(selection).expect("a selection")
}

pub(super) async fn backed_up(stage: &Stage, objects: &[Value], selection: Value) -> String {
    stage.east().seed(objects).expect("seeded");
    pass(1000).await;
    let effect = Effect::BackupObjects(BackupObjects {
        lock: None,
        site: "east".into(),
        store: "vault".into(),
        name_prefix: "shop".into(),
        selection: selected(selection),
    });
    stage.done("capture", effect).await.outputs["backup"].clone()
}

pub(super) fn of_web(name: &str, cluster: ClusterScoped, allow: &[(Risk, &str)]) -> RestoreObjects {
    let allowance = |(risk, object): &(Risk, &str)| Allowance {
        risk: *risk,
        objects: vec![(*object).to_owned()],
        because: "the platform team wants it".into(),
    };
    RestoreObjects {
        selection: selected(json!({ "namespaces": ["web"] })),
        cluster,
        allow: allow.iter().map(allowance).collect(),
        ..plain(name)
    }
}

/// As the plan names them: `create ClusterRole reader`.
pub(super) fn lines(preview: &RestorePreview, of: impl Fn(Fate) -> bool) -> String {
    let fates = preview.fates.iter().filter(|one| of(one.fate));
    let lines = fates.map(|one| match one.why.as_str() {
        "" => format!("{:?} {}", one.fate, one.id),
        why => format!("{:?} {}: {why}", one.fate, one.id),
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn there(stage: &Stage, kind_name: &str, name: &str) -> bool {
    stage.west().peek(&kind(kind_name), None, name).is_some()
}

pub(super) const ALL: [(Risk, &str); 3] = [
    (Risk::ClusterRbac, "ClusterRole/reader"),
    (Risk::ClusterRbac, "ClusterRoleBinding/runner-reads"),
    (Risk::Admission, "ValidatingWebhookConfiguration/hook"),
];

#[tokio::test(start_paused = true)]
async fn what_gives_power_is_refused_until_it_is_named_and_nothing_is_made_before() {
    let stage = with_platform_of(Stage::new()).await;
    let (stage, name) = stage;
    let plan = preview(&stage, of_web(&name, ClusterScoped::Related, &[])).await;
    insta::assert_snapshot!(lines(&plan, |fate| fate == Fate::Refuse), @"
    Refuse ClusterRole reader: its rights are for the whole cluster; to allow it: {risk: cluster-rbac, objects: [ClusterRole/reader], because: …}
    Refuse ClusterRoleBinding runner-reads: it gives rights in the whole cluster; to allow it: {risk: cluster-rbac, objects: [ClusterRoleBinding/runner-reads], because: …}
    Refuse ValidatingWebhookConfiguration hook: it may refuse every change that it names, and reads it; to allow it: {risk: admission, objects: [ValidatingWebhookConfiguration/hook], because: …}
    ");
    let before = stage.west().audit().len();
    let error = stage
        .perform(
            "restore",
            restore(of_web(&name, ClusterScoped::Related, &ALL[..2])),
        )
        .await
        .expect_err("one is missing");
    insta::assert_snapshot!(error.message, @"1 object must not be restored, and nothing was: ValidatingWebhookConfiguration hook: it may refuse every change that it names, and reads it; to allow it: {risk: admission, objects: [ValidatingWebhookConfiguration/hook], because: …}");
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(stage.west().audit().len(), before, "and nothing was changed");
}

pub(super) async fn with_platform_of(stage: Stage) -> (Stage, String) {
    let name = backed_up(
        &stage,
        &platform(),
        json!({ "namespaces": ["web"], "cluster": "all" }),
    )
    .await;
    (stage, name)
}

#[tokio::test(start_paused = true)]
async fn related_is_what_restored_objects_name_and_only_what_is_missing() {
    let (stage, name) = with_platform_of(Stage::new()).await;
    let others = [priority("high", 9), priority("low", 2)];
    stage.west().seed(&others).expect("seeded");
    let effect = RestoreObjects {
        existing: Existing::Update,
        ..of_web(&name, ClusterScoped::Related, &ALL)
    };
    let plan = preview(&stage, effect.clone()).await;
    insta::assert_snapshot!(lines(&plan, |_| true), @"
    Create Namespace web
    Create ClusterRole reader: its rights are for the whole cluster; allowed (cluster-rbac): the platform team wants it
    Keep PriorityClass high: differs at value, and others use it: it is left as it is
    Create StorageClass fast
    Create PersistentVolumeClaim web/data
    Create ServiceAccount web/runner
    Create ClusterRoleBinding runner-reads: it gives rights in the whole cluster; allowed (cluster-rbac): the platform team wants it
    Create Deployment web/web
    Create ValidatingWebhookConfiguration hook: it may refuse every change that it names, and reads it; allowed (admission): the platform team wants it
    Skip ReplicaSet web/web-bb13586a: Deployment web makes it again
    Skip ConfigMap web/kube-root-ca.crt: it holds the certificate authority of the cluster it was read from
    Skip ServiceAccount web/default: every namespace gets one, and nobody changed it
    ");
    let taken: Vec<String> = plan
        .taken
        .iter()
        .map(|one| format!("{} {}", one.risk.word(), one.id))
        .collect();
    insta::assert_snapshot!(taken.join("\n"), @"
    cluster-rbac ClusterRoleBinding runner-reads
    cluster-rbac ClusterRole reader
    admission ValidatingWebhookConfiguration hook
    ");
    let receipt = stage.done("restore", restore(effect.clone())).await;
    insta::assert_snapshot!(receipt.warnings.join("\n"), @"
    ClusterRoleBinding runner-reads: it gives rights in the whole cluster; allowed (cluster-rbac): the platform team wants it
    ClusterRole reader: its rights are for the whole cluster; allowed (cluster-rbac): the platform team wants it
    PriorityClass high: differs at value, and others use it: it is left as it is
    ValidatingWebhookConfiguration hook: it may refuse every change that it names, and reads it; allowed (admission): the platform team wants it
    ");
    for (kind, name) in [
        ("StorageClass", "fast"),
        ("ClusterRole", "reader"),
        ("ValidatingWebhookConfiguration", "hook"),
    ] {
        assert!(there(&stage, kind, name), "{kind} {name}");
    }
    for (kind, name) in [("StorageClass", "idle"), ("ClusterRole", "idle")] {
        assert!(!there(&stage, kind, name), "{kind} {name}");
    }
    let high = stage
        .west()
        .peek(&kind("PriorityClass"), None, "high")
        .expect("there");
    assert_eq!(high["value"], 9, "others use it");
    let again = preview(&stage, of_web(&name, ClusterScoped::Related, &[])).await;
    assert_eq!(again.count(Fate::Refuse), 0, "what is there gives nobody more");
    assert_eq!(again.count(Fate::Create), 0);
}

#[tokio::test(start_paused = true)]
async fn all_is_everything_that_is_not_of_the_cluster_itself() {
    let (stage, name) = with_platform_of(Stage::new()).await;
    let everything = [(Risk::ClusterRbac, "*"), (Risk::Admission, "*")];
    let other = object(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        None,
        "high",
        &json!({ "value": 9 }),
    );
    stage.west().seed([&other]).expect("seeded");
    let effect = RestoreObjects {
        existing: Existing::Update,
        ..of_web(&name, ClusterScoped::All, &everything)
    };
    let plan = preview(&stage, effect.clone()).await;
    insta::assert_snapshot!(lines(&plan, |fate| matches!(fate, Fate::Skip | Fate::Update)), @"
    Update PriorityClass high: differs at value
    Skip ReplicaSet web/web-bb13586a: Deployment web makes it again
    Skip ClusterRole system:of-the-cluster: every cluster has its own
    Skip PriorityClass system-node-critical: every cluster has its own
    Skip ConfigMap web/kube-root-ca.crt: it holds the certificate authority of the cluster it was read from
    Skip PersistentVolume pv-1: it points at storage of the cluster it was read from
    Skip ServiceAccount web/default: every namespace gets one, and nobody changed it
    ");
    stage.done("restore", restore(effect)).await;
    for (kind, name) in [
        ("StorageClass", "idle"),
        ("PriorityClass", "low"),
        ("ClusterRole", "idle"),
        ("ClusterRoleBinding", "other-reads"),
        ("CustomResourceDefinition", "campaigns.shop.example"),
    ] {
        assert!(there(&stage, kind, name), "{kind} {name}");
    }
    for (kind, name) in [
        ("PersistentVolume", "pv-1"),
        ("Node", "n1"),
        ("ClusterRole", "system:of-the-cluster"),
    ] {
        assert!(!there(&stage, kind, name), "{kind} {name}");
    }
}

#[tokio::test(start_paused = true)]
async fn none_is_nothing_and_what_plans_of_before_meant() {
    let (stage, name) = with_platform_of(Stage::new()).await;
    let effect = of_web(&name, ClusterScoped::None, &[]);
    let old = serde_json::to_string(&effect).expect("JSON");
    assert!(!old.contains("\"cluster\"") && !old.contains("allow"), "{old}");
    assert_eq!(
        serde_json::from_str::<RestoreObjects>(&old).expect("read"),
        effect
    );
    let receipt = stage.done("restore", restore(effect)).await;
    assert!(
        receipt
            .created
            .iter()
            .all(|made| made.id.namespace.is_some() || made.id.kind == "Namespace")
    );
}

#[tokio::test(start_paused = true)]
async fn an_allowance_that_nothing_needs_is_said() {
    let (stage, name) = with_platform_of(Stage::new()).await;
    let mut allow = ALL.to_vec();
    allow.push((Risk::ClusterRbac, "ClusterRole/raeder"));
    let effect = of_web(&name, ClusterScoped::Related, &allow);
    assert_eq!(
        preview(&stage, effect.clone()).await.idle_allowances,
        ["cluster-rbac of ClusterRole/raeder"]
    );
    let receipt = stage.done("restore", restore(effect)).await;
    let said = "nothing in the backup needs the allowance cluster-rbac of ClusterRole/raeder";
    assert!(
        receipt.warnings.iter().any(|one| one == said),
        "{:?}",
        receipt.warnings
    );
    // On the day after, everything is there; the allowances are still right.
    let again = preview(&stage, of_web(&name, ClusterScoped::Related, &ALL)).await;
    assert_eq!(
        (again.idle_allowances.as_slice(), again.taken.as_slice()),
        (&[][..], &[][..])
    );
}

/// Objects of one namespace, each of which gives power by itself.
fn escalating() -> Vec<Value> {
    let role = |name: &str, rule: Value| object(RBAC, "Role", Some("web"), name, &json!({ "rules": [rule] }));
    let pod = |name: &str, spec: Value| {
        let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec });
        let spec =
            json!({ "replicas": 0, "selector": { "matchLabels": { "a": "b" } }, "template": template });
        object(
            "apps/v1",
            "Deployment",
            Some("web"),
            name,
            &json!({ "spec": spec }),
        )
    };
    let token = json!({ "type": "kubernetes.io/service-account-token" });
    vec![
        role(
            "wide",
            json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }),
        ),
        role(
            "step",
            json!({ "apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"] }),
        ),
        binding(
            "RoleBinding",
            Some("web"),
            "admin",
            ("ClusterRole", "cluster-admin"),
            &account("web", "runner"),
        ),
        binding(
            "RoleBinding",
            Some("web"),
            "bank",
            ("Role", "r"),
            &account("bank", "teller"),
        ),
        binding(
            "RoleBinding",
            Some("web"),
            "eve",
            ("Role", "r"),
            &json!({ "kind": "User", "name": "eve" }),
        ),
        pod(
            "host",
            json!({ "hostNetwork": true, "containers": [{ "name": "c" }] }),
        ),
        pod(
            "path",
            json!({ "containers": [{ "name": "c" }], "volumes": [{ "name": "v", "hostPath": { "path": "/" } }] }),
        ),
        pod(
            "root",
            json!({ "containers": [{ "name": "c", "securityContext": { "privileged": true } }] }),
        ),
        object("v1", "Secret", Some("web"), "robot", &token),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_object_that_gives_power_in_a_namespace_is_refused_with_its_reason() {
    let stage = Stage::new();
    let mut objects = platform();
    objects.extend(escalating());
    let name = backed_up(&stage, &objects, json!({ "namespaces": ["web"] })).await;
    let plan = preview(&stage, of_web(&name, ClusterScoped::None, &[])).await;
    insta::assert_snapshot!(lines(&plan, |fate| fate == Fate::Refuse), @"
    Refuse Secret web/robot: the cluster would write a lasting token of an account into it; to allow it: {risk: tokens, objects: [Secret/web/robot], because: …}
    Refuse Role web/step: it gives `impersonate`, a step to any other right; to allow it: {risk: wide-roles, objects: [Role/web/step], because: …}
    Refuse Role web/wide: it gives `*` as apiGroups; to allow it: {risk: wide-roles, objects: [Role/web/wide], because: …}
    Refuse RoleBinding web/bank: it gives rights to accounts of namespace bank, outside of this restore; to allow it: {risk: outside-subjects, objects: [RoleBinding/web/bank], because: …}
    Refuse RoleBinding web/eve: it gives rights to User eve, outside of this restore; to allow it: {risk: outside-subjects, objects: [RoleBinding/web/eve], because: …}
    Refuse RoleBinding web/admin: it gives every right in its namespace; to allow it: {risk: wide-roles, objects: [RoleBinding/web/admin], because: …}
    Refuse Deployment web/host: its pods share the node (hostNetwork); to allow it: {risk: node-access, objects: [Deployment/web/host], because: …}
    Refuse Deployment web/path: its pods mount folders of the node (hostPath); to allow it: {risk: node-access, objects: [Deployment/web/path], because: …}
    Refuse Deployment web/root: its pods are privileged on the node; to allow it: {risk: node-access, objects: [Deployment/web/root], because: …}
    ");
    assert_eq!(plan.count(Fate::Refuse), escalating().len());
    assert!(
        stage
            .perform("restore", restore(of_web(&name, ClusterScoped::None, &[])))
            .await
            .is_err()
    );
    assert!(stage.west().audit().is_empty(), "nothing was changed");
    let named = [
        (Risk::WideRoles, "Role/web/*"),
        (Risk::WideRoles, "RoleBinding/web/admin"),
        (Risk::OutsideSubjects, "RoleBinding/web/*"),
        (Risk::NodeAccess, "Deployment/*"),
        (Risk::Tokens, "Secret/web/robot"),
    ];
    let receipt = stage
        .done("restore", restore(of_web(&name, ClusterScoped::None, &named)))
        .await;
    let said = |words: &str| receipt.warnings.iter().filter(|one| one.contains(words)).count();
    assert_eq!(said("the platform team wants it"), escalating().len());
}

#[tokio::test(start_paused = true)]
async fn an_account_is_outside_unless_its_namespace_is_restored_too() {
    let stage = Stage::new();
    let objects = [
        namespace("web"),
        namespace("bank"),
        configmap("web", "a"),
        configmap("bank", "a"),
        binding(
            "RoleBinding",
            Some("web"),
            "bank",
            ("Role", "r"),
            &account("bank", "teller"),
        ),
        binding(
            "RoleBinding",
            Some("web"),
            "gone",
            ("Role", "r"),
            &account("gone", "teller"),
        ),
    ];
    let name = backed_up(&stage, &objects, json!({ "namespaces": ["*"] })).await;
    let refused = async |namespaces: Value| {
        let effect = RestoreObjects {
            selection: selected(json!({ "namespaces": namespaces })),
            ..plain(&name)
        };
        lines(&preview(&stage, effect).await, |fate| fate == Fate::Refuse)
    };
    assert!(refused(json!(["web"])).await.contains("RoleBinding web/bank"));
    let both = refused(json!(["bank", "web"])).await;
    assert!(!both.contains("web/bank"), "{both}");
    let all = refused(json!(["*"])).await;
    insta::assert_snapshot!(all, @"Refuse RoleBinding web/gone: it gives rights to accounts of namespace gone, outside of this restore; to allow it: {risk: outside-subjects, objects: [RoleBinding/web/gone], because: …}");
}

#[tokio::test(start_paused = true)]
async fn a_pattern_means_a_backup_of_all_that_it_stands_for_and_never_kubernetes_own_namespaces() {
    let stage = Stage::new();
    let objects = [
        namespace("web"),
        configmap("web", "a"),
        configmap("kube-system", "a"),
    ];
    let whole = backed_up(&stage, &objects, json!({ "namespaces": ["*"] })).await;
    pass(5000).await;
    let part = backed_up(&stage, &[], json!({ "namespaces": ["web"] })).await;
    let latest = async |pattern: &str| {
        let query = Query::Backup {
            store: "vault".into(),
            backup: BackupName::LatestVerified,
            namespaces: vec![pattern.into()],
        };
        match stage.read(query).await {
            Seen::Backup(found) => found.map(|found| found.name),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(latest("web").await, Some(part));
    assert_eq!(latest("*").await.as_ref(), Some(&whole));
    assert_eq!(
        latest("w*").await.as_ref(),
        Some(&whole),
        "all of it was asked for"
    );
    let of = |namespaces: Value| RestoreObjects {
        selection: selected(json!({ "namespaces": namespaces })),
        ..plain(&whole)
    };
    let receipt = stage.done("restore", restore(of(json!(["*"])))).await;
    let made: Vec<String> = receipt.created.iter().map(|made| made.id.to_string()).collect();
    assert!(made.contains(&"ConfigMap web/a".to_owned()) && made.contains(&"Namespace shop".to_owned()));
    assert!(made.iter().all(|one| !one.contains("kube-system")), "{made:?}");
    let named = preview(&stage, of(json!(["*", "kube-system"]))).await;
    assert!(lines(&named, |fate| fate == Fate::Create).contains("ConfigMap kube-system/a"));
    let error = stage
        .perform("none", restore(of(json!(["x-*"]))))
        .await
        .expect_err("nothing");
    insta::assert_snapshot!(error.message, @"backup shop-2026-11-22t220001z holds nothing of namespace x-*");
}
