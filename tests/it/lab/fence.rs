//! The fence of epochs on the real thing: installed, in use by a failover that is adopted, and taken away again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::audit::Log;
use super::{Lab, SHOP, YES};

const EPOCHS: &str = "system:serviceaccount:lifeboat-system:lifeboat.shop.";

/// What a fence consists of, wherever it is; read by the lab's own hand.
const PLACES: &[&str] = &[
    "/api/v1/namespaces",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
];

fn names(lab: &Lab, site: &str) -> Vec<String> {
    let mut all = Vec::new();
    for place in PLACES {
        let listed = lab.ask(site, "GET", place, None).unwrap();
        let items = listed["items"].as_array().unwrap();
        assert!(place.contains("admission") || !items.is_empty(), "{place}");
        let name = |item: &Value| format!("{place}/{}", item["metadata"]["name"].as_str().unwrap());
        all.extend(items.iter().map(name));
    }
    all
}

fn said(lab: &Lab, code: i32, args: &[&str]) -> String {
    let output = lab.expect(code, args);
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    super::one_line(&all)
}

#[test]
#[ignore = "needs the lab: make test"]
#[expect(
    clippy::too_many_lines,
    reason = "one story: installed, tried, broken, mended, taken away"
)]
fn a_fence_is_installed_tried_and_taken_away_without_a_trace() {
    let lab = Lab::start();
    lab.mirror_journals_in("vault, local");
    lab.expect(0, &["protect", SHOP]);
    let before = names(&lab, "east");
    let open = said(&lab, 0, &["plan", SHOP, "--mode", "failover"]);
    assert!(open.contains("east: advisory (policy not installed)"), "{open}");
    let shown = said(&lab, 0, &["fence", "install", "--site", "east", "--show"]);
    assert!(shown.contains("ValidatingAdmissionPolicyBinding"), "{shown}");
    assert_eq!(names(&lab, "east"), before, "showing makes nothing");
    let made = said(&lab, 0, &["fence", "install", "--site", "east"]);
    assert!(
        made.contains("made ServiceAccount lifeboat-system/lifeboat.witness"),
        "{made}"
    );
    assert!(made.contains("a witness was refused just now"), "{made}");
    assert!(
        made.contains("the fence is decoration"),
        "the lab's own account may everything: {made}"
    );
    let again = said(&lab, 0, &["fence", "install", "--site", "east"]);
    assert!(
        again.contains("is there ServiceAccount lifeboat-system/lifeboat.witness"),
        "{again}"
    );
    let status = said(&lab, 0, &["fence", "status"]);
    assert!(
        status.contains("east - enforced by the API server lifeboat.witness was refused just now"),
        "{status}"
    );
    assert!(
        status.contains("west - advisory (policy not installed)"),
        "{status}"
    );
    let plan = said(&lab, 0, &["plan", SHOP, "--mode", "failover"]);
    assert!(plan.contains("Fence east: enforced by the API server"), "{plan}");
    assert!(plan.contains("west: advisory (policy not installed)"), "{plan}");
    assert!(
        !said(&lab, 0, &["plan", SHOP, "--mode", "drill"]).contains("Fence "),
        "a drill holds no epoch"
    );
    // Whatever is done to it, nobody but the accounts of epochs is ever refused by it.
    lab.ask("east", "DELETE", "/api/v1/namespaces/lifeboat-system", None)
        .unwrap();
    let free = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "free", "namespace": "default"}});
    let until = Instant::now() + Duration::from_secs(30);
    while lab
        .ask("east", "GET", "/api/v1/namespaces/lifeboat-system", None)
        .is_ok()
    {
        assert!(Instant::now() < until, "the namespace does not go");
        std::thread::sleep(Duration::from_millis(100));
    }
    lab.ask(
        "east",
        "POST",
        "/api/v1/namespaces/default/configmaps",
        Some(&free),
    )
    .unwrap();
    let broken = said(&lab, 3, &["fence", "status", "--site", "east"]);
    assert!(
        broken.contains("NOT ENFORCED: its witness lifeboat.witness is gone"),
        "{broken}"
    );
    said(&lab, 0, &["fence", "install", "--site", "east"]);
    // What exists and refuses nobody is no fence.
    let binding = format!("{}/lifeboat-fence", PLACES[4]);
    let asleep = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "lifeboat-fence", "labels": {"lifeboat.dev/fence": "true"},
            "annotations": {"lifeboat.dev/fence-namespace": "lifeboat-system"}},
        "spec": {"policyName": "lifeboat-fence", "validationActions": ["Warn"]}});
    lab.ask("east", "DELETE", &binding, None).unwrap();
    lab.ask("east", "POST", PLACES[4], Some(&asleep)).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let output = lab.lifeboat(&["fence", "status"]).output().unwrap();
        let text = super::one_line(&output.stdout);
        if output.status.code() == Some(3)
            && text.contains("NOT ENFORCED: the account lifeboat.witness was not refused")
        {
            break;
        }
        assert!(Instant::now() < until, "{text}");
    }
    let gone = said(&lab, 0, &["fence", "remove", "--site", "east"]);
    assert!(gone.contains("removed Namespace lifeboat-system"), "{gone}");
    let until = Instant::now() + Duration::from_secs(30);
    while names(&lab, "east") != before {
        assert!(Instant::now() < until, "left: {:?}", names(&lab, "east"));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A failover that has stopped the active side, and is about to restore.
fn begin(lab: &Lab) -> Child {
    let child = lab
        .lifeboat(&["failover", SHOP, "--confirm", "west standby"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while changed(lab, "east", 1).is_empty() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "the failover does not begin"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn user(event: &Value) -> &str {
    event["user"]["username"].as_str().unwrap()
}

/// Changes at a site that an epoch asked for, dry runs left out.
fn changed(lab: &Lab, site: &str, epoch: u64) -> Vec<Value> {
    let log = lab.audit(site);
    let own = format!("{EPOCHS}{epoch}");
    let real = |event: &&Value| {
        let dry = event["requestURI"]
            .as_str()
            .unwrap_or_default()
            .contains("dryRun=All");
        Log::changes_something(event) && !dry && user(event) == own
    };
    log.of_users(&own).into_iter().filter(real).cloned().collect()
}

fn code(event: &Value) -> u64 {
    event["responseStatus"]["code"].as_u64().unwrap()
}

/// When the proof of an epoch was had: the first refusal of the account before it that names the new epoch.
fn proved(lab: &Lab, site: &str, epoch: u64) -> jiff::Timestamp {
    let log = lab.audit(site);
    let before = format!("{EPOCHS}{}", epoch - 1);
    let words = format!("the epoch of this account is over: shop is at epoch {epoch},");
    let refused = |event: &&Value| {
        let said = event["responseStatus"]["message"].as_str().unwrap_or_default();
        user(event) == before && code(event) == 403 && said.contains(&words)
    };
    let first = log.of_users(&before).into_iter().find(refused).cloned();
    Log::answered(&first.unwrap_or_else(|| panic!("no proof of epoch {epoch}")))
}

#[test]
#[ignore = "needs the lab: make test"]
#[expect(
    clippy::too_many_lines,
    reason = "one story, and what two audit logs say of it"
)]
fn the_old_process_of_an_adopted_run_halts_and_no_change_of_its_epoch_is_accepted_after_the_proof() {
    let lab = Lab::start();
    lab.mirror_journals_in("vault, local");
    lab.expect(0, &["protect", SHOP]);
    for site in ["east", "west"] {
        lab.expect(0, &["fence", "install", "--site", site]);
    }
    let child = begin(&lab);
    let pid = child.id().to_string();
    let signal = |name: &str| Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(signal("-STOP").success());
    let run = lab.run("shop-f-");
    let busy = said(&lab, 5, &["fence", "remove", "--site", "west"]);
    assert!(
        busy.contains("the fence at west is in use") && busy.contains(&run),
        "{busy}"
    );
    let other = lab.dir().join("other-machine");
    let elsewhere = |expected: i32, args: &[&str]| {
        let output = lab.lifeboat_on(&other, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{args:?} {said}");
        said
    };
    let adopted = elsewhere(4, &["adopt", &run]);
    assert!(
        adopted.contains("fence at west: enforced by the API server"),
        "{adopted}"
    );
    assert!(signal("-CONT").success());
    let output = child.wait_with_output().unwrap();
    let late = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(9), "{late}");
    println!("{late}");
    elsewhere(0, &[&["approve", &run, "go"], &YES[..]].concat());
    elsewhere(0, &["resume", &run]);
    // By the API server's own record.
    assert!(
        !changed(&lab, "east", 1).is_empty(),
        "the hold began: the oracle reads the right place"
    );
    for site in ["east", "west"] {
        let proof = proved(&lab, site, 2);
        let accepted_late: Vec<String> = changed(&lab, site, 1)
            .iter()
            .filter(|event| code(event) < 300 && Log::answered(event) > proof)
            .map(Log::line)
            .collect();
        assert!(accepted_late.is_empty(), "{site}: {accepted_late:#?}");
        let early: Vec<String> = changed(&lab, site, 2)
            .iter()
            .filter(|event| Log::arrived(event) <= proof)
            .map(Log::line)
            .collect();
        assert!(early.is_empty(), "{site}: changed before the proof: {early:#?}");
    }
    let made = changed(&lab, "west", 2);
    assert!(
        made.len() >= 10,
        "the adopter restores as epoch 2: {}",
        made.len()
    );
    // Nothing that a run changes goes by any other name.
    let tool = lab.audit("west");
    let by_itself: Vec<String> = tool
        .changes()
        .into_iter()
        .filter(|event| Log::namespace(event) == "shop")
        .map(Log::line)
        .collect();
    assert!(by_itself.is_empty(), "{by_itself:#?}");
    let status = said(&lab, 0, &["fence", "status", "--site", "west"]);
    assert!(
        status.contains("west shop enforced by the API server epoch 3"),
        "{status}"
    );
    // It has ended: nobody holds the fence any more.
    let gone = said(&lab, 0, &["fence", "remove", "--site", "west"]);
    assert!(
        gone.contains("removed ServiceAccount lifeboat-system/lifeboat.shop.3"),
        "{gone}"
    );
}
