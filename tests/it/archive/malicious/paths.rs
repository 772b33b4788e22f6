//! Paths that lead elsewhere, by every way in which a tar can say a path; and files that no backup has.

use super::raw::{Tar, header, record};
use super::{Evil, POD, evil};

/// Why it is one, the path, and words of the refusal.
const PATHS: &[(&str, &[u8], &str)] = &[
    ("absolute", b"/etc/passwd", "absolute"),
    ("absolute twice", b"//etc/passwd", "absolute"),
    (
        "absolute, and like an object",
        b"/resources/pods/namespaces/shop/p.json",
        "absolute",
    ),
    ("the root", b"/", "absolute"),
    ("up", b"../p.json", "outside"),
    (
        "up, and like an object",
        b"../resources/pods/namespaces/shop/p.json",
        "outside",
    ),
    ("down and up", b"resources/../../p.json", "outside"),
    (
        "up to another namespace",
        b"resources/pods/namespaces/shop/../bank/p.json",
        "too deep",
    ),
    (
        "up in place of a namespace",
        b"resources/pods/namespaces/../p.json",
        "outside",
    ),
    (
        "up in place of a kind",
        b"resources/../namespaces/shop/p.json",
        "outside",
    ),
    ("up at the end", b"resources/pods/namespaces/shop/..", "outside"),
    ("up alone", b"..", "outside"),
    ("here", b".", "empty part"),
    (
        "here first",
        b"./resources/pods/namespaces/shop/p.json",
        "empty part",
    ),
    (
        "here in between",
        b"resources/./pods/namespaces/shop/p.json",
        "empty part",
    ),
    (
        "an empty part",
        b"resources//pods/namespaces/shop/p.json",
        "empty part",
    ),
    (
        "a file that ends like a folder",
        b"resources/pods/namespaces/shop/p.json/",
        "empty part",
    ),
    (
        "an empty namespace",
        b"resources/pods/namespaces//p.json",
        "empty part",
    ),
    (
        "a tab",
        b"resources/pods/namespaces/shop/p\t.json",
        "control character",
    ),
    (
        "a new line",
        b"resources/pods/namespaces/shop/p\n.json",
        "control character",
    ),
    (
        "a terminal's escape",
        b"resources/pods/namespaces/shop/\x1b[2Jp.json",
        "control character",
    ),
    (
        "a bell in a namespace",
        b"resources/pods/namespaces/\x07/p.json",
        "control character",
    ),
    (
        "a delete",
        b"resources/pods/namespaces/shop/p\x7f.json",
        "control character",
    ),
    (
        "a control character of two bytes",
        "resources/pods/namespaces/shop/p\u{85}.json".as_bytes(),
        "control character",
    ),
    ("too deep", b"resources/a/b/c/d/e/p.json", "too deep"),
    ("no text", b"resources/pods/namespaces/shop/\xff.json", "not text"),
    (
        "dots of two bytes",
        b"resources/\xc0\xae\xc0\xae/p.json",
        "not text",
    ),
    (
        "half of a surrogate pair",
        b"resources/pods/namespaces/shop/\xed\xa0\x80.json",
        "not text",
    ),
];

/// Only an extension header or a long name can say these.
const LONG: &[(&str, &[u8], &str)] = &[
    (
        "a zero inside",
        b"resources/pods/namespaces/shop/p.json\0.txt",
        "control character",
    ),
    (
        "a zero first",
        b"\0resources/pods/namespaces/shop/p.json",
        "control character",
    ),
    (
        "a zero for a slash",
        b"resources/pods/namespaces\0shop/p.json",
        "control character",
    ),
];

/// Files that no backup has, some beside folders that are allowed.
const PLACES: &[&str] = &[
    "resources-evil/pods/namespaces/shop/p.json",
    "resources/pods/namespaces-evil/shop/p.json",
    "Resources/pods/namespaces/shop/p.json",
    "RESOURCES/pods/namespaces/shop/p.json",
    "resources/pods/Namespaces/shop/p.json",
    "resources/pods/Cluster/p.json",
    "resources/pods/namespaces/shop/p.json.exe",
    "resources/pods/namespaces/shop/p.JSON",
    "resources/pods/namespaces/shop/p",
    "resources/pods/namespaces/shop/p.yaml",
    "resources/pods/namespaces/shop/a/p.json",
    "resources/pods/namespaces/p.json",
    "resources/pods/cluster/a/p.json",
    "resources/pods/p.json",
    "resources/p.json",
    "resources",
    "metadata",
    "metadata/version2",
    "metadata/version/x",
    "metadata/Version",
    "resources\\pods\\namespaces\\shop\\p.json",
    "..\\..\\p.json",
    "C:/Windows/p.json",
    "~/.ssh/authorized_keys",
    ".bashrc",
    "...",
    "item-snapshots/p.json",
];

pub(super) fn all() -> Vec<Evil> {
    let mut all = Vec::new();
    for (why, path, words) in PATHS {
        all.push(evil(format!("path: {why}"), named(path), words));
        all.push(evil(format!("path in records: {why}"), in_records(path), words));
        all.push(evil(
            format!("path as a long name: {why}"),
            as_long_name(path),
            words,
        ));
        all.extend(
            in_two_parts(path).map(|archive| evil(format!("path in two parts: {why}"), archive, words)),
        );
        // A folder's own slash at the end is none of its name, and a file with that is harmless as a folder.
        if !path.ends_with(b"/") {
            let folder = Tar::new().entry(b'5', path, b"").done();
            all.push(evil(format!("path of a folder: {why}"), folder, words));
        }
    }
    for (why, path, words) in LONG {
        all.push(evil(format!("path in records: {why}"), in_records(path), words));
        all.push(evil(
            format!("path as a long name: {why}"),
            as_long_name(path),
            words,
        ));
    }
    let long = "a".repeat(1200);
    all.push(evil(
        "path in records: too long",
        in_records(long.as_bytes()),
        "too long",
    ));
    all.push(evil(
        "path as a long name: too long",
        as_long_name(long.as_bytes()),
        "too long",
    ));
    for place in PLACES {
        all.push(evil(
            format!("place: {place}"),
            Tar::new().file(place, POD).done(),
            "no backup has a file there",
        ));
    }
    all
}

fn named(path: &[u8]) -> Vec<u8> {
    Tar::new().entry(b'0', path, POD.as_bytes()).done()
}

fn in_records(path: &[u8]) -> Vec<u8> {
    Tar::new()
        .records(&record("path", path))
        .entry(b'0', b"p.json", POD.as_bytes())
        .done()
}

fn as_long_name(path: &[u8]) -> Vec<u8> {
    Tar::new()
        .entry(b'L', b"././@LongLink", &[path, b"\0"].concat())
        .entry(b'0', b"p.json", POD.as_bytes())
        .done()
}

/// The folder in the field for what does not fit; readers put a slash between.
fn in_two_parts(path: &[u8]) -> Option<Vec<u8>> {
    let slash = path.iter().rposition(|byte| *byte == b'/').filter(|at| *at > 0)?;
    let (folder, name) = (&path[..slash], &path[slash + 1..]);
    let mut header = header(b'0', name, POD.len() as u64);
    header.as_ustar_mut()?.prefix[..folder.len()].copy_from_slice(folder);
    header.set_cksum();
    Some(Tar::new().with(&header, POD.as_bytes()).done())
}
