//! Objects into an archive as Velero writes it, as a stream.
//!
//! The same objects in the same order at the same time give the same bytes: keys in one order, one mode,
//! one owner, one time.
//!
//! ## Why
//!
//! - Keys are sorted, as Velero's are, so that an object has one checksum wherever it was read.
//! - The caller decides the order: only it knows its lists, and a writer that held all objects would not
//!   be a stream. Kinds come one after the other, and within a kind no object comes twice, in whatever
//!   order a server lists them: nearly all sort by `namespace/name`, but a database under one may sort
//!   capital letters elsewhere.

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::header::{BLOCK, file};
use super::path::{Copy, ObjectPath, fits, unsafe_path};
use super::{Entries, Sum, WriteError};
use crate::objects::{ApiKind, ObjectId};
use crate::text::hex;

/// What an archive holds, for its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// In the order of the archive.
    pub entries: Entries,
    /// The archive as it was written.
    pub archive: Sum,
}

/// Writes one archive. Without [`Writer::finish`] it is not one.
pub struct Writer<W: Write> {
    gzip: GzEncoder<Sink<W>>,
    mtime: u64,
    /// Kinds that came before the present one, by their resource.
    past: BTreeSet<String>,
    present: Present,
    entries: Entries,
}

/// The kind whose objects are being written.
#[derive(Default)]
struct Present {
    resource: String,
    /// Its first entry.
    from: usize,
    /// The greatest `namespace/name` so far.
    greatest: String,
}

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
            past: BTreeSet::new(),
            present: Present::default(),
            entries: Entries::default(),
        };
        writer.entry("metadata/version", format!("{FORMAT}\n").as_bytes())?;
        Ok(writer)
    }

    /// What is written so far goes in here; whoever streams takes it out.
    pub fn sink(&mut self) -> &mut W {
        &mut self.gzip.get_mut().inner
    }

    /// Adds one object. All objects of a kind have to come after each other.
    ///
    /// # Errors
    ///
    /// [`WriteError::Again`] and [`WriteError::Unfit`] before anything of the object is written.
    pub fn append(&mut self, kind: &ApiKind, mut object: Value) -> Result<(), WriteError> {
        let id = fitting(kind, &object)?;
        let place = format!("{}/{}", id.namespace.as_deref().unwrap_or(""), id.name);
        let path = ObjectPath {
            resource: kind.resource(),
            copy: Copy::Plain,
            namespace: id.namespace,
            name: id.name,
        };
        let greatest = self.look_back(&path, &place)?;
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
        self.entries.push(
            &path.to_string(),
            &id.api_version,
            &id.kind,
            Sha256::digest(&body).into(),
            body.len() as u64,
        );
        if greatest {
            self.present.greatest = place;
        }
        Ok(())
    }

    /// Refuses what was there before; says whether nothing greater was. A server sorts, so most of the
    /// time there is nothing to look through.
    fn look_back(&mut self, path: &ObjectPath, place: &str) -> Result<bool, WriteError> {
        if path.resource != self.present.resource {
            if self.past.contains(&path.resource) {
                return Err(WriteError::Again {
                    path: path.to_string(),
                    why: "other kinds came after its kind",
                });
            }
            let ended = std::mem::replace(&mut self.present.resource, path.resource.clone());
            self.past.insert(ended);
            self.present.from = self.entries.len();
            self.present.greatest.clear();
        }
        if *place > *self.present.greatest {
            return Ok(true);
        }
        let plain = path.to_string();
        let mut of_kind = self.entries.from(self.present.from);
        if of_kind.any(|entry| entry.is_at(&plain)) {
            return Err(WriteError::Again {
                path: plain,
                why: "it came before",
            });
        }
        Ok(false)
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
