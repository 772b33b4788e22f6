//! A scripted world, a watcher that remembers, and a run in a folder of its own.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::{Ended, Placed, Run, Watch, Wiring};
use crate::effect::{
    Actor, Attempt, Class, Effect, ErrorKind, Observer, Query, Receipt, Resolution, Seen, WorldError,
};
use crate::plan::PlannedStep;
use crate::run::testing::{beginning, effect, operator, trouble, words};
use crate::run::{
    Beginning, Engine, Entry, Event, Journal, Order, QuestionPolicy, Refused, Timekeeper, What,
};

/// What the world does with one performance.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Takes(u64),
    Fails(u64, ErrorKind),
    Never,
    Panics,
}

/// A scripted world, and what was asked of it.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) script: Mutex<BTreeMap<String, VecDeque<Deed>>>,
    pub(super) resolutions: Mutex<BTreeMap<String, Resolution>>,
    /// What is answered to questions, one after the other; then it is all as it was.
    pub(super) answers: Mutex<VecDeque<Result<Seen, ErrorKind>>>,
    calls: Mutex<Vec<String>>,
    pub(super) at_once: Mutex<(usize, usize)>,
    /// Where each performance must find its intent.
    journal: Mutex<Option<PathBuf>>,
}

impl Fake {
    pub(super) fn with(script: &[(&str, &[Deed])]) -> Arc<Self> {
        let fake = Self::default();
        let script = script
            .iter()
            .map(|(step, deeds)| ((*step).to_owned(), deeds.iter().cloned().collect()));
        *fake.script.lock().unwrap() = script.collect();
        Arc::new(fake)
    }

    pub(super) fn calls(&self) -> String {
        std::mem::take(&mut *self.calls.lock().unwrap()).join(", ")
    }

    fn check_intent(&self, attempt: &Attempt) {
        let Some(folder) = self.journal.lock().unwrap().clone() else {
            return;
        };
        let entries = Journal::read(&folder).unwrap().entries;
        let engine = Engine::replay(&entries).unwrap();
        let index = engine
            .plan()
            .steps
            .iter()
            .position(|planned| planned.name == attempt.step);
        let is_mine = |entry: &Entry| match entry.event {
            Event::Intended {
                step,
                attempt: number,
                ..
            } => Some(step as usize) == index && number == attempt.number,
            _ => false,
        };
        assert!(
            entries.iter().any(is_mine),
            "I2: {attempt:?} has no durable intent"
        );
    }
}

impl Observer for Fake {
    fn read<'a>(&'a self, _: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        let scripted = self.answers.lock().unwrap().pop_front();
        async move { scripted.unwrap_or(Ok(Seen::Store)).map_err(trouble) }.boxed()
    }
}

impl Actor for Fake {
    fn perform<'a>(
        &'a self,
        _: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        async move {
            self.check_intent(attempt);
            self.calls
                .lock()
                .unwrap()
                .push(format!("{}#{}", attempt.step, attempt.number));
            (attempt.progress)(format!("{} is under way", attempt.step));
            let deed = self
                .script
                .lock()
                .unwrap()
                .get_mut(&attempt.step)
                .and_then(VecDeque::pop_front);
            let _one_more = OneMore::new(&self.at_once);
            match deed.unwrap_or(Deed::Takes(1)) {
                Deed::Takes(ms) => {
                    wait(ms).await;
                    Ok(Receipt::default())
                }
                Deed::Fails(ms, kind) => {
                    wait(ms).await;
                    Err(trouble(kind))
                }
                Deed::Never => std::future::pending().await,
                Deed::Panics => panic!("a bug in an adapter"),
            }
        }
        .boxed()
    }

    fn resolve<'a>(
        &'a self,
        _: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        async move {
            self.calls.lock().unwrap().push(format!("{}?", attempt.step));
            let found = self.resolutions.lock().unwrap().get(&attempt.step).cloned();
            Ok(found.unwrap_or(Resolution::NotDone))
        }
        .boxed()
    }
}

/// Counts how many effects are in flight, dropped ones included.
pub(super) struct OneMore<'a>(&'a Mutex<(usize, usize)>);

impl<'a> OneMore<'a> {
    fn new(count: &'a Mutex<(usize, usize)>) -> Self {
        let mut now = count.lock().unwrap();
        now.0 += 1;
        now.1 = now.1.max(now.0);
        drop(now);
        Self(count)
    }
}

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

pub(super) async fn wait(ms: u64) {
    tokio::time::sleep_until(Instant::now() + Duration::from_millis(ms)).await;
}

/// Remembers what it was told.
#[derive(Default)]
pub(super) struct Log {
    pub(super) entries: Mutex<Vec<Entry>>,
    pub(super) progress: Mutex<Vec<String>>,
}

impl Watch for Log {
    fn recorded(&self, entry: &Entry) {
        self.entries.lock().unwrap().push(entry.clone());
    }

    fn progress(&self, step: u32, words: &str) {
        self.progress.lock().unwrap().push(format!("{step}: {words}"));
    }
}

/// A run in a folder of its own, and everything around it.
pub(super) struct Theatre {
    pub(super) runs: TempDir,
    pub(super) actor: Arc<Fake>,
    pub(super) log: Arc<Log>,
    pub(super) questions: QuestionPolicy,
    pub(super) inbox: bool,
    pub(super) orders: mpsc::UnboundedSender<Placed>,
    receiver: Option<mpsc::UnboundedReceiver<Placed>>,
}

impl Theatre {
    pub(super) fn of(actor: Arc<Fake>) -> Self {
        let (orders, receiver) = mpsc::unbounded_channel();
        Self {
            runs: tempfile::tempdir().unwrap(),
            actor,
            log: Arc::default(),
            questions: QuestionPolicy::Pause,
            inbox: false,
            orders,
            receiver: Some(receiver),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.runs.path().join("shop-f-test")
    }

    pub(super) fn clock() -> Timekeeper {
        Timekeeper::simulated("2026-11-22T23:00:00Z".parse().unwrap())
    }

    pub(super) fn wiring(&mut self) -> Wiring {
        *self.actor.journal.lock().unwrap() = Some(self.folder());
        let receiver = self.receiver.take().unwrap_or_else(|| {
            let (orders, receiver) = mpsc::unbounded_channel();
            self.orders = orders;
            receiver
        });
        Wiring {
            actor: self.actor.clone(),
            orders: receiver,
            watch: self.log.clone(),
            questions: self.questions,
            inbox: self.inbox,
        }
    }

    pub(super) fn begin(&self, steps: Vec<PlannedStep>, room: u32) -> Run {
        self.begin_as(beginning(steps, room))
    }

    pub(super) fn begin_as(&self, beginning: Beginning) -> Run {
        Run::begin(self.runs.path(), beginning, Self::clock()).unwrap()
    }

    pub(super) async fn play(&mut self, steps: Vec<PlannedStep>, room: u32) -> Ended {
        let run = self.begin(steps, room);
        run.drive(self.wiring()).await.unwrap()
    }

    pub(super) async fn resume(&mut self) -> Ended {
        let from = self.log.entries.lock().unwrap().last().unwrap().at;
        let run = Run::resume(&self.folder(), &operator(), |entries| {
            Timekeeper::simulated_resume(entries, from)
        });
        run.unwrap().drive(self.wiring()).await.unwrap()
    }

    /// What the watcher was told, with times; it is what the journal holds.
    pub(super) fn story(&self) -> String {
        let history = Journal::read(&self.folder()).unwrap();
        let engine = Engine::replay(&history.entries).unwrap();
        let told = self.log.entries.lock().unwrap();
        assert!(told.iter().all(|entry| history.entries.contains(entry)));
        let line = |entry: &Entry| format!("{:>5} {}", entry.elapsed_ms, words(&engine, &entry.event));
        history
            .entries
            .iter()
            .skip(1)
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub(super) fn order(what: What) -> Order {
    Order {
        by: "ben".into(),
        reason: "a test".into(),
        what,
        seen: None,
        from: None,
    }
}

pub(super) fn placed(what: What) -> (Placed, oneshot::Receiver<Result<(), Refused>>) {
    let (sender, receiver) = oneshot::channel();
    let placed = Placed {
        order: order(what),
        reply: Some(sender),
    };
    (placed, receiver)
}

pub(super) fn doing(class: Class) -> Vec<Effect> {
    vec![effect(class)]
}
