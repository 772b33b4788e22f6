//! A plan that was made before the group was held is compared with the world once it is.

use insta::assert_snapshot;

use super::super::{Ended, Run, RunError};
use super::theatre::{Deed, Fake, Theatre, placed, wait};
use crate::effect::{ErrorKind, Query, Seen};
use crate::plan::{Digest, PlannedStep, Sighting};
use crate::run::mirror::testing::{MemoryShelf, fleet};
use crate::run::testing::{beginning, operator, step};
use crate::run::{Beginning, Kept, Timekeeper, Verdict, Wanted, What};
use crate::runbook::Release;

const RECOVERED: Ended = Ended::Finished(Verdict::Recovered);

/// A run with steps that clean up, too: they must not run over a plan that does not hold.
fn steps() -> Vec<PlannedStep> {
    vec![step("a"), step("b").needing(&[0]), step("close").finally()]
}

/// Its plan was made when the store was there.
fn begun() -> Beginning {
    let mut begun = beginning(steps(), 2);
    begun.plan.sightings = vec![
        Sighting {
            query: Query::Store {
                store: "vault".into(),
            },
            seen: Seen::Store,
        },
        Sighting {
            query: Query::Prefix {
                store: "live".into(),
                prefix: "orders/".into(),
            },
            seen: Seen::Namespaces(vec!["changes by itself".into()]),
        },
    ];
    begun.digest = Digest::of(&begun.plan);
    begun
}

fn claiming(run: Run, vault: &MemoryShelf) -> Run {
    let begun = run.engine.beginning();
    let wanted = Wanted {
        scope: "shop".into(),
        group: "shop".into(),
        run: begun.run.clone(),
        plan: begun.digest.clone(),
        operator: operator(),
        adopt: false,
        above: 0,
    };
    let run = run.mirrored(fleet(&[vault], Release::LocalAndOne), vec![Kept::Unknown]);
    run.claiming(wanted).judged()
}

fn answers(theatre: &Theatre, answers: &[Result<Seen, ErrorKind>]) {
    theatre
        .actor
        .answers
        .lock()
        .unwrap()
        .extend(answers.iter().cloned());
}

async fn resumed(theatre: &mut Theatre, vault: &MemoryShelf) -> Result<Ended, RunError> {
    let from = "2026-11-23T01:00:00Z".parse().unwrap();
    let run = Run::resume(&theatre.folder(), &operator(), |entries| {
        Timekeeper::simulated_resume(entries, from)
    });
    claiming(run?, vault).drive(theatre.wiring()).await
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_holds_when_the_group_is_held_is_carried_out() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    let run = claiming(theatre.begin_as(begun()), &vault);
    assert_eq!(run.drive(theatre.wiring()).await.unwrap(), RECOVERED);
    assert_eq!(theatre.actor.calls(), "a#1, b#1, close#1");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_does_not_hold_when_the_group_is_held_ends_its_run_before_anything_is_done() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    answers(&theatre, &[Ok(Seen::Namespaces(Vec::new()))]);
    let run = claiming(theatre.begin_as(begun()), &vault);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    let RunError::Stale(changes) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        changes.len(),
        1,
        "what changes by itself is not asked about: {changes:?}"
    );
    assert_eq!(theatre.actor.calls(), "");
    assert_snapshot!(theatre.story(), @r"
        0 claimed epoch 1
        0 stopping by lifeboat
        0 end a cut off (not begun: the run was stopped)
        0 end b cut off (not begun: the run was stopped)
        0 end close cut off (not begun: the run was stopped)
        0 finished Stopped
    ");
    // It stands in nobody's way.
    let error = resumed(&mut theatre, &vault).await.unwrap_err();
    assert!(matches!(error, RunError::Ended(Verdict::Stopped)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_silence_is_no_change_and_a_longer_one_is() {
    for (silent, holds) in [(1, true), (2, true), (3, false)] {
        let vault = MemoryShelf::new("vault");
        let mut theatre = Theatre::of(Fake::with(&[]));
        answers(&theatre, &vec![Err(ErrorKind::Unreachable); silent]);
        let run = claiming(theatre.begin_as(begun()), &vault);
        match run.drive(theatre.wiring()).await {
            Ok(end) => assert!(holds && end == RECOVERED, "{silent}: {end:?}"),
            Err(RunError::Stale(changes)) => assert!(!holds && changes[0].is_silence(), "{silent}"),
            Err(error) => panic!("{silent}: {error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_begun_an_effect_finds_its_own_work_and_goes_on() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Takes(1_000)])]));
    let run = claiming(theatre.begin_as(begun()), &vault);
    let wiring = theatre.wiring();
    let orders = theatre.orders.clone();
    tokio::spawn(async move {
        wait(500).await;
        orders.send(placed(What::Pause).0).unwrap();
    });
    let end = run.drive(wiring).await.unwrap();
    assert!(matches!(end, Ended::Paused(_)), "{end:?}");
    answers(&theatre, &[Ok(Seen::Namespaces(Vec::new()))]);
    assert_eq!(resumed(&mut theatre, &vault).await.unwrap(), RECOVERED);
    assert_eq!(theatre.actor.calls(), "a#1, b#1, close#1");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_held_up_before_its_claim_is_judged_when_it_goes_on() {
    let vault = MemoryShelf::new("vault");
    vault.goes_away(true);
    let mut theatre = Theatre::of(Fake::with(&[]));
    let run = claiming(theatre.begin_as(begun()), &vault);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Unreleased(_)), "{error}");
    vault.goes_away(false);
    answers(&theatre, &[Ok(Seen::Namespaces(Vec::new()))]);
    let error = resumed(&mut theatre, &vault).await.unwrap_err();
    assert!(matches!(error, RunError::Stale(_)), "{error}");
    assert_eq!(theatre.actor.calls(), "");
}

#[tokio::test(start_paused = true)]
async fn who_presses_ctrl_c_twice_need_not_wait_for_a_silent_site() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    answers(&theatre, &[Err(ErrorKind::Unreachable)]);
    let wiring = theatre.wiring();
    let orders = theatre.orders.clone();
    // In the middle of the silence.
    tokio::spawn(async move {
        wait(1_000).await;
        for _ in 0..2 {
            orders.send(placed(What::Interrupt).0).unwrap();
        }
    });
    let run = claiming(theatre.begin_as(begun()), &vault);
    let end = run.drive(wiring).await.unwrap();
    assert_eq!(end, Ended::Interrupted);
    assert_eq!(theatre.actor.calls(), "");
}
