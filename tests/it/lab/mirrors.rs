//! A run whose machine is lost, on the real thing: its journal is in S3, and another machine goes on with it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Lab;
use super::audit::Log;

const SHOP: &str = "playbooks/shop";

const YES: &[&str] = &[
    "--as",
    "anna",
    "--role",
    "incident-commander",
    "--reason",
    "orders work",
];

/// The lab's inventory with a mirrored journal: in S3 and in a folder.
fn mirror(lab: &Lab) {
    let file = lab.dir().join("sites.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let journal = "  journal: { mirrors: [vault, local] }\n";
    std::fs::write(&file, format!("{}\n{journal}", text.trim_end())).unwrap();
}

/// What the S3 server has on its disk: read without lifeboat and without S3.
fn objects(lab: &Lab, run: &str) -> Vec<u8> {
    let bucket = lab.dir().join("vault/objects/acme-vault");
    let folder = bucket.join("shop/metadata/lifeboat-journal/runs/shop").join(run);
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    names.sort();
    names
        .iter()
        .flat_map(|name| std::fs::read(name).unwrap())
        .collect()
}

/// A failover in the middle of its restore.
fn begin(lab: &Lab) -> Child {
    let child = lab
        .lifeboat(&["failover", SHOP, "--confirm", "west standby"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while lab.audit("west").changes().len() < 4 {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "the failover does not begin"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// A failover that dies in the middle of its restore. Gives back the run and the journal on the lost disk.
fn lost_failover(lab: &Lab) -> (String, Vec<u8>) {
    lab.expect(0, &["protect", SHOP]);
    let mut child = begin(lab);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = lab.run("shop-f-");
    let lost = journal(lab, &run);
    std::fs::remove_dir_all(lab.state()).unwrap();
    (run, lost)
}

fn journal(lab: &Lab, run: &str) -> Vec<u8> {
    std::fs::read(lab.state().join("runs").join(run).join("journal.jsonl")).unwrap()
}

/// By the API servers: every object was made once, and the active side was stopped by one change.
fn done_once(lab: &Lab) {
    let west = lab.audit("west");
    let created = |event: &&serde_json::Value| event.pointer("/responseStatus/code") == Some(&json!(201));
    let mut made: Vec<String> = west
        .changes()
        .into_iter()
        .filter(created)
        .map(Log::line)
        .collect();
    let all = made.len();
    made.sort();
    made.dedup();
    assert!(all >= 10, "the oracle reads the wrong place: {all} made");
    assert_eq!(made.len(), all, "made twice: {made:#?}");
    let stops: Vec<String> = lab.audit("east").changes().into_iter().map(Log::line).collect();
    assert_eq!(stops.len(), 1, "{stops:#?}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_failover_whose_machine_is_lost_is_completed_from_the_mirror_and_nothing_is_done_twice() {
    let lab = Lab::start();
    mirror(&lab);
    let (run, lost) = lost_failover(&lab);
    let seen = lab.expect(0, &["status"]);
    assert!(String::from_utf8_lossy(&seen.stdout).contains(&run));
    // Another failover is not let in before this one has ended.
    let refused = lab.expect(5, &["failover", SHOP, "--confirm", "west standby"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&format!("lifeboat adopt {run}")), "{said}");
    lab.expect(4, &["adopt", &run]);
    // The last lines may have been on the lost disk only: nothing had followed from them.
    let taken = journal(&lab, &run);
    let lines =
        |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let same = |(lost, taken): &(Vec<u8>, Vec<u8>)| lost == taken;
    let kept = lines(&lost)
        .into_iter()
        .zip(lines(&taken))
        .take_while(same)
        .count();
    assert!(kept >= 2, "{kept} lines of the lost journal are in the new one");
    let yes = [
        "--as",
        "anna",
        "--role",
        "incident-commander",
        "--reason",
        "orders work",
    ];
    lab.expect(0, &[&["approve", &run, "go"], &yes[..]].concat());
    lab.expect(0, &["resume", &run]);
    assert_eq!(objects(&lab, &run), journal(&lab, &run), "byte by byte");
    let front = lab.ask(
        "west",
        "GET",
        "/apis/apps/v1/namespaces/shop/deployments/web",
        None,
    );
    assert_eq!(front.unwrap().pointer("/status/readyReplicas"), Some(&json!(3)));
    done_once(&lab);
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_process_that_slept_while_its_run_was_adopted_begins_nothing_more() {
    let lab = Lab::start();
    mirror(&lab);
    lab.expect(0, &["protect", SHOP]);
    let mut child = begin(&lab);
    let pid = child.id().to_string();
    let signal = |name: &str| Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(signal("-STOP").success());
    let run = lab.run("shop-f-");
    let other = lab.dir().join("other-machine");
    let elsewhere = |code: i32, args: &[&str]| {
        let output = lab.lifeboat_on(&other, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?} {said}");
    };
    elsewhere(4, &["adopt", &run]);
    elsewhere(0, &[&["approve", &run, "go"], YES].concat());
    elsewhere(0, &["resume", &run]);
    let before = lab.audit("west").changes().len();
    assert!(signal("-CONT").success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(9), "it lost the run");
    // What it had sent before it slept may be answered now; it begins nothing of its own.
    let late: Vec<String> = lab
        .audit("west")
        .changes()
        .into_iter()
        .skip(before)
        .map(Log::line)
        .collect();
    println!("sent by the sleeper after it woke: {late:#?}");
    let whole = std::fs::read(other.join("runs").join(&run).join("journal.jsonl")).unwrap();
    assert_eq!(objects(&lab, &run), whole);
}
