//! Both directions between lifeboat and a running Velero, judged by the lab's own comparer, which
//! shares no code with either; and a Velero that a runbook drives.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Lab;

const MOVE: &str = "tests/it/cases/move.yaml";
const DRIVEN: &str = "tests/it/cases/velero.yaml";
const OBJECTS: &str = "/apis/velero.io/v1/namespaces/velero";
/// A Velero looks into its store at its start, and then once a minute.
const KNOWN_WITHIN: Duration = Duration::from_mins(3);

/// The only backup in the vault.
fn only_backup(lab: &Lab) -> String {
    let folder = lab.dir().join("vault/objects");
    let mut names = Vec::new();
    for bucket in std::fs::read_dir(folder).unwrap() {
        let backups = bucket.unwrap().path().join("shop/backups");
        if let Ok(entries) = std::fs::read_dir(backups) {
            names.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        }
    }
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

/// What a `lab velero …` command printed of its work.
fn velero(lab: &Lab, args: &[&str]) -> Value {
    let output = lab.tool(&[&["velero"], args].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "lab velero {}\n{said}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(said.lines().last().unwrap_or("null")).unwrap_or(Value::Null)
}

/// Fails with every difference between the shops of the two sites.
fn equal(lab: &Lab, but: &[&str]) {
    let args = [
        "compare",
        "--left",
        "east",
        "--right",
        "west",
        "--namespaces",
        "shop",
        "--json",
    ];
    let output = lab.tool(&[&args, but].concat());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    let kinds = found["compared"].as_object().unwrap().values();
    let compared: u64 = kinds.filter_map(|kind| kind["left"].as_u64()).sum();
    assert!(compared >= 10, "{found:#}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn velero_restores_our_backup() {
    let lab = Lab::start();
    lab.expect(0, &["protect", MOVE]);
    let backup = only_backup(&lab);
    velero(&lab, &["up", "--site", "west", "--store", "vault"]);
    let done = velero(&lab, &["restore", "--site", "west", "--backup", &backup]);
    assert_eq!(done["phase"], "Completed", "{done:#}");
    assert_eq!(done["errors"], 0, "{done:#}");
    equal(&lab, &[]);
}

#[test]
#[ignore = "needs the lab: make test"]
fn we_restore_veleros_backup() {
    let lab = Lab::start();
    velero(&lab, &["up", "--site", "east", "--store", "vault"]);
    let done = velero(
        &lab,
        &[
            "backup",
            "--site",
            "east",
            "--name",
            "theirs",
            "--namespaces",
            "shop",
        ],
    );
    assert_eq!(done["phase"], "Completed", "{done:#}");
    velero(&lab, &["down", "--site", "east"]);
    let args = [
        "failover",
        MOVE,
        "--input",
        "backup=theirs",
        "--confirm",
        "west standby",
    ];
    let output = lab.lifeboat(&args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Nothing proves health in this runbook, so RTO is not measured: 7.
    assert_eq!(
        output.status.code(),
        Some(7),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    equal(&lab, &[]);
}

/// Has the runbook's Velero make a backup, and another one at `west` know it; its name.
fn made_by_velero(lab: &Lab) -> String {
    velero(lab, &["up", "--site", "east", "--store", "vault"]);
    lab.expect(0, &["protect", DRIVEN]);
    let run = lab.run("velero-p-");
    let name = format!("capture-{run}");
    let made = lab.ask("east", "GET", &format!("{OBJECTS}/backups/{name}"), None);
    let made = made.unwrap();
    assert_eq!(made["status"]["phase"], "Completed", "{made:#}");
    velero(lab, &["up", "--site", "west", "--store", "vault"]);
    let began = Instant::now();
    while lab
        .ask("west", "GET", &format!("{OBJECTS}/backups/{name}"), None)
        .is_err()
    {
        assert!(began.elapsed() < KNOWN_WITHIN, "west does not know {name}");
        std::thread::sleep(Duration::from_millis(500));
    }
    name
}

/// A failover by Velero; its exit code and all that was said.
fn failover(lab: &Lab, backup: &str) -> (Option<i32>, String) {
    let input = format!("backup={backup}");
    let args = ["failover", DRIVEN, "--input", &input, "--confirm", "west standby"];
    let output = lab.lifeboat(&args).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), super::one_line(&said))
}

/// Everything of a kind of Velero's.
fn all(lab: &Lab, site: &str, plural: &str) -> Vec<Value> {
    let listed = lab
        .ask(site, "GET", &format!("{OBJECTS}/{plural}"), None)
        .unwrap();
    listed["items"].as_array().unwrap().clone()
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_runbook_has_velero_move_the_shop() {
    let lab = Lab::start();
    let backup = made_by_velero(&lab);
    let (code, said) = failover(&lab, &backup);
    // Nothing proves health in this runbook, so RTO is not measured: 7.
    assert_eq!(code, Some(7), "{said}");
    equal(&lab, &[]);
    let restores = all(&lab, "west", "restores");
    assert_eq!(restores.len(), 1, "{restores:#?}");
    assert_eq!(restores[0]["status"]["phase"], "Completed");
    assert_eq!(restores[0]["spec"]["backupName"], backup.as_str());
    let report = lab.report(&lab.run("velero-f-"));
    assert_eq!(
        report["rpo"]["how"], "from the backup's consistent point to the start",
        "{:#}",
        report["rpo"]
    );
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_velero_could_not_restore_fails_the_step_with_veleros_own_words() {
    let lab = Lab::start();
    let backup = made_by_velero(&lab);
    let policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    let policy = json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "no-settings" },
        "spec": { "failurePolicy": "Fail", "matchConstraints": { "resourceRules": [
            { "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"] }] },
            "validations": [{ "expression": "object.metadata.name != 'settings'", "message": "no settings here" }] } });
    lab.ask("west", "POST", policies, Some(&policy)).unwrap();
    let binding = json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": "no-settings" }, "spec": { "policyName": "no-settings", "validationActions": ["Deny"] } });
    let bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
    lab.ask("west", "POST", bindings, Some(&binding)).unwrap();
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
    let began = Instant::now();
    let place = "/api/v1/namespaces/default/configmaps";
    while lab.ask("west", "POST", place, Some(&settings)).is_ok() {
        assert!(began.elapsed() < KNOWN_WITHIN, "the policy is not in force");
        lab.ask("west", "DELETE", &format!("{place}/settings"), None)
            .unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }

    let (code, said) = failover(&lab, &backup);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("Velero says PartiallyFailed of Restore velero/restore-velero-f-"),
        "{said}"
    );
    assert!(said.contains("1 error"), "{said}");
    assert!(
        said.contains("; the first: error: shop: ") && said.contains("no settings here"),
        "{said}"
    );
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_velero_that_has_ended_is_said_and_finds_nothing_to_do_when_it_is_back() {
    let lab = Lab::start();
    let backup = made_by_velero(&lab);
    velero(&lab, &["down", "--site", "west"]);
    let (code, said) = failover(&lab, &backup);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("no Velero server has taken up Restore velero/restore-"),
        "{said}"
    );
    assert!(said.contains("within 20s"), "{said}");
    assert_eq!(all(&lab, "west", "restores"), <[Value; 0]>::default());
    velero(&lab, &["up", "--site", "west", "--store", "vault"]);
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        lab.ask("west", "GET", "/api/v1/namespaces/shop", None).is_err(),
        "nothing was restored"
    );
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_velero_refuses_and_what_it_does_not_know_is_said() {
    let lab = Lab::start();
    velero(&lab, &["up", "--site", "east", "--store", "vault"]);
    let output = lab.expect(3, &["protect", DRIVEN, "--input", "location=nowhere"]);
    let said = super::one_line(&[&output.stdout[..], &output.stderr[..]].concat());
    assert!(said.contains("Velero says FailedValidation of Backup"), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    // The plan of a failover that cannot work is refused before anything is changed.
    velero(&lab, &["up", "--site", "west", "--store", "vault"]);
    let (code, said) = failover(&lab, "no-such-backup");
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("the Velero of velero on west knows no backup no-such-backup"),
        "{said}"
    );
}
