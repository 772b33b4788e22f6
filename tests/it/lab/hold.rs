//! A site that a failover has fenced: what runs there is stopped, and neither a person nor a controller gets a pod in
//! until a failback lets it go. By the API server's own record.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::audit::Log;
use super::{Lab, SHOP, YES};

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const PODS: &str = "/api/v1/namespaces/shop/pods";
/// Controllers whose pods are refused try again ever more seldom.
const BACK_WITHIN: Duration = Duration::from_mins(2);

fn pods(lab: &Lab, site: &str) -> Vec<String> {
    let listed = lab.ask(site, "GET", PODS, None).unwrap();
    let items = listed["items"].as_array().unwrap().iter();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
    items.map(name).collect()
}

fn label(lab: &Lab, site: &str) -> Value {
    let namespace = lab.ask(site, "GET", "/api/v1/namespaces/shop", None).unwrap();
    namespace["metadata"]["labels"]["lifeboat.dev/fenced"].clone()
}

fn ready(lab: &Lab, site: &str) -> Value {
    lab.ask(site, "GET", WEB, None).unwrap()["status"]["readyReplicas"].clone()
}

/// Lines of what lifeboat asked a site to change, in order.
fn changes(lab: &Lab, site: &str) -> Vec<String> {
    lab.audit(site).changes().into_iter().map(Log::line).collect()
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_fenced_site_stays_fenced_against_everybody_until_the_way_back() {
    let lab = Lab::start();
    lab.expect(0, &["protect", SHOP]);
    assert!(!pods(&lab, "east").is_empty(), "there is something to stop");
    let before = changes(&lab, "east").len();

    // Proved, so nobody is asked whether both may write: the first question is the last step's.
    let said = lab.expect(4, &["failover", SHOP, "--confirm", "west standby"]);
    let said = super::one_line(&said.stderr);
    assert!(
        said.contains("not asked: stop-active proved: 0 pods run in shop"),
        "{said}"
    );
    let run = lab.run("shop-f-");
    assert_eq!(label(&lab, "east"), "true");
    assert_eq!(pods(&lab, "east"), Vec::<String>::new());
    let done = changes(&lab, "east").split_off(before);
    let at = |begins: &str| {
        let found = done.iter().position(|line| line.starts_with(begins));
        found.unwrap_or_else(|| panic!("no {begins}: {done:#?}"))
    };
    // In this order: the policy, the label, a refusal, and only then the pods.
    assert!(
        at("patch validatingadmissionpolicies") < at("patch namespaces"),
        "{done:#?}"
    );
    let refused = done
        .iter()
        .position(|line| line.starts_with("create pods") && line.ends_with(" 403"));
    assert!(refused.unwrap() < at("delete pods"), "{done:#?}");

    // A person, and the controllers.
    let size = json!({ "spec": { "replicas": 5 } });
    lab.ask("east", "PATCH", WEB, Some(&size)).unwrap();
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "by-hand" },
        "spec": { "containers": [{ "name": "a", "image": "registry.example.com/a" }] } });
    let refused = lab.ask("east", "POST", PODS, Some(&pod)).unwrap_err();
    assert!(refused.contains("lifeboat-hold"), "{refused}");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(pods(&lab, "east"), Vec::<String>::new());

    lab.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    lab.expect(0, &["resume", &run]);
    let report = lab.report(&run);
    let proof = report["fences"][0]["proof"].as_str().unwrap();
    assert!(proof.starts_with("0 pods run in shop"), "{report:#}");
    assert!(report.get("risks").is_none(), "{report:#}");

    // The way back lets go the one and holds the other.
    lab.expect(4, &["failback", SHOP, "--confirm", "east standby"]);
    assert_eq!(
        (label(&lab, "east"), label(&lab, "west")),
        (Value::Null, json!("true"))
    );
    assert_eq!(pods(&lab, "west"), Vec::<String>::new());
    let began = Instant::now();
    while ready(&lab, "east") != 3 {
        assert!(
            began.elapsed() < BACK_WITHIN,
            "the pods do not come back: {:?}",
            pods(&lab, "east")
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A controller that waits so long between two tries waits twice as long for its next.
const LONG_S: i64 = 40;

/// So often one is called at most.
const CALLS: usize = 3;

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// When pods of one workload of the shop were asked for, and whether the server took them. Its name may end anyhow.
fn asked_for(log: &Log, (kind, name): (&str, &str)) -> Vec<(jiff::Timestamp, bool)> {
    let creations = log.of("pods", "shop").into_iter().filter(|event| {
        text(event, "/verb") == "create"
            && text(event, "/requestObject/metadata/ownerReferences/0/kind") == kind
            && text(event, "/requestObject/metadata/ownerReferences/0/name").starts_with(name)
    });
    let one = |event: &Value| (Log::arrived(event), event["responseStatus"]["code"] == 201);
    creations.map(one).collect()
}

/// The last refused try and how long after the one before it came, in seconds.
fn last_wait(tries: &[(jiff::Timestamp, bool)]) -> Option<(jiff::Timestamp, i64)> {
    let refused: Vec<jiff::Timestamp> = tries
        .iter()
        .filter(|(_, taken)| !taken)
        .map(|(at, _)| *at)
        .collect();
    let (last, before) = (refused.last()?, refused.iter().rev().nth(1)?);
    Some((*last, (*last - *before).get_seconds()))
}

/// A `DaemonSet`, a `StatefulSet` and a `Job` as somebody makes them while nobody gets a pod.
fn made_while_held(lab: &Lab) {
    let template = |restart: &str| {
        json!({ "metadata": { "labels": { "app": "late" } }, "spec": { "restartPolicy": restart,
            "containers": [{ "name": "a", "image": "registry.example.com/a" }] } })
    };
    let meta = json!({ "name": "late", "namespace": "shop" });
    let selector = json!({ "matchLabels": { "app": "late" } });
    for (version, kind, plural, spec) in [
        (
            "apps/v1",
            "StatefulSet",
            "statefulsets",
            json!({ "serviceName": "late", "selector": selector, "template": template("Always") }),
        ),
        (
            "apps/v1",
            "DaemonSet",
            "daemonsets",
            json!({ "selector": selector, "template": template("Always") }),
        ),
        (
            "batch/v1",
            "Job",
            "jobs",
            json!({ "template": template("Never") }),
        ),
    ] {
        let object = json!({ "apiVersion": version, "kind": kind, "metadata": meta, "spec": spec });
        let path = format!("/apis/{version}/namespaces/shop/{plural}");
        lab.ask("east", "POST", &path, Some(&object)).unwrap();
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn after_a_long_hold_the_way_back_wakes_every_controller_that_was_refused() {
    let lab = Lab::start();
    lab.expect(0, &["protect", SHOP]);
    lab.expect(4, &["failover", SHOP, "--confirm", "west standby"]);
    let run = lab.run("shop-f-");
    made_while_held(&lab);
    lab.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    lab.expect(0, &["resume", &run]);
    let workloads = [
        ("ReplicaSet", "web-"),
        ("StatefulSet", "late"),
        ("DaemonSet", "late"),
    ];
    // Until each of them waits for so long that whoever comes back sooner was woken.
    let patience = Instant::now();
    let waits = |log: &Log| workloads.map(|one| last_wait(&asked_for(log, one)).map_or(0, |(_, wait)| wait));
    while waits(&lab.audit("east")).into_iter().any(|wait| wait < LONG_S) {
        assert!(
            patience.elapsed() < Duration::from_mins(10),
            "{:?}",
            waits(&lab.audit("east"))
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    let before = changes(&lab, "east").len();
    lab.expect(4, &["failback", SHOP, "--confirm", "east standby"]);
    let done = changes(&lab, "east").split_off(before);
    let log = lab.audit("east");
    for (kind, name) in workloads {
        let tries = asked_for(&log, (kind, name));
        let (last, wait) = last_wait(&tries).unwrap();
        let taken = tries.iter().find(|(at, taken)| *taken && *at > last);
        let (at, _) = taken.unwrap_or_else(|| panic!("no pod of a {kind}: {done:#?}"));
        let after = (*at - last).get_seconds();
        println!("{kind}: waited {wait} s, then made a pod {after} s after its last refusal");
        assert!(
            after < 2 * wait - 1,
            "{kind} came by itself: {after} s after its last refusal, before which it waited {wait} s"
        );
    }
    assert!(
        asked_for(&log, ("Job", "late")).iter().any(|(_, taken)| *taken),
        "{done:#?}"
    );
    // Of a Deployment its ReplicaSet, and nothing else of it. Whoever has made no pod after four seconds is called again.
    for plural in [
        "replicasets shop/web-",
        "statefulsets shop/late",
        "daemonsets shop/late",
    ] {
        let woken = done
            .iter()
            .filter(|line| line.starts_with(&format!("patch {plural}")));
        assert!((1..=CALLS).contains(&woken.count()), "{plural}: {done:#?}");
    }
}
