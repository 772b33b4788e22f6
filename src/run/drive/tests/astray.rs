//! Two processes that went on with one run in different mirrors: what counts, and who goes on.

use tokio::task::JoinHandle;

use super::super::{Ended, Run, RunError};
use super::theatre::{Deed, Fake, Theatre, wait};
use crate::plan::PlannedStep;
use crate::run::mirror::testing::{MemoryShelf, fleet};
use crate::run::testing::{operator, step};
use crate::run::{Fate, Fleet, Kept, Lost, RunId, Timekeeper, Verdict, gather, put_back};
use crate::runbook::Release;

const RECOVERED: Ended = Ended::Finished(Verdict::Recovered);
const PREFIX: &str = "runs/shop/shop-f-test/";

fn chain() -> Vec<PlannedStep> {
    vec![step("a"), step("b").needing(&[0])]
}

fn three() -> [MemoryShelf; 3] {
    ["vault", "usb", "safe"].map(MemoryShelf::new)
}

async fn found(fleet: &Fleet) -> Result<crate::run::Found, Lost> {
    gather(fleet, "shop", &RunId("shop-f-test".into())).await
}

/// Takes the run up in a folder of its own, from what mirrors hold.
async fn taken_up(fleet: &Fleet, theatre: &Theatre) -> (Run, Vec<Kept>) {
    let found = found(fleet).await.unwrap();
    put_back(&theatre.folder(), &found.bytes, &operator()).unwrap();
    let held = found.fates.iter().map(|(_, fate)| fate.kept());
    let from = "2026-11-23T01:00:00Z".parse().unwrap();
    let run = Run::resume(&theatre.folder(), &operator(), |entries| {
        Timekeeper::simulated_resume(entries, from)
    });
    (run.unwrap(), held.collect())
}

/// A machine carries the run, and its first step takes a minute.
async fn at_work(fleet: &Fleet) -> (Theatre, JoinHandle<Result<Ended, RunError>>) {
    let mut first = Theatre::of(Fake::with(&[("a", &[Deed::Takes(60_000)])]));
    let begun = first
        .begin(chain(), 2)
        .mirrored(fleet.clone(), vec![Kept::NOTHING; 3]);
    let wiring = first.wiring();
    let driven = tokio::spawn(async move { begun.drive(wiring).await });
    wait(1_000).await;
    (first, driven)
}

/// A machine adopts the run, writes its first record into one mirror, and is never heard of again.
async fn a_newcomer_reaches_only(shelf: &MemoryShelf, fleet: &Fleet) -> u64 {
    let theatre = Theatre::of(Fake::with(&[]));
    let (run, _) = taken_up(fleet, &theatre).await;
    let record = run.entries.last().unwrap();
    let line = [&serde_json::to_vec(record).unwrap()[..], b"\n"].concat();
    let key = format!("{PREFIX}{:010}", record.seq);
    shelf.desk.lock().unwrap().objects.insert(key, line.into());
    record.seq
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_in_one_mirror_of_three_stops_nobody() {
    for at in 0..3 {
        let shelves = three();
        let fleet = fleet(&shelves.each_ref(), Release::Majority);
        let (first, driven) = at_work(&fleet).await;
        let record = a_newcomer_reaches_only(&shelves[at], &fleet).await;
        let before = shelves[at].text();
        assert_eq!(driven.await.unwrap().unwrap(), RECOVERED);
        assert_eq!(first.actor.calls(), "a#1, b#1");
        assert_eq!(shelves[at].text(), before, "it is evidence");
        let said = format!("from record {record} on it tells another story, which does not count");
        assert!(first.story().contains(&said), "{}", first.story());
        let found = found(&fleet).await.unwrap();
        assert_eq!((found.chosen, &found.fates[at].1), (None, &Fate::Astray(record)));
    }
}

/// Whoever comes later finds two stories that nobody can release any more without the third mirror.
#[tokio::test(start_paused = true)]
async fn where_nothing_was_released_a_third_machine_goes_on_with_what_was_done() {
    let shelves = three();
    let fleet = fleet(&shelves.each_ref(), Release::Majority);
    let (first, driven) = at_work(&fleet).await;
    let record = a_newcomer_reaches_only(&shelves[0], &fleet).await;
    shelves[2].goes_away(true);
    let error = driven.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Superseded(_)), "{error}");
    assert_eq!(first.actor.calls(), "a#1", "b may be the other's");
    assert!(
        matches!(found(&fleet).await, Err(Lost::Forked { .. })),
        "the third may hold either"
    );
    shelves[2].goes_away(false);
    let mut third = Theatre::of(Fake::with(&[]));
    let (run, held) = taken_up(&fleet, &third).await;
    assert_eq!(held[0], Kept::Astray(record));
    let end = run.mirrored(fleet.clone(), held).drive(third.wiring()).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(
        third.actor.calls(),
        "b#1",
        "that a was done is in the mirror that the first one reached"
    );
    assert_eq!(shelves[1].text(), shelves[2].text());
    assert_eq!(found(&fleet).await.unwrap().chosen, None);
}
