//! A restore whose process is killed twenty times, at moments spread at random over all of it, and resumed
//! each time: the objects are the same in the end, and the API server never made one of them twice.

#![expect(
    clippy::print_stdout,
    reason = "the seed and the moments are for people who look"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Lab;

/// Of the load; 50 namespaces and what controllers add come on top.
const OBJECTS: usize = 800;

/// Changes that a restore has under way at most.
const IN_FLIGHT: usize = 48;

/// Kills that have to hit a living process; `LIFEBOAT_KILLS` asks for another number (`make torture`: 200).
const KILLS: usize = 20;

fn kills() -> usize {
    crate::asked("LIFEBOAT_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap())
}

/// What can be known of a restore while it runs: how many changes of it were answered so far.
struct Watch {
    path: PathBuf,
    read: u64,
    rest: Vec<u8>,
    changes: usize,
}

impl Watch {
    fn of(lab: &Lab) -> Self {
        Self {
            path: lab.fact("/sites/west/auditLog").as_str().unwrap().into(),
            read: 0,
            rest: Vec::new(),
            changes: 0,
        }
    }

    /// Reads what is new in the log.
    fn look(&mut self) -> usize {
        let mut file = std::fs::File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let count = file.read_to_end(&mut self.rest).unwrap();
        self.read += count as u64;
        let whole = self
            .rest
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let ours = |line: &&[u8]| {
            let has = |words: &str| line.windows(words.len()).any(|part| part == words.as_bytes());
            has("\"username\":\"lifeboat-lab\"") && has("\"verb\":\"create\"")
        };
        self.changes += lines.split(|byte| *byte == b'\n').filter(ours).count();
        self.changes
    }
}

/// Random numbers that anybody can have again: splitmix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// `LIFEBOAT_TEST_SEED`, else one from the clock; printed, so that a failure can be had again.
fn seed() -> u64 {
    let seed = crate::asked("LIFEBOAT_TEST_SEED")
        .unwrap_or_else(|| u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap());
    println!("LIFEBOAT_TEST_SEED={seed}");
    seed
}

/// The restore from its beginning, or on with it. A kill before there was a run leaves nothing to resume.
fn carry_on(lab: &Lab, backup: &str) -> Child {
    let run = std::fs::read_dir(lab.state().join("runs"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("restore-"));
    let mut command = match &run {
        Some(run) => lab.lifeboat(&["resume", run]),
        None => lab.lifeboat(&[
            "restore",
            backup,
            "--from",
            "local",
            "--to",
            "west",
            "--confirm",
            "west target",
        ]),
    };
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills it some milliseconds after so many changes have been answered. Where an earlier process got
/// further than that, the kill falls into the reading before the first change, or right behind that.
/// `false`: it had ended.
fn kill_at(child: &mut Child, watch: &mut Watch, moment: usize, dice: &mut Dice) -> bool {
    let (began, before) = (Instant::now(), watch.look());
    let passed = before >= moment;
    let reading = Duration::from_millis(if passed { dice.below(1000) } else { 120_000 });
    while watch.look() < moment.max(before + 1) && began.elapsed() < reading {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(dice.below(10)));
    if child.try_wait().unwrap().is_some() {
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// What the API server did for us.
#[derive(Default)]
struct Deeds {
    /// `kind namespace/name` → how often it was made.
    made: BTreeMap<String, usize>,
    /// Of requests that ended with their process, as the server's own errors: perhaps made.
    cut: BTreeSet<String>,
    deleted: Vec<String>,
}

fn deeds(lab: &Lab) -> Deeds {
    let west = lab.audit("west");
    let text = |event: &Value, pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let mut deeds = Deeds::default();
    for event in west.changes() {
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
        let name = |object: &str| {
            format!(
                "{} {}/{}",
                text(event, "/objectRef/resource"),
                text(event, &format!("{object}/metadata/namespace")),
                text(event, &format!("{object}/metadata/name"))
            )
        };
        if code == Some(201) {
            *deeds.made.entry(name("/responseObject")).or_default() += 1;
        } else if text(event, "/verb").starts_with("delete") {
            deeds.deleted.push(super::audit::Log::line(event));
        } else if code >= Some(500) {
            deeds.cut.insert(name("/requestObject"));
        }
    }
    deeds
}

/// The load on `east`, and a backup of it. Gives back its namespaces and the backup's name.
fn load(lab: &Lab) -> (String, String) {
    let loaded = lab.tool(&["seed", "--objects", &OBJECTS.to_string(), "--site", "east"]);
    assert!(
        loaded.status.success(),
        "{}",
        String::from_utf8_lossy(&loaded.stderr)
    );
    let namespaces: Vec<String> = (0..50).map(|number| format!("load-{number:02}")).collect();
    let namespaces = namespaces.join(",");
    let create = [
        "backup", "create", "--site", "east", "--to", "local", "--name", "load",
    ];
    lab.expect(0, &[&create[..], &["--namespaces", &namespaces]].concat());
    let mut backups = std::fs::read_dir(lab.dir().join("vault-directory/backups")).unwrap();
    let backup = backups
        .next()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    (namespaces, backup)
}

/// Kills it again and again; gives back where each kill hit.
fn kill_and_resume(lab: &Lab, backup: &str) -> Vec<String> {
    let mut dice = Dice(seed());
    // Accounts named `default` are applied and not created. The last ones are left for the end.
    let whole = OBJECTS + 50;
    let mut moments: Vec<usize> = (0..kills())
        .map(|_| usize::try_from(dice.below(whole as u64 - 100)).unwrap())
        .collect();
    moments.sort_unstable();
    let (mut watch, mut told) = (Watch::of(lab), Vec::new());
    for moment in moments {
        let mut child = carry_on(lab, backup);
        let started = Instant::now();
        let hit = kill_at(&mut child, &mut watch, moment, &mut dice);
        told.push(format!(
            "{} at {} ms",
            watch.look(),
            started.elapsed().as_millis()
        ));
        assert!(hit, "it ended before the kill at {moment} of {whole}: {told:?}");
    }
    told
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_restore_killed_twenty_times_makes_every_object_once() {
    let lab = Lab::start();
    let (namespaces, backup) = load(&lab);
    let began = Instant::now();
    let told = kill_and_resume(&lab, &backup);
    let output = carry_on(&lab, &backup).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Nothing proves health in this run, so RTO is not measured: 7.
    assert!(
        matches!(output.status.code(), Some(0 | 7)),
        "{:?} {said}",
        output.status
    );
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} kills in {seconds:.1} s, changes answered by then: {}",
        told.len(),
        told.join(", ")
    );
    let Deeds { made, cut, deleted } = deeds(&lab);
    println!("{} made, {} cut", made.len(), cut.len());
    let twice: Vec<_> = made.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "made twice: {twice:?}");
    let known: BTreeSet<&String> = made.keys().chain(&cut).collect();
    assert!(
        known.len() >= OBJECTS,
        "the oracle reads the wrong place: {} made, cut: {cut:?}",
        made.len()
    );
    assert!(cut.len() <= told.len() * IN_FLIGHT, "{} cut", cut.len());
    assert!(deleted.is_empty(), "{deleted:?}");
    let args = ["compare", "--left", "east", "--right", "west", "--json"];
    let compared = lab.tool(&[&args[..], &["--namespaces", &namespaces]].concat());
    let found: Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(compared.status.code(), Some(0), "{found:#}");
    let kinds = found["compared"].as_object().unwrap().values();
    let count: u64 = kinds.filter_map(|kind| kind["left"].as_u64()).sum();
    assert!(count >= OBJECTS as u64, "{found:#}");
}
