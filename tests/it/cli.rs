//! The binary as a person calls it, without a cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize as _;
use serde_json::Value;

/// `lifeboat` in the repository, with a state of its own.
pub(crate) fn lifeboat(state: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--plain", "--state"])
        .arg(state)
        .args(args)
        .env_remove("LIFEBOAT_SITES")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn expect(code: i32, state: &Path, args: &[&str]) -> String {
    let output = lifeboat(state, args);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        output.status.code(),
        Some(code),
        "lifeboat {}\n{out}\n{err}",
        args.join(" ")
    );
    format!("{out}{err}")
}

/// Every runbook that is shipped: playbooks and examples.
fn runbooks() -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let entries = |folder: &str| -> Vec<PathBuf> {
        std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    let playbooks = entries("playbooks").into_iter().filter(|path| path.is_dir());
    let is_runbook =
        |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains("kind: Runbook"));
    let mut found: Vec<String> = playbooks
        .chain(entries("examples").into_iter().filter(is_runbook))
        .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert!(found.len() >= 13, "{found:?}");
    found
}

/// A copy of a runbook's folder, so that tests side by side do not share stores.
pub(crate) fn copy_of(runbook: &str, to: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(runbook);
    let folder = if path.is_dir() {
        path.clone()
    } else {
        path.parent().unwrap().to_owned()
    };
    let target = to.join("copy");
    std::fs::create_dir_all(&target).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap().path();
        let name = target.join(entry.file_name().unwrap());
        if entry.is_file() {
            std::fs::copy(&entry, name).unwrap();
        } else if entry.join(".gitkeep").is_file() {
            // It stands for a disk.
            std::fs::create_dir_all(name).unwrap();
        }
    }
    if path.is_dir() {
        target
    } else {
        target.join(path.file_name().unwrap())
    }
}

/// What a runbook's file says, inventory and all.
fn documents(runbook: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(runbook);
    let file = if path.is_dir() {
        path.join("runbook.yaml")
    } else {
        path
    };
    let text = std::fs::read_to_string(file).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents.map(|one| Value::deserialize(one).unwrap()).collect()
}

/// The modes, of these, in which a runbook does anything.
fn modes(runbook: &str) -> Vec<&'static str> {
    let recoveries = ["drill", "switchover", "failover"];
    let documents = documents(runbook);
    let steps: Vec<&Value> = documents
        .iter()
        .filter_map(|one| one.pointer("/spec/steps")?.as_array())
        .flatten()
        .collect();
    let takes_part = |step: &&Value, mode: &str| match step.get("modes") {
        Some(modes) => modes.as_array().unwrap().iter().any(|one| one == mode),
        None => recoveries.contains(&mode),
    };
    ["protect"]
        .into_iter()
        .chain(recoveries)
        .filter(|mode| steps.iter().any(|step| takes_part(step, mode)))
        .collect()
}

/// What a person has to give to a runbook in such a run, as arguments: what it takes where nobody is there.
fn given(runbook: &str, mode: &str) -> Vec<String> {
    if ["drill", "protect"].contains(&mode) {
        return Vec::new();
    }
    let documents = documents(runbook).into_iter();
    let inputs = documents.filter_map(|one| one.pointer("/spec/inputs")?.as_object().cloned());
    inputs
        .flatten()
        .filter(|(_, input)| input.get("default").is_none())
        .map(|(name, input)| format!("--input={name}={}", input["unattended"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_step_kind_has_an_example_that_uses_it() {
    for kind in lifeboat::step::KINDS {
        let used = kind
            .example
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{}:", kind.name)));
        assert!(used, "examples/{}.yaml does not use {}", kind.name, kind.name);
    }
}

#[test]
fn a_kind_explains_the_effects_that_it_really_gives() {
    let variant = |effect: &Value| effect.as_object().unwrap().keys().next().unwrap().clone();
    for kind in lifeboat::step::KINDS {
        let folder = tempfile::tempdir().unwrap();
        let copy = copy_of(&format!("examples/{}.yaml", kind.name), folder.path());
        let copy = copy.to_str().unwrap();
        expect(0, folder.path(), &["protect", copy]);
        let mut given = std::collections::BTreeSet::new();
        for mode in ["protect", "failover"] {
            let plan = lifeboat(folder.path(), &["plan", copy, "--mode", mode, "--json"]).stdout;
            let plan: Value = serde_json::from_slice(&plan).unwrap();
            for step in plan["steps"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|step| step["kind"] == kind.name)
            {
                given.extend(step["effects"].as_array().unwrap().iter().map(variant));
            }
        }
        let told: std::collections::BTreeSet<String> = (kind.specimen)()
            .iter()
            .map(|effect| variant(&serde_json::to_value(effect).unwrap()))
            .collect();
        assert_eq!(given, told, "{}", kind.name);
    }
}

#[test]
fn every_shipped_runbook_passes_check() {
    let state = tempfile::tempdir().unwrap();
    for runbook in runbooks() {
        let said = expect(0, state.path(), &["check", &runbook]);
        assert!(
            said.contains("no mistakes found") && !said.contains("warning"),
            "{said}"
        );
    }
}

#[test]
fn every_shipped_runbook_can_be_planned_in_every_mode_once_it_is_protected() {
    for runbook in runbooks() {
        let folder = tempfile::tempdir().unwrap();
        let copy = copy_of(&runbook, folder.path());
        let copy = copy.to_str().unwrap();
        expect(0, folder.path(), &["protect", copy]);
        for mode in ["protect", "drill", "switchover", "failover"] {
            let given = given(&runbook, mode);
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            let said = expect(
                0,
                folder.path(),
                &[&["plan", copy, "--mode", mode], &given[..]].concat(),
            );
            assert!(said.contains("Nothing was changed"), "{runbook} {mode}: {said}");
        }
    }
}

#[test]
fn every_shipped_runbook_passes_simulate_in_every_mode() {
    for runbook in runbooks() {
        let folder = tempfile::tempdir().unwrap();
        for mode in modes(&runbook) {
            let given = given(&runbook, mode);
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            expect(
                0,
                folder.path(),
                &[&["simulate", &runbook, "--mode", mode], &given[..]].concat(),
            );
        }
    }
}

#[test]
fn every_shipped_runbook_is_accepted_by_the_schema() {
    let state = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&expect(0, state.path(), &["schema"])).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for runbook in runbooks() {
        for value in documents(&runbook) {
            let wrong: Vec<_> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(wrong.is_empty(), "{runbook}: {wrong:#?}");
        }
    }
}

#[test]
fn a_drill_on_embedded_sites_recovers_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let said = expect(0, folder.path(), &["demo"]);
    assert!(
        said.contains("Drill recovered.") && said.contains("Embedded sites"),
        "{said}"
    );
}

#[test]
fn a_runbook_with_twelve_mistakes_gets_twelve_located_diagnostics() {
    let state = tempfile::tempdir().unwrap();
    let file = "tests/it/cases/twelve-mistakes.yaml";
    let said = expect(2, state.path(), &["check", file]);
    let marked: Vec<(usize, &str)> = include_str!("cases/twelve-mistakes.yaml")
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.split("# mistake: ").nth(1)?)))
        .collect();
    assert_eq!(marked.len(), 12);
    for (line, what) in marked {
        assert!(
            said.contains(&format!("{file}:{line}:")),
            "{what}, line {line}:\n{said}"
        );
    }
    assert_eq!(said.matches("error[").count(), 12, "{said}");
    assert!(said.contains("12 errors"), "{said}");
}

#[test]
fn a_saved_plan_that_was_edited_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = copy_of("playbooks/shop", folder.path());
    let copy = copy.to_str().unwrap();
    let file = folder.path().join("plan.json");
    let file = file.to_str().unwrap();
    expect(0, folder.path(), &["protect", copy]);
    expect(
        0,
        folder.path(),
        &["plan", copy, "--mode", "failover", "--save", file],
    );
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replacen("\"attempts\": 3", "\"attempts\": 4", 1)).unwrap();
    let said = expect(5, folder.path(), &["run", file, "--confirm", "west standby"]);
    assert!(said.contains("was changed after it was saved"), "{said}");
}

#[test]
fn a_failover_without_consent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = copy_of("playbooks/shop", folder.path());
    let copy = copy.to_str().unwrap();
    expect(0, folder.path(), &["protect", copy]);
    let said = expect(5, folder.path(), &["failover", copy]);
    assert!(said.contains("--confirm \"west standby\""), "{said}");
    let said = expect(5, folder.path(), &["failover", copy, "--confirm", "east standby"]);
    assert!(said.contains("Nothing was changed"), "{said}");
}

/// The archives of the shop's backups, the oldest first.
fn archives(folder: &Path) -> Vec<PathBuf> {
    let backups = folder.join("vault/backups");
    let mut found: Vec<PathBuf> = std::fs::read_dir(backups)
        .unwrap()
        .map(|entry| {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            folder.join(format!("{name}.tar.gz"))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_damaged_backup_refuses_the_plan_and_a_passed_over_one_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), copy_of("playbooks/shop", temp.path()));
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    // A backup's name has whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    expect(0, &state, &["protect", runbook]);
    let newest = archives(&shop).pop().unwrap();
    let whole = std::fs::read(&newest).unwrap();

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&newest, flipped).unwrap();
    // Even a step that may be left out is not left out for damage.
    let text = std::fs::read_to_string(shop.join("runbook.yaml")).unwrap();
    let lenient = text.replace(
        "    - name: restore\n",
        "    - name: restore\n      ungraceful: skip\n",
    );
    assert_ne!(text, lenient);
    for text in [&text, &lenient] {
        std::fs::write(shop.join("runbook.yaml"), text).unwrap();
        let said = expect(5, &state, &["plan", runbook]);
        assert!(said.contains("error[P013]"), "{said}");
        assert!(!said.contains("did not answer"), "{said}");
    }

    std::fs::write(shop.join("runbook.yaml"), text).unwrap();
    std::fs::write(&newest, &whole[..100]).unwrap();
    let said = expect(0, &state, &["plan", runbook]);
    assert!(said.contains("warning[P106]"), "{said}");
    let name = newest.parent().unwrap().file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name), "{said}");
}

#[test]
fn a_saved_plan_of_a_drill_is_performed_once() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), copy_of("playbooks/shop", temp.path()));
    let (runbook, file) = (shop.to_str().unwrap(), temp.path().join("drill.plan"));
    let file = file.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    expect(0, &state, &["plan", runbook, "--save", file]);
    expect(0, &state, &["run", file]);
    let said = expect(5, &state, &["run", file]);
    assert!(said.contains("this plan was begun before"), "{said}");
}

#[test]
fn a_report_that_cannot_be_written_hides_neither_the_result_nor_its_exit_code() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), copy_of("playbooks/shop", temp.path()));
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    expect(4, &state, &["failover", runbook, "--confirm", "west standby"]);
    let runs = std::fs::read_dir(state.join("runs")).unwrap();
    let run = runs
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("shop-f-"))
        .unwrap();
    // A folder where the report should be: as unwritable as a full disk, for every user.
    let report = state.join("runs").join(&run).join("report.html");
    std::fs::remove_file(&report).unwrap();
    std::fs::create_dir(&report).unwrap();
    let said = expect(4, &state, &["resume", &run]);
    assert!(said.contains("Failover is paused."), "{said}");
    assert!(said.contains("cannot write the report"), "{said}");
    assert!(said.contains(&format!("lifeboat report {run}")), "{said}");
}

#[test]
fn a_folder_that_cannot_hold_a_run_is_said_before_anything_is_begun() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("a-file"), copy_of("playbooks/shop", temp.path()));
    std::fs::write(&state, "not a folder").unwrap();
    let said = expect(10, &state, &["protect", shop.to_str().unwrap()]);
    assert!(said.contains("Nothing was begun."), "{said}");
    assert!(!said.contains("lifeboat resume"), "{said}");
}

#[test]
fn a_run_whose_journal_is_damaged_is_not_no_run() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), copy_of("playbooks/shop", temp.path()));
    expect(0, &state, &["protect", shop.to_str().unwrap()]);
    let runs = std::fs::read_dir(state.join("runs")).unwrap();
    let journal = runs
        .map(|entry| entry.unwrap().path())
        .next()
        .unwrap()
        .join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("intended", "indented", 1)).unwrap();
    let said = expect(0, &state, &["status"]);
    assert!(said.contains("is damaged at line"), "{said}");
    assert!(!said.contains("No runs"), "{said}");
}
