//! Records as lines on a tape, however long one is.
//!
//! ## Why
//!
//! The plan of a restore and its receipt name every object: of 50,000 either line has 12 MB. As one text, grown by
//! doubling, it took twice that for a moment, which was a quarter of the run's memory.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::tape::Tape;
use crate::run::Entry;
use crate::run::id::hex;

/// How much is handed to the tape at once. Whatever is recorded in one turn of a usual run is less, so that it goes
/// there in one piece.
const BLOCK: usize = 1024 * 1024;

/// Writes lines.
pub(super) struct Lines<'a> {
    tape: &'a mut dyn Tape,
    /// What the tape does not have yet.
    block: Vec<u8>,
    /// How much of it is in the digest of its line.
    hashed: usize,
    hash: Sha256,
    bytes: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn on(tape: &'a mut dyn Tape) -> Self {
        Self {
            tape,
            block: Vec::new(),
            hashed: 0,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Writes one record; the hex SHA-256 of its line without the newline.
    ///
    /// # Errors
    ///
    /// The tape's own.
    pub(super) fn push(&mut self, entry: &Entry) -> io::Result<String> {
        serde_json::to_writer(&mut *self, entry)?;
        self.take_in();
        let digest = hex(&self.hash.finalize_reset());
        self.write_all(b"\n")?;
        self.hashed = self.block.len();
        Ok(digest)
    }

    /// Hands the rest to the tape; how many bytes there were in all.
    ///
    /// # Errors
    ///
    /// The tape's own.
    pub(super) fn end(mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.bytes)
    }

    fn take_in(&mut self) {
        self.hash
            .update(self.block.get(self.hashed..).unwrap_or_default());
        self.hashed = self.block.len();
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.block.len() >= BLOCK {
            self.take_in();
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.tape.append(&self.block)?;
        }
        self.block.clear();
        self.hashed = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Event, Moment};

    /// Remembers each piece.
    #[derive(Debug, Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl Tape for Pieces {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.push(bytes.to_vec());
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entry(seq: u64, reason: String) -> Entry {
        let moment = Moment {
            at: "2026-11-23T01:00:00Z".parse().unwrap(),
            elapsed_ms: 7,
        };
        Entry {
            seq,
            at: moment.at,
            elapsed_ms: moment.elapsed_ms,
            prev: "before".to_owned(),
            event: Event::Paused {
                by: "anna".to_owned(),
                reason,
            },
        }
    }

    #[test]
    fn lines_and_their_digests_are_those_of_the_whole_text_however_it_is_cut() {
        for long in [10, BLOCK - 200, BLOCK, 3 * BLOCK + 17] {
            let entries = [0, 1, 2].map(|seq| entry(seq, "x".repeat(if seq == 1 { long } else { 5 })));
            let mut pieces = Pieces::default();
            let mut lines = Lines::on(&mut pieces);
            for entry in &entries {
                let text = serde_json::to_vec(entry).unwrap();
                assert_eq!(lines.push(entry).unwrap(), hex(&Sha256::digest(&text)), "{long}");
            }
            let bytes = lines.end().unwrap();
            let whole = entries.iter().flat_map(|entry| {
                let mut line = serde_json::to_vec(entry).unwrap();
                line.push(b'\n');
                line
            });
            let whole: Vec<u8> = whole.collect();
            assert_eq!(pieces.0.concat(), whole, "{long}");
            assert_eq!(bytes, whole.len() as u64);
            assert_eq!(
                pieces.0.len() == 1,
                long < BLOCK - 400,
                "{long}: {}",
                pieces.0.len()
            );
        }
    }
}
