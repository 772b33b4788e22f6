//! The decompressed stream of an archive in tar blocks, counted and bounded.
//!
//! ## Why
//!
//! Every byte is accounted for: the gzip trailer is checked, nothing may follow the tar's end mark but
//! zeros, and nothing may follow the compressed stream. Otherwise an archive could be cut or extended
//! unnoticed.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::ArchiveError;
use super::header::{BLOCK, Block};
use super::limits::{Limits, PADDING_BYTES_MAX, RATIO_FREE_BYTES};
use crate::text::HashRead;

/// The stream.
pub(super) struct Blocks<R: Read> {
    gzip: MultiGzDecoder<HashRead<R>>,
    limits: Limits,
    read_bytes: u64,
    /// The last entry that was whole, for messages.
    pub(super) after: String,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(archive: R, limits: Limits) -> Self {
        Self {
            gzip: MultiGzDecoder::new(HashRead::new(archive)),
            limits,
            read_bytes: 0,
            after: "its beginning".into(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Decompressed bytes so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Size and SHA-256 of the compressed archive; final once [`Self::end`] has returned.
    pub(super) fn compressed(&self) -> (u64, String) {
        let source = self.gzip.get_ref();
        (source.count(), source.digest())
    }

    /// The next block.
    pub(super) fn block(&mut self) -> Result<Block, ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    /// The content of an entry, without the zeros that fill its last block.
    pub(super) fn content(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut content = Vec::new();
        let mut left = size;
        while left > 0 {
            let block = self.block()?;
            let part = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let (wanted, fill) = block.split_at(part);
            if fill.iter().any(|byte| *byte != 0) {
                return Err(self.damaged("the space between two entries is not empty"));
            }
            content.extend_from_slice(wanted);
            left -= part as u64;
        }
        Ok(content)
    }

    /// After the first zero block: another one, then zeros at most, then nothing.
    pub(super) fn end(&mut self) -> Result<(), ArchiveError> {
        let mut zeros = self.block()?.to_vec();
        let mut padding = 0;
        loop {
            if zeros.iter().any(|byte| *byte != 0) {
                return Err(self.damaged("there is something behind its end mark"));
            }
            zeros.resize(BLOCK, 0);
            let count = self.some(&mut zeros)?;
            if count == 0 {
                return Ok(());
            }
            zeros.truncate(count);
            padding += count as u64;
            if padding > PADDING_BYTES_MAX {
                return Err(self.damaged("there is too much behind its end mark"));
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.some(rest)? {
                0 => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
                count => filled += count,
            }
        }
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let count = loop {
            match self.gzip.read(buffer) {
                Ok(count) => break count as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        };
        self.read_bytes += count;
        let compressed = self.gzip.get_ref().count();
        if self.read_bytes > self.limits.total_bytes {
            let limit = self.limits.total_bytes;
            return Err(ArchiveError::TooBig { what: "bytes", limit });
        }
        if self.read_bytes > RATIO_FREE_BYTES && self.read_bytes / self.limits.ratio > compressed {
            let limit = self.limits.ratio;
            let what = "bytes per compressed byte";
            return Err(ArchiveError::TooBig { what, limit });
        }
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn failed(&self, error: io::Error) -> ArchiveError {
        ArchiveError::of_stream(error, self.gzip.get_ref().count(), &self.after)
    }

    fn damaged(&self, why: &str) -> ArchiveError {
        ArchiveError::Damaged {
            after: self.after.clone(),
            why: why.to_owned(),
        }
    }
}
