//! Backups that a store keeps, and says so or does not.

use jiff::{SignedDuration, Timestamp};

use super::kit::*;
use super::*;
use crate::effect::{BackupObjects, Firmness, Lock};
use crate::text::Period;
use crate::world::library::{Card, Library, LockHeld, State};
use crate::world::port::{Locked, Store as _};
use crate::world::{Keeper, Obituary};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn locked(mode: Firmness) -> Effect {
    let Effect::BackupObjects(effect) = backup() else {
        unreachable!()
    };
    let period = Period(30 * DAY_MS);
    Effect::BackupObjects(BackupObjects {
        lock: Some(Lock { mode, period }),
        ..effect
    })
}

async fn card(stage: &Stage) -> Card {
    let library = Library::of(stage.world.clone());
    library.list("vault").await.expect("listed").remove(0)
}

fn obituary(name: &str) -> Obituary {
    Obituary {
        backup: name.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        by: "anna".into(),
        reason: "too old".into(),
        tool: crate::TOOL.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_a_locked_backup_writes_is_locked_and_nothing_of_it_is_deleted() {
    let stage = Stage::new();
    pass(1000).await;
    let receipt = stage.done("capture", locked(Firmness::Compliance)).await;
    let name = receipt.outputs["backup"].clone();
    let end: Timestamp = "2026-12-22T22:00:02Z".parse().expect("a timestamp");
    assert!(
        receipt
            .summary
            .ends_with("; the store says that it keeps it until 2026-12-22T22:00:02Z (compliance)"),
        "{}",
        receipt.summary
    );
    let before = stage.store("vault").keys();
    for key in &before {
        let key = key.strip_prefix("vault/").expect("its prefix");
        let Ok(Locked::Until(found)) = stage.store("vault").locked(key).await else {
            panic!("{key} is not locked")
        };
        assert_eq!((found.mode, found.until), (Firmness::Compliance, end), "{key}");
    }
    let card = card(&stage).await;
    let mode = Firmness::Compliance;
    assert_eq!(
        (card.locked, card.lock),
        (Some(true), Some(LockHeld::Until { at: end, mode }))
    );

    let keeper = Keeper::of(stage.world.clone());
    let gone = keeper
        .delete("vault", &obituary(&name), None)
        .await
        .expect("told");
    assert!(gone.untouched && gone.deleted == 0, "{gone:?}");
    assert_eq!(gone.remains.len(), before.len());
    assert_eq!(
        stage.store("vault").keys(),
        before,
        "not even a note about its end"
    );

    tokio::time::advance(SignedDuration::from_hours(31 * 24).unsigned_abs()).await;
    let gone = keeper
        .delete("vault", &obituary(&name), None)
        .await
        .expect("told");
    assert!(gone.remains.is_empty() && !gone.untouched, "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_backup_of_which_one_object_is_locked_nothing_is_deleted() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    assert_eq!(card(&stage).await.locked, Some(false));
    let before = stage.store("vault").keys();
    let extra = keys(&name).resource_list();
    stage
        .store("vault")
        .freeze(&extra, "2027-01-01T00:00:00Z".parse().expect("a timestamp"));
    let keeper = Keeper::of(stage.world.clone());
    let gone = keeper
        .delete("vault", &obituary(&name), None)
        .await
        .expect("told");
    assert!(gone.untouched, "{gone:?}");
    assert_eq!(gone.remains.len(), 1);
    assert_eq!(
        (gone.remains[0].key.as_str(), gone.remains[0].why.as_str()),
        (extra.as_str(), "locked until 2027-01-01T00:00:00Z (governance)")
    );
    assert_eq!(stage.store("vault").keys(), before);
    assert!(matches!(card(&stage).await.state, State::Verified { .. }));
    assert_eq!(
        card(&stage).await.locked,
        Some(false),
        "what a restore needs is not locked"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_a_lock_and_does_not_keep_it_is_found_out() {
    let stage = Stage::new();
    pass(1000).await;
    stage.store("vault").forgets_locks();
    let (kind, message) = refused(stage.perform("capture", locked(Firmness::Compliance)).await);
    assert_eq!(kind, ErrorKind::Damaged);
    assert!(
        message.ends_with("and the store says that it keeps it: not at all"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_say_leaves_the_lock_not_known() {
    let stage = Stage::new();
    captured(&stage).await;
    stage.fails(vec![Fault {
        what: None,
        times: 10,
        ..fault("vault", "locked", "", 1, FaultError::Forbidden)
    }]);
    let card = card(&stage).await;
    assert_eq!(card.locked, None);
    assert!(matches!(card.lock, Some(LockHeld::NotKnown(_))));
}
