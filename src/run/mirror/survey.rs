//! Reading one mirror: all objects of a run, put together and checked like a journal.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Head, LIST_LIMIT, REQUEST_LIMIT, Shelf, number, prefix, records, within};
use crate::effect::{ErrorKind, WorldError};
use crate::plan::Digest;
use crate::run::journal::{self, History};
use crate::run::{Entry, Event, RunId};

/// Objects that are fetched at once: 3,000 records over a line of 50 ms take ten seconds and not three minutes.
const AT_ONCE: usize = 16;

/// What one mirror holds of a run: never nothing.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// As the local file would be.
    pub(super) bytes: Vec<u8>,
    pub(super) history: History,
}

impl Reading {
    pub(super) fn head(&self) -> Head {
        Head {
            records: self.history.entries.len() as u64,
            bytes: self.bytes.len() as u64,
        }
    }
}

/// Why a mirror gives nothing.
#[derive(Clone, Debug)]
pub(super) enum Unusable {
    /// It did not answer, or refused to.
    Unread(WorldError),
    /// What it holds is not the journal of this run.
    Damaged(String),
}

impl From<WorldError> for Unusable {
    fn from(error: WorldError) -> Self {
        match error.kind {
            ErrorKind::Damaged => Self::Damaged(error.message),
            _ => Self::Unread(error),
        }
    }
}

/// Reads all records of a run; `None`: there are none.
pub(super) async fn survey(shelf: &dyn Shelf, group: &str, run: &RunId) -> Result<Option<Reading>, Unusable> {
    let bytes = fetch_all(shelf, group, run).await?;
    bytes.map(|bytes| check(bytes, run)).transpose()
}

/// The bytes of all records of a run, with each record in its place; `None`: there are none.
pub(super) async fn fetch_all(
    shelf: &dyn Shelf,
    group: &str,
    run: &RunId,
) -> Result<Option<Vec<u8>>, Unusable> {
    let prefix = prefix(group, run);
    let keys = within(shelf, LIST_LIMIT, shelf.keys(&prefix)).await?;
    let keys: Vec<(u64, String)> = keys
        .into_iter()
        .filter_map(|key| Some((number(&prefix, &key)?, key)))
        .collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let fetched = stream::iter(keys.into_iter().map(|(seq, key)| fetch(shelf, seq, key)));
    let objects: Vec<(u64, Bytes)> = fetched.buffered(AT_ONCE).try_collect().await?;
    join(&objects).map(Some).map_err(Unusable::Damaged)
}

/// Boxed here: a closure's future that borrows its argument would not be general enough for a stream.
fn fetch(shelf: &dyn Shelf, seq: u64, key: String) -> BoxFuture<'_, Result<(u64, Bytes), WorldError>> {
    Box::pin(async move {
        let bytes = within(shelf, REQUEST_LIMIT, shelf.read(&key)).await?;
        Ok((seq, bytes))
    })
}

/// Each object has to begin with the number that follows the last one of the object before.
fn join(objects: &[(u64, Bytes)]) -> Result<Vec<u8>, String> {
    let (mut all, mut next) = (Vec::new(), 0);
    for (seq, bytes) in objects {
        if *seq > next {
            return Err(format!("record {next} is missing, and record {seq} is there"));
        }
        if *seq < next {
            return Err(format!("record {seq} is there twice"));
        }
        if bytes.last() != Some(&b'\n') {
            return Err(format!(
                "the object with record {seq} does not end with a whole line"
            ));
        }
        next += records(bytes);
        all.extend_from_slice(bytes);
    }
    Ok(all)
}

/// The chain, and that it is this run's own, with the plan that its digest names.
pub(super) fn check(bytes: Vec<u8>, run: &RunId) -> Result<Reading, Unusable> {
    let history = read(&bytes, run).map_err(Unusable::Damaged)?;
    Ok(Reading { bytes, history })
}

fn read(bytes: &[u8], run: &RunId) -> Result<History, String> {
    let history = journal::parse(Path::new("its journal"), bytes).map_err(|error| error.to_string())?;
    match history.entries.first().map(|entry| &entry.event) {
        Some(Event::Began(begun)) if begun.run != *run => Err(format!(
            "it holds the journal of {} in the place of {run}",
            begun.run
        )),
        Some(Event::Began(begun)) if Digest::of(&begun.plan) != begun.digest => {
            Err("the plan in it does not have the digest that is written beside it".to_owned())
        }
        Some(Event::Began(_)) => Ok(history),
        _ => Err("its first record is not a beginning".to_owned()),
    }
}

/// The newest record of a run in one mirror, by itself: the chain before it is not looked at.
pub(in crate::run) async fn last_record(
    shelf: &dyn Shelf,
    group: &str,
    run: &RunId,
) -> Result<Option<Entry>, WorldError> {
    let prefix = prefix(group, run);
    let keys = within(shelf, LIST_LIMIT, shelf.keys(&prefix)).await?;
    let Some(key) = keys.iter().rev().find(|key| number(&prefix, key).is_some()) else {
        return Ok(None);
    };
    let bytes = within(shelf, REQUEST_LIMIT, shelf.read(key)).await?;
    let line = bytes
        .strip_suffix(b"\n")
        .and_then(|lines| lines.split(|byte| *byte == b'\n').next_back());
    Ok(line.and_then(|line| serde_json::from_slice(line).ok()))
}

/// Group and name of all runs of which a mirror holds records.
///
/// # Errors
///
/// What the store says.
pub async fn runs(shelf: &Arc<dyn Shelf>) -> Result<Vec<(String, RunId)>, WorldError> {
    let mut found = Vec::new();
    let groups = within(&**shelf, LIST_LIMIT, shelf.folders("runs/")).await?;
    // A name from outside becomes the name of a folder: nothing but a plain name may.
    for group in groups.into_iter().filter(|name| crate::text::is_name(name)) {
        let under = format!("runs/{group}/");
        let runs = within(&**shelf, LIST_LIMIT, shelf.folders(&under)).await?;
        let plain = runs.into_iter().filter(|name| crate::text::is_name(name));
        found.extend(plain.map(|run| (group.clone(), RunId(run))));
    }
    Ok(found)
}
