//! A webhook that refuses everything until its backend answers, in a restore: its configuration comes after
//! the backend is available and after all that it would be asked about. By the API server's audit log.
//!
//! No network leads to the lab's services, so the API server could never ask this webhook. Whatever is made
//! in the namespace after the configuration is refused by the real server, and shows a wrong order.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::Lab;
use super::audit::Log;

const HOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// The path of a collection, and an object of it.
fn objects() -> Vec<(&'static str, Value)> {
    let pod = |app: &str| {
        json!({ "replicas": 1, "selector": { "matchLabels": { "app": app } }, "template": {
        "metadata": { "labels": { "app": app } }, "spec": { "containers": [{ "name": "c", "image": "gate:1" }] } } })
    };
    let (core, apps) = (
        "/api/v1/namespaces/gate",
        "/apis/apps/v1/namespaces/gate/deployments",
    );
    let hook = json!({
        "name": "all.gate.example", "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 1,
        "admissionReviewVersions": ["v1"],
        "clientConfig": { "service": { "namespace": "gate", "name": "backend", "path": "/" } },
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "gate" } },
        "rules": [{ "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"], "scope": "Namespaced" }],
    });
    let settings = json!({ "metadata": { "name": "settings" }, "data": { "of": "the gate" } });
    let service = json!({ "metadata": { "name": "backend" }, "spec": { "selector": { "app": "backend" }, "ports": [{ "port": 443 }] } });
    let scaler = json!({ "metadata": { "name": "other" }, "spec": { "minReplicas": 1, "maxReplicas": 2,
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "other" } } });
    vec![
        ("/api/v1/namespaces", json!({ "metadata": { "name": "gate" } })),
        (
            apps,
            json!({ "metadata": { "name": "backend" }, "spec": pod("backend") }),
        ),
        (
            apps,
            json!({ "metadata": { "name": "other" }, "spec": pod("other") }),
        ),
        (core, settings),
        (core, service),
        (
            "/apis/autoscaling/v2/namespaces/gate/horizontalpodautoscalers",
            scaler,
        ),
        (
            HOOK,
            json!({ "metadata": { "name": "gate" }, "webhooks": [hook] }),
        ),
    ]
}

fn seed(lab: &Lab) {
    for (path, object) in objects() {
        let path = match path {
            "/api/v1/namespaces/gate" if object["spec"].is_object() => format!("{path}/services"),
            "/api/v1/namespaces/gate" => format!("{path}/configmaps"),
            other => other.to_owned(),
        };
        lab.ask("east", "POST", &path, Some(&object)).unwrap();
    }
}

/// Whether new pods find a node on `west`.
fn schedulable(lab: &Lab, yes: bool) {
    let nodes = lab.ask("west", "GET", "/api/v1/nodes", None).unwrap();
    let nodes = nodes["items"].as_array().unwrap();
    assert!(!nodes.is_empty());
    for node in nodes {
        let path = format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap());
        let change = json!({ "spec": { "unschedulable": !yes } });
        lab.ask("west", "PATCH", &path, Some(&change)).unwrap();
    }
}

/// When the backend's endpoint slice first had a ready address.
fn ready(log: &Log) -> jiff::Timestamp {
    let ready = |event: &&Value| {
        let endpoints = event
            .pointer("/requestObject/endpoints")
            .and_then(Value::as_array);
        let service = event.pointer("/requestObject/metadata/labels/kubernetes.io~1service-name");
        service == Some(&json!("backend"))
            && endpoints.is_some_and(|all| {
                all.iter()
                    .any(|one| one.pointer("/conditions/ready") == Some(&json!(true)))
            })
    };
    let slices = log.of("endpointslices", "gate");
    let first = slices.into_iter().find(ready).expect("the backend became ready");
    Log::answered(first)
}

#[test]
#[ignore = "needs the lab: make test"]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each part on what the part before left"
)]
fn a_webhook_comes_after_its_backend_answers_and_after_all_that_it_is_asked_about() {
    let lab = Lab::start();
    seed(&lab);
    let name = lab.backup("vault", &["--namespaces", "gate"]);
    schedulable(&lab, false);
    let restore = [
        "restore",
        &name,
        "--from",
        "vault",
        "--to",
        "west",
        "--confirm",
        "west target",
        "--allow",
        "admission:ValidatingWebhookConfiguration/gate",
    ];
    let mut command = lab.lifeboat(&restore);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut said = String::new();
    for line in lines.by_ref() {
        said.push_str(&line);
        said.push('\n');
        if line.contains("no ready endpoint") {
            break;
        }
    }
    assert!(
        said.contains("no ready endpoint"),
        "it waits for the backend: {said}"
    );
    let hook = format!("{HOOK}/gate");
    assert!(
        lab.ask("west", "GET", &hook, None).is_err(),
        "it is not there before its backend is"
    );
    schedulable(&lab, true);
    said.extend(lines.map(|line| line + "\n"));
    let status = child.wait().unwrap();
    assert!(matches!(status.code(), Some(0 | 7)), "{status}: {said}");
    lab.ask("west", "GET", &hook, None).unwrap();

    let log = lab.audit("west");
    let made = log.of("validatingwebhookconfigurations", "");
    let made: Vec<_> = made
        .into_iter()
        .filter(|event| event["responseStatus"]["code"] == 201)
        .collect();
    assert_eq!(made.len(), 1);
    let at = Log::arrived(made[0]);
    assert!(ready(&log) <= at, "the backend was ready first");
    let changes = log.changes();
    let inside: Vec<_> = changes
        .iter()
        .filter(|event| Log::namespace(event) == "gate")
        .collect();
    assert!(
        inside.len() >= 6,
        "{:?}",
        inside.iter().map(|one| Log::line(one)).collect::<Vec<_>>()
    );
    for event in inside {
        assert!(
            Log::answered(event) <= at,
            "made after the webhook: {}",
            Log::line(event)
        );
        assert_eq!(event["responseStatus"]["code"], 201, "{}", Log::line(event));
    }
    // The wall is real: by now the API server refuses what it cannot ask about.
    let late = json!({ "metadata": { "name": "late" } });
    let refused = lab.ask("west", "POST", "/api/v1/namespaces/gate/configmaps", Some(&late));
    assert!(refused.unwrap_err().contains("all.gate.example"));
}
