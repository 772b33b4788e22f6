//! Archives that somebody made to harm: all are refused, quickly, and nothing is given out that the
//! archive's other readers would see differently.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lifeboat::archive::{Limits, Reader};
use tar::{Builder, EntryType, Header};

/// An archive made by the `tar` crate, entry by entry.
struct Made(Builder<GzEncoder<Vec<u8>>>);

impl Made {
    fn new() -> Self {
        Self(Builder::new(GzEncoder::new(Vec::new(), Compression::default())))
    }

    /// Any name at all: the `tar` crate's own checks are passed by.
    fn entry(mut self, kind: EntryType, path: &str, body: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(body.len() as u64);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        self.0.append(&header, body).unwrap();
        self
    }

    fn file(self, path: &str, body: &str) -> Self {
        self.entry(EntryType::Regular, path, body.as_bytes())
    }

    fn done(self) -> Vec<u8> {
        self.0.into_inner().unwrap().finish().unwrap()
    }
}

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop"}}"#;
const PATH: &str = "resources/pods/namespaces/shop/p.json";
const COPY: &str = "resources/pods/v1-preferredversion/namespaces/shop/p.json";

/// The error, and how many objects were given out before it.
fn refusal(archive: &[u8]) -> (String, usize) {
    let mut given = 0;
    for archived in Reader::new(archive) {
        match archived {
            Ok(_) => given += 1,
            Err(error) => return (error.to_string(), given),
        }
    }
    panic!("accepted, with {given} objects");
}

fn refused(archive: &[u8], words: &str) {
    let (error, _) = refusal(archive);
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_harmless_archive_of_the_same_make_is_read() {
    let both = Made::new()
        .file("metadata/version", "1.1.0\n")
        .file(PATH, POD)
        .file(COPY, POD)
        .done();
    assert_eq!(Reader::new(&both[..]).map(Result::unwrap).count(), 1);
    for only in [PATH, COPY] {
        let one = Made::new()
            .entry(EntryType::Directory, "resources/", b"")
            .file(only, POD)
            .done();
        let read: Vec<_> = Reader::new(&one[..]).map(Result::unwrap).collect();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].path, PATH);
    }
    let reversed = Made::new().file(COPY, POD).file(PATH, POD).done();
    assert_eq!(Reader::new(&reversed[..]).map(Result::unwrap).count(), 1);
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in [
        "/etc/passwd",
        "../resources/pods/namespaces/shop/p.json",
        "resources/../../x.json",
        "resources/pods/namespaces/shop/../../p.json",
        "resources/pods/namespaces/../p.json",
        "resources//pods/namespaces/shop/p.json",
        "./resources/pods/namespaces/shop/p.json",
        "resources/pods/namespaces/shop/a\tb.json",
        "resources/a/b/c/d/e/p.json",
    ] {
        refused(&Made::new().file(path, POD).done(), "path");
        let folder = Made::new().entry(EntryType::Directory, path, b"").done();
        refused(&folder, "path");
    }
}

#[test]
fn files_that_no_backup_has_are_refused() {
    // The siblings share a prefix with a folder that is allowed.
    for path in [
        "resources-evil/pods/namespaces/shop/p.json",
        "resources/pods/namespaces-evil/shop/p.json",
        "metadata/version2",
        "metadata/version/x",
        "resources/pods/namespaces/shop/p.json.exe",
        "resources/pods/p.json",
        ".bashrc",
    ] {
        refused(&Made::new().file(path, POD).done(), "no backup has a file there");
    }
}

#[test]
fn only_files_and_empty_folders_may_be_in_an_archive() {
    for kind in [
        EntryType::Link,
        EntryType::Symlink,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::GNULongLink,
        EntryType::XGlobalHeader,
        EntryType::new(b'Z'),
    ] {
        let (error, given) = refusal(&Made::new().entry(kind, PATH, b"").done());
        assert!(error.contains("link") || error.contains("neither"), "{error}");
        assert_eq!(given, 0);
    }
    let full = Made::new().entry(EntryType::Directory, "resources", b"x").done();
    refused(&full, "folder with content");
}

#[test]
fn an_object_cannot_be_there_twice_in_two_versions() {
    let twice = Made::new().file(PATH, POD).file(PATH, POD).done();
    refused(&twice, "twice");
    let copies = Made::new().file(PATH, POD).file(COPY, POD).file(COPY, POD).done();
    refused(&copies, "twice");
    let other = POD.replace(r#""name":"p""#, r#""labels":{},"name":"p""#);
    let differ = Made::new().file(PATH, POD).file(COPY, &other).done();
    refused(&differ, "two copies differ");
    let beta = COPY.replace("v1-", "v1beta1-");
    refused(
        &Made::new().file(PATH, POD).file(&beta, POD).done(),
        "another version",
    );
    refused(&Made::new().file(&beta, POD).file(PATH, POD).done(), "it holds");
}

#[test]
fn an_object_cannot_pretend_to_be_another() {
    for path in [
        "resources/pods/namespaces/bank/p.json",
        "resources/pods/namespaces/shop/q.json",
        "resources/pods/cluster/p.json",
        "resources/pods.apps/namespaces/shop/p.json",
    ] {
        refused(&Made::new().file(path, POD).done(), "it holds Pod shop/p");
    }
    refused(&Made::new().file(PATH, "{}").done(), "no apiVersion");
    refused(&Made::new().file(PATH, "[").done(), "not JSON");
    let deep = "[".repeat(100_000);
    refused(&Made::new().file(PATH, &deep).done(), "not JSON");
}

/// One extension header of any records.
fn extended(records: &str, path: &str, body: &str) -> Vec<u8> {
    Made::new()
        .entry(EntryType::XHeader, "x", records.as_bytes())
        .file(path, body)
        .done()
}

#[test]
fn extension_headers_cannot_lie() {
    let record = |rest: &str| format!("{} {rest}\n", rest.len() + 4);
    let size = record(&format!("size={}", POD.len()));
    assert_eq!(
        Reader::new(&extended(&size, PATH, POD)[..])
            .map(Result::unwrap)
            .count(),
        1
    );
    refused(&extended(&record("size=9999999"), PATH, POD), "two sizes");
    refused(&extended(&record("path=../../x"), PATH, POD), "outside");
    refused(&extended(&record("linkpath=/etc"), PATH, POD), "do not use");
    refused(&extended(&record("GNU.sparse.name=x"), PATH, POD), "do not use");
    refused(&extended("nonsense", PATH, POD), "malformed");
    refused(&extended(&" ".repeat(20_000), PATH, POD), "oversized");
    let two = Made::new()
        .entry(
            EntryType::XHeader,
            "x",
            record("path=resources/pods/namespaces/shop/q.json").as_bytes(),
        )
        .entry(
            EntryType::GNULongName,
            "x",
            b"resources/pods/namespaces/shop/r.json\0",
        )
        .file(PATH, POD)
        .done();
    refused(&two, "second");
    let alone = Made::new()
        .entry(EntryType::XHeader, "x", record("comment=aaa").as_bytes())
        .done();
    refused(&alone, "without its entry");
}

#[test]
fn a_long_name_of_gnu_tar_is_read() {
    let long = format!("{}/{}.json", "resources/pods/namespaces/shop", "p".repeat(150));
    let body = POD.replace(r#""p""#, &format!("{:?}", "p".repeat(150)));
    let archive = Made::new()
        .entry(
            EntryType::GNULongName,
            "././@LongLink",
            format!("{long}\0").as_bytes(),
        )
        .file(PATH, &body)
        .done();
    assert_eq!(Reader::new(&archive[..]).next().unwrap().unwrap().path, long);
}

#[test]
fn a_header_cannot_promise_more_than_there_is() {
    let mut header = Header::new_ustar();
    header.set_size(1000);
    header.as_old_mut().name[..PATH.len()].copy_from_slice(PATH.as_bytes());
    header.set_cksum();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    gzip.write_all(POD.as_bytes()).unwrap();
    refused(&gzip.finish().unwrap(), "cut off");

    header.set_size(u64::MAX);
    header.set_cksum();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    refused(&gzip.finish().unwrap(), "at most");

    header.as_mut_bytes()[200] ^= 1;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    refused(&gzip.finish().unwrap(), "checksum");
}

/// A gzip of some first bytes and then zeros: one member of 16 MiB, again and again.
fn zeros(first: &[u8], mebibytes: usize) -> Vec<u8> {
    let gzip = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    [gzip(first), gzip(&vec![0; 16 << 20]).repeat(mebibytes / 16)].concat()
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    const GIB: u64 = 1 << 30;
    let mut huge = Header::new_ustar();
    huge.set_size(GIB);
    huge.as_old_mut().name[..PATH.len()].copy_from_slice(PATH.as_bytes());
    huge.set_cksum();
    // Of a gibibyte, only the beginning is there: whoever went on to its end would call it cut short.
    let one_file = zeros(huge.as_bytes(), 32);
    let padding = zeros(b"", 32);
    // Many files that are each small enough.
    let mut many = Made::new();
    for i in 0..20 {
        let path = format!("resources/pods/namespaces/shop/p{i:02}.json");
        let body = format!(
            "{}{}",
            POD.replace(r#""p""#, &format!(r#""p{i:02}""#)),
            " ".repeat(1 << 20)
        );
        many = many.file(&path, &body);
    }
    let many = many.done();
    refused(&one_file, "at most");
    refused(&padding, "too much behind");
    refused(&many, "per compressed byte");
}

#[test]
fn limits_hold() {
    let archive = Made::new().file(PATH, POD).file(COPY, POD).done();
    let limits = Limits::default();
    for limits in [
        Limits { entries: 1, ..limits },
        Limits {
            entry_bytes: 10,
            ..limits
        },
        Limits {
            total_bytes: 1000,
            ..limits
        },
    ] {
        let error = Reader::with_limits(&archive[..], limits)
            .find_map(Result::err)
            .unwrap();
        assert!(
            error.to_string().contains("more than") || error.to_string().contains("at most"),
            "{error}"
        );
    }
}

#[test]
fn a_reader_gives_nothing_more_after_an_error() {
    let archive = Made::new().file(PATH, POD).file(PATH, POD).file(COPY, POD).done();
    let mut reader = Reader::new(&archive[..]);
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b""[..], b"\x1f\x8b", b"hello", &[0; 2000], POD.as_bytes()] {
        refusal(bytes);
    }
}
