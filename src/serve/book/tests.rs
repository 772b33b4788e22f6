//! The ledger on a disk that tears, is changed, and fails.

use super::*;
use crate::runbook::Mode;
use crate::serve::Rule;

fn operator() -> Operator {
    Operator {
        name: "anna".to_owned(),
        host: "laptop".to_owned(),
        pid: 1,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2026-11-01T02:00:01Z";

fn story() -> [Record; 3] {
    let (line, due, run) = (
        "shop/drill".to_owned(),
        at("2026-11-01T02:00:00Z"),
        "shop-d-1".to_owned(),
    );
    [
        Record::Began {
            line: line.clone(),
            rule: Rule {
                mode: Mode::Drill,
                cron: "0 2 * * *".to_owned(),
                zone: "UTC".to_owned(),
            },
            at: at("2026-10-31T12:00:00Z"),
        },
        Record::Intended {
            line: line.clone(),
            due,
            run: run.clone(),
            attempt: 1,
        },
        Record::Fired { line, due, run },
    ]
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::open(folder.path(), &operator()).unwrap();
    for record in story() {
        book.append(&[record], at(NOW)).unwrap();
    }
    let path = book.path().to_owned();
    (folder, path)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test damages files")]
fn what_was_written_is_there_after_a_restart_wherever_the_last_write_was_cut_off() {
    let (folder, path) = written();
    let whole = std::fs::read(&path).unwrap();
    let lines: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let kept = lines.iter().filter(|newline| **newline < cut).count();
        let mut expected = Ledger::default();
        for record in &story()[..kept] {
            expected.record(record).unwrap();
        }
        let mut book = Book::open(folder.path(), &operator()).unwrap();
        assert_eq!(book.ledger, expected, "{cut}");
        // It can be gone on with.
        for record in &story()[kept..] {
            book.append(std::slice::from_ref(record), at(NOW)).unwrap();
        }
        drop(book);
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{cut}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test damages files")]
fn a_changed_or_lost_line_is_refused() {
    let (folder, path) = written();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = text.replace("0 2 * * *", "0 3 * * *");
    let lost = format!("{}\n{}\n", lines[0], lines[2]);
    for damaged in [changed, lost] {
        std::fs::write(&path, damaged).unwrap();
        let error = Book::open(folder.path(), &operator()).unwrap_err();
        assert!(error.to_string().contains("is damaged at line 2"), "{error}");
    }
}

#[test]
fn one_process_serves_a_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Book::open(folder.path(), &operator()).unwrap();
    let error = Book::open(folder.path(), &operator()).unwrap_err();
    assert!(
        error.to_string().contains("is in use by anna on laptop"),
        "{error}"
    );
}

#[derive(Debug)]
struct Full;

impl Tape for Full {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::Error::other("no space left"))
    }

    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_written_and_nothing_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::open(folder.path(), &operator()).unwrap();
    let [began, intended, _] = story();
    book.append(&[began], at(NOW)).unwrap();
    let good = std::mem::replace(&mut book.tape, Box::new(Full));
    let before = book.ledger.clone();
    assert!(book.append(std::slice::from_ref(&intended), at(NOW)).is_err());
    book.tape = good;
    let error = book.append(&[intended], at(NOW)).unwrap_err();
    assert!(error.to_string().contains("nothing more is written"), "{error}");
    assert_eq!(book.ledger, before);
}
