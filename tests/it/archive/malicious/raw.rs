//! Archives byte by byte: whatever no honest program would write.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// A tar that is not compressed yet.
pub(super) struct Tar(pub(super) Vec<u8>);

/// A header of this type, name and size; the name is cut where it does not fit.
pub(super) fn header(kind: u8, name: &[u8], size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(0o644);
    header.set_size(size);
    let length = name.len().min(100);
    header.as_old_mut().name[..length].copy_from_slice(&name[..length]);
    header.set_cksum();
    header
}

/// One record of an extension header, which counts its own length.
pub(super) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let bare = key.len() + value.len() + 3;
    let mut length = bare + 1;
    while bare + length.to_string().len() != length {
        length += 1;
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

impl Tar {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A header as it is, and a body filled up to whole blocks.
    pub(super) fn with(mut self, header: &Header, body: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(body);
        let whole = self.0.len().next_multiple_of(512);
        self.0.resize(whole, 0);
        self
    }

    pub(super) fn entry(self, kind: u8, name: &[u8], body: &[u8]) -> Self {
        let header = header(kind, name, body.len() as u64);
        self.with(&header, body)
    }

    pub(super) fn file(self, path: &str, body: &str) -> Self {
        self.entry(b'0', path.as_bytes(), body.as_bytes())
    }

    /// An extension header of these records.
    pub(super) fn records(self, records: &[u8]) -> Self {
        self.entry(b'x', b"PaxHeaders.0/p.json", records)
    }

    /// The end mark.
    pub(super) fn end(self) -> Self {
        self.raw(&[0; 1024])
    }

    pub(super) fn done(self) -> Vec<u8> {
        gzip(&self.end().0)
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Some first bytes and then zeros: one member of 16 MiB, again and again.
pub(super) fn zeros(first: &[u8], mebibytes: usize) -> Vec<u8> {
    [gzip(first), gzip(&vec![0; 16 << 20]).repeat(mebibytes / 16)].concat()
}
