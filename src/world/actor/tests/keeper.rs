//! Taking backups away, with stores that refuse, and proving them again.

use super::kit::*;
use super::*;
use crate::world::library::{Library, State, Verdict};
use crate::world::{Keeper, Obituary};

fn obituary(name: &str) -> Obituary {
    Obituary {
        backup: name.to_owned(),
        at: "2026-11-23T00:00:00Z".parse().expect("a timestamp"),
        by: "anna".into(),
        reason: "too old".into(),
        tool: crate::TOOL.to_owned(),
    }
}

async fn state(stage: &Stage, name: &str) -> Option<State> {
    let cards = Library::of(stage.world.clone())
        .list("vault")
        .await
        .expect("listed");
    cards
        .into_iter()
        .find(|card| card.name == name)
        .map(|card| card.state)
}

#[tokio::test(start_paused = true)]
async fn of_a_deleted_backup_only_the_note_about_its_end_stays() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let keeper = Keeper::of(stage.world.clone());
    let gone = keeper
        .delete("vault", &obituary(&name), None)
        .await
        .expect("deleted");
    assert!(
        gone.remains.is_empty() && !gone.untouched && gone.deleted > 5,
        "{gone:?}"
    );
    assert_eq!(
        stage.store("vault").keys(),
        [format!("vault/{}", keys(&name).deleted())]
    );
    assert_eq!(state(&stage, &name).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_the_first_step_has_lost_nothing() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let before = stage.store("vault").keys();
    let manifest = keys(&name).manifest();
    for error in [FaultError::Forbidden, FaultError::LostReplyBefore] {
        stage.fails(vec![fault("vault", "delete", &manifest, 1, error)]);
        let gone = Keeper::of(stage.world.clone())
            .delete("vault", &obituary(&name), None)
            .await;
        let gone = gone.expect("told");
        assert!(gone.untouched && gone.deleted == 0, "{gone:?}");
        assert_eq!(gone.remains[0].key, manifest);
        assert_eq!(
            stage.store("vault").keys(),
            before,
            "no note about an end that was none"
        );
        assert!(matches!(state(&stage, &name).await, Some(State::Verified { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lock_keeps_is_named_and_counts_no_longer() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let archive = keys(&name).archive();
    stage.fails(vec![fault("vault", "delete", &archive, 1, FaultError::Forbidden)]);
    let gone = Keeper::of(stage.world.clone())
        .delete("vault", &obituary(&name), None)
        .await;
    let gone = gone.expect("told");
    assert!(!gone.untouched);
    assert_eq!(gone.remains.len(), 1);
    assert_eq!(gone.remains[0].key, archive);
    assert!(matches!(
        state(&stage, &name).await,
        Some(State::Unfinished { .. })
    ));
    assert_eq!(seen(&stage, crate::effect::BackupName::Latest).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_lost_after_the_deed_is_no_refusal() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let lost = |key: String| fault("vault", "delete", &key, 1, FaultError::LostReplyAfterCommit);
    stage.fails(vec![lost(keys(&name).manifest()), lost(keys(&name).archive())]);
    let gone = Keeper::of(stage.world.clone())
        .delete("vault", &obituary(&name), None)
        .await;
    let gone = gone.expect("told");
    assert!(gone.remains.is_empty() && !gone.untouched, "{gone:?}");
    assert_eq!(
        stage.store("vault").keys(),
        [format!("vault/{}", keys(&name).deleted())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_written_for_what_is_whole_and_for_nothing_else() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let (library, keeper) = (Library::of(stage.world.clone()), Keeper::of(stage.world.clone()));
    assert!(stage.store("vault").damage(&keys(&name).verified(), 40));
    assert_eq!(state(&stage, &name).await, Some(State::NotVerified));
    let found = library.verify("vault", &name).await.expect("read");
    assert_eq!((found.verdict, found.proved_at), (Verdict::Whole, None));
    let at = keeper.prove("vault", &found).await.expect("written");
    assert_eq!(
        state(&stage, &name).await,
        Some(State::Verified { verified_at: at })
    );

    assert!(stage.store("vault").damage(&keys(&name).archive(), 300));
    let found = library.verify("vault", &name).await.expect("read");
    assert_eq!(found.verdict, Verdict::Wrong);
    let error = keeper.prove("vault", &found).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Rejected);
}
