//! Copies of a run's journal in places that outlive this machine: `runs/<group>/<run>/<seq>` in stores.
//!
//! `follow` copies the local journal into one mirror, `fleet` watches all of them and says what is released,
//! `survey` reads a mirror back, `gather` finds the best of what several mirrors hold, `stories` says which counts
//! where they differ. What a place has to be able to do is [`Shelf`]; who makes one is not known here.
//!
//! - **Immutable**: an object holds the lines that became durable together, is named by the number of its
//!   first, and is only ever created. Put one after the other, all objects of a mirror are a beginning of the
//!   local file, byte by byte; so they can be read with `cat` and are checked like a journal.
//! - **Two writers cannot both go on**: both want to create the object with the next number, and one of them
//!   finds it there. It reads back whose it is, so that its own write with a lost reply is not taken for
//!   somebody else's.
//! - **Released** is a record when so many mirrors hold it as the inventory asks for ([`Release`]). Nothing
//!   that follows from it begins before.
//! - **Late** is a mirror that cannot be reached: that is said, and it is brought up when it answers.
//! - **Damaged** is one whose objects are not a journal, or not this one. It is never used, and never mended.
//! - **Astray** is one that holds a record which lost: somebody wrote it who had lost the run and did not know. It is not
//!   used for this run any more, and never mended either.
//!
//! ## Why
//!
//! - **Mirrors copy the file, not the memory.** What is late needs no queue, and catching up is the same code
//!   as keeping up, also after a resume.
//! - **One object for a batch, not for a line.** A batch is what is released at once; a step of a chain costs
//!   one request instead of three.
//! - **In order, one at a time in each mirror.** A gap is then always damage and never just a race.
//! - **The fence is the record itself.** A separate look at who owns the run would be old by the time that
//!   anything follows from it; creating the next object is decided by the store, at once with the record.
//!
//! [`Release`]: crate::runbook::Release

mod fleet;
mod follow;
mod gather;
mod stories;
mod survey;
#[cfg(test)]
pub(in crate::run) mod testing;
#[cfg(test)]
mod tests;

pub use fleet::{Fleet, Lag, Superseded, Unreleased};
pub(in crate::run) use fleet::{Mirrors, NotReleased, PATIENCE};
pub use gather::{Fate, Found, Lost, MACHINE, gather};
pub(in crate::run) use survey::last_record;
pub use survey::runs;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::RunId;
use crate::effect::{ErrorKind, WorldError};

/// For one small object each way: a healthy store on another continent needs a twentieth. A mirror that
/// takes longer is late, and the run need not wait for it if the others are enough.
pub(in crate::run) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// For a listing, which may have several pages.
pub(in crate::run) const LIST_LIMIT: Duration = Duration::from_secs(30);

/// Bytes of one object: what every S3 adapter writes in one request. Only for one request does a store
/// decide alone whether the object is new.
pub const OBJECT_MAX: usize = 8 * 1024 * 1024;

/// Digits of a number in a key, so that keys sort like numbers: ten thousand million records.
const DIGITS: usize = 10;

/// A place that holds copies of journals: what is needed of an object store. Keys have the form `a/b/c`.
pub trait Shelf: Send + Sync {
    /// Its name in the inventory.
    fn name(&self) -> &str;

    /// Where it is, for people.
    fn address(&self) -> String;

    /// Creates an object in one request; where there is one, it is left as it is: `Conflict`.
    fn create<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), WorldError>>;

    /// The bytes of an object; a missing one is `NotFound`.
    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes, WorldError>>;

    /// All keys that begin so, sorted.
    fn keys<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>>;

    /// The next part of all keys that begin so, where another one follows: names of folders, sorted.
    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>>;
}

/// How far a journal has come, or how much of it a mirror holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Records.
    pub records: u64,
    /// Their bytes, newlines included.
    pub bytes: u64,
}

/// What a mirror is known to hold of a run, before it is copied into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has to be looked for.
    Unknown,
    /// The journal, up to here.
    Upto(Head),
    /// From this record on another story, which does not count.
    Astray(u64),
}

impl Kept {
    /// Of a run that begins.
    pub const NOTHING: Self = Self::Upto(Head { records: 0, bytes: 0 });
}

/// What is wrong with a mirror that holds another story from this record on.
fn astray(record: u64) -> String {
    format!("from record {record} on it tells another story, which does not count")
}

/// How many whole lines these are.
pub(in crate::run) fn records(lines: &[u8]) -> u64 {
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .count() as u64
}

/// The folder of one run's records.
fn prefix(group: &str, run: &RunId) -> String {
    format!("runs/{group}/{run}/")
}

/// The key of the object whose first record has this number.
fn key(prefix: &str, seq: u64) -> String {
    format!("{prefix}{seq:0DIGITS$}")
}

/// The number in a key; `None`: it is not one of ours.
fn number(prefix: &str, key: &str) -> Option<u64> {
    let digits = key.strip_prefix(prefix)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// A request with an end.
pub(in crate::run) async fn within<T>(
    shelf: &dyn Shelf,
    limit: Duration,
    request: BoxFuture<'_, Result<T, WorldError>>,
) -> Result<T, WorldError> {
    let answer = tokio::time::timeout(limit, request).await;
    answer.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", limit.as_secs());
        Err(WorldError::new(ErrorKind::LostReply, shelf.name(), message))
    })
}
