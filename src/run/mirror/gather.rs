//! The best of what several mirrors hold of a run, for whoever has no journal of it.

use std::fmt;

use futures::future::join_all;

use super::stories::judge;
use super::survey::{Reading, Unusable, check, fetch_all};
use super::{Fleet, Head, Kept, astray};
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
    /// From this record on mirrors told different stories, none of which was released, and one was chosen: it counts when
    /// the next record after it is released.
    pub chosen: Option<u64>,
}

/// What became of a run's journal in one mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It holds this much of it, all of it good.
    Holds(Head),
    /// It is not whole, or not of this run; as a fragment.
    Damaged(String),
    /// From this record on it holds what a process wrote that had lost the run: nothing came of it, nothing will.
    Astray(u64),
    /// It could not be read.
    Unread(WorldError),
}

/// No mirror gives a journal that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Two mirrors hold journals that go on differently from this record, and which one counts cannot be known.
    Forked {
        /// One mirror.
        one: String,
        /// The other.
        other: String,
        /// The first record in which they differ.
        record: u64,
        /// Whether either may have been released. Else neither was, and neither can be any more.
        open: bool,
        /// What each mirror holds, in the order of the inventory.
        fates: Vec<(String, Fate)>,
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
            Self::Astray(record) => write!(f, "is not used: {}", astray(*record)),
            Self::Unread(error) => write!(f, "cannot be read: {}", error.message),
        }
    }
}

impl Fate {
    /// What whoever copies into the mirror has to know.
    pub const fn kept(&self) -> Kept {
        match self {
            Self::Holds(head) => Kept::Upto(*head),
            Self::Astray(record) => Kept::Astray(*record),
            Self::Damaged(_) | Self::Unread(_) => Kept::Unknown,
        }
    }
}

impl Found {
    /// Places that are missing to know that this is everything from which something may have followed: mirrors
    /// that could not be read, where too few could, and [`MACHINE`] where no mirror had to hold it. None: it
    /// is known.
    pub fn in_doubt(&self, release: Release) -> Vec<&str> {
        let is_read = |fate: &Fate| matches!(fate, Fate::Holds(_) | Fate::Astray(_));
        let read = self.fates.iter().filter(|(_, fate)| is_read(fate));
        let enough = release
            .to_read(self.fates.len())
            .is_some_and(|needed| read.count() >= needed);
        if enough {
            return Vec::new();
        }
        let lacking = self.fates.iter().filter(|(_, fate)| !is_read(fate));
        let machine = (release.needed(self.fates.len()) == 0).then_some(MACHINE);
        lacking.map(|(name, _)| name.as_str()).chain(machine).collect()
    }
}

/// What one mirror gives.
enum Told {
    /// The reading of this number.
    Story(usize),
    Nothing,
    NoUse(Fate),
}

/// Reads all mirrors at once and takes the longest good journal of those that count.
///
/// # Errors
///
/// None holds one, or they hold different ones of which nobody can say which counts.
pub async fn gather(fleet: &Fleet, group: &str, run: &RunId) -> Result<Found, Lost> {
    let shelves = &fleet.shelves;
    let fetched = join_all(shelves.iter().map(|shelf| fetch_all(&**shelf, group, run))).await;
    let mut readings = Vec::new();
    let take = |fetched| take(fetched, run, &mut readings);
    let told: Vec<Told> = fetched.into_iter().map(take).collect();
    let stories: Vec<Option<&[Entry]>> = told.iter().map(|told| told.story(&readings)).collect();
    let judged = judge(&stories, fleet.release.needed(shelves.len()));
    let astray = match &judged {
        Ok(verdict) => &verdict.astray,
        Err(parted) => &parted.astray,
    };
    let name = |at: usize| shelves[at].name().to_owned();
    let fate = |(at, told): (usize, &Told)| (name(at), told.fate(astray[at], &readings));
    let fates = told.iter().enumerate().map(fate).collect();
    let counts = |(at, told): (usize, &Told)| match told {
        Told::Story(reading) if astray[at].is_none() => Some((at, *reading)),
        _ => None,
    };
    // The first of those that hold most.
    let length = |(_, reading): &(usize, usize)| readings[*reading].history.entries.len();
    let best = told
        .iter()
        .enumerate()
        .rev()
        .filter_map(counts)
        .max_by_key(length);
    match (judged, best) {
        (Err(parted), _) => Err(Lost::Forked {
            one: name(parted.one),
            other: name(parted.other),
            record: parted.record,
            open: parted.open,
            fates,
        }),
        (Ok(verdict), Some((at, reading))) => {
            let reading = readings.swap_remove(reading);
            Ok(Found {
                bytes: reading.bytes,
                history: reading.history,
                from: name(at),
                fates,
                chosen: verdict.chosen,
            })
        }
        (Ok(_), None) => Err(Lost::Nowhere(fates)),
    }
}

impl Told {
    fn story<'a>(&self, readings: &'a [Reading]) -> Option<&'a [Entry]> {
        match self {
            Self::Story(at) => Some(&readings[*at].history.entries),
            Self::Nothing => Some(&[]),
            Self::NoUse(_) => None,
        }
    }

    fn fate(&self, astray: Option<u64>, readings: &[Reading]) -> Fate {
        match (self, astray) {
            (Self::Story(_), Some(record)) => Fate::Astray(record),
            (Self::Story(at), None) => Fate::Holds(readings[*at].head()),
            (Self::Nothing, _) => Fate::Holds(Head::default()),
            (Self::NoUse(fate), _) => fate.clone(),
        }
    }
}

/// Mostly all mirrors hold the same: what was read once need not be read again.
fn take(fetched: Result<Option<Vec<u8>>, Unusable>, run: &RunId, readings: &mut Vec<Reading>) -> Told {
    let checked = match fetched {
        Ok(None) => return Told::Nothing,
        Ok(Some(bytes)) => match readings.iter().position(|reading| reading.bytes == bytes) {
            Some(at) => return Told::Story(at),
            None => check(bytes, run),
        },
        Err(unusable) => Err(unusable),
    };
    match checked {
        Ok(reading) => {
            readings.push(reading);
            Told::Story(readings.len() - 1)
        }
        Err(Unusable::Damaged(why)) => Told::NoUse(Fate::Damaged(why)),
        Err(Unusable::Unread(error)) => Told::NoUse(Fate::Unread(error)),
    }
}
