//! From bytes to entries: checks the chain, tells a torn end from damage.

use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{JournalError, digest};
use crate::run::{Beginning, Entry};

/// What a journal holds.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// All whole entries, never none.
    pub entries: Vec<Entry>,
    /// What follows them, if anything.
    pub torn: Option<Torn>,
}

/// An end that was being written when the process or the machine stopped. Nobody was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// A journal that was read.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) history: History,
    /// The digest of its last line.
    pub(super) head: String,
    /// Bytes of all whole lines.
    pub(super) bytes: u64,
}

/// Reads a journal, a line at a time: those of a restore name every object.
///
/// # Errors
///
/// [`JournalError::Empty`], [`JournalError::Format`], [`JournalError::Damaged`], [`JournalError::Io`].
pub(super) fn parse(path: &Path, mut journal: impl BufRead) -> Result<Whole, JournalError> {
    let (mut entries, mut head, mut bytes) = (Vec::new(), String::new(), 0);
    let mut line = Vec::new();
    let torn = loop {
        line.clear();
        let read = journal.read_until(b'\n', &mut line);
        let length = read.map_err(|error| JournalError::io("read", path, error))? as u64;
        let Some(line) = line.strip_suffix(b"\n") else {
            break (length > 0).then_some(Torn {
                offset: bytes,
                bytes: length,
            });
        };
        let entry = parse_line(path, entries.len(), line, &head)?;
        head = digest(line);
        entries.push(entry);
        bytes += length;
    };
    if entries.is_empty() {
        return Err(JournalError::Empty {
            path: path.to_owned(),
        });
    }
    let history = History { entries, torn };
    Ok(Whole { history, head, bytes })
}

fn parse_line(path: &Path, index: usize, line: &[u8], head: &str) -> Result<Entry, JournalError> {
    let damaged = |why: String| JournalError::Damaged {
        path: path.to_owned(),
        line: index + 1,
        why,
    };
    if index == 0 {
        check_format(path, line)?;
    }
    let entry: Entry = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
    if usize::try_from(entry.seq) != Ok(index) {
        return Err(damaged(format!(
            "it has number {} and should have {index}",
            entry.seq
        )));
    }
    if entry.prev != head {
        return Err(damaged(
            "the line before it is not the one that it followed".to_owned(),
        ));
    }
    Ok(entry)
}

/// Of the first line nothing but its format: with a plan of thousands of steps, all else is read once and not
/// twice.
#[derive(Deserialize)]
struct First {
    event: FirstEvent,
}

#[derive(Deserialize)]
struct FirstEvent {
    began: Formatted,
}

#[derive(Deserialize)]
struct Formatted {
    format: Value,
}

/// Before anything else is read: a later format may look different in every other way.
fn check_format(path: &Path, line: &[u8]) -> Result<(), JournalError> {
    let Ok(first) = serde_json::from_slice::<First>(line) else {
        return Ok(());
    };
    let format = first.event.began.format;
    if format.as_u64() == Some(u64::from(Beginning::FORMAT)) {
        return Ok(());
    }
    Err(JournalError::Format {
        path: path.to_owned(),
        found: format.to_string(),
        known: Beginning::FORMAT,
    })
}
