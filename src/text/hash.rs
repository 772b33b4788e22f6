//! SHA-256 as people compare it.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Read, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The SHA-256 of a value's JSON as 64 hex digits; the JSON itself is never in memory as a whole.
///
/// # Errors
///
/// The value cannot be written as JSON.
pub fn sha256_hex_of(value: &impl Serialize) -> serde_json::Result<String> {
    let mut hashing = Hashing::new(io::sink());
    serde_json::to_writer(&mut hashing, value)?;
    hashing.digest().map_err(serde_json::Error::io)
}

/// Hashes what passes on its way to a sink.
#[derive(Debug)]
pub struct Hashing<W: Write> {
    // A writer of JSON hands over a few bytes at a time, and a digest likes blocks.
    blocks: BufWriter<Tap<W>>,
}

impl<W: Write> Hashing<W> {
    /// Nothing has passed yet.
    pub fn new(sink: W) -> Self {
        let hash = Sha256::new();
        Self {
            blocks: BufWriter::new(Tap { sink, hash }),
        }
    }

    /// The SHA-256 of all that was written, as 64 hex digits; all of it is with the sink then.
    ///
    /// # Errors
    ///
    /// The sink refused.
    pub fn digest(self) -> io::Result<String> {
        let tap = self.blocks.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(hex(&tap.hash.finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocks.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blocks.flush()
    }
}

#[derive(Debug)]
struct Tap<W> {
    sink: W,
    hash: Sha256,
}

impl<W: Write> Write for Tap<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Counts and hashes what is read.
pub struct HashRead<R> {
    source: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> HashRead<R> {
    /// Nothing is read yet.
    pub fn new(source: R) -> Self {
        Self {
            source,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// How many bytes were read.
    pub fn count(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of what was read, as 64 hex digits.
    pub fn digest(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

impl<R: Read> Read for HashRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

/// The SHA-256 of some bytes as 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
