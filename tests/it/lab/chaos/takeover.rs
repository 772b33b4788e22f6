//! Failovers whose requests are broken, and adoptions whose claims are.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Breakage, Scenario, Stage, sweep, to_its_end_on};
use crate::lab::Lab;

const SHOP_OF_EAST: &str = "/api/v1/namespaces/shop";

/// A failover of the shop into a namespace of its own, so that rounds do not meet.
fn runbook(lab: &Lab, name: &str) -> String {
    let folder = lab.dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: {{ name: {name} }}
spec:
  title: The shop as {name}
  summary: Moves the shop while requests are broken.
  owner: {{ team: commerce, contact: on-call@acme.example }}
  objectives: {{ rto: 30m, rpo: 24h }}
  roles: {{ active: east, standby: west }}
  steps:
    - name: stop-active
      fence: {{ site: active, namespaces: [shop] }}
    - name: restore
      needs: [stop-active]
      restore: {{ site: standby, from: vault, namespaces: [shop], map: {{ namespaces: {{ shop: {name} }} }} }}
      retry: {{ attempts: 3, backoff: 1s }}
    - name: web-up
      needs: [restore]
      wait: {{ site: standby, for: deployment/web, namespace: {name}, condition: available, replicas: 3 }}
    - name: answers
      needs: [web-up]
      probe: {{ http: \"${{sites.standby.front}}/{name}/healthz\", expect: {{ status: 200, body: ok }}, interval: 500ms }}
"
    );
    let path = folder.join("runbook.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Lets `east` go again, as before a round. Its pods come back or do not: to hold an idle namespace is to hold it.
fn let_east_go(lab: &Lab) {
    let mut shop = lab.ask("east", "GET", SHOP_OF_EAST, None).unwrap();
    shop["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .remove("lifeboat.dev/fenced");
    lab.ask("east", "PUT", SHOP_OF_EAST, Some(&shop)).unwrap();
}

/// By the API servers: every object of the namespace was made once and serves, and the active side is held with
/// nothing running.
fn is_done_once(lab: &Lab, name: &str, what: &str) {
    let objects = super::made(lab, name);
    assert!(
        objects.len() >= 10,
        "{what}: the oracle reads the wrong place: {objects:?}"
    );
    let twice: Vec<_> = objects.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{what}: made twice: {twice:?}");
    let shop = lab.ask("east", "GET", SHOP_OF_EAST, None).unwrap();
    assert_eq!(
        shop["metadata"]["labels"]["lifeboat.dev/fenced"], "true",
        "{what}"
    );
    let pods = lab
        .ask("east", "GET", &format!("{SHOP_OF_EAST}/pods"), None)
        .unwrap();
    // What `nightly` left at two in the morning has ended by itself.
    let runs = |pod: &&Value| !["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap());
    let running: Vec<&Value> = pods["items"].as_array().unwrap().iter().filter(runs).collect();
    assert!(running.is_empty(), "{what}: {running:#?}");
    let web = format!("/apis/apps/v1/namespaces/{name}/deployments/web");
    let web = lab.ask("west", "GET", &web, None).unwrap();
    assert_eq!(web.pointer("/status/readyReplicas"), Some(&json!(3)), "{what}");
}

/// Failovers of the shop to `west`.
struct Failovers {
    lab: Lab,
    stage: Stage,
}

impl Failovers {
    fn failover(&self, name: &str) -> String {
        let runbook = runbook(&self.lab, name);
        let args = ["failover", &runbook, "--confirm", "west standby"];
        to_its_end_on(
            &self.lab,
            &self.lab.state(),
            &args,
            &format!("{name}-f-"),
            "restore",
        )
    }
}

impl Scenario for Failovers {
    fn prepare() -> Self {
        let lab = Lab::start();
        lab.backed_up("vault", &[]);
        Self {
            stage: Stage::site(&lab, "west"),
            lab,
        }
    }

    fn changes(&self) -> usize {
        let changes = self.stage.changes(|| drop(self.failover("shop-whole")));
        is_done_once(&self.lab, "shop-whole", "unbroken");
        changes
    }

    fn round(&self, number: usize, what: Breakage) -> Option<String> {
        let_east_go(&self.lab);
        let name = format!("shop-{number}");
        let how = self.stage.broken(what, || self.failover(&name));
        is_done_once(&self.lab, &name, &format!("{what} {how}"));
        Some(how)
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_failover_of_which_any_request_is_broken_is_carried_to_its_end_and_does_nothing_twice() {
    sweep::<Failovers>();
}

/// A failover that was killed in the middle of its restore, and its machine with it. Gives back its run.
fn lost(lab: &Lab, name: &str) -> String {
    let runbook = runbook(lab, name);
    let first = lab.dir().join(format!("{name}-first"));
    let mut child = lab
        .lifeboat_on(&first, &["failover", &runbook, "--confirm", "west standby"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while lab.audit_about("west", name).changes().len() < 4 {
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "the failover does not begin"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let run = super::newest_run(&first, &format!("{name}-f-")).unwrap();
    std::fs::remove_dir_all(&first).unwrap();
    run
}

/// What is in the store's journals of a run, by the names of its files: read without lifeboat and without S3.
fn records(lab: &Lab, store: &str, name: &str, run: &str) -> Vec<PathBuf> {
    let bucket = lab.dir().join(store).join("objects/acme-vault");
    let folder = bucket
        .join("shop/metadata/lifeboat-journal/runs")
        .join(name)
        .join(run);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// Adoptions of failovers whose machine died, while a mirror of the journal is reached through the stage.
struct Adoptions {
    lab: Lab,
    stage: Stage,
}

impl Adoptions {
    fn adopt(&self, name: &str, run: &str) -> String {
        let second = self.second(name);
        to_its_end_on(&self.lab, &second, &["adopt", run], run, "restore")
    }

    /// The state of the machine that adopts.
    fn second(&self, name: &str) -> PathBuf {
        self.lab.dir().join(format!("{name}-second"))
    }
}

impl Scenario for Adoptions {
    fn prepare() -> Self {
        let lab = Lab::start_with_both_stores();
        lab.mirror_journals_in("vault, second");
        lab.backed_up("vault", &[]);
        Self {
            stage: Stage::store(&lab, "vault"),
            lab,
        }
    }

    fn changes(&self) -> usize {
        let run = lost(&self.lab, "shop-whole");
        self.stage.changes(|| drop(self.adopt("shop-whole", &run)))
    }

    fn round(&self, number: usize, what: Breakage) -> Option<String> {
        let_east_go(&self.lab);
        let name = format!("shop-{number}");
        let run = lost(&self.lab, &name);
        // How many writes are left depends on the moment of the kill.
        let (how, met) = self.stage.maybe_broken(what, || self.adopt(&name, &run));
        is_done_once(&self.lab, &name, &format!("{what} {how}"));
        let journal = std::fs::read(self.second(&name).join(format!("runs/{run}/journal.jsonl"))).unwrap();
        let stored: Vec<u8> = records(&self.lab, "vault", &name, &run)
            .iter()
            .flat_map(|file| std::fs::read(file).unwrap())
            .collect();
        let ended = String::from_utf8_lossy(&journal);
        let last: Value = serde_json::from_str(ended.lines().last().unwrap()).unwrap();
        assert!(
            stored == journal,
            "{what}: the mirror is behind: {}",
            last["event"]
        );
        met.then_some(how)
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn an_adoption_of_which_any_write_is_broken_takes_the_run_to_its_end_and_does_nothing_twice() {
    sweep::<Adoptions>();
}
