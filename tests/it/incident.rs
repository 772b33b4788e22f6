//! An incident as the people in it see it, from its declaration to the report.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::cli::{copy_of, expect, lifeboat};

/// A shop that nobody has to approve, so that its failover ends in one process: embedded sites end with it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    shop: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = copy_of("playbooks/shop", folder.path());
        let text = std::fs::read_to_string(shop.join("runbook.yaml")).unwrap();
        let (before, _) = text.split_once("    - name: go\n").unwrap();
        std::fs::write(shop.join("runbook.yaml"), before).unwrap();
        let place = Self { folder, shop };
        place.expect(0, &["protect", place.runbook()]);
        place
    }

    pub(crate) fn runbook(&self) -> &str {
        self.shop.to_str().unwrap()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> String {
        expect(code, &self.state(), args)
    }

    /// The newest failover's summary.
    fn failover(&self) -> Value {
        let runs = std::fs::read_dir(self.state().join("runs")).unwrap();
        let mut names: Vec<PathBuf> = runs.map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.to_str().unwrap().contains("shop-f-"));
        names.sort_by_key(|path| {
            std::fs::metadata(path.join("journal.jsonl"))
                .unwrap()
                .modified()
                .unwrap()
        });
        let name = names.pop().unwrap();
        let output = lifeboat(
            &self.state(),
            &["status", name.file_name().unwrap().to_str().unwrap(), "--json"],
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn recovery_is_measured_from_the_declaration_and_the_time_to_decide_is_its_own_figure() {
    let place = Place::new();
    let shop = place.runbook();
    let at = (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(4)).to_string();
    let said = place.expect(
        0,
        &[
            "declare",
            shop,
            "--as",
            "anna",
            "--reason",
            "east is gone",
            "--at",
            &at,
        ],
    );
    assert!(said.contains("Incident of Online shop declared 4 m"), "{said}");
    assert!(said.contains("by anna: east is gone"), "{said}");
    assert!(said.contains("Decide   within 10 m, until "), "{said}");
    assert!(said.contains("RTO      30 m, until "), "{said}");
    assert!(said.contains("Recorded on this machine."), "{said}");
    let said = place.expect(5, &["declare", shop, "--reason", "again"]);
    assert!(
        said.contains("error: an incident of shop was declared 4 m"),
        "{said}"
    );
    assert!(said.contains("Nothing was changed: its clock runs on."), "{said}");

    let said = place.expect(0, &["drill", shop]);
    assert!(!said.contains("Declared"), "a drill answers no incident: {said}");
    let said = place.expect(0, &["status"]);
    assert!(said.contains("Incident of shop, declared 4 m"), "{said}");
    assert!(said.contains("no run has taken it up"), "{said}");

    let said = place.expect(0, &["failover", shop, "--confirm", "west standby"]);
    assert!(
        said.contains("before the start by anna: east is gone. RTO counts from there."),
        "{said}"
    );
    assert!(said.contains("Decided in    4 m"), "{said}");
    assert!(
        said.contains("from the declaration to the end of answers"),
        "{said}"
    );
    let summary = place.failover();
    let ms = |path: &str| summary.pointer(path).and_then(Value::as_u64).unwrap();
    assert!(
        (240_000..270_000).contains(&ms("/decision/measuredMs")),
        "{summary}"
    );
    assert_eq!(ms("/decision/targetMs"), 600_000);
    assert!(ms("/rto/measuredMs") >= ms("/decision/measuredMs"));
    assert!(ms("/rto/measuredMs") <= ms("/decision/measuredMs") + ms("/elapsedMs"));

    let said = place.expect(0, &["status"]);
    assert!(
        !said.contains("Incident of"),
        "it is over when a run has recovered: {said}"
    );
    place.expect(0, &["failover", shop, "--confirm", "west standby"]);
    assert!(
        place.failover().get("declared").is_none(),
        "the next one is another incident"
    );
}

#[test]
fn a_declaration_that_was_none_is_withdrawn_with_a_reason() {
    let place = Place::new();
    let shop = place.runbook();
    let said = place.expect(5, &["declare", shop, "--withdraw", "--reason", "none"]);
    assert!(said.contains("error: no incident of shop is declared"), "{said}");
    let said = place.expect(0, &["declare", shop, "--as", "eve", "--reason", "is it down?"]);
    assert!(said.contains("declared just now"), "{said}");
    assert!(
        said.contains(
            "note: by the runbook incident-commander may declare (anna, ben), and eve is not among them"
        ),
        "{said}"
    );
    let said = place.expect(
        0,
        &[
            "declare",
            shop,
            "--withdraw",
            "--as",
            "ben",
            "--reason",
            "a network of ours",
        ],
    );
    assert!(
        said.contains("Withdrawn by ben: the incident of shop, declared"),
        "{said}"
    );
    place.expect(0, &["failover", shop, "--confirm", "west standby"]);
    assert!(place.failover().get("declared").is_none());
}

#[test]
fn a_declaration_reaches_another_machine_by_the_mirrors() {
    let place = Place::new();
    let sites = place.shop.join("sites.yaml");
    let text = std::fs::read_to_string(&sites).unwrap();
    std::fs::create_dir(place.shop.join("tower")).unwrap();
    let mirrored = format!(
        "{text}    tower:\n      directory: tower\n  journal: {{ mirrors: [tower], release: local+1 }}\n"
    );
    std::fs::write(&sites, mirrored).unwrap();
    let shop = place.runbook();
    let said = place.expect(0, &["declare", shop, "--as", "anna", "--reason", "east is gone"]);
    assert!(said.contains("Recorded on this machine and in tower."), "{said}");
    assert_eq!(
        files(&place.shop.join("tower/metadata/lifeboat-journal/incidents/shop")),
        1
    );
    let other = place.folder.path().join("other");
    let said = expect(5, &other, &["declare", shop, "--reason", "east is gone"]);
    assert!(said.contains("by anna: east is gone"), "{said}");
    expect(0, &other, &["failover", shop, "--confirm", "west standby"]);
    let said = place.expect(0, &["declare", shop, "--as", "anna", "--reason", "the next one"]);
    assert!(
        said.contains("declared just now"),
        "that it is over is known here too: {said}"
    );
}

/// The same as somebody else's account.
fn run_as(user: &str, state: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = command(state, args).env("USER", user).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn command(state: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--plain", "--state"])
        .arg(state)
        .args(args)
        .env_remove("LIFEBOAT_SITES")
        .env("HOSTNAME", "desk")
        .env("COLUMNS", "80")
        .stdin(Stdio::null());
    command
}

/// A shop whose failover asks, and in which two people have to agree.
fn four_eyes() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let shop = copy_of("playbooks/shop", folder.path());
    let file = shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let asked = text.replacen(
        "  people:\n",
        "  approvals: { not_initiator: true }\n  people:\n",
        1,
    );
    assert_ne!(text, asked);
    std::fs::write(&file, asked).unwrap();
    let place = Place { folder, shop };
    place.expect(0, &["protect", place.runbook()]);
    place
}

/// A text without its line breaks and indents.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The run whose name stands in what a command said.
fn named(said: &str) -> String {
    let at = said.find("shop-f-").unwrap_or_else(|| panic!("{said}"));
    said[at..].chars().take("shop-f-".len() + 4).collect()
}

#[test]
fn a_person_decides_by_one_card_that_comes_after_the_plan_and_before_the_question() {
    let place = Place::new();
    let said = place.expect(5, &["failover", place.runbook(), "--confirm", "east standby"]);
    // Where lines are broken depends on the lengths of names and ages.
    let said = flat(&said);
    let at = |what: &str| {
        said.find(&flat(what))
            .unwrap_or_else(|| panic!("no `{what}` in\n{said}"))
    };
    let order = [
        at("Plan  shop · failover"),
        at("  Preflight\n    ok"),
        at("rights west"),
        at("FAILOVER  Online shop: east → west"),
        at("no incident is declared"),
        at("  Data         What was written in the last"),
        at("consistent point in the manifest"),
        at("  No way back  after restore"),
        at("  east stopped step stop-active stops east, and says whether that is proved."),
        at("  May approve  incident-commander (anna, ben)."),
        at("error: the target is \"west standby\", and \"east standby\" was given Nothing was changed."),
    ];
    assert!(order.is_sorted(), "{order:?}\n{said}");
    assert_eq!(files(&place.state().join("runs")), 1, "only the backup was a run");
}

#[test]
fn whoever_starts_a_run_cannot_approve_it_and_a_note_stands_in_its_report() {
    let place = four_eyes();
    let (state, shop) = (place.state(), place.runbook());
    let (code, said) = run_as("anna", &state, &["failover", shop, "--confirm", "west standby"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(
        flat(&said).contains("Whoever starts the run may not approve it."),
        "{said}"
    );
    let run = named(&said);
    let approve = |user: &str, name: &str, more: &[&str]| {
        let args = [
            "approve",
            &run,
            "go",
            "--as",
            name,
            "--role",
            "incident-commander",
            "--reason",
            "orders work",
        ];
        run_as(user, &state, &[&args, more].concat())
    };
    let (code, said) = approve("anna", "anna", &[]);
    insta::assert_snapshot!(said, @r"
    error: anna carries this run, and by the runbook another person has to approve it
    hint: these may, from an account of their own: ben (incident-commander)
    ");
    assert_eq!(code, Some(5));
    let (code, said) = approve("anna", "ben", &[]);
    insta::assert_snapshot!(said, @r"
    error: this answer comes from the account that carries the run (anna on desk), and by the runbook another person has to approve it
    hint: these may, from an account of their own: ben (incident-commander)
    ");
    assert_eq!(code, Some(5));
    let (code, said) = approve("ben", "ben", &["--plan", "7f3a91c2"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("and 7f3a91c2 was given"), "{said}");
    let (code, said) = run_as("carla", &state, &["note", &run, "the bridge is open"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = approve("ben", "ben", &[]);
    assert_eq!(code, Some(0), "{said}");
    place.expect(0, &["report", &run]);
    let report = std::fs::read_to_string(state.join("runs").join(&run).join("report.md")).unwrap();
    assert!(
        report.contains("carla") && report.contains("the bridge is open"),
        "{report}"
    );
    let journal = std::fs::read_to_string(state.join("runs").join(&run).join("journal.jsonl")).unwrap();
    let answer = journal
        .lines()
        .find(|line| line.contains("\"answered\""))
        .unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    let begun: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(
        answer["event"]["answered"]["plan"],
        begun["event"]["began"]["digest"]
    );
    assert_eq!(answer["event"]["answered"]["from"]["name"], "ben");
}

#[test]
fn a_step_that_is_not_in_doubt_is_not_decided() {
    let place = four_eyes();
    let said = place.expect(4, &["failover", place.runbook(), "--confirm", "west standby"]);
    let run = named(&said);
    let word = ["--as", "ben", "--reason", "I looked"];
    let said = place.expect(5, &[&["decide", &run, "go", "--ok"][..], &word].concat());
    insta::assert_snapshot!(said, @r"
    error: go is not in doubt: the step waits for an answer
    hint: answer it: lifeboat approve or reject
    ");
    let both = [&["decide", &run, "go", "--ok", "--retry"][..], &word].concat();
    place.expect(2, &both);
    place.expect(2, &[&["decide", &run, "go"][..], &word].concat());
}

#[test]
fn another_terminal_sees_the_run_to_its_end_and_is_never_silent() {
    let place = four_eyes();
    let (state, shop) = (place.state(), place.runbook());
    let carries = command(
        &state,
        &[
            "failover",
            shop,
            "--confirm",
            "west standby",
            "--questions",
            "wait",
        ],
    )
    .env("USER", "anna")
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let mut carries = Ended(carries);
    let run = waiting(&state);
    let watches = command(&state, &["status", &run, "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Longer than the ten seconds in which something has to be said.
    std::thread::sleep(std::time::Duration::from_secs(11));
    let answer = [
        "approve",
        &run,
        "go",
        "--as",
        "ben",
        "--role",
        "incident-commander",
        "--reason",
        "orders work",
    ];
    assert_eq!(run_as("ben", &state, &answer).0, Some(0));
    let output = watches.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(carries.0.wait().unwrap().success());
    let asks = said.lines().filter(|line| line.contains("  ask   go ")).count();
    assert!(
        asks >= 2,
        "the question is said, and said again while nothing happens: {said}"
    );
    for what in [
        "ok    restore",
        "RTO ",
        "met: health is proved",
        "yes, by ben (incident-commander): orders work",
        "Failover recovered.",
    ] {
        assert!(said.contains(what), "no `{what}` in\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "nothing is redrawn in plain mode");
}

/// Ends with the test, however that ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The failover of this state, when it asks.
fn waiting(state: &Path) -> String {
    for _ in 0..600 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let said = lifeboat(state, &["status"]);
        let said = String::from_utf8(said.stdout).unwrap();
        if said.contains("shop-f-") {
            let run = named(&said);
            let status = String::from_utf8(lifeboat(state, &["status", &run]).stdout).unwrap();
            if status.contains("  ask   go ") {
                return run;
            }
        }
    }
    panic!("it never asks");
}
