//! What a journal keeps, and what it refuses.
#![expect(clippy::disallowed_methods, reason = "tests damage files on purpose")]

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use super::{FILE, Journal, JournalError, LOCK};
use crate::run::testing::{beginning, operator, step};
use crate::run::{Event, Moment, Phase};

fn moment(elapsed_ms: u64) -> Moment {
    Moment {
        at: "2026-11-22T23:00:00Z".parse().unwrap(),
        elapsed_ms,
    }
}

fn intended(step: u32) -> Event {
    Event::Intended {
        step,
        phase: Phase::Forward,
        effect: 0,
        attempt: 1,
    }
}

fn paused(reason: &str) -> Event {
    Event::Paused {
        by: "anna".into(),
        reason: reason.into(),
    }
}

/// A journal of four entries, closed.
fn some_journal(runs: &Path) -> PathBuf {
    let (mut journal, _) =
        Journal::create(runs, beginning(vec![step("a"), step("b")], 2), moment(0)).unwrap();
    journal.append(&[intended(0), intended(1)], moment(10)).unwrap();
    journal.append(&[paused("lunch")], moment(20)).unwrap();
    journal.folder().to_owned()
}

fn bytes(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join(FILE)).unwrap()
}

fn write(folder: &Path, bytes: &[u8]) {
    std::fs::write(folder.join(FILE), bytes).unwrap();
}

#[test]
fn what_was_appended_is_read_again_and_can_be_gone_on_with() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let (mut journal, history) = Journal::open(&folder, &operator()).unwrap();
    assert_eq!(history.torn, None);
    assert_eq!(history.entries.len(), 4);
    assert_eq!(history.entries[2].event, intended(1));
    assert_eq!(history.entries[2].elapsed_ms, 10);
    let new = journal.append(&[paused("tea")], moment(30)).unwrap();
    assert_eq!(new[0].seq, 4);
    let all = Journal::read(&folder).unwrap();
    assert_eq!(all.entries[4], new[0]);
}

#[test]
fn the_first_line_is_readable_by_itself() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let text = String::from_utf8(bytes(&folder)).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let second = lines[0].split_once(r#""prev":""#).unwrap();
    assert_eq!(
        second.0,
        r#"{"seq":1,"at":"2026-11-22T23:00:00Z","elapsedMs":10,"#
    );
    assert!(
        second
            .1
            .ends_with(r#"","event":{"intended":{"step":0,"phase":"forward","effect":0,"attempt":1}}}"#)
    );
}

#[test]
fn an_end_torn_at_any_byte_is_cut_off_and_reported() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let whole = bytes(&folder);
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in last..whole.len() {
        write(&folder, &whole[..cut]);
        let torn = Journal::read(&folder).unwrap().torn;
        assert_eq!(bytes(&folder).len(), cut, "reading changes nothing");
        let (mut journal, history) = Journal::open(&folder, &operator()).unwrap();
        assert_eq!(history.torn, torn);
        assert_eq!(
            history.torn.map(|torn| torn.bytes),
            (cut > last).then_some((cut - last) as u64)
        );
        assert_eq!(history.entries.len(), 3);
        journal.append(&[paused("again")], moment(40)).unwrap();
        drop(journal);
        let again = Journal::read(&folder).unwrap();
        assert_eq!((again.entries.len(), again.torn), (4, None), "cut at {cut}");
    }
}

#[test]
fn an_end_of_zeros_is_cut_off_too() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let mut all = bytes(&folder);
    all.extend([0; 512]);
    write(&folder, &all);
    let (_, history) = Journal::open(&folder, &operator()).unwrap();
    assert_eq!((history.entries.len(), history.torn.unwrap().bytes), (4, 512));
}

#[test]
fn a_flipped_bit_anywhere_before_the_last_line_is_refused() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let whole = bytes(&folder);
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in 0..last {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let read = super::read::parse(Path::new("journal"), &damaged[..]);
            let refused = matches!(
                read,
                Err(JournalError::Damaged { .. } | JournalError::Format { .. })
            );
            assert!(refused, "byte {at}, bit {bit}: {read:?}");
        }
    }
}

#[test]
fn a_line_that_is_missing_doubled_or_moved_is_refused_by_its_number() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let text = String::from_utf8(bytes(&folder)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let says = |order: &[usize]| {
        let text: Vec<&str> = order.iter().flat_map(|at| [lines[*at], "\n"]).collect();
        let text = text.concat();
        let error = super::read::parse(Path::new("journal.jsonl"), text.as_bytes()).unwrap_err();
        error.to_string()
    };
    let all = [
        says(&[0, 2, 3]),
        says(&[0, 1, 1, 2]),
        says(&[0, 2, 1, 3]),
        says(&[1, 2]),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    journal.jsonl is damaged at line 2: it has number 2 and should have 1
    journal.jsonl is damaged at line 3: it has number 1 and should have 2
    journal.jsonl is damaged at line 2: it has number 2 and should have 1
    journal.jsonl is damaged at line 1: it has number 1 and should have 0
    ");
}

#[test]
fn a_changed_line_is_refused_at_the_line_after_it() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let text = String::from_utf8(bytes(&folder)).unwrap();
    write(
        &folder,
        text.replace(r#""elapsedMs":10"#, r#""elapsedMs":11"#).as_bytes(),
    );
    let error = Journal::open(&folder, &operator()).unwrap_err().to_string();
    assert!(
        error.ends_with("is damaged at line 3: the line before it is not the one that it followed"),
        "{error}"
    );
}

#[test]
fn another_format_is_refused_by_name() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let text = String::from_utf8(bytes(&folder)).unwrap();
    let newer = text.replacen(
        r#""began":{"format":1"#,
        r#""began":{"format":7,"shape":"new""#,
        1,
    );
    write(&folder, newer.as_bytes());
    let error = Journal::open(&folder, &operator()).unwrap_err().to_string();
    assert!(
        error.ends_with("has format 7, and this lifeboat knows format 1"),
        "{error}"
    );
}

#[test]
fn a_second_writer_is_refused_and_told_who_the_first_is() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let (first, _) = Journal::open(&folder, &operator()).unwrap();
    assert!(Journal::is_held(&folder));
    let error = Journal::open(&folder, &operator()).unwrap_err().to_string();
    assert!(
        error.ends_with("is in use by anna on laptop, process 1"),
        "{error}"
    );
    assert_eq!(
        Journal::read(&folder).unwrap().entries.len(),
        4,
        "reading needs no lock"
    );
    drop(first);
    assert!(!Journal::is_held(&folder));
    Journal::open(&folder, &operator()).unwrap();
}

#[test]
fn a_run_of_the_same_name_is_not_overwritten() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let before = bytes(&folder);
    let error = Journal::create(runs.path(), beginning(vec![step("a")], 1), moment(0)).unwrap_err();
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    assert_eq!(bytes(&folder), before);
}

#[test]
fn a_run_that_never_began_says_so() {
    let runs = tempfile::tempdir().unwrap();
    let missing = Journal::open(runs.path(), &operator()).unwrap_err();
    assert!(matches!(missing, JournalError::Missing { .. }), "{missing}");
    write(runs.path(), b"{\"seq\":0,");
    let empty = Journal::open(runs.path(), &operator()).unwrap_err();
    assert!(matches!(empty, JournalError::Empty { .. }), "{empty}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(FILE)), 0o600);
    assert_eq!(mode(&folder.join(LOCK)), 0o600);
}

#[cfg(target_os = "linux")]
#[test]
fn after_a_full_disk_nothing_more_is_appended() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let (mut journal, _) = Journal::open(&folder, &operator()).unwrap();
    let file = journal.fill_the_disk();
    let full = journal.append(&[paused("lunch")], moment(30)).unwrap_err();
    assert!(full.to_string().contains("No space left on device"), "{full}");
    journal.tape = file;
    let poisoned = journal.append(&[paused("lunch")], moment(30)).unwrap_err();
    assert!(matches!(poisoned, JournalError::Poisoned { .. }), "{poisoned}");
    assert_eq!(Journal::read(&folder).unwrap().entries.len(), 4);
}

impl Journal {
    /// From now on every write fails as on a full disk. Returns the real file.
    #[cfg(target_os = "linux")]
    pub(in crate::run) fn fill_the_disk(&mut self) -> Box<dyn super::Tape> {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        std::mem::replace(&mut self.tape, Box::new(full))
    }
}

#[test]
fn half_a_batch_survives_as_its_whole_lines() {
    let runs = tempfile::tempdir().unwrap();
    let folder = some_journal(runs.path());
    let (mut journal, _) = Journal::open(&folder, &operator()).unwrap();
    let before = bytes(&folder).len() as u64;
    let batch = [paused("one"), paused("two"), paused("three")];
    let entries = journal.append(&batch, moment(30)).unwrap();
    let first = serde_json::to_vec(&entries[0]).unwrap().len() as u64 + 1;
    let file = OpenOptions::new().write(true).open(folder.join(FILE)).unwrap();
    file.set_len(before + first + 20).unwrap();
    drop(journal);
    let (_, history) = Journal::open(&folder, &operator()).unwrap();
    assert_eq!(history.entries.len(), 5);
    assert_eq!(history.torn.unwrap().bytes, 20);
}
