//! Objects into an archive as Velero writes it, as a stream.
//!
//! The same objects at the same time give the same bytes: entries in one order, keys in one order, one
//! mode, one owner, one time.
//!
//! ## Why
//!
//! - Keys are sorted, as Velero's are, so that an object has one checksum wherever it was read.
//! - The caller sorts: only it knows whether its lists are sorted already, and a writer that held all
//!   objects would not be a stream. What comes out of order is refused, so no object can be there twice.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::header::{BLOCK, file};
use super::path::{Copy, ObjectPath, fits, unsafe_path};
use super::{Entry, Sum, WriteError};
use crate::objects::{ApiKind, ObjectId};
use crate::text::{hex, sha256_hex};

/// What an archive holds, for its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// In the order of the archive.
    pub entries: Vec<Entry>,
    /// The archive as it was written.
    pub archive: Sum,
}

/// Writes one archive. Without [`Writer::finish`] it is not one.
pub struct Writer<W: Write> {
    gzip: GzEncoder<Sink<W>>,
    mtime: u64,
    last: Option<Place>,
    entries: Vec<Entry>,
}

/// Resource, namespace and name: the order of an archive. Cluster-scoped objects come first.
type Place = (String, Option<String>, String);

/// The version of Velero's format that this is.
pub(super) const FORMAT: &str = "1.1.0";

impl<W: Write> Writer<W> {
    /// Begins an archive; `time` is what all entries carry, in whole seconds.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn new(sink: W, time: Timestamp) -> Result<Self, WriteError> {
        let sink = Sink {
            inner: sink,
            hash: Sha256::new(),
            bytes: 0,
        };
        let mut writer = Self {
            gzip: GzEncoder::new(sink, Compression::default()),
            mtime: u64::try_from(time.as_second()).unwrap_or(0),
            last: None,
            entries: Vec::new(),
        };
        writer.entry("metadata/version", format!("{FORMAT}\n").as_bytes())?;
        Ok(writer)
    }

    /// Adds one object. They have to come sorted by resource (`plural.group`), namespace and name.
    ///
    /// # Errors
    ///
    /// [`WriteError::OutOfOrder`] and [`WriteError::Unfit`] before anything of the object is written.
    pub fn append(&mut self, kind: &ApiKind, mut object: Value) -> Result<(), WriteError> {
        let id = fitting(kind, &object)?;
        let place = (kind.resource(), id.namespace.clone(), id.name.clone());
        let path = ObjectPath {
            resource: kind.resource(),
            copy: Copy::Plain,
            namespace: id.namespace,
            name: id.name,
        };
        if let Some(last) = self.last.as_ref().filter(|last| **last >= place) {
            return Err(WriteError::OutOfOrder {
                path: path.to_string(),
                last: format!("{last:?}"),
            });
        }
        object.sort_all_objects();
        let body = serde_json::to_vec(&object).map_err(io::Error::from)?;
        let preferred = ObjectPath {
            copy: Copy::Preferred(kind.version.clone()),
            ..path.clone()
        };
        if let Some(why) = unsafe_path(&preferred.to_string()) {
            return Err(unfit(path.to_string(), why));
        }
        self.entry(&path.to_string(), &body)?;
        self.entry(&preferred.to_string(), &body)?;
        self.entries.push(Entry {
            path: path.to_string(),
            api_version: id.api_version,
            kind: id.kind,
            sha256: sha256_hex(&body),
            size: body.len() as u64,
        });
        self.last = Some(place);
        Ok(())
    }

    /// Ends the archive and gives back the sink.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn finish(mut self) -> Result<(W, Contents), WriteError> {
        self.gzip.write_all(&[0; 2 * BLOCK])?;
        let mut sink = self.gzip.finish()?;
        sink.flush()?;
        let archive = Sum {
            sha256: hex(&sink.hash.finalize()),
            size: sink.bytes,
        };
        let contents = Contents {
            entries: self.entries,
            archive,
        };
        Ok((sink.inner, contents))
    }

    fn entry(&mut self, path: &str, body: &[u8]) -> Result<(), WriteError> {
        let fill = body.len().next_multiple_of(BLOCK) - body.len();
        self.gzip.write_all(&file(path, body.len() as u64, self.mtime))?;
        self.gzip.write_all(body)?;
        self.gzip.write_all([0; BLOCK].get(..fill).unwrap_or_default())?;
        Ok(())
    }
}

/// The object's name, if the object is of the kind and its name can be part of a path.
fn fitting(kind: &ApiKind, object: &Value) -> Result<ObjectId, WriteError> {
    let Some(id) = ObjectId::of(object) else {
        let object = format!("an object of {}", kind.resource());
        return Err(unfit(object, "it has no apiVersion, kind or name"));
    };
    let why = if id.api_version != kind.api_version() || id.kind != kind.kind {
        "it is of another kind than it was read as"
    } else if id.namespace.is_some() != kind.namespaced {
        "it has a namespace and should not, or has none and should"
    } else if !fits(&id.name) || !id.namespace.as_deref().is_none_or(fits) || !fits(&kind.resource()) {
        "its name cannot be the name of a file"
    } else {
        return Ok(id);
    };
    Err(unfit(format!("{id:?}"), why))
}

fn unfit(object: String, why: &str) -> WriteError {
    WriteError::Unfit {
        object,
        why: why.to_owned(),
    }
}

/// Counts and hashes what is written.
struct Sink<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
