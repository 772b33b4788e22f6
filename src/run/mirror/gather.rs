//! The best of what several mirrors hold of a run, for whoever has no journal of it.

use std::fmt;
use std::sync::Arc;

use futures::future::join_all;

use super::survey::{Reading, Unusable, check, fetch_all};
use super::{Head, Shelf, records};
use crate::effect::WorldError;
use crate::run::journal::History;
use crate::run::{Entry, RunId};
use crate::runbook::Release;

/// What the disk is called, among mirrors, of the machine that carried a run and is gone.
pub const MACHINE: &str = "machine";

/// A journal that was put together from mirrors.
#[derive(Clone, Debug)]
pub struct Found {
    /// As the local file would be.
    pub bytes: Vec<u8>,
    /// The same, read.
    pub history: History,
    /// The mirror that it comes from: the first of those that hold most.
    pub from: String,
    /// What each mirror holds, in the order of the inventory.
    pub fates: Vec<(String, Fate)>,
}

/// What became of a run's journal in one mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It holds this much of it, all of it good.
    Holds(Head),
    /// It is not whole, or not of this run; as a fragment.
    Damaged(String),
    /// It could not be read.
    Unread(WorldError),
}

/// No mirror gives a journal that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Two mirrors hold journals that go on differently from this record.
    Forked {
        /// One mirror.
        one: String,
        /// The other.
        other: String,
        /// The first record in which they differ.
        record: u64,
    },
    /// None holds anything of it that is good.
    Nowhere(Vec<(String, Fate)>),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(Head { records: 0, .. }) => f.write_str("holds nothing of it"),
            Self::Holds(head) => write!(f, "holds {} records", head.records),
            Self::Damaged(why) => write!(f, "is damaged and not used: {why}"),
            Self::Unread(error) => write!(f, "cannot be read: {}", error.message),
        }
    }
}

impl Found {
    /// Places that are missing to know that this is everything from which something may have followed: mirrors
    /// that could not be read, where too few could, and [`MACHINE`] where no mirror had to hold it. None: it
    /// is known.
    pub fn in_doubt(&self, release: Release) -> Vec<&str> {
        let read = self
            .fates
            .iter()
            .filter(|(_, fate)| matches!(fate, Fate::Holds(_)));
        let enough = release
            .to_read(self.fates.len())
            .is_some_and(|needed| read.count() >= needed);
        if enough {
            return Vec::new();
        }
        let lacking = self
            .fates
            .iter()
            .filter(|(_, fate)| !matches!(fate, Fate::Holds(_)));
        let machine = (release.needed(self.fates.len()) == 0).then_some(MACHINE);
        lacking.map(|(name, _)| name.as_str()).chain(machine).collect()
    }
}

/// Reads all mirrors at once and takes the longest good journal.
///
/// # Errors
///
/// None holds one, or two hold different ones.
pub async fn gather(shelves: &[Arc<dyn Shelf>], group: &str, run: &RunId) -> Result<Found, Lost> {
    let fetched = join_all(shelves.iter().map(|shelf| fetch_all(&**shelf, group, run))).await;
    let mut best: Option<(String, Reading)> = None;
    let mut fates = Vec::new();
    for (shelf, fetched) in shelves.iter().zip(fetched) {
        let name = shelf.name().to_owned();
        let fate = match fetched {
            Ok(None) => Fate::Holds(Head::default()),
            // Mostly all mirrors hold the same: what was read once need not be read again.
            Ok(Some(bytes)) if best.as_ref().is_some_and(|(_, best)| best.bytes == bytes) => {
                Fate::Holds(Head {
                    records: records(&bytes),
                    bytes: bytes.len() as u64,
                })
            }
            Ok(Some(bytes)) => match check(bytes, run) {
                Ok(reading) => {
                    let head = reading.head();
                    best = Some(longer(best, (name.clone(), reading))?);
                    Fate::Holds(head)
                }
                Err(unusable) => of_no_use(unusable),
            },
            Err(unusable) => of_no_use(unusable),
        };
        fates.push((name, fate));
    }
    match best {
        Some((from, reading)) => Ok(Found {
            bytes: reading.bytes,
            history: reading.history,
            from,
            fates,
        }),
        None => Err(Lost::Nowhere(fates)),
    }
}

fn of_no_use(unusable: Unusable) -> Fate {
    match unusable {
        Unusable::Damaged(why) => Fate::Damaged(why),
        Unusable::Unread(error) => Fate::Unread(error),
    }
}

/// One of two good journals has to be the beginning of the other.
fn longer(best: Option<(String, Reading)>, new: (String, Reading)) -> Result<(String, Reading), Lost> {
    let Some(best) = best else { return Ok(new) };
    let record = parting(&best.1.history.entries, &new.1.history.entries);
    match record {
        Some(record) => Err(Lost::Forked {
            one: best.0,
            other: new.0,
            record,
        }),
        None if new.1.bytes.len() > best.1.bytes.len() => Ok(new),
        None => Ok(best),
    }
}

/// The first record that both have and that is not the same.
fn parting(one: &[Entry], other: &[Entry]) -> Option<u64> {
    let at = one.iter().zip(other).position(|(one, other)| one != other)?;
    Some(at as u64)
}
