//! What the shipped playbooks promise, as a person goes through them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::cli::{copy_of, expect};

/// A playbook in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    copy: PathBuf,
    name: &'static str,
}

/// Ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    fn of(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = copy_of(&format!("playbooks/{name}"), folder.path());
        Self { folder, copy, name }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn runbook(&self) -> &str {
        self.copy.to_str().unwrap()
    }

    fn expect(&self, code: i32, args: &[&str]) -> String {
        expect(code, &self.state(), args)
    }

    /// Makes a backup, and says what it is called.
    fn backup(&self) -> String {
        let before = self.files("vault/backups");
        self.expect(0, &["protect", self.runbook()]);
        let mut made = self.files("vault/backups");
        made.retain(|name| !before.contains(name));
        made.pop().unwrap()
    }

    /// What is in a folder beside the runbook, sorted.
    fn files(&self, folder: &str) -> Vec<String> {
        names(&self.copy.join(folder))
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.copy.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{from}");
        std::fs::write(&file, changed).unwrap();
    }

    fn command(&self, user: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["--plain", "--state"])
            .arg(self.state())
            .args(args)
            .env_remove("LIFEBOAT_SITES")
            .env("USER", user)
            .env("HOSTNAME", "desk")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// A failover to its end, in which each question is answered as it comes: the step, who, and in which role.
    /// Embedded sites end with their process, so it waits for answers. Gives the run and its exit code.
    fn failover(&self, more: &[&str], answers: &[(&str, &str, &str)]) -> (Value, Option<i32>) {
        let begin = [
            "failover",
            self.runbook(),
            "--confirm",
            "west standby",
            "--questions",
            "wait",
        ];
        let said = std::fs::File::create(self.folder.path().join("said")).unwrap();
        let mut run = self.command("anna", &[&begin[..], more].concat());
        let mut run = Ended(
            run.stdout(said.try_clone().unwrap())
                .stderr(said)
                .spawn()
                .unwrap(),
        );
        let mut answered = Vec::new();
        for _ in 0..1200 {
            if let Some(status) = run.0.try_wait().unwrap() {
                let mut asked: Vec<&str> = answers.iter().map(|(step, ..)| *step).collect();
                asked.sort_unstable();
                answered.sort_unstable();
                assert_eq!(answered, asked, "everybody was asked");
                return (self.summary().unwrap(), status.code());
            }
            let summary = self.summary().unwrap_or_default();
            let asking = steps(&summary).find(|step| step["state"] == "asking");
            let asking = asking.and_then(|step| step["name"].as_str());
            let open = asking.filter(|name| !answered.iter().any(|one| one == name));
            if let Some(name) = open {
                let (step, by, role) = answers
                    .iter()
                    .find(|(step, ..)| *step == name)
                    .unwrap_or_else(|| panic!("nobody answers {name}"));
                let id = summary["run"].as_str().unwrap();
                let args = [
                    "approve", id, step, "--as", by, "--role", role, "--reason", "I looked",
                ];
                assert!(self.command(by, &args).status().unwrap().success(), "{step}");
                answered.push(*step);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not end");
    }

    /// What is known of the failover.
    fn summary(&self) -> Option<Value> {
        let runs = names(&self.state().join("runs"));
        let run = runs
            .iter()
            .find(|run| run.starts_with(&format!("{}-f-", self.name)))?;
        let output = self
            .command("eve", &["status", run, "--json"])
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".gitkeep")
        .collect();
    names.sort();
    names
}

fn steps(summary: &Value) -> impl Iterator<Item = &Value> {
    summary["steps"].as_array().into_iter().flatten()
}

fn step<'a>(summary: &'a Value, name: &str) -> &'a Value {
    steps(summary)
        .find(|step| step["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {summary}"))
}

/// The receipt of a step's only effect.
fn receipt<'a>(summary: &'a Value, name: &str) -> &'a Value {
    &step(summary, name)["effects"][0]["attempts"][0]["result"]["receipt"]
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.map(|one| one.as_str().unwrap()).collect()
}

const SIGNED: [(&str, &str, &str); 4] = [
    ("right-point", "salma", "security-lead"),
    ("look", "mira", "forensics"),
    ("signed", "erik", "security-lead"),
    ("decision", "ruth", "management"),
];

#[test]
fn a_clean_room_takes_no_point_in_time_that_nobody_chose() {
    let place = Place::of("clean-room");
    place.backup();
    let said = place.expect(5, &["failover", place.runbook(), "--confirm", "west standby"]);
    assert!(
        said.contains("the input `point` has no value")
            && said.contains("give it: --input point=…")
            && said.contains("A person chooses it."),
        "{said}"
    );
    let said = place.expect(
        5,
        &[
            "failover",
            place.runbook(),
            "--input",
            "point=clean-room-2026-01-01t000000z",
        ],
    );
    assert!(
        said.contains("holds no backup `clean-room-2026-01-01t000000z` with documents, ledger")
            && said.contains("lifeboat backups lists those that are there"),
        "{said}"
    );
    let said = place.expect(0, &["drill", place.runbook()]);
    assert!(
        said.contains("Drill recovered."),
        "nobody has to choose for a drill: {said}"
    );
    assert_eq!(place.files("evidence"), [""; 0], "nothing of a drill is evidence");
}

/// Somebody changes a program and a password, leaves a message, and is in the newest backup.
fn intrude(place: &Place) {
    place.edit(
        "app.yaml",
        "ledger/pay-bills:7.1.4",
        "ledger/pay-bills:7.1.4-fixed",
    );
    place.edit(
        "app.yaml",
        "password: not-a-real-one",
        "password: of-the-intruder",
    );
    place.edit(
        "app.yaml",
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: ledger\n",
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: read-me\n  namespace: ledger\ndata:\n  note: pay us\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: ledger\n",
    );
    std::thread::sleep(Duration::from_secs(1));
    place.backup();
}

#[test]
fn what_an_intruder_changed_is_told_and_stays_out_of_the_room() {
    let place = Place::of("clean-room");
    let point = place.backup();
    intrude(&place);
    let vault = contents(&place.copy.join("vault"));

    let (run, code) = place.failover(&["--input", &format!("point={point}")], &SIGNED);
    assert_eq!(code, Some(0), "{run}");
    assert_eq!(
        texts(&receipt(&run, "differences")["found"]),
        [
            "+ ConfigMap ledger/read-me",
            "~ CronJob ledger/pay-bills: spec.jobTemplate.spec.template.spec.containers[0].image",
            "~ Secret ledger/bank: data.password",
        ]
    );
    let asked = std::fs::read_to_string(place.folder.path().join("said")).unwrap();
    let asked = asked
        .lines()
        .find(|line| line.contains("  ask   right-point "))
        .unwrap();
    assert!(
        asked.contains("Objects since then: 1 new, 0 gone, 2 changed.") && asked.contains(&point),
        "a person answers about the values: {asked}"
    );
    assert_eq!(receipt(&run, "restore")["outputs"]["backup"], point.as_str());

    // Nothing that changes something acts on the affected side or on the backups.
    for step in steps(&run) {
        for effect in step["effects"].as_array().unwrap() {
            let line = |key: &str| effect["line"][key].as_str().unwrap();
            let evidence = line("verb") == "backup" && line("what").ends_with(" into evidence");
            assert!(
                effect["class"] == "read" || evidence || ["west", "people"].contains(&line("place")),
                "{effect}"
            );
            assert_eq!(effect["destructive"], false, "{effect}");
        }
    }
    assert_eq!(contents(&place.copy.join("vault")), vault);
    assert_eq!(place.files("evidence/backups").len(), 1);
    assert_eq!(
        receipt(&run, "keep-evidence")["deleted"],
        Value::Null,
        "nothing of the evidence is deleted"
    );

    let id = run["run"].as_str().unwrap();
    place.expect(0, &["report", id]);
    let report = std::fs::read_to_string(place.state().join("runs").join(id).join("report.md")).unwrap();
    for what in [
        "ConfigMap ledger/read-me",
        "data.password",
        "salma",
        "erik",
        "ruth",
    ] {
        assert!(report.contains(what), "no {what} in {report}");
    }
    assert!(!report.contains("of-the-intruder"), "{report}");
    let said = place.expect(0, &["explain", id, "differences"]);
    assert!(said.contains("found: + ConfigMap ledger/read-me"), "{said}");
}

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn what_comes_into_a_clean_room_acts_on_nothing_outside() {
    let place = Place::of("clean-room");
    let point = place.backup();
    let (run, code) = place.failover(&["--input", &format!("point={point}")], &SIGNED);
    assert_eq!(code, Some(0), "{run}");
    let order = ["room", "walls-hold", "restore", "ledger-up"].map(|name| {
        let step = step(&run, name);
        (
            step["startedMs"].as_u64().unwrap(),
            step["endedMs"].as_u64().unwrap(),
        )
    });
    assert!(
        order.is_sorted_by(|before, after| before.1 <= after.0),
        "the walls stand and were tried before anything is inside: {order:?}"
    );
    let created = serde_json::to_string(&receipt(&run, "restore")["created"]).unwrap();
    for kind in [
        "Deployment",
        "CronJob",
        "Secret",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Service",
    ] {
        assert!(created.contains(kind), "{kind}: {created}");
    }
    for kind in ["Ingress", "NetworkPolicy", "Role", "Job\""] {
        assert!(!created.contains(&format!("\"{kind}")), "{kind}: {created}");
    }
    let plan = place.expect(
        0,
        &[
            "plan",
            place.runbook(),
            "--mode",
            "failover",
            "--input",
            &format!("point={point}"),
            "--objects",
        ],
    );
    let (_, objects) = plan.split_once("Objects of restore").unwrap();
    assert!(
        objects.contains("bank-notices: change 2: metadata.annotations"),
        "{objects}"
    );
    assert!(objects.contains("pay-bills: change 1: spec.suspend"), "{objects}");
    for outside in ["Ingress", "NetworkPolicy"] {
        assert!(!objects.contains(outside), "{outside}: {objects}");
    }
}

#[test]
fn five_services_come_back_in_waves_each_proved_before_the_next() {
    let place = Place::of("region-loss");
    let backup = place.backup();
    let (run, code) = place.failover(
        &[],
        &[
            ("customers", "ben", "incident-commander"),
            ("names", "nils", "network-team"),
            ("room-for-tier-3", "hana", "head-of-operations"),
        ],
    );
    assert_eq!(code, Some(0), "{run}");
    let risk = step(&run, "both-may-write");
    let proved = risk["why"]
        .as_str()
        .is_some_and(|why| why.starts_with("not asked: stop-active proved"));
    assert!(
        risk["state"] == "skipped" && proved,
        "the fence gave its proof, so nobody takes a risk: {risk}"
    );
    let at = |name: &str, what: &str| step(&run, name)[what].as_u64().unwrap();
    for (proofs, next) in [
        (&["stop-active"][..], "restore-identity"),
        (&["identity-up", "identity-proof"], "restore-sales"),
        (
            &["payments-up", "storefront-up", "storefront-proof"],
            "restore-tier-3",
        ),
    ] {
        for proof in proofs {
            assert!(
                at(proof, "endedMs") <= at(next, "startedMs"),
                "{proof} comes before {next}: {run}"
            );
        }
    }
    for wave in ["identity", "sales", "tier-3"] {
        let receipt = receipt(&run, &format!("restore-{wave}"));
        assert_eq!(
            receipt["outputs"]["backup"],
            backup.as_str(),
            "{wave}: all from one backup"
        );
    }
}
