//! One incident: two sites, machines with disks, mirrors, operators who begin, resume and adopt runs, and the
//! weather. When the weather is over, somebody brings every run to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::chronicle::{Chronicle, Happening};
use super::dice::Dice;
use super::disk::Disk;
use super::faulty::FaultyShelf;
use super::fence::{Badge, Guard, Raising, SITES};
use super::mutant::Mutant;
use super::oracle::Case;
use super::process::{Ears, Hands, Places, Watching, mirrored};
use super::script;
use super::weather::Weather;
use super::wire::{Plug, WiredCluster, WiredShelf, pass};
use crate::cli::CommandError;
use crate::cli::tests::crash::scratch;
use crate::plan::Plan;
use crate::run::{
    Denied, Ended, Engine, Entry, Fleet, Operator, Order, Placed, QuestionPolicy, Run, RunError, Shelf, What,
    Wiring,
};
use crate::runbook::Release;
use crate::world::port::Cluster;
use crate::world::sim::{Embedded, Flaw};
use crate::world::{StoreShelf, World};

/// So long the weather lasts.
const WEATHER_MS: u64 = 15 * 60 * 1000;

/// Runs that operators begin at most.
const RUNS_MAX: usize = 3;

/// L1: so long a process may take when nothing goes wrong any more.
const PATIENCE_MS: u64 = 2 * 60 * 60 * 1000;

/// Processes that one run may need when nothing goes wrong any more.
const TRIES_MAX: usize = 25;

pub(super) struct Machine {
    name: String,
    pub(super) runs: PathBuf,
    disk: Disk,
}

#[derive(Clone)]
pub(super) struct Registered {
    pub(super) plan: Arc<Plan>,
    /// Who carried it last.
    pub(super) home: usize,
    pub(super) ended: bool,
}

pub(super) struct Incident {
    pub(super) seed: u64,
    pub(super) world: Embedded,
    chronicle: Chronicle,
    weather: Arc<Weather>,
    pub(super) machines: Vec<Machine>,
    mirrors: Vec<String>,
    release: Release,
    /// Where the sites refuse older epochs: what they know.
    guard: Option<Guard>,
    pub(super) mutant: Option<Mutant>,
    pub(super) runs: Mutex<BTreeMap<String, Registered>>,
    processes: Mutex<u32>,
    /// Mirrors that a person took out of the inventory, because they tell another story than the others.
    taken_out: Mutex<BTreeSet<String>>,
    /// What somebody could not bring to an end.
    stuck: Mutex<Vec<String>>,
    _folder: TempDir,
}

/// Why a run is not carried.
pub(super) enum NotCarried {
    Refused(String),
    /// It has ended already.
    Over,
    /// It never began.
    Nothing,
}

impl From<CommandError> for NotCarried {
    fn from(error: CommandError) -> Self {
        Self::Refused(error.to_string())
    }
}

fn start() -> Timestamp {
    "2026-11-22T23:00:00Z".parse().unwrap()
}

/// Everything that the seed decides, carried out; what is left for the oracle.
pub(super) async fn happens(seed: u64, mutant: Option<Mutant>) -> Case {
    let incident = Arc::new(Incident::of(seed, mutant));
    let operators = (0..incident.machines.len()).map(|machine| incident.clone().operate(machine));
    futures::future::join_all(operators).await;
    incident.settle().await;
    incident.case()
}

impl Incident {
    fn of(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice::stream(seed, "incident");
        let (count, release) = match dice.below(8) {
            0 => (0, Release::Local),
            1..=2 => (1, Release::LocalAndOne),
            3 => (2, Release::Majority),
            _ => (3, Release::Majority),
        };
        let mirrors: Vec<String> = ["vault", "usb", "safe"][..count]
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let world = script::seeded(Embedded::starting_at(start()), &mirrors);
        if mutant == Some(Mutant::ConditionsIgnored) {
            for mirror in &mirrors {
                world.store(mirror).unwrap().has_flaw(Flaw::Conditions);
            }
        }
        let folder = scratch();
        let machines: Vec<Machine> = (0..dice.between(2, 3))
            .map(|number| Machine {
                name: format!("m{number}"),
                runs: folder.path().join(format!("m{number}")),
                disk: Disk::default(),
            })
            .collect();
        let chronicle = Chronicle::begin();
        let names: Vec<String> = machines.iter().map(|machine| machine.name.clone()).collect();
        let fenced = !mirrors.is_empty() && dice.permille(500);
        let places: Vec<String> = SITES
            .map(str::to_owned)
            .into_iter()
            .chain(mirrors.clone())
            .collect();
        let weather = Weather::of(seed, WEATHER_MS, &names, &places, chronicle.clone());
        Self {
            seed,
            world,
            chronicle,
            weather: Arc::new(weather),
            machines,
            mirrors,
            release,
            guard: fenced.then(Guard::default),
            mutant,
            runs: Mutex::default(),
            processes: Mutex::default(),
            taken_out: Mutex::default(),
            stuck: Mutex::default(),
            _folder: folder,
        }
    }

    fn plug(&self, machine: usize) -> Plug {
        let mut processes = self.processes.lock().unwrap();
        *processes += 1;
        Plug {
            who: format!("{}/{processes}", self.machines[machine].name),
            weather: self.weather.clone(),
            chronicle: self.chronicle.clone(),
        }
    }

    pub(super) fn operator(&self, machine: usize) -> Operator {
        Operator {
            name: "anna".to_owned(),
            host: self.machines[machine].name.clone(),
            pid: *self.processes.lock().unwrap(),
        }
    }

    pub(super) fn fleet(&self, plug: &Plug) -> Option<Fleet> {
        let out = self.taken_out.lock().unwrap().clone();
        let shelves: Vec<Arc<dyn Shelf>> = self
            .mirrors
            .iter()
            .filter(|mirror| !out.contains(*mirror))
            .map(|mirror| self.shelf(plug, mirror))
            .collect();
        let release = match self.mutant {
            Some(Mutant::NothingReleased) => Release::Local,
            _ => self.release,
        };
        (!shelves.is_empty()).then_some(Fleet { shelves, release })
    }

    fn shelf(&self, plug: &Plug, mirror: &str) -> Arc<dyn Shelf> {
        let store = Arc::new(self.world.store(mirror).unwrap().clone());
        let wired = Arc::new(WiredShelf {
            plug: plug.clone(),
            shelf: StoreShelf::new(mirror, store),
        });
        match self.mutant {
            Some(mutant @ (Mutant::MirrorNotAwaited | Mutant::ForeignIsOurs | Mutant::OursIsForeign)) => {
                Arc::new(FaultyShelf {
                    inner: wired,
                    mutant,
                    refused: Mutex::default(),
                })
            }
            _ => wired,
        }
    }

    /// What a machine's clock shows when a process begins there.
    pub(super) fn wall_clock(&self, plug: &Plug) -> Timestamp {
        let hours = self.weather.rates.skew_h;
        let ahead = plug
            .weather
            .draw(&plug.who, "clock", |dice| dice.below(2 * hours + 1));
        let now = self.world.clock().now();
        if self.weather.is_over() || hours == 0 {
            return now;
        }
        let skew = i64::try_from(ahead).unwrap() - i64::try_from(hours).unwrap();
        now.checked_add(SignedDuration::from_hours(skew)).unwrap_or(now)
    }

    /// An operator at a machine, until the weather is over.
    async fn operate(self: Arc<Self>, machine: usize) {
        let mut dice = Dice::stream(self.seed, &format!("operator {machine}"));
        loop {
            pass(dice.below(if machine == 0 { 60_000 } else { 200_000 })).await;
            if self.weather.is_over() {
                return;
            }
            let plug = self.plug(machine);
            let run = self.chosen(machine, &mut dice);
            let ready = match &run {
                None => self.begin(machine, &plug).await,
                Some((run, adopt)) => self.take_up(machine, &plug, run, *adopt).await,
            };
            match ready {
                Ok((name, run)) => self.carry(machine, &plug, &name, run).await,
                Err(NotCarried::Refused(why)) => {
                    plug.chronicle.write(
                        &plug.who,
                        Happening::Fault(format!("refused: {}", first_line(&why))),
                    );
                }
                Err(NotCarried::Over | NotCarried::Nothing) => {}
            }
        }
    }

    /// A run to go on with, and whether to adopt it; `None`: begin one.
    fn chosen(&self, machine: usize, dice: &mut Dice) -> Option<(String, bool)> {
        let runs = self.runs.lock().unwrap();
        let open = |own: bool| -> Vec<String> {
            let fits = |run: &Registered| !run.ended && (run.home == machine) == own;
            runs.iter()
                .filter(|(_, run)| fits(run))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let (own, other) = (open(true), open(false));
        let (chance, which) = (dice.below(100), dice.next());
        let pick = |names: &[String]| names[usize::try_from(which).unwrap_or(0) % names.len()].clone();
        if !own.is_empty() && chance < 75 {
            Some((pick(&own), false))
        } else if !other.is_empty() && !self.mirrors.is_empty() && (chance < 60 || runs.len() >= RUNS_MAX) {
            Some((pick(&other), chance % 5 != 0))
        } else if runs.len() < RUNS_MAX {
            None
        } else {
            Some((pick(&runs.keys().cloned().collect::<Vec<_>>()), true))
        }
    }

    pub(super) fn has_ended(&self, name: &str) {
        if let Some(run) = self.runs.lock().unwrap().get_mut(name) {
            run.ended = true;
        }
    }

    /// One process from its first breath to its last.
    async fn carry(&self, machine: usize, plug: &Plug, name: &str, run: Run) {
        let file = self.machines[machine].runs.join(name).join("journal.jsonl");
        let plan = {
            let mut runs = self.runs.lock().unwrap();
            let registered = runs.get_mut(name).unwrap();
            registered.home = machine;
            registered.plan.clone()
        };
        let disk = self.machines[machine].disk.clone();
        let (place, orders) = mpsc::unbounded_channel();
        let ears = Ears {
            run: name.to_owned(),
            plug: plug.clone(),
            place: place.clone(),
            newest: Mutex::new(0),
        };
        ears.look(&run.engine);
        let badge = self.guard.as_ref().map(Badge::of);
        let run = match &badge {
            Some(badge) => run.fenced(Arc::new(self.raising(plug, badge))),
            None => run,
        };
        self.somebody_interrupts(plug, place);
        let wiring = Wiring {
            actor: Arc::new(self.hands(plug, &file, &plan, badge.as_ref())),
            orders,
            watch: Arc::new(Watching { ears, plan }),
            questions: QuestionPolicy::Wait,
            inbox: false,
        };
        let run = run.taped(|tape| disk.tape(tape, &file, plug, self.mutant));
        let mut task = tokio::spawn(run.drive(wiring));
        let ended = tokio::select! {
            biased;
            ended = &mut task => Some(ended.unwrap()),
            () = self.death(plug) => None,
        };
        match ended {
            None => {
                task.abort();
                let _ = task.await;
                self.what_the_disk_keeps(plug, &disk, &file);
            }
            Some(ended) => self.says(plug, name, ended),
        }
        plug.chronicle.write(&plug.who, Happening::Gone);
    }

    fn says(&self, plug: &Plug, name: &str, ended: Result<Ended, RunError>) {
        let run = name.to_owned();
        let said = match ended {
            Ok(Ended::Finished(verdict)) => {
                self.has_ended(name);
                let verdict = format!("{verdict:?}");
                Happening::Ended { run, verdict }
            }
            Err(RunError::Superseded(_)) => Happening::Superseded { run },
            Err(RunError::Denied(Denied::Held(claim))) if claim.run.0 == name => Happening::Yielded { run },
            Ok(ended) => Happening::Fault(first_line(&format!("{ended:?}"))),
            // The last of its words: others name what is random, and folders.
            Err(error) => Happening::Fault(first_line(error.to_string().rsplit(": ").next().unwrap_or(""))),
        };
        plug.chronicle.write(&plug.who, said);
    }

    fn raising(&self, plug: &Plug, badge: &Badge) -> Raising {
        Raising {
            plug: plug.clone(),
            badge: badge.clone(),
            mutant: self.mutant,
        }
    }

    fn hands(&self, plug: &Plug, file: &Path, plan: &Arc<Plan>, badge: Option<&Badge>) -> Hands {
        let cluster = |site: &str| -> (String, Arc<dyn Cluster>) {
            let wired = WiredCluster {
                plug: plug.clone(),
                site: site.to_owned(),
                world: self.world.clone(),
                badge: badge.cloned(),
            };
            (site.to_owned(), Arc::new(wired))
        };
        let clock = self.world.clock();
        Hands {
            world: World {
                clusters: SITES.map(cluster).into(),
                stores: BTreeMap::new(),
                names: BTreeMap::new(),
                receivers: BTreeMap::new(),
                web: Arc::new(self.world.web()),
                now: Arc::new(move || clock.now()),
            },
            plug: plug.clone(),
            places: Places {
                file: file.to_owned(),
                world: self.world.clone(),
                mirrors: self.mirrors.clone(),
                needed: 1 + self
                    .release
                    .needed(self.mirrors.len() - self.taken_out.lock().unwrap().len()),
            },
            plan: plan.clone(),
            mutant: self.mutant,
        }
    }

    /// Returns when the process is killed, if it is.
    async fn death(&self, plug: &Plug) {
        let kills = self.weather.rates.kills;
        let (chance, after_ms) = plug.weather.draw(&plug.who, "death", |dice| {
            // Most of what happens, happens soon.
            let long = if dice.permille(500) { 300_000 } else { 5_000 };
            (dice.below(100), dice.below(long))
        });
        let left_ms = self.weather.until_ms.saturating_sub(self.chronicle.now_ms());
        match (self.weather.is_over(), chance < kills) {
            // Nobody who has nothing to fear needs so long.
            (true, _) => pass(PATIENCE_MS).await,
            (false, true) => pass(after_ms.min(left_ms)).await,
            (false, false) => pass(left_ms).await,
        }
    }

    fn what_the_disk_keeps(&self, plug: &Plug, disk: &Disk, file: &Path) {
        let power = self.weather.rates.power;
        let (chance, permille) = plug
            .weather
            .draw(&plug.who, "power", |dice| (dice.below(100), dice.below(1001)));
        if chance < power {
            plug.chronicle
                .write(&plug.who, Happening::Fault("the power goes".to_owned()));
            disk.loses_power(file, permille);
        }
    }

    fn somebody_interrupts(&self, plug: &Plug, place: mpsc::UnboundedSender<Placed>) {
        let (chance, after_ms) = plug.weather.draw(&plug.who, "interrupt", |dice| {
            (dice.below(100), dice.below(60_000))
        });
        let what = match chance {
            _ if self.weather.is_over() => return,
            0..=7 => What::Pause,
            8..=11 => What::Interrupt,
            12..=13 => What::Stop,
            _ => return,
        };
        tokio::spawn(async move {
            pass(after_ms).await;
            let order = Order {
                by: "ben".to_owned(),
                reason: "lunch".to_owned(),
                what,
                seen: None,
                from: None,
            };
            let _ = place.send(Placed { order, reply: None });
        });
    }

    /// The weather is over: every run is brought to its end.
    async fn settle(&self) {
        let left_ms = self.weather.until_ms.saturating_sub(self.chronicle.now_ms());
        pass(left_ms).await;
        let names: Vec<String> = self.runs.lock().unwrap().keys().cloned().collect();
        // Those that hold the group first; they keep the others from ending.
        for round in 0..2 {
            for name in &names {
                self.settle_one(name, round == 1).await;
            }
        }
    }

    async fn settle_one(&self, name: &str, for_good: bool) {
        let mut why = String::new();
        for _ in 0..TRIES_MAX {
            let run = self.runs.lock().unwrap()[name].clone();
            let plug = self.plug(run.home);
            match self
                .take_up(run.home, &plug, name, !self.mirrors.is_empty())
                .await
            {
                Ok((name, ready)) => {
                    self.carry(run.home, &plug, &name, ready).await;
                    "it was carried and did not end".clone_into(&mut why);
                }
                Err(NotCarried::Over | NotCarried::Nothing) => return,
                Err(NotCarried::Refused(error)) => {
                    self.a_person_looks_at(&error, name);
                    why = error;
                }
            }
            pass(60_000).await;
        }
        if for_good {
            self.stuck
                .lock()
                .unwrap()
                .push(format!("L1: {name} does not end: {why}"));
        }
    }

    /// Two stories of which neither can count any more: a person does what the error says. Of the two mirrors that it
    /// names the one is kept that tells what the machine knows which carried the run last.
    fn a_person_looks_at(&self, error: &str, name: &str) {
        let Some(two) = between(error, "error: mirrors ", " tell different stories")
            .and_then(|two| two.split_once(" and "))
        else {
            return;
        };
        if !error.contains("take the other one") {
            return;
        }
        let home = self.runs.lock().unwrap()[name].home;
        let known = self.own_copy(home, name);
        let agrees = |mirror: &str| {
            let text = mirrored(&self.world, mirror, name);
            text.starts_with(&known) || known.starts_with(&text)
        };
        let wrong = if agrees(two.1) && !agrees(two.0) {
            two.0
        } else {
            two.1
        };
        let lines = error.lines().filter(|line| line.contains("tells another story"));
        let astray = lines.filter_map(|line| between(line, "mirror ", " is not used"));
        for mirror in astray.chain([wrong]) {
            let what = format!("{mirror} is taken out: {name} forked");
            self.chronicle.write("people", Happening::Fault(what));
            self.taken_out.lock().unwrap().insert(mirror.to_owned());
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the suite plays the disk")]
    fn own_copy(&self, machine: usize, name: &str) -> Vec<u8> {
        let file = self.machines[machine].runs.join(name).join("journal.jsonl");
        std::fs::read(file).unwrap_or_default()
    }

    fn case(&self) -> Case {
        let mut journals = BTreeMap::new();
        let mut copies = Vec::new();
        let out = self.taken_out.lock().unwrap().clone();
        for (name, run) in &*self.runs.lock().unwrap() {
            let mirrors = self.mirrors.iter().filter(|mirror| !out.contains(*mirror));
            let texts: Vec<(String, Vec<u8>)> = mirrors
                .map(|mirror| (mirror.clone(), mirrored(&self.world, mirror, name)))
                .collect();
            // Most mirrors hold it, or its beginning: one alone may hold more of what a process wrote that had lost.
            let agree = |text: &[u8]| texts.iter().filter(|(_, other)| text.starts_with(other)).count();
            let best = texts.iter().max_by_key(|(_, text)| (agree(text), text.len()));
            let mut best = best.map_or_else(Vec::new, |(_, text)| text.clone());
            copies.extend(
                texts
                    .into_iter()
                    .map(|(mirror, text)| (mirror, name.clone(), text)),
            );
            let own = self.own_copy(run.home, name);
            // The machine that carried it last has everything; where there are mirrors they have it too.
            if self.mirrors.is_empty() || own.starts_with(&best) {
                best = own;
            }
            if !best.is_empty() {
                journals.insert(name.clone(), best);
            }
        }
        Case {
            lines: self.chronicle.lines(),
            journals,
            copies,
            mirrored: !self.mirrors.is_empty(),
            fenced: self.guard.is_some(),
            stuck: self.stuck.lock().unwrap().clone(),
        }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

/// Without what is different each time: the folder in which it all happens.
fn first_line(text: &str) -> String {
    let words = text.lines().next().unwrap_or("").split(' ');
    let same: Vec<&str> = words.filter(|word| !word.contains("/.tmp")).collect();
    same.join(" ").chars().take(200).collect()
}

/// I7: the engine takes a journal in, and makes the same of it each time.
pub(super) fn replays(journal: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(journal);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let entries: Result<Vec<Entry>, _> = whole.lines().map(serde_json::from_str).collect();
    let entries = entries.map_err(|error| error.to_string())?;
    let next = || {
        let mut engine = Engine::replay(&entries).map_err(|error| error.to_string())?;
        let commands = engine.commands(u64::MAX / 4).map_err(|error| error.to_string())?;
        Ok::<_, String>(format!("{commands:?}"))
    };
    if next()? == next()? {
        Ok(())
    } else {
        Err("two replays differ".to_owned())
    }
}
