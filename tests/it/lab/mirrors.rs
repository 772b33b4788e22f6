//! A run whose machine is lost, on the real thing: its journal is in S3, and another machine goes on with it.
//! Each machine has a folder and a network namespace of its own, where root is to be had.

#![expect(clippy::print_stdout, reason = "what a test could not try is said")]

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::audit::Log;
use super::{Lab, SHOP, YES, one_line};

/// A machine from which operators work.
struct Machine<'a> {
    lab: &'a Lab,
    state: PathBuf,
    /// Before the command; empty: it shares the network of this machine.
    apart: Vec<String>,
}

impl<'a> Machine<'a> {
    /// One that reaches everything of the lab, and nothing else of this machine.
    fn new(lab: &'a Lab, name: &str) -> Self {
        Self::reaching(lab, name, &["/sites/east/url"], &[])
    }

    /// One that reaches `west`, the stores, the fronts, and these servers of the lab too; where `silent` ones
    /// are, connections are taken and nothing is ever answered.
    fn reaching(lab: &'a Lab, name: &str, more: &[&str], silent: &[&str]) -> Self {
        let ports = |facts: &[&str]| -> String {
            let port = |fact: &&str| {
                let url = lab.fact(fact).as_str().unwrap();
                url.rsplit(':').next().unwrap().to_owned()
            };
            facts.iter().map(port).collect::<Vec<_>>().join(",")
        };
        let always = [
            "/sites/west/url",
            "/sites/west/front",
            "/sites/east/front",
            "/stores/vault/endpoint",
            "/stores/second/endpoint",
        ];
        let mut apart = vec![
            std::env::var("LIFEBOAT_LAB_BIN").unwrap(),
            "apart".to_owned(),
            "--reach".to_owned(),
            ports(&[&always[..], more].concat()),
        ];
        if !silent.is_empty() {
            apart.extend(["--silent".to_owned(), ports(silent)]);
        }
        apart.push("--".to_owned());
        Self {
            lab,
            state: lab.dir().join(name),
            apart: if has_namespaces() { apart } else { Vec::new() },
        }
    }

    /// The command, in a process group of its own: that is the machine.
    fn lifeboat(&self, args: &[&str]) -> Command {
        let plain = self.lab.lifeboat_on(&self.state, args);
        let mut command = match self.apart.split_first() {
            None => plain,
            Some((program, before)) => {
                let mut command = Command::new(program);
                command
                    .args(before)
                    .arg(plain.get_program())
                    .args(plain.get_args())
                    .current_dir(env!("CARGO_MANIFEST_DIR"))
                    .stdin(Stdio::null())
                    .env_remove("KUBECONFIG")
                    .env_remove("AWS_ACCESS_KEY_ID");
                command
            }
        };
        command.process_group(0);
        command
    }

    /// Runs it to its end and expects this exit code.
    fn expect(&self, code: i32, args: &[&str]) -> Output {
        let output = self.lifeboat(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?} {said}");
        output
    }

    fn journal(&self, run: &str) -> Vec<u8> {
        std::fs::read(self.state.join("runs").join(run).join("journal.jsonl")).unwrap()
    }

    /// The only failover in its folder.
    fn run(&self) -> String {
        let runs = std::fs::read_dir(self.state.join("runs")).unwrap();
        let mut names: Vec<String> = runs
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("shop-f-"))
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    /// A failover in the middle of its restore.
    fn begin(&self) -> Child {
        let child = self
            .lifeboat(&["failover", SHOP, "--confirm", "west standby"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while self.lab.audit("west").changes().len() < 4 {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "the failover does not begin"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }
}

/// Whether this machine lets us make network namespaces; if not, the machines of these tests share a network.
fn has_namespaces() -> bool {
    let tried = Command::new(std::env::var("LIFEBOAT_LAB_BIN").unwrap())
        .args(["apart", "--", "true"])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if !tried.success() {
        println!("no network namespaces here: all machines of this test share one network");
    }
    tried.success()
}

/// Sends a signal to a machine: to all of its processes.
fn signal(machine: &Child, name: &str) {
    let group = format!("-{}", machine.id());
    let sent = Command::new("kill").args([name, "--", &group]).status().unwrap();
    assert!(sent.success(), "kill {name} {group}");
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

/// By the API servers: every object was made once, and the active side was held once and its pods stopped once.
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
    let all: Vec<String> = lab.audit("east").changes().into_iter().map(Log::line).collect();
    let stops: Vec<&String> = all
        .iter()
        .filter(|line| line.starts_with("patch namespaces "))
        .collect();
    assert_eq!(stops.len(), 1, "{all:#?}");
    let mut deleted: Vec<&String> = all
        .iter()
        .filter(|line| line.starts_with("delete pods "))
        .collect();
    assert!(!deleted.is_empty(), "{all:#?}");
    let sent = deleted.len();
    deleted.sort();
    deleted.dedup();
    assert_eq!(deleted.len(), sent, "told to stop twice: {all:#?}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_failover_whose_machine_is_lost_is_completed_from_the_mirror_and_nothing_is_done_twice() {
    let lab = Lab::start_with_both_stores();
    lab.mirror_journals_in("vault, second");
    let (first, second) = (Machine::new(&lab, "first"), Machine::new(&lab, "second-machine"));
    first.expect(0, &["protect", SHOP]);
    let mut child = first.begin();
    signal(&child, "-KILL");
    child.wait().unwrap();
    let run = first.run();
    let lost = first.journal(&run);
    std::fs::remove_dir_all(&first.state).unwrap();

    let seen = second.expect(0, &["status"]);
    assert!(String::from_utf8_lossy(&seen.stdout).contains(&run));
    // Another failover is not let in before this one has ended.
    let refused = second.expect(5, &["failover", SHOP, "--confirm", "west standby"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&format!("lifeboat adopt {run}")), "{said}");
    second.expect(4, &["adopt", &run]);
    // The last lines may have been on the lost disk only: nothing had followed from them.
    let taken = second.journal(&run);
    let lines =
        |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let same = |(lost, taken): &(Vec<u8>, Vec<u8>)| lost == taken;
    let kept = lines(&lost)
        .into_iter()
        .zip(lines(&taken))
        .take_while(same)
        .count();
    assert!(kept >= 2, "{kept} lines of the lost journal are in the new one");
    second.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    second.expect(0, &["resume", &run]);
    assert_eq!(objects(&lab, &run), second.journal(&run), "byte by byte");
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
fn a_machine_that_slept_while_its_run_was_adopted_begins_nothing_more() {
    let lab = Lab::start_with_both_stores();
    lab.mirror_journals_in("vault, second");
    let (first, second) = (Machine::new(&lab, "first"), Machine::new(&lab, "second-machine"));
    first.expect(0, &["protect", SHOP]);
    let mut child = first.begin();
    signal(&child, "-STOP");
    let run = first.run();
    second.expect(4, &["adopt", &run]);
    second.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    second.expect(0, &["resume", &run]);
    let before = lab.audit("west").changes().len();
    signal(&child, "-CONT");
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
    assert_eq!(objects(&lab, &run), second.journal(&run));
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_partition_from_the_active_side_is_unreachable_and_never_down() {
    let lab = Lab::start_with_both_stores();
    let whole = Machine::new(&lab, "whole");
    whole.expect(0, &["protect", SHOP]);
    let before = lab.audit("east").changes().len();
    // Nobody listens, as behind a router that refuses; and somebody listens and never answers.
    for (name, silent) in [("refused", &[][..]), ("silent", &["/sites/east/url"][..])] {
        let machine = Machine::reaching(&lab, name, &[], silent);
        let plan = machine
            .lifeboat(&["plan", SHOP, "--mode", "failover"])
            .output()
            .unwrap();
        let said = [plan.stdout, plan.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        println!("{name}: {said}");
        assert!(
            one_line(said.as_bytes()).contains("east is unreachable"),
            "{name}: {said}"
        );
        assert!(!said.contains("is down"), "{name}: {said}");
    }
    let cut = Machine::reaching(&lab, "cut", &[], &["/sites/east/url"]);
    let failover = cut.expect(4, &["failover", SHOP, "--confirm", "west standby"]);
    let said = String::from_utf8_lossy(&failover.stderr).into_owned();
    println!("{said}");
    let run = cut.run();
    // Nothing proves that east has stopped: a person answers for going on, or nothing goes on.
    let asked = one_line(said.as_bytes());
    assert!(
        asked.contains("ask both-may-write") && !asked.contains("ok restore"),
        "{said}"
    );
    let changed = lab.audit("west").changes().len();
    cut.expect(5, &[&["skip", &run, "both-may-write"], &YES[..]].concat());
    assert_eq!(lab.audit("west").changes().len(), changed);
    cut.expect(0, &[&["approve", &run, "both-may-write"], &YES[..]].concat());
    cut.expect(4, &["resume", &run]);
    cut.expect(0, &[&["approve", &run, "go"], &YES[..]].concat());
    cut.expect(0, &["resume", &run]);
    let report = cut.expect(0, &["report", &run]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    println!("{report}");
    for (what, text) in [("what was said", &said), ("the report", &report)] {
        assert!(
            one_line(text.as_bytes()).contains("east is unreachable"),
            "{what}: {text}"
        );
        assert!(
            !text.contains("is down") && !text.contains("was down"),
            "{what}: {text}"
        );
    }
    // It was there all the time, and nobody asked it for anything.
    assert_eq!(lab.audit("east").changes().len(), before);
    let web = lab.ask(
        "east",
        "GET",
        "/apis/apps/v1/namespaces/shop/deployments/web",
        None,
    );
    assert_eq!(web.unwrap().pointer("/status/readyReplicas"), Some(&json!(3)));
}
