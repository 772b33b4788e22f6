//! A run in this process: begun or taken up again, then driven.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Driver, Ended, IllegalEvent, Wiring};
use crate::effect::WorldError;
use crate::plan::Change;
use crate::run::epoch::{Denied, Wanted, last_epoch};
use crate::run::inbox::Inbox;
use crate::run::journal::{Journal, JournalError, Tape, Torn};
use crate::run::mirror::{Fleet, Kept, Lag, Mirrors, Superseded, Unreleased};
use crate::run::{Beginning, Engine, Entry, Event, Fence, Operator, Timekeeper, Verdict};

/// How often the inbox is looked into: faster than a person notices, too rare to be seen in a profile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A run in this process, which alone may write its journal.
pub struct Run {
    /// What is known of it.
    pub engine: Engine,
    /// All entries so far.
    pub entries: Vec<Entry>,
    /// What was cut off the journal when it was opened: nobody was ever told of it.
    pub torn: Option<Torn>,
    pub(super) journal: Journal,
    clock: Timekeeper,
    /// Where the journal is copied to, and what each of these places is known to hold.
    mirrored: Option<(Fleet, Vec<Kept>)>,
    /// What is claimed before anything else is done.
    wanted: Option<Wanted>,
    /// What has to know the epoch before anything is begun.
    fence: Option<Arc<dyn Fence>>,
    /// Whether the plan has to hold when the group is held.
    judged: bool,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("run", &self.engine.beginning().run)
            .field("entries", &self.entries.len())
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

/// Why a run cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal cannot be read or written; nothing more was begun.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal tells of something impossible, or the engine has a bug.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// Too few mirrors of the journal hold what has to be known before the run goes on.
    #[error(transparent)]
    Unreleased(Unreleased),
    /// Another process carries the run.
    #[error(transparent)]
    Superseded(Superseded),
    /// The run may not be carried here; nothing was done.
    #[error(transparent)]
    Denied(Denied),
    /// A site knows a newer epoch of the group: nothing more was begun.
    #[error(transparent)]
    Overtaken(WorldError),
    /// A site's fence is there and cannot be raised: nothing was begun.
    #[error("the fence is not raised: {0}")]
    NotFenced(WorldError),
    /// The world is not what the plan was made from: nothing was begun, and the run has ended.
    #[error("the world has changed since the plan was made")]
    Stale(Vec<Change>),
    /// There is nothing left to do.
    #[error("the run has ended")]
    Ended(Verdict),
    /// The driver itself has a bug.
    #[error("lifeboat's driver broke down: {0}")]
    Broken(String),
}

impl Run {
    /// Begins a run: when this returns, its plan is durable in `<runs>/<run>`.
    ///
    /// # Errors
    ///
    /// A beginning that cannot be, or a journal that cannot be made.
    pub fn begin(runs: &Path, beginning: Beginning, clock: Timekeeper) -> Result<Self, RunError> {
        let engine = Engine::new(beginning.clone())?;
        let (journal, first) = Journal::create(runs, beginning, clock.now())?;
        Ok(Self {
            engine,
            entries: vec![first],
            torn: None,
            journal,
            clock,
            mirrored: None,
            wanted: None,
            fence: None,
            judged: false,
        })
    }

    /// Takes a run up again. `clock` is [`Timekeeper::resume`], or its simulated sister.
    ///
    /// # Errors
    ///
    /// A journal that cannot be opened or makes no sense; a run that has ended.
    pub fn resume(
        folder: &Path,
        operator: &Operator,
        clock: impl FnOnce(&[Entry]) -> Timekeeper,
    ) -> Result<Self, RunError> {
        let (mut journal, history) = Journal::open(folder, operator)?;
        let mut entries = history.entries;
        let mut engine = Engine::replay(&entries)?;
        if let Some(verdict) = engine.verdict() {
            return Err(RunError::Ended(verdict));
        }
        let clock = clock(&entries);
        let (moment, resumed) = (
            clock.now(),
            Event::Resumed {
                operator: operator.clone(),
            },
        );
        engine.record(&resumed, moment.elapsed_ms)?;
        entries.extend(journal.append(&[resumed], moment)?);
        Ok(Self {
            engine,
            entries,
            torn: history.torn,
            journal,
            clock,
            mirrored: None,
            wanted: None,
            fence: None,
            judged: false,
        })
    }

    /// Has the journal copied to mirrors, and nothing begin before they hold it as their rule asks. `held`
    /// is what each is known to hold.
    #[must_use]
    pub fn mirrored(mut self, fleet: Fleet, held: Vec<Kept>) -> Self {
        self.mirrored = Some((fleet, held));
        self
    }

    /// Has the journal written through something else from here on: for simulations of bad disks.
    #[must_use]
    pub fn taped(mut self, wrap: impl FnOnce(Box<dyn Tape>) -> Box<dyn Tape>) -> Self {
        self.journal.through(wrap);
        self
    }

    /// Has the group claimed in the mirrors after the first record and before anything else, with a higher epoch than any
    /// that the run held: mirrors that are away, or list what was there before, do not show all of them.
    #[must_use]
    pub fn claiming(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        let held = last_epoch(&self.entries);
        self.above(held.unwrap_or(0))
    }

    /// Has a higher epoch claimed than this one, which a site knows.
    #[must_use]
    pub fn above(mut self, epoch: u64) -> Self {
        if let Some(wanted) = &mut self.wanted {
            wanted.above = wanted.above.max(epoch);
        }
        self
    }

    /// Has sites refuse older epochs once the group is claimed, and before anything else is done.
    #[must_use]
    pub fn fenced(mut self, fence: Arc<dyn Fence>) -> Self {
        self.fence = Some(fence);
        self
    }

    /// Has the plan compared with the world once the group is held, unless something was begun already.
    #[must_use]
    pub const fn judged(mut self) -> Self {
        self.judged = true;
        self
    }

    /// Gives mirrors what they lack of a journal that nobody carries. Says what they lack all the same.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    pub async fn bring_mirrors_up(
        folder: &Path,
        operator: &Operator,
        fleet: &Fleet,
        kept: &[Kept],
    ) -> Result<Vec<Lag>, JournalError> {
        let (journal, history) = Journal::open(folder, operator)?;
        let Some(Event::Began(begun)) = history.entries.first().map(|entry| &entry.event) else {
            return Ok(Vec::new());
        };
        let (group, head) = (&begun.plan.runbook.name, journal.head());
        let mirrors = Mirrors::start(fleet, group, &begun.run, &journal.file(), kept, head);
        Ok(mirrors.settle().await)
    }

    fn mirrors(&self) -> Option<Mirrors> {
        let (fleet, held) = self.mirrored.as_ref()?;
        let beginning = self.engine.beginning();
        Some(Mirrors::start(
            fleet,
            &beginning.plan.runbook.name,
            &beginning.run,
            &self.journal.file(),
            held,
            self.journal.head(),
        ))
    }

    /// Carries the run until it ends, is paused, or is interrupted. The watcher hears of what comes after
    /// [`Run::entries`].
    ///
    /// # Errors
    ///
    /// The journal failed, or lifeboat has a bug; the run can be resumed.
    pub async fn drive(self, wiring: Wiring) -> Result<Ended, RunError> {
        let mirrors = self.mirrors();
        let mut engine = self.engine;
        engine.set_questions(wiring.questions);
        let inbox = if wiring.inbox {
            let inbox = Inbox::of(self.journal.folder());
            inbox.open().map_err(JournalError::from)?;
            let mut interval = tokio::time::interval(LOOK_EVERY);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Some((inbox, interval))
        } else {
            None
        };
        let driver = Driver {
            engine,
            journal: Some(self.journal),
            moment: self.clock.now(),
            clock: self.clock,
            wiring,
            orders_open: true,
            inbox,
            mirrors,
            heard: Vec::new(),
            held_back: None,
            claim: self.mirrored.map(|(fleet, _)| fleet).zip(self.wanted),
            fence: self.fence,
            unclaimed: last_epoch(&self.entries).is_none(),
            judges: self.judged
                && !self
                    .entries
                    .iter()
                    .any(|entry| matches!(entry.event, Event::Intended { .. })),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            followed: Vec::new(),
            interrupts: 0,
        };
        driver.go().await
    }
}
