//! Papers for people, and readiness, as a person asks for them.

use std::path::Path;

use serde_json::Value;

use crate::cli::{copy_of, expect, lifeboat};

/// A copy of the shop with its prose.
fn shop(temp: &Path) -> std::path::PathBuf {
    playbook("shop", temp)
}

/// A copy of a playbook with its prose.
fn playbook(name: &str, temp: &Path) -> std::path::PathBuf {
    let folder = format!("playbooks/{name}");
    let copy = copy_of(&folder, temp);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("plan");
    for folder in ["", "steps"] {
        let (from, to) = (from.join(folder), copy.join("plan").join(folder));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    copy
}

#[test]
fn the_plan_of_every_playbook_lacks_nothing_but_real_sites_and_what_only_a_failover_measures() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let temp = tempfile::tempdir().unwrap();
        let (state, copy) = (temp.path().join("state"), playbook(&name, temp.path()));
        let runbook = copy.to_str().unwrap();
        expect(0, &state, &["protect", runbook]);
        expect(0, &state, &["drill", runbook]);
        let said = expect(0, &state, &["docs", "plan", runbook]);
        let missing = said.lines().filter(|line| line.starts_with("  missing  "));
        for line in missing {
            assert!(
                line.contains("are embedded in lifeboat")
                    || line.contains("How long it takes: nobody has measured"),
                "{name}: {line}"
            );
        }
        let plan = std::fs::read_to_string(state.join(format!("docs/{name}-plan.md"))).unwrap();
        assert!(!plan.contains("${") && !plan.contains("sample"), "{name}: {plan}");
    }
}

#[test]
fn the_plan_of_the_shop_is_whole_but_for_what_nobody_has_measured() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    expect(0, &state, &["drill", runbook]);
    let said = expect(0, &state, &["docs", "plan", runbook]);
    let missing: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("  missing  "))
        .collect();
    assert_eq!(missing.len(), 2, "{said}");
    assert!(
        missing[0].contains("embedded") && missing[1].contains("stop-active"),
        "{said}"
    );
    let page = std::fs::read_to_string(state.join("docs/shop-plan.html")).unwrap();
    assert!(page.contains("sell the same piece twice"), "prose is on the page");
    assert!(
        page.contains("+49 30 5550 101") && page.contains("1 drill, newest"),
        "contacts and durations are on it"
    );
}

#[test]
fn what_a_person_wrote_is_never_overwritten() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let runbook = shop.to_str().unwrap();
    let out = temp.path().join("out");
    let args = ["docs", "plan", runbook, "--out", out.to_str().unwrap()];
    expect(0, &state, &args);
    expect(0, &state, &args);
    let mine = out.join("shop-plan.md");
    std::fs::write(&mine, "my own words").unwrap();
    let page = std::fs::read(out.join("shop-plan.html")).unwrap();
    let said = expect(5, &state, &args);
    assert!(
        said.contains("was not written by lifeboat") && said.contains("Nothing was written."),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "my own words");
    assert_eq!(
        std::fs::read(out.join("shop-plan.html")).unwrap(),
        page,
        "nor the other half"
    );
}

#[test]
fn runbooks_that_share_a_folder_do_not_share_their_words() {
    let temp = tempfile::tempdir().unwrap();
    let (state, file) = (
        temp.path().join("state"),
        copy_of("examples/wait.yaml", temp.path()),
    );
    let words = |folder: &str| {
        let folder = file.with_file_name(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("background.md"), "Words of the example.").unwrap();
    };
    words("plan");
    let plan = |state: &Path| expect(0, state, &["docs", "plan", file.to_str().unwrap(), "--markdown"]);
    assert!(!plan(&state).contains("Words of the example."));
    words("wait.plan");
    assert!(plan(&state).contains("Words of the example."));
}

#[test]
fn a_card_is_one_page_of_things_to_tick_off() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let card = expect(0, &state, &["docs", "card", shop.to_str().unwrap(), "--markdown"]);
    assert!(
        card.lines().filter(|line| line.starts_with("- [ ] ")).count() > 8,
        "{card}"
    );
    assert!(card.contains("+49 30 5550 199"), "{card}");
}

/// The state of the shop and the exit code.
fn readiness(state: &Path, args: &[&str]) -> (i32, String, Vec<String>) {
    let output = lifeboat(state, &[&["readiness", "--json"], args].concat());
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let one = &all.as_array().unwrap()[0];
    let because = one["because"].as_array().unwrap().iter();
    (
        output.status.code().unwrap(),
        one["state"].as_str().unwrap().to_owned(),
        because
            .map(|reason| reason["code"].as_str().unwrap().to_owned())
            .collect(),
    )
}

#[test]
fn readiness_follows_what_is_proved() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let runbook = shop.to_str().unwrap();
    let never = readiness(&state, &[runbook]);
    assert_eq!((never.0, never.1.as_str()), (3, "never-proven"));
    assert_eq!(never.2, ["never-drilled", "no-backup"]);
    expect(0, &state, &["protect", runbook]);
    expect(0, &state, &["drill", runbook]);
    // Embedded sites prove nothing about real ones, so it is never simply ready. Without arguments it
    // knows the runbook from its runs.
    let drilled = readiness(&state, &[]);
    assert_eq!((drilled.0, drilled.1.as_str()), (7, "needs-attention"));
    assert_eq!(drilled.2, ["not-real"]);
    let file = shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("+49 30 5550 101", "+49 30 5550 109")).unwrap();
    assert_eq!(
        readiness(&state, &[]).2,
        ["not-real"],
        "a telephone number voids no proof"
    );
    std::fs::write(
        &file,
        text.replace("successes: 2", "successes: 3")
            .replace("interval: 500ms", "interval: 400ms"),
    )
    .unwrap();
    assert_eq!(readiness(&state, &[]).2, ["not-real", "runbook-changed"]);
    std::fs::write(&file, text.replace("rpo: 15m", "rpo: 1ms")).unwrap();
    let aged = readiness(&state, &[]);
    assert_eq!((aged.0, aged.1.as_str()), (3, "not-ready"));
    assert!(aged.2.contains(&"backup-too-old".to_owned()), "{aged:?}");
    assert!(
        !readiness(&state, &["--offline"])
            .2
            .contains(&"backup-too-old".to_owned())
    );
}

#[test]
fn a_service_whose_store_is_gone_is_not_taken_for_ready() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let runbook = shop.to_str().unwrap();
    expect(0, &state, &["protect", runbook]);
    expect(0, &state, &["drill", runbook]);
    std::fs::rename(shop.join("vault"), shop.join("lost")).unwrap();
    let found = readiness(&state, &[runbook]);
    assert!(found.2.contains(&"store-silent".to_owned()), "{found:?}");
    let said = expect(7, &state, &["readiness", runbook]);
    assert!(
        said.contains("1 needs attention.") && said.contains("did not say what it holds"),
        "{said}"
    );
}

/// A secret and a public Ed25519 key, as openssl writes them. They guard nothing.
const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

#[test]
fn evidence_is_checked_offline_and_what_was_done_to_it_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (state, shop) = (temp.path().join("state"), shop(temp.path()));
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (secret, public, out) = (path("secret.pem"), path("public.pem"), path("bundle"));
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::write(&public, PUBLIC).unwrap();
    expect(0, &state, &["protect", shop.to_str().unwrap()]);
    let runs = std::fs::read_dir(state.join("runs")).unwrap();
    let run = runs
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .next()
        .unwrap();
    let said = expect(2, &state, &["evidence", "export", &run, "--out", &out]);
    assert!(said.contains("openssl genpkey -algorithm ed25519"), "{said}");
    expect(
        0,
        &state,
        &["evidence", "export", &run, "--out", &out, "--key", &secret],
    );
    let said = expect(
        5,
        &state,
        &["evidence", "export", &run, "--out", &out, "--key", &secret],
    );
    assert!(said.contains("is there already"), "{said}");
    // Nothing of the machine that made it is needed.
    std::fs::remove_dir_all(&state).unwrap();
    let verify = ["evidence", "verify", &out, "--key", &public];
    let said = expect(0, &state, &verify);
    assert!(said.starts_with("Whole: "), "{said}");
    let said = expect(7, &state, &verify[..3]);
    assert!(said.contains("a key that nobody vouches for"), "{said}");
    let journal = Path::new(&out).join("runs").join(&run).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("performed", "Performed", 1)).unwrap();
    let said = expect(3, &state, &verify);
    assert!(
        said.contains("journal.jsonl: record ") && said.contains(" was changed."),
        "{said}"
    );
    std::fs::write(&journal, text).unwrap();
    std::fs::write(Path::new(&out).join("extra.txt"), "").unwrap();
    let said = expect(3, &state, &verify);
    assert!(said.starts_with("extra.txt was added."), "{said}");
}
