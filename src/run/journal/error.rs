//! What can be wrong with a journal.

use std::path::{Path, PathBuf};

use crate::run::Operator;

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system said no.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// Such as `write`, `make durable`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// The folder of orders cannot be used.
    #[error("cannot use the run's inbox: {0}")]
    Inbox(#[from] std::io::Error),
    /// Another process has it open.
    #[error("{} is in use{}", folder.display(), by(owner.as_ref()))]
    Held {
        /// The run's folder.
        folder: PathBuf,
        /// Who, if that could be read.
        owner: Option<Operator>,
    },
    /// Such a run is there.
    #[error("{} exists already", folder.display())]
    Exists {
        /// The run's folder.
        folder: PathBuf,
    },
    /// There is no journal.
    #[error("there is no journal at {}", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The process ended before the run's first line was durable; nothing was done.
    #[error("{} holds no whole line: the run never began, and nothing was done", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It was written by another version.
    #[error("{} has format {found}, and this lifeboat knows format {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that it names.
        found: String,
        /// The format that this binary knows.
        known: u32,
    },
    /// It is not whole.
    #[error("{} is damaged at line {line}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// As a fragment.
        why: String,
    },
    /// A mirror holds another history of the same run.
    #[error("{} and the mirrors tell different stories from record {record} on", path.display())]
    Forked {
        /// The file.
        path: PathBuf,
        /// The first record that differs, from 0.
        record: u64,
    },
    /// A write failed before, and nothing more may be written by this process.
    #[error("{} could not be written before, so nothing more is written", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    pub(super) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }
}

fn by(owner: Option<&Operator>) -> String {
    owner.map_or_else(
        || " by another process".to_owned(),
        |owner| format!(" by {} on {}, process {}", owner.name, owner.host, owner.pid),
    )
}
