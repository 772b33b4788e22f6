//! What mirrors hold, and which of them is believed.

#![expect(clippy::disallowed_methods, reason = "tests look at the journal's file")]

use std::time::Duration;

use bytes::Bytes;
use insta::assert_snapshot;
use tokio::time::Instant;

use super::testing::{MemoryShelf, Mishap, fleet};
use super::{Fate, Found, Head, Kept, Lost, Mirrors, gather};
use crate::run::testing::{beginning, operator, step};
use crate::run::{Event, Journal, Moment, RunId, bring_up, put_back};
use crate::runbook::Release;

const RUN: &str = "shop-f-test";

fn moment() -> Moment {
    Moment {
        at: "2026-11-22T23:00:00Z".parse().unwrap(),
        elapsed_ms: 0,
    }
}

fn paused(reason: &str) -> Event {
    Event::Paused {
        by: "anna".into(),
        reason: reason.into(),
    }
}

/// The bytes of a journal of one record for the beginning and one for each reason.
fn journal(reasons: &[&str]) -> Vec<u8> {
    let runs = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create(runs.path(), beginning(vec![step("a")], 1), moment()).unwrap();
    for reason in reasons {
        journal.append(&[paused(reason)], moment()).unwrap();
    }
    std::fs::read(journal.file()).unwrap()
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A mirror with objects of these numbers.
fn shelf(name: &str, objects: &[(u64, &[u8])]) -> MemoryShelf {
    let shelf = MemoryShelf::new(name);
    for (seq, bytes) in objects {
        let key = format!("runs/shop/{RUN}/{seq:010}");
        shelf
            .desk
            .lock()
            .unwrap()
            .objects
            .insert(key, Bytes::copy_from_slice(bytes));
    }
    shelf
}

/// A mirror with one object for each line.
fn whole(name: &str, bytes: &[u8]) -> MemoryShelf {
    let objects: Vec<(u64, &[u8])> = (0..).zip(lines(bytes)).collect();
    shelf(name, &objects)
}

async fn gathered(shelves: &[&MemoryShelf]) -> Result<Found, Lost> {
    let fleet = fleet(shelves, Release::default());
    gather(&fleet, "shop", &RunId(RUN.into())).await
}

fn told(fates: &[(String, Fate)]) -> String {
    let lines = fates.iter().map(|(name, fate)| format!("{name} {fate}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_longest_good_mirror_is_believed_and_the_others_are_named() {
    let all = journal(&["lunch", "tea", "cake"]);
    let lines = lines(&all);
    let late = shelf("late", &[(0, lines[0]), (1, lines[1])]);
    let empty = shelf("empty", &[]);
    let away = whole("away", &all);
    away.goes_away(true);
    let batched = shelf("batched", &[(0, lines[0]), (1, &lines[1..].concat())]);
    let found = gathered(&[&late, &empty, &away, &batched]).await.unwrap();
    assert_eq!((found.from.as_str(), &found.bytes), ("batched", &all));
    assert_eq!(found.history.entries.len(), 4);
    assert_snapshot!(told(&found.fates), @r"
    late holds 2 records
    empty holds nothing of it
    away cannot be read: connection refused
    batched holds 4 records
    ");
}

#[tokio::test]
async fn a_damaged_mirror_is_refused_by_name_and_a_good_one_is_used() {
    let all = journal(&["lunch", "tea", "cake"]);
    let other = journal(&["other"]);
    let (lines, others) = (lines(&all), lines(&other));
    let swapped: Vec<(u64, &[u8])> = vec![(0, lines[0]), (1, lines[2]), (2, lines[1])];
    let damaged = [
        shelf("gap", &[(0, lines[0]), (2, lines[2])]),
        shelf("headless", &[(1, lines[1]), (2, lines[2])]),
        shelf("twice", &[(0, &lines[..2].concat()), (1, lines[1])]),
        shelf("swapped", &swapped),
        shelf("foreign", &[(0, lines[0]), (1, lines[1]), (2, others[1])]),
        shelf("cut", &[(0, lines[0]), (1, &lines[1][..lines[1].len() - 1])]),
        shelf("noise", &[(0, lines[0]), (1, b"{}\n")]),
        shelf("hollow", &[(0, b"")]),
    ];
    let good = whole("good", &lines[..2].concat());
    let mut shelves: Vec<&MemoryShelf> = damaged.iter().collect();
    shelves.push(&good);
    let found = gathered(&shelves).await.unwrap();
    assert_eq!(found.from, "good");
    assert_snapshot!(told(&found.fates), @r"
    gap is damaged and not used: record 1 is missing, and record 2 is there
    headless is damaged and not used: record 0 is missing, and record 1 is there
    twice is damaged and not used: record 1 is there twice
    swapped is damaged and not used: its journal is damaged at line 2: it has number 2 and should have 1
    foreign is damaged and not used: its journal is damaged at line 3: it has number 1 and should have 2
    cut is damaged and not used: the object with record 1 does not end with a whole line
    noise is damaged and not used: its journal is damaged at line 2: missing field `seq` at line 1 column 2
    hollow is damaged and not used: the object with record 0 does not end with a whole line
    good holds 2 records
    ");
    let lost = gathered(&damaged.iter().collect::<Vec<_>>()).await.unwrap_err();
    assert!(matches!(lost, Lost::Nowhere(fates) if fates.len() == damaged.len()));
}

#[tokio::test]
async fn no_flipped_bit_before_the_last_record_is_ever_believed() {
    let all = journal(&["lunch", "tea"]);
    let last = all[..all.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in 0..last {
        for bit in [0, 3, 7] {
            let mut damaged = all.clone();
            damaged[at] ^= 1 << bit;
            let bad = shelf("bad", &[(0, &damaged)]);
            let fates = match gathered(&[&bad]).await {
                Err(Lost::Nowhere(fates)) => fates,
                other => panic!("byte {at}, bit {bit}: {other:?}"),
            };
            assert!(
                matches!(fates[0].1, Fate::Damaged(_)),
                "byte {at}, bit {bit}: {fates:?}"
            );
        }
    }
}

#[tokio::test]
async fn two_stories_of_one_run_are_refused() {
    let (one, other) = (journal(&["lunch", "tea"]), journal(&["lunch", "cake", "tea"]));
    let lost = gathered(&[&whole("vault", &one), &whole("second", &other)])
        .await
        .unwrap_err();
    let Lost::Forked {
        one,
        other,
        record,
        open,
        fates,
    } = lost
    else {
        panic!("{lost:?}")
    };
    assert_eq!(
        (one.as_str(), other.as_str(), record, open),
        ("vault", "second", 2, true)
    );
    assert_snapshot!(told(&fates), @"
    vault holds 3 records
    second holds 4 records
    ");
}

#[tokio::test]
async fn of_two_stories_the_one_counts_that_most_mirrors_tell() {
    let (one, other) = (journal(&["lunch", "tea"]), journal(&["lunch", "cake", "tea"]));
    let stories = [
        whole("vault", &one),
        whole("second", &other),
        whole("third", &one),
    ];
    let fleet = fleet(&stories.each_ref(), Release::Majority);
    let found = gather(&fleet, "shop", &RunId(RUN.into())).await.unwrap();
    assert_eq!((&found.bytes, found.chosen), (&one, None));
    assert_eq!(found.in_doubt(Release::Majority), Vec::<&str>::new());
    assert_snapshot!(told(&found.fates), @"
    vault holds 3 records
    second is not used: from record 2 on it tells another story, which does not count
    third holds 3 records
    ");
    // Who has only what lost cannot know it.
    stories[0].goes_away(true);
    stories[2].goes_away(true);
    let alone = gather(&fleet, "shop", &RunId(RUN.into())).await.unwrap();
    assert_eq!(alone.in_doubt(Release::Majority), ["vault", "third"]);
    stories[0].goes_away(false);
    let lost = gather(&fleet, "shop", &RunId(RUN.into())).await.unwrap_err();
    assert!(matches!(lost, Lost::Forked { .. }), "the third decides: {lost:?}");
}

#[tokio::test]
async fn the_journal_of_another_run_is_damage() {
    let all = journal(&["lunch"]);
    let shelf = MemoryShelf::new("vault");
    let key = "runs/shop/shop-f-other/0000000000".to_owned();
    shelf.desk.lock().unwrap().objects.insert(key, all.into());
    let fleet = fleet(&[&shelf], Release::default());
    let lost = gather(&fleet, "shop", &RunId("shop-f-other".into()))
        .await
        .unwrap_err();
    let Lost::Nowhere(fates) = lost else {
        panic!("{lost:?}")
    };
    assert_snapshot!(told(&fates), @"vault is damaged and not used: it holds the journal of shop-f-test in the place of shop-f-other");
}

/// Of how many mirrors something has to be known before a journal counts as complete.
#[tokio::test]
async fn what_cannot_be_read_is_in_doubt_as_far_as_the_rule_leaves_it_open() {
    let all = journal(&["lunch"]);
    let shelves = ["a", "b", "c"].map(|name| whole(name, &all));
    let mut table = Vec::new();
    for away in 0..3 {
        for (at, shelf) in shelves.iter().enumerate() {
            shelf.goes_away(at < away);
        }
        let found = gathered(&shelves.iter().collect::<Vec<_>>()).await.unwrap();
        for release in [Release::Local, Release::LocalAndOne, Release::Majority] {
            table.push(format!(
                "{away} away, {}: {:?}",
                release.word(),
                found.in_doubt(release)
            ));
        }
    }
    assert_snapshot!(table.join("\n"), @r#"
    0 away, local: ["machine"]
    0 away, local+1: []
    0 away, majority: []
    1 away, local: ["a", "machine"]
    1 away, local+1: ["a"]
    1 away, majority: []
    2 away, local: ["a", "b", "machine"]
    2 away, local+1: ["a", "b"]
    2 away, majority: ["a", "b"]
    "#);
}

#[test]
fn more_than_half_of_the_mirrors_always_meet() {
    for mirrors in 1..10 {
        let needed = Release::Majority.needed(mirrors);
        assert!(2 * needed > mirrors && needed <= mirrors, "{mirrors}");
        for release in [Release::LocalAndOne, Release::Majority] {
            let read = release.to_read(mirrors).unwrap();
            assert!(
                read + release.needed(mirrors) > mirrors && read <= mirrors,
                "{release:?} {mirrors}"
            );
        }
    }
}

#[test]
fn a_journal_is_put_back_whole_and_what_was_there_is_kept() {
    let all = journal(&["lunch", "tea"]);
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().join(RUN);
    assert_eq!(put_back(&folder, &all, &operator()).unwrap(), None);
    assert_eq!(std::fs::read(folder.join("journal.jsonl")).unwrap(), all);
    let again = put_back(&folder, &all, &operator()).unwrap_err().to_string();
    assert!(again.ends_with("exists already"), "{again}");
    std::fs::write(folder.join("journal.jsonl"), b"noise\n").unwrap();
    let aside = put_back(&folder, &all, &operator()).unwrap().unwrap();
    assert_eq!(std::fs::read(aside).unwrap(), b"noise\n");
    assert_eq!(Journal::read(&folder).unwrap().entries.len(), 3);
}

#[test]
fn a_journal_that_fell_behind_its_mirrors_is_brought_up_and_a_fork_is_refused() {
    let all = journal(&["lunch", "tea"]);
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().join(RUN);
    put_back(&folder, &lines(&all)[..2].concat(), &operator()).unwrap();
    // The beginning of a record that nobody was told of: it makes room.
    let torn = [&lines(&all)[..2].concat()[..], b"{\"seq\":2,"].concat();
    std::fs::write(folder.join("journal.jsonl"), torn).unwrap();
    assert_eq!(bring_up(&folder, &all, &operator()).unwrap(), 1);
    assert_eq!(bring_up(&folder, &all, &operator()).unwrap(), 0);
    assert_eq!(bring_up(&folder, lines(&all)[0], &operator()).unwrap(), 0);
    assert_eq!(std::fs::read(folder.join("journal.jsonl")).unwrap(), all);
    let fork = bring_up(&folder, &journal(&["lunch", "cake"]), &operator())
        .unwrap_err()
        .to_string();
    assert!(
        fork.ends_with("tell different stories from record 2 on"),
        "{fork}"
    );
    assert_eq!(std::fs::read(folder.join("journal.jsonl")).unwrap(), all);
    for (noise, why) in [(&b"noise\n"[..], "line 1"), (b"{", "holds no whole line")] {
        std::fs::write(folder.join("journal.jsonl"), noise).unwrap();
        let refused = bring_up(&folder, &all, &operator()).unwrap_err().to_string();
        assert!(refused.contains(why), "damage is not a fork: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_end_one_refusal_is_not_the_last_word_and_a_mirror_that_fails_on_is_not_waited_for() {
    let all = journal(&["lunch"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.jsonl");
    std::fs::write(&file, &all).unwrap();
    let head = Head {
        records: 2,
        bytes: all.len() as u64,
    };
    for (refusals, lacking) in [(0, 0), (1, 0), (2, 2)] {
        let shelf = MemoryShelf::new("vault");
        shelf.meets(&vec![Mishap::Unreachable; refusals]);
        let began = Instant::now();
        let run = RunId(RUN.into());
        let fleet = fleet(&[&shelf], Release::Local);
        let mirrors = Mirrors::start(&fleet, "shop", &run, &file, &[Kept::NOTHING], head);
        let lags = mirrors.settle().await;
        let lacks: u64 = lags.iter().map(|lag| lag.records).sum();
        assert_eq!(lacks, lacking, "{refusals}: {lags:?}");
        assert_eq!(shelf.text() == all, lacking == 0, "{refusals}");
        assert!(began.elapsed() < Duration::from_secs(2), "{refusals}");
    }
}
