//! Customers sent to the other side, on a real API server: by what its audit log says of every request. The definition
//! of `HTTPRoute` is a small one of this test's own, with the group, version, names and the fields that are used, of
//! the same shape and with the same default as the real one; no gateway reads it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Lab;
use super::audit::Log;

const CASE: &str = "tests/it/cases/traffic.yaml";
const ROUTE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/edge/httproutes/shop";
const FRONT: &str = "/api/v1/namespaces/edge/services/front";
const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
/// As the runbook says.
const STEADY: Duration = Duration::from_secs(3);
const UNTIL: Duration = Duration::from_mins(2);

fn definition() -> Value {
    let backend = json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string" }, "port": { "type": "integer" },
        "weight": { "type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000, "default": 1 } } });
    let rule = json!({ "type": "object", "properties": {
        "name": { "type": "string" }, "backendRefs": { "type": "array", "maxItems": 16, "items": backend } } });
    let spec = json!({ "type": "object", "properties": {
        "hostnames": { "type": "array", "items": { "type": "string" } },
        "rules": { "type": "array", "maxItems": 16, "items": rule } } });
    let schema = json!({ "type": "object", "properties": { "spec": spec,
        "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "httproutes.gateway.networking.k8s.io", "annotations": {
            // Whoever brings a kind of *.k8s.io has to name its review.
            "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2466" } },
        "spec": {
            "group": "gateway.networking.k8s.io", "scope": "Namespaced",
            "names": { "kind": "HTTPRoute", "listKind": "HTTPRouteList", "plural": "httproutes", "singular": "httproute" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": schema } }],
        },
    })
}

/// The way in at `west`: two rules that split, one that does not; the second is as fresh as they come, and its default
/// weights are the server's.
fn furnish(lab: &Lab) {
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    lab.ask("west", "POST", crds, Some(&definition())).unwrap();
    let edge = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "edge" } });
    lab.ask("west", "POST", "/api/v1/namespaces", Some(&edge))
        .unwrap();
    let front = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "front" },
        "spec": { "selector": { "side": "east", "old": "yes" }, "ports": [{ "port": 80 }] } });
    lab.ask("west", "POST", "/api/v1/namespaces/edge/services", Some(&front))
        .unwrap();
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "shop" },
        "spec": { "hostnames": ["shop.example"], "rules": [
            { "name": "all", "backendRefs": [
                { "name": "shop-east", "port": 80, "weight": 100 }, { "name": "shop-west", "port": 80, "weight": 0 }] },
            { "name": "some", "backendRefs": [{ "name": "shop-east", "port": 80 }, { "name": "shop-west", "port": 80 }] },
            { "name": "static", "backendRefs": [{ "name": "files", "port": 80 }] } ] },
    });
    let routes = ROUTE.strip_suffix("/shop").unwrap();
    let began = Instant::now();
    while let Err(error) = lab.ask("west", "POST", routes, Some(&route)) {
        assert!(began.elapsed() < UNTIL, "{error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn protected() -> Lab {
    let lab = Lab::start();
    furnish(&lab);
    lab.expect(0, &["protect", CASE]);
    lab
}

/// Weights of the first two rules, east and west of each.
fn weights(route: &Value) -> [u64; 4] {
    let at = |rule: usize, backend: usize| {
        route["spec"]["rules"][rule]["backendRefs"][backend]["weight"]
            .as_u64()
            .unwrap()
    };
    [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]
}

fn route(lab: &Lab) -> Value {
    lab.ask("west", "GET", ROUTE, None).unwrap()
}

/// lifeboat's own changes of the route, in order: what was asked, and the audit event.
fn shifts(lab: &Lab) -> Vec<Value> {
    let log = lab.audit("west");
    let ours = log
        .of_tool()
        .filter(|event| event["objectRef"]["resource"] == "httproutes" && Log::changes_something(event));
    // Who breaks something by the lab's own hand has the same account.
    let by_hand = |event: &&Value| {
        event["userAgent"]
            .as_str()
            .is_some_and(|agent| agent.starts_with("Go-"))
    };
    ours.filter(|event| !by_hand(event)).cloned().collect()
}

fn sent(event: &Value) -> [u64; 4] {
    weights(&event["requestObject"])
}

/// Waits until the route is so.
fn until(lab: &Lab, wanted: [u64; 4]) {
    let began = Instant::now();
    while weights(&route(lab)) != wanted {
        assert!(began.elapsed() < UNTIL, "it is at {:?}", weights(&route(lab)));
        std::thread::sleep(Duration::from_millis(50));
    }
}

const FAILOVER: [&str; 4] = ["failover", CASE, "--confirm", "west standby"];

#[test]
#[ignore = "needs the lab: make test"]
fn customers_move_in_stages_and_every_change_names_the_version_that_it_was_made_from() {
    let lab = protected();
    let untouched = route(&lab)["spec"]["rules"][2].clone();
    lab.expect(0, &FAILOVER);

    let service = lab.ask("west", "GET", FRONT, None).unwrap();
    assert_eq!(service["spec"]["selector"], json!({ "side": "west" }));
    let note = &service["metadata"]["annotations"]["lifeboat.dev/traffic-before"];
    assert!(note.as_str().unwrap().contains(r#""old":"yes""#), "{note}");

    let done = shifts(&lab);
    let asked: Vec<[u64; 4]> = done.iter().map(sent).collect();
    // The second rule sent half of them there before: nothing is taken away from a side that is to get more.
    assert_eq!(asked, [[90, 10, 1, 1], [50, 50, 1, 1], [0, 100, 0, 100]]);
    for event in &done {
        assert_eq!(event["responseStatus"]["code"], 200, "{event:#}");
        let version = event["requestObject"]["metadata"]["resourceVersion"].as_str();
        assert!(version.is_some_and(|version| !version.is_empty()), "{event:#}");
    }
    for pair in done.windows(2) {
        let between = Log::arrived(&pair[1]) - Log::answered(&pair[0]);
        let between = Duration::try_from(between).unwrap();
        assert!(between >= STEADY, "{between:?}");
    }
    let end = Log::answered(done.last().unwrap());
    let log = lab.audit("west");
    let looks = log
        .front_looks("shop")
        .into_iter()
        .filter(|event| Log::arrived(event) > end);
    assert!(looks.count() >= 10, "the last stage was looked at as well");
    let after = route(&lab);
    assert_eq!(weights(&after), [0, 100, 0, 100]);
    assert_eq!(after["spec"]["rules"][2], untouched);

    // What makes it safe: the same request once more is one of an old version, and refused by the server itself.
    let again = lab.ask("west", "PATCH", ROUTE, Some(&done[2]["requestObject"]));
    let refused = again.unwrap_err();
    assert!(refused.contains("the object has been modified"), "{refused}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_new_side_that_breaks_in_the_middle_gets_no_more_customers() {
    let lab = protected();
    let before = route(&lab);
    let child = lab
        .lifeboat(&FAILOVER)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until(&lab, [50, 50, 1, 1]);
    let none = json!({ "spec": { "replicas": 0 } });
    lab.ask("west", "PATCH", WEB, Some(&none)).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = super::one_line(&[&output.stdout[..], &output.stderr[..]].concat());
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("503 instead of 200"), "{said}");
    assert!(said.contains("it is back at"), "{said}");
    let asked: Vec<[u64; 4]> = shifts(&lab).iter().map(sent).collect();
    assert_eq!(
        asked,
        [[90, 10, 1, 1], [50, 50, 1, 1], [100, 0, 1, 1]],
        "and not tried again"
    );
    let after = route(&lab);
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"].get("annotations"), None);
    // The runbook has everything undone then: the Service is back as well, to the last label.
    let service = lab.ask("west", "GET", FRONT, None).unwrap();
    assert_eq!(
        service["spec"]["selector"],
        json!({ "side": "east", "old": "yes" })
    );
    assert_eq!(service["metadata"].get("annotations"), None);
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_somebody_else_sets_in_between_is_told_and_stays() {
    let lab = protected();
    let child = lab
        .lifeboat(&FAILOVER)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until(&lab, [90, 10, 1, 1]);
    let mut rules = route(&lab)["spec"]["rules"].clone();
    rules[0]["backendRefs"][1]["weight"] = 42.into();
    let patch = json!({ "spec": { "rules": rules } });
    lab.ask("west", "PATCH", ROUTE, Some(&patch)).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = super::one_line(&[&output.stdout[..], &output.stderr[..]].concat());
    // Its undo does not go either, and waits for a person.
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains(
            "somebody else has changed HTTPRoute edge/shop: it is at rule 1: shop-east 90, shop-west 42"
        ),
        "{said}"
    );
    assert!(said.contains("Nothing is overwritten"), "{said}");
    assert_eq!(
        weights(&route(&lab)),
        [90, 42, 1, 1],
        "neither by the step nor by its undo"
    );
    let asked: Vec<[u64; 4]> = shifts(&lab).iter().map(sent).collect();
    assert_eq!(asked, [[90, 10, 1, 1]]);
}
