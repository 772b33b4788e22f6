//! A world, its people and its accidents, in one thread and without a clock: everything that happens is
//! chosen by a string of bytes, so every run can be had again.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Engine, Errand, ErrandKind, Order, Sight, StepState, Ticket, What};
use super::oracle::Oracle;
use super::play::replay;
use crate::effect::{Class, ErrorKind, Receipt, Resolution};
use crate::plan::PlannedStep;
use crate::run::testing::{beginning, class_of, operator, trouble};
use crate::run::{Answer, Entry, Event, Phase, Verdict};

/// What the world does with one performance of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Ok,
    Fail(ErrorKind),
    /// The reply is lost; whether it was done.
    Lost(bool),
    /// The reply is lost, and the world cannot tell any more.
    Muddy,
    /// No reply until the deadline; whether it was done.
    Hang(bool),
    /// lifeboat's own code breaks down; whether it was done.
    Panic(bool),
}

/// Step, direction, effect.
pub(super) type Key = (u32, Phase, u32);

/// Everything outside the engine.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    /// What the first, second, … performance does; then all work.
    pub(super) script: BTreeMap<Key, Vec<Act>>,
    /// For each effect: the same for every performance.
    pub(super) always: BTreeMap<Key, Act>,
    performed: BTreeMap<Key, usize>,
    done: BTreeSet<Key>,
    muddy: BTreeSet<Key>,
}

impl World {
    fn perform(&mut self, key: Key) -> Act {
        let count = self.performed.entry(key).or_default();
        let scripted = self.script.get(&key).and_then(|acts| acts.get(*count));
        *count += 1;
        let act = self.always.get(&key).or(scripted).copied().unwrap_or(Act::Ok);
        match act {
            Act::Ok | Act::Lost(true) | Act::Hang(true) | Act::Panic(true) => {
                self.done.insert(key);
            }
            Act::Muddy => {
                self.muddy.insert(key);
            }
            _ => {}
        }
        act
    }

    fn resolve(&self, key: Key) -> Resolution {
        if self.muddy.contains(&key) {
            Resolution::CannotTell("it is muddy".into())
        } else if self.done.contains(&key) {
            Resolution::Done(Box::default())
        } else {
            Resolution::NotDone
        }
    }
}

/// How a simulated run came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Finished(Verdict),
    NeedsDecision,
}

pub(super) struct Simulator {
    pub(super) engine: Engine,
    /// Fed with the journal only.
    shadow: Engine,
    pub(super) entries: Vec<Entry>,
    oracle: Oracle,
    world: World,
    now_ms: u64,
    wake_at_ms: Option<u64>,
    in_flight: BTreeMap<Ticket, Errand>,
    choices: Vec<u8>,
    next_choice: usize,
    /// The process dies when the journal has so many entries.
    crash_at: Option<usize>,
    /// Whether what is in flight at the crash reaches the world; otherwise chance says.
    reached: Option<bool>,
}

impl Simulator {
    pub(super) fn new(steps: Vec<PlannedStep>, room: u32, world: World, choices: Vec<u8>) -> Self {
        let beginning = beginning(steps, room);
        let mut engine = Engine::new(beginning.clone()).unwrap();
        engine.class_of = class_of;
        let mut simulator = Self {
            shadow: engine.clone(),
            engine,
            entries: Vec::new(),
            oracle: Oracle::new(room),
            world,
            now_ms: 0,
            wake_at_ms: None,
            in_flight: BTreeMap::new(),
            choices,
            next_choice: 0,
            crash_at: None,
            reached: None,
        };
        simulator.keep(Event::Began(Box::new(beginning)));
        simulator
    }

    pub(super) fn crashing_at(mut self, entries: usize) -> Self {
        self.crash_at = Some(entries);
        self
    }

    /// At the crash, what is in flight reaches the world, or does not.
    pub(super) fn reaching(mut self, world: bool) -> Self {
        self.reached = Some(world);
        self
    }

    /// Until the run has ended or needs a decision and no choices are left.
    pub(super) fn run(&mut self) -> Rest {
        self.turn();
        for _ in 0..5_000 {
            if let Some(verdict) = self.engine.verdict() {
                return Rest::Finished(verdict);
            }
            let paused = self.engine.is_paused_idle();
            if paused && self.next_choice >= self.choices.len() {
                return Rest::NeedsDecision;
            }
            if paused {
                self.people_decide();
            } else {
                self.something_happens();
            }
        }
        panic!("L1: the run never comes to rest");
    }

    /// Asks the engine and does what it says, as the driver would.
    fn turn(&mut self) {
        let commands = self.engine.commands(self.now_ms).unwrap();
        for event in commands.record {
            if self.crash_at.is_some_and(|at| self.entries.len() == at) {
                return self.crash();
            }
            self.keep(event);
        }
        assert_eq!(self.engine.state, self.shadow.state, "I7: replay differs");
        for step in commands.abandon {
            self.in_flight.retain(|ticket, _| ticket.step != step);
        }
        for errand in commands.errands {
            self.send(errand);
        }
        self.wake_at_ms = commands.wake_at_ms;
        if self.crash_at.is_some_and(|at| self.entries.len() == at) {
            self.crash();
        }
    }

    fn keep(&mut self, event: Event) {
        if !matches!(event, Event::Began(_)) {
            self.shadow.record(&event, self.now_ms).unwrap();
        }
        let entry = Entry {
            seq: self.entries.len() as u64,
            at: jiff::Timestamp::UNIX_EPOCH,
            elapsed_ms: self.now_ms,
            prev: String::new(),
            event,
        };
        self.oracle.read(self.engine.plan(), &entry);
        self.entries.push(entry);
    }

    fn send(&mut self, errand: Errand) {
        let ticket = errand.ticket;
        self.oracle
            .allows((ticket.step, ticket.phase, ticket.effect, ticket.attempt));
        let class = class_of(&errand.effect);
        let guarded = matches!(class, Class::Guarded | Class::Once);
        if errand.kind == ErrandKind::Perform && guarded && self.oracle.retries(ticket.step) == 0 {
            let done = self.world.done.contains(&key(&ticket));
            assert!(
                !done,
                "an effect that was done is done again, and nobody ordered it"
            );
        }
        assert!(
            self.in_flight.insert(ticket, errand).is_none(),
            "the same errand twice"
        );
    }

    /// Those in flight may or may not have reached the world.
    fn crash(&mut self) {
        self.crash_at = None;
        for errand in std::mem::take(&mut self.in_flight).into_values() {
            let reached = self.reached.unwrap_or_else(|| self.choose(2) == 1);
            if errand.kind == ErrandKind::Perform && reached {
                self.world.perform(key(&errand.ticket));
            }
        }
        self.now_ms += 1_000;
        self.resume();
    }

    fn resume(&mut self) {
        self.in_flight.clear();
        self.engine = replay(&self.entries);
        self.shadow = self.engine.clone();
        if self.engine.verdict().is_some() {
            return;
        }
        let resumed = Event::Resumed { operator: operator() };
        self.engine.record(&resumed, self.now_ms).unwrap();
        self.keep(resumed);
        self.turn();
    }

    fn something_happens(&mut self) {
        match self.choose(20) {
            19 if self.next_choice < self.choices.len() => self.crash(),
            17 | 18 => self.somebody_orders(),
            _ if !self.in_flight.is_empty() => self.an_errand_ends(),
            _ => match self.wake_at_ms {
                Some(at_ms) => {
                    self.now_ms = self.now_ms.max(at_ms);
                    self.turn();
                }
                None => panic!("L1: nothing is left to wait for"),
            },
        }
    }

    fn an_errand_ends(&mut self) {
        let which = self.choose(self.in_flight.len());
        let ticket = *self.in_flight.keys().nth(which).unwrap();
        let errand = self.in_flight.remove(&ticket).unwrap();
        let sight = match errand.kind {
            ErrandKind::Resolve => Sight::Resolved(Ok(self.world.resolve(key(&ticket)))),
            ErrandKind::Perform => match self.world.perform(key(&ticket)) {
                Act::Ok => Sight::Performed(Ok(Receipt::default())),
                Act::Fail(kind) => Sight::Performed(Err(trouble(kind))),
                Act::Lost(_) | Act::Muddy => Sight::Performed(Err(trouble(ErrorKind::LostReply))),
                Act::Panic(_) => Sight::Panicked("oops".into()),
                Act::Hang(_) => {
                    self.now_ms = self.now_ms.max(errand.deadline_ms.unwrap());
                    Sight::TimedOut(None)
                }
            },
        };
        self.now_ms += 1;
        self.engine.saw(&ticket, sight, self.now_ms).unwrap();
        self.turn();
    }

    fn somebody_orders(&mut self) {
        let what = match self.choose(7) {
            0 => What::Pause,
            1 if self.choose(4) == 0 => What::Stop,
            2 => What::Interrupt,
            _ => return self.somebody_decides(),
        };
        self.order(what);
        self.turn();
    }

    /// Retries, skips, marks as done or answers, whether that makes sense or not.
    fn somebody_decides(&mut self) {
        let which = self.choose(self.engine.plan().steps.len());
        let step = self.engine.plan().steps[which].name.clone();
        let what = match self.choose(5) {
            0 => What::Retry { step },
            1 => What::Skip { step },
            2 => What::MarkDone { step },
            n => What::Answer {
                step,
                answer: if n == 3 { Answer::Yes } else { Answer::No },
                role: Some("commander".into()),
            },
        };
        self.order(what);
        self.turn();
    }

    /// A refusal is an answer, too.
    fn order(&mut self, what: What) {
        let order = Order {
            by: "ben".into(),
            reason: "chance".into(),
            what,
            seen: None,
            from: None,
        };
        let _ = self.engine.obey(&order, self.now_ms);
    }

    /// The run is paused and the process has left: people decide something, then resume it.
    fn people_decide(&mut self) {
        for _ in 0..self.choose(4) {
            self.somebody_decides();
        }
        let asks = (0u32..).zip(&self.engine.plan().steps);
        let asking = asks
            .filter(|(step, _)| matches!(self.engine.step_state(*step), Some(StepState::Asking { .. })))
            .map(|(_, planned)| planned.name.clone())
            .next();
        if let Some(step) = asking {
            self.order(What::Answer {
                step,
                answer: Answer::Yes,
                role: Some("commander".into()),
            });
            self.turn();
        }
        self.now_ms += 1_000;
        self.resume();
    }

    fn choose(&mut self, of: usize) -> usize {
        let byte = self.choices.get(self.next_choice).copied().unwrap_or(0);
        self.next_choice += 1;
        byte as usize % of
    }
}

const fn key(ticket: &Ticket) -> Key {
    (ticket.step, ticket.phase, ticket.effect)
}
