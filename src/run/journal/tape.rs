//! What a journal is written to: a file. A seam, so that a simulation can put a bad disk there.

use std::fs::File;
use std::io::Write as _;

/// A file that is only appended to.
pub trait Tape: Send + std::fmt::Debug {
    /// Appends all of it.
    ///
    /// # Errors
    ///
    /// The system's own; some of it may have been written.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()>;

    /// Returns when everything that was appended survives a loss of power.
    ///
    /// # Errors
    ///
    /// The system's own; nobody knows then what survives.
    fn sync(&mut self) -> std::io::Result<()>;
}

impl Tape for File {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.sync_data()
    }
}

/// Holds the place of a tape that is being wrapped.
#[derive(Debug)]
pub(super) struct Nowhere;

impl Tape for Nowhere {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::Error::other("there is no tape"))
    }

    fn sync(&mut self) -> std::io::Result<()> {
        Err(std::io::Error::other("there is no tape"))
    }
}
