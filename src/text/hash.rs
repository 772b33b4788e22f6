//! SHA-256 as people compare it.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};

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
    // A writer of JSON hands over a few bytes at a time, and a digest likes blocks.
    let mut writer = BufWriter::new(Hashing(Sha256::new()));
    serde_json::to_writer(&mut writer, value)?;
    let hashing = writer
        .into_inner()
        .map_err(|error| serde_json::Error::io(error.into_error()))?;
    Ok(hex(&hashing.0.finalize()))
}

/// Takes bytes and keeps their digest.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The SHA-256 of some bytes as 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
