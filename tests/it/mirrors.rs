//! Journals in several places, told from outside: the machine's own folder is lost, and mirrors of an inventory
//! give the run back.

use std::path::{Path, PathBuf};
use std::process::Output;

use super::cli::{copy_of, lifeboat};

/// A folder with a runbook that asks a person, an inventory with a mirrored journal, and two machines' states.
struct Place {
    folder: tempfile::TempDir,
    copy: PathBuf,
}

impl Place {
    /// `journal` is what the inventory says of it.
    fn new(journal: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = copy_of("examples/approve.yaml", folder.path())
            .parent()
            .unwrap()
            .to_owned();
        let text = std::fs::read_to_string(copy.join("approve.yaml")).unwrap();
        let (sites, runbook) = text.split_once("\n---\n").unwrap();
        std::fs::create_dir(copy.join("safe")).unwrap();
        let safe = "    safe: { directory: safe, failureDomain: [bank] }\n";
        std::fs::write(
            copy.join("sites.yaml"),
            format!("{sites}\n{safe}  journal: {journal}\n"),
        )
        .unwrap();
        std::fs::write(copy.join("runbook.yaml"), runbook).unwrap();
        let place = Self { folder, copy };
        place.expect(0, "one", &["protect", place.copy.to_str().unwrap()]);
        place
    }

    fn state(&self, machine: &str) -> PathBuf {
        self.folder.path().join(machine)
    }

    fn run(&self, machine: &str, args: &[&str]) -> Output {
        let sites = self.copy.join("sites.yaml");
        let sites = ["--sites", sites.to_str().unwrap()];
        lifeboat(&self.state(machine), &[&sites[..], args].concat())
    }

    /// What it said to whom, with this exit code.
    fn expect(&self, code: i32, machine: &str, args: &[&str]) -> (String, String) {
        let output = self.run(machine, args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }

    /// A failover that has come to its question.
    fn failover(&self, machine: &str) -> String {
        let copy = self.copy.to_str().unwrap();
        self.expect(4, machine, &["failover", copy, "--confirm", "west standby"]);
        let mut names = std::fs::read_dir(self.state(machine).join("runs")).unwrap();
        let name = names.find_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.contains("-f-").then_some(name)
        });
        name.unwrap()
    }

    fn mirror(&self, store: &str, run: &str) -> PathBuf {
        let folder = format!("{store}/metadata/lifeboat-journal/runs/approve-example/{run}");
        self.copy.join(folder)
    }

    fn journal(&self, machine: &str, run: &str) -> Vec<u8> {
        std::fs::read(self.state(machine).join("runs").join(run).join("journal.jsonl")).unwrap()
    }
}

/// All objects of a mirror, one after the other.
fn text(mirror: &Path) -> Vec<u8> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(mirror)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    names
        .iter()
        .flat_map(|name| std::fs::read(name).unwrap())
        .collect()
}

const YES: &[&str] = &[
    "go",
    "--as",
    "anna",
    "--role",
    "incident-commander",
    "--reason",
    "orders work",
];

#[test]
fn a_run_whose_machine_is_lost_is_seen_and_completed_from_a_mirror() {
    let place = Place::new("{ mirrors: [usb, safe] }");
    let run = place.failover("one");
    for store in ["usb", "safe"] {
        assert_eq!(
            text(&place.mirror(store, &run)),
            place.journal("one", &run),
            "{store}"
        );
    }
    std::fs::remove_dir_all(place.state("one")).unwrap();

    let (out, _) = place.expect(0, "two", &["status"]);
    assert!(
        out.contains("In mirrors and not on this machine:") && out.contains(&run),
        "{out}"
    );
    let (out, err) = place.expect(0, "two", &["status", &run]);
    assert!(out.contains("lifeboat approve"), "{out}");
    assert!(err.contains("read from mirror usb"), "{err}");
    place.expect(0, "two", &["explain", &run, "restore"]);
    let (out, _) = place.expect(0, "two", &["report", &run]);
    assert!(out.contains("report.html"), "{out}");
    assert!(
        !place
            .state("two")
            .join("runs")
            .join(&run)
            .join("journal.jsonl")
            .exists(),
        "only read so far"
    );

    place.expect(4, "two", &["resume", &run]);
    place.expect(0, "two", &[&["approve", run.as_str()], YES].concat());
    place.expect(0, "two", &["resume", &run]);
    for store in ["usb", "safe"] {
        assert_eq!(
            text(&place.mirror(store, &run)),
            place.journal("two", &run),
            "{store}"
        );
    }
    let whole = String::from_utf8(place.journal("two", &run)).unwrap();
    let restored = whole.matches(r#""performed":{"step":1,"#).count();
    assert_eq!(
        restored, 1,
        "what the lost machine had done is not done again: {whole}"
    );
}

#[test]
fn a_damaged_mirror_is_named_and_the_good_one_is_used() {
    let place = Place::new("{ mirrors: [usb, safe], release: majority }");
    let run = place.failover("one");
    std::fs::remove_dir_all(place.state("one")).unwrap();
    std::fs::remove_file(place.mirror("usb", &run).join("0000000001")).unwrap();
    let (_, err) = place.expect(0, "two", &["status", &run]);
    assert!(err.contains("read from mirror safe"), "{err}");
    assert!(
        err.contains("mirror usb is damaged and not used: record 1 is missing"),
        "{err}"
    );
    // By `majority` both had to hold everything, so one is enough to read; to go on needs both.
    let (_, err) = place.expect(5, "two", &["resume", &run]);
    assert!(
        err.contains("asks for 2 of the journal's mirrors, and 1 can be used"),
        "{err}"
    );
}

#[test]
fn without_the_mirrors_that_the_rule_asks_for_nothing_is_begun() {
    let place = Place::new("{ mirrors: [usb, safe], release: majority }");
    std::fs::rename(place.copy.join("safe"), place.copy.join("away")).unwrap();
    let copy = place.copy.to_str().unwrap();
    let (_, err) = place.expect(5, "one", &["failover", copy, "--confirm", "west standby"]);
    let said = err.lines().skip_while(|line| !line.starts_with("error"));
    let said = said.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(said, @r"
    error: `majority` asks for 2 of the journal's mirrors, and 1 can be used
      mirror safe cannot be read: there is no such folder
    Nothing was begun.
    hint: in an emergency take the mirror out of `journal` in the inventory, or write `release: local`
    ");
    let begun: Vec<_> = std::fs::read_dir(place.state("one").join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("-f-"))
        .collect();
    assert!(begun.is_empty(), "{begun:?}");
}

#[test]
fn what_may_be_missing_has_to_be_accepted_by_name() {
    let place = Place::new("{ mirrors: [usb, safe] }");
    let run = place.failover("one");
    std::fs::remove_dir_all(place.state("one")).unwrap();
    std::fs::rename(place.copy.join("safe"), place.copy.join("away")).unwrap();
    let (_, err) = place.expect(5, "two", &["resume", &run]);
    insta::assert_snapshot!(err.replace(&run, "RUN"), @r"
    mirror safe: there is no such folder
    error: it is not known whether the journal of RUN is complete
      mirror usb holds 18 records
      mirror safe cannot be read: there is no such folder
      By the rule `local+1`, what was done last may be recorded only where nobody can look now,
      and would be done again.
    Nothing was changed.
    hint: if that will not come back, accept it: --without safe
    ");
    assert!(!place.state("two").join("runs").exists());
    let (_, err) = place.expect(4, "two", &["resume", &run, "--without", "safe"]);
    assert!(err.contains("mirror safe lacks the last"), "{err}");
    // It comes back, and gets everything.
    std::fs::rename(place.copy.join("away"), place.copy.join("safe")).unwrap();
    place.expect(0, "two", &[&["approve", run.as_str()], YES].concat());
    place.expect(0, "two", &["resume", &run]);
    assert_eq!(text(&place.mirror("safe", &run)), place.journal("two", &run));
}

#[test]
fn a_journal_that_is_damaged_here_is_taken_from_a_mirror_and_kept_as_evidence() {
    let place = Place::new("{ mirrors: [usb] }");
    let run = place.failover("one");
    let file = place.state("one").join("runs").join(&run).join("journal.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (_, err) = place.expect(0, "one", &["status", &run]);
    assert!(
        err.contains("is damaged at line") && err.contains("read from mirror usb"),
        "{err}"
    );
    place.expect(4, "one", &["resume", &run]);
    assert_eq!(
        std::fs::read(file.with_file_name("journal.damaged-1")).unwrap(),
        bytes
    );
    assert_eq!(text(&place.mirror("usb", &run)), place.journal("one", &run));
}

#[test]
fn a_run_that_ended_while_a_mirror_was_away_is_copied_by_resume() {
    let place = Place::new("{ mirrors: [usb, safe] }");
    std::fs::rename(place.copy.join("safe"), place.copy.join("away")).unwrap();
    let run = place.failover("one");
    place.expect(0, "one", &[&["approve", run.as_str()], YES].concat());
    let (_, err) = place.expect(0, "one", &["resume", &run]);
    assert!(err.contains("warning: mirror safe lacks the last"), "{err}");
    std::fs::rename(place.copy.join("away"), place.copy.join("safe")).unwrap();
    let (_, err) = place.expect(0, "one", &["resume", &run]);
    assert!(!err.contains("warning"), "{err}");
    assert_eq!(text(&place.mirror("safe", &run)), place.journal("one", &run));
}

#[test]
fn the_doctor_tells_what_the_stores_really_do() {
    let place = Place::new("{ mirrors: [usb, safe] }");
    let (out, _) = place.expect(0, "one", &["doctor"]);
    assert_eq!(
        out.matches("= It can hold journals and epochs.").count(),
        3,
        "{out}"
    );
    assert!(
        out.lines()
            .all(|line| line.chars().count() <= 80 || line.contains('/')),
        "{out}"
    );
    let (json, _) = place.expect(0, "one", &["doctor", "--store", "usb", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found[0]["findings"][0]["property"], "create-once");
    assert_eq!(found[0]["findings"][0]["verdict"], "holds");
    assert!(
        !place.copy.join("usb/metadata/lifeboat-probe").exists(),
        "nothing is left"
    );
    std::fs::rename(place.copy.join("safe"), place.copy.join("away")).unwrap();
    let (out, _) = place.expect(3, "one", &["doctor", "--store", "safe"]);
    assert!(
        out.contains("not known") && out.contains("there is no such folder"),
        "{out}"
    );
    place.expect(2, "one", &["doctor", "--store", "sfae"]);
}

#[test]
fn one_failover_at_a_time_and_adopt_takes_it_over() {
    let place = Place::new("{ mirrors: [usb, safe] }");
    let run = place.failover("one");
    let copy = place.copy.to_str().unwrap();
    let (_, err) = place.expect(5, "two", &["failover", copy, "--confirm", "west standby"]);
    assert!(
        err.contains("approve-example is held by another process"),
        "{err}"
    );
    assert!(
        err.contains(&format!("{run} is carried by ")) && err.contains("epoch 1"),
        "{err}"
    );
    assert!(err.contains(&format!("lifeboat adopt {run}")), "{err}");
    // A drill keeps nobody out, and is kept out by nobody.
    place.expect(0, "two", &["drill", copy]);
    place.expect(4, "two", &["adopt", &run]);
    place.expect(0, "two", &[&["approve", run.as_str()], YES].concat());
    place.expect(0, "two", &["resume", &run]);
    let story = String::from_utf8(place.journal("two", &run)).unwrap();
    for epoch in 1..=3 {
        assert!(
            story.contains(&format!("{{\"claimed\":{{\"epoch\":{epoch}}}}}")),
            "{story}"
        );
    }
    // The first machine finds that the run has ended without it, and its group is free.
    place.expect(0, "one", &["resume", &run]);
    assert_eq!(place.journal("one", &run), place.journal("two", &run));
    place.expect(4, "one", &["failover", copy, "--confirm", "west standby"]);
}
