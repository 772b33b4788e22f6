//! The ledger on the disk: `<state>/serve/ledger.jsonl`, one record a line.
//!
//! Kept as a run's journal is: appended with one write and one sync, chained by digests, one writer at a time,
//! a torn end cut off, damage before it refused, and nothing more written after a failure.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::{Illegal, Ledger, Record};
use crate::run::{JournalError, Operator, Tape, files};
use crate::text::sha256_hex;

/// Version of the file's format.
const FORMAT: u32 = 1;

/// The name of the file.
const FILE: &str = "ledger.jsonl";

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The disk, another process, or damage.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It would say something that cannot be.
    #[error("the ledger of due times would contradict itself: {0}")]
    Illegal(#[from] Illegal),
}

/// The open ledger: the right to append to it.
#[derive(Debug)]
pub struct Book {
    /// What it says.
    pub ledger: Ledger,
    path: PathBuf,
    tape: Box<dyn Tape>,
    next: u64,
    head: String,
    poisoned: bool,
    /// Held for its lock.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    format: u32,
    seq: u64,
    at: Timestamp,
    prev: String,
    record: Record,
}

impl Book {
    /// Opens the ledger of a state folder, or begins one.
    ///
    /// # Errors
    ///
    /// Another process serves this state folder; a file that is damaged or cannot be read.
    pub fn open(state: &Path, operator: &Operator) -> Result<Self, BookError> {
        let folder = state.join("serve");
        files::make_folders(&folder).map_err(|error| io("create the folder", &folder, error))?;
        let lock = files::take_lock(&folder, operator)?;
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = files::private(&mut options)
            .open(&path)
            .map_err(|error| io("open", &path, error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| io("read", &path, error))?;
        let read = parse(&path, &bytes)?;
        if read.whole < bytes.len() {
            let whole = u64::try_from(read.whole).unwrap_or(u64::MAX);
            file.set_len(whole)
                .and_then(|()| file.sync_all())
                .map_err(|error| io("cut the torn end off", &path, error))?;
        }
        files::sync_folder(&folder).map_err(|error| io("make durable", &folder, error))?;
        Ok(Self {
            ledger: read.ledger,
            path,
            tape: Box::new(file),
            next: read.next,
            head: read.head,
            poisoned: false,
            _lock: lock,
        })
    }

    /// Appends records. When it returns they are on the disk, and in [`Book::ledger`].
    ///
    /// # Errors
    ///
    /// The disk's, and from then on always; or a record that cannot be, of which nothing is written.
    pub fn append(&mut self, records: &[Record], at: Timestamp) -> Result<(), BookError> {
        if records.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        if self.poisoned {
            return Err(JournalError::Poisoned { path }.into());
        }
        let mut ledger = self.ledger.clone();
        for record in records {
            ledger.record(record)?;
        }
        let (mut bytes, mut head, mut next) = (Vec::new(), self.head.clone(), self.next);
        for record in records {
            let entry = Entry {
                format: FORMAT,
                seq: next,
                at,
                prev: head,
                record: record.clone(),
            };
            let line = serde_json::to_vec(&entry)
                .map_err(|error| io("write", &path, std::io::Error::other(error)))?;
            head = sha256_hex(&line);
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
            next += 1;
        }
        // Whatever happens from here on, only a complete success makes it usable again.
        self.poisoned = true;
        self.tape
            .append(&bytes)
            .map_err(|error| io("write", &path, error))?;
        self.tape
            .sync()
            .map_err(|error| io("make durable", &path, error))?;
        (self.ledger, self.head, self.next, self.poisoned) = (ledger, head, next, false);
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> JournalError {
    JournalError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// What a file says.
struct Parsed {
    ledger: Ledger,
    /// Bytes of whole lines.
    whole: usize,
    next: u64,
    head: String,
}

/// Bytes after the last newline were never acknowledged to anybody.
fn parse(path: &Path, bytes: &[u8]) -> Result<Parsed, BookError> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let mut parsed = Parsed {
        ledger: Ledger::default(),
        whole,
        next: 0,
        head: String::new(),
    };
    let body = bytes.get(..whole).unwrap_or_default();
    for (at, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let damaged = |why: String| JournalError::Damaged {
            path: path.to_owned(),
            line: at + 1,
            why,
        };
        let entry: Entry = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        if entry.format != FORMAT {
            let error = JournalError::Format {
                path: path.to_owned(),
                found: entry.format.to_string(),
                known: FORMAT,
            };
            return Err(error.into());
        }
        if entry.seq != parsed.next || entry.prev != parsed.head {
            let why = "the line before it is not the one that it followed".to_owned();
            return Err(damaged(why).into());
        }
        parsed
            .ledger
            .record(&entry.record)
            .map_err(|illegal| damaged(illegal.to_string()))?;
        parsed.next += 1;
        parsed.head = sha256_hex(line);
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests;
