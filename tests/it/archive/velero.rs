//! Against the bytes of Velero 1.18.3.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use lifeboat::archive::{BackupRecord, Keys, Reader, Usable, extra_files, results, velero_backup};
use lifeboat::text::sha256_hex;
use serde_json::Value;

use super::{fixture, manifest, write};

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// Path, mode and body of every entry, read by another reader than ours.
fn entries(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            assert!(entry.header().entry_type().is_file());
            let mut body = Vec::new();
            entry.read_to_end(&mut body).unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            (path, entry.header().mode().unwrap(), body)
        })
        .collect()
}

fn read_all(archive: &[u8]) -> (Vec<(String, Value)>, lifeboat::archive::Summary) {
    let mut reader = Reader::new(archive);
    let objects = reader
        .by_ref()
        .map(Result::unwrap)
        .map(|archived| (archived.resource, archived.object))
        .collect();
    (objects, reader.summary().clone())
}

#[test]
fn every_object_of_veloros_own_list_is_read_and_nothing_else() {
    let list: BTreeMap<String, BTreeSet<String>> =
        serde_json::from_slice(&unzipped(&fixture("shop-a-resource-list.json.gz"))).unwrap();
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let archive = fixture("shop-a.tar.gz");
    let mut reader = Reader::new(&archive[..]);
    for archived in reader.by_ref() {
        let id = archived.unwrap().id;
        let name = id
            .namespace
            .map_or(id.name.clone(), |ns| format!("{ns}/{}", id.name));
        assert!(
            read.entry(format!("{}/{}", id.api_version, id.kind))
                .or_default()
                .insert(name)
        );
    }
    assert_eq!(read, list);
    let summary = reader.summary();
    assert_eq!((summary.objects, summary.copies), (35, 35));
    assert_eq!(summary.format, "1.1.0");
    assert_eq!(summary.archive.sha256, sha256_hex(&archive));
    assert_eq!(summary.archive.size, archive.len() as u64);
}

#[test]
fn what_velero_says_of_its_backup_is_understood() {
    let record = BackupRecord::read("shop-a", &fixture("velero-backup.json")).unwrap();
    assert_eq!(
        record.usable,
        Usable::Yes {
            consistent_at: "2026-11-23T01:03:43Z".parse().unwrap(),
            partial: false
        }
    );
    assert_eq!(record.namespaces, ["shop"]);
    assert!(!record.by_lifeboat);
    let (errors, warnings) = results(&fixture("shop-a-results.gz")[..]).unwrap();
    assert!(errors.is_empty() && warnings.is_empty());
}

#[test]
fn the_same_objects_written_by_us_have_veleros_paths_modes_and_bytes() {
    let theirs = fixture("shop-a.tar.gz");
    let (objects, _) = read_all(&theirs);
    let (ours, _) = write(objects);
    let sorted = |archive: &[u8]| {
        let mut all = entries(archive);
        all.sort();
        all
    };
    assert_eq!(entries(&ours)[0].0, "metadata/version");
    assert_eq!(sorted(&ours), sorted(&theirs));
}

#[test]
fn the_files_beside_the_archive_are_veleros() {
    let (objects, _) = read_all(&fixture("shop-a.tar.gz"));
    let (_, contents) = write(objects);
    let keys = Keys::of("shop-b").unwrap();
    let ours: BTreeMap<String, Vec<u8>> = extra_files(&keys, &manifest(contents), "log\n")
        .unwrap()
        .into_iter()
        .collect();
    for name in [
        "itemoperations.json.gz",
        "logs.gz",
        "podvolumebackups.json.gz",
        "resource-list.json.gz",
        "results.gz",
        "volumeinfo.json.gz",
        "volumesnapshots.json.gz",
    ] {
        assert!(ours.contains_key(&keys.extra(name)), "{name}");
    }
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(&unzipped(bytes)).unwrap();
    for name in [
        "resource-list.json.gz",
        "results.gz",
        "volumeinfo.json.gz",
        "itemoperations.json.gz",
    ] {
        assert_eq!(
            json(&ours[&keys.extra(name)]),
            json(&fixture(&format!("shop-a-{name}"))),
            "{name}"
        );
    }
}

#[test]
fn our_backup_object_has_what_velero_needs_to_restore_from_it() {
    let (_, contents) = write(super::few());
    let keys = Keys::of("shop-b").unwrap();
    let ours = velero_backup(&keys, &manifest(contents));
    let theirs: Value = serde_json::from_slice(&fixture("velero-backup.json")).unwrap();
    for pointer in [
        "/apiVersion",
        "/kind",
        "/status/version",
        "/status/formatVersion",
        "/status/phase",
    ] {
        assert_eq!(ours.pointer(pointer), theirs.pointer(pointer), "{pointer}");
    }
    // Every field of ours that is not marked as ours is a field of Velero's.
    for part in ["spec", "status"] {
        for key in ours[part].as_object().unwrap().keys() {
            assert!(theirs[part].get(key).is_some(), "{part}.{key}");
        }
    }
    assert_eq!(ours["status"]["startTimestamp"], "2026-11-22T22:00:00Z");
    assert_eq!(ours["status"].get("expiration"), None);
    let record = BackupRecord::read("shop-b", ours.to_string().as_bytes()).unwrap();
    assert!(record.by_lifeboat && matches!(record.usable, Usable::Yes { partial: false, .. }));
}
