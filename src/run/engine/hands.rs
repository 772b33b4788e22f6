//! What this process has in hands: open intents and what becomes of them. Not part of the run's state.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Stage, Trial};
use super::{Engine, check};
use crate::effect::{Effect, ErrorKind, Receipt, Resolution, WorldError};
use crate::run::{Event, Phase};

/// Names one attempt of one effect of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Index of the step.
    pub step: u32,
    /// Direction.
    pub phase: Phase,
    /// Index of the effect in that direction.
    pub effect: u32,
    /// From 1.
    pub attempt: u32,
}

/// What the driver must have the world do.
#[derive(Clone, Debug, PartialEq)]
pub struct Errand {
    /// For which attempt.
    pub ticket: Ticket,
    /// What.
    pub kind: ErrandKind,
    /// The effect, with all values put in.
    pub effect: Effect,
    /// The step's name.
    pub step: String,
    /// The same for every attempt of the same effect of the same run; 32 hex digits, so that it fits
    /// wherever a name or a label does.
    pub key: String,
    /// When to drop it, on the run's clock.
    pub deadline_ms: Option<u64>,
}

/// What an errand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrandKind {
    /// Carry the effect out. Its intent must be durable.
    Perform,
    /// Look whether it was carried out.
    Resolve,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// The actor's answer to `Perform`.
    Performed(Result<Receipt, WorldError>),
    /// The actor's answer to `Resolve`.
    Resolved(Result<Resolution, WorldError>),
    /// The time was up, and the errand was dropped; with the last words of its progress.
    TimedOut(Option<String>),
    /// The code that did it broke down; with what it said.
    Panicked(String),
}

impl Sight {
    /// Why nothing more may be done, if a newer epoch holds the group.
    pub fn overtaken(&self) -> Option<&WorldError> {
        let (Self::Performed(Err(error)) | Self::Resolved(Err(error))) = self else {
            return None;
        };
        (error.kind == ErrorKind::Overtaken).then_some(error)
    }
}

/// An open intent in this process.
#[derive(Clone, Debug)]
pub(super) enum Hand {
    /// Its intent was recorded by this process, and it was not begun.
    Fresh,
    /// Its intent comes from an earlier process.
    Inherited,
    /// It is being carried out.
    Performing,
    /// It must be looked after.
    Doubtful(Doubt),
    /// It is being looked after.
    Looking(Doubt),
    /// It could not be looked after, and is again at this time.
    LookAgain(u64, Doubt),
}

/// Why an effect must be looked after.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) error: WorldError,
    /// It was lost with an earlier process, so a new try does not count against its attempts.
    pub(super) inherited: bool,
    /// How often it was looked after in vain.
    pub(super) looks: u32,
}

/// All open intents with the world, by step: a step has at most one.
#[derive(Clone, Debug, Default)]
pub(super) struct Hands {
    pub(super) by_step: BTreeMap<u32, Hand>,
    /// Those for which an errand is due now.
    pub(super) due: BTreeSet<u32>,
    /// Those to look after again, by time.
    pub(super) looks: BTreeSet<(u64, u32)>,
    /// Folded, and not yet given to the driver to be made durable.
    pub(super) unsaved: Vec<Event>,
    /// Effects that the driver should drop.
    pub(super) abandoned: Vec<u32>,
}

impl Hands {
    /// After a replay: what is open was begun by somebody else.
    pub(super) fn inherit(&mut self) {
        for hand in self.by_step.values_mut() {
            *hand = Hand::Inherited;
        }
        self.abandoned.clear();
    }

    pub(super) fn hold(&mut self, step: u32, hand: Hand) {
        self.drop(step);
        match &hand {
            Hand::Fresh | Hand::Inherited | Hand::Doubtful(_) => {
                self.due.insert(step);
            }
            Hand::LookAgain(at_ms, _) => {
                self.looks.insert((*at_ms, step));
            }
            Hand::Performing | Hand::Looking(_) => {}
        }
        self.by_step.insert(step, hand);
    }

    pub(super) fn drop(&mut self, step: u32) -> Option<Hand> {
        let hand = self.by_step.remove(&step)?;
        self.due.remove(&step);
        if let Hand::LookAgain(at_ms, _) = &hand {
            self.looks.remove(&(*at_ms, step));
        }
        Some(hand)
    }
}

impl Engine {
    /// Keeps what is in hands in step with the state.
    pub(super) fn note_hands(&mut self, event: &Event) {
        let Some(step) = check::step_of(event) else {
            return;
        };
        let running = self.state.track(step).stage == Stage::Running;
        match event {
            Event::Intended { .. } if running => self.hands.hold(step, Hand::Fresh),
            Event::Ended { .. } => {
                let dropped = self.hands.drop(step).map(|_| step);
                self.hands.abandoned.extend(dropped);
            }
            _ if !running => {
                self.hands.drop(step);
            }
            _ => {}
        }
    }

    /// What is in hands for this very attempt.
    pub(super) fn in_hands(&self, ticket: &Ticket) -> Option<&Hand> {
        let track = self.state.tracks.get(ticket.step as usize)?;
        if track.stage != Stage::Running || Ticket::of(ticket.step, track.trial) != *ticket {
            return None;
        }
        self.hands.by_step.get(&ticket.step)
    }
}

impl Ticket {
    pub(super) const fn of(step: u32, trial: Trial) -> Self {
        Self {
            step,
            phase: trial.phase,
            effect: trial.effect,
            attempt: trial.attempt,
        }
    }

    pub(super) const fn intended(self) -> Event {
        Event::Intended {
            step: self.step,
            phase: self.phase,
            effect: self.effect,
            attempt: self.attempt,
        }
    }

    pub(super) fn performed(self, receipt: Receipt) -> Event {
        Event::Performed {
            step: self.step,
            phase: self.phase,
            effect: self.effect,
            attempt: self.attempt,
            receipt: Box::new(receipt),
        }
    }

    pub(super) const fn failed(self, error: WorldError, retry_at_ms: Option<u64>) -> Event {
        Event::Failed {
            step: self.step,
            phase: self.phase,
            effect: self.effect,
            attempt: self.attempt,
            error,
            retry_at_ms,
        }
    }
}
