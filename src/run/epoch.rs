//! Who may carry the run of a recovery group: `epochs/<group>/<n>` in the mirrors of journals.
//!
//! A claim is an object that is only ever created, with the number that follows the highest one. So numbers
//! only rise, and of two who claim the same one, the store lets one do it. The holder of the highest claim
//! carries the group's run; a claim stands until that run has ended, by its own journal.
//!
//! ## Why
//!
//! - **No lease and no age.** A process that slept for an hour does not know it, and clocks differ. Who wants
//!   the group of a run that has not ended has to adopt that run, and a person says so.
//! - **A nonce.** After a lost reply the object is read back: is it ours or not? The host and the person could
//!   be the same.
//! - **The mirrors are asked in one order, one after the other**, and the first refusal ends it: of two who
//!   start at once, one has lost at the first mirror that both can see, and takes nothing further.
//! - **The run's first record comes before its claim.** So a claim never names a run that nobody can look at.
//! - **The claim is not looked at before each effect.** Whoever takes a run over writes into its journal, and
//!   that ends the other at its next record, decided by the store and not by an old look.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::mirror::{Fleet, LIST_LIMIT, REQUEST_LIMIT, Shelf, last_record, within};
use super::{Event, Operator, RunId, short_id};
use crate::effect::{ErrorKind, WorldError};
use crate::plan::Digest;

/// Digits of a number in a key, so that keys sort like numbers.
const DIGITS: usize = 10;

/// How often a number is tried again after a request of which nobody knows whether it arrived.
const TRIES: usize = 3;

/// The right to carry a group's run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The epoch.
    pub epoch: u64,
    /// Tells it from every other claim.
    pub nonce: String,
    /// The run.
    pub run: RunId,
    /// Of its plan.
    pub plan: Digest,
    /// The group of the run's journal.
    pub group: String,
    /// Who carries it, where.
    pub operator: Operator,
    /// Since when.
    pub at: Timestamp,
}

/// What is wanted: everything of a claim but its number.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is claimed: a group, or one run that shares nothing with others.
    pub scope: String,
    /// The group of the run's journal.
    pub group: String,
    /// The run.
    pub run: RunId,
    /// Of its plan.
    pub plan: Digest,
    /// Who.
    pub operator: Operator,
    /// Whether the run may be taken from another machine.
    pub adopt: bool,
    /// The highest number that a site was seen to know of the group: ours is higher, even if all mirrors were emptied.
    pub above: u64,
}

/// Why there is no claim.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Denied {
    /// Another run holds the group, or another machine this run.
    #[error("{}", held(.0))]
    Held(Box<Claim>),
    /// Too few mirrors took it.
    #[error("epoch {epoch} is claimed in {got} of the mirrors, and {needed} are needed ({})", .why.join("; "))]
    TooFew {
        /// The number.
        epoch: u64,
        /// So many did.
        got: usize,
        /// So many must.
        needed: usize,
        /// What the others said.
        why: Vec<String>,
    },
}

fn held(claim: &Claim) -> String {
    format!(
        "{} is carried by {} on {} (process {}) since {}, epoch {}",
        claim.run, claim.operator.name, claim.operator.host, claim.operator.pid, claim.at, claim.epoch
    )
}

/// What the mirrors know of a scope.
#[derive(Debug, Default)]
struct Known {
    newest: Option<Claim>,
    /// Of any mirror, also of claims that cannot be read.
    highest: u64,
    silent: Vec<String>,
}

/// Whether the run may be carried, without claiming anything.
///
/// # Errors
///
/// [`Denied::Held`].
pub async fn free(fleet: &Fleet, wanted: &Wanted) -> Result<(), Denied> {
    let known = look(fleet, &wanted.scope).await;
    judge(fleet, wanted, known.newest).await
}

/// Who holds a scope now, by a run that has not ended; with what mirrors said that could not be asked.
pub async fn holder(fleet: &Fleet, scope: &str) -> (Option<Claim>, Vec<String>) {
    let known = look(fleet, scope).await;
    let holds = match known.newest {
        Some(claim) if !has_ended(fleet, &claim).await => Some(claim),
        _ => None,
    };
    (holds, known.silent)
}

/// Claims the next number in the mirrors.
///
/// # Errors
///
/// Somebody else holds it, or too few mirrors took the claim.
pub(in crate::run) async fn take(fleet: &Fleet, wanted: &Wanted, at: Timestamp) -> Result<Claim, Denied> {
    let known = look(fleet, &wanted.scope).await;
    judge(fleet, wanted, known.newest).await?;
    let claim = Claim {
        epoch: known.highest.max(wanted.above) + 1,
        nonce: nonce(),
        run: wanted.run.clone(),
        plan: wanted.plan.clone(),
        group: wanted.group.clone(),
        operator: wanted.operator.clone(),
        at,
    };
    let (mut got, mut why) = (0, known.silent);
    for shelf in &fleet.shelves {
        match place(&**shelf, &wanted.scope, &claim).await {
            Ok(None) => got += 1,
            Ok(Some(other)) => return Err(Denied::Held(Box::new(other))),
            Err(error) => why.push(said(&**shelf, &error)),
        }
    }
    let needed = fleet.release.needed(fleet.shelves.len());
    if got >= needed {
        return Ok(claim);
    }
    why.dedup();
    Err(Denied::TooFew {
        epoch: claim.epoch,
        got,
        needed,
        why,
    })
}

/// The highest claim of all mirrors that answer.
async fn look(fleet: &Fleet, scope: &str) -> Known {
    let mut known = Known::default();
    for shelf in &fleet.shelves {
        match newest(shelf, scope).await {
            Ok(None) => {}
            Ok(Some((epoch, claim))) => {
                if epoch >= known.highest && claim.is_some() {
                    known.newest = claim;
                }
                known.highest = known.highest.max(epoch);
            }
            Err(error) => known.silent.push(said(&**shelf, &error)),
        }
    }
    known
}

async fn newest(shelf: &Arc<dyn Shelf>, scope: &str) -> Result<Option<(u64, Option<Claim>)>, WorldError> {
    let folder = folder(scope);
    let keys = within(&**shelf, LIST_LIMIT, shelf.keys(&folder)).await?;
    let numbers = keys
        .iter()
        .filter_map(|key| key.strip_prefix(&folder)?.parse::<u64>().ok());
    let Some(epoch) = numbers.max() else {
        return Ok(None);
    };
    let key = key(scope, epoch);
    let bytes = within(&**shelf, REQUEST_LIMIT, shelf.read(&key)).await?;
    // What is no claim still uses up its number.
    Ok(Some((epoch, serde_json::from_slice(&bytes).ok())))
}

/// A claim stands until its run has ended; the run itself may go on, on its own machine or adopted.
async fn judge(fleet: &Fleet, wanted: &Wanted, newest: Option<Claim>) -> Result<(), Denied> {
    let Some(claim) = newest else { return Ok(()) };
    let same_machine = claim.operator.host == wanted.operator.host;
    if claim.run == wanted.run && (wanted.adopt || same_machine) {
        return Ok(());
    }
    if claim.run != wanted.run && has_ended(fleet, &claim).await {
        return Ok(());
    }
    Err(Denied::Held(Box::new(claim)))
}

/// Whether any mirror holds the end of a run. What no mirror shows has not ended.
async fn has_ended(fleet: &Fleet, claim: &Claim) -> bool {
    for shelf in &fleet.shelves {
        let last = last_record(&**shelf, &claim.group, &claim.run).await;
        if matches!(last, Ok(Some(entry)) if matches!(entry.event, Event::Finished { .. })) {
            return true;
        }
    }
    false
}

/// Creates the claim in one mirror; `Some`: another one is there.
async fn place(shelf: &dyn Shelf, scope: &str, claim: &Claim) -> Result<Option<Claim>, WorldError> {
    let key = key(scope, claim.epoch);
    let internal =
        |error: serde_json::Error| WorldError::new(ErrorKind::Internal, shelf.name(), error.to_string());
    let bytes = serde_json::to_vec_pretty(claim).map_err(internal)?;
    let mut last = None;
    for _ in 0..TRIES {
        let error = match within(shelf, REQUEST_LIMIT, shelf.create(&key, bytes.clone().into())).await {
            Ok(()) => return Ok(None),
            Err(error) => error,
        };
        if !matches!(error.kind, ErrorKind::Conflict | ErrorKind::LostReply) {
            return Err(error);
        }
        // Ours or not? Only what is there can tell.
        match within(shelf, REQUEST_LIMIT, shelf.read(&key)).await {
            Ok(found) => {
                let other: Claim = serde_json::from_slice(&found).map_err(internal)?;
                return Ok((other.nonce != claim.nonce).then_some(other));
            }
            Err(absent) if absent.kind == ErrorKind::NotFound => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| WorldError::new(ErrorKind::Busy, shelf.name(), "it does not take the claim")))
}

fn folder(scope: &str) -> String {
    format!("epochs/{scope}/")
}

fn key(scope: &str, epoch: u64) -> String {
    format!("epochs/{scope}/{epoch:0DIGITS$}")
}

fn said(shelf: &dyn Shelf, error: &WorldError) -> String {
    format!("{}: {}", shelf.name(), error.message)
}

/// Eighty bits: two claims never have the same one.
fn nonce() -> String {
    (0..4).map(|_| short_id()).collect()
}

#[cfg(test)]
mod tests;
