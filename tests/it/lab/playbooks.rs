//! The shipped playbooks on real API servers: drilled, and the clean room with an intruder in the house.

use serde_json::json;

use super::Lab;
use super::audit::Log;

const ROOM: &str = "playbooks/clean-room";

/// The applications of a playbook run on `east`.
fn seeded(lab: &Lab, playbook: &str) {
    let done = lab.tool(&[
        "seed",
        "--playbook",
        playbook,
        "--repo",
        env!("CARGO_MANIFEST_DIR"),
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// From here on the inventory has one more store, a folder.
fn with_store(lab: &Lab, name: &str) {
    let file = lab.dir().join("sites.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = format!("  stores:\n    {name}: {{ directory: {name} }}\n");
    std::fs::create_dir(lab.dir().join(name)).unwrap();
    std::fs::write(&file, text.replacen("  stores:\n", &more, 1)).unwrap();
}

/// From here on the inventory has somebody who can be told.
fn with_receiver(lab: &Lab, name: &str) {
    let file = lab.dir().join("sites.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = format!("  notify:\n    {name}: {{ embedded: {{}} }}\n  stores:\n");
    std::fs::write(&file, text.replacen("  stores:\n", &more, 1)).unwrap();
}

/// What lifeboat changed at a site.
fn changes(lab: &Lab, site: &str) -> Vec<String> {
    lab.audit(site).changes().into_iter().map(Log::line).collect()
}

/// Names of the objects at a path.
fn named(lab: &Lab, path: &str) -> Vec<String> {
    let listed = lab.ask("west", "GET", path, None).unwrap();
    let items = listed["items"].as_array().unwrap().iter();
    items
        .map(|one| one["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs the lab: make test"]
fn the_loss_of_a_region_is_drilled_in_three_waves() {
    let lab = Lab::start();
    seeded(&lab, "region-loss");
    with_receiver(&lab, "incident-channel");
    lab.expect(0, &["protect", "playbooks/region-loss"]);
    lab.expect(0, &["drill", "playbooks/region-loss"]);
    let report = lab.report(&lab.run("region-loss-d-"));
    let ended = |name: &str| {
        let steps = report["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        step["endedMs"].as_u64().unwrap()
    };
    let waves = [
        "identity-proof",
        "restore-sales",
        "storefront-proof",
        "restore-tier-3",
        "warehouse-proof",
    ];
    assert!(waves.map(ended).is_sorted(), "{report}");
    let left = named(&lab, "/api/v1/namespaces");
    assert!(left.iter().all(|name| !name.contains("-drill-")), "{left:?}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_clean_room_is_closed_and_the_affected_side_is_only_read() {
    let lab = Lab::start();
    seeded(&lab, "clean-room");
    with_store(&lab, "evidence");
    lab.expect(0, &["protect", ROOM]);
    let point = lab.names("vault").pop().unwrap();
    lab.expect(0, &["drill", ROOM]);
    let note = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "read-me" }, "data": { "note": "pay us" } });
    lab.ask(
        "east",
        "POST",
        "/api/v1/namespaces/ledger/configmaps",
        Some(&note),
    )
    .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    lab.expect(0, &["protect", ROOM]);
    let before = changes(&lab, "east").len();

    // Nobody sits at a terminal: it pauses at each question, and goes on when somebody else has answered.
    let input = format!("point={point}");
    lab.expect(
        4,
        &["failover", ROOM, "--input", &input, "--confirm", "west standby"],
    );
    let run = lab.run("clean-room-f-");
    for (step, by, role, then) in [
        ("right-point", "salma", "security-lead", 4),
        ("look", "mira", "forensics", 4),
        ("signed", "erik", "security-lead", 4),
        ("decision", "ruth", "management", 0),
    ] {
        let answer = [
            "approve", &run, step, "--as", by, "--role", role, "--reason", "I looked",
        ];
        let answered = lab.lifeboat(&answer).env("USER", by).status().unwrap();
        assert!(answered.success(), "{step}");
        lab.expect(then, &["resume", &run]);
    }
    let report = lab.report(&run);
    let steps = report["steps"].as_array().unwrap();
    let differences = steps.iter().find(|step| step["name"] == "differences").unwrap();
    let found = &differences["effects"][0]["attempts"][0]["result"]["receipt"]["found"];
    assert_eq!(found, &json!(["+ ConfigMap ledger/read-me"]));
    assert_eq!(
        changes(&lab, "east").len(),
        before,
        "the affected side is only read"
    );

    let get = |path: &str| lab.ask("west", "GET", path, None).unwrap();
    let job = get("/apis/batch/v1/namespaces/ledger-clean/cronjobs/pay-bills");
    assert_eq!(job["spec"]["suspend"], true);
    let service = get("/api/v1/namespaces/ledger-clean/services/bank-notices");
    assert_eq!(service["spec"]["type"], "ClusterIP", "{service}");
    let annotations = service["metadata"]["annotations"].as_object();
    let told = |name: &String| name.starts_with("external-dns");
    assert!(!annotations.is_some_and(|all| all.keys().any(told)), "{service}");
    for namespace in ["documents-clean", "ledger-clean"] {
        let networking = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}");
        assert_eq!(named(&lab, &format!("{networking}/ingresses")), [""; 0]);
        assert_eq!(named(&lab, &format!("{networking}/networkpolicies")), ["closed"]);
    }
    let maps = named(&lab, "/api/v1/namespaces/ledger-clean/configmaps");
    assert!(!maps.contains(&"read-me".to_owned()), "{maps:?}");
    let bindings = get("/apis/rbac.authorization.k8s.io/v1/namespaces/ledger-clean/rolebindings");
    assert_eq!(bindings["items"].as_array().map_or(0, Vec::len), 0, "{bindings}");
}
