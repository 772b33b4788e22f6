//! What a store can really do, found out by experiment: "S3-compatible" promises nothing.
//!
//! `experiments` are the trials, [`Bench`] is what they need beyond a [`crate::world::port::Store`]. Everything is written under
//! `metadata/lifeboat-probe/<id>/` and deleted again, as far as the store lets us.
//!
//! ## Why
//!
//! Some servers answer 200 to a write under a condition that they do not know, and some keep it for one writer
//! at a time and not in a race. Nothing in their answers shows it. What a journal or an epoch rests on is
//! therefore tried before it is trusted, and what was tried, what was seen and what breaks without it are said
//! together. A trial that could not be made proves nothing: *not known*, never *holds*.

mod experiments;
#[cfg(test)]
mod tests;

pub use experiments::{examine, examine_for_journal};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::port::Answer;

/// What a store should be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// A key that is there is not created again.
    CreateOnce,
    /// Of many who create one key at the same moment, one is told that it did.
    OneWinner,
    /// An object is replaced only if it is still the one that was seen.
    Swap,
    /// What was written is read by the next request.
    ReadBack,
    /// What was written is in the next listing.
    Listed,
    /// Bytes that are not those of their checksum are refused.
    Checksum,
    /// What was overwritten or deleted can be had again.
    Versions,
    /// A locked version cannot be deleted by whoever wrote it.
    Lock,
    /// Its clock and ours agree.
    Clock,
    /// Our own credentials cannot delete.
    NoDelete,
}

impl Property {
    /// In two words at most.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CreateOnce => "create once",
            Self::OneWinner => "one winner",
            Self::Swap => "swap",
            Self::ReadBack => "read back",
            Self::Listed => "listed",
            Self::Checksum => "checksum",
            Self::Versions => "versions",
            Self::Lock => "lock holds",
            Self::Clock => "clock",
            Self::NoDelete => "no delete",
        }
    }

    /// What cannot be relied on without it.
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::CreateOnce | Self::OneWinner => {
                "two processes can carry one run, each sure to be the only one: no journal, no epoch"
            }
            Self::Swap => "nothing of lifeboat yet; a record that is changed in place could lose a change",
            Self::ReadBack => "after a lost reply our own record could be taken for missing",
            Self::Listed => "whoever adopts a run could miss its last records",
            Self::Checksum => "bytes that were damaged on the way are stored; only reading back shows it",
            Self::Versions => "what is overwritten or deleted, by mistake or by a thief, is gone",
            Self::Lock => "whoever has these credentials can delete every backup and every journal",
            Self::Clock => "ages, retention times and locks are off by as much",
            Self::NoDelete => "whoever steals these credentials can delete what no lock or version keeps",
        }
    }

    /// Whether a journal rests on it.
    pub const fn carries_journals(self) -> bool {
        matches!(
            self,
            Self::CreateOnce | Self::OneWinner | Self::ReadBack | Self::Listed
        )
    }
}

/// What an experiment showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every trial went as it should.
    Holds,
    /// One did not.
    Fails,
    /// It could not be tried.
    NotKnown,
}

/// One property and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which.
    pub property: Property,
    /// What it came to.
    pub verdict: Verdict,
    /// What was tried and seen, as a fragment.
    pub seen: String,
}

/// Everything that was found out of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// Its name in the inventory.
    pub store: String,
    /// Where it is.
    pub address: String,
    /// When that was.
    pub at: Timestamp,
    /// In the order of [`Property`].
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Why it cannot hold a journal or an epoch; `None`: nothing speaks against it.
    pub fn unfit(&self) -> Option<&Finding> {
        let fails =
            |finding: &&Finding| finding.verdict == Verdict::Fails && finding.property.carries_journals();
        self.findings.iter().find(fails)
    }

    /// Whether everything that a journal rests on was tried and holds.
    pub fn fit(&self) -> bool {
        let carrying = self.findings.iter().filter(|one| one.property.carries_journals());
        let mut count = 0;
        let all = carrying
            .inspect(|_| count += 1)
            .all(|one| one.verdict == Verdict::Holds);
        all && count > 0
    }
}

/// What experiments need of a store beyond reading and writing. Keys are relative to its prefix.
pub trait Bench: Send + Sync {
    /// By what the present content of an object is told from any other.
    fn tag<'a>(&'a self, key: &'a str) -> Answer<'a, String>;

    /// Replaces an object if its tag is still this one; else `Conflict`.
    fn swap<'a>(&'a self, key: &'a str, tag: &'a str, bytes: Bytes) -> Answer<'a, ()>;

    /// Writes an object with a checksum that is not that of its bytes.
    fn put_wrongly<'a>(&'a self, key: &'a str, bytes: Bytes) -> Answer<'a, ()>;

    /// The newest version of an object; `None`: no versions are kept.
    fn version<'a>(&'a self, key: &'a str) -> Answer<'a, Option<String>>;

    /// The bytes of one version.
    fn read_version<'a>(&'a self, key: &'a str, version: &'a str) -> Answer<'a, Bytes>;

    /// Deletes one version for good.
    fn delete_version<'a>(&'a self, key: &'a str, version: &'a str) -> Answer<'a, ()>;

    /// Whether objects can be locked here; `None`: it does not say.
    fn locks(&self) -> Answer<'_, Option<bool>>;

    /// What time it is there.
    fn clock(&self) -> Answer<'_, Timestamp>;
}
