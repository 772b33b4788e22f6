//! Which open intents the world must be told of, and with which values put in.

use sha2::{Digest as _, Sha256};

use super::Engine;
use super::hands::{Errand, ErrandKind, Hand, Ticket};
use super::outcome::{LOOK_LIMIT_MS, lost_with_its_process};
use super::state::effect_of;
use crate::effect::{Class, Effect, ErrorKind, WorldError};
use crate::run::id::hex;
use crate::run::{Event, Phase, RunId};
use crate::text::{Piece, Text};

/// What is due for open intents.
pub(super) enum Next {
    Errand(Box<Errand>),
    Event(Box<Event>),
    Nothing,
}

impl Engine {
    /// The next errand; or the failure of an effect whose values are not known.
    pub(super) fn next_errand(&mut self, now_ms: u64) -> Next {
        let Some(&step) = self.hands.due.first() else {
            return self.look_again(now_ms);
        };
        let Some(hand) = self.hands.by_step.get(&step).cloned() else {
            self.hands.due.remove(&step);
            return self.next_errand(now_ms);
        };
        let track = self.state.track(step);
        let ticket = Ticket::of(step, track.trial);
        let effect = match self.bound(ticket) {
            Ok(effect) => effect,
            Err(error) => return Next::Event(Box::new(ticket.failed(error, None))),
        };
        let (hand, kind) = match hand {
            Hand::Inherited if !is_repeatable(self.class(&effect)) => {
                (Hand::Looking(lost_with_its_process()), ErrandKind::Resolve)
            }
            Hand::Doubtful(doubt) | Hand::Looking(doubt) | Hand::LookAgain(_, doubt) => {
                (Hand::Looking(doubt), ErrandKind::Resolve)
            }
            Hand::Fresh | Hand::Inherited | Hand::Performing => (Hand::Performing, ErrandKind::Perform),
        };
        let deadline_ms = match kind {
            ErrandKind::Perform => track.deadline_ms,
            ErrandKind::Resolve => Some(now_ms.saturating_add(LOOK_LIMIT_MS)),
        };
        self.hands.hold(step, hand);
        Next::Errand(Box::new(Errand {
            ticket,
            kind,
            effect,
            step: self.planned(step).name.clone(),
            key: key(&self.beginning.run, &self.planned(step).name, ticket),
            deadline_ms,
        }))
    }

    fn look_again(&mut self, now_ms: u64) -> Next {
        match self.hands.looks.first() {
            Some(&(at_ms, step)) if at_ms <= now_ms => {
                if let Some(Hand::LookAgain(_, doubt)) = self.hands.drop(step) {
                    self.hands.hold(step, Hand::Doubtful(doubt));
                }
                self.next_errand(now_ms)
            }
            _ => Next::Nothing,
        }
    }

    /// The effect of an attempt with outputs of earlier steps and namespaces put in.
    fn bound(&self, ticket: Ticket) -> Result<Effect, WorldError> {
        let planned = self.planned(ticket.step);
        let trial = self.state.track(ticket.step).trial;
        let Some(effect) = effect_of(planned, trial) else {
            return Err(WorldError::new(
                ErrorKind::Internal,
                &planned.name,
                "the plan has no such effect",
            ));
        };
        let mut effect = effect.clone();
        let bears_gaps = effect.meaning().bears_gaps();
        for text in effect.meaning_mut().late() {
            self.put_in(text);
            if text.as_known().is_none() && !bears_gaps {
                return Err(not_known(&planned.name, text));
            }
        }
        Ok(effect)
    }

    /// Puts in what is known by now.
    pub(super) fn put_in(&self, text: &mut Text) {
        let plan = &self.beginning.plan;
        text.bind(|piece| match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Output { step, name } => self.state.outputs.get(step)?.get(name).cloned(),
            Piece::Namespace(name) => {
                let inside = plan
                    .sandbox
                    .as_ref()
                    .and_then(|sandbox| sandbox.namespaces.get(name));
                Some(inside.unwrap_or(name).clone())
            }
        });
    }
}

/// Whether performing an effect a second time is harmless by itself.
const fn is_repeatable(class: Class) -> bool {
    matches!(class, Class::Read | Class::Converge)
}

/// Short enough for a label, the same on every machine, different for different effects.
fn key(run: &RunId, step: &str, ticket: Ticket) -> String {
    let phase = match ticket.phase {
        Phase::Forward => "forward",
        Phase::Undo => "undo",
    };
    let name = format!("{run}\n{step}\n{phase}\n{}", ticket.effect);
    hex(&Sha256::digest(name.as_bytes())[..16])
}

fn not_known(step: &str, text: &Text) -> WorldError {
    let message = format!("`{text}` is not known: the step that should have told it did not");
    WorldError::new(ErrorKind::NotFound, step, message)
        .hint("run the named step in lifeboat instead of marking it as done, or skip this one")
}
