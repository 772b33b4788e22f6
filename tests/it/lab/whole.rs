//! A whole cluster built again in an empty one: everything of `east`, cluster-scoped objects too, judged by
//! the lab's own comparer. And the second wall against escalation, which is the API server's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Lab;

/// The kinds that this test adds to the shop, as the comparer names them.
const ADDED: [&str; 8] = [
    "ClusterRole.rbac.authorization.k8s.io",
    "ClusterRoleBinding.rbac.authorization.k8s.io",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "PriorityClass.scheduling.k8s.io",
    "StorageClass.storage.k8s.io",
    "Ticket.desk.example",
    "Board.desk.example",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
];

/// Makes an object by the lab's own hand; gives it back with its uid.
fn make(lab: &Lab, site: &str, path: &str, object: &Value) -> Value {
    lab.ask(site, "POST", path, Some(object)).unwrap()
}

/// An application with everything that reaches out of its namespace.
const DESK: &str = include_str!("../cases/desk.json");

fn desk(lab: &Lab) {
    let objects: Vec<(String, Value)> = serde_json::from_str(DESK).unwrap();
    for (path, object) in objects {
        make(lab, "east", &path, &object);
    }
    let (tickets, boards) = (
        "/apis/desk.example/v1/namespaces/desk/tickets",
        "/apis/desk.example/v1/boards",
    );
    for path in [tickets, boards] {
        until(|| lab.ask("east", "GET", path, None).is_ok());
    }
    let first = make(lab, "east", tickets, &ticket("first", &json!([])));
    let owner = json!([{"apiVersion": "desk.example/v1", "kind": "Ticket", "name": "first",
        "uid": first["metadata"]["uid"], "controller": true}]);
    make(lab, "east", tickets, &ticket("second", &owner));
    let board = json!({"apiVersion": "desk.example/v1", "kind": "Board", "metadata": {"name": "lobby"}, "spec": {"rows": 3}});
    make(lab, "east", boards, &board);
}

fn ticket(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "desk.example/v1", "kind": "Ticket", "metadata": {"name": name, "ownerReferences": owners}, "spec": {"title": name}})
}

fn until(done: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed().as_secs() < 30, "it does not come");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// What the lab gives to both sites is taken off the one that is to be empty.
fn empty(lab: &Lab, site: &str) {
    for path in [
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/coupons.shop.example.com",
        "/apis/storage.k8s.io/v1/storageclasses/standard",
        "/apis/networking.k8s.io/v1/ingressclasses/nginx",
        "/apis/scheduling.k8s.io/v1/priorityclasses/customer-facing",
    ] {
        lab.ask(site, "DELETE", path, None).unwrap();
        until(|| lab.ask(site, "GET", path, None).is_err());
    }
}

/// The comparer's exit code and what it found.
fn compared(lab: &Lab) -> (Option<i32>, Value) {
    let output = lab.tool(&["compare", "--left", "east", "--right", "west", "--json"]);
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

/// A backup of all of `east`; its name.
fn backup(lab: &Lab) -> String {
    lab.expect(
        0,
        &[
            "backup",
            "create",
            "--site",
            "east",
            "--to",
            "vault",
            "--namespaces",
            "*",
            "--cluster",
            "all",
            "--name",
            "whole",
        ],
    );
    let output = lab.expect(0, &["backups"]);
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace()
        .find(|word| word.starts_with("whole-"))
        .unwrap()
        .to_owned()
}

/// Has lifeboat go on as an account that has exactly the rights which a plan counts for a restore.
fn narrow(lab: &Lab) {
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "velero"}});
    make(lab, "west", "/api/v1/namespaces", &space);
    let place = "/api/v1/namespaces/velero/serviceaccounts";
    make(
        lab,
        "west",
        place,
        &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "narrow"}}),
    );
    let group = "rbac.authorization.k8s.io";
    make(
        lab,
        "west",
        &format!("/apis/{group}/v1/clusterroles"),
        &json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "narrow"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "patch"]}]}),
    );
    make(
        lab,
        "west",
        &format!("/apis/{group}/v1/clusterrolebindings"),
        &json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "velero", "name": "narrow"}]}),
    );
    let asked = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = make(lab, "west", &format!("{place}/narrow/token"), &asked);
    let path = lab.dir().join("kubeconfig");
    let config = std::fs::read_to_string(&path).unwrap();
    let old = lab.fact("/sites/west/token").as_str().unwrap();
    assert!(config.contains(old));
    std::fs::write(
        &path,
        config.replace(old, token["status"]["token"].as_str().unwrap()),
    )
    .unwrap();
}

const ALLOWED: [&str; 3] = [
    "cluster-rbac:ClusterRole/desk-nodes",
    "cluster-rbac:ClusterRoleBinding/desk-nodes",
    "admission:ValidatingWebhookConfiguration/desk",
];

#[test]
#[ignore = "needs the lab: make test"]
fn a_whole_cluster_is_built_again_in_an_empty_one() {
    let lab = Lab::start();
    empty(&lab, "west");
    desk(&lab);
    let backup = backup(&lab);
    let restore = [
        "restore",
        backup.as_str(),
        "--from",
        "vault",
        "--to",
        "west",
        "--namespaces",
        "*",
        "--cluster",
        "all",
        "--confirm",
        "west target",
    ];

    let before = lab.audit("west").changes().len();
    let refused = lab.lifeboat(&restore).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_ne!(refused.status.code(), Some(0), "{said}");
    for word in [
        "ClusterRole desk-nodes",
        "ClusterRoleBinding desk-nodes",
        "ValidatingWebhookConfiguration desk",
    ] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    assert_eq!(
        lab.audit("west").changes().len(),
        before,
        "a refused restore changes nothing"
    );

    let reviewed = lab.audit("west").reviews().len();
    let mut allowed = restore.to_vec();
    for one in &ALLOWED {
        allowed.extend(["--allow", one]);
    }
    let done = lab.lifeboat(&allowed).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // Nothing proves health in this runbook, so RTO is not measured: 7.
    assert!(
        matches!(done.status.code(), Some(0 | 7)),
        "{said}{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(
        said.contains("allow ClusterRole desk-nodes (cluster-rbac)"),
        "{said}"
    );

    // This account may do everything everywhere: each right is asked about once, and not for each namespace.
    let asked = lab.audit("west").reviews().split_off(reviewed);
    let once: BTreeSet<&String> = asked.iter().collect();
    assert!(asked.len() > 10 && once.len() == asked.len(), "{asked:#?}");

    let (code, found) = compared(&lab);
    assert_eq!(code, Some(0), "{found:#}");
    for kind in ADDED {
        let here = &found["compared"][kind];
        assert!(
            here["left"].as_u64() >= Some(1) && here["left"] == here["right"],
            "{kind}: {found:#}"
        );
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn the_api_server_refuses_rights_that_the_restore_does_not_have_and_the_error_says_so() {
    let lab = Lab::start();
    desk(&lab);
    let backup = backup(&lab);
    narrow(&lab);
    let mut restore = vec![
        "restore",
        &backup,
        "--from",
        "vault",
        "--to",
        "west",
        "--namespaces",
        "desk",
        "--confirm",
        "west target",
    ];
    for one in &ALLOWED {
        restore.extend(["--allow", one]);
    }
    let done = lab.lifeboat(&restore).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_ne!(done.status.code(), Some(0), "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "create ClusterRole desk-nodes",
        "attempting to grant RBAC permissions not currently held",
        "lets nobody give rights that he does not have",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/desk-nodes";
    assert!(lab.ask("west", "GET", role, None).is_err());
    let ticket = "/apis/desk.example/v1/namespaces/desk/tickets/second";
    assert!(
        lab.ask("west", "GET", ticket, None).is_ok(),
        "what does not need the role is there"
    );
}
