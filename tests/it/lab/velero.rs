//! Both directions between lifeboat and a running Velero, judged by the lab's own comparer, which
//! shares no code with either.

use serde_json::Value;

use super::Lab;

const MOVE: &str = "tests/it/cases/move.yaml";

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
