//! One holder at a time, whatever replies are lost and whoever starts at once.

use futures::future::join_all;
use insta::assert_snapshot;
use jiff::Timestamp;

use super::{Claim, Denied, Wanted, free, take};
use crate::plan::Digest;
use crate::run::mirror::testing::{MemoryShelf, Mishap, fleet};
use crate::run::testing::plan;
use crate::run::{Entry, Event, Fleet, Operator, RunId, Verdict};
use crate::runbook::Release;

fn now() -> Timestamp {
    "2026-11-22T23:00:00Z".parse().unwrap()
}

fn wanted(run: &str, host: &str) -> Wanted {
    Wanted {
        scope: "shop".into(),
        group: "shop".into(),
        run: RunId(run.into()),
        plan: Digest::of(&plan(Vec::new())),
        operator: Operator {
            name: "ben".into(),
            host: host.into(),
            pid: 7,
        },
        adopt: false,
        above: 0,
    }
}

async fn taken(fleet: &Fleet, run: &str, host: &str) -> Result<Claim, Denied> {
    take(fleet, &wanted(run, host), now()).await
}

/// The run's journal in a mirror ends.
fn ends(shelf: &MemoryShelf, run: &str) {
    let verdict = Verdict::Recovered;
    holds(shelf, run, Event::Finished { verdict });
}

/// The newest record of the run in a mirror.
fn holds(shelf: &MemoryShelf, run: &str, event: Event) {
    let entry = Entry {
        seq: 0,
        at: now(),
        elapsed_ms: 0,
        prev: String::new(),
        event,
    };
    let line = serde_json::to_string(&entry).unwrap() + "\n";
    let key = format!("runs/shop/{run}/0000000000");
    shelf.desk.lock().unwrap().objects.insert(key, line.into());
}

#[tokio::test(start_paused = true)]
async fn the_second_starter_is_told_who_holds_the_group_and_numbers_only_rise() {
    let shelves = [MemoryShelf::new("vault"), MemoryShelf::new("second")];
    let fleet = fleet(&[&shelves[0], &shelves[1]], Release::LocalAndOne);
    assert_eq!(taken(&fleet, "shop-f-one", "laptop").await.unwrap().epoch, 1);
    let denied = taken(&fleet, "shop-f-two", "desk").await.unwrap_err();
    assert_snapshot!(denied, @"shop-f-one is carried by ben on laptop (process 7) since 2026-11-22T23:00:00Z, epoch 1");
    assert_eq!(
        free(&fleet, &wanted("shop-f-two", "desk")).await.unwrap_err(),
        denied
    );
    ends(&shelves[1], "shop-f-one");
    assert_eq!(taken(&fleet, "shop-f-two", "desk").await.unwrap().epoch, 2);
    assert!(taken(&fleet, "shop-f-one", "laptop").await.is_err());
    for shelf in shelves {
        let keys: Vec<String> = shelf.desk.lock().unwrap().objects.keys().cloned().collect();
        assert!(keys.iter().any(|key| key == "epochs/shop/0000000002"), "{keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_where_it_was_and_elsewhere_only_if_it_is_adopted() {
    let fleet = fleet(&[&MemoryShelf::new("vault")], Release::LocalAndOne);
    taken(&fleet, "shop-f-one", "laptop").await.unwrap();
    assert_eq!(taken(&fleet, "shop-f-one", "laptop").await.unwrap().epoch, 2);
    let elsewhere = free(&fleet, &wanted("shop-f-one", "desk")).await;
    assert!(matches!(elsewhere, Err(Denied::Held(claim)) if claim.epoch == 2));
    let adopting = Wanted {
        adopt: true,
        ..wanted("shop-f-one", "desk")
    };
    assert_eq!(take(&fleet, &adopting, now()).await.unwrap().epoch, 3);
    let back = free(&fleet, &wanted("shop-f-one", "laptop")).await;
    assert!(back.is_err(), "it was taken away");
    let other = Wanted {
        adopt: true,
        ..wanted("shop-f-two", "desk")
    };
    assert!(
        take(&fleet, &other, now()).await.is_err(),
        "adopting is of a run, not of a group"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_reply_the_claim_is_read_back() {
    for mishap in [
        Mishap::LostAfter,
        Mishap::LostBefore,
        Mishap::EmptyConflict,
        Mishap::Slow(11_000),
    ] {
        let vault = MemoryShelf::new("vault");
        vault.meets(&[mishap]);
        let fleet = fleet(&[&vault], Release::Majority);
        let claim = taken(&fleet, "shop-f-one", "laptop").await.unwrap();
        let bytes = vault.desk.lock().unwrap().objects["epochs/shop/0000000001"].clone();
        assert_eq!(
            serde_json::from_slice::<Claim>(&bytes).unwrap(),
            claim,
            "{mishap:?}"
        );
        // Whoever is second, is second.
        vault.meets(&[mishap]);
        assert!(taken(&fleet, "shop-f-two", "laptop").await.is_err(), "{mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_who_start_at_once_one_holds_the_group() {
    for race in 0..200 {
        let shelves = ["a", "b", "c"].map(MemoryShelf::new);
        let release = [Release::LocalAndOne, Release::Majority][race % 2];
        let fleet = fleet(&[&shelves[0], &shelves[1], &shelves[2]], release);
        for (at, shelf) in shelves.iter().enumerate() {
            let slow = |writer: usize| Mishap::Slow(((race * 31 + writer * 17 + at * 7) % 23) as u64);
            shelf.meets(&(0..24).map(slow).collect::<Vec<_>>());
        }
        let hosts: Vec<String> = (0..8).map(|host| format!("host-{host}")).collect();
        let fleet = &fleet;
        let tries = hosts.iter().map(|host| async move {
            let run = format!("shop-f-{host}");
            taken(fleet, &run, host).await
        });
        let outcomes = join_all(tries).await;
        let won: Vec<_> = outcomes.iter().filter(|one| one.is_ok()).collect();
        assert_eq!(won.len(), 1, "race {race}: {outcomes:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_few_mirrors_give_no_claim_and_what_is_no_claim_uses_up_its_number() {
    let (vault, second) = (MemoryShelf::new("vault"), MemoryShelf::new("second"));
    let both = fleet(&[&vault, &second], Release::Majority);
    second.goes_away(true);
    let denied = taken(&both, "shop-f-one", "laptop").await.unwrap_err();
    assert_snapshot!(denied, @"epoch 1 is claimed in 0 of the mirrors, and 2 are needed (second: connection refused)");
    second.goes_away(false);
    let key = "epochs/shop/0000000009".to_owned();
    second
        .desk
        .lock()
        .unwrap()
        .objects
        .insert(key, bytes::Bytes::from_static(b"noise"));
    assert_eq!(taken(&both, "shop-f-one", "laptop").await.unwrap().epoch, 10);
}

#[tokio::test(start_paused = true)]
async fn a_drill_and_a_failover_do_not_keep_each_other_out() {
    let fleet = fleet(&[&MemoryShelf::new("vault")], Release::LocalAndOne);
    let drill = Wanted {
        scope: "shop/shop-d-one".into(),
        ..wanted("shop-d-one", "cron")
    };
    assert_eq!(take(&fleet, &drill, now()).await.unwrap().epoch, 1);
    assert_eq!(taken(&fleet, "shop-f-one", "laptop").await.unwrap().epoch, 1);
    let elsewhere = Wanted {
        operator: wanted("", "desk").operator,
        ..drill
    };
    assert!(free(&fleet, &elsewhere).await.is_err());
}

/// Its records say which of the two goes on, where only one of them can be released.
#[tokio::test(start_paused = true)]
async fn of_one_run_a_claim_that_was_faster_is_topped_where_records_exclude_each_other() {
    for (release, topped) in [(Release::Majority, true), (Release::LocalAndOne, false)] {
        for adopt in [false, true] {
            let shelves = ["a", "b"].map(MemoryShelf::new);
            shelves[0].meets(&[Mishap::Slow(10), Mishap::Slow(20)]);
            let fleet = fleet(&shelves.each_ref(), release);
            let second = Wanted {
                adopt,
                ..wanted("shop-f-one", "desk")
            };
            let (first, second) = tokio::join!(
                taken(&fleet, "shop-f-one", "laptop"),
                take(&fleet, &second, now())
            );
            assert_eq!(first.unwrap().epoch, 1);
            match second {
                Ok(claim) => assert!(topped && claim.epoch == 2, "{claim:?}"),
                Err(Denied::Held(claim)) => assert!(!topped && claim.operator.host == "laptop"),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_claim_different_numbers_at_once_one_gets_the_group_and_keeps_it() {
    let (a, b, c) = (
        MemoryShelf::new("a"),
        MemoryShelf::new("b"),
        MemoryShelf::new("c"),
    );
    // Only `c` was there when somebody claimed the first number in vain.
    let left_over = "epochs/shop/0000000001".to_owned();
    c.desk.lock().unwrap().objects.insert(left_over, "{}".into());
    let away = MemoryShelf::new("c");
    away.goes_away(true);
    let sees_all = fleet(&[&a, &b, &c], Release::Majority);
    let sees_two = fleet(&[&a, &b, &away], Release::Majority);
    a.meets(&[Mishap::Slow(1_000)]);
    let (first, second) = tokio::join!(
        taken(&sees_all, "shop-f-one", "laptop"),
        taken(&sees_two, "shop-f-two", "desk")
    );
    assert_eq!(second.unwrap().epoch, 1);
    assert!(matches!(first, Err(Denied::Held(claim)) if claim.run.0 == "shop-f-two"));
    // The other one has given up, and its higher claim hides nothing.
    ends(&a, "shop-f-one");
    let third = taken(&sees_all, "shop-f-three", "phone").await;
    assert!(matches!(third, Err(Denied::Held(claim)) if claim.run.0 == "shop-f-two"));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_not_released_frees_nobody() {
    let shelves = ["a", "b", "c"].map(MemoryShelf::new);
    let fleet = fleet(&shelves.each_ref(), Release::Majority);
    taken(&fleet, "shop-f-one", "laptop").await.unwrap();
    // The process died while it wrote its last record: without `a`, the run still goes on.
    ends(&shelves[0], "shop-f-one");
    for shelf in &shelves[1..] {
        holds(shelf, "shop-f-one", Event::Claimed { epoch: 1 });
    }
    let two = wanted("shop-f-two", "desk");
    assert!(matches!(free(&fleet, &two).await, Err(Denied::Held(claim)) if claim.run.0 == "shop-f-one"));
    // Two others were emptied since.
    for shelf in &shelves[1..] {
        let under = |key: &String| key.starts_with("runs/");
        shelf.desk.lock().unwrap().objects.retain(|key, _| !under(key));
    }
    assert_eq!(free(&fleet, &two).await, Ok(()));
    // Nobody knows what one of them holds.
    shelves[2].goes_away(true);
    assert!(free(&fleet, &two).await.is_err());
    ends(&shelves[1], "shop-f-one");
    assert_eq!(free(&fleet, &two).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_looked_before_no_claim_counts() {
    let (a, b, c) = (
        MemoryShelf::new("a"),
        MemoryShelf::new("b"),
        MemoryShelf::new("c"),
    );
    let (away_a, away_b, away_c) = (
        MemoryShelf::new("a"),
        MemoryShelf::new("b"),
        MemoryShelf::new("c"),
    );
    for away in [&away_a, &away_b, &away_c] {
        away.goes_away(true);
    }
    let holder = fleet(&[&a, &b, &away_c], Release::Majority);
    assert_eq!(taken(&holder, "shop-f-one", "laptop").await.unwrap().epoch, 1);
    let hears_one = fleet(&[&away_a, &away_b, &c], Release::Majority);
    let denied = taken(&hears_one, "shop-f-two", "desk").await;
    assert!(matches!(denied, Err(Denied::TooFew { got: 0, .. })), "{denied:?}");
    let keys = c.desk.lock().unwrap().objects.len();
    assert_eq!(keys, 0, "nothing is claimed where it could not count");
}
