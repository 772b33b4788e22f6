//! Performs [`Tell`]. It never fails because of the receiver: what was not delivered is a warning.
//!
//! ## Why
//!
//! It tries again by itself, which no other change does here: the engine must not see a failure, because a failed step
//! stops a recovery. What was refused is not tried again; everything else is, within the time that telling may take.

use std::time::Duration;

use super::World;
use super::pace::rest;
use super::site::missing;
use crate::effect::{Attempt, ErrorKind, Manner, Receipt, Tell, WorldError};
use crate::text::Millis;
use crate::world::port::{Notice, Receiver};

/// Between two tries, unless the receiver asks for more patience.
const REST_MS: u64 = 1_000;

/// Characters of what is told. Slack cuts at about so many, and nobody reads more on a telephone.
const TEXT_MAX: usize = 3_000;

impl World {
    pub(super) async fn tell(&self, effect: &Tell, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let name = &effect.receiver;
        let (text, cut) = said(effect);
        let notice = Notice {
            id: attempt.key.clone(),
            at: (self.now)(),
            run: attempt.run.clone(),
            step: attempt.step.clone(),
            text,
            drill: effect.manner == Manner::Drill,
        };
        let (done, undone, answer) = if effect.manner == Manner::Rehearsed {
            (format!("{name} could be told"), "could not be told", self.tried(name).await)
        } else {
            (format!("told {name}"), "was not told", self.told(name, &notice, attempt).await)
        };
        let mut receipt = Receipt::default();
        match answer {
            Ok(()) => receipt.summary = done,
            // Nobody may take this for a refusal: it may have been heard.
            Err(error) if error.kind == ErrorKind::LostReply && effect.manner != Manner::Rehearsed => {
                receipt.summary = format!("whether {name} was told is not known");
                receipt.warnings.push(format!("{}: {}", receipt.summary, error.message));
            }
            Err(error) => {
                receipt.summary = format!("{name} {undone}");
                receipt.warnings.push(format!("{name} {}: {}", undone.to_uppercase(), error.message));
            }
        }
        if effect.manner == Manner::Rehearsed {
            receipt.skipped.push("telling: this is a drill".into());
        }
        receipt.warnings.extend(cut);
        if effect.text.as_known().is_none() {
            let gap = "a part of what was to be told is not known, and stands there as it was written";
            receipt.warnings.push(gap.into());
        }
        Ok(receipt)
    }

    /// Whether a receiver could be told: for a rehearsal.
    pub(super) async fn would_tell(&self, effect: &Tell) -> Result<(), WorldError> {
        self.tried(&effect.receiver).await
    }

    fn receiver(&self, name: &str) -> Result<&dyn Receiver, WorldError> {
        let receiver = self.receivers.get(name);
        receiver.map(|one| &**one).ok_or_else(|| missing(name, "receiver"))
    }

    async fn tried(&self, name: &str) -> Result<(), WorldError> {
        let receiver = self.receiver(name)?;
        let limit = Duration::from_millis(Tell::LIMIT_MS);
        let answer = tokio::time::timeout(limit, receiver.check()).await;
        answer.unwrap_or_else(|_| Err(too_late(name, ErrorKind::Unreachable)))
    }

    async fn told(&self, name: &str, notice: &Notice, attempt: &Attempt) -> Result<(), WorldError> {
        let receiver = self.receiver(name)?;
        // What is open when the time is up: whether an earlier try was heard after all.
        let doubt = std::sync::Mutex::new(too_late(name, ErrorKind::LostReply));
        let tries = async {
            let mut in_doubt = false;
            loop {
                (attempt.progress)(format!("telling {name}"));
                let error = match receiver.tell(notice).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
                in_doubt |= error.kind == ErrorKind::LostReply;
                if !error.kind.passing() {
                    return Err(error);
                }
                (attempt.progress)(format!("{error}; trying again"));
                let wait_ms = error.retry_after_ms.unwrap_or(0).max(REST_MS);
                let kind = if in_doubt { ErrorKind::LostReply } else { error.kind };
                if let Ok(mut last) = doubt.lock() {
                    *last = WorldError { kind, ..error };
                }
                rest(wait_ms).await;
            }
        };
        let limit = Duration::from_millis(Tell::LIMIT_MS);
        match tokio::time::timeout(limit, tries).await {
            Ok(answer) => answer,
            Err(_) => Err(doubt.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)),
        }
    }
}

fn too_late(name: &str, kind: ErrorKind) -> WorldError {
    let message = format!("no answer within {}", Millis(Tell::LIMIT_MS));
    WorldError::new(kind, name, message)
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
