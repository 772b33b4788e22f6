//! A run whose journal is mirrored: what is released, what is held back, and who goes on.

#![expect(clippy::disallowed_methods, reason = "tests look at the journal's file")]

use insta::assert_snapshot;

use super::super::{Ended, Run, RunError};
use super::theatre::{Deed, Fake, Theatre, doing, placed, wait};
use crate::effect::Class;
use crate::plan::{Digest, PlannedStep};
use crate::run::mirror::testing::{MemoryShelf, Mishap, fleet};
use crate::run::testing::{beginning, operator, plan, step};
use crate::run::{
    Denied, Event, Journal, Kept, Operator, RunId, Timekeeper, Verdict, Wanted, What, free, gather, put_back,
};
use crate::runbook::Release;

const RECOVERED: Ended = Ended::Finished(Verdict::Recovered);

fn chain() -> Vec<PlannedStep> {
    vec![step("a"), step("b").needing(&[0]), step("c").needing(&[1])]
}

fn local(theatre: &Theatre) -> Vec<u8> {
    std::fs::read(theatre.folder().join("journal.jsonl")).unwrap()
}

/// Begins a run with mirrors that hold nothing yet.
async fn play(theatre: &mut Theatre, shelves: &[&MemoryShelf], release: Release) -> Result<Ended, RunError> {
    let run = theatre.begin(chain(), 2);
    let nothing = vec![Kept::NOTHING; shelves.len()];
    run.mirrored(fleet(shelves, release), nothing)
        .drive(theatre.wiring())
        .await
}

/// Goes on; what the mirrors hold is looked for.
async fn resume(
    theatre: &mut Theatre,
    shelves: &[&MemoryShelf],
    release: Release,
) -> Result<Ended, RunError> {
    let from = "2026-11-23T01:00:00Z".parse().unwrap();
    let run = Run::resume(&theatre.folder(), &operator(), |entries| {
        Timekeeper::simulated_resume(entries, from)
    });
    let unknown = vec![Kept::Unknown; shelves.len()];
    run?.mirrored(fleet(shelves, release), unknown)
        .drive(theatre.wiring())
        .await
}

#[tokio::test(start_paused = true)]
async fn every_mirror_holds_the_journal_byte_by_byte() {
    let shelves = [MemoryShelf::new("vault"), MemoryShelf::new("second")];
    let shelves = [&shelves[0], &shelves[1]];
    for release in [Release::Local, Release::LocalAndOne, Release::Majority] {
        for shelf in shelves {
            shelf.desk.lock().unwrap().objects.clear();
        }
        let mut theatre = Theatre::of(Fake::with(&[]));
        assert_eq!(play(&mut theatre, &shelves, release).await.unwrap(), RECOVERED);
        for shelf in shelves {
            assert_eq!(shelf.text(), local(&theatre), "{release:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_of_a_chain_costs_a_mirror_one_request() {
    let shelf = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    play(&mut theatre, &[&shelf], Release::LocalAndOne).await.unwrap();
    // The beginning, the first intent, and each step's outcome together with the next intent.
    assert_eq!(shelf.desk.lock().unwrap().creates, 2 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_read_back_and_nothing_is_written_twice() {
    for mishap in [
        Mishap::LostAfter,
        Mishap::LostBefore,
        Mishap::EmptyConflict,
        Mishap::Unreachable,
        Mishap::Slow(9_000),
        Mishap::Slow(11_000),
    ] {
        // At each of the five requests.
        for before in 0..5 {
            let shelf = MemoryShelf::new("vault");
            shelf.meets(&vec![Mishap::Slow(0); before]);
            shelf.meets(&[mishap]);
            let mut theatre = Theatre::of(Fake::with(&[]));
            let end = play(&mut theatre, &[&shelf], Release::Majority).await;
            assert_eq!(end.unwrap(), RECOVERED, "{mishap:?} after {before}");
            assert_eq!(shelf.text(), local(&theatre), "{mishap:?} after {before}");
            assert_eq!(theatre.actor.calls(), "a#1, b#1, c#1");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_is_away_is_said_and_caught_up() {
    let (vault, second) = (MemoryShelf::new("vault"), MemoryShelf::new("second"));
    vault.meets(&[Mishap::Unreachable; 4]);
    let mut theatre = Theatre::of(Fake::with(&[("b", &[Deed::Takes(60_000)])]));
    let end = play(&mut theatre, &[&vault, &second], Release::LocalAndOne).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_snapshot!(theatre.story(), @r"
        0 start a
        1 ok a
        1 end a Succeeded
        1 start b
      500 mirror vault behind: connection refused
     7500 mirror vault caught up
    60001 ok b
    60001 end b Succeeded
    60001 start c
    60002 ok c
    60002 end c Succeeded
    60002 finished Recovered
    ");
    assert_eq!(vault.text(), local(&theatre));
    assert_eq!(second.text(), local(&theatre));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_while_a_required_mirror_is_away() {
    let (vault, second) = (MemoryShelf::new("vault"), MemoryShelf::new("second"));
    vault.goes_away(true);
    let mut theatre = Theatre::of(Fake::with(&[]));
    let error = play(&mut theatre, &[&vault, &second], Release::Majority)
        .await
        .unwrap_err();
    assert_snapshot!(error, @"1 of 2 mirrors hold the journal's last record, and `majority` asks for 2 (vault: connection refused)");
    assert_eq!(theatre.actor.calls(), "");
    vault.goes_away(false);
    let end = resume(&mut theatre, &[&vault, &second], Release::Majority).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(theatre.actor.calls(), "a#1, b#1, c#1");
    assert_eq!(vault.text(), local(&theatre));
}

#[tokio::test(start_paused = true)]
async fn when_mirrors_fail_what_is_under_way_ends_and_nothing_else_begins() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[
        ("slow", &[Deed::Takes(100_000)]),
        ("a", &[Deed::Takes(10)]),
    ]));
    let steps = vec![step("slow"), step("a"), step("b").needing(&[1])];
    // The beginning and both intents are held; the outcome of `a` and the intent of `b` are not.
    let away = vault.clone();
    let run = theatre.begin(steps, 2);
    let run = run.mirrored(fleet(&[&vault], Release::LocalAndOne), vec![Kept::NOTHING]);
    vault.meets(&[Mishap::Slow(0), Mishap::Slow(0)]);
    vault.meets(&[Mishap::Unreachable; 100]);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Unreleased(_)), "{error}");
    assert_eq!(theatre.actor.calls(), "slow#1, a#1");
    assert_snapshot!(theatre.story(), @r"
        0 start slow
        0 start a
       10 ok a
       10 end a Succeeded
       10 start b
    30010 paused by lifeboat: 0 of 1 mirrors hold the journal's last record, and `local+1` asks for 1 (vault: connection refused)
    30010 mirror vault behind: connection refused
    100000 ok slow
    100000 end slow Succeeded
    ");
    away.desk.lock().unwrap().mishaps.clear();
    let end = resume(&mut theatre, &[&vault], Release::LocalAndOne).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(theatre.actor.calls(), "b#1");
    assert_eq!(vault.text(), local(&theatre));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_not_released_is_none_although_something_was_in_flight() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[("look", &[Deed::Never])]));
    let run = theatre.begin(vec![step("look").doing(doing(Class::Read))], 2);
    let run = run.mirrored(fleet(&[&vault], Release::LocalAndOne), vec![Kept::NOTHING]);
    let (wiring, orders) = (theatre.wiring(), theatre.orders.clone());
    let driven = tokio::spawn(async move { run.drive(wiring).await });
    wait(1_000).await;
    vault.goes_away(true);
    orders.send(placed(What::Stop).0).unwrap();
    let error = driven.await.unwrap().unwrap_err();
    assert_snapshot!(error, @"0 of 1 mirrors hold the journal's last record, and `local+1` asks for 1 (vault: connection refused)");
    assert_snapshot!(theatre.story(), @r"
       0 start look
    1000 stopping by ben
    1000 end look cut off (stopped while it only looked: the run was stopped)
    1000 finished Stopped
    ");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_machine_is_gone_is_completed_from_any_beginning_of_a_mirror() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    play(&mut theatre, &[&vault], Release::LocalAndOne).await.unwrap();
    let all: Vec<(String, bytes::Bytes)> = vault.desk.lock().unwrap().objects.clone().into_iter().collect();
    let run = RunId("shop-f-test".into());
    for kept in 1..all.len() {
        let vault = MemoryShelf::new("vault");
        vault
            .desk
            .lock()
            .unwrap()
            .objects
            .extend(all[..kept].iter().cloned());
        let mut elsewhere = Theatre::of(Fake::with(&[]));
        let found = gather(&fleet(&[&vault], Release::LocalAndOne), "shop", &run)
            .await
            .unwrap();
        put_back(&elsewhere.folder(), &found.bytes, &operator()).unwrap();
        let end = resume(&mut elsewhere, &[&vault], Release::LocalAndOne).await;
        assert_eq!(end.unwrap(), RECOVERED, "{kept}");
        assert_eq!(vault.text(), local(&elsewhere), "{kept}");
        // What a mirror holds as done is not done again; an effect without an outcome may be, once.
        let again = elsewhere.actor.calls();
        let done = ["a", "b", "c"].iter().take(kept.saturating_sub(2));
        for step in done {
            assert!(!again.contains(step), "{kept}: {again}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_whose_run_was_taken_over_begins_nothing_more() {
    let vault = MemoryShelf::new("vault");
    let run = RunId("shop-f-test".into());
    let mut first = Theatre::of(Fake::with(&[("a", &[Deed::Takes(60_000)])]));
    let mut second = Theatre::of(Fake::with(&[]));
    let driven = tokio::spawn({
        let begun = first.begin(chain(), 2);
        let begun = begun.mirrored(fleet(&[&vault], Release::LocalAndOne), vec![Kept::NOTHING]);
        let wiring = first.wiring();
        async move { begun.drive(wiring).await }
    });
    wait(1_000).await;
    let found = gather(&fleet(&[&vault], Release::LocalAndOne), "shop", &run)
        .await
        .unwrap();
    put_back(&second.folder(), &found.bytes, &operator()).unwrap();
    let end = resume(&mut second, &[&vault], Release::LocalAndOne).await;
    assert_eq!(end.unwrap(), RECOVERED);
    let error = driven.await.unwrap().unwrap_err();
    assert_snapshot!(error, @"anna on laptop (process 1) has taken this run over: record 2 in mirror vault is not ours");
    assert_eq!(first.actor.calls(), "a#1", "b and c are the other's");
    assert_eq!(vault.text(), local(&second));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_mirror_is_left_alone_and_the_run_goes_on_with_the_others() {
    let (vault, second) = (MemoryShelf::new("vault"), MemoryShelf::new("second"));
    play(
        &mut Theatre::of(Fake::with(&[])),
        &[&vault, &second],
        Release::LocalAndOne,
    )
    .await
    .unwrap();
    // As if the process had been killed after its first intent.
    for shelf in [&vault, &second] {
        shelf
            .desk
            .lock()
            .unwrap()
            .objects
            .retain(|key, _| key.as_str() < "runs/shop/shop-f-test/0000000002");
    }
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Takes(5_000)])]));
    put_back(&theatre.folder(), &second.text(), &operator()).unwrap();
    let key = "runs/shop/shop-f-test/0000000001".to_owned();
    vault
        .desk
        .lock()
        .unwrap()
        .objects
        .insert(key, bytes::Bytes::from_static(b"{}\n"));
    let before = vault.text();
    let end = resume(&mut theatre, &[&vault, &second], Release::LocalAndOne).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(vault.text(), before, "it is evidence");
    assert_eq!(second.text(), local(&theatre));
    let story = theatre.story();
    assert!(
        story.contains("mirror vault behind: its journal is damaged at line 2"),
        "{story}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_foreign_object_where_the_next_record_should_be_is_damage() {
    let (vault, second) = (MemoryShelf::new("vault"), MemoryShelf::new("second"));
    let key = "runs/shop/shop-f-test/0000000001".to_owned();
    vault
        .desk
        .lock()
        .unwrap()
        .objects
        .insert(key, bytes::Bytes::from_static(b"who knows\n"));
    let mut theatre = Theatre::of(Fake::with(&[]));
    let end = play(&mut theatre, &[&vault, &second], Release::LocalAndOne).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(second.text(), local(&theatre));
    let entries = Journal::read(&theatre.folder()).unwrap().entries;
    let told = format!("{entries:?}");
    assert!(
        told.contains("what it holds as record 1 is not of this run"),
        "{told}"
    );
}

fn wanted(run: &str, host: &str, adopt: bool) -> Wanted {
    Wanted {
        scope: "shop".into(),
        group: "shop".into(),
        run: RunId(run.into()),
        plan: Digest::of(&plan(chain())),
        operator: Operator {
            host: host.into(),
            ..operator()
        },
        adopt,
        above: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_claims_its_group_before_its_first_effect_and_another_is_refused_and_ended() {
    let vault = MemoryShelf::new("vault");
    let fleet = fleet(&[&vault], Release::LocalAndOne);
    let mut first = Theatre::of(Fake::with(&[("a", &[Deed::Takes(60_000)])]));
    let begun = first.begin(chain(), 2);
    let begun = begun.mirrored(fleet.clone(), vec![Kept::NOTHING]);
    let begun = begun.claiming(wanted("shop-f-test", "laptop", false));
    let wiring = first.wiring();
    let driven = tokio::spawn(async move { begun.drive(wiring).await });
    wait(1_000).await;

    let mut second = Theatre::of(Fake::with(&[]));
    let mut other = beginning(chain(), 2);
    other.run = RunId("shop-f-other".into());
    let run = Run::begin(second.runs.path(), other, Theatre::clock()).unwrap();
    let run = run.mirrored(fleet.clone(), vec![Kept::NOTHING]);
    let run = run.claiming(wanted("shop-f-other", "desk", false));
    let error = run.drive(second.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Denied(Denied::Held(_))), "{error}");
    assert_eq!(second.actor.calls(), "");
    let ended = Journal::read(&second.runs.path().join("shop-f-other")).unwrap();
    let stopped = Event::Finished {
        verdict: Verdict::Stopped,
    };
    assert_eq!(
        ended.entries.last().unwrap().event,
        stopped,
        "it stands in nobody's way"
    );

    assert_eq!(driven.await.unwrap().unwrap(), RECOVERED);
    let story = first.story();
    assert!(
        story.starts_with("    0 claimed epoch 1\n    0 start a"),
        "{story}"
    );
    // Now that it has ended, the group is free.
    assert_eq!(free(&fleet, &wanted("shop-f-other", "desk", false)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_adopted_run_is_completed_once_and_the_old_process_ends() {
    let vault = MemoryShelf::new("vault");
    let fleet = fleet(&[&vault], Release::LocalAndOne);
    let mut first = Theatre::of(Fake::with(&[("b", &[Deed::Takes(60_000)])]));
    let begun = first.begin(chain(), 2);
    let begun = begun.mirrored(fleet.clone(), vec![Kept::NOTHING]);
    let begun = begun.claiming(wanted("shop-f-test", "laptop", false));
    let wiring = first.wiring();
    let driven = tokio::spawn(async move { begun.drive(wiring).await });
    wait(1_000).await;

    let mut second = Theatre::of(Fake::with(&[]));
    let found = gather(&fleet, "shop", &RunId("shop-f-test".into()))
        .await
        .unwrap();
    put_back(&second.folder(), &found.bytes, &operator()).unwrap();
    let from = "2026-11-23T01:00:00Z".parse().unwrap();
    let go_on = |second: &Theatre, adopt| {
        let run = Run::resume(&second.folder(), &operator(), |entries| {
            Timekeeper::simulated_resume(entries, from)
        });
        let run = run.unwrap().mirrored(fleet.clone(), vec![Kept::Unknown]);
        run.claiming(wanted("shop-f-test", "desk", adopt))
    };
    let end = go_on(&second, true).drive(second.wiring()).await;
    assert_eq!(end.unwrap(), RECOVERED);
    assert_eq!(second.actor.calls(), "b#1, c#1");
    let error = driven.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Superseded(_)), "{error}");
    assert_eq!(first.actor.calls(), "a#1, b#1", "c is not begun twice");
    let story = second.story();
    assert!(story.contains("claimed epoch 2"), "{story}");
    assert_eq!(
        vault
            .desk
            .lock()
            .unwrap()
            .objects
            .keys()
            .filter(|key| key.starts_with("epochs/"))
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_not_have_its_group_does_nothing_not_even_what_it_does_last() {
    let vault = MemoryShelf::new("vault");
    let fleet = fleet(&[&vault], Release::LocalAndOne);
    let holder = wanted("shop-f-other", "desk", false);
    crate::run::epoch::take(&fleet, &holder, "2026-11-22T23:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let mut theatre = Theatre::of(Fake::with(&[]));
    let steps = vec![
        step("a"),
        step("close").finally(),
        step("tidy").last().needing(&[1]),
    ];
    let run = theatre.begin(steps, 2);
    let run = run.mirrored(fleet.clone(), vec![Kept::NOTHING]);
    let run = run.claiming(wanted("shop-f-test", "laptop", false));
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Denied(Denied::Held(_))), "{error}");
    assert_eq!(theatre.actor.calls(), "");
    let stopped = Event::Finished {
        verdict: Verdict::Stopped,
    };
    let entries = Journal::read(&theatre.folder()).unwrap().entries;
    assert_eq!(
        entries.last().unwrap().event,
        stopped,
        "it stands in nobody's way"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_another_machine_has_adopted_is_not_ended_by_the_one_that_began_it() {
    let shelves = ["vault", "usb"].map(MemoryShelf::new);
    let fleet = fleet(&shelves.each_ref(), Release::LocalAndOne);
    let adopter = wanted("shop-f-test", "desk", true);
    crate::run::epoch::take(&fleet, &adopter, "2026-11-22T23:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let mut theatre = Theatre::of(Fake::with(&[]));
    let run = theatre.begin(vec![step("a")], 2);
    let run = run.mirrored(fleet.clone(), vec![Kept::NOTHING; 2]);
    let run = run.claiming(wanted("shop-f-test", "laptop", false));
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Denied(Denied::Held(_))), "{error}");
    let entries = Journal::read(&theatre.folder()).unwrap().entries;
    assert_eq!(entries.len(), 1, "the other one goes on with it");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_for_the_first_record_claims_nothing() {
    let vault = MemoryShelf::new("vault");
    vault.meets(&[Mishap::Slow(9_000)]);
    let mut theatre = Theatre::of(Fake::with(&[]));
    let run = theatre.begin(chain(), 2);
    let run = run.mirrored(fleet(&[&vault], Release::Majority), vec![Kept::NOTHING]);
    let run = run.claiming(wanted("shop-f-test", "laptop", false));
    let (wiring, orders) = (theatre.wiring(), theatre.orders.clone());
    let driven = tokio::spawn(async move { run.drive(wiring).await });
    wait(1_000).await;
    for _ in 0..2 {
        orders.send(placed(What::Interrupt).0).unwrap();
    }
    let end = driven.await.unwrap().unwrap();
    assert_eq!(end, Ended::Interrupted);
    assert_eq!(
        vault.desk.lock().unwrap().creates,
        1,
        "a claim of a run that nobody can look at"
    );
}
