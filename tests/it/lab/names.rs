//! A domain name that a failover leads to the other side, at a real BIND: by its own log, and as `dig` sees it.

use std::path::PathBuf;
use std::process::Command;

use super::Lab;

const RUNBOOK: &str = r#"apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  steps:
    - name: capture
      modes: [protect, failback]
      needs: [stop-active]
      backup: { site: active, namespaces: [shop], to: vault }
    - name: stop-active
      modes: [switchover, failover, failback]
      fence: { site: active, namespaces: [shop] }
    - name: restore
      needs: [stop-active, capture]
      restore: { site: standby, from: vault, namespaces: [shop], existing: update }
    - name: let-go
      needs: [restore]
      unfence: { site: standby, namespaces: [shop] }
    - name: web-up
      needs: [let-go]
      wait: { site: standby, for: deployment/web, namespace: shop, condition: available }
    - name: send-customers
      needs: [web-up]
      dns: { server: names, name: shop.acme.example, addresses: ["${sites.standby.address}"], ttl: 30s }
"#;

/// A lab with a name server, and a runbook beside it.
struct Stage {
    lab: Lab,
    runbook: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::start();
        let there = lab.facts.get("names").is_some();
        assert!(there, "there is no name server: {}", lab.fact("/noNames"));
        let runbook = lab.dir().join("shop.yaml");
        std::fs::write(&runbook, RUNBOOK).unwrap();
        Self { lab, runbook }
    }

    fn expect(&self, code: i32, args: &[&str]) -> String {
        let runbook = self.runbook.to_str().unwrap();
        let output = self
            .lab
            .expect(code, &[&args[..1], &[runbook], &args[1..]].concat());
        super::one_line(&[output.stdout, output.stderr].concat())
    }

    fn fact(&self, name: &str) -> &str {
        self.lab.fact(&format!("/names/{name}")).as_str().unwrap()
    }

    /// A shell that finds the server's own tools and their libraries.
    fn shell(&self, line: &str) -> String {
        let (variable, libraries) = self.fact("environment").split_once('=').unwrap();
        let tools = PathBuf::from(self.fact("dig"));
        let path = format!("{}:/usr/bin:/bin", tools.parent().unwrap().display());
        let said = Command::new("/bin/sh")
            .args(["-c", line])
            .env_clear()
            .env("PATH", path)
            .env(variable, libraries)
            .output()
            .unwrap();
        assert!(said.status.success(), "{line}: {said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// TTL and address, as another client is told.
    fn dig(&self) -> String {
        let (host, port) = self.fact("address").rsplit_once(':').unwrap();
        let said = self.shell(&format!(
            "dig @{host} -p {port} +tcp +norecurse +noall +answer shop.acme.example A"
        ));
        let words: Vec<&str> = said.split_whitespace().collect();
        format!("{} {}", words[1], words[4])
    }

    /// What the server has changed of the name, by its own log.
    fn changes(&self) -> usize {
        let log = std::fs::read_to_string(self.fact("updates")).unwrap();
        let changes = log
            .lines()
            .filter(|line| line.contains("adding an RR") || line.contains("deleting rrset"));
        changes.filter(|line| line.contains("shop.acme.example")).count()
    }

    /// Updates that were let in by their key, with a change or without.
    fn approved(&self) -> usize {
        let log = std::fs::read_to_string(self.fact("updates")).unwrap();
        log.matches("signer \"lifeboat-lab\" approved").count()
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_drill_asks_the_name_server_and_a_failover_moves_the_customers_and_back() {
    let stage = Stage::new();
    stage.expect(0, &["protect"]);
    assert_eq!(stage.dig(), "300 192.0.2.10");

    let before = stage.approved();
    stage.expect(0, &["drill"]);
    assert!(stage.approved() > before, "it was asked with the key");
    assert_eq!((stage.changes(), stage.dig()), (0, "300 192.0.2.10".to_owned()));

    let said = stage.expect(0, &["plan", "--mode", "failover", "--rehearse"]);
    assert!(
        said.contains("shop.acme.example A 192.0.2.10 → A 198.51.100.7 (TTL 30s); caches may keep the old answer for 5m more"),
        "{said}"
    );
    assert!(
        said.contains("send-customers would be accepted; whether the key may change"),
        "{said}"
    );
    assert_eq!(stage.changes(), 0);

    let said = stage.expect(0, &["failover", "--confirm", "west standby"]);
    assert!(
        said.contains("read back from names; caches may give the old answer until"),
        "{said}"
    );
    assert_eq!(stage.dig(), "30 198.51.100.7");
    let report = stage.lab.report(&stage.lab.run("shop-f-")).to_string();
    assert!(
        report.contains("caches may give the old answer until"),
        "{report}"
    );
    let secret = std::fs::read_to_string(stage.fact("key")).unwrap();
    let secret = secret.split('"').nth(3).unwrap();
    let run = stage.lab.state().join("runs").join(stage.lab.run("shop-f-"));
    for entry in std::fs::read_dir(run).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(secret),
            "{}",
            path.display()
        );
    }

    stage.expect(0, &["failback", "--confirm", "east standby"]);
    assert_eq!(stage.dig(), "30 192.0.2.10");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_name_that_somebody_else_has_moved_stops_the_run_before_it_is_touched() {
    let stage = Stage::new();
    stage.expect(0, &["protect"]);
    // Somebody changes the name after the plan was made and before its turn: while the fence stops the other side.
    let waits = RUNBOOK.replace(
        "    - name: send-customers\n      needs: [web-up]",
        "    - name: look\n      needs: [web-up]\n      approve: { question: Go on? }\n    - name: send-customers\n      needs: [look]",
    );
    std::fs::write(&stage.runbook, waits).unwrap();
    stage.expect(4, &["failover", "--confirm", "west standby"]);
    let run = stage.lab.run("shop-f-");
    let (host, port) = stage.fact("address").rsplit_once(':').unwrap();
    let update = format!(
        "printf '%s\\n' 'server {host} {port}' 'update delete shop.acme.example A' 'update add shop.acme.example 60 A 203.0.113.9' send | nsupdate -v -k {}",
        stage.fact("key")
    );
    stage.shell(&update);
    stage.lab.expect(
        0,
        &["approve", &run, "look", "--as", "anna", "--reason", "looked"],
    );
    let output = stage.lab.lifeboat(&["resume", &run]).output().unwrap();
    let said = super::one_line(&[output.stdout, output.stderr].concat());
    assert!(
        said.contains(
            "shop.acme.example has A 203.0.113.9; the plan saw A 192.0.2.10 and wants A 198.51.100.7"
        ),
        "{said}"
    );
    assert_eq!(stage.dig(), "60 203.0.113.9");
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_the_plan_on_paper_says_is_done_by_hand_works() {
    let stage = Stage::new();
    let paper = stage.lab.expect(
        0,
        &["docs", "plan", stage.runbook.to_str().unwrap(), "--markdown"],
    );
    let paper = String::from_utf8(paper.stdout).unwrap();
    let command = |begins: &str| {
        let line = paper.lines().map(str::trim).find(|line| line.starts_with(begins));
        line.unwrap_or_else(|| panic!("no {begins}: {paper}")).to_owned()
    };
    assert!(stage.shell(&command("dig ")).contains("192.0.2.10"));
    stage.shell(&command("printf "));
    assert!(stage.shell(&command("dig ")).contains("198.51.100.7"));
    assert_eq!(stage.dig(), "30 198.51.100.7");
}
