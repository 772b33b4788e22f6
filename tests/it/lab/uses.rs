//! The uses of one runbook, end to end: there and back again with nothing lost, from a side that is gone, and by
//! itself while nobody looks.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Lab, SHOP, YES, newest_run, one_line};
use crate::serve::{records, scheduled_shop};

/// So many drills are waited for.
const DRILLS: usize = 3;
/// One drill a minute, and a machine that does other things meanwhile.
const WITHIN: Duration = Duration::from_mins(8);

/// Runs a recovery with its question at the end to its end.
fn recover(lab: &Lab, mode: &str, target: &str) -> Value {
    lab.expect(4, &[mode, SHOP, "--confirm", target]);
    let run = newest(lab, "shop-");
    lab.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    lab.expect(0, &["resume", &run]);
    lab.report(&run)
}

fn newest(lab: &Lab, begins: &str) -> String {
    newest_run(&lab.state(), begins).expect("a run")
}

/// Both sites have the same shop, by the lab's own comparer; the marks of holds are on the namespaces themselves.
fn equal(lab: &Lab) {
    let compare = [
        "compare",
        "--left",
        "east",
        "--right",
        "west",
        "--namespaces",
        "shop",
        "--json",
    ];
    let output = lab.tool(&compare);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    for kind in ["Deployment.apps", "ConfigMap", "Secret"] {
        let here = &found["compared"][kind];
        assert!(
            here["left"].as_u64() >= Some(1) && here["left"] == here["right"],
            "{kind}: {found:#}"
        );
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_switchover_and_the_way_back_return_to_the_start_with_equal_objects() {
    let lab = Lab::start();
    let there = recover(&lab, "switchover", "west standby");
    assert_eq!(there["state"]["verdict"], "recovered", "{there:#}");
    // What west has now is what east had at the start: nobody has touched east but for the hold.
    equal(&lab);
    let marked = json!({ "metadata": { "labels": { "written": "at-west" } } });
    let settings = "/api/v1/namespaces/shop/configmaps/settings";
    lab.ask("west", "PATCH", settings, Some(&marked)).unwrap();
    let back = recover(&lab, "failback", "east standby");
    assert_eq!(back["state"]["verdict"], "recovered", "{back:#}");
    equal(&lab);
    let came = lab.ask("east", "GET", settings, None).unwrap();
    assert_eq!(
        came["metadata"]["labels"]["written"], "at-west",
        "what was written meanwhile came along"
    );
}

/// The API server of a site dies, as its machine would.
fn kill_api_server(lab: &Lab, site: &str) {
    let text = std::fs::read_to_string(lab.dir().join("processes.json")).unwrap();
    let processes: Value = serde_json::from_str(&text).unwrap();
    let pid = &processes["children"][format!("{site}/kube-apiserver")]["pid"];
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.unwrap().success(), "{processes:#}");
    let began = Instant::now();
    while lab.ask(site, "GET", "/readyz", None).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(30), "it lives");
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_failover_from_a_dead_api_server_has_a_person_answer_for_what_nothing_proves() {
    let lab = Lab::start();
    lab.expect(0, &["protect", SHOP]);
    lab.expect(
        0,
        &[
            "declare",
            SHOP,
            "--as",
            "anna",
            "--reason",
            "the region is silent",
        ],
    );
    kill_api_server(&lab, "east");
    let asked = lab.expect(4, &["failover", SHOP, "--confirm", "west standby"]);
    let asked = one_line(&asked.stderr);
    assert!(
        asked.contains("ask both-may-write") && asked.contains("east is unreachable"),
        "{asked}"
    );
    assert!(
        !asked.contains("ok restore") && !asked.contains("is down"),
        "{asked}"
    );
    let run = newest(&lab, "shop-f-");
    assert!(
        lab.audit("west").changes().is_empty(),
        "nothing before the answer"
    );
    let risk = [
        "--as",
        "ben",
        "--role",
        "incident-commander",
        "--reason",
        "the provider says it burns",
    ];
    lab.expect(0, &[&["approve", &run, "both-may-write"], &risk[..]].concat());
    lab.expect(4, &["resume", &run]);
    lab.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    lab.expect(0, &["resume", &run]);
    let report = lab.report(&run);
    assert_eq!(report["state"]["verdict"], "recovered", "{report:#}");
    let risks = report["risks"].to_string();
    assert!(
        risks.contains("ben") && risks.contains("the provider says it burns"),
        "{risks}"
    );
    assert!(
        report["declared"]["at"].is_string(),
        "the clock began with the word: {report:#}"
    );
}

/// Ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn served_for_some_minutes_each_minute_has_its_drill_and_each_drill_its_proof() {
    let lab = Lab::start();
    lab.expect(0, &["protect", SHOP]);
    let folder = tempfile::tempdir().unwrap();
    let shop = scheduled_shop(folder.path(), "    - { mode: drill, cron: '* * * * *' }");
    let said = lab.state().with_extension("serve");
    let child = lab
        .lifeboat(&["serve", "--listen", "127.0.0.1:0", shop.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let mut serving = Serving(child);
    let began = Instant::now();
    let proved = |run: &Value| {
        let path = lab
            .state()
            .join("runs")
            .join(run["run"].as_str().unwrap())
            .join("report.json");
        let text = std::fs::read_to_string(path).ok()?;
        serde_json::from_str::<Value>(&text)
            .ok()
            .filter(|report| report["state"]["is"] == "ended")
    };
    let reports: Vec<Value> = loop {
        let reports: Vec<Value> = records(&lab.state(), "fired").iter().filter_map(proved).collect();
        if reports.len() >= DRILLS {
            break reports;
        }
        let over = serving.0.try_wait().unwrap();
        assert!(
            over.is_none() && began.elapsed() < WITHIN,
            "{over:?} {}",
            std::fs::read_to_string(&said).unwrap()
        );
        std::thread::sleep(Duration::from_millis(200));
    };
    let stopped = Command::new("kill")
        .args(["-TERM", &serving.0.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    assert_eq!(serving.0.wait().unwrap().code(), Some(0));
    for report in &reports {
        assert_eq!(
            (&report["mode"], &report["state"]["verdict"]),
            (&json!("drill"), &json!("recovered")),
            "{report:#}"
        );
    }
    let fired = records(&lab.state(), "fired");
    let due: BTreeSet<&str> = fired.iter().map(|one| one["due"].as_str().unwrap()).collect();
    assert_eq!(due.len(), fired.len(), "a due time fired twice: {fired:#?}");
    assert!(due.iter().all(|due| due.ends_with(":00Z")), "{due:?}");
    assert_eq!(records(&lab.state(), "missed"), Vec::<Value>::new());
}
