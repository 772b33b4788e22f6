//! One process that carries a run: its actor, its ears, and the person in front of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;

use super::chronicle::{Happening, Name};
use super::mutant::Mutant;
use super::script::stands;
use super::wire::{NAME, Plug, pass};
use crate::effect::{
    Actor, Attempt, Effect, ErrorKind, Observer, Query, Receipt, Resolution, Seen, WorldError,
};
use crate::plan::Plan;
use crate::run::{
    Answer, Course, Engine, Entry, Event, Order, Outcome, Phase, Placed, StepState, Watch, What,
};
use crate::world::World;
use crate::world::sim::Embedded;

/// Where the intents of a run have to be, and how many of them have to have one.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) file: PathBuf,
    pub(super) world: Embedded,
    pub(super) mirrors: Vec<String>,
    pub(super) needed: usize,
}

impl Places {
    /// How many places hold an intent: the machine's own file and the mirrors. Looked for as text.
    fn holding(&self, plan: &Plan, name: &Name) -> usize {
        let step = plan.steps.iter().position(|step| step.name == name.step);
        #[expect(clippy::disallowed_methods, reason = "an oracle reads for itself")]
        let file = std::fs::read(&self.file).unwrap_or_default();
        let mirrors = self
            .mirrors
            .iter()
            .map(|mirror| mirrored(&self.world, mirror, &name.run));
        std::iter::once(file)
            .chain(mirrors)
            .filter(|text| intends(text, step.unwrap(), name))
            .count()
    }
}

/// All records of a run in one store, one after the other.
pub(super) fn mirrored(world: &Embedded, mirror: &str, run: &str) -> Vec<u8> {
    let store = world.store(mirror).unwrap();
    let folder = format!("metadata/lifeboat-journal/runs/shop/{run}/");
    store.peek_under(&folder).concat()
}

fn intends(text: &[u8], step: usize, name: &Name) -> bool {
    let text = String::from_utf8_lossy(text);
    // The newest comes last. Whether it is the one is decided by what it says, and not by how it is written.
    let lines = text.lines().rev().filter(|line| line.contains("\"intended\""));
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .any(|line| {
            let intended = &line["event"]["intended"];
            intended["step"] == step
                && intended["effect"] == name.effect
                && intended["attempt"] == name.attempt
        })
}

/// Does what the world does, and writes down that it began.
pub(super) struct Hands {
    pub(super) world: World,
    pub(super) plug: Plug,
    pub(super) places: Places,
    pub(super) plan: Arc<Plan>,
    pub(super) mutant: Option<Mutant>,
}

impl Hands {
    async fn work(&self, effect: &Effect, attempt: &Attempt, name: &Name) -> Result<Receipt, WorldError> {
        if self.mutant == Some(Mutant::ClientRepeats) {
            let first = NAME
                .scope(name.clone(), self.world.perform(effect, attempt))
                .await;
            match first {
                Err(error) if error.kind == ErrorKind::LostReply => {}
                answer => return answer,
            }
        }
        if self.mutant == Some(Mutant::Zombie) {
            let (world, effect, attempt) = (self.world.clone(), effect.clone(), attempt.clone());
            let work = NAME.scope(
                name.clone(),
                async move { world.perform(&effect, &attempt).await },
            );
            return tokio::spawn(work).await.unwrap();
        }
        NAME.scope(name.clone(), self.world.perform(effect, attempt))
            .await
    }

    fn misunderstood(&self, answer: Result<Receipt, WorldError>) -> Result<Receipt, WorldError> {
        match (self.mutant, answer) {
            (Some(Mutant::LostIsFailed), Err(error)) if error.kind == ErrorKind::LostReply => {
                Err(WorldError::new(ErrorKind::Rejected, "somewhere", "504"))
            }
            (Some(Mutant::LostIsDone), Err(error)) if error.kind == ErrorKind::LostReply => {
                Ok(Receipt::default())
            }
            (_, answer) => answer,
        }
    }
}

fn name_of(attempt: &Attempt) -> Name {
    Name {
        run: attempt.run.clone(),
        step: attempt.step.clone(),
        effect: attempt.effect,
        attempt: attempt.number,
        key: attempt.key.clone(),
    }
}

impl Observer for Hands {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        if self.mutant == Some(Mutant::BelievesThePlan) {
            let mut sightings = self.plan.sightings.iter();
            if let Some(then) = sightings.find(|sighting| sighting.query == *query) {
                return Box::pin(std::future::ready(Ok(then.seen.clone())));
            }
        }
        self.world.read(query)
    }
}

impl Actor for Hands {
    fn perform<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        Box::pin(async move {
            let name = name_of(attempt);
            let begun = Happening::Begun {
                name: name.clone(),
                class: format!("{:?}", effect.meaning().class()),
                held: self.places.holding(&self.plan, &name),
                needed: self.places.needed,
                stands: stands(&self.places.world),
            };
            self.plug.chronicle.write(&self.plug.who, begun);
            let answer = self.work(effect, attempt, &name).await;
            let answer = self.misunderstood(answer);
            let said = match &answer {
                Ok(_) => "ok".to_owned(),
                Err(error) => format!("{:?}", error.kind),
            };
            let answered = Happening::Answered { name, answer: said };
            self.plug.chronicle.write(&self.plug.who, answered);
            answer
        })
    }

    fn resolve<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        match self.mutant {
            Some(Mutant::LooksAway) => Box::pin(async { Ok(Resolution::NotDone) }),
            Some(Mutant::LooksWishfully) => Box::pin(async { Ok(Resolution::Done(Box::default())) }),
            _ => Box::pin(NAME.scope(name_of(attempt), self.world.resolve(effect, attempt))),
        }
    }
}

/// Hears what is durable, and lets the person in front of it decide what only people may.
pub(super) struct Ears {
    pub(super) run: String,
    pub(super) plug: Plug,
    pub(super) place: mpsc::UnboundedSender<Placed>,
    /// The newest record that was heard.
    pub(super) newest: Mutex<u64>,
}

impl Ears {
    fn order(&self, what: What) {
        let (place, plug) = (self.place.clone(), self.plug.clone());
        let wait_ms = plug
            .weather
            .draw(&plug.who, "people", |dice| dice.between(1, 60_000));
        tokio::spawn(async move {
            pass(wait_ms).await;
            let order = Order {
                by: "anna".to_owned(),
                reason: "a look at the world".to_owned(),
                what,
                seen: None,
                from: None,
            };
            let _ = place.send(Placed { order, reply: None });
        });
    }

    /// What waits for a person when a process begins.
    pub(super) fn look(&self, engine: &Engine) {
        for (step, planned) in (0u32..).zip(&engine.plan().steps) {
            let name = planned.name.clone();
            match engine.step_state(step) {
                Some(StepState::Asking { .. }) => self.answer(name),
                // When a run is being ended nothing of it is tried again.
                Some(StepState::Unknown {
                    phase: Phase::Forward,
                    effect,
                }) if engine.course() != Course::Forward && !self.committed(&name, effect) => {
                    self.order(What::Skip { step: name });
                }
                Some(StepState::Unknown { effect, phase }) => self.decide(name, phase, effect),
                Some(StepState::Ended(Outcome::Failed)) => {
                    self.try_again_or_not(name, planned.effects.len());
                }
                Some(StepState::Ended(Outcome::UndoFailed)) => self.order(What::Retry { step: name }),
                _ => {}
            }
        }
    }

    fn committed(&self, step: &str, effect: u32) -> bool {
        self.plug.chronicle.has_committed(&self.run, step, effect)
    }

    /// What failed and is done all the same, because a request came late, is not tried again for ever.
    fn try_again_or_not(&self, step: String, effects: usize) {
        if (0u32..).take(effects).all(|effect| self.committed(&step, effect)) {
            self.order(What::MarkDone { step });
        } else {
            self.order(What::Retry { step });
        }
    }

    fn answer(&self, step: String) {
        self.order(What::Answer {
            step,
            answer: Answer::Yes,
            role: None,
        });
    }

    /// A person looks at the site, and may look too early.
    fn decide(&self, step: String, phase: Phase, effect: u32) {
        if phase == Phase::Forward && self.committed(&step, effect) {
            self.order(What::MarkDone { step });
        } else {
            self.order(What::Retry { step });
        }
    }
}

/// What an ear needs of the plan.
pub(super) struct Watching {
    pub(super) ears: Ears,
    pub(super) plan: Arc<Plan>,
}

impl Watch for Watching {
    fn recorded(&self, entry: &Entry) {
        let ears = &self.ears;
        *ears.newest.lock().unwrap() = entry.seq;
        let told = Happening::Told {
            run: ears.run.clone(),
            seq: entry.seq,
            line: serde_json::to_string(entry).unwrap(),
        };
        ears.plug.chronicle.write(&ears.plug.who, told);
        match &entry.event {
            Event::Intended { step, effect, .. } => {
                let planned = &self.plan.steps[*step as usize];
                if let Some(Effect::Ask(_)) = planned.effects.get(*effect as usize) {
                    ears.answer(planned.name.clone());
                }
            }
            Event::Unknown {
                step, phase, effect, ..
            } => {
                ears.decide(self.plan.steps[*step as usize].name.clone(), *phase, *effect);
            }
            _ => {}
        }
    }

    fn progress(&self, _: u32, _: &str) {}
}
