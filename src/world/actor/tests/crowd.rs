//! Several who delete in one store at once, in many orders: some are slow, some are killed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;

use super::crowd_mutants::{Mistake, Mutant};
use super::kit::*;
use super::*;
use crate::world::library::{Library, State};
use crate::world::port::{Answer, Hidden, Locked, PutMode, Store, Stored};
use crate::world::{Gone, Keeper, Obituary};

/// Orders that are tried of each constellation. Of two who look at nothing, one in three loses all.
const ORDERS: u64 = 60;

/// The longest that an ordinary request takes, in milliseconds.
const SLOW_MS: u64 = 50;

/// One request in so many takes as long as the others' whole work.
const ASLEEP: u64 = 12;

/// How long that is, in milliseconds.
const ASLEEP_MS: u64 = 3000;

/// A store for one of them, each of whose requests takes a time of its own.
struct Slow {
    inner: SimStore,
    dice: AtomicU64,
    mistake: Option<Mistake>,
}

impl Slow {
    async fn rest(&self) {
        let drawn = drawn(self.dice.fetch_add(1, Ordering::Relaxed));
        let asleep = (drawn >> 32).is_multiple_of(ASLEEP);
        pass(if asleep { ASLEEP_MS } else { drawn % SLOW_MS }).await;
    }
}

/// A number that looks like chance and is always the same.
fn drawn(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Store for Slow {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        Box::pin(async move {
            if let Some(mistake) = &self.mistake {
                mistake.before_list(&self.inner, prefix);
            }
            self.rest().await;
            match &self.mistake {
                Some(mistake) => mistake.list(&self.inner, prefix).await,
                None => self.inner.list(prefix).await,
            }
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        Box::pin(async move {
            self.rest().await;
            if let Some(mistake) = &self.mistake {
                mistake.before_get(&self.inner);
            }
            match self.mistake.as_ref().and_then(|mistake| mistake.remembers(key)) {
                Some(bytes) => Ok(stream::iter([Ok(bytes)]).boxed()),
                None => self.inner.get(key).await,
            }
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64> {
        Box::pin(async move {
            self.rest().await;
            match &self.mistake {
                Some(mistake) => mistake.put(&self.inner, key, body, mode).await,
                None => self.inner.put(key, body, mode).await,
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.rest().await;
            self.inner.delete(key).await
        })
    }

    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked> {
        self.inner.locked(key)
    }

    fn hidden<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Hidden>> {
        self.inner.hidden(prefix)
    }

    fn unhide<'a>(&'a self, key: &'a str, marker: &'a str) -> Answer<'a, ()> {
        self.inner.unhide(key, marker)
    }

    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        self.inner.sibling(suffix)
    }
}

/// Somebody who wants a backup gone, since another one stands in for it.
#[derive(Clone, Copy)]
struct Deleter<'a> {
    name: &'a str,
    stand_in: &'a str,
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

/// What is in the store, to begin anew.
pub(super) fn kept(store: &SimStore) -> BTreeMap<String, Bytes> {
    let keys = store.keys().into_iter();
    keys.filter_map(|key| {
        let key = key.strip_prefix("vault/")?.to_owned();
        let bytes = store.peek(&key)?;
        Some((key, bytes))
    })
    .collect()
}

fn put_back(store: &SimStore, all: &BTreeMap<String, Bytes>) {
    for key in kept(store).into_keys() {
        store.erase(&key);
    }
    for (key, bytes) in all {
        store.plant(key, bytes.clone());
    }
}

async fn verified(stage: &Stage) -> Vec<String> {
    let cards = Library::of(stage.world.clone())
        .list("vault")
        .await
        .expect("listed");
    let whole = cards
        .into_iter()
        .filter(|card| matches!(card.state, State::Verified { .. }));
    whole.map(|card| card.name).collect()
}

/// Lets all of them delete at once, one order of the requests; the first `killed` die on the way.
async fn at_once(
    stage: &Stage,
    crowd: &[Deleter<'_>],
    order: u64,
    killed: usize,
    mutant: Option<Mutant>,
) -> Vec<Option<Result<Gone, WorldError>>> {
    let begin = |(number, one): (usize, &Deleter<'_>)| {
        let mut world = stage.world.clone();
        let slow = Slow {
            inner: stage.store("vault").clone(),
            dice: AtomicU64::new(drawn(order * 1000 + number as u64)),
            mistake: mutant.map(Mistake::of),
        };
        world.stores.insert("vault".into(), Arc::new(slow));
        let (name, stand_in) = (one.name.to_owned(), one.stand_in.to_owned());
        let limit = if number < killed {
            drawn(order) % 400
        } else {
            u64::MAX / 4
        };
        async move {
            let (keeper, note) = (Keeper::of(world), obituary(&name));
            let work = keeper.delete("vault", &note, Some(&stand_in));
            tokio::time::timeout(Duration::from_millis(limit), work)
                .await
                .ok()
        }
    };
    join_all(crowd.iter().enumerate().map(begin)).await
}

async fn three(stage: &Stage) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(captured(stage).await);
    }
    names
}

/// Who deletes what, relying on which other one.
fn crowds(names: &[String]) -> [Vec<Deleter<'_>>; 4] {
    let rely = |name: usize, other: usize| Deleter {
        name: &names[name],
        stand_in: &names[other],
    };
    [
        vec![rely(0, 1), rely(1, 0)],
        vec![rely(0, 1), rely(1, 2), rely(2, 0)],
        vec![rely(0, 2), rely(1, 2), rely(2, 1), rely(2, 0)],
        vec![rely(0, 1), rely(0, 1), rely(1, 2), rely(2, 0)],
    ]
}

#[tokio::test(start_paused = true)]
async fn of_those_who_rely_on_each_other_never_all_delete() {
    let stage = Stage::new();
    let names = three(&stage).await;
    let all = kept(stage.store("vault"));
    let mut ended = [0, 0];
    for crowd in &crowds(&names) {
        for order in 0..ORDERS {
            for killed in [0, 1, crowd.len()] {
                put_back(stage.store("vault"), &all);
                let outcomes = at_once(&stage, crowd, order, killed, None).await;
                let left = verified(&stage).await;
                assert!(!left.is_empty(), "order {order}, {killed} killed: {outcomes:?}");
                for outcome in outcomes.iter().flatten() {
                    match outcome {
                        Ok(gone) => {
                            assert!(gone.remains.is_empty() && !gone.untouched, "{gone:?}");
                            ended[0] += 1;
                        }
                        Err(error) => {
                            assert_eq!(error.kind, ErrorKind::Conflict, "{error:?}");
                            ended[1] += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(
        ended.iter().all(|count| *count > 100),
        "both ends are met: {ended:?}"
    );
}

/// The first order in which a mutant leaves nothing that is verified.
async fn caught(stage: &Stage, crowds: &[Vec<Deleter<'_>>], mutant: Mutant) -> Option<(u64, usize)> {
    let all = kept(stage.store("vault"));
    for order in 0..ORDERS {
        for (number, crowd) in crowds.iter().enumerate() {
            at_once(stage, crowd, order, 0, Some(mutant)).await;
            let nothing_is_left = verified(stage).await.is_empty();
            put_back(stage.store("vault"), &all);
            if nothing_is_left {
                return Some((order, number));
            }
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn each_part_of_what_deleters_tell_each_other_is_needed() {
    let stage = Stage::new();
    let names = three(&stage).await;
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        match caught(&stage, &crowds(&names), mutant).await {
            Some((order, crowd)) => println!("{mutant:?}: order {order} of crowd {crowd}"),
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "nobody finds {survivors:?}");
}

#[tokio::test(start_paused = true)]
async fn who_refuses_leaves_no_trace_and_a_note_of_the_dead_is_told() {
    let stage = Stage::new();
    let names = three(&stage).await;
    let before = stage.store("vault").keys();
    let note = format!("{}1.json", keys(&names[2]).deletions());
    let written = serde_json::to_vec(&obituary(&names[2])).expect("JSON");
    stage.store("vault").plant(&note, written);
    let keeper = Keeper::of(stage.world.clone());
    let refused = keeper
        .delete("vault", &obituary(&names[0]), Some(&names[2]))
        .await;
    let error = refused.expect_err("its stand-in is going");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(
        error
            .message
            .ends_with("it is being deleted itself, since 1970-01-01 00:00:00 UTC by anna"),
        "{}",
        error.message
    );
    stage.store("vault").erase(&note);
    assert_eq!(stage.store("vault").keys(), before, "its own note went too");
    stage.store("vault").plant(&note, "nobody can read this");
    let cards = Library::of(stage.world.clone())
        .list("vault")
        .await
        .expect("listed");
    let told: Vec<usize> = cards.iter().map(|card| card.going.len()).collect();
    assert_eq!(told, [0, 0, 1]);
    let keeper = Keeper::of(stage.world.clone());
    keeper
        .delete("vault", &obituary(&names[1]), Some(&names[0]))
        .await
        .expect("deleted");
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_not_left_behind_for_what_was_deleted_meanwhile() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let found = Library::of(stage.world.clone())
        .verify("vault", &name)
        .await
        .expect("read");
    let keeper = Keeper::of(stage.world.clone());
    keeper
        .delete("vault", &obituary(&name), None)
        .await
        .expect("deleted");
    let error = keeper.prove("vault", &found).await.expect_err("it is gone");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let left = stage.store("vault").keys();
    assert_eq!(left, [format!("vault/{}", keys(&name).deleted())]);
}
