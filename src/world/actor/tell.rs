//! Performs [`Tell`]. It never fails because of the receiver: what was not delivered is a warning.
//!
//! ## Why
//!
//! - **It tries again by itself**, which no other change does here: the engine must not see a failure, because a failed
//!   step stops a recovery. Every try carries the same id.
//! - **After a lost reply only a receiver that knows ids is told again.** What was refused is not tried again at all.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::World;
use super::pace::rest;
use super::site::missing;
use crate::effect::{Attempt, ErrorKind, Manner, Receipt, Tell, WorldError};
use crate::text::Millis;
use crate::world::port::{Notice, Receiver};

/// For one answer: two of them fit into the time that telling may take, with a rest between them.
const TRY_MS: u64 = 4_000;

/// What four tries do not deliver within ten seconds, a fifth does not either.
const TRIES_MAX: u32 = 4;

/// Before the second try; each rest is twice the one before. A receiver that asks for more patience is given it, as far
/// as there is time.
const FIRST_REST_MS: u64 = 500;

/// Characters of what is told: fewer than the 4,000 that Slack asks for, and nobody reads more on a telephone.
const TEXT_MAX: usize = 3_000;

impl World {
    pub(super) async fn tell(&self, effect: &Tell, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let name = &effect.receiver;
        let (text, cut) = said(effect);
        let mut receipt = if effect.manner == Manner::Rehearsed {
            rehearsed(name, self.would_tell(effect).await)
        } else {
            let notice = Notice {
                id: attempt.key.clone(),
                at: (self.now)(),
                run: attempt.run.clone(),
                step: attempt.step.clone(),
                text,
                drill: effect.manner == Manner::Drill,
            };
            told(name, self.told(name, &notice, attempt).await)
        };
        receipt.warnings.extend(cut);
        if effect.text.as_known().is_none() {
            let gap = "a part of what was to be told is not known, and stands there as it was written";
            receipt.warnings.push(gap.into());
        }
        Ok(receipt)
    }

    /// Whether a receiver could be told, and what was found: for rehearsals.
    pub(super) async fn would_tell(&self, effect: &Tell) -> Result<String, WorldError> {
        let name = &effect.receiver;
        let limit = Duration::from_millis(Tell::LIMIT_MS);
        let answer = timeout(limit, self.receiver(name)?.check()).await;
        answer.unwrap_or_else(|_| Err(silent(name, ErrorKind::Unreachable, Tell::LIMIT_MS)))
    }

    fn receiver(&self, name: &str) -> Result<&dyn Receiver, WorldError> {
        let receiver = self.receivers.get(name);
        receiver
            .map(|one| &**one)
            .ok_or_else(|| missing(name, "receiver"))
    }

    async fn told(&self, name: &str, notice: &Notice, attempt: &Attempt) -> Result<(), WorldError> {
        let receiver = self.receiver(name)?;
        let ends = Instant::now() + Duration::from_millis(Tell::LIMIT_MS);
        let (mut tries, mut rest_ms, mut in_doubt) = (0, FIRST_REST_MS, false);
        loop {
            tries += 1;
            (attempt.progress)(format!("telling {name}"));
            let limit = ends.min(Instant::now() + Duration::from_millis(TRY_MS));
            let answer = timeout_at(limit, receiver.tell(notice)).await;
            let silence = || Err(silent(name, ErrorKind::LostReply, TRY_MS));
            let Err(error) = answer.unwrap_or_else(|_| silence()) else {
                return Ok(());
            };
            in_doubt |= error.kind == ErrorKind::LostReply;
            let wait_ms = error.retry_after_ms.unwrap_or(0).max(rest_ms);
            let next = Instant::now() + Duration::from_millis(wait_ms);
            let safe = error.kind != ErrorKind::LostReply || receiver.knows_repeats();
            if tries == TRIES_MAX || next >= ends || !safe || !error.kind.passing() {
                // Whatever the last try came to: an earlier one may have been heard.
                let kind = if in_doubt {
                    ErrorKind::LostReply
                } else {
                    error.kind
                };
                return Err(WorldError { kind, ..error });
            }
            (attempt.progress)(format!("{error}; trying again"));
            rest(wait_ms).await;
            rest_ms *= 2;
        }
    }
}

fn told(name: &str, answer: Result<(), WorldError>) -> Receipt {
    match answer {
        Ok(()) => Receipt {
            summary: format!("told {name}"),
            ..Receipt::default()
        },
        // Nobody may take this for a refusal: it may have been heard.
        Err(error) if error.kind == ErrorKind::LostReply => {
            loud(format!("WHETHER {name} WAS TOLD IS NOT KNOWN: {}", error.message))
        }
        Err(error) => loud(format!("{name} WAS NOT TOLD: {}", error.message)),
    }
}

fn rehearsed(name: &str, answer: Result<String, WorldError>) -> Receipt {
    let receipt = match answer {
        Ok(found) => Receipt {
            summary: format!("{name} could be told: {found}"),
            ..Receipt::default()
        },
        Err(error) => loud(format!("{name} COULD NOT BE TOLD: {}", error.message)),
    };
    Receipt {
        skipped: vec!["telling: this is a drill".into()],
        ..receipt
    }
}

/// The step has not failed, so its one line on the screen and the report's findings both have to say it.
fn loud(text: String) -> Receipt {
    Receipt {
        summary: text.clone(),
        warnings: vec![text],
        ..Receipt::default()
    }
}

fn silent(name: &str, kind: ErrorKind, limit_ms: u64) -> WorldError {
    WorldError::new(kind, name, format!("no answer within {}", Millis(limit_ms)))
}

/// What is told, and what of it is left out.
fn said(effect: &Tell) -> (String, Option<String>) {
    let mut text = effect.text.to_string();
    if effect.manner == Manner::Drill {
        text.insert_str(0, Tell::DRILL);
    }
    match text.char_indices().nth(TEXT_MAX) {
        None => (text, None),
        Some((end, _)) => {
            let cut = format!("only the first {TEXT_MAX} characters were told");
            (format!("{}…", &text[..end]), Some(cut))
        }
    }
}
