//! The trials. Each gives one finding, and none changes anything outside of its own folder.

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::{Bench, Examination, Finding, Property, Verdict};
use crate::effect::{ErrorKind, Firmness, WorldError};
use crate::world::port::{PutMode, Retention, Store};

/// Under this nothing is ever kept.
const ROOT: &str = "metadata/lifeboat-probe/";

/// Writers in a race: more than a person's machines, few enough for one connection pool.
const WRITERS: usize = 8;

/// Races: a server that checks and then writes loses about two of three, so ten show it in all but one
/// of 50,000 probes.
const RACES: usize = 10;

/// Clocks may differ by this: what a time service keeps, a second of rounding, and a slow request.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

/// How long a trial lock lasts. It has to outlive the trial on a slow line, and nothing can shorten it.
const LOCK: SignedDuration = SignedDuration::from_secs(60);

/// What a trial came to, in words; an error leaves it not known.
type Seen = Result<(Verdict, String), WorldError>;

struct Trials<'a> {
    store: &'a dyn Store,
    bench: Option<&'a dyn Bench>,
    folder: String,
    now: &'a (dyn Fn() -> Timestamp + Sync),
}

/// Tries everything. `id` names a folder that nobody else uses; `now` is the wall clock.
pub async fn examine(
    name: &str,
    store: &dyn Store,
    id: &str,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Examination {
    let trials = Trials::of(store, id, now);
    let mut findings = trials.for_journal().await;
    findings.push(finding(Property::Swap, trials.swap().await));
    findings.push(finding(Property::Checksum, trials.checksum().await));
    findings.push(finding(Property::Versions, trials.versions().await));
    findings.push(finding(Property::Lock, trials.lock().await));
    findings.push(finding(Property::Clock, trials.clock().await));
    findings.push(finding(Property::NoDelete, trials.no_delete().await));
    trials.finish(name, findings).await
}

/// Tries only what a journal rests on.
pub async fn examine_for_journal(
    name: &str,
    store: &dyn Store,
    id: &str,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Examination {
    let trials = Trials::of(store, id, now);
    let findings = trials.for_journal().await;
    trials.finish(name, findings).await
}

impl<'a> Trials<'a> {
    fn of(store: &'a dyn Store, id: &str, now: &'a (dyn Fn() -> Timestamp + Sync)) -> Self {
        Self {
            store,
            bench: store.bench(),
            folder: format!("{ROOT}{id}/"),
            now,
        }
    }

    async fn for_journal(&self) -> Vec<Finding> {
        vec![
            finding(Property::CreateOnce, self.create_once().await),
            finding(Property::OneWinner, self.one_winner().await),
            finding(Property::ReadBack, self.read_back().await),
            finding(Property::Listed, self.listed().await),
        ]
    }

    /// What cannot be deleted is left: the finding says so.
    async fn finish(&self, name: &str, mut findings: Vec<Finding>) -> Examination {
        for entry in self.store.list(&self.folder).await.unwrap_or_default() {
            self.remove(&entry.key).await;
        }
        findings.sort_by_key(|finding| finding.property);
        Examination {
            store: name.to_owned(),
            address: self.store.address(),
            at: (self.now)(),
            findings,
        }
    }

    /// Version by version where there are any: a delete would only hide them, and they cost.
    async fn remove(&self, key: &str) {
        let Some(bench) = self.bench else {
            let _ = self.store.delete(key).await;
            return;
        };
        for _ in 0..=RACES {
            match bench.version(key).await {
                Ok(Some(version)) if bench.delete_version(key, &version).await.is_ok() => {}
                Ok(_) => break,
                // Nothing is left.
                Err(_) => return,
            }
        }
        let _ = self.store.delete(key).await;
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    async fn put(&self, key: &str, text: &str, mode: PutMode) -> Result<(), WorldError> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.store
            .put(key, stream::once(async { Ok(bytes) }).boxed(), mode)
            .await?;
        Ok(())
    }

    async fn read(&self, key: &str) -> Result<String, WorldError> {
        let body = self.store.get(key).await?;
        let all = body.try_fold(BytesMut::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        Ok(String::from_utf8_lossy(&all.await?).into_owned())
    }

    async fn create_once(&self) -> Seen {
        let key = self.key("once");
        self.put(&key, "first", PutMode::Create).await?;
        match self.put(&key, "second", PutMode::Create).await {
            Err(error) if error.kind == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(fails("a second writer of a key was told that it created it")),
        }
        Ok(match self.read(&key).await?.as_str() {
            "first" => holds("a second writer of a key was refused, and the first one's bytes are there"),
            _ => fails("a second writer was refused, and its bytes are there all the same"),
        })
    }

    async fn one_winner(&self) -> Seen {
        for race in 0..RACES {
            let key = self.key(&format!("race-{race}"));
            let words: Vec<String> = (0..WRITERS).map(|writer| format!("writer {writer}")).collect();
            let tries = words.iter().map(|word| self.put(&key, word, PutMode::Create));
            let answers = join_all(tries).await;
            let won: Vec<usize> = (0..WRITERS)
                .filter(|at| answers.get(*at).is_some_and(Result::is_ok))
                .collect();
            let odd = answers.into_iter().filter_map(Result::err);
            if let Some(error) = odd.into_iter().find(|error| error.kind != ErrorKind::Conflict) {
                return Err(error);
            }
            if won.is_empty() {
                return Ok((
                    Verdict::NotKnown,
                    "in a race nobody was told that it created the key".to_owned(),
                ));
            }
            let [winner] = won.as_slice() else {
                return Ok(fails(format!(
                    "in race {} of {RACES}, {} of {WRITERS} writers were told that they created one key",
                    race + 1,
                    won.len()
                )));
            };
            if words.get(*winner) != Some(&self.read(&key).await?) {
                return Ok(fails("the winner of a race did not find its own bytes"));
            }
        }
        Ok(holds(format!(
            "{RACES} races of {WRITERS} writers, one winner in each"
        )))
    }

    async fn read_back(&self) -> Seen {
        for round in 0..RACES {
            let key = self.key("read");
            let word = format!("round {round}");
            self.put(&key, &word, PutMode::Replace).await?;
            let found = self.read(&key).await;
            if found.as_deref() != Ok(word.as_str()) {
                return match found {
                    Err(error) if error.kind != ErrorKind::NotFound => Err(error),
                    _ => Ok(fails(
                        "right after a write the object was not there, or was the one before",
                    )),
                };
            }
        }
        Ok(holds(format!("{RACES} writes, each read by the next request")))
    }

    async fn listed(&self) -> Seen {
        for round in 1..=RACES {
            let key = self.key(&format!("list/{round:02}"));
            self.put(&key, "x", PutMode::Create).await?;
            let found = self.store.list(&self.key("list/")).await?;
            if found.len() != round || found.last().is_none_or(|entry| entry.key != key) {
                return Ok(fails(format!(
                    "after {round} writes a listing had {} entries",
                    found.len()
                )));
            }
        }
        Ok(holds(format!("{RACES} writes, each in the next listing")))
    }

    async fn swap(&self) -> Seen {
        let Some(bench) = self.bench else {
            return Ok(untried());
        };
        let key = self.key("swap");
        self.put(&key, "one", PutMode::Replace).await?;
        let old = bench.tag(&key).await?;
        bench.swap(&key, &old, Bytes::from_static(b"two")).await?;
        match bench.swap(&key, &old, Bytes::from_static(b"three")).await {
            Err(error) if error.kind == ErrorKind::Conflict => Ok(holds(
                "a change of an object that had been changed meanwhile was refused",
            )),
            Err(error) => Err(error),
            Ok(()) => Ok(fails("a change of what was seen overwrote what was there")),
        }
    }

    async fn checksum(&self) -> Seen {
        let Some(bench) = self.bench else {
            return Ok(untried());
        };
        match bench
            .put_wrongly(&self.key("sum"), Bytes::from_static(b"bytes"))
            .await
        {
            Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Rejected) => {
                Ok(holds("bytes with another checksum were refused"))
            }
            Err(error) => Err(error),
            Ok(()) => Ok(fails("bytes with another checksum were stored")),
        }
    }

    async fn versions(&self) -> Seen {
        let Some(bench) = self.bench else {
            return Ok(untried());
        };
        let key = self.key("versions");
        self.put(&key, "old", PutMode::Replace).await?;
        let Some(old) = bench.version(&key).await? else {
            return Ok(fails("an object has no version"));
        };
        self.put(&key, "new", PutMode::Replace).await?;
        Ok(match bench.read_version(&key, &old).await {
            Ok(bytes) if bytes == "old" => holds("an overwritten object was read again by its version"),
            Ok(_) => fails("by its version, an overwritten object is the new one"),
            Err(error) => fails(format!(
                "an overwritten object is not there by its version: {}",
                error.message
            )),
        })
    }

    async fn lock(&self) -> Seen {
        let Some(bench) = self.bench else {
            return Ok(untried());
        };
        if bench.locks().await? == Some(false) {
            return Ok(fails("the bucket was made without object lock"));
        }
        let until = (self.now)() + LOCK;
        let mode = Firmness::Compliance;
        let until = Timestamp::from_second(until.as_second()).unwrap_or(until);
        let key = self.key("locked");
        let bytes = stream::once(async { Ok(Bytes::from_static(b"locked")) }).boxed();
        self.store
            .locking(Retention { mode, until })?
            .put(&key, bytes, PutMode::Replace)
            .await?;
        let Some(version) = bench.version(&key).await? else {
            return Ok(fails("a locked object has no version, so nothing keeps it"));
        };
        let refused = bench.delete_version(&key, &version).await;
        let left = bench.read_version(&key, &version).await;
        Ok(match (refused, left) {
            (Err(_), Ok(_)) => holds("a version under a compliance lock could not be deleted by its writer"),
            (Ok(()), _) => fails("a version under a compliance lock was deleted by its writer"),
            (Err(_), Err(error)) => return Err(error),
        })
    }

    async fn clock(&self) -> Seen {
        let Some(bench) = self.bench else {
            return Ok(untried());
        };
        let before = (self.now)();
        let there = bench.clock().await?;
        let after = (self.now)();
        // Its answer has whole seconds, and was given at some time between the two.
        let ahead = there.duration_since(after);
        let behind = before.duration_since(there) - SignedDuration::from_secs(1);
        let apart = ahead.max(behind).max(SignedDuration::ZERO);
        let said = format!("{} s apart", apart.as_secs());
        Ok(if apart <= SKEW_MAX {
            holds(said)
        } else {
            fails(said)
        })
    }

    async fn no_delete(&self) -> Seen {
        let key = self.key("delete");
        self.put(&key, "x", PutMode::Replace).await?;
        match self.store.delete(&key).await {
            Err(error) if error.kind == ErrorKind::Forbidden => {
                return Ok(holds("a delete with our own credentials was refused"));
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        match self.read(&key).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                Ok(fails("our own credentials deleted an object"))
            }
            Err(error) => Err(error),
            Ok(_) => Ok(holds(
                "a delete with our own credentials left the object where it was",
            )),
        }
    }
}

fn finding(property: Property, seen: Seen) -> Finding {
    let (verdict, seen) = seen.unwrap_or_else(|error| (Verdict::NotKnown, error.message));
    Finding {
        property,
        verdict,
        seen,
    }
}

fn holds(seen: impl Into<String>) -> (Verdict, String) {
    (Verdict::Holds, seen.into())
}

fn fails(seen: impl Into<String>) -> (Verdict, String) {
    (Verdict::Fails, seen.into())
}

fn untried() -> (Verdict, String) {
    (
        Verdict::NotKnown,
        "this kind of store offers no way to try it".to_owned(),
    )
}
