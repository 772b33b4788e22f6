//! Backups that Velero made: which can be used, of which moment they are, and what Velero said went
//! wrong.
//!
//! ## Why
//!
//! - The consistent point is `startTimestamp`. Velero reads one kind after the other from then on, so
//!   an object may be newer than that and none is older. Counting from the end would promise data that
//!   was written while the backup ran and is not in it.
//! - `PartiallyFailed` is usable: on the worst day most of it is better than nothing. Its errors go with
//!   it everywhere, because Velero's own word for it says nothing about what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::velero::{LIFEBOAT, MANAGED_BY};

/// What `velero-backup.json` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupRecord {
    /// The backup's name.
    pub name: String,
    /// Velero's word: `Completed`.
    pub phase: String,
    /// Whether and from which moment it can be used.
    pub usable: Usable,
    /// Whether lifeboat wrote it: then there is a manifest, or it was not finished.
    pub by_lifeboat: bool,
    /// The namespaces that were asked for; empty: all.
    pub namespaces: Vec<String>,
    /// How many errors Velero counted.
    pub errors: u64,
    /// How many warnings Velero counted.
    pub warnings: u64,
    /// How many objects its writer counted, where it says so.
    pub items: Option<u64>,
}

/// Whether a backup can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usable {
    /// It can.
    Yes {
        /// The moment whose state it holds.
        consistent_at: Timestamp,
        /// `true`: Velero could not read all of it.
        partial: bool,
    },
    /// It cannot, and why.
    No(String),
}

#[derive(Deserialize)]
struct Backup {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    included_namespaces: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    format_version: String,
    start_timestamp: Option<Timestamp>,
    errors: u64,
    warnings: u64,
    progress: Option<Progress>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Progress {
    items_backed_up: Option<u64>,
}

impl BackupRecord {
    /// Reads `velero-backup.json` of the backup of this name.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, as a fragment: no JSON, no Backup, another backup's.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let backup: Backup =
            serde_json::from_slice(bytes).map_err(|error| format!("it is not a Velero backup: {error}"))?;
        if backup.kind != "Backup" {
            return Err(format!("it holds a {} instead of a Backup", backup.kind));
        }
        if backup.metadata.name != name {
            return Err(format!("it is of the backup {}", backup.metadata.name));
        }
        let mut namespaces = backup.spec.included_namespaces.unwrap_or_default();
        namespaces.retain(|namespace| namespace != "*");
        Ok(Self {
            name: backup.metadata.name,
            usable: usable(&backup.status),
            by_lifeboat: backup.metadata.labels.get(MANAGED_BY).map(String::as_str) == Some(LIFEBOAT),
            namespaces,
            errors: backup.status.errors,
            warnings: backup.status.warnings,
            items: backup
                .status
                .progress
                .and_then(|progress| progress.items_backed_up),
            phase: backup.status.phase,
        })
    }
}

fn usable(status: &Status) -> Usable {
    let partial = match status.phase.as_str() {
        "Completed" => false,
        "PartiallyFailed" => true,
        "" => return Usable::No("it has no phase, so it was never begun".into()),
        "Failed" | "FailedValidation" => return Usable::No(format!("Velero says {}", status.phase)),
        other => return Usable::No(format!("Velero says {other}: it was not finished")),
    };
    let format = status.format_version.as_str();
    if !format.is_empty() && !format.starts_with("1.") {
        return Usable::No(format!("it has format {format}, which is not known"));
    }
    match status.start_timestamp {
        Some(consistent_at) => Usable::Yes {
            consistent_at,
            partial,
        },
        None => Usable::No("it does not say when it was begun".into()),
    }
}

/// Bytes of an extra file when decompressed: Velero writes one line per failed object, so this is more
/// than 100,000 failures.
pub const EXTRA_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Results {
    errors: Option<Messages>,
    warnings: Option<Messages>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Messages {
    velero: Option<Vec<String>>,
    cluster: Option<Vec<String>>,
    namespaces: Option<BTreeMap<String, Vec<String>>>,
}

impl Messages {
    fn lines(self) -> Vec<String> {
        let namespaces = self.namespaces.unwrap_or_default().into_iter();
        let velero = self.velero.unwrap_or_default().into_iter();
        let cluster = self.cluster.unwrap_or_default().into_iter();
        let in_namespaces =
            namespaces.flat_map(|(name, lines)| lines.into_iter().map(move |line| format!("{name}: {line}")));
        velero.chain(cluster).chain(in_namespaces).collect()
    }
}

/// Errors and warnings from `-results.gz`, in Velero's words.
///
/// # Errors
///
/// What is wrong with the file, as a fragment.
pub fn results(compressed: impl Read) -> Result<(Vec<String>, Vec<String>), String> {
    let results: Results = gunzip(compressed)?;
    let lines = |messages: Option<Messages>| messages.unwrap_or_default().lines();
    Ok((lines(results.errors), lines(results.warnings)))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    pvc_name: String,
    pvc_namespace: String,
    backup_method: String,
    skipped: bool,
}

/// From `-volumeinfo.json.gz`: the claims whose data Velero has saved, as `shop/data (CSISnapshot)`.
/// Lifeboat does not read that data, so whoever restores has to be told.
///
/// # Errors
///
/// What is wrong with the file, as a fragment.
pub fn volumes(compressed: impl Read) -> Result<Vec<String>, String> {
    let volumes: Option<Vec<Volume>> = gunzip(compressed)?;
    let saved = volumes
        .unwrap_or_default()
        .into_iter()
        .filter(|volume| !volume.skipped);
    Ok(saved
        .map(|volume| {
            format!(
                "{}/{} ({})",
                volume.pvc_namespace, volume.pvc_name, volume.backup_method
            )
        })
        .collect())
}

/// From `-resource-list.json.gz`: names by kind, `{"apps/v1/Deployment": ["shop/web"]}`, as the writer
/// of a backup listed what it put in.
///
/// # Errors
///
/// What is wrong with the file, as a fragment.
pub fn listed(compressed: impl Read) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let list: Option<BTreeMap<String, BTreeSet<String>>> = gunzip(compressed)?;
    Ok(list.unwrap_or_default())
}

fn gunzip<T: DeserializeOwned>(compressed: impl Read) -> Result<T, String> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(compressed)
        .take(EXTRA_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > EXTRA_BYTES_MAX {
        return Err(format!("it has more than {EXTRA_BYTES_MAX} bytes"));
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(status: &serde_json::Value) -> BackupRecord {
        let bytes =
            json!({"kind": "Backup", "metadata": {"name": "a"}, "spec": {}, "status": status}).to_string();
        BackupRecord::read("a", bytes.as_bytes()).unwrap()
    }

    #[test]
    fn only_what_velero_finished_is_usable_and_counts_from_its_start() {
        let status = |phase: &str| {
            json!({"phase": phase, "formatVersion": "1.1.0", "errors": 2,
                   "startTimestamp": "2026-11-23T01:03:43Z", "completionTimestamp": "2026-11-23T01:09:44Z"})
        };
        let start: Timestamp = "2026-11-23T01:03:43Z".parse().unwrap();
        for (phase, partial) in [("Completed", false), ("PartiallyFailed", true)] {
            let usable = Usable::Yes {
                consistent_at: start,
                partial,
            };
            assert_eq!(record(&status(phase)).usable, usable);
        }
        for phase in [
            "",
            "New",
            "InProgress",
            "Finalizing",
            "Failed",
            "FailedValidation",
            "Deleting",
        ] {
            assert!(matches!(record(&status(phase)).usable, Usable::No(_)), "{phase}");
        }
        assert_eq!(record(&status("PartiallyFailed")).errors, 2);
    }

    #[test]
    fn a_file_of_another_backup_is_refused() {
        let bytes = br#"{"kind":"Backup","metadata":{"name":"b"}}"#;
        assert_eq!(
            BackupRecord::read("a", bytes).unwrap_err(),
            "it is of the backup b"
        );
        let restore = br#"{"kind":"Restore","metadata":{"name":"a"}}"#;
        assert!(BackupRecord::read("a", restore).is_err());
        assert!(BackupRecord::read("a", b"").is_err());
    }

    fn gzip(text: &str) -> Vec<u8> {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn volumes_whose_data_lifeboat_cannot_read_are_named() {
        let text = r#"[{"pvcName":"data","pvcNamespace":"shop","backupMethod":"CSISnapshot"},
                       {"pvcName":"tmp","pvcNamespace":"shop","skipped":true}]"#;
        assert_eq!(volumes(&gzip(text)[..]).unwrap(), ["shop/data (CSISnapshot)"]);
        assert!(volumes(&gzip("null")[..]).unwrap().is_empty());
        assert!(volumes(&gzip("{}")[..]).is_err());
    }

    #[test]
    fn what_went_wrong_is_told_in_veleros_words() {
        let bytes =
            gzip(r#"{"errors":{"velero":["a"],"cluster":null,"namespaces":{"shop":["b"]}},"warnings":null}"#);
        let (errors, warnings) = results(&bytes[..]).unwrap();
        assert_eq!(errors, ["a", "shop: b"]);
        assert!(warnings.is_empty());
        assert!(results(&bytes[..bytes.len() - 9]).is_err(), "cut off");
    }
}
