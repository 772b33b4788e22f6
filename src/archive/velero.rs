//! `velero-backup.json`: a backup of ours as Velero's own object, so that Velero finds and restores it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::writer::FORMAT;
use super::{Keys, Manifest};

/// Marks what lifeboat wrote, in Velero's object.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub(super) const LIFEBOAT: &str = "lifeboat";

/// The object that Velero reads into its cluster.
///
/// It never expires: Velero's garbage collector deletes what has an expiration, and retention of what
/// lifeboat wrote is lifeboat's matter.
pub fn velero_backup(keys: &Keys, manifest: &Manifest) -> Value {
    let count = manifest.objects.len();
    json!({
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": manifest.backup,
            "namespace": "velero",
            "labels": {
                MANAGED_BY: LIFEBOAT,
                // Velero replaces it by the name of the location in which it finds the backup.
                "velero.io/storage-location": "default",
            },
            "annotations": {
                "lifeboat.dev/cluster-uid": manifest.origin.uid,
                "lifeboat.dev/manifest": keys.manifest(),
                "lifeboat.dev/tool": manifest.tool,
                "velero.io/source-cluster-k8s-gitversion": manifest.origin.version,
            },
        },
        "spec": {
            "metadata": {},
            "includedNamespaces": manifest.namespaces,
            "storageLocation": "default",
            "snapshotVolumes": false,
            "defaultVolumesToFsBackup": false,
            "hooks": {},
        },
        "status": {
            "version": 1,
            "formatVersion": FORMAT,
            "phase": "Completed",
            "startTimestamp": in_seconds(manifest.consistent_at),
            "completionTimestamp": in_seconds(manifest.completed_at),
            "progress": {"totalItems": count, "itemsBackedUp": count},
        },
    })
}

/// Velero's times have whole seconds. Rounded down: a backup may look older than it is, never newer.
fn in_seconds(time: Timestamp) -> String {
    Timestamp::from_second(
        time.as_nanosecond()
            .div_euclid(1_000_000_000)
            .try_into()
            .unwrap_or(0),
    )
    .unwrap_or(time)
    .to_string()
}
