//! Each flaw that a server was seen to have is found, named, and keeps journals away.

use insta::assert_snapshot;
use jiff::Timestamp;

use super::{Examination, Property, Verdict, examine, examine_for_journal};
use crate::world::directory::DirectoryStore;
use crate::world::port::Store;
use crate::world::sim::{Embedded, Fault, FaultError, FaultPlan, Flaw, SimStore};

fn start() -> Timestamp {
    "2026-11-22T23:00:00Z".parse().unwrap()
}

async fn examined(flaws: &[Flaw], faults: Vec<Fault>) -> (Examination, SimStore) {
    let world = Embedded::starting_at(start()).with_store("vault");
    let store = world.store("vault").unwrap().clone();
    for flaw in flaws {
        store.has_flaw(*flaw);
    }
    world.script(FaultPlan {
        faults,
        ..FaultPlan::default()
    });
    let clock = world.clock();
    let found = examine("vault", &store, "test", &move || clock.now()).await;
    (found, store)
}

/// One line for each finding.
fn lines(found: &Examination) -> String {
    let line = |one: &super::Finding| format!("{} {:?}: {}", one.property.word(), one.verdict, one.seen);
    found.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn failed(found: &Examination) -> Vec<Property> {
    let failed = found.findings.iter().filter(|one| one.verdict == Verdict::Fails);
    // A store in memory keeps no versions, has no locks, and deletes what it is told to.
    let usual = [Property::Versions, Property::Lock, Property::NoDelete];
    failed
        .map(|one| one.property)
        .filter(|one| !usual.contains(one))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_flaw_can_hold_journals_and_nothing_is_left_in_it() {
    let (found, store) = examined(&[], Vec::new()).await;
    assert_snapshot!(lines(&found), @r"
    create once Holds: a second writer of a key was refused, and the first one's bytes are there
    one winner Holds: 10 races of 8 writers, one winner in each
    swap Holds: a change of an object that had been changed meanwhile was refused
    read back Holds: 10 writes, each read by the next request
    listed Holds: 10 writes, each in the next listing
    checksum Holds: bytes with another checksum were refused
    versions Fails: an object has no version
    lock holds Fails: the bucket was made without object lock
    clock Holds: 0 s apart
    no delete Fails: our own credentials deleted an object
    ");
    assert!(found.fit() && found.unfit().is_none());
    assert_eq!(store.keys(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn every_flaw_is_found_and_those_that_matter_keep_journals_away() {
    let found = |flaw| async move { examined(&[flaw], Vec::new()).await.0 };
    let careless = found(Flaw::Conditions).await;
    assert_eq!(
        failed(&careless),
        [Property::CreateOnce, Property::OneWinner, Property::Swap]
    );
    assert_eq!(careless.unfit().unwrap().property, Property::CreateOnce);
    let racy = found(Flaw::Races).await;
    assert_eq!(failed(&racy), [Property::OneWinner]);
    assert_snapshot!(racy.unfit().unwrap().seen, @"in race 1 of 10, 8 of 8 writers were told that they created one key");
    let unchecked = found(Flaw::Checksums).await;
    assert_eq!(failed(&unchecked), [Property::Checksum]);
    assert!(unchecked.fit());
    let forgetful = found(Flaw::Listings).await;
    assert_eq!(failed(&forgetful), [Property::Listed]);
    assert!(!forgetful.fit() && forgetful.unfit().is_some());
    let skewed = found(Flaw::Clock).await;
    assert_eq!(failed(&skewed), [Property::Clock]);
    assert_snapshot!(skewed.findings.iter().find(|one| one.property == Property::Clock).unwrap().seen, @"420 s apart");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_tried_is_never_said_to_hold() {
    let fault = |verb: &str, error| Fault {
        place: "vault".into(),
        verb: verb.into(),
        what: None,
        nth: 1,
        times: 0,
        error,
    };
    for error in [
        FaultError::Unreachable,
        FaultError::Forbidden,
        FaultError::LostReplyAfterCommit,
    ] {
        let (found, _) = examined(&[], vec![fault("put", error)]).await;
        let known: Vec<_> = found
            .findings
            .iter()
            .filter(|one| one.verdict != Verdict::NotKnown)
            .map(|one| one.property)
            .collect();
        assert!(!found.fit() && found.unfit().is_none(), "{}", lines(&found));
        assert!(
            known
                .iter()
                .all(|one| matches!(one, Property::Checksum | Property::Lock | Property::Clock)),
            "{known:?}"
        );
    }
}

#[tokio::test]
async fn a_folder_can_hold_journals() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let found = examine("usb", &store, "test", &start).await;
    assert_snapshot!(lines(&found), @r"
    create once Holds: a second writer of a key was refused, and the first one's bytes are there
    one winner Holds: 10 races of 8 writers, one winner in each
    swap NotKnown: this kind of store offers no way to try it
    read back Holds: 10 writes, each read by the next request
    listed Holds: 10 writes, each in the next listing
    checksum NotKnown: this kind of store offers no way to try it
    versions NotKnown: this kind of store offers no way to try it
    lock holds NotKnown: this kind of store offers no way to try it
    clock NotKnown: this kind of store offers no way to try it
    no delete Fails: our own credentials deleted an object
    ");
    assert!(found.fit());
    assert_eq!(store.list("").await.unwrap(), []);
    assert!(examine_for_journal("usb", &store, "test", &start).await.fit());
}
