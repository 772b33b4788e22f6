//! What goes wrong with archives. Data for people; nothing here decides about retries.

use std::io;

/// Why an archive cannot be read further. Nothing of it may be used, what came before included,
/// unless the reader says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It ends before its end.
    #[error("the archive is cut off after {compressed_bytes} bytes, behind {after}")]
    Truncated {
        /// Bytes that were there.
        compressed_bytes: u64,
        /// The last entry that was whole.
        after: String,
    },
    /// The compression or the tar structure is broken.
    #[error("the archive is damaged behind {after}: {why}")]
    Damaged {
        /// The last entry that was whole.
        after: String,
        /// What is broken.
        why: String,
    },
    /// An entry that no backup has: nobody who means well wrote it.
    #[error("{entry}: {why}")]
    Refused {
        /// The entry.
        entry: String,
        /// Why it is refused.
        why: String,
    },
    /// It asks for more than a backup can need.
    #[error("the archive has more than {limit} {what}")]
    TooBig {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The store did not deliver.
    #[error("reading the archive failed behind {after}")]
    Read {
        /// The last entry that was whole.
        after: String,
        /// What the store said.
        source: io::Error,
    },
}

impl ArchiveError {
    /// An error of the decompressed stream: cut, broken, or the store's own.
    pub(super) fn of_stream(error: io::Error, compressed_bytes: u64, after: &str) -> Self {
        let after = after.to_owned();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated {
                compressed_bytes,
                after,
            },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Damaged {
                after,
                why: error.to_string(),
            },
            _ => Self::Read { after, source: error },
        }
    }

    pub(super) fn refused(entry: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Refused {
            entry: entry.into(),
            why: why.into(),
        }
    }
}

/// Why an object cannot be written into an archive.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// An object came twice, or its kind did.
    #[error("{path} cannot be written: {why}")]
    Again {
        /// What came.
        path: String,
        /// What came before.
        why: &'static str,
    },
    /// The object is not what its kind says, or its name cannot be a file name.
    #[error("{object}: {why}")]
    Unfit {
        /// As much of its name as there is.
        object: String,
        /// What is wrong.
        why: String,
    },
    /// The sink refused.
    #[error("writing the archive failed")]
    Write(#[from] io::Error),
}
