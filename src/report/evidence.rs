//! A bundle of evidence: what a run was, so that who was not there can check it years later, offline.
//!
//! A bundle is a folder: for each run its journal as it is, the plan that it began with and its report; a
//! manifest that names every file and every record of every journal by its SHA-256, in order; and a
//! signature of the manifest.
//!
//! ## Why
//!
//! - **Every record is in the manifest**, though the journal is chained already: so whoever changed,
//!   removed, moved or added a record is told which one, and the last record is held, too.
//! - **Ed25519 over the manifest's bytes**, with the public key beside it: `sha256sum` and `openssl` check
//!   a bundle without lifeboat.
//! - **A signature says who, not when.** Nothing here proves that a bundle was not made later by who holds
//!   the key; a copy in a bucket with object lock does.

mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::sha256_hex;

/// The name of the manifest.
const MANIFEST: &str = "manifest.json";
/// Its signature, 64 bytes.
const SIGNATURE: &str = "manifest.sig";
/// The public key, as PEM.
const KEY: &str = "key.pem";
/// The journal in a run's folder.
const JOURNAL: &str = "journal.jsonl";
/// How to check it, for people.
const README: &str = "README.txt";

/// Files of a bundle: path with `/` → bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// One run for a bundle.
#[derive(Clone, Debug)]
pub struct Exhibit {
    /// Its name.
    pub run: String,
    /// Its journal's bytes, whole lines only.
    pub journal: Vec<u8>,
    /// Everything else of it, by file name.
    pub papers: Files,
}

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// What wrote it.
    pub tool: String,
    /// When.
    pub written_at: Timestamp,
    /// The public key that it is signed with, as its fingerprint; `None`: it is not signed.
    pub key: Option<String>,
    /// Every file but the manifest and its signature.
    pub files: BTreeMap<String, File>,
    /// Path of a journal → SHA-256 of each of its records, in order.
    pub records: BTreeMap<String, Vec<String>>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its length.
    pub bytes: u64,
    /// Of its bytes.
    pub sha256: String,
}

impl Manifest {
    /// The format that this binary writes.
    pub const FORMAT: u32 = 1;
}

/// The secret key that bundles are signed with.
pub struct Signing(SigningKey);

/// A public key that somebody trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted(VerifyingKey);

impl Signing {
    /// A key as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// What it is not, as a fragment.
    pub fn of_pem(text: &str) -> Result<Self, String> {
        let key = SigningKey::from_pkcs8_pem(text.trim());
        key.map(Self)
            .map_err(|error| format!("it is no Ed25519 secret key in PEM: {error}"))
    }
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a secret key")
    }
}

impl Trusted {
    /// A key as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// What it is not, as a fragment.
    pub fn of_pem(text: &str) -> Result<Self, String> {
        let key = VerifyingKey::from_public_key_pem(text.trim());
        key.map(Self)
            .map_err(|error| format!("it is no Ed25519 public key in PEM: {error}"))
    }

    /// SHA-256 of its 32 bytes: what people compare.
    pub fn fingerprint(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }
}

/// Why a bundle cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the bundle: {0}")]
pub struct BundleError(String);

/// Makes a bundle.
///
/// # Errors
///
/// Where the manifest or the key cannot be written down.
pub fn bundle(exhibits: &[Exhibit], signing: Option<&Signing>, now: Timestamp) -> Result<Files, BundleError> {
    let mut files = Files::new();
    let mut records = BTreeMap::new();
    for exhibit in exhibits {
        let path = |name: &str| format!("runs/{}/{name}", exhibit.run);
        records.insert(path(JOURNAL), records::digests(&exhibit.journal));
        files.insert(path(JOURNAL), exhibit.journal.clone());
        files.extend(
            exhibit
                .papers
                .iter()
                .map(|(name, bytes)| (path(name), bytes.clone())),
        );
    }
    files.insert(README.to_owned(), readme(signing.is_some()).into_bytes());
    let public = signing.map(|signing| Trusted(signing.0.verifying_key()));
    if let Some(public) = &public {
        let pem = public.0.to_public_key_pem(LineEnding::LF);
        files.insert(
            KEY.to_owned(),
            pem.map_err(|error| BundleError(error.to_string()))?.into_bytes(),
        );
    }
    let manifest = Manifest {
        format: Manifest::FORMAT,
        tool: crate::TOOL.to_owned(),
        written_at: now,
        key: public.as_ref().map(Trusted::fingerprint),
        files: files
            .iter()
            .map(|(path, bytes)| (path.clone(), file(bytes)))
            .collect(),
        records,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| BundleError(error.to_string()))?;
    if let Some(signing) = signing {
        files.insert(SIGNATURE.to_owned(), signing.0.sign(&text).to_bytes().to_vec());
    }
    files.insert(MANIFEST.to_owned(), text);
    Ok(files)
}

fn file(bytes: &[u8]) -> File {
    File {
        bytes: bytes.len() as u64,
        sha256: sha256_hex(bytes),
    }
}

fn readme(signed: bool) -> String {
    let signature = if signed {
        "The manifest is signed with Ed25519. Check that key.pem is the key that you were given by another way,\n\
         and then, without lifeboat:\n\n  \
         openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in manifest.json -sigfile manifest.sig\n"
    } else {
        "The manifest is not signed: whoever could write these files could have written all of them.\n"
    };
    format!(
        "Evidence of runs of lifeboat. What each run did is in runs/<run>/journal.jsonl, one record a line, each with\n\
         the SHA-256 of the line before; report.html is a reading of it for people, plan.json the plan that it began\n\
         with. manifest.json names every file and every record by its SHA-256.\n\n\
         To check all of it:\n\n  lifeboat evidence verify <this folder> --key <public key>\n\n{signature}"
    )
}

/// What became of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Examined {
    /// Every difference, each a sentence that names the file and the record.
    pub findings: Vec<String>,
    /// Who vouches for it.
    pub signed: Signed,
    /// Files that were compared.
    pub files: usize,
    /// Records that were compared.
    pub records: usize,
}

/// Who vouches for a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Signed {
    /// The key that was given.
    Trusted {
        /// Of it.
        fingerprint: String,
    },
    /// The key that lies in the bundle; nobody has said whose it is.
    Unknown {
        /// Of it.
        fingerprint: String,
    },
    /// Nobody.
    Nobody,
}

impl Examined {
    /// Whether nothing differs and somebody who is trusted vouches for it.
    pub fn is_proved(&self) -> bool {
        self.findings.is_empty() && matches!(self.signed, Signed::Trusted { .. })
    }
}

/// Compares a bundle with what its manifest says, and the manifest with its signature.
pub fn examine(files: &Files, trusted: Option<&Trusted>) -> Examined {
    let mut findings = Vec::new();
    let signed = signature(files, trusted, &mut findings);
    let text = files.get(MANIFEST);
    let manifest = match text.map(|text| serde_json::from_slice::<Manifest>(text)) {
        None => {
            findings.push(format!("{MANIFEST} was removed: nothing else can be checked."));
            None
        }
        Some(Err(error)) => {
            findings.push(format!("{MANIFEST} cannot be read: {error}."));
            None
        }
        Some(Ok(manifest)) if manifest.format != Manifest::FORMAT => {
            findings.push(format!(
                "{MANIFEST} has format {}, and this lifeboat knows format {}.",
                manifest.format,
                Manifest::FORMAT
            ));
            None
        }
        Some(Ok(manifest)) => Some(manifest),
    };
    let compared = manifest.as_ref().map_or(0, |manifest| manifest.files.len());
    let records = manifest
        .as_ref()
        .map_or(0, |manifest| manifest.records.values().map(Vec::len).sum());
    if let Some(manifest) = &manifest {
        compare(files, manifest, &mut findings);
    }
    Examined {
        findings,
        signed,
        files: compared,
        records,
    }
}

/// Who vouches for the manifest's bytes.
fn signature(files: &Files, trusted: Option<&Trusted>, findings: &mut Vec<String>) -> Signed {
    let own = files.get(KEY).and_then(|pem| std::str::from_utf8(pem).ok());
    let own = own.and_then(|pem| Trusted::of_pem(pem).ok());
    let Some(key) = trusted.or(own.as_ref()) else {
        if files.contains_key(SIGNATURE) {
            findings.push(format!(
                "{KEY} was removed or is no key, so nobody can say whose {SIGNATURE} is."
            ));
        }
        return Signed::Nobody;
    };
    let Some(signature) = files.get(SIGNATURE) else {
        findings.push(format!("{SIGNATURE} was removed: nobody vouches for {MANIFEST}."));
        return Signed::Nobody;
    };
    let text = files.get(MANIFEST).map_or(&[] as &[u8], Vec::as_slice);
    let whole =
        Signature::from_slice(signature).is_ok_and(|signature| key.0.verify_strict(text, &signature).is_ok());
    if !whole {
        let with = if trusted.is_some() {
            "the key that was given"
        } else {
            KEY
        };
        findings.push(format!(
            "{SIGNATURE} is not that of {MANIFEST} by {with}: the manifest was changed, or another key signed it."
        ));
        return Signed::Nobody;
    }
    let fingerprint = key.fingerprint();
    match trusted {
        Some(_) => Signed::Trusted { fingerprint },
        None => Signed::Unknown { fingerprint },
    }
}

fn compare(files: &Files, manifest: &Manifest, findings: &mut Vec<String>) {
    for (path, known) in &manifest.files {
        match (files.get(path), manifest.records.get(path)) {
            (None, _) => findings.push(format!("{path} was removed.")),
            (Some(bytes), _) if file(bytes) == *known => {}
            (Some(bytes), Some(records)) => findings.extend(records::differences(path, records, bytes)),
            (Some(_), None) => findings.push(format!("{path} was changed.")),
        }
    }
    let ours: BTreeSet<&str> = [MANIFEST, SIGNATURE].into();
    let strangers = files
        .keys()
        .filter(|path| !manifest.files.contains_key(*path) && !ours.contains(path.as_str()));
    findings.extend(strangers.map(|path| format!("{path} was added.")));
}
