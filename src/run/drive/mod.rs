//! The driver: carries one run in the real world, or in a simulated one. It decides nothing.
//!
//! A loop: ask the engine, make its events durable, begin its errands, wait until something happens, tell the
//! engine. Everything that happened meanwhile goes into one durable batch with what follows from it.
//!
//! ## Why
//!
//! - **One moment per turn.** What is folded and what is stamped have the same time, so that a replay gives
//!   the same engine.
//! - **The journal first, always.** No errand begins before the batch with its intent is on the disk, and no
//!   watcher hears of an event before. If the journal fails, the driver returns at once: what is in flight is
//!   dropped, its intents stay open, nothing else begins.
//! - **Dropped is not undone.** A second Ctrl-C, a journal that fails and a kill leave the same behind: open
//!   intents, which the next process takes up.

mod errand;
mod mirrored;
mod run;
#[cfg(test)]
mod tests;

pub use run::{Run, RunError};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Interval;

use super::aside::aside;
use super::epoch::Wanted;
use super::inbox::{Inbox, Slip};
use super::journal::Journal;
use super::mirror::{Fleet, Lag, Mirrors, Unreleased};
use super::{
    Commands, Engine, Entry, Errand, Event, Fence, Hold, IllegalEvent, Moment, Order, QuestionPolicy,
    Refused, Sight, Ticket, Timekeeper, Verdict, What,
};
use crate::effect::Actor;

/// What a driver is connected to.
pub struct Wiring {
    /// Does what is to be done.
    pub actor: Arc<dyn Actor>,
    /// Orders from this process: Ctrl-C, the terminal.
    pub orders: mpsc::UnboundedReceiver<Placed>,
    /// Is told what happens.
    pub watch: Arc<dyn Watch>,
    /// What to do when only people can move the run on.
    pub questions: QuestionPolicy,
    /// Whether orders of other processes are taken from the run's inbox.
    pub inbox: bool,
}

/// An order, and where to say what became of it.
#[derive(Debug)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// Told when the order is durable, or refused.
    pub reply: Option<oneshot::Sender<Result<(), Refused>>>,
}

/// Is told what happens. Neither method may block: the run would wait for it.
pub trait Watch: Send + Sync {
    /// An entry is durable. Called in the order of the journal.
    fn recorded(&self, entry: &Entry);

    /// What an effect in flight is waiting for, in its own words. Not durable; called from wherever the
    /// effect is.
    fn progress(&self, step: u32, words: &str);

    /// The driver leaves, and a mirror of the journal does not hold all of it.
    fn left_behind(&self, _: &Lag) {}
}

/// Why a driver left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The run has ended.
    Finished(Verdict),
    /// The run is paused, and nothing that could change the world is in flight.
    Paused(Hold),
    /// A second Ctrl-C: as if the process had been killed.
    Interrupted,
}

/// A dropped effect stops at its next await. One that has none for so long would keep Ctrl-C waiting.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

struct Driver {
    engine: Engine,
    /// `None` only while it is being written.
    journal: Option<Journal>,
    clock: Timekeeper,
    /// Of this turn.
    moment: Moment,
    wiring: Wiring,
    orders_open: bool,
    inbox: Option<(Inbox, Interval)>,
    mirrors: Option<Mirrors>,
    /// What is to be recorded of mirrors.
    heard: Vec<Event>,
    /// Too few mirrors hold the last intents: they are not carried out, and nothing new is begun.
    held_back: Option<Unreleased>,
    /// What has to be claimed first, and where.
    claim: Option<(Fleet, Wanted)>,
    /// What has to know the epoch then.
    fence: Option<Arc<dyn Fence>>,
    /// No process of this run has ever held its group: so nothing of it was done.
    unclaimed: bool,
    /// The plan is compared with the world once the group is held: nothing of the run was begun yet.
    judges: bool,
    tasks: JoinSet<(Ticket, Sight)>,
    running: BTreeMap<u32, AbortHandle>,
    /// Orders that are followed, and told so when that is durable.
    followed: Vec<Reply>,
    interrupts: u32,
}

enum Reply {
    Channel(Option<oneshot::Sender<Result<(), Refused>>>),
    Inbox(Slip),
}

impl Driver {
    async fn go(mut self) -> Result<Ended, RunError> {
        let end = self.go_on_from_the_first_record().await;
        self.drop_what_is_in_flight().await;
        self.leave_mirrors(&end).await;
        end
    }

    /// What is known already has to be released before anything follows from it.
    async fn go_on_from_the_first_record(&mut self) -> Result<Ended, RunError> {
        self.release().await?;
        match self.end_before_the_first_turn() {
            Some(end) => end,
            None => Box::pin(self.claim_and_go_on()).await,
        }
    }

    /// What was written so far is not released: too few mirrors hold it, or somebody did not want to wait for them.
    fn end_before_the_first_turn(&mut self) -> Option<Result<Ended, RunError>> {
        if let Some(why) = self.held_back.take() {
            return Some(Err(RunError::Unreleased(why)));
        }
        (self.interrupts > 1).then_some(Ok(Ended::Interrupted))
    }

    async fn turn_after_turn(&mut self) -> Result<Ended, RunError> {
        loop {
            let held_back = self.held_back.is_some();
            let heard = self.take_news_down()?;
            let mut commands = self.engine.commands(self.moment.elapsed_ms)?;
            commands.record.splice(0..0, heard);
            let wake_at_ms = commands.wake_at_ms;
            self.carry_out(commands).await?;
            if self.interrupts > 1 {
                return Ok(Ended::Interrupted);
            }
            match (&self.held_back, self.end()) {
                // One more turn, in which that is recorded.
                (Some(_), _) if !held_back => continue,
                // An end that is not released is none: nobody is told of it.
                (Some(why), end) if end.is_some() || self.tasks.is_empty() => {
                    return Err(RunError::Unreleased(why.clone()));
                }
                (None, Some(end)) => return Ok(end),
                _ => {}
            }
            self.make_sure_of_an_end(wake_at_ms)?;
            self.wait(wake_at_ms).await?;
            if self.interrupts > 1 {
                return Ok(Ended::Interrupted);
            }
        }
    }

    /// So that nothing of this run goes on when the driver has left.
    async fn drop_what_is_in_flight(&mut self) {
        let dropped = tokio::time::timeout(LEAVE_LIMIT, self.tasks.shutdown()).await;
        if dropped.is_err() {
            tracing::warn!("an effect in flight did not stop when it was dropped");
        }
    }

    async fn carry_out(&mut self, commands: Commands) -> Result<(), RunError> {
        self.save(commands.record).await?;
        for reply in std::mem::take(&mut self.followed) {
            self.answer(reply, Ok(()));
        }
        for step in commands.abandon {
            if let Some(task) = self.running.remove(&step) {
                task.abort();
            }
        }
        if self.held_back.is_none() && self.interrupts < 2 {
            for errand in commands.errands {
                self.start(errand);
            }
        }
        Ok(())
    }

    /// Makes events durable here and in the mirrors that have to hold them, then tells the watcher. Disks may
    /// be slow: other tasks go on meanwhile.
    async fn save(&mut self, events: Vec<Event>) -> Result<(), RunError> {
        if events.is_empty() {
            return Ok(());
        }
        let Some(mut journal) = self.journal.take() else {
            return Err(RunError::Broken("the journal is not there".to_owned()));
        };
        let moment = self.moment;
        let written = aside(move || {
            let entries = journal.append(&events, moment);
            (journal, entries)
        });
        let (journal, entries) = written
            .await
            .map_err(|error| RunError::Broken(error.to_string()))?;
        self.journal = Some(journal);
        let entries = entries?;
        self.release().await?;
        for entry in entries {
            self.wiring.watch.recorded(&entry);
        }
        Ok(())
    }

    fn start(&mut self, errand: Errand) {
        let step = errand.ticket.step;
        let run = self.engine.beginning().run.0.clone();
        let (actor, watch) = (self.wiring.actor.clone(), self.wiring.watch.clone());
        let task = self
            .tasks
            .spawn(errand::carry(actor, watch, run, errand, self.clock));
        self.running.insert(step, task);
    }

    fn end(&self) -> Option<Ended> {
        if let Some(verdict) = self.engine.verdict() {
            return Some(Ended::Finished(verdict));
        }
        let hold = self.engine.paused()?;
        self.engine.is_paused_idle().then(|| Ended::Paused(hold.clone()))
    }

    /// Nothing is in flight, no time is awaited and nobody can give an order any more: then waiting would
    /// last for ever, so the run is paused, whatever the setting.
    fn make_sure_of_an_end(&mut self, wake_at_ms: Option<u64>) -> Result<(), RunError> {
        let hopeless = self.tasks.is_empty()
            && wake_at_ms.is_none()
            && !self.orders_open
            && (self.inbox.is_none() || self.wiring.questions == QuestionPolicy::Pause);
        if !hopeless {
            return Ok(());
        }
        if self.wiring.questions == QuestionPolicy::Pause {
            return Err(RunError::Broken("nothing is left to wait for".to_owned()));
        }
        self.wiring.questions = QuestionPolicy::Pause;
        self.engine.set_questions(QuestionPolicy::Pause);
        Ok(())
    }

    /// Waits until something happens, and takes in all that has happened.
    async fn wait(&mut self, wake_at_ms: Option<u64>) -> Result<(), RunError> {
        let happened = self.next(wake_at_ms).await;
        self.moment = self.clock.now();
        self.take_in(happened)?;
        while let Some(done) = self.tasks.try_join_next() {
            self.take_in(Happened::Done(done.ok()))?;
        }
        while let Ok(placed) = self.wiring.orders.try_recv() {
            self.take_in(Happened::Order(Some(placed)))?;
        }
        Ok(())
    }

    async fn next(&mut self, wake_at_ms: Option<u64>) -> Happened {
        if self.nothing_to_wait_for(wake_at_ms) {
            return Happened::Time;
        }
        let wake_at = self.clock.instant(wake_at_ms.unwrap_or(0));
        let news = async {
            match &mut self.mirrors {
                Some(mirrors) => mirrors.news().await,
                None => std::future::pending().await,
            }
        };
        let look = async {
            match &mut self.inbox {
                Some((_, interval)) => {
                    interval.tick().await;
                }
                None => std::future::pending().await,
            }
        };
        // Whichever comes first is taken in with all the others, so none keeps another waiting: the order is
        // only fixed so that a simulation is the same each time.
        tokio::select! {
            biased;
            placed = self.wiring.orders.recv(), if self.orders_open => Happened::Order(placed),
            Some(done) = self.tasks.join_next() => Happened::Done(done.ok()),
            () = tokio::time::sleep_until(wake_at), if wake_at_ms.is_some() => Happened::Time,
            () = look => Happened::Look,
            event = news => Happened::Heard(event),
        }
    }

    fn nothing_to_wait_for(&self, wake_at_ms: Option<u64>) -> bool {
        self.tasks.is_empty() && wake_at_ms.is_none() && !self.orders_open && self.inbox.is_none()
    }

    fn take_in(&mut self, happened: Happened) -> Result<(), RunError> {
        match happened {
            // An aborted task has nothing to tell.
            Happened::Time | Happened::Done(None) => {}
            Happened::Order(None) => self.orders_open = false,
            Happened::Order(Some(placed)) => self.follow(&placed.order, Reply::Channel(placed.reply)),
            Happened::Look => self.look_into_inbox(),
            Happened::Heard(event) => self.heard.push(event),
            Happened::Done(Some((ticket, sight))) => {
                self.running.remove(&ticket.step);
                // Of that nothing is recorded: whoever holds the newer epoch says how the run went on.
                if let Some(error) = sight.overtaken() {
                    return Err(RunError::Overtaken(error.clone()));
                }
                self.engine.saw(&ticket, sight, self.moment.elapsed_ms)?;
            }
        }
        Ok(())
    }

    fn look_into_inbox(&mut self) {
        let Some((inbox, _)) = &self.inbox else { return };
        for (slip, order) in inbox.take() {
            match order {
                Ok(order) => self.follow(&order, Reply::Inbox(slip)),
                Err(refused) => self.answer(Reply::Inbox(slip), Err(refused)),
            }
        }
    }

    fn follow(&mut self, order: &Order, reply: Reply) {
        if order.what == What::Interrupt {
            self.interrupts += 1;
        }
        match self.engine.obey(order, self.moment.elapsed_ms) {
            Ok(()) => self.followed.push(reply),
            Err(refused) => self.answer(reply, Err(refused)),
        }
    }

    fn answer(&self, reply: Reply, answer: Result<(), Refused>) {
        match reply {
            // Whoever asked may have stopped listening.
            Reply::Channel(sender) => drop(sender.map(|sender| sender.send(answer))),
            Reply::Inbox(slip) => {
                if let Some((inbox, _)) = &self.inbox {
                    inbox.answer(&slip, &answer);
                }
            }
        }
    }
}

enum Happened {
    /// A time has come.
    Time,
    /// An order, or the last one who could give any has left.
    Order(Option<Placed>),
    /// The inbox is to be looked into.
    Look,
    /// Something is to be said of a mirror.
    Heard(Event),
    /// An errand is done, or was aborted.
    Done(Option<(Ticket, Sight)>),
}
