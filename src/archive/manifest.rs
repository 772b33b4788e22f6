//! What a backup of ours holds, object by object, with checksums.
//!
//! Not here: comparing an archive with it (`verify`). The manifest protects against damage and mix-ups;
//! against somebody who may write to the bucket only a signature would, which does not exist yet.
//!
//! ## Why
//!
//! - The stored bytes are an envelope around the manifest with the manifest's own checksum, and reading
//!   them demands exactly the bytes that would be written again. So no byte of it can change unnoticed.
//! - A manifest of 50,000 objects is 13 MB of text. It is read and written as a stream, and what was read is
//!   compared with what would be written by their checksums: nobody holds it as text.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::entries::Entries;
use super::limits::MANIFEST_BYTES_MAX;
use super::path::ObjectPath;
use crate::text::{HashRead, Hashing};

/// Size and checksum of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sum {
    /// SHA-256 in hex.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// Which cluster the objects are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The site's name in the inventory.
    pub site: String,
    /// `uid` of the namespace `kube-system`.
    pub uid: String,
    /// Such as `v1.37.2`.
    pub version: String,
}

/// Something that was there and is not in the backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOut {
    /// One object (`Secret shop/db`) or a whole kind (`events`).
    pub what: String,
    /// The rule.
    pub why: String,
}

/// A backup in one document. Lists are sorted; equal backups have equal documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The backup's name.
    pub backup: String,
    /// What wrote it: `lifeboat 0.1.0`.
    pub tool: String,
    /// The cluster that was read.
    pub origin: Origin,
    /// The moment whose state it holds: taken before the first object was read, so that what is in
    /// it may be newer and is never older.
    pub consistent_at: Timestamp,
    /// When the last object had been read.
    pub completed_at: Timestamp,
    /// The namespaces that were asked for.
    pub namespaces: Vec<String>,
    /// How many objects of each kind (`plural.group`).
    pub kinds: BTreeMap<String, u64>,
    /// Every object, in the order of the archive.
    pub objects: Entries,
    /// What was deliberately left out.
    pub left_out: Vec<LeftOut>,
    /// The archive.
    pub archive: Sum,
    /// Why it holds only a part of its namespaces, in words; empty: it holds all of them but what was left
    /// out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<String>,
    /// The patterns by which namespaces were asked for, `*` say: whoever wants to restore by a pattern must
    /// know that all of what it stands for was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
}

/// The format of the envelope and of what is in it.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    format: u32,
    sha256: String,
    content: T,
}

/// Why stored bytes are not the document they should be.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A later lifeboat wrote it.
    #[error("it has format {0}, and this binary knows format {FORMAT}; use a newer lifeboat")]
    Newer(u32),
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// Nobody wrote so much.
    #[error("it has more than {MANIFEST_BYTES_MAX} bytes")]
    TooLarge,
    /// The sink refused.
    #[error("it cannot be written")]
    Write(#[from] io::Error),
    /// It is not what was written.
    #[error("it is damaged: its content does not have the checksum that it states")]
    Damaged,
}

fn seal<T: Serialize>(content: &T) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    seal_into(content, &mut bytes)?;
    Ok(bytes)
}

/// Writes the envelope and returns its checksum. The content is written twice, the first time only for
/// its own checksum: so nobody holds a large one as text.
fn seal_into<T: Serialize>(content: &T, sink: impl Write) -> Result<String, ManifestError> {
    let mut of_content = Hashing::new(io::sink());
    serde_json::to_writer(&mut of_content, content)?;
    let mut stored = Hashing::new(sink);
    let envelope = Envelope {
        format: FORMAT,
        sha256: of_content.digest()?,
        content,
    };
    serde_json::to_writer(&mut stored, &envelope)?;
    Ok(stored.digest()?)
}

/// Reads an envelope; gives back what is in it and the SHA-256 of the stored bytes in hex.
fn open<T: Serialize + DeserializeOwned>(stored: impl Read) -> Result<(T, String), ManifestError> {
    let mut stored = BufReader::new(HashRead::new(stored.take(MANIFEST_BYTES_MAX + 1)));
    // The format first: a newer one may have fields that would be unknown here.
    if let Some(newer) = format_of(stored.fill_buf()?).filter(|format| *format > FORMAT) {
        return Err(ManifestError::Newer(newer));
    }
    let mut reader = serde_json::Deserializer::from_reader(&mut stored);
    let read = Envelope::<T>::deserialize(&mut reader).and_then(|envelope| {
        reader.end()?;
        Ok(envelope.content)
    });
    let stored = stored.into_inner();
    if stored.count() > MANIFEST_BYTES_MAX {
        return Err(ManifestError::TooLarge);
    }
    let content = read?;
    if seal_into(&content, io::sink())? == stored.digest() {
        Ok((content, stored.digest()))
    } else {
        Err(ManifestError::Damaged)
    }
}

/// The format that stored bytes say they have; `None`: they do not begin as they are written.
fn format_of(begin: &[u8]) -> Option<u32> {
    let digits = begin.strip_prefix(br#"{"format":"#)?;
    let digits = digits.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Manifest {
    /// The bytes to store.
    ///
    /// # Errors
    ///
    /// None that is known; serde's type has one.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        seal(self)
    }

    /// Writes the bytes to store and returns their SHA-256 in hex.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn write(&self, sink: impl Write) -> Result<String, ManifestError> {
        seal_into(self, sink)
    }

    /// Reads stored bytes; gives back their SHA-256 in hex, too.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], also where a single byte differs from what was written.
    pub fn read(stored: impl Read) -> Result<(Self, String), ManifestError> {
        open(stored)
    }

    /// How many objects of each kind (`plural.group`) these are.
    pub fn count_kinds(objects: &Entries) -> BTreeMap<String, u64> {
        count(objects, |path| path.resource)
    }

    /// How many objects are in each namespace; cluster-scoped ones under the empty name.
    pub fn count_namespaces(&self) -> BTreeMap<String, u64> {
        count(&self.objects, |path| path.namespace.unwrap_or_default())
    }
}

fn count(objects: &Entries, by: impl Fn(ObjectPath) -> String) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for path in objects.iter().filter_map(|entry| entry.parsed()) {
        *counts.entry(by(path)).or_default() += 1;
    }
    counts
}

/// Proof that a backup was read back as a whole and is what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verified {
    /// The backup's name.
    pub backup: String,
    /// When the last byte had been compared.
    pub verified_at: Timestamp,
    /// What compared: `lifeboat 0.1.0`.
    pub tool: String,
    /// Of the manifest's stored bytes: another manifest needs another proof.
    pub manifest_sha256: String,
    /// Of the archive.
    pub archive: Sum,
}

impl Verified {
    /// The bytes to store.
    ///
    /// # Errors
    ///
    /// None that is known; serde's type has one.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        seal(self)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    ///
    /// As [`Manifest::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        open(bytes).map(|(proof, _)| proof)
    }

    /// Whether this is a proof for exactly this manifest, given the SHA-256 of its stored bytes in hex.
    pub fn proves(&self, manifest: &Manifest, stored: &str) -> bool {
        self.backup == manifest.backup && self.archive == manifest.archive && self.manifest_sha256 == stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sha256_hex;

    fn manifest() -> Manifest {
        let mut objects = Entries::default();
        let path = "resources/deployments.apps/namespaces/shop/web.json";
        objects.push(path, "apps/v1", "Deployment", [0x1a; 32], 7);
        Manifest {
            backup: "shop-a".into(),
            tool: "lifeboat 0.1.0".into(),
            origin: Origin {
                site: "east".into(),
                uid: "u".into(),
                version: "v1.37.2".into(),
            },
            consistent_at: "2026-11-22T22:00:00.5Z".parse().unwrap(),
            completed_at: "2026-11-22T22:00:07Z".parse().unwrap(),
            namespaces: vec!["shop".into()],
            kinds: Manifest::count_kinds(&objects),
            objects,
            left_out: vec![LeftOut {
                what: "events".into(),
                why: "an event is a note about the past".into(),
            }],
            archive: Sum {
                sha256: "11".into(),
                size: 9,
            },
            narrowed: Vec::new(),
            patterns: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_survives_being_stored() {
        let bytes = manifest().to_bytes().unwrap();
        assert_eq!(
            Manifest::read(&bytes[..]).unwrap(),
            (manifest(), sha256_hex(&bytes))
        );
        let mut streamed = Vec::new();
        assert_eq!(manifest().write(&mut streamed).unwrap(), sha256_hex(&bytes));
        assert_eq!(streamed, bytes);
        assert_eq!(
            manifest().kinds,
            BTreeMap::from([("deployments.apps".to_owned(), 1)])
        );
        assert_eq!(
            manifest().count_namespaces(),
            BTreeMap::from([("shop".to_owned(), 1)])
        );
    }

    #[test]
    fn no_byte_of_a_manifest_can_change_or_go_unnoticed() {
        let bytes = manifest().to_bytes().unwrap();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                assert!(Manifest::read(&changed[..]).is_err(), "byte {at} ^ {flip:#x}");
            }
            assert!(Manifest::read(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(Manifest::read(&[&bytes[..], b" "].concat()[..]).is_err());
    }

    #[test]
    fn a_newer_format_is_named() {
        let newer = br#"{"format":2,"sha256":"","content":{"future":1}}"#;
        let error = Manifest::read(&newer[..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has format 2, and this binary knows format 1; use a newer lifeboat"
        );
    }

    #[test]
    fn a_proof_is_for_one_manifest() {
        let bytes = manifest().to_bytes().unwrap();
        let proof = Verified {
            backup: "shop-a".into(),
            verified_at: "2026-11-22T22:01:00Z".parse().unwrap(),
            tool: "lifeboat 0.1.0".into(),
            manifest_sha256: sha256_hex(&bytes),
            archive: manifest().archive,
        };
        let stored = proof.to_bytes().unwrap();
        assert!(
            Verified::from_bytes(&stored)
                .unwrap()
                .proves(&manifest(), &sha256_hex(&bytes))
        );
        let mut other = manifest();
        other.namespaces.push("bank".into());
        assert!(!proof.proves(&other, &sha256_hex(&other.to_bytes().unwrap())));
    }
}
