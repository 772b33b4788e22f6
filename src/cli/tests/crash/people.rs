//! People who do their work: they answer yes, and decide about what failed or is unknown as somebody would
//! who looks at the world first.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::trap::Trap;
use crate::effect::{Ask, Effect};
use crate::plan::Plan;
use crate::run::{Answer, Engine, Entry, Event, Order, Outcome, Phase, Placed, StepState, Watch, What};

pub(super) struct People {
    pub(super) plan: Arc<Plan>,
    pub(super) trap: Arc<Trap>,
    place: Mutex<Option<mpsc::UnboundedSender<Placed>>>,
    /// Orders to try something again, by step.
    pub(super) retries: Mutex<Vec<String>>,
    /// Everything that the driver called durable.
    pub(super) told: Mutex<Vec<Entry>>,
    /// After so many records one of them pauses the run.
    pub(super) pause_after: Mutex<Option<usize>>,
}

impl People {
    pub(super) fn new(plan: Arc<Plan>, trap: Arc<Trap>) -> Arc<Self> {
        Arc::new(Self {
            plan,
            trap,
            place: Mutex::default(),
            retries: Mutex::default(),
            told: Mutex::default(),
            pause_after: Mutex::default(),
        })
    }

    /// They work with another process now, and look how the run stands.
    pub(super) fn sit_down(&self, engine: &Engine) -> mpsc::UnboundedReceiver<Placed> {
        let (place, orders) = mpsc::unbounded_channel();
        *self.place.lock().unwrap() = Some(place);
        for step in (0u32..).take(self.plan.steps.len()) {
            match engine.step_state(step) {
                Some(StepState::Asking { effect, .. }) => self.answer(step, effect),
                Some(StepState::Unknown { effect, .. }) => self.look_after(step, effect),
                Some(StepState::Ended(Outcome::Failed | Outcome::UndoFailed)) => self.retry(step),
                _ => {}
            }
        }
        orders
    }

    fn name(&self, step: u32) -> String {
        self.plan.steps[step as usize].name.clone()
    }

    fn order(&self, by: &str, what: What) {
        let order = Order {
            by: by.to_owned(),
            reason: "the suite".to_owned(),
            what,
            seen: None,
            from: None,
        };
        if let Some(place) = &*self.place.lock().unwrap() {
            let _ = place.send(Placed { order, reply: None });
        }
    }

    fn answer(&self, step: u32, effect: u32) {
        let planned = &self.plan.steps[step as usize];
        let Some(Effect::Ask(Ask { by: roles, .. })) = planned.effects.get(effect as usize) else {
            return;
        };
        let role = roles.first().cloned();
        let names = role.as_ref().and_then(|role| self.plan.runbook.people.get(role));
        let by = names
            .and_then(|names| names.first())
            .map_or("anna", String::as_str);
        let what = What::Answer {
            step: planned.name.clone(),
            answer: Answer::Yes,
            role,
        };
        self.order(by, what);
    }

    /// What is unknown is looked at: in the log of what was carried out.
    fn look_after(&self, step: u32, effect: u32) {
        let name = self.name(step);
        let deeds = self.trap.deeds();
        let done = deeds
            .iter()
            .any(|deed| deed.step == name && deed.effect == effect && deed.done);
        if done {
            self.order("anna", What::MarkDone { step: name });
        } else {
            self.retry(step);
        }
    }

    fn retry(&self, step: u32) {
        let name = self.name(step);
        self.retries.lock().unwrap().push(name.clone());
        self.order("anna", What::Retry { step: name });
    }
}

impl Watch for People {
    fn recorded(&self, entry: &Entry) {
        self.told.lock().unwrap().push(entry.clone());
        self.trap.recorded(entry);
        if *self.pause_after.lock().unwrap() == usize::try_from(entry.seq + 1).ok() {
            self.order("ben", What::Pause);
        }
        match &entry.event {
            Event::Intended {
                step,
                phase: Phase::Forward,
                effect,
                ..
            } => self.answer(*step, *effect),
            Event::Unknown { step, effect, .. } => self.look_after(*step, *effect),
            _ => {}
        }
    }

    fn progress(&self, _: u32, _: &str) {}
}
