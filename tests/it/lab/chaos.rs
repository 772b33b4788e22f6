//! Requests broken on their way by `lifeboat chaos-proxy`, one in each round: whatever was lost, the work ends
//! whole, and the servers' own records say that nothing was made twice.
//!
//! `make test` breaks one request in each way, always the same ones; `LIFEBOAT_TEST_SEED` chooses others, and
//! `LIFEBOAT_CHAOS=all` breaks every changing request in every way (`make torture`).

mod takeover;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::audit::Log;
use super::killed::Dice;
use super::{Lab, newest_run, one_line};

/// Ways to break a request that tell the caller too little, or something wrong.
const FAULTS: [&str; 10] = [
    "drop-reply",
    "refuse",
    "truncate",
    "reply-500",
    "reply-503",
    "reply-504",
    "answer-429",
    "answer-409",
    "answer-401",
    "hold-3s",
];

/// Chooses the requests where nobody asks for others: what breaks one night should break the next.
const SEED: u64 = 4;

/// Rounds of each fault where not all are tried.
const SAMPLED: usize = 1;

/// One running proxy.
struct Proxy {
    child: Child,
    url: String,
    lines: mpsc::Receiver<String>,
}

impl Proxy {
    fn start(to: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["chaos-proxy", "--to", to])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            url,
            lines: heard,
        }
    }

    /// What it met until a held request was delivered; where none was held, it is waited for in vain.
    fn wait_for_the_held(&self) -> Vec<Value> {
        let mut met = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(10)) {
            let one: Value = serde_json::from_str(&line).unwrap();
            let held = !one["fault"].is_null();
            met.push(one);
            if held {
                break;
            }
        }
        met
    }

    /// Ends it; every request that it met since.
    fn end(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines
            .iter()
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}

/// Also where a test fails in the middle.
impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lab as the proxy stands in front of one of its servers, and as it is without.
struct Stage {
    /// The file that leads to the server, as the lab wrote it.
    file: std::path::PathBuf,
    right: String,
    /// The server's own address.
    to: String,
    more: Vec<String>,
}

impl Stage {
    /// In front of the API server of a site.
    fn site(lab: &Lab, site: &str) -> Self {
        let file: std::path::PathBuf = lab.fact("/kubeconfig").as_str().unwrap().into();
        let ca = lab.dir().join(site).join("ca.crt");
        Self {
            right: std::fs::read_to_string(&file).unwrap(),
            file,
            to: lab
                .fact(&format!("/sites/{site}/url"))
                .as_str()
                .unwrap()
                .to_owned(),
            more: vec!["--ca".to_owned(), ca.display().to_string()],
        }
    }

    /// In front of an S3 server.
    fn store(lab: &Lab, store: &str) -> Self {
        let file = lab.dir().join("sites.yaml");
        Self {
            right: std::fs::read_to_string(&file).unwrap(),
            file,
            to: lab
                .fact(&format!("/stores/{store}/endpoint"))
                .as_str()
                .unwrap()
                .to_owned(),
            more: Vec::new(),
        }
    }

    /// Does something while the proxy breaks what it is told to; what came of it, and what it met.
    fn through<T>(&self, breakage: &[&str], work: impl FnOnce() -> T) -> (T, Vec<Value>) {
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let proxy = Proxy::start(&self.to, &[&more[..], breakage].concat());
        std::fs::write(&self.file, self.right.replace(&self.to, &proxy.url)).unwrap();
        let done = work();
        let mut met = Vec::new();
        if breakage.iter().any(|word| word.starts_with("hold-")) {
            met = proxy.wait_for_the_held();
        }
        met.extend(proxy.end());
        std::fs::write(&self.file, &self.right).unwrap();
        (done, met)
    }

    /// Does something of which one changing request is broken, and surely is.
    fn broken<T>(&self, (nth, fault): (usize, &str), work: impl FnOnce() -> T) -> T {
        let (done, broken) = self.maybe_broken((nth, fault), work);
        assert!(broken, "{fault} {nth}: there was no such change");
        done
    }

    /// The same where there may be fewer changes than that; whether one was broken.
    fn maybe_broken<T>(&self, (nth, fault): (usize, &str), work: impl FnOnce() -> T) -> (T, bool) {
        let nth = nth.to_string();
        let (done, met) = self.through(&["--fault", fault, "--nth", &nth, "--times", "1"], work);
        let broken = met.iter().filter(|one| !one["fault"].is_null()).count();
        assert!(broken <= 1, "{fault} {nth}: {met:?}");
        (done, broken == 1)
    }

    /// How many changing requests the work takes when nothing is broken.
    fn changes(&self, work: impl FnOnce()) -> usize {
        let never = ["--fault", "refuse", "--times", "0"];
        let ((), met) = self.through(&never, work);
        let counted = met.iter().filter(|one| one["number"].as_u64() > Some(0)).count();
        assert!(counted >= 3, "nothing went through the proxy: {met:?}");
        counted
    }

    /// The rounds: which request is broken, and how.
    fn rounds(changes: usize) -> Vec<(usize, &'static str)> {
        if std::env::var("LIFEBOAT_CHAOS").is_ok_and(|word| word == "all") {
            let all = |fault: &&'static str| (1..=changes).map(|nth| (nth, *fault)).collect::<Vec<_>>();
            return FAULTS.iter().flat_map(all).collect();
        }
        let mut dice = Dice(crate::asked("LIFEBOAT_TEST_SEED").unwrap_or(SEED));
        let mut some = |fault: &'static str| {
            let nth = usize::try_from(dice.below(changes as u64)).unwrap() + 1;
            (nth, fault)
        };
        let each = FAULTS
            .iter()
            .flat_map(|fault| std::iter::repeat_n(*fault, SAMPLED));
        each.map(&mut some).collect()
    }
}

/// A command that may end unfinished is gone on with until it is done: first by itself, then as its words say.
/// Gives back how.
fn to_its_end(lab: &Lab, args: &[&str], run: &str, step: &str) -> String {
    to_its_end_on(lab, &lab.state(), args, run, step)
}

/// The same on a machine of another state.
fn to_its_end_on(lab: &Lab, state: &Path, args: &[&str], run: &str, step: &str) -> String {
    let output = lab.lifeboat_on(state, args).output().unwrap();
    // Where nothing proves health, RTO is not measured: 7.
    let done = |code: Option<i32>| matches!(code, Some(0 | 7));
    if done(output.status.code()) {
        return "by itself".to_owned();
    }
    let mut said = one_line(&output.stderr);
    let name = newest_run(state, run).unwrap_or_else(|| panic!("{args:?} begins no run: {said}"));
    for attempt in [
        &["resume", &name][..],
        &[
            "retry",
            &name,
            step,
            "--as",
            "anna",
            "--reason",
            "broken on purpose",
        ],
    ] {
        let output = lab.lifeboat_on(state, attempt).output().unwrap();
        // An order to a run that nobody carries is kept for whoever resumes it.
        if attempt[0] == "retry" && output.status.success() {
            continue;
        }
        if done(output.status.code()) {
            return format!("{} after: {said}", attempt[0]);
        }
        said = format!(
            "{said}\n{} {:?}: {}",
            attempt[0],
            output.status.code(),
            one_line(&output.stderr)
        );
    }
    let output = lab.lifeboat_on(state, &["resume", &name]).output().unwrap();
    assert!(
        done(output.status.code()),
        "{args:?} does not end: {said}\n{:?} {}",
        output.status.code(),
        one_line(&output.stderr)
    );
    format!("retry after: {said}")
}

/// How often lifeboat's own requests made each object of a namespace.
fn made(lab: &Lab, namespace: &str) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for event in lab.audit("west").changes() {
        let created = event.pointer("/responseStatus/code") == Some(&Value::from(201));
        if created && Log::namespace(event) == namespace {
            let name = event
                .pointer("/responseObject/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or("");
            let resource = &event["objectRef"]["resource"];
            *made.entry(format!("{resource} {name}")).or_default() += 1;
        }
    }
    made
}

/// Deletes that lifeboat asked for at `west`.
fn deletes(lab: &Lab) -> Vec<String> {
    let log = lab.audit("west");
    let deletes = log.changes().into_iter().filter(|event| {
        event["verb"]
            .as_str()
            .is_some_and(|verb| verb.starts_with("delete"))
    });
    deletes.map(Log::line).collect()
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_restore_of_which_any_request_is_broken_ends_whole_and_makes_nothing_twice() {
    let lab = Lab::start();
    let name = lab.backed_up("vault", &[]);
    let stage = Stage::site(&lab, "west");
    let restore = |namespace: &str| -> String {
        let map = format!("shop={namespace}");
        let args = [
            "restore",
            &name,
            "--from",
            "vault",
            "--to",
            "west",
            "--map-namespace",
            &map,
            "--confirm",
            "west target",
        ];
        to_its_end(&lab, &args, "restore-", "restore")
    };
    let changes = stage.changes(|| drop(restore("shop-whole")));
    let whole = made(&lab, "shop-whole");
    assert!(whole.len() >= 10, "{whole:?}");
    for (round, (nth, fault)) in Stage::rounds(changes).into_iter().enumerate() {
        let namespace = format!("shop-{round}");
        let how = stage.broken((nth, fault), || restore(&namespace));
        println!("{fault} of change {nth}: {how}");
        let objects = made(&lab, &namespace);
        let twice: Vec<_> = objects.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{fault} {nth}: made twice: {twice:?}");
        let map = format!("shop:{namespace}");
        let compared = lab.tool(&[
            "compare",
            "--left",
            "east",
            "--right",
            "west",
            "--namespaces",
            "shop",
            "--map",
            &map,
        ]);
        assert!(
            compared.status.success(),
            "{fault} {nth} {how}: {}",
            String::from_utf8_lossy(&compared.stdout)
        );
    }
    assert_eq!(deletes(&lab), [""; 0]);
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_drill_of_which_any_request_is_broken_leaves_nothing_and_nobody_else_is_touched() {
    let lab = Lab::start();
    lab.expect(0, &["protect", "playbooks/shop"]);
    let stage = Stage::site(&lab, "west");
    let drill = || lab.lifeboat(&["drill", "playbooks/shop"]).output().unwrap();
    let changes = stage.changes(|| assert_eq!(drill().status.code(), Some(0)));
    for (nth, fault) in Stage::rounds(changes) {
        let ended = stage.broken((nth, fault), drill);
        let said = one_line(&ended.stderr);
        println!("{fault} of change {nth}: {:?}", ended.status.code());
        // A server that says no once is believed, and the drill fails; a lost reply is looked after, and a
        // login that is refused is taken anew from the kubeconfig.
        let right = ended.status.code() == Some(0) || fault == "answer-409" && ended.status.code() == Some(3);
        assert!(right, "{fault} {nth}: {:?} {said}", ended.status.code());
        let namespaces = lab.ask("west", "GET", "/api/v1/namespaces", None).unwrap();
        let left: Vec<&str> = namespaces["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["metadata"]["name"].as_str())
            .filter(|name| name.contains("drill") || name.contains("shop"))
            .collect();
        assert!(left.is_empty(), "{fault} {nth}: {left:?}");
    }
    let log = lab.audit("west");
    let outside: Vec<String> = log
        .changes()
        .into_iter()
        .filter(|event| !Log::namespace(event).contains("drill"))
        .map(Log::line)
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    let active: Vec<String> = lab.audit("east").changes().into_iter().map(Log::line).collect();
    assert!(active.is_empty(), "{active:?}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_backup_of_which_any_write_is_broken_is_whole_or_is_none() {
    let lab = Lab::start();
    let stage = Stage::store(&lab, "vault");
    let create = || {
        // Names of backups have whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
        let args = [
            "backup",
            "create",
            "--site",
            "east",
            "--to",
            "vault",
            "--namespaces",
            "shop",
        ];
        lab.lifeboat(&args).output().unwrap()
    };
    let changes = stage.changes(|| assert_eq!(create().status.code(), Some(0)));
    for (nth, fault) in Stage::rounds(changes) {
        let before = lab.names("vault");
        let ended = stage.broken((nth, fault), create);
        let said = one_line(&ended.stderr);
        let code = ended.status.code();
        println!("{fault} of change {nth}: {code:?}");
        let shelf = lab.shelf("vault");
        let new = shelf["backups"].as_array().unwrap().iter();
        let new: Vec<&Value> = new
            .filter(|one| !before.iter().any(|name| one["name"] == name.as_str()))
            .collect();
        let verified: Vec<&&Value> = new.iter().filter(|one| one["state"] == "verified").collect();
        match (fault, code) {
            // A store that does not let us in is believed: the run waits for a login. Nothing counts as a backup
            // until it goes on.
            ("answer-401", Some(4)) => {
                assert!(verified.is_empty(), "{nth}: {new:?}");
                let run = newest_run(&lab.state(), "shop-p-").unwrap();
                lab.expect(0, &["resume", &run]);
                let shelf = lab.shelf("vault");
                let new = shelf["backups"].as_array().unwrap().iter();
                let new = new.filter(|one| !before.iter().any(|name| one["name"] == name.as_str()));
                let states: Vec<&Value> = new.map(|one| &one["state"]).collect();
                assert!(states.contains(&&Value::from("verified")), "{nth}: {states:?}");
            }
            (_, Some(0)) => {
                // The mark of an attempt that was given up may arrive when another one has made a backup: both are whole.
                let most = if fault.starts_with("hold") { 2 } else { 1 };
                assert!((1..=most).contains(&verified.len()), "{fault} {nth}: {new:?}");
                for one in verified {
                    let name = one["name"].as_str().unwrap();
                    lab.expect(0, &["backup", "verify", name, "--store", "vault"]);
                }
            }
            _ => panic!("{fault} {nth}: {code:?} {said}"),
        }
    }
}
