//! The driver's side of the mirrors: nothing is begun before its intent is released.
//!
//! ## Why what is in flight ends first
//!
//! When mirrors fail, what is under way is not the worse for it: its outcomes are recorded here, and the
//! mirrors get them later. To drop it would leave more in doubt than there is.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Driver, Ended, Happened, Placed, RunError};
use crate::effect::ErrorKind;
use crate::run::epoch::{self, Claim, Denied};
use crate::run::mirror::{NotReleased, PATIENCE, Unreleased};
use crate::run::{Event, Order, What};

/// Who pauses a run when nobody did.
const MYSELF: &str = "lifeboat";

enum Waited {
    Released(Result<(), NotReleased>),
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
            Ok(claim) => self.fence_and_go_on(&claim).await,
            Err(denied) => {
                let of_another = matches!(&denied, Denied::Held(claim) if claim.run != wanted.run);
                if self.unclaimed && of_another {
                    let order = Order {
                        by: MYSELF.to_owned(),
                        reason: denied.to_string(),
                        what: What::Stop,
                        seen: None,
                        from: None,
                    };
                    let _ = self.engine.obey(&order, self.moment.elapsed_ms);
                    self.turn_after_turn().await?;
                }
                Err(RunError::Denied(denied))
            }
        }
    }

    /// The sites have to refuse older epochs before the first effect. Where that cannot be had, the run waits.
    async fn fence_and_go_on(&mut self, claim: &Claim) -> Result<Ended, RunError> {
        let raised = match &self.fence {
            Some(fence) => fence.raise(claim).await,
            None => Ok(BTreeMap::new()),
        };
        self.moment = self.clock.now();
        let epoch = claim.epoch;
        let error = match raised {
            Ok(fences) => {
                self.heard.push(Event::Claimed { epoch, fences });
                return self.turn_after_turn().await;
            }
            Err(error) if error.kind == ErrorKind::Overtaken => return Err(RunError::Overtaken(error)),
            Err(error) => error,
        };
        self.heard.push(Event::Claimed {
            epoch,
            fences: BTreeMap::from([(error.target.clone(), error.message.clone())]),
        });
        let order = Order {
            by: MYSELF.to_owned(),
            reason: format!("the fence is not raised: {error}"),
            what: What::Pause,
            seen: None,
            from: None,
        };
        // A run that is paused already needs no further pause.
        let _ = self.engine.obey(&order, self.moment.elapsed_ms);
        self.turn_after_turn().await?;
        Err(RunError::NotFenced(error))
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
        let order = Order {
            by: MYSELF.to_owned(),
            reason: why.to_string(),
            what: What::Pause,
            seen: None,
            from: None,
        };
        self.moment = self.clock.now();
        // A run that is paused already, or has ended, needs no further pause.
        let _ = self.engine.obey(&order, self.moment.elapsed_ms);
        self.held_back = Some(why);
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
