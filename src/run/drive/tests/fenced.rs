//! A run whose sites have to refuse older epochs before it does anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;

use super::super::{Ended, Run, RunError};
use super::theatre::{Deed, Fake, Theatre, wait};
use crate::effect::{ErrorKind, WorldError};
use crate::plan::{Digest, PlannedStep};
use crate::run::mirror::testing::{MemoryShelf, Mishap, fleet};
use crate::run::testing::{operator, plan, step};
use crate::run::{Claim, Event, Fence, Journal, Kept, RunId, Timekeeper, Verdict, Wanted, put_back};
use crate::runbook::Release;

fn chain() -> Vec<PlannedStep> {
    vec![step("a"), step("b").needing(&[0])]
}

/// Answers as it is told, and says what had been done by then.
struct Scripted {
    answers: Mutex<Vec<Result<(), ErrorKind>>>,
    actor: Arc<Fake>,
    epochs: Mutex<Vec<u64>>,
}

impl Scripted {
    fn new(actor: &Arc<Fake>, answers: &[Result<(), ErrorKind>]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.to_vec()),
            actor: actor.clone(),
            epochs: Mutex::default(),
        })
    }
}

impl Fence for Scripted {
    fn raise<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<BTreeMap<String, String>, WorldError>> {
        Box::pin(async move {
            assert_eq!(self.actor.calls(), "", "the fence comes before every effect");
            self.epochs.lock().unwrap().push(claim.epoch);
            let answer = self.answers.lock().unwrap().remove(0);
            answer.map_err(|kind| WorldError::new(kind, "east", "in the fence's own words"))?;
            Ok(BTreeMap::from([("east".to_owned(), "enforced".to_owned())]))
        })
    }
}

fn wanted(above: u64) -> Wanted {
    Wanted {
        scope: "shop".into(),
        group: "shop".into(),
        run: RunId("shop-f-test".into()),
        plan: Digest::of(&plan(chain())),
        operator: operator(),
        adopt: false,
        above,
    }
}

fn fenced(run: Run, vault: &MemoryShelf, fence: &Arc<Scripted>, above: u64) -> Run {
    let run = run.mirrored(fleet(&[vault], Release::LocalAndOne), vec![Kept::Unknown]);
    run.claiming(wanted(above)).fenced(fence.clone())
}

async fn resumed(
    theatre: &mut Theatre,
    vault: &MemoryShelf,
    fence: &Arc<Scripted>,
) -> Result<Ended, RunError> {
    let from = "2026-11-23T01:00:00Z".parse().unwrap();
    let run = Run::resume(&theatre.folder(), &operator(), |entries| {
        Timekeeper::simulated_resume(entries, from)
    });
    let run = fenced(run.unwrap(), vault, fence, 0);
    run.drive(theatre.wiring()).await
}

#[tokio::test(start_paused = true)]
async fn the_fence_knows_the_epoch_before_the_first_effect_and_the_journal_says_so() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    let fence = Scripted::new(&theatre.actor, &[Ok(())]);
    // The mirrors are empty, and the site knows epoch 41: ours has to be higher.
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 41);
    let end = run.drive(theatre.wiring()).await.unwrap();
    assert_eq!(end, Ended::Finished(Verdict::Recovered));
    assert_eq!(*fence.epochs.lock().unwrap(), [42]);
    let story = theatre.story();
    assert!(
        story.starts_with("    0 claimed epoch 42\n    0 fences east enforced\n    0 start a"),
        "{story}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_cannot_be_raised_lets_nothing_begin_and_a_resume_tries_again() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    let fence = Scripted::new(&theatre.actor, &[Err(ErrorKind::NotYet), Ok(())]);
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 0);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::NotFenced(_)), "{error}");
    insta::assert_snapshot!(error, @"the fence is not raised: east: in the fence's own words");
    assert_eq!(theatre.actor.calls(), "");
    let last = Journal::read(&theatre.folder()).unwrap().entries.pop().unwrap();
    assert!(matches!(last.event, Event::Paused { .. }), "{last:?}");
    let end = resumed(&mut theatre, &vault, &fence).await.unwrap();
    assert_eq!(end, Ended::Finished(Verdict::Recovered));
    assert_eq!(theatre.actor.calls(), "a#1, b#1");
    assert_eq!(
        *fence.epochs.lock().unwrap(),
        [1, 2],
        "each process has an epoch of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn an_epoch_is_higher_than_any_that_the_run_held_even_where_the_mirrors_show_none() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    let fence = Scripted::new(&theatre.actor, &[Err(ErrorKind::NotYet), Ok(())]);
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 41);
    run.drive(theatre.wiring()).await.unwrap_err();
    vault
        .desk
        .lock()
        .unwrap()
        .objects
        .retain(|key, _| !key.starts_with("epochs/"));
    let end = resumed(&mut theatre, &vault, &fence).await.unwrap();
    assert_eq!(end, Ended::Finished(Verdict::Recovered));
    assert_eq!(*fence.epochs.lock().unwrap(), [42, 43]);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_left_open_is_not_even_looked_at_before_the_fence_is_raised() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Never])]));
    let answers = [Ok(()), Err(ErrorKind::NotYet), Ok(())];
    let fence = Scripted::new(&theatre.actor, &answers);
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 0);
    let killed = tokio::time::timeout(Duration::from_mins(1), run.drive(theatre.wiring())).await;
    assert!(killed.is_err(), "{killed:?}");
    assert_eq!(theatre.actor.calls(), "a#1", "its intent is open now");

    let error = resumed(&mut theatre, &vault, &fence).await.unwrap_err();
    assert!(matches!(error, RunError::NotFenced(_)), "{error}");
    assert_eq!(theatre.actor.calls(), "");
    let last = Journal::read(&theatre.folder()).unwrap().entries.pop().unwrap();
    assert!(matches!(last.event, Event::Paused { .. }), "{last:?}");

    let end = resumed(&mut theatre, &vault, &fence).await.unwrap();
    assert_eq!(end, Ended::Finished(Verdict::Recovered));
    let calls = theatre.actor.calls();
    assert!(calls.contains("a#") && calls.ends_with("b#1"), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_before_or_in_the_middle_leaves_and_begins_nothing_more() {
    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[]));
    let fence = Scripted::new(&theatre.actor, &[Err(ErrorKind::Overtaken)]);
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 0);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Overtaken(_)), "{error}");
    assert_eq!(theatre.actor.calls(), "");

    let vault = MemoryShelf::new("vault");
    let mut theatre = Theatre::of(Fake::with(&[("a", &[Deed::Fails(5, ErrorKind::Overtaken)])]));
    let fence = Scripted::new(&theatre.actor, &[Ok(())]);
    let run = fenced(theatre.begin(chain(), 2), &vault, &fence, 0);
    let error = run.drive(theatre.wiring()).await.unwrap_err();
    assert!(matches!(error, RunError::Overtaken(_)), "{error}");
    assert_eq!(theatre.actor.calls(), "a#1");
    let story = theatre.story();
    assert!(story.ends_with("start a"), "nothing of it is recorded: {story}");
}

/// The desk takes the run up while the laptop, which has just begun it, waits for its claim to arrive; and so does the desk's
/// own claim, for longer.
#[tokio::test(start_paused = true)]
async fn of_two_who_claim_one_run_at_once_the_last_writer_of_its_journal_goes_on_and_alone_raises_fences() {
    let vault = MemoryShelf::new("vault");
    vault.meets(&[Mishap::Slow(0), Mishap::Slow(5_000)]);
    let mut laptop = Theatre::of(Fake::with(&[]));
    let never = Scripted::new(&laptop.actor, &[]);
    let run = fenced(laptop.begin(chain(), 2), &vault, &never, 0);
    let wiring = laptop.wiring();
    let begun = tokio::spawn(async move { run.drive(wiring).await });
    wait(1_000).await;

    vault.meets(&[Mishap::Slow(0), Mishap::Slow(6_000)]);
    let mut desk = Theatre::of(Fake::with(&[]));
    put_back(&desk.folder(), &vault.text(), &operator()).unwrap();
    let fence = Scripted::new(&desk.actor, &[Ok(())]);
    let end = resumed(&mut desk, &vault, &fence).await;

    assert_eq!(end.unwrap(), Ended::Finished(Verdict::Recovered));
    assert_eq!(desk.actor.calls(), "a#1, b#1");
    assert_eq!(*fence.epochs.lock().unwrap(), [2], "the laptop's claim was first");
    let error = begun.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Superseded(_)), "{error}");
    assert_eq!(*never.epochs.lock().unwrap(), [0; 0]);
    assert_eq!(laptop.actor.calls(), "");
}
