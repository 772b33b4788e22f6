//! From bytes to entries: checks the chain, tells a torn end from damage. Pure.

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

/// Reads a journal, and names the digest of its last line.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<(History, String), JournalError> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let (body, tail) = bytes.split_at(whole);
    let (mut entries, mut head) = (Vec::new(), String::new());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let entry = parse_line(path, entries.len(), line, &head)?;
        head = digest(line);
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(JournalError::Empty {
            path: path.to_owned(),
        });
    }
    let torn = (!tail.is_empty()).then(|| Torn {
        offset: u64::try_from(whole).unwrap_or(u64::MAX),
        bytes: u64::try_from(tail.len()).unwrap_or(u64::MAX),
    });
    Ok((History { entries, torn }, head))
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
