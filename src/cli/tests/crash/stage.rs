//! One run in a world of its own, carried to its end by as many processes as it takes.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tempfile::TempDir;
use tokio::time::Instant;

use super::people::People;
use super::trap::{Deed, Hands, Snare, Trap};
use crate::cli::launch;
use crate::effect::Class;
use crate::plan::Plan;
use crate::run::{
    Beginning, Ended, Entry, Event, Journal, QuestionPolicy, Run, RunError, Timekeeper, Verdict, Wiring,
};
use crate::world::sim::Embedded;

/// Processes that one run may take: with one accident each needs a few.
const PROCESSES_MAX: usize = 12;

pub(super) struct Stage {
    pub(super) world: Embedded,
    pub(super) trap: Arc<Trap>,
    pub(super) people: Arc<People>,
    beginning: Beginning,
    runs: TempDir,
    /// Bytes of the record after the last durable one that the disk holds when the process dies.
    pub(super) torn: usize,
}

impl Stage {
    pub(super) fn new(world: &Embedded, plan: &Plan, snare: Snare) -> Self {
        Self::of(world, launch::beginning(plan.clone(), 8), snare)
    }

    /// A run that begins as another one did: it has the same name, so it makes the same objects.
    pub(super) fn of(world: &Embedded, beginning: Beginning, snare: Snare) -> Self {
        let runs = scratch();
        let steps = beginning
            .plan
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect();
        let journal = runs.path().join(&beginning.run.0).join("journal.jsonl");
        let trap = Trap::new(world.world(), steps, journal, snare);
        Self {
            world: world.clone(),
            people: People::new(Arc::new(beginning.plan.clone()), trap.clone()),
            trap,
            beginning,
            runs,
            torn: 0,
        }
    }

    pub(super) fn beginning(&self) -> &Beginning {
        &self.beginning
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.runs.path().join(&self.beginning.run.0)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder().join("journal.jsonl")
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        Journal::read(&self.folder()).unwrap().entries
    }

    pub(super) fn deeds(&self) -> Vec<Deed> {
        self.trap.deeds()
    }

    /// Whether an effect of class `once` had an intent and no outcome after so many records.
    pub(super) fn lost_a_once(&self, records: usize) -> bool {
        let mut open = None;
        for entry in self.entries().iter().take(records) {
            match entry.event {
                Event::Intended { step, effect, .. } => {
                    let effects = &self.beginning.plan.steps[step as usize].effects;
                    let class = effects
                        .get(effect as usize)
                        .map(|effect| effect.meaning().class());
                    open = (class == Some(Class::Once)).then_some(step).or(open);
                }
                Event::Performed { step, .. } | Event::Failed { step, .. } if open == Some(step) => {
                    open = None;
                }
                _ => {}
            }
        }
        open.is_some()
    }

    /// From its first record to its last.
    pub(super) fn play(&mut self) -> LocalBoxFuture<'_, Verdict> {
        Box::pin(self.play_on_the_heap())
    }

    async fn play_on_the_heap(&mut self) -> Verdict {
        let clock = Timekeeper::simulated(self.world.clock().now());
        let run = Run::begin(self.runs.path(), self.beginning.clone(), clock).unwrap();
        self.trap.recorded(&run.entries[0]);
        match self.carry(run).await {
            Some(verdict) => verdict,
            None => Box::pin(self.go_on()).await,
        }
    }

    /// From what is in the file to its last record.
    pub(super) async fn go_on(&mut self) -> Verdict {
        for _ in 0..PROCESSES_MAX {
            // Nobody is back at once.
            tokio::time::sleep_until(Instant::now() + Duration::from_secs(1)).await;
            let now = self.world.clock().now();
            let operator = self.beginning.operator.clone();
            let clock = |entries: &[Entry]| Timekeeper::simulated_resume(entries, now);
            match Run::resume(&self.folder(), &operator, clock) {
                Err(RunError::Ended(verdict)) => return verdict,
                Err(error) => panic!("{error}"),
                Ok(run) => {
                    if let Some(verdict) = self.carry(run).await {
                        return verdict;
                    }
                }
            }
        }
        panic!("L1: it does not come to an end: {:?}", self.entries().last());
    }

    /// One process; `None`: it left or died before the end.
    async fn carry(&mut self, run: Run) -> Option<Verdict> {
        let wiring = Wiring {
            actor: Arc::new(Hands(self.trap.clone())),
            orders: self.people.sit_down(&run.engine),
            watch: self.people.clone(),
            questions: QuestionPolicy::Wait,
            inbox: false,
        };
        let ended = tokio::select! {
            biased;
            () = self.trap.death() => None,
            ended = run.drive(wiring) => Some(ended.unwrap()),
        };
        match ended {
            Some(Ended::Finished(verdict)) => Some(verdict),
            Some(Ended::Paused(_)) => None,
            Some(Ended::Interrupted) => panic!("nobody interrupts"),
            None => {
                self.lose_what_was_not_durable();
                self.trap.revive();
                None
            }
        }
    }

    /// The disk of a process that died after so many records has these, and perhaps a piece of the next.
    fn lose_what_was_not_durable(&self) {
        if let Snare::Death { records, .. } = self.trap.snare() {
            cut(&self.file(), records, self.torn);
        }
    }
}

/// Cuts a journal off after so many records and bytes of the next one.
pub(super) fn cut(file: &std::path::Path, records: usize, torn: usize) {
    #[expect(clippy::disallowed_methods, reason = "the suite plays the disk")]
    let bytes = std::fs::read(file).unwrap();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let whole: usize = lines.by_ref().take(records).map(<[u8]>::len).sum();
    let next = lines.next().map_or(0, |line| line.len() - 1);
    let length = u64::try_from(whole + torn.min(next)).unwrap();
    let open = OpenOptions::new().write(true).open(file).unwrap();
    open.set_len(length).unwrap();
}

/// A folder in memory, where there is one: what is proved here does not depend on the disk's speed.
pub(in crate::cli::tests) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
