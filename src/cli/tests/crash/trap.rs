//! An actor that does what the world does, until it is told otherwise; and a log of its own of all that was
//! begun, which shares nothing with the engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::effect::{
    Actor, Attempt, Class, Effect, ErrorKind, Observer, Query, Receipt, Resolution, Seen, WorldError,
};
use crate::run::{Entry, Event};
use crate::world::World;

/// What happens to a run once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snare {
    /// Nothing.
    None,
    /// The process dies when so many records are durable.
    Death {
        records: usize,
        /// Whether what is in flight then is carried out to its end, or stops where it is.
        arrives: bool,
    },
    /// This performance fails, the first one being 0.
    Failure { nth: usize, how: Failing },
    /// Whatever may be performed twice is performed twice.
    Repeats,
}

/// How a performance fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) kind: ErrorKind,
    /// It was carried out all the same.
    pub(super) done: bool,
}

/// One performance that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) step: String,
    pub(super) effect: u32,
    pub(super) attempt: u32,
    /// The same for every attempt of the same effect.
    pub(super) key: String,
    pub(super) once: bool,
    /// It was carried out, as far as the world answered.
    pub(super) done: bool,
}

#[derive(Debug, Default)]
struct Inside {
    deeds: Vec<Deed>,
    performances: usize,
    /// Records of this process and those before it.
    records: usize,
    /// What may have begun when the process died: step → effect and attempt.
    open: BTreeMap<u32, (u32, u32)>,
    dead: bool,
    /// Once it was.
    died: bool,
    in_flight: usize,
}

pub(super) struct Trap {
    world: Arc<World>,
    steps: Vec<String>,
    snare: Mutex<Snare>,
    journal: PathBuf,
    inside: Mutex<Inside>,
    changed: Notify,
}

impl Trap {
    pub(super) fn new(world: World, steps: Vec<String>, journal: PathBuf, snare: Snare) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::new(world),
            steps,
            snare: Mutex::new(snare),
            journal,
            inside: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub(super) fn snare(&self) -> Snare {
        *self.snare.lock().unwrap()
    }

    /// How many records were durable when the process died.
    pub(super) fn died_at(&self) -> Option<usize> {
        let inside = self.lock();
        inside.died.then_some(inside.records)
    }

    /// All performances so far.
    pub(super) fn deeds(&self) -> Vec<Deed> {
        self.lock().deeds.clone()
    }

    /// A record is durable: here the process may die.
    pub(super) fn recorded(&self, entry: &Entry) {
        let Snare::Death { records, .. } = self.snare() else {
            return;
        };
        let mut inside = self.lock();
        if inside.dead {
            return;
        }
        match entry.event {
            Event::Intended {
                step,
                effect,
                attempt,
                ..
            } => {
                inside.open.insert(step, (effect, attempt));
            }
            Event::Performed { step, .. } | Event::Failed { step, .. } => {
                inside.open.remove(&step);
            }
            _ => {}
        }
        inside.records = usize::try_from(entry.seq).unwrap() + 1;
        if inside.records == records {
            (inside.dead, inside.died) = (true, true);
            self.changed.notify_waiters();
        }
    }

    /// Returns when the process is dead and whatever was on its way has arrived, if it does.
    pub(super) async fn death(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().dead {
                break;
            }
            changed.await;
        }
        if let Snare::Death { arrives: true, .. } = self.snare() {
            self.all_has_arrived().await;
        }
    }

    async fn all_has_arrived(&self) {
        loop {
            // What was begun in the same moment is on its way after this.
            tokio::time::sleep_until(Instant::now() + Duration::from_millis(1)).await;
            let changed = self.changed.notified();
            if self.lock().in_flight == 0 {
                return;
            }
            changed.await;
        }
    }

    /// The next process lives.
    pub(super) fn revive(&self) {
        *self.snare.lock().unwrap() = Snare::None;
        let mut inside = self.lock();
        (inside.dead, inside.in_flight) = (false, 0);
    }

    /// Whether this was on its way before the process died.
    fn had_begun(&self, attempt: &Attempt) -> bool {
        let inside = self.lock();
        let arrives = !matches!(self.snare(), Snare::Death { arrives: false, .. });
        let step = u32::try_from(self.step(attempt)).unwrap();
        !inside.dead || (arrives && inside.open.get(&step) == Some(&(attempt.effect, attempt.number)))
    }

    fn step(&self, attempt: &Attempt) -> usize {
        self.steps.iter().position(|name| *name == attempt.step).unwrap()
    }

    /// I2: the intent is in the file, read by other code than the engine's.
    fn check_intent(&self, attempt: &Attempt) {
        #[expect(clippy::disallowed_methods, reason = "an oracle reads for itself")]
        let text = std::fs::read_to_string(&self.journal).unwrap();
        let step = self.step(attempt);
        let found = text
            .lines()
            .skip(1)
            .filter(|line| line.contains("intended"))
            .any(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let intended = &line["event"]["intended"];
                intended["step"] == step
                    && intended["effect"] == attempt.effect
                    && intended["attempt"] == attempt.number
            });
        assert!(found, "I2: {attempt:?} was begun and no intent is durable");
    }

    fn begin(&self, effect: &Effect, attempt: &Attempt) -> usize {
        self.check_intent(attempt);
        let mut inside = self.lock();
        inside.deeds.push(Deed {
            step: attempt.step.clone(),
            effect: attempt.effect,
            attempt: attempt.number,
            key: attempt.key.clone(),
            once: effect.meaning().class() == Class::Once,
            done: false,
        });
        inside.performances += 1;
        inside.performances - 1
    }

    fn done(&self, nth: usize) {
        self.lock().deeds[nth].done = true;
    }

    async fn really(&self, nth: usize, effect: &Effect, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let answer = self.world.perform(effect, attempt).await;
        if answer.is_ok() {
            self.done(nth);
        }
        answer
    }

    /// On its way whatever becomes of the process; the answer is for a living one.
    async fn sent(
        self: Arc<Self>,
        nth: usize,
        effect: Effect,
        attempt: Attempt,
    ) -> Result<Receipt, WorldError> {
        self.lock().in_flight += 1;
        let me = self.clone();
        let work = tokio::spawn(async move {
            let answer = me.really(nth, &effect, &attempt).await;
            me.lock().in_flight -= 1;
            me.changed.notify_waiters();
            answer
        });
        let answer = work.await.unwrap();
        if self.lock().dead {
            std::future::pending::<()>().await;
        }
        answer
    }

    /// Twice, as the engine would after a lost reply: what may not simply be repeated is looked for first, and
    /// what the target refuses the second time was done the first time.
    async fn twice(&self, nth: usize, effect: &Effect, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let first = self.really(nth, effect, attempt).await?;
        match effect.meaning().class() {
            Class::Once => {}
            Class::Guarded => {
                if self.world.resolve(effect, attempt).await? == Resolution::NotDone {
                    let _ = self.world.perform(effect, attempt).await;
                }
            }
            Class::Read | Class::Converge => {
                self.world.perform(effect, attempt).await?;
            }
        }
        Ok(first)
    }
}

/// A trap in the hands of a driver.
pub(super) struct Hands(pub(super) Arc<Trap>);

impl Observer for Hands {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        self.0.world.read(query)
    }
}

impl Actor for Hands {
    fn perform<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        Box::pin(async move {
            let trap = &self.0;
            let snare = trap.snare();
            if !trap.had_begun(attempt) {
                return std::future::pending().await;
            }
            let nth = trap.begin(effect, attempt);
            match snare {
                Snare::Failure { nth: at, how } if at == nth => {
                    if how.done {
                        trap.really(nth, effect, attempt).await?;
                    }
                    Err(WorldError::new(how.kind, "the suite", format!("{how:?}")))
                }
                Snare::Death { arrives: true, .. } => {
                    trap.clone().sent(nth, effect.clone(), attempt.clone()).await
                }
                Snare::Repeats => trap.twice(nth, effect, attempt).await,
                Snare::None | Snare::Death { .. } | Snare::Failure { .. } => {
                    trap.really(nth, effect, attempt).await
                }
            }
        })
    }

    fn resolve<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        self.0.world.resolve(effect, attempt)
    }
}
