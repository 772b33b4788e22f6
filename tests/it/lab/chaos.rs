//! Requests broken on their way by `lifeboat chaos-proxy`, one in each round: whatever was lost, the work ends
//! whole, and the servers' own records say that nothing was made twice.
//!
//! `make test` breaks one request in each way, always the same ones; `LIFEBOAT_TEST_SEED` chooses others, and
//! `LIFEBOAT_CHAOS=all` breaks every changing request in every way (`make torture`), `LIFEBOAT_CHAOS=drop-reply,stall@58`
//! in these, the second from the 58th request on. Work that takes fewer requests has nothing to break then, and its sweep is red.

mod stage;
mod takeover;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use self::stage::{Breakage, Stage};
use super::audit::Log;
use super::killed::Dice;
use super::{Lab, SHOP, newest_run, one_line};

/// Ways to break a request that tell the caller too little, or something wrong.
const FAULTS: [&str; 11] = [
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
    "answer-410",
];

/// Carried out, and then silence. Costs as long as a request may take, minutes for an upload: only for whoever asks for all.
const SILENCE: &str = "stall";

/// Chooses the requests where nobody asks for others: what breaks one night should break the next.
const SEED: u64 = 4;

/// After so many the next lab begins: each round reads the whole of its servers' audit logs, which only grow.
const ROUNDS_IN_A_LAB: usize = 40;

/// Work whose changing requests pass a stage, and what has to be true of it whichever of them is broken.
trait Scenario {
    /// In a lab of its own.
    fn prepare() -> Self;

    /// How many changing requests the work takes while nothing is broken.
    fn changes(&self) -> usize;

    /// The work while one request is broken; how it ended, and nothing where there was no such request. No two rounds in
    /// one lab have the same number.
    fn round(&self, number: usize, what: Breakage) -> Option<String>;

    /// What has to be true after any number of rounds.
    fn afterwards(&self) {}
}

/// Breaks one request in each round.
#[expect(clippy::print_stdout, reason = "how many rounds there were is read there")]
fn sweep<S: Scenario>() {
    let first = S::prepare();
    let changes = first.changes();
    let mut first = Some(first);
    let mut over = BTreeSet::new();
    let rounds = rounds(changes);
    assert!(!rounds.is_empty(), "of {changes} requests none is to be broken");
    for few in rounds.chunks(ROUNDS_IN_A_LAB) {
        let few: Vec<&Breakage> = few.iter().filter(|what| !over.contains(what.fault)).collect();
        if few.is_empty() {
            continue;
        }
        let scenario = first.take().unwrap_or_else(S::prepare);
        for (number, what) in few.into_iter().enumerate() {
            if over.contains(what.fault) {
                continue;
            }
            let how = scenario.round(number, *what);
            println!(
                "{what} of {changes}: {}",
                how.as_deref().unwrap_or("there was none")
            );
            // Work that goes faster than it went unbroken needs fewer requests: there are no later ones either.
            if how.is_none() {
                over.insert(what.fault);
            }
        }
        scenario.afterwards();
    }
}

/// Which request is broken in each round, and how.
fn rounds(changes: usize) -> Vec<Breakage> {
    let every =
        |(fault, from): (&'static str, usize)| (from..=changes).map(move |nth| Breakage { fault, nth });
    match std::env::var("LIFEBOAT_CHAOS") {
        Ok(all) if all == "all" => all_faults().map(|fault| (fault, 1)).flat_map(every).collect(),
        Ok(named) => named.split(',').map(fault).flat_map(every).collect(),
        Err(_) => {
            let mut dice = Dice(crate::asked("LIFEBOAT_TEST_SEED").unwrap_or(SEED));
            let mut some = |fault| Breakage {
                fault,
                nth: usize::try_from(dice.below(changes as u64)).unwrap() + 1,
            };
            FAULTS.into_iter().map(&mut some).collect()
        }
    }
}

fn all_faults() -> impl Iterator<Item = &'static str> {
    FAULTS.into_iter().chain([SILENCE])
}

/// A fault by its name, and the first request that it breaks: `stall`, or `stall@58`.
fn fault(asked: &str) -> (&'static str, usize) {
    let (name, from) = asked.split_once('@').unwrap_or((asked, "1"));
    let known = all_faults().find(|fault| *fault == name);
    let from = from.parse().ok().filter(|from| *from > 0);
    known.zip(from).unwrap_or_else(|| {
        let names: Vec<&str> = all_faults().collect();
        panic!(
            "LIFEBOAT_CHAOS={asked}: not `all`, and none of {}, with @ and a number of a request or without",
            names.join(", ")
        )
    })
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
    for event in lab.audit_about("west", namespace).changes() {
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

/// A backup of the shop, restored at `west` into one namespace after the other.
struct Restores {
    lab: Lab,
    stage: Stage,
    backup: String,
}

impl Restores {
    fn restore(&self, namespace: &str) -> String {
        let map = format!("shop={namespace}");
        let args = [
            "restore",
            &self.backup,
            "--from",
            "vault",
            "--to",
            "west",
            "--map-namespace",
            &map,
            "--confirm",
            "west target",
        ];
        to_its_end(&self.lab, &args, "restore-", "restore")
    }
}

impl Scenario for Restores {
    fn prepare() -> Self {
        let lab = Lab::start();
        Self {
            backup: lab.backed_up("vault", &[]),
            stage: Stage::site(&lab, "west"),
            lab,
        }
    }

    fn changes(&self) -> usize {
        let changes = self.stage.changes(|| drop(self.restore("shop-whole")));
        let whole = made(&self.lab, "shop-whole");
        assert!(whole.len() >= 10, "{whole:?}");
        changes
    }

    fn round(&self, number: usize, what: Breakage) -> Option<String> {
        let namespace = format!("shop-{number}");
        let how = self.stage.broken(what, || self.restore(&namespace));
        let objects = made(&self.lab, &namespace);
        let twice: Vec<_> = objects.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{what}: made twice: {twice:?}");
        let map = format!("shop:{namespace}");
        let compared = self.lab.tool(&[
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
            "{what} {how}: {}",
            String::from_utf8_lossy(&compared.stdout)
        );
        Some(how)
    }

    fn afterwards(&self) {
        assert_eq!(deletes(&self.lab), [""; 0]);
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_restore_of_which_any_request_is_broken_ends_whole_and_makes_nothing_twice() {
    sweep::<Restores>();
}

/// Drills of the shop at `west`.
struct Drills {
    lab: Lab,
    stage: Stage,
}

impl Drills {
    fn drill(&self) -> Output {
        self.lab.lifeboat(&["drill", "playbooks/shop"]).output().unwrap()
    }

    /// Namespaces at `west` that a drill can have made.
    fn left(&self) -> Vec<String> {
        let namespaces = self.lab.ask("west", "GET", "/api/v1/namespaces", None).unwrap();
        let items = namespaces["items"].as_array().unwrap().iter();
        let names = items.filter_map(|item| item["metadata"]["name"].as_str());
        let ours = names.filter(|name| name.contains("drill") || name.contains("shop"));
        ours.map(str::to_owned).collect()
    }
}

impl Scenario for Drills {
    fn prepare() -> Self {
        let lab = Lab::start();
        lab.expect(0, &["protect", SHOP]);
        Self {
            stage: Stage::site(&lab, "west"),
            lab,
        }
    }

    fn changes(&self) -> usize {
        self.stage
            .changes(|| assert_eq!(self.drill().status.code(), Some(0)))
    }

    fn round(&self, _: usize, what: Breakage) -> Option<String> {
        // After a quarter of an hour of rounds the first backup is older than the runbook allows.
        self.lab.expect(0, &["protect", SHOP]);
        let ended = self.stage.broken(what, || self.drill());
        let (code, said) = (ended.status.code(), one_line(&ended.stderr));
        // A server that says no once is believed, and the drill fails; a lost reply is looked after, and a
        // login that is refused is taken anew from the kubeconfig.
        let right = code == Some(0) || what.fault == "answer-409" && code == Some(3);
        assert!(right, "{what}: {code:?} {said}");
        let left = self.left();
        assert!(left.is_empty(), "{what}: {left:?}");
        Some(format!("{code:?}"))
    }

    fn afterwards(&self) {
        let log = self.lab.audit("west");
        let outside = log.changes().into_iter();
        let outside = outside.filter(|event| !Log::namespace(event).contains("drill"));
        let outside: Vec<String> = outside.map(Log::line).collect();
        assert!(outside.is_empty(), "{outside:?}");
        let active = self.lab.audit("east");
        let active: Vec<String> = active.changes().into_iter().map(Log::line).collect();
        assert!(active.is_empty(), "{active:?}");
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_drill_of_which_any_request_is_broken_leaves_nothing_and_nobody_else_is_touched() {
    sweep::<Drills>();
}

/// Backups of the shop at `east`.
struct Backups {
    lab: Lab,
    stage: Stage,
}

impl Backups {
    fn create(&self) -> Output {
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
        self.lab.lifeboat(&args).output().unwrap()
    }

    /// What is in the store besides the backups of these names.
    fn besides(&self, known: &[String]) -> Vec<Value> {
        let listed = self.lab.shelf("vault");
        let all = listed["backups"].as_array().unwrap().iter();
        let new = all.filter(|one| !known.iter().any(|name| one["name"] == name.as_str()));
        new.cloned().collect()
    }
}

impl Scenario for Backups {
    fn prepare() -> Self {
        let lab = Lab::start();
        Self {
            stage: Stage::store(&lab, "vault"),
            lab,
        }
    }

    fn changes(&self) -> usize {
        self.stage
            .changes(|| assert_eq!(self.create().status.code(), Some(0)))
    }

    fn round(&self, _: usize, what: Breakage) -> Option<String> {
        let verified = |one: &&Value| one["state"] == "verified";
        let before = self.lab.names("vault");
        let ended = self.stage.broken(what, || self.create());
        let code = ended.status.code();
        let new = self.besides(&before);
        let how = match (what.fault, code) {
            // A store that does not let us in is believed: the run waits for a login. Nothing counts as a backup
            // until it goes on.
            ("answer-401", Some(4)) => {
                assert_eq!(new.iter().find(verified), None, "{what}");
                let run = newest_run(&self.lab.state(), "shop-p-").unwrap();
                self.lab.expect(0, &["resume", &run]);
                let resumed = self.besides(&before);
                assert!(resumed.iter().any(|one| verified(&one)), "{what}: {resumed:?}");
                "by one resume"
            }
            // No store says so of a write; one that does is believed, and the run fails.
            ("answer-410", Some(3)) => {
                assert_eq!(new.iter().find(verified), None, "{what}");
                "failed"
            }
            (_, Some(0)) => {
                // The mark of an attempt that was given up may arrive when another one has made a backup: both are whole.
                let most = if what.fault.starts_with("hold") { 2 } else { 1 };
                let whole: Vec<&Value> = new.iter().filter(verified).collect();
                assert!((1..=most).contains(&whole.len()), "{what}: {new:?}");
                for one in whole {
                    let name = one["name"].as_str().unwrap();
                    self.lab
                        .expect(0, &["backup", "verify", name, "--store", "vault"]);
                }
                "by itself"
            }
            _ => panic!("{what}: {code:?} {}", one_line(&ended.stderr)),
        };
        Some(how.to_owned())
    }
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_backup_of_which_any_write_is_broken_is_whole_or_is_none() {
    sweep::<Backups>();
}
