use serde_json::json;

use super::*;
use crate::objects::json::merged;

fn object(api_version: &str, kind: &str, rest: Value) -> Value {
    merged(
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}}),
        rest,
    )
}

fn rbac(kind: &str, rest: Value) -> Value {
    object("rbac.authorization.k8s.io/v1", kind, rest)
}

fn role(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    let rule = json!({"apiGroups": groups, "resources": resources, "verbs": verbs});
    rbac(
        "Role",
        json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}, rule]}),
    )
}

fn binding(role: (&str, &str), subjects: &Value) -> Value {
    rbac(
        "RoleBinding",
        json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1}, "subjects": subjects}),
    )
}

fn pod(spec: Value) -> Value {
    object(
        "v1",
        "Pod",
        json!({"spec": merged(json!({"containers": [{"name": "c"}]}), spec)}),
    )
}

fn container(security: &Value) -> Value {
    json!({"containers": [{"name": "a"}, {"name": "b", "securityContext": security}]})
}

fn namespace(level: &str) -> Value {
    object(
        "v1",
        "Namespace",
        json!({"metadata": {"labels": {ENFORCE: level}}}),
    )
}

fn found(object: &Value) -> Vec<Risk> {
    risks(object, None).into_iter().map(|(risk, _)| risk).collect()
}

/// Objects that give power, each of exactly one risk.
fn dangers() -> Vec<(Risk, Value)> {
    [rights(), of_the_api(), on_the_node()].concat()
}

fn of(risk: Risk, objects: Vec<Value>) -> impl Iterator<Item = (Risk, Value)> {
    objects.into_iter().map(move |one| (risk, one))
}

fn rights() -> Vec<(Risk, Value)> {
    let nobody = json!([]);
    let mut all: Vec<(Risk, Value)> = Vec::new();
    all.extend(of(
        Risk::ClusterRbac,
        vec![
            rbac("ClusterRole", json!({"rules": []})),
            rbac(
                "ClusterRole",
                json!({"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}}),
            ),
            rbac("ClusterRoleBinding", json!({"subjects": []})),
        ],
    ));
    all.extend(of(
        Risk::WideRoles,
        vec![
            role(&["*"], &["*"], &["*"]),
            role(&[""], &["*"], &["get"]),
            role(&["apps"], &["deployments"], &["*"]),
            role(&["*"], &["pods"], &["get"]),
            role(&["shop.example", ""], &["*"], &["get"]),
            role(&["apps"], &["*/scale"], &["get"]),
            role(&["metrics.k8s.io"], &["*"], &["get"]),
            role(&["rbac.authorization.k8s.io"], &["roles"], &["escalate"]),
            role(&["rbac.authorization.k8s.io"], &["clusterroles"], &["bind"]),
            role(&[""], &["serviceaccounts"], &["impersonate"]),
            role(&["shop.example"], &["users"], &["impersonate"]),
            role(&[""], &["serviceaccounts/token"], &["create"]),
            binding(("ClusterRole", "cluster-admin"), &nobody),
        ],
    ));
    all
}

fn of_the_api() -> Vec<(Risk, Value)> {
    let mut all: Vec<(Risk, Value)> = Vec::new();
    let hooks = "admissionregistration.k8s.io/v1";
    all.extend(of(
        Risk::Admission,
        [
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ]
        .map(|kind| object(hooks, kind, json!({})))
        .into(),
    ));
    all.push((
        Risk::ApiServices,
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({"spec": {"service": {"name": "m", "namespace": "shop"}}}),
        ),
    ));
    all.push((
        Risk::Conversion,
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"spec": {"conversion": {"strategy": "Webhook"}}}),
        ),
    ));
    all.extend(of(
        Risk::Tokens,
        vec![
            object(
                "v1",
                "Secret",
                json!({"type": "kubernetes.io/service-account-token"}),
            ),
            object("v1", "Secret", json!({"type": "bootstrap.kubernetes.io/token"})),
        ],
    ));
    all.extend(of(
        Risk::PodSecurity,
        vec![namespace("privileged"), namespace("privilged")],
    ));
    all
}

fn on_the_node() -> Vec<(Risk, Value)> {
    let template = |version: &str, kind: &str, place: Value| object(version, kind, json!({"spec": place}));
    let shares = json!({"spec": {"hostPID": true, "containers": []}});
    let all = of(
        Risk::NodeAccess,
        vec![
            pod(json!({"hostNetwork": true})),
            pod(json!({"hostPID": true})),
            pod(json!({"hostIPC": true})),
            pod(
                json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]}),
            ),
            pod(json!({"securityContext": {"windowsOptions": {"hostProcess": true}}})),
            pod(container(&json!({"privileged": true}))),
            pod(container(
                &json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}}),
            )),
            pod(container(&json!({"capabilities": {"add": ["ALL"]}}))),
            pod(container(&json!({"procMount": "Unmasked"}))),
            pod(container(&json!({"windowsOptions": {"hostProcess": true}}))),
            pod(json!({"initContainers": [{"name": "i", "securityContext": {"privileged": true}}]})),
            pod(json!({"ephemeralContainers": [{"name": "e", "securityContext": {"privileged": true}}]})),
            template("apps/v1", "Deployment", json!({"template": shares})),
            template("apps/v1", "DaemonSet", json!({"template": shares})),
            template("apps/v1", "StatefulSet", json!({"template": shares})),
            template("batch/v1", "Job", json!({"template": shares})),
            template(
                "batch/v1",
                "CronJob",
                json!({"jobTemplate": {"spec": {"template": shares}}}),
            ),
            template("rollouts.example/v1", "Rollout", json!({"template": shares})),
            object("v1", "PodTemplate", json!({"template": shares})),
        ],
    );
    all.collect()
}

#[test]
fn what_gives_power_is_found_with_its_reason() {
    for (risk, object) in dangers() {
        let found = risks(&object, None);
        assert_eq!(
            found.iter().map(|one| one.0).collect::<Vec<_>>(),
            [risk],
            "{object}"
        );
        assert!(found.iter().all(|one| !one.1.is_empty()));
    }
    let all: std::collections::BTreeSet<Risk> = dangers().into_iter().map(|one| one.0).collect();
    let without: Vec<Risk> = Risk::ALL.into_iter().filter(|risk| !all.contains(risk)).collect();
    assert_eq!(
        without,
        [Risk::OutsideSubjects],
        "judged where it is known who is outside"
    );
}

#[test]
fn what_an_ordinary_application_has_needs_no_words() {
    let account = json!([{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]);
    for ordinary in [
        role(&[""], &["configmaps", "secrets"], &["get", "list", "watch"]),
        role(
            &["", "apps"],
            &["pods", "deployments", "pods/exec"],
            &["get", "create", "patch", "delete"],
        ),
        role(
            &["coordination.k8s.io"],
            &["leases"],
            &["get", "create", "update"],
        ),
        role(&["shop.example"], &["*"], &["*"]),
        binding(("Role", "web"), &account),
        binding(("ClusterRole", "view"), &account),
        pod(
            json!({"serviceAccountName": "web", "securityContext": {"runAsNonRoot": true}, "volumes": [
            {"name": "a", "configMap": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "data"}}]}),
        ),
        pod(container(
            &json!({"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}, "procMount": "Default"}),
        )),
        object("v1", "Secret", json!({"type": "Opaque"})),
        object("v1", "Secret", json!({"type": "kubernetes.io/dockerconfigjson"})),
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"spec": {"conversion": {"strategy": "None"}}}),
        ),
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({"spec": {"group": "shop.example", "version": "v1"}}),
        ),
        object("storage.k8s.io/v1", "StorageClass", json!({})),
        object("scheduling.k8s.io/v1", "PriorityClass", json!({})),
        object("v1", "Namespace", json!({})),
        namespace("baseline"),
        namespace("restricted"),
    ] {
        assert_eq!(found(&ordinary), [], "{ordinary}");
    }
}

#[test]
fn a_namespace_is_judged_by_what_is_there() {
    let judged = |backup: &str, there: &Value| {
        let found = risks(&namespace(backup), Some(there));
        found.into_iter().map(|one| one.1).next().unwrap_or_default()
    };
    insta::assert_snapshot!(judged("baseline", &namespace("restricted")), @"Pod Security restricted, which is there, would become baseline");
    insta::assert_snapshot!(judged("privileged", &namespace("baseline")), @"Pod Security baseline, which is there, would become privileged");
    insta::assert_snapshot!(judged("privileged", &object("v1", "Namespace", json!({}))), @"Pod Security privileged may be less than the cluster's default");
    for (backup, there) in [
        ("privileged", "privileged"),
        ("restricted", "baseline"),
        ("baseline", "baseline"),
    ] {
        assert_eq!(judged(backup, &namespace(there)), "");
    }
}

#[test]
fn every_subject_is_of_a_namespace_or_of_none() {
    let who = |kind: &str, name: &str| {
        let all = subjects(&binding(("Role", "r"), &json!([{"kind": kind, "name": name}])));
        all.into_iter().next().unwrap()
    };
    let account = json!([{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]);
    assert_eq!(
        subjects(&binding(("Role", "r"), &account)),
        [Subject::Of("shop".into())]
    );
    assert_eq!(
        who("Group", "system:serviceaccounts:shop"),
        Subject::Of("shop".into())
    );
    assert_eq!(
        who("User", "system:serviceaccount:shop:web"),
        Subject::Of("shop".into())
    );
    for (kind, name) in [
        ("User", "eve"),
        ("User", "system:serviceaccount:"),
        ("User", "system:admin"),
        ("Group", "system:masters"),
        ("Group", "system:serviceaccounts"),
        ("Group", "system:serviceaccounts:"),
        ("Group", "system:authenticated"),
        ("ServiceAccount", "of-no-namespace"),
        ("Robot", "r"),
    ] {
        assert_eq!(who(kind, name), Subject::Other(format!("{kind} {name}")));
    }
    assert_eq!(
        subjects(&rbac("ClusterRoleBinding", json!({"subjects": account}))),
        []
    );
}

#[test]
fn words_and_risks_are_the_same() {
    for risk in Risk::ALL {
        assert_eq!(Risk::of(risk.word()), Some(risk));
        assert_eq!(
            json!(risk),
            json!(risk.word()),
            "in a plan it is written as in a runbook"
        );
    }
}
