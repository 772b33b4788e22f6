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
//! - **Looked at again afterwards.** Mirrors that were away differ in their highest number, so two who start at
//!   once may claim different ones. Of two claims in one mirror the later one finds the other, and gives up.
//! - **Only where it was looked before does a claim count**, and not only the newest claim is looked at: above
//!   that of the holder there may be one of somebody who came second.
//! - **The run's first record comes before its claim.** So a claim never names a run that nobody can look at.
//! - **Who carries a run is decided by its journal**, where a released record excludes every other one
//!   ([`Release::excludes`](crate::runbook::Release::excludes)): whoever takes a run up has released one, so a claim of the same
//!   run was made by somebody who can write no further one, or who took it up later. Who yields to the former's claim, as
//!   the former yields to the record, leaves the run to nobody.
//! - **The claim is not looked at before each effect.** Whoever takes a run over writes into its journal, and
//!   that ends the other at its next record, decided by the store and not by an old look.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::mirror::{Fleet, Found, LIST_LIMIT, REQUEST_LIMIT, Shelf, gather, last_record, within};
use super::{Entry, Event, Operator, RunId, short_id};
use crate::effect::{ErrorKind, WorldError};
use crate::plan::Digest;

/// Digits of a number in a key, so that keys sort like numbers.
const DIGITS: usize = 10;

/// How often a number is tried again after a request of which nobody knows whether it arrived.
const TRIES: usize = 3;

/// So many numbers are tried where other processes of the same run are faster: more than ever take one up at once.
const NUMBERS: usize = 8;

/// So many of the newest claims are looked at: more than ever start a group's run in one second.
const RIVALS_MAX: usize = 8;

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
    /// The highest number that a site was seen to know of the group, or that the run's journal tells of: ours is higher, even
    /// if all mirrors were emptied.
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
    /// For each mirror, in the order of the inventory: the numbers that are taken; `None`: it was silent.
    taken: Vec<Option<BTreeSet<u64>>>,
    /// The newest claims, with those that cannot be read left out.
    claims: Vec<Claim>,
    silent: Vec<String>,
}

impl Known {
    /// Of any mirror, also of claims that cannot be read.
    fn highest(&self) -> u64 {
        self.taken.iter().flatten().flatten().copied().max().unwrap_or(0)
    }
}

/// The newest epoch that a run held, by its journal.
#[must_use]
pub fn last_epoch(entries: &[Entry]) -> Option<u64> {
    entries.iter().rev().find_map(|entry| match entry.event {
        Event::Claimed { epoch } => Some(epoch),
        _ => None,
    })
}

/// Whether the run may be carried, without claiming anything.
///
/// # Errors
///
/// [`Denied::Held`].
pub async fn free(fleet: &Fleet, wanted: &Wanted) -> Result<(), Denied> {
    let known = look(fleet, &wanted.scope).await;
    judge(fleet, wanted, known.claims).await
}

/// Who holds a scope now, by a run that has not ended; with what mirrors said that could not be asked.
pub async fn holder(fleet: &Fleet, scope: &str) -> (Option<Claim>, Vec<String>) {
    let known = look(fleet, scope).await;
    let holds = holding(fleet, known.claims.into_iter()).await;
    (holds, known.silent)
}

/// The newest claim of a scope, whether its run has ended or not; with what mirrors said that could not be asked.
pub async fn newest(fleet: &Fleet, scope: &str) -> (Option<Claim>, Vec<String>) {
    let known = look(fleet, scope).await;
    (known.claims.into_iter().next(), known.silent)
}

/// Claims the next number in the mirrors. Of the journal this process has written the last released record.
///
/// # Errors
///
/// Somebody else holds it, or too few mirrors took the claim.
pub(in crate::run) async fn take(fleet: &Fleet, wanted: &Wanted, at: Timestamp) -> Result<Claim, Denied> {
    if !fleet.release.excludes(fleet.shelves.len()) {
        return claim_next(fleet, wanted, at).await;
    }
    let wanted = Wanted {
        adopt: true,
        ..wanted.clone()
    };
    for _ in 1..NUMBERS {
        match claim_next(fleet, &wanted, at).await {
            Err(Denied::Held(faster)) if faster.run == wanted.run => {}
            end => return end,
        }
    }
    claim_next(fleet, &wanted, at).await
}

async fn claim_next(fleet: &Fleet, wanted: &Wanted, at: Timestamp) -> Result<Claim, Denied> {
    let known = look(fleet, &wanted.scope).await;
    let epoch = known.highest().max(wanted.above) + 1;
    judge(fleet, wanted, known.claims).await?;
    let needed = fleet.release.needed(fleet.shelves.len());
    let heard = known.taken.iter().flatten().count();
    let too_few = |got, mut why: Vec<String>| {
        why.dedup();
        Denied::TooFew {
            epoch,
            got,
            needed,
            why,
        }
    };
    if heard < needed {
        return Err(too_few(0, known.silent));
    }
    let claim = Claim {
        epoch,
        nonce: nonce(),
        run: wanted.run.clone(),
        plan: wanted.plan.clone(),
        group: wanted.group.clone(),
        operator: wanted.operator.clone(),
        at,
    };
    let (mut got, mut why) = (0, known.silent);
    for (shelf, taken) in fleet.shelves.iter().zip(&known.taken) {
        match place(&**shelf, &wanted.scope, &claim).await {
            // Where nobody looked before, an older claim may be that nobody has heard of.
            Ok(None) => got += usize::from(taken.is_some()),
            Ok(Some(other)) => return Err(Denied::Held(Box::new(other))),
            Err(error) => why.push(said(&**shelf, &error)),
        }
    }
    if got < needed {
        return Err(too_few(got, why));
    }
    overtaken(fleet, wanted, &known.taken, &claim).await?;
    Ok(claim)
}

/// Refuses where somebody claimed another number since the mirrors were looked at.
async fn overtaken(
    fleet: &Fleet,
    wanted: &Wanted,
    before: &[Option<BTreeSet<u64>>],
    claim: &Claim,
) -> Result<(), Denied> {
    let (mut heard, mut why, mut rivals) = (0, Vec::new(), Vec::new());
    for (shelf, before) in fleet.shelves.iter().zip(before) {
        let Some(before) = before else { continue };
        match numbers(shelf, &wanted.scope).await {
            Ok(now) => {
                heard += 1;
                let new = now
                    .into_iter()
                    .filter(|epoch| *epoch != claim.epoch && !before.contains(epoch));
                for epoch in new {
                    rivals.extend(read(shelf, &wanted.scope, epoch).await.ok().flatten());
                }
            }
            Err(error) => why.push(said(&**shelf, &error)),
        }
    }
    judge(fleet, wanted, rivals).await?;
    let needed = fleet.release.needed(fleet.shelves.len());
    if heard >= needed {
        return Ok(());
    }
    Err(Denied::TooFew {
        epoch: claim.epoch,
        got: heard,
        needed,
        why,
    })
}

/// The claims of all mirrors that answer.
async fn look(fleet: &Fleet, scope: &str) -> Known {
    let mut known = Known::default();
    for shelf in &fleet.shelves {
        match numbers(shelf, scope).await {
            Ok(numbers) => known.taken.push(Some(numbers)),
            Err(error) => {
                known.taken.push(None);
                known.silent.push(said(&**shelf, &error));
            }
        }
    }
    let all: BTreeSet<u64> = known.taken.iter().flatten().flatten().copied().collect();
    for epoch in all.into_iter().rev().take(RIVALS_MAX) {
        for at in 0..fleet.shelves.len() {
            let (Some(shelf), Some(Some(taken))) = (fleet.shelves.get(at), known.taken.get(at)) else {
                continue;
            };
            if !taken.contains(&epoch) {
                continue;
            }
            match read(shelf, scope, epoch).await {
                Ok(claim) => known.claims.extend(claim),
                Err(error) => {
                    // What cannot be read may be anybody's.
                    known.silent.push(said(&**shelf, &error));
                    known.taken[at] = None;
                }
            }
        }
    }
    known
}

/// The numbers that are taken in one mirror.
async fn numbers(shelf: &Arc<dyn Shelf>, scope: &str) -> Result<BTreeSet<u64>, WorldError> {
    let folder = folder(scope);
    let keys = within(&**shelf, LIST_LIMIT, shelf.keys(&folder)).await?;
    let numbers = keys
        .iter()
        .filter_map(|key| key.strip_prefix(&folder)?.parse::<u64>().ok());
    Ok(numbers.collect())
}

/// One claim; `None`: what is there is none, and still uses up its number.
async fn read(shelf: &Arc<dyn Shelf>, scope: &str, epoch: u64) -> Result<Option<Claim>, WorldError> {
    let key = key(scope, epoch);
    let bytes = within(&**shelf, REQUEST_LIMIT, shelf.read(&key)).await?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// A claim stands until its run has ended; the run itself may go on, on its own machine or adopted.
async fn judge(fleet: &Fleet, wanted: &Wanted, claims: Vec<Claim>) -> Result<(), Denied> {
    let mut own = claims.iter().filter(|claim| claim.run == wanted.run);
    // Claims come newest first: who took the run over last has it.
    if let Some(claim) = own.next()
        && !wanted.adopt
        && claim.operator.host != wanted.operator.host
    {
        return Err(Denied::Held(Box::new(claim.clone())));
    }
    let others = claims.into_iter().filter(|claim| claim.run != wanted.run);
    match holding(fleet, others).await {
        Some(claim) => Err(Denied::Held(Box::new(claim))),
        None => Ok(()),
    }
}

/// The first claim, newest first, whose run has not ended: above it there may be those of others who came second and
/// gave up.
async fn holding(fleet: &Fleet, claims: impl Iterator<Item = Claim>) -> Option<Claim> {
    let mut ended = BTreeSet::new();
    for claim in claims {
        if ended.contains(&claim.run) {
            continue;
        }
        if !has_ended(fleet, &claim).await {
            return Some(claim);
        }
        ended.insert(claim.run);
    }
    None
}

/// Whether a run has ended: as many mirrors hold its end as a release takes, or all that hold anything of it, and none
/// goes on differently. One alone may hold an end that was never released: of a process that died while it wrote it, after which
/// another one can still go on from the others; or of one that had lost the run and did not know it.
async fn has_ended(fleet: &Fleet, claim: &Claim) -> bool {
    let (mut heard, mut newest) = (0, Vec::new());
    for shelf in &fleet.shelves {
        if let Ok(last) = last_record(&**shelf, &claim.group, &claim.run).await {
            heard += 1;
            newest.extend(last);
        }
    }
    let is_end = |entry: &Entry| matches!(entry.event, Event::Finished { .. });
    let ends = newest.iter().filter(|entry| is_end(entry)).count();
    let released = ends >= fleet.release.needed(fleet.shelves.len());
    // Mirrors that were added or emptied since hold nothing, and nobody goes on from nothing.
    let by_all = ends == newest.len() && heard == fleet.shelves.len();
    if ends == 0 || !(released || by_all) {
        return false;
    }
    if newest.windows(2).all(|pair| pair[0] == pair[1]) {
        return true;
    }
    // Some are late, or they tell different stories: only the whole of them shows which.
    let found = gather(fleet, &claim.group, &claim.run).await;
    // An end that was chosen among others is none before it is released.
    let ended = |found: Found| found.chosen.is_none() && found.history.entries.last().is_some_and(is_end);
    found.is_ok_and(ended)
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
