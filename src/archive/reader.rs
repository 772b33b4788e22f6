//! The objects of an archive, one after the other, each once.
//!
//! Never unpacks to disk, holds one object and a small index of what was seen. Reads archives of
//! Velero and of lifeboat alike. Whether the content is what was written is for `verify` to say; here
//! it is made sure that it is well-formed and that its parts agree.
//!
//! ## Why
//!
//! - An object is there twice. It is given out at its first entry, whichever that is, and the second
//!   has to be equal byte by byte: otherwise two readers would restore two different objects.
//! - What an object says of itself has to be what its path says. Selections look at paths, servers
//!   look at objects; a difference would carry an object past a selection.
//! - Other versions of an object (`<version>/`, only with a feature flag of Velero) are not given out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::blocks::Blocks;
use super::header::{Announced, BLOCK, parse, records};
use super::limits::EXTENSION_BYTES_MAX;
use super::path::{Copy, ObjectPath, unsafe_path};
use super::{ArchiveError, Limits, Sum, json};
use crate::objects::{ObjectId, builtin};

/// One object of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Archived {
    /// Its plain path, whichever of its entries was read.
    pub path: String,
    /// `deployments.apps`.
    pub resource: String,
    /// As the object says it, which is as its path says it.
    pub id: ObjectId,
    /// The object.
    pub object: Value,
    /// Of the object's bytes as they are stored.
    pub sha256: [u8; 32],
    /// Of the object's bytes.
    pub size: u64,
}

/// What a whole archive held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects that were given out.
    pub objects: u64,
    /// How many of them were there a second time, equal.
    pub copies: u64,
    /// Entries of other versions, which were not given out.
    pub other_versions: u64,
    /// Size of the archive when decompressed, in bytes.
    pub decompressed_bytes: u64,
    /// Velero's version of the format, `1.1.0`; empty where the archive does not say.
    pub format: String,
    /// Size and checksum of the archive as it is stored.
    pub archive: Sum,
}

/// Reads an archive as a stream. An error ends the iteration.
pub struct Reader<R: Read> {
    blocks: Blocks<R>,
    entries: u64,
    /// Of these the second copy is still to come.
    open: BTreeMap<Short, Seen>,
    /// Of these both copies came.
    complete: BTreeSet<Short>,
    with_objects: bool,
    others: BTreeSet<Short>,
    summary: Summary,
    done: bool,
}

/// The first half of a SHA-256. Two paths with an equal one would be refused as duplicates, so a
/// collision harms nobody.
type Short = [u8; 16];

struct Seen {
    plain: bool,
    sha256: [u8; 32],
    version: String,
}

/// The format's version is a line of a few characters.
const VERSION_BYTES_MAX: u64 = 64;

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Archived, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_object().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R: Read> Reader<R> {
    /// Reads with the usual limits.
    pub fn new(archive: R) -> Self {
        Self::with_limits(archive, Limits::default())
    }

    /// Reads with limits of one's own.
    pub fn with_limits(archive: R, limits: Limits) -> Self {
        Self {
            blocks: Blocks::new(archive, limits),
            entries: 0,
            open: BTreeMap::new(),
            complete: BTreeSet::new(),
            with_objects: true,
            others: BTreeSet::new(),
            summary: Summary::default(),
            done: false,
        }
    }

    /// Gives out `null` in place of each object, for whoever compares checksums: that it is JSON and is what
    /// its path says is looked at nevertheless.
    #[must_use]
    pub fn without_objects(mut self) -> Self {
        self.with_objects = false;
        self
    }

    /// What was read. Only true of the whole archive after the iteration has ended without error.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn next_object(&mut self) -> Result<Option<Archived>, ArchiveError> {
        while let Some((path, size)) = self.next_file()? {
            if path == "metadata/version" {
                self.read_version(size)?;
            } else {
                let content = self.content(&path, size)?;
                if let Some(archived) = self.take(&path, &content)? {
                    self.blocks.after = path;
                    return Ok(Some(archived));
                }
            }
            self.blocks.after = path;
        }
        self.summary.decompressed_bytes = self.blocks.read_bytes();
        let (size, sha256) = self.blocks.compressed();
        self.summary.archive = Sum { sha256, size };
        Ok(None)
    }

    /// Path and size of the next regular file; `None` at the true end.
    fn next_file(&mut self) -> Result<Option<(String, u64)>, ArchiveError> {
        let mut told = None;
        loop {
            let block = self.blocks.block()?;
            if block == [0; BLOCK] {
                if told.is_some() {
                    return Err(self.damaged("an extension header without its entry"));
                }
                self.blocks.end()?;
                return Ok(None);
            }
            self.count_entry()?;
            let header = parse(&block).map_err(|why| self.refused_near(&block, why))?;
            match header.announced {
                Announced::Records | Announced::LongName => {
                    if told.is_some() || header.size > EXTENSION_BYTES_MAX {
                        return Err(self.damaged("a second or oversized extension header"));
                    }
                    let body = self.blocks.content(header.size)?;
                    told = Some(self.extension(header.announced, &body)?);
                }
                Announced::Folder => {
                    let name = told.take().and_then(|told| told.path).unwrap_or(header.name);
                    check_folder(&name, header.size)?;
                }
                Announced::File => {
                    let told = told.take().unwrap_or_default();
                    let path = safe(&told.path.unwrap_or(header.name))?;
                    if told.size.is_some_and(|size| size != header.size) {
                        return Err(ArchiveError::refused(path, "its two sizes differ"));
                    }
                    return Ok(Some((path, header.size)));
                }
            }
        }
    }

    fn count_entry(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        let limit = self.blocks.limits().entries;
        if self.entries > limit {
            return Err(ArchiveError::TooBig {
                what: "entries",
                limit,
            });
        }
        Ok(())
    }

    fn extension(&self, kind: Announced, body: &[u8]) -> Result<super::header::Records, ArchiveError> {
        if kind == Announced::Records {
            return records(body).map_err(|why| self.damaged(&why));
        }
        let name = body.strip_suffix(b"\0").unwrap_or(body);
        Ok(super::header::Records {
            path: Some(name.to_owned()),
            size: None,
        })
    }

    fn content(&mut self, path: &str, size: u64) -> Result<Vec<u8>, ArchiveError> {
        let limit = self.blocks.limits().entry_bytes;
        if size > limit {
            return Err(ArchiveError::refused(
                path,
                format!("it has {size} bytes, at most {limit} are read"),
            ));
        }
        self.blocks.content(size)
    }

    fn read_version(&mut self, size: u64) -> Result<(), ArchiveError> {
        let path = "metadata/version";
        if size > VERSION_BYTES_MAX || !self.summary.format.is_empty() {
            return Err(ArchiveError::refused(path, "it is too long or there twice"));
        }
        let content = self.blocks.content(size)?;
        let text = std::str::from_utf8(&content).unwrap_or("").trim();
        if !text.starts_with("1.") {
            return Err(ArchiveError::refused(
                path,
                format!("format {text:?} is not known"),
            ));
        }
        text.clone_into(&mut self.summary.format);
        Ok(())
    }

    /// Notes an entry, and gives out its object if it is the first of its two.
    fn take(&mut self, path: &str, content: &[u8]) -> Result<Option<Archived>, ArchiveError> {
        let Some(parsed) = ObjectPath::parse(path) else {
            return Err(ArchiveError::refused(path, "no backup has a file there"));
        };
        let sha256: [u8; 32] = Sha256::digest(content).into();
        if let Copy::Other(_) = parsed.copy {
            self.summary.other_versions += 1;
            return if self.others.insert(short(path)) {
                Ok(None)
            } else {
                Err(twice(path))
            };
        }
        let plain = parsed.copy == Copy::Plain;
        let plain_path = parsed.plain().to_string();
        let key = short(&plain_path);
        if self.complete.contains(&key) {
            return Err(twice(path));
        }
        if let Some(seen) = self.open.get(&key) {
            if seen.plain == plain {
                return Err(twice(path));
            }
            if seen.sha256 != sha256 {
                return Err(ArchiveError::refused(path, "its two copies differ"));
            }
            if matches!(&parsed.copy, Copy::Preferred(version) if *version != seen.version) {
                return Err(ArchiveError::refused(path, "its folder names another version"));
            }
            self.open.remove(&key);
            self.complete.insert(key);
            self.summary.copies += 1;
            return Ok(None);
        }
        let (id, object) = read_object(path, &parsed, content, self.with_objects)?;
        let seen = Seen {
            plain,
            sha256,
            version: version_of(&id).to_owned(),
        };
        self.open.insert(key, seen);
        self.summary.objects += 1;
        Ok(Some(Archived {
            path: plain_path,
            resource: parsed.resource,
            id,
            object,
            sha256,
            size: content.len() as u64,
        }))
    }

    fn damaged(&self, why: &str) -> ArchiveError {
        ArchiveError::Damaged {
            after: self.blocks.after.clone(),
            why: why.to_owned(),
        }
    }

    /// Names the entry if its header has a readable name.
    fn refused_near(&self, block: &[u8; BLOCK], why: String) -> ArchiveError {
        let end = block.iter().take(100).position(|byte| *byte == 0).unwrap_or(100);
        match std::str::from_utf8(block.get(..end).unwrap_or_default()) {
            Ok(name) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) => {
                ArchiveError::refused(name, why)
            }
            _ => self.damaged(&why),
        }
    }
}

fn short(path: &str) -> Short {
    let digest: [u8; 32] = Sha256::digest(path.as_bytes()).into();
    let mut short = Short::default();
    short.copy_from_slice(digest.split_at(16).0);
    short
}

fn twice(path: &str) -> ArchiveError {
    ArchiveError::refused(path, "it is there twice")
}

fn safe(name: &[u8]) -> Result<String, ArchiveError> {
    let Ok(path) = std::str::from_utf8(name) else {
        let lossy = String::from_utf8_lossy(name).escape_debug().to_string();
        return Err(ArchiveError::refused(lossy, "its path is not text"));
    };
    match unsafe_path(path) {
        // Escaped and cut, because it may be made to confuse a terminal.
        Some(why) => {
            let shown: String = path.chars().take(200).collect();
            Err(ArchiveError::refused(shown.escape_debug().to_string(), why))
        }
        None => Ok(path.to_owned()),
    }
}

fn check_folder(name: &[u8], size: u64) -> Result<(), ArchiveError> {
    let path = safe(name.strip_suffix(b"/").unwrap_or(name))?;
    if size > 0 {
        return Err(ArchiveError::refused(path, "it is a folder with content"));
    }
    Ok(())
}

/// As much of an object as says what it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<Value>,
    kind: Option<Value>,
    metadata: Option<HeadMetadata>,
}

#[derive(Serialize, Deserialize)]
struct HeadMetadata {
    name: Option<Value>,
    namespace: Option<Value>,
}

/// The head of an object as a value; all of it is read.
fn head(content: &[u8]) -> Result<Value, serde_json::Error> {
    let head: Head = serde_json::from_slice(content)?;
    serde_json::to_value(head)
}

fn read_object(
    path: &str,
    parsed: &ObjectPath,
    content: &[u8],
    whole: bool,
) -> Result<(ObjectId, Value), ArchiveError> {
    let refused = |why: String| ArchiveError::refused(path, why);
    let object: Result<Value, _> = if whole {
        json::value(content)
    } else {
        head(content)
    };
    let object = object.map_err(|error| refused(format!("it is not JSON: {error}")))?;
    let id = ObjectId::of(&object).ok_or_else(|| refused("it has no apiVersion, kind or name".into()))?;
    let says_so = id.name == parsed.name
        && id.namespace == parsed.namespace
        && id.group() == parsed.group()
        && match &parsed.copy {
            Copy::Preferred(version) => version == version_of(&id),
            Copy::Plain | Copy::Other(_) => true,
        };
    if !says_so {
        return Err(refused(format!("it holds {id} ({}) instead", id.api_version)));
    }
    if let Some(why) = misplaced(parsed, &id) {
        return Err(refused(why));
    }
    Ok((id, if whole { object } else { Value::Null }))
}

/// Why an object of a kind that every cluster serves cannot be where it is. Of other kinds the archive alone
/// cannot tell.
fn misplaced(parsed: &ObjectPath, id: &ObjectId) -> Option<String> {
    let kind = builtin(&id.kind).filter(|kind| kind.kind == id.kind && kind.group == id.group())?;
    if kind.resource() != parsed.resource {
        return Some(format!("it holds {id}, which belongs to {}", kind.resource()));
    }
    (kind.namespaced && parsed.namespace.is_none()).then(|| format!("it holds {id}, which needs a namespace"))
}

fn version_of(id: &ObjectId) -> &str {
    id.api_version.rsplit('/').next().unwrap_or_default()
}
