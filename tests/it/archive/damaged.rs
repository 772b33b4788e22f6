//! An archive that is not what was written is not accepted, and the first things wrong are named.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lifeboat::archive::{ArchiveError, Manifest, Reader, Wrong, verify};
use serde_json::json;

use super::{few, manifest, write};

fn small() -> (Vec<u8>, Manifest) {
    let (archive, contents) = write(few());
    (archive, manifest(contents))
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn plain(archive: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn no_byte_of_an_archive_can_change_unnoticed() {
    let (archive, manifest) = small();
    verify(&archive[..], &manifest).unwrap();
    for at in 0..archive.len() {
        for flip in [0x01, 0x80] {
            let mut changed = archive.clone();
            changed[at] ^= flip;
            assert!(verify(&changed[..], &manifest).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn no_byte_inside_the_compression_can_change_unnoticed() {
    let (archive, manifest) = small();
    let tar = plain(&archive);
    for at in (0..tar.len()).step_by(7) {
        let mut changed = tar.clone();
        changed[at] ^= 0x01;
        assert!(verify(&gzip(&changed)[..], &manifest).is_err(), "byte {at}");
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused_and_says_so() {
    let (archive, manifest) = small();
    for length in 0..archive.len() {
        let error = Reader::new(&archive[..length]).find_map(Result::err).unwrap();
        assert!(
            matches!(error, ArchiveError::Truncated { .. }),
            "{length}: {error}"
        );
        assert!(verify(&archive[..length], &manifest).is_err());
    }
    // Cut inside and compressed again, so that the compression is whole.
    let tar = plain(&archive);
    for length in (0..tar.len() - 1).step_by(64) {
        assert!(verify(&gzip(&tar[..length])[..], &manifest).is_err(), "{length}");
    }
}

#[test]
fn anything_behind_the_end_is_refused() {
    let (archive, manifest) = small();
    for tail in [&b"\0"[..], b"x", &archive, &gzip(b"\0"), &gzip(b"x")] {
        let longer = [&archive[..], tail].concat();
        assert!(
            verify(&longer[..], &manifest).is_err(),
            "{} bytes more",
            tail.len()
        );
    }
}

#[test]
fn nothing_can_hide_between_entries_or_behind_the_end_mark() {
    let tar = plain(&small().0);
    let error_of = |at: usize| {
        let mut changed = tar.clone();
        changed[at] = b'x';
        let archive = gzip(&changed);
        Reader::new(&archive[..])
            .find_map(Result::err)
            .unwrap()
            .to_string()
    };
    // The first entry has 6 bytes in a block of its own.
    assert!(error_of(1023).contains("space between two entries"));
    assert!(error_of(tar.len() - 1).contains("behind its end mark"));
}

#[test]
fn what_is_wrong_is_named() {
    let (_, manifest) = small();
    let path = |name: &str| format!("resources/configmaps/namespaces/shop/{name}.json");

    let mut changed = few();
    changed[0].1["data"]["k"] = json!("other");
    let wrongs = verify(&write(changed).0[..], &manifest).unwrap_err();
    assert_eq!(wrongs, [Wrong::Changed { path: path("a") }]);

    let mut missing = few();
    missing.remove(1);
    let wrongs = verify(&write(missing).0[..], &manifest).unwrap_err();
    assert_eq!(wrongs, [Wrong::Missing { path: path("b") }]);

    let mut added = few();
    added.push(few().remove(0));
    added[3].1["metadata"]["name"] = json!("c");
    let wrongs = verify(&write(added).0[..], &manifest).unwrap_err();
    assert_eq!(wrongs, [Wrong::Added { path: path("c") }]);

    // The same bytes at another place: only a path changes, which the object itself contradicts.
    let mut moved = serde_json::to_value(&manifest).unwrap();
    moved["objects"][0]["path"] = path("z").into();
    let moved = serde_json::from_value(moved).unwrap();
    let wrongs = verify(&write(few()).0[..], &moved).unwrap_err();
    let (from, to) = (path("z"), path("a"));
    assert_eq!(wrongs, [Wrong::Moved { from, to }]);

    let mut other = manifest;
    other.archive.sha256 = "00".into();
    let wrongs = verify(&write(few()).0[..], &other).unwrap_err();
    assert!(matches!(wrongs[..], [Wrong::OtherFile { .. }]));
}

#[test]
fn at_most_ten_wrong_things_are_named() {
    let many = |n: usize| {
        (0..n)
            .map(|i| {
                let name = format!("c{i:03}");
                ("configmaps".to_owned(), json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}))
            })
            .collect()
    };
    let (_, contents) = write(many(0));
    let wrongs = verify(&write(many(50)).0[..], &manifest(contents)).unwrap_err();
    assert_eq!(wrongs.len(), 10);
    let (_, contents) = write(many(50));
    let wrongs = verify(&write(many(0)).0[..], &manifest(contents)).unwrap_err();
    assert_eq!(wrongs.len(), 10);
}

#[test]
fn a_store_that_fails_is_not_called_damage() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset"))
        }
    }
    let (archive, _) = small();
    let broken = (&archive[..100]).chain(Failing);
    let error = Reader::new(broken).find_map(Result::err).unwrap();
    assert!(matches!(error, ArchiveError::Read { .. }), "{error}");
}
