//! A run played by hand: the test is the world, the people and the clock.

use super::super::{Commands, Engine, Errand, ErrandKind, Order, Sight, What};
use crate::effect::{Class, ErrorKind, Receipt, Resolution};
use crate::plan::PlannedStep;
use crate::run::testing::{beginning, class_of, operator, trouble, words};
use crate::run::{Answer, Entry, Event, QuestionPolicy};

pub(super) struct Play {
    pub(super) engine: Engine,
    pub(super) now_ms: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) errands: Vec<Errand>,
    pub(super) wake_at_ms: Option<u64>,
    /// Entries that [`Play::log`] has shown.
    shown: usize,
}

impl Play {
    pub(super) fn of(steps: Vec<PlannedStep>) -> Self {
        Self::with_room(steps, 10)
    }

    pub(super) fn with_room(steps: Vec<PlannedStep>, concurrency: u32) -> Self {
        let beginning = beginning(steps, concurrency);
        let mut engine = Engine::new(beginning.clone()).unwrap();
        engine.class_of = class_of;
        let mut play = Self {
            engine,
            now_ms: 0,
            entries: Vec::new(),
            errands: Vec::new(),
            wake_at_ms: None,
            shown: 1,
        };
        play.keep(Event::Began(Box::new(beginning)));
        play.go();
        play
    }

    /// Lets the engine decide.
    pub(super) fn go(&mut self) {
        let Commands {
            record,
            abandon,
            errands,
            wake_at_ms,
        } = self.engine.commands(self.now_ms).unwrap();
        for event in record {
            self.keep(event);
        }
        self.errands
            .retain(|errand| !abandon.contains(&errand.ticket.step));
        self.errands.extend(errands);
        self.wake_at_ms = wake_at_ms;
    }

    fn keep(&mut self, event: Event) {
        self.entries.push(Entry {
            seq: self.entries.len() as u64,
            at: jiff::Timestamp::UNIX_EPOCH,
            elapsed_ms: self.now_ms,
            prev: String::new(),
            event,
        });
    }

    /// What has happened since the last look, in words.
    pub(super) fn log(&mut self) -> String {
        let new = &self.entries[self.shown..];
        let lines: Vec<String> = new
            .iter()
            .map(|entry| words(&self.engine, &entry.event))
            .collect();
        self.shown = self.entries.len();
        lines.join("\n")
    }

    /// Names of steps with an errand, `?` for those that are looked after.
    pub(super) fn in_flight(&self) -> String {
        let name = |errand: &Errand| match errand.kind {
            ErrandKind::Perform => errand.step.clone(),
            ErrandKind::Resolve => format!("{}?", errand.step),
        };
        self.errands.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn sees(&mut self, step: &str, sight: Sight) {
        let at = self.errands.iter().position(|errand| errand.step == step);
        let errand = self
            .errands
            .remove(at.unwrap_or_else(|| panic!("{step} is not in flight")));
        self.engine.saw(&errand.ticket, sight, self.now_ms).unwrap();
        self.go();
    }

    pub(super) fn ok(&mut self, step: &str) {
        self.sees(step, Sight::Performed(Ok(Receipt::default())));
    }

    pub(super) fn fails(&mut self, step: &str, kind: ErrorKind) {
        self.sees(step, Sight::Performed(Err(trouble(kind))));
    }

    pub(super) fn finds(&mut self, step: &str, resolution: Resolution) {
        self.sees(step, Sight::Resolved(Ok(resolution)));
    }

    pub(super) fn at(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.go();
    }

    pub(super) fn orders(&mut self, what: What) {
        let refused = self.tries_to_order(what);
        assert_eq!(refused, Ok(()));
    }

    pub(super) fn tries_to_order(&mut self, what: What) -> Result<(), String> {
        let order = Order {
            by: "ben".into(),
            reason: "a test".into(),
            what,
            seen: None,
            from: None,
        };
        let refused = self.engine.obey(&order, self.now_ms);
        self.go();
        refused.map_err(|refused| refused.to_string())
    }

    pub(super) fn answers(&mut self, step: &str, answer: Answer) {
        self.orders(What::Answer {
            step: step.into(),
            answer,
            role: Some("commander".into()),
        });
    }

    /// The process is gone; another one takes the run up.
    pub(super) fn crash_and_resume(&mut self) {
        self.replay();
        let resumed = Event::Resumed { operator: operator() };
        self.engine.record(&resumed, self.now_ms).unwrap();
        self.keep(resumed);
        self.go();
    }

    pub(super) fn replay(&mut self) {
        self.errands.clear();
        self.engine = replay(&self.entries);
    }

    pub(super) fn wait_for_people(&mut self) {
        self.engine.set_questions(QuestionPolicy::Wait);
    }
}

/// As [`Engine::replay`], with the tests' idea of classes.
pub(super) fn replay(entries: &[Entry]) -> Engine {
    let Event::Began(beginning) = &entries[0].event else {
        panic!("no beginning");
    };
    let mut engine = Engine::new((**beginning).clone()).unwrap();
    engine.class_of = class_of;
    for entry in &entries[1..] {
        engine.record(&entry.event, entry.elapsed_ms).unwrap();
    }
    engine.hands.inherit();
    engine
}

pub(super) fn done() -> Resolution {
    Resolution::Done(Box::default())
}

pub(super) fn doing(class: Class) -> Vec<crate::effect::Effect> {
    vec![crate::run::testing::effect(class)]
}
