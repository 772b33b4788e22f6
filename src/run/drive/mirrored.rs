//! The driver's side of the mirrors: nothing is begun before its intent is released.
//!
//! ## Why what is in flight ends first
//!
//! When mirrors fail, what is under way is not the worse for it: its outcomes are recorded here, and the
//! mirrors get them later. To drop it would leave more in doubt than there is.
//!
//! ## Why a plan is compared with the world once more
//!
//! It was made, and perhaps read by a person, before the group was held. Whoever held it until then may have changed
//! what the plan was made from. From the claim on nobody else of the group begins anything: so that is the moment. It
//! comes before the fence, so that the sites are asked by whoever they were asked by when the plan was made. A run that
//! has begun an effect is not judged: what it finds is its own work.
//!
//! ## Why the claim is a released record before a fence is raised
//!
//! Somebody may take the run up between our last record and our claim, claim before us, and go on. The fence would stop them
//! at their sites, and their record us: nobody would go on. With a record between claim and fence, epochs that reach a site
//! rise as the journal grows.

use std::time::Duration;

use tokio::time::Instant;

use super::{Driver, Ended, Happened, Placed, RunError};
use crate::effect::ErrorKind;
use crate::plan::{Change, contradictions};
use crate::run::engine::LIFEBOAT;
use crate::run::epoch::{self, Claim, Denied};
use crate::run::mirror::{NotReleased, PATIENCE, Unreleased};
use crate::run::{Event, Order, What};

/// How often the world is asked whether the plan still holds, where somebody does not answer who did: one lost packet
/// must not end a run, and whoever stays silent for longer is no more what the plan was made from.
const ASKED: u32 = 3;

/// How long to wait in between.
const SILENCE: Duration = Duration::from_secs(2);

enum Waited {
    Released(Result<(), NotReleased>),
    Order(Option<Placed>),
}

enum Judged {
    Changes(Vec<Change>),
    Order(Option<Placed>),
}

impl Driver {
    /// Waits until the mirrors hold what the journal holds, as their rule asks. If they do not within the
    /// time, the run is held back; who presses Ctrl-C twice meanwhile need not wait.
    pub(super) async fn release(&mut self) -> Result<(), RunError> {
        let (Some(mirrors), Some(journal)) = (&mut self.mirrors, &self.journal) else {
            return Ok(());
        };
        mirrors.advance(journal.head());
        if self.held_back.is_some() {
            return Ok(());
        }
        let until = Instant::now() + PATIENCE;
        while self.interrupts < 2 {
            match self.wait_for_release(until).await {
                Waited::Released(Ok(())) => return Ok(()),
                Waited::Released(Err(NotReleased::Taken(taken))) => return Err(RunError::Superseded(taken)),
                Waited::Released(Err(NotReleased::TooFew(why))) => {
                    self.hold_back(why);
                    return Ok(());
                }
                Waited::Order(placed) => self.take_in(Happened::Order(placed))?,
            }
        }
        Ok(())
    }

    /// First the right to carry the run, then the run. A run of which nothing was done and that may not go on is
    /// ended, so that it stands in nobody's way: its claim may be newer than that of who holds the group. Not if
    /// another machine carries this very run: it has not ended.
    pub(super) async fn claim_and_go_on(&mut self) -> Result<Ended, RunError> {
        let Some((fleet, wanted)) = self.claim.take() else {
            return self.turn_after_turn().await;
        };
        match epoch::take(&fleet, &wanted, self.moment.at).await {
            Ok(claim) => {
                self.heard.push(Event::Claimed { epoch: claim.epoch });
                match self.changes().await? {
                    _ if self.interrupts > 1 => Ok(Ended::Interrupted),
                    changes if changes.is_empty() => self.fence_and_go_on(&claim).await,
                    changes => self.end_as_stale(changes).await,
                }
            }
            Err(denied) => {
                let of_another = matches!(&denied, Denied::Held(claim) if claim.run != wanted.run);
                if self.unclaimed && of_another {
                    self.order_myself(What::Stop, denied.to_string());
                    self.turn_after_turn().await?;
                }
                Err(RunError::Denied(denied))
            }
        }
    }

    /// The sites have to refuse older epochs before the first effect. Where that cannot be had, the run waits.
    async fn fence_and_go_on(&mut self, claim: &Claim) -> Result<Ended, RunError> {
        self.moment = self.clock.now();
        let Some(fence) = self.fence.take() else {
            return self.turn_after_turn().await;
        };
        let claimed = self.take_news_down()?;
        self.save(claimed).await?;
        if let Some(end) = self.end_before_the_first_turn() {
            return end;
        }
        let raised = fence.raise(claim).await;
        self.moment = self.clock.now();
        let error = match raised {
            Ok(fences) => {
                let raised = (!fences.is_empty()).then_some(Event::FencesRaised { fences });
                self.heard.extend(raised);
                return self.turn_after_turn().await;
            }
            Err(error) if error.kind == ErrorKind::Overtaken => return Err(RunError::Overtaken(error)),
            Err(error) => error,
        };
        self.order_myself(What::Pause, format!("the fence is not raised: {error}"));
        self.write_down().await?;
        Err(RunError::NotFenced(error))
    }

    /// Makes durable what was heard and decided, and begins nothing of it: neither what would come next, nor what an
    /// earlier process left open. Even a look at that may end in doing it again.
    async fn write_down(&mut self) -> Result<(), RunError> {
        let mut events = self.take_news_down()?;
        events.append(&mut self.engine.commands(self.moment.elapsed_ms)?.record);
        self.save(events).await
    }

    /// A run whose plan does not hold any more is ended before it has done anything, so that another plan can be made
    /// and begun at once.
    async fn end_as_stale(&mut self, changes: Vec<Change>) -> Result<Ended, RunError> {
        self.moment = self.clock.now();
        let error = RunError::Stale(changes);
        self.order_myself(What::Stop, error.to_string());
        self.turn_after_turn().await?;
        Err(error)
    }

    /// What is not as it was when the plan was made. Who presses Ctrl-C twice meanwhile need not wait.
    async fn changes(&mut self) -> Result<Vec<Change>, RunError> {
        if !self.judges {
            return Ok(Vec::new());
        }
        let (actor, plan) = (self.wiring.actor.clone(), self.engine.plan().clone());
        let mut asking = Box::pin(async move {
            let mut changes = contradictions(&plan, &*actor).await;
            for _ in 1..ASKED {
                if !changes.iter().any(Change::is_silence) {
                    break;
                }
                tokio::time::sleep_until(Instant::now() + SILENCE).await;
                changes = contradictions(&plan, &*actor).await;
            }
            changes
        });
        while self.interrupts < 2 {
            let judged = tokio::select! {
                biased;
                changes = &mut asking => Judged::Changes(changes),
                placed = self.wiring.orders.recv(), if self.orders_open => Judged::Order(placed),
            };
            match judged {
                Judged::Changes(changes) => return Ok(changes),
                Judged::Order(placed) => {
                    self.moment = self.clock.now();
                    self.take_in(Happened::Order(placed))?;
                }
            }
        }
        Ok(Vec::new())
    }

    async fn wait_for_release(&mut self, until: Instant) -> Waited {
        let Some(mirrors) = &mut self.mirrors else {
            return Waited::Released(Ok(()));
        };
        tokio::select! {
            biased;
            released = mirrors.released(until) => Waited::Released(released),
            placed = self.wiring.orders.recv(), if self.orders_open => Waited::Order(placed),
        }
    }

    /// Nothing new is begun any more, and the journal says why.
    fn hold_back(&mut self, why: Unreleased) {
        self.moment = self.clock.now();
        self.order_myself(What::Pause, why.to_string());
        self.held_back = Some(why);
    }

    /// What people order too, from ourselves. It may be refused: a run that is paused already, or that somebody has ended
    /// meanwhile, needs it no more.
    fn order_myself(&mut self, what: What, reason: String) {
        let order = Order {
            by: LIFEBOAT.to_owned(),
            reason,
            what,
            seen: None,
            from: None,
        };
        let _ = self.engine.obey(&order, self.moment.elapsed_ms);
    }

    /// What is to be said of mirrors, for the journal.
    pub(super) fn take_news_down(&mut self) -> Result<Vec<Event>, RunError> {
        let heard = std::mem::take(&mut self.heard);
        for event in &heard {
            self.engine.record(event, self.moment.elapsed_ms)?;
        }
        Ok(heard)
    }

    /// Lets late mirrors get what they can, and says what they lack.
    pub(super) async fn leave_mirrors(&mut self, end: &Result<Ended, RunError>) {
        let in_haste = matches!(end, Ok(Ended::Interrupted) | Err(_));
        let Some(mirrors) = self.mirrors.take() else {
            return;
        };
        let lags = if in_haste {
            mirrors.lags()
        } else {
            mirrors.settle().await
        };
        for lag in lags {
            self.wiring.watch.left_behind(&lag);
        }
    }
}
