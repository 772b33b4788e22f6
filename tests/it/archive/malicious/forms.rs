//! What a tar and a gzip can be besides what a backup is: links, duplicates, lies about sizes, extension
//! headers, broken compression, things behind the end, and bombs.

#![expect(clippy::too_many_lines, reason = "tables of tricks, read from top to bottom")]

use super::raw::{Tar, gzip, header, record, zeros};
use super::{COPY, Evil, PATH, POD, evil};

pub(super) fn links() -> Vec<Evil> {
    let mut all = Vec::new();
    for target in [
        "/etc/passwd",
        "../../../../etc/passwd",
        "p.json",
        "resources/pods",
        "",
        ".",
    ] {
        for (kind, word) in [(b'1', "hard link"), (b'2', "symbolic link")] {
            let mut header = header(kind, PATH.as_bytes(), 0);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            // Written through the link by whoever follows it.
            let archive = Tar::new().with(&header, b"").file(PATH, POD).done();
            all.push(evil(format!("{word} to {target:?}"), archive, "it is a link"));
        }
    }
    for (kind, what) in [
        (b'3', "character device"),
        (b'4', "block device"),
        (b'6', "pipe"),
        (b'7', "contiguous file"),
        (b'S', "sparse file"),
        (b'K', "long link"),
        (b'g', "header for all that follows"),
        (b'A', "access list"),
        (b'D', "folder with its list"),
        (b'I', "inode"),
        (b'M', "rest of another volume"),
        (b'N', "old long name"),
        (b'V', "volume's name"),
        (b'X', "Solaris' extension"),
        (b'Z', "something unheard of"),
        (b' ', "space"),
        (0xff, "byte of ones"),
    ] {
        let archive = Tar::new()
            .entry(kind, PATH.as_bytes(), b"")
            .file(PATH, POD)
            .done();
        all.push(evil(format!("type: {what}"), archive, "neither file nor folder"));
    }
    all
}

pub(super) fn duplicates() -> Vec<Evil> {
    let other = POD.replace("\"name\"", "\"labels\":{},\"name\"");
    let beta = COPY.replace("v1-", "v1beta1-");
    let third = COPY.replace("v1-preferredversion", "v1beta1");
    let files = |files: &[(&str, &str)]| {
        let tar = files
            .iter()
            .fold(Tar::new(), |tar, (path, body)| tar.file(path, body));
        tar.done()
    };
    let named_twice = Tar::new()
        .file(PATH, POD)
        .records(&record("path", PATH.as_bytes()))
        .file("other.json", POD);
    let long_twice = Tar::new()
        .file(PATH, POD)
        .entry(b'L', b"././@LongLink", format!("{PATH}\0").as_bytes())
        .file("other.json", POD);
    vec![
        evil(
            "twice: the same",
            files(&[(PATH, POD), (PATH, POD)]),
            "it is there twice",
        ),
        evil(
            "twice: two versions of it",
            files(&[(PATH, POD), (PATH, &other)]),
            "it is there twice",
        ),
        evil(
            "twice: the copy",
            files(&[(COPY, POD), (COPY, POD)]),
            "it is there twice",
        ),
        evil(
            "three times: plain",
            files(&[(PATH, POD), (COPY, POD), (PATH, POD)]),
            "it is there twice",
        ),
        evil(
            "three times: the copy",
            files(&[(PATH, POD), (COPY, POD), (COPY, POD)]),
            "it is there twice",
        ),
        evil(
            "twice: an older version",
            files(&[(third.as_str(), POD), (&third, POD)]),
            "it is there twice",
        ),
        evil("twice: once by records", named_twice.done(), "it is there twice"),
        evil(
            "twice: once by a long name",
            long_twice.done(),
            "it is there twice",
        ),
        evil(
            "copies that differ",
            files(&[(PATH, POD), (COPY, &other)]),
            "two copies differ",
        ),
        evil(
            "copies that differ, turned",
            files(&[(COPY, &other), (PATH, POD)]),
            "two copies differ",
        ),
        evil(
            "copies that differ in a space",
            files(&[(PATH, POD), (COPY, &format!("{POD} "))]),
            "two copies differ",
        ),
        evil(
            "a copy of another version",
            files(&[(PATH, POD), (&beta, POD)]),
            "another version",
        ),
        evil(
            "the format twice",
            files(&[("metadata/version", "1.1.0"), ("metadata/version", "1.1.0")]),
            "there twice",
        ),
        evil(
            "a format of tomorrow",
            files(&[("metadata/version", "2.0.0")]),
            "is not known",
        ),
        evil("no format", files(&[("metadata/version", "")]), "is not known"),
        evil(
            "a format of a page",
            files(&[("metadata/version", &"1".repeat(4096))]),
            "too long",
        ),
    ]
}

/// A file whose header says another size than it has.
fn sized(bytes: &[u8; 12], body: &[u8]) -> Vec<u8> {
    let mut header = header(b'0', PATH.as_bytes(), 0);
    header.as_old_mut().size = *bytes;
    header.set_cksum();
    Tar::new().with(&header, body).done()
}

pub(super) fn sizes() -> Vec<Evil> {
    let pod = POD.as_bytes();
    let size = |why: &str, bytes: &[u8; 12], words| evil(format!("size: {why}"), sized(bytes, pod), words);
    let mut folder = header(b'5', b"resources", 512);
    folder.set_cksum();
    let mut all = vec![
        size("more than there is", b"00000010000\0", "cut off"),
        size(
            "less than there is",
            b"00000000010\0",
            "the space between two entries",
        ),
        size("none", b"00000000000\0", "it is not JSON"),
        size("two blocks for one", b"00000001000\0", "it is not JSON"),
        size("a GiB", b"10000000000\0", "at most"),
        size("all that octal can say", b"77777777777\0", "at most"),
        size("no digits", b"abcdefghijk\0", "not a number"),
        size("a minus", b"-0000000113\0", "not a number"),
        size("decimal", b"00000000089\0", "not a number"),
        size(
            "2^63 by base 256",
            &[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
            "at most",
        ),
        size(
            "2^64-1 by base 256",
            &[0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            "at most",
        ),
        size("less than nothing by base 256", &[255; 12], "at most"),
        evil(
            "size: a folder with content",
            Tar::new().with(&folder, &[b'x'; 512]).done(),
            "folder with content",
        ),
    ];
    let stated = |why: &str, value: &str, words| {
        let archive = Tar::new()
            .records(&record("size", value.as_bytes()))
            .file(PATH, POD)
            .done();
        evil(format!("size in records: {why}"), archive, words)
    };
    all.extend([
        stated("larger", "9999999", "two sizes"),
        stated("smaller", "1", "two sizes"),
        stated("none", "0", "two sizes"),
        stated("negative", "-1", "not a number"),
        stated("too large for 64 bits", "99999999999999999999", "not a number"),
        stated("empty", "", "not a number"),
        stated("a fraction", "75.0", "not a number"),
    ]);
    all
}

pub(super) fn extensions() -> Vec<Evil> {
    let mut all = Vec::new();
    for key in [
        "linkpath",
        "hdrcharset",
        "charset",
        "GNU.sparse.major",
        "GNU.sparse.name",
        "GNU.sparse.realsize",
        "GNU.sparse.map",
        "SCHILY.xattr.security.selinux",
        "SCHILY.filetype",
        "LIBARCHIVE.creationtime",
        "path ",
        "PATH",
        "",
    ] {
        let archive = Tar::new().records(&record(key, b"1")).file(PATH, POD).done();
        all.push(evil(format!("record: {key:?}"), archive, "do not use"));
    }
    for body in [
        "nonsense",
        "9 path=a",
        "99 path=a\n",
        "0 path=a\n",
        "3 a\n",
        "-9 path=a\n",
        "18446744073709551616 a=b\n",
        "5 a=b",
    ] {
        let archive = Tar::new().records(body.as_bytes()).file(PATH, POD).done();
        all.push(evil(format!("records: {body:?}"), archive, "malformed"));
    }
    let twice = [record("path", b"a"), record("path", PATH.as_bytes())].concat();
    let long = |tar: Tar| tar.entry(b'L', b"././@LongLink", format!("{PATH}\0").as_bytes());
    let records = |tar: Tar| tar.records(&record("path", PATH.as_bytes()));
    let file = |tar: Tar| tar.file("p.json", POD).done();
    let mut huge = header(b'x', b"x", 1 << 30);
    huge.set_cksum();
    all.extend([
        evil("records: a path twice", file(Tar::new().records(&twice)), "twice"),
        evil(
            "records: too many",
            file(Tar::new().records(&b" ".repeat(20_000))),
            "oversized",
        ),
        evil("records: a GiB", Tar::new().with(&huge, b"").done(), "oversized"),
        evil(
            "records and a long name",
            file(long(records(Tar::new()))),
            "second",
        ),
        evil(
            "a long name and records",
            file(records(long(Tar::new()))),
            "second",
        ),
        evil("two long names", file(long(long(Tar::new()))), "second"),
        evil(
            "records of nothing",
            records(Tar::new()).done(),
            "without its entry",
        ),
        evil(
            "a long name of nothing",
            long(Tar::new()).done(),
            "without its entry",
        ),
        evil(
            "records and a link",
            records(Tar::new()).entry(b'2', b"p", b"").done(),
            "it is a link",
        ),
    ]);
    for (why, at, byte) in [
        ("its checksum is wrong", 148, b'7'),
        ("a byte of its name", 0, b'R'),
        ("a byte of its owner", 108, b'7'),
    ] {
        let mut header = header(b'0', PATH.as_bytes(), POD.len() as u64);
        header.as_mut_bytes()[at] = byte;
        all.push(evil(
            format!("header: {why}"),
            Tar::new().with(&header, POD.as_bytes()).done(),
            "checksum",
        ));
    }
    for magic in [
        &b"\0\0\0\0\0\0\0\0"[..],
        b"ustar\x0099",
        b"USTAR\x0000",
        b"tar\0\0\0\0\0",
    ] {
        let mut header = header(b'0', PATH.as_bytes(), POD.len() as u64);
        header.as_mut_bytes()[257..265].copy_from_slice(magic);
        header.set_cksum();
        all.push(evil(
            format!("header: of the make {:?}", String::from_utf8_lossy(magic)),
            Tar::new().with(&header, POD.as_bytes()).done(),
            "unknown format",
        ));
    }
    all
}

fn good() -> Vec<u8> {
    Tar::new().file(PATH, POD).file(COPY, POD).done()
}

pub(super) fn compression() -> Vec<Evil> {
    let good = good();
    let mut all = Vec::new();
    for tenth in 0..10 {
        let cut = good.len() * tenth / 10;
        all.push(evil(
            format!("cut off at {tenth} tenths"),
            good[..cut].to_vec(),
            "cut off",
        ));
    }
    all.push(evil(
        "cut off in the last byte",
        good[..good.len() - 1].to_vec(),
        "cut off",
    ));
    let changed = |why: &str, at: usize, byte: u8, words| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        evil(format!("gzip: {why}"), bytes, words)
    };
    let end = good.len();
    all.extend([
        changed("another magic", 0, 0x50, "damaged"),
        changed("another method", 2, 9, "damaged"),
        changed("a block of a reserved kind", 10, 7, "damaged"),
        changed("a wrong checksum", end - 8, !good[end - 8], "damaged"),
        changed("a wrong length", end - 4, !good[end - 4], "damaged"),
    ]);
    for (why, bytes) in [
        ("zip", &b"PK\x03\x04\x14\0\0\0\0\0"[..]),
        ("xz", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\0\0\0\0\0"),
        ("bzip2", b"BZh91AY&SY"),
        ("text", b"this is no archive"),
        ("HTML", b"<!doctype html><title>404</title>"),
        ("an object", POD.as_bytes()),
    ] {
        all.push(evil(format!("not gzip: {why}"), bytes.to_vec(), "damaged"));
    }
    let tar = Tar::new().file(PATH, POD).end().0;
    all.extend([
        evil("not gzip: a bare tar", tar, "damaged"),
        evil("gzip of gzip", gzip(&good), "cut off"),
        evil("gzip of nothing", gzip(b""), "cut off"),
        evil("gzip of text", gzip(&[b'x'; 2000]), "checksum"),
        evil(
            "gzip of noise",
            gzip(
                &(0..2000_u32)
                    .map(|n| (n * 7919).to_le_bytes()[1])
                    .collect::<Vec<_>>(),
            ),
            "checksum",
        ),
    ]);
    all
}

pub(super) fn ends() -> Vec<Evil> {
    let good = good();
    let behind = |why: &str, tail: &[u8], words| {
        evil(
            format!("behind the end: {why}"),
            [&good[..], tail].concat(),
            words,
        )
    };
    let second = Tar::new()
        .file("resources/secrets/namespaces/shop/s.json", POD)
        .end()
        .0;
    let open = Tar::new().file(PATH, POD).0;
    let hidden = |at: usize, from: &Tar| {
        let mut bytes = from.0.clone();
        bytes[at] = b'x';
        gzip(&bytes)
    };
    let whole = Tar::new().file(PATH, POD).end();
    vec![
        behind("a byte", b"x", "cut off"),
        behind("a shell script", b"#!/bin/sh\nrm -rf /\n", "damaged"),
        behind("the same archive", &good, "behind its end mark"),
        behind("another archive", &gzip(&second), "behind its end mark"),
        behind("half a member", &gzip(b"")[..9], "cut off"),
        behind("a member of a byte", &gzip(b"x"), "behind its end mark"),
        behind(
            "zeros and an archive",
            &[zeros(b"", 16), good.clone()].concat(),
            "too much behind",
        ),
        evil(
            "a second tar in the same member",
            gzip(&[whole.0.clone(), second].concat()),
            "behind its end mark",
        ),
        evil("no end mark", gzip(&open), "cut off"),
        evil(
            "half an end mark",
            gzip(&[&open[..], &[0; 512]].concat()),
            "cut off",
        ),
        evil(
            "half an end mark, then more",
            gzip(&[&open[..], &[0; 512], &open[..], &[0; 1024]].concat()),
            "behind its end mark",
        ),
        evil("half a block", gzip(&open[..700]), "cut off"),
        evil(
            "something between two entries",
            hidden(512 + POD.len(), &whole),
            "the space between two entries",
        ),
        evil(
            "something in the end mark",
            hidden(whole.0.len() - 1, &whole),
            "behind its end mark",
        ),
    ]
}

pub(super) fn bombs() -> Vec<Evil> {
    let huge = |kind: u8, name: &[u8]| header(kind, name, 1 << 30).as_bytes().to_vec();
    let spaces = " ".repeat(1 << 20);
    let many = |each: &dyn Fn(usize) -> (String, String)| {
        let tar = (0..20)
            .map(each)
            .fold(Tar::new(), |tar, (path, body)| tar.file(&path, &body));
        tar.done()
    };
    let path = |number: usize| format!("resources/pods/namespaces/shop/p{number:02}.json");
    let pod = |number: usize| POD.replace("\"p\"", &format!("\"p{number:02}\""));
    let text = |number: usize| pod(number).replace("\"kind\"", &format!("\"spec\":\"{spaces}\",\"kind\""));
    let folders = [
        gzip(&[]),
        gzip(&header(b'5', b"resources", 0).as_bytes().repeat(32_768)).repeat(4),
    ]
    .concat();
    let versions = |number: usize| {
        (
            format!("resources/pods/v{number}/namespaces/shop/p.json"),
            format!("{POD}{spaces}"),
        )
    };
    vec![
        evil(
            "bomb: one file of a GiB",
            zeros(&huge(b'0', PATH.as_bytes()), 1024),
            "at most",
        ),
        evil(
            "bomb: a format of a GiB",
            zeros(&huge(b'0', b"metadata/version"), 1024),
            "too long",
        ),
        evil(
            "bomb: a folder of a GiB",
            zeros(&huge(b'5', b"resources"), 1024),
            "folder with content",
        ),
        evil(
            "bomb: a GiB of records",
            zeros(&huge(b'x', b"x"), 1024),
            "oversized",
        ),
        evil("bomb: a GiB behind the end", zeros(&[], 1024), "too much behind"),
        evil(
            "bomb: a GiB behind an object",
            zeros(&Tar::new().file(PATH, POD).0, 1024),
            "too much behind",
        ),
        evil(
            "bomb: many files of spaces",
            many(&|number| (path(number), format!("{}{spaces}", pod(number)))),
            "per compressed byte",
        ),
        evil(
            "bomb: many long texts",
            many(&|number| (path(number), text(number))),
            "per compressed byte",
        ),
        evil(
            "bomb: many versions of one object",
            many(&versions),
            "per compressed byte",
        ),
        evil("bomb: folders and no end", folders, "cut off"),
        evil(
            "bomb: one object of more than is read",
            Tar::new()
                .file(PATH, &format!("{POD}{}", " ".repeat(33 << 20)))
                .done(),
            "at most",
        ),
    ]
}
