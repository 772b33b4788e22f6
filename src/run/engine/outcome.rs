//! What follows from what the world answered: success, another try, failure, a second look, or unknown.
//!
//! What follows depends on the error's kind and the effect's class, and on nothing else; then the
//! policy's attempts and time are counted.

use super::hands::{Doubt, Hand, Sight, Ticket};
use super::state::effect_of;
use super::{Engine, IllegalEvent};
use crate::effect::{Class, Effect, ErrorKind, Resolution, WorldError};
use crate::run::Event;
use crate::runbook::Policy;
use crate::text::Millis;

/// How long one look after a lost reply may take: three times what a slow API server needs for a read.
pub(super) const LOOK_LIMIT_MS: u64 = 30_000;

/// How often a look is tried that could not be taken. With the longest backoff between them this bridges
/// the restart of an API server; then a person is better than more waiting.
const LOOKS_MAX: u32 = 5;

/// What an error means for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// It may be tried again, if attempts and time are left.
    Retry,
    /// It is not tried again by itself.
    Fail,
    /// It may have been carried out: look.
    Look,
    /// Nothing is carried out before a person has logged in again: the run is paused, and a resume tries it
    /// again.
    Wait,
}

/// The rule. One row per class:
///
/// | class | lost reply | internal fault | other passing | no login | any other |
/// |---|---|---|---|---|---|
/// | read, converge | retry | fail | retry | wait | fail |
/// | guarded | look | look | retry | wait | fail |
/// | once | look | look | fail | fail | fail |
///
/// Without a login nothing is tried again before somebody has logged in. An effect that happens once may consist of
/// several requests, and the first ones may have worked: it fails, and a person orders the retry.
pub(super) const fn follow(class: Class, kind: ErrorKind) -> Follow {
    let in_doubt = matches!(kind, ErrorKind::LostReply | ErrorKind::Internal);
    match class {
        Class::Guarded | Class::Once if in_doubt => Follow::Look,
        Class::Read | Class::Converge | Class::Guarded if matches!(kind, ErrorKind::Unauthenticated) => {
            Follow::Wait
        }
        Class::Read | Class::Converge | Class::Guarded if kind.passing() => Follow::Retry,
        Class::Read | Class::Converge | Class::Guarded | Class::Once => Follow::Fail,
    }
}

impl Engine {
    /// Takes in what came of an errand. What nobody waits for any more is ignored.
    ///
    /// # Errors
    ///
    /// An event that the table forbids: a bug of the engine.
    pub fn saw(&mut self, ticket: &Ticket, sight: Sight, now_ms: u64) -> Result<(), IllegalEvent> {
        let Some(hand) = self.in_hands(ticket).cloned() else {
            return Ok(());
        };
        match (hand, sight) {
            (Hand::Looking(doubt), sight) => self.looked(*ticket, doubt, sight, now_ms),
            (Hand::Performing, Sight::Performed(Ok(receipt))) => self.note(ticket.performed(receipt), now_ms),
            (Hand::Performing, Sight::Performed(Err(error))) => self.went_wrong(*ticket, error, now_ms),
            (Hand::Performing, Sight::TimedOut(last_words)) => {
                let error = self.time_is_up(*ticket, last_words);
                self.went_wrong(*ticket, error, now_ms)
            }
            (Hand::Performing, Sight::Panicked(words)) => {
                let error = self.broke_down(*ticket, words);
                self.went_wrong(*ticket, error, now_ms)
            }
            _ => Ok(()),
        }
    }

    fn went_wrong(&mut self, ticket: Ticket, error: WorldError, now_ms: u64) -> Result<(), IllegalEvent> {
        match follow(self.class_at(ticket), error.kind) {
            Follow::Look => {
                let doubt = Doubt {
                    error,
                    inherited: false,
                    looks: 0,
                };
                self.hands.hold(ticket.step, Hand::Doubtful(doubt));
                Ok(())
            }
            Follow::Retry => {
                let retry_at_ms = self.retry_at_ms(ticket, &error, now_ms);
                self.note(ticket.failed(error, retry_at_ms), now_ms)
            }
            Follow::Wait => self.note(ticket.failed(error, Some(now_ms)), now_ms),
            Follow::Fail => self.note(ticket.failed(error, None), now_ms),
        }
    }

    /// What a look after a doubtful effect found.
    fn looked(
        &mut self,
        ticket: Ticket,
        doubt: Doubt,
        sight: Sight,
        now_ms: u64,
    ) -> Result<(), IllegalEvent> {
        let vain = match sight {
            Sight::Resolved(Ok(Resolution::Done(receipt))) => {
                return self.note(ticket.performed(*receipt), now_ms);
            }
            Sight::Resolved(Ok(Resolution::NotDone)) => {
                let retry_at_ms = self.retry_not_done(ticket, &doubt, now_ms);
                return self.note(ticket.failed(doubt.error, retry_at_ms), now_ms);
            }
            Sight::Resolved(Ok(Resolution::CannotTell(why))) => {
                return self.note(unknown(ticket, doubt.error, why), now_ms);
            }
            Sight::Resolved(Err(error)) => error,
            Sight::TimedOut(_) => WorldError::new(
                ErrorKind::NotYet,
                &doubt.error.target,
                format!("a look took longer than {}", Millis(LOOK_LIMIT_MS)),
            ),
            Sight::Panicked(words) => self.broke_down(ticket, words),
            Sight::Performed(_) => return Ok(()),
        };
        let looks = doubt.looks.saturating_add(1);
        if looks >= LOOKS_MAX || !vain.kind.passing() {
            return self.note(unknown(ticket, doubt.error, vain.to_string()), now_ms);
        }
        let at_ms = now_ms.saturating_add(backoff_ms(&self.planned(ticket.step).policy, looks));
        self.hands
            .hold(ticket.step, Hand::LookAgain(at_ms, Doubt { looks, ..doubt }));
        Ok(())
    }

    /// It was surely not carried out. What was lost with an earlier process does not count as a try.
    fn retry_not_done(&self, ticket: Ticket, doubt: &Doubt, now_ms: u64) -> Option<u64> {
        match self.class_at(ticket) {
            Class::Once => None,
            _ if doubt.inherited => Some(now_ms),
            _ if doubt.error.kind.passing() => self.retry_at_ms(ticket, &doubt.error, now_ms),
            _ => None,
        }
    }

    /// When to try again: `None` when attempts or time are used up.
    fn retry_at_ms(&self, ticket: Ticket, error: &WorldError, now_ms: u64) -> Option<u64> {
        let policy = &self.planned(ticket.step).policy;
        let track = self.state.track(ticket.step);
        let tries = ticket.attempt.saturating_sub(track.forgiven);
        if tries >= policy.attempts {
            return None;
        }
        let wait_ms = backoff_ms(policy, tries).max(error.retry_after_ms.unwrap_or(0));
        let at_ms = now_ms.saturating_add(wait_ms);
        let in_time = track.deadline_ms.is_none_or(|deadline_ms| at_ms < deadline_ms);
        in_time.then_some(at_ms)
    }

    fn class_at(&self, ticket: Ticket) -> Class {
        self.effect_at(ticket)
            .map_or(Class::Once, |effect| self.class(effect))
    }

    fn effect_at(&self, ticket: Ticket) -> Option<&Effect> {
        effect_of(self.planned(ticket.step), self.state.track(ticket.step).trial)
    }

    /// A look that took too long found nothing; anything else may have been carried out.
    fn time_is_up(&self, ticket: Ticket, last_words: Option<String>) -> WorldError {
        let limit = Millis(self.planned(ticket.step).policy.timeout_ms);
        let kind = match self.class_at(ticket) {
            Class::Read => ErrorKind::NotYet,
            Class::Converge | Class::Guarded | Class::Once => ErrorKind::LostReply,
        };
        let last_words = last_words.map_or_else(String::new, |words| format!("; last seen: {words}"));
        let message = format!("the step's {limit} were over{last_words}");
        WorldError::new(kind, self.target(ticket), message)
    }

    fn broke_down(&self, ticket: Ticket, words: String) -> WorldError {
        let mut error = WorldError::new(
            ErrorKind::Internal,
            self.target(ticket),
            "lifeboat itself broke down while doing this",
        );
        error.causes.push(words);
        error.hint("report this as a bug in lifeboat, with the journal")
    }

    fn target(&self, ticket: Ticket) -> String {
        let place = self.effect_at(ticket).map(|effect| effect.meaning().line().place);
        place
            .filter(|place| !place.is_empty())
            .unwrap_or_else(|| self.planned(ticket.step).name.clone())
    }
}

/// Before the try after this many: doubles each time, up to a limit that the runbook's own wish may raise.
fn backoff_ms(policy: &Policy, tries: u32) -> u64 {
    let factor = 2u64.saturating_pow(tries.saturating_sub(1));
    let limit_ms = Policy::BACKOFF_MAX_MS.max(policy.backoff_ms);
    policy.backoff_ms.saturating_mul(factor).min(limit_ms)
}

fn unknown(ticket: Ticket, mut error: WorldError, why: String) -> Event {
    error.causes.push(why);
    Event::Unknown {
        step: ticket.step,
        phase: ticket.phase,
        effect: ticket.effect,
        attempt: ticket.attempt,
        error,
    }
}

/// The doubt about an intent whose process is gone.
pub(super) fn lost_with_its_process() -> Doubt {
    Doubt {
        error: WorldError::new(
            ErrorKind::LostReply,
            "lifeboat",
            "the process that began it ended before it knew how it went",
        ),
        inherited: true,
        looks: 0,
    }
}
