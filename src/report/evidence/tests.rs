//! A bundle, and everything that may be done to one.

use super::*;
use crate::report::sample;

const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

fn signing() -> Signing {
    Signing::of_pem(SECRET).unwrap()
}

fn trusted() -> Trusted {
    Trusted(signing().0.verifying_key())
}

fn journal() -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in sample::recovered() {
        bytes.extend(serde_json::to_vec(&entry).unwrap());
        bytes.push(b'\n');
    }
    bytes
}

const JOURNAL_PATH: &str = "runs/shop-d-4k2/journal.jsonl";

fn whole() -> Files {
    let exhibit = Exhibit {
        run: "shop-d-4k2".into(),
        journal: journal(),
        papers: Files::from([
            ("report.html".into(), b"<p>recovered".to_vec()),
            ("plan.json".into(), b"{}".to_vec()),
        ]),
    };
    bundle(&[exhibit], Some(&signing()), sample::now()).unwrap()
}

/// The journal's lines changed in some way, and what is said of it.
fn with(change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let mut files = whole();
    let text = String::from_utf8(files[JOURNAL_PATH].clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    files.insert(JOURNAL_PATH.into(), (lines.join("\n") + "\n").into_bytes());
    let examined = examine(&files, Some(&trusted()));
    assert!(!examined.is_proved());
    examined
        .findings
        .iter()
        .map(|said| said.replace(JOURNAL_PATH, "J"))
        .collect()
}

#[test]
fn a_bundle_as_it_was_made_is_proved_by_its_key_and_by_no_other() {
    let files = whole();
    let examined = examine(&files, Some(&trusted()));
    assert!(examined.is_proved(), "{examined:?}");
    assert_eq!((examined.files, examined.records), (5, sample::recovered().len()));
    let unknown = examine(&files, None);
    assert!(unknown.findings.is_empty() && !unknown.is_proved());
    assert!(matches!(unknown.signed, Signed::Unknown { .. }));
    let other = Trusted(SigningKey::from_bytes(&[7; 32]).verifying_key());
    let examined = examine(&files, Some(&other));
    assert_eq!(examined.signed, Signed::Nobody);
    assert!(
        examined.findings[0].contains("another key signed it"),
        "{examined:?}"
    );
}

#[test]
fn a_record_that_was_changed_is_named() {
    for at in [0, 3, sample::recovered().len() - 1] {
        let said = with(|lines| lines[at] = lines[at].replacen('2', "3", 1));
        assert_eq!(said, [format!("J: record {at} was changed.")]);
    }
    assert_eq!(
        with(|lines| {
            lines[4].push(' ');
            lines[5].push(' ');
        }),
        ["J: record 4 was changed.", "J: record 5 was changed."]
    );
}

#[test]
fn a_record_that_was_removed_is_named() {
    let last = sample::recovered().len() - 1;
    for at in [0, 3, last] {
        assert_eq!(
            with(|lines| _ = lines.remove(at)),
            [format!("J: record {at} was removed.")]
        );
    }
    assert_eq!(with(|lines| lines.truncate(last - 1)).len(), 2);
}

#[test]
fn a_record_that_was_moved_is_named() {
    assert_eq!(with(|lines| lines.swap(3, 4)).len(), 1);
    let said = with(|lines| {
        let line = lines.remove(2);
        lines.insert(6, line);
    });
    assert_eq!(said, ["J: record 2 was moved behind record 6."]);
    let said = with(|lines| {
        let line = lines.remove(6);
        lines.insert(0, line);
    });
    assert_eq!(said, ["J: record 6 was moved to the beginning."]);
}

#[test]
fn a_record_that_was_added_is_named() {
    assert_eq!(
        with(|lines| lines.insert(5, "{}".into())),
        ["J: a record was added after record 4."]
    );
    assert_eq!(
        with(|lines| lines.insert(0, "{}".into())),
        ["J: a record was added before record 0."]
    );
    let last = sample::recovered().len() - 1;
    assert_eq!(
        with(|lines| lines.push("{}".into())),
        [format!("J: a record was added after record {last}.")]
    );
    assert_eq!(
        with(|lines| lines.insert(5, lines[2].clone())),
        ["J: record 2 stands there twice."]
    );
}

#[test]
fn a_file_that_was_changed_removed_or_added_is_named() {
    type Change = fn(&mut Files);
    let cases: [(Change, &str); 4] = [
        (
            |files| files.get_mut("runs/shop-d-4k2/report.html").unwrap().push(b'!'),
            "runs/shop-d-4k2/report.html was changed.",
        ),
        (
            |files| _ = files.remove("runs/shop-d-4k2/plan.json"),
            "runs/shop-d-4k2/plan.json was removed.",
        ),
        (
            |files| _ = files.insert("runs/shop-d-4k2/note.txt".into(), vec![]),
            "runs/shop-d-4k2/note.txt was added.",
        ),
        (
            |files| _ = files.insert(JOURNAL_PATH.into(), journal()[..journal().len() - 1].to_vec()),
            "runs/shop-d-4k2/journal.jsonl: its line breaks were changed.",
        ),
    ];
    for (change, said) in cases {
        let mut files = whole();
        change(&mut files);
        assert_eq!(examine(&files, Some(&trusted())).findings, [said]);
    }
}

#[test]
fn whoever_changes_the_manifest_too_is_found_out_by_the_signature() {
    let mut files = whole();
    // Everything is made again without the key.
    let exhibit = Exhibit {
        run: "shop-d-4k2".into(),
        journal: b"{}\n".to_vec(),
        papers: Files::new(),
    };
    let forged = bundle(
        &[exhibit],
        Some(&Signing(SigningKey::from_bytes(&[7; 32]))),
        sample::now(),
    )
    .unwrap();
    assert!(!examine(&forged, Some(&trusted())).findings.is_empty());
    files.insert(MANIFEST.into(), forged[MANIFEST].clone());
    assert_eq!(examine(&files, Some(&trusted())).signed, Signed::Nobody);
    for gone in [MANIFEST, SIGNATURE] {
        let mut files = whole();
        files.remove(gone);
        let examined = examine(&files, Some(&trusted()));
        assert!(
            !examined.is_proved() && examined.findings[0].contains(gone),
            "{examined:?}"
        );
    }
}

#[test]
fn an_unsigned_bundle_is_compared_and_proves_nothing() {
    let files = bundle(&[], None, sample::now()).unwrap();
    let examined = examine(&files, None);
    assert_eq!((examined.findings.len(), &examined.signed), (0, &Signed::Nobody));
    assert!(!examined.is_proved());
}

#[test]
fn a_key_is_what_openssl_writes_and_is_never_shown() {
    assert!(!format!("{:?}", signing()).contains("MC4"));
    assert!(Signing::of_pem("nonsense").is_err());
    let pem = String::from_utf8(whole()[KEY].clone()).unwrap();
    assert_eq!(Trusted::of_pem(&pem).unwrap(), trusted());
}
