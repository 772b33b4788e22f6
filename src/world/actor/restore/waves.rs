//! Makes the objects of a survey, wave after wave.
//!
//! ## Why
//!
//! - All objects of a wave are tried, and so is every later one that does not need an object that failed.
//!   What could not be made and what is not begun for want of it is told at the end, by name (`losses`).
//! - Nothing is pruned after a failure: what is there may be what stands in for what could not be made.
//! - The archive is read again only for a wave that is not in memory, and what follows that wave comes
//!   along as far as it fits: never more passes than waves, and mostly one or two.
//! - Whoever needs a definition or a namespace waits until it is established or active.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self as futures_stream, BoxStream, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::index::{Hold, Index};
use super::losses::{Failed, Losses, is_of_site};
use super::make::{Maker, Outcome, SETTLE_LIMIT_MS};
use super::prepare::Fitter;
use super::stream::{arriving, stream};
use crate::archive::Archived;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::Roster;
use crate::text::Millis;
use crate::world::actor::marks::counted;
use crate::world::actor::pace::{Look, Work, until_limit};
use crate::world::port::Store;

/// Changes in flight.
const IN_FLIGHT: usize = 48;

/// People who watch a large wave hear from it this often.
const SAID_EVERY: usize = 1000;

/// What the waves did.
#[derive(Default)]
pub(super) struct Done {
    /// The ledger: made by this restore, in this or an earlier attempt.
    pub(super) created: Roster,
    pub(super) updated: usize,
    pub(super) kept: usize,
    /// How many were deleted and made again: they are in both ledgers.
    pub(super) replaced: usize,
    pub(super) deleted: Roster,
    /// How many objects a request was sent for, with success.
    sent: usize,
    /// What people should know of single objects.
    pub(super) warnings: Vec<String>,
}

/// One restore at one site.
pub(super) struct Waves<'a> {
    pub(super) maker: Maker<'a>,
    pub(super) index: &'a Index,
    pub(super) fitter: Fitter,
    pub(super) store: &'a dyn Store,
    pub(super) archive: String,
    /// The whole site failed: nothing more is begun.
    pub(super) site_failed: AtomicBool,
}

/// What became of one object that was read.
enum Passed {
    Made(usize, Box<Outcome>),
    /// For a later wave.
    Held(usize, Box<[u8]>),
    /// The site failed before its turn came.
    Left,
}

impl Waves<'_> {
    /// Makes everything that can be made.
    ///
    /// # Errors
    ///
    /// All that could not be made, in one; or what concerns the restore as a whole.
    pub(super) async fn run(&self, mut hold: Hold) -> Result<Done, WorldError> {
        let (mut done, mut losses) = (Done::default(), Losses::default());
        let waves = &self.index.order.waves;
        let mut begun = 0;
        for (number, wave) in waves.iter().enumerate() {
            begun += wave.len();
            let what = counted(wave.len(), "object");
            let in_all = self.index.count();
            self.say(
                number,
                &format!("{what}, {begun} of {in_all} in all{}", losses.said()),
            );
            self.count_untouched(wave, &mut done);
            let failed = self.make_wave(number, &mut hold, &losses, &mut done).await?;
            losses.add(failed, self.index, &mut hold);
            if self.site_failed.load(Ordering::Relaxed) {
                losses.leave(self.due() - done.sent);
                break;
            }
            let unserved = self.discover(wave, &losses).await?;
            losses.add(unserved, self.index, &mut hold);
        }
        if losses.is_empty() {
            return Ok(done);
        }
        Err(losses.error(self.index, self.maker.site, self.maker.attempt))
    }

    /// How many objects need a request.
    fn due(&self) -> usize {
        self.index.ordered().filter(|at| self.index.is_to_do(*at)).count()
    }

    fn say(&self, number: usize, what: &str) {
        let waves = self.index.order.waves.len();
        (self.maker.attempt.progress)(format!("wave {} of {waves}: {what}", number + 1));
    }

    /// What needs no request: it is as it should be, or an earlier attempt made it.
    fn count_untouched(&self, wave: &[usize], done: &mut Done) {
        for &at in wave.iter().filter(|at| !self.index.is_to_do(**at)) {
            match self.index.earlier(at) {
                Some(made) => done.created.push(&made),
                None => done.kept += 1,
            }
        }
    }

    /// Makes what is to be made of one wave; gives back the failures.
    async fn make_wave(
        &self,
        number: usize,
        hold: &mut Hold,
        losses: &Losses,
        done: &mut Done,
    ) -> Result<Vec<(usize, Failed)>, WorldError> {
        let wave = self.to_do(number, losses);
        let wanted = if wave.iter().all(|at| hold.has(*at)) {
            Vec::new()
        } else {
            self.wanted(number, hold, losses)
        };
        let at_hand: Vec<_> = wave.iter().filter_map(|&at| Some((at, hold.take(at)?))).collect();
        // One is read when its turn comes: all of a wave as values would be most of the memory.
        let at_hand = futures_stream::iter(at_hand).map(|(at, object)| self.held(at, &object));
        if wanted.is_empty() {
            let work = at_hand.map(|object| self.pass(number, object));
            let passed = work.buffer_unordered(IN_FLIGHT).boxed();
            return self.collect(number, passed, hold, done).await;
        }
        let places: BTreeSet<usize> = wanted
            .iter()
            .filter_map(|at| Some(self.index.entries.get(*at)?.place))
            .collect();
        let chosen = move |place: usize, _: &Archived| places.contains(&place);
        let (summary, failed) = stream(self.store, &self.archive, chosen, |met| {
            let read = arriving(met).map(|(place, archived)| self.prepare(place, archived));
            let work = at_hand.chain(read).map(|object| self.pass(number, object));
            let passed = work.buffer_unordered(IN_FLIGHT).boxed();
            self.collect(number, passed, hold, done)
        })
        .await?;
        // Objects that are not there any more did not come by.
        if summary.archive != self.index.archive {
            return Err(self.changed("the archive"));
        }
        Ok(failed)
    }

    /// Makes an object of this wave; keeps one of a later wave.
    fn pass(&self, number: usize, object: Result<(usize, Value), WorldError>) -> Work<'_, Passed> {
        Box::pin(async move {
            let (at, object) = object?;
            if !self.is_in(number, at) {
                return Ok(Passed::Held(
                    at,
                    object.to_string().into_bytes().into_boxed_slice(),
                ));
            }
            if self.site_failed.load(Ordering::Relaxed) {
                return Ok(Passed::Left);
            }
            let outcome = self.maker.make(at, object).await;
            if matches!(&outcome, Outcome::Failed(failed) if is_of_site(failed.error.kind)) {
                self.site_failed.store(true, Ordering::Relaxed);
            }
            Ok(Passed::Made(at, Box::new(outcome)))
        })
    }

    fn is_in(&self, number: usize, at: usize) -> bool {
        self.index
            .entries
            .get(at)
            .is_some_and(|entry| entry.wave == number)
    }

    fn to_do(&self, number: usize, losses: &Losses) -> Vec<usize> {
        let wave = self.index.order.waves.get(number).into_iter().flatten().copied();
        wave.filter(|at| self.index.is_to_do(*at) && !losses.has(*at))
            .collect()
    }

    /// What a pass for this wave takes out of the archive: the wave, and those after it that fit into
    /// memory as a whole.
    fn wanted(&self, number: usize, hold: &Hold, losses: &Losses) -> Vec<usize> {
        let missing = |number: usize| -> Vec<usize> {
            let wave = self.to_do(number, losses);
            wave.into_iter().filter(|at| !hold.has(*at)).collect()
        };
        let size = |at: &usize| self.index.entries.get(*at).map_or(0, |entry| entry.size);
        let mut wanted = missing(number);
        let mut room = hold.room();
        for later in number + 1..self.index.order.waves.len() {
            let wave = missing(later);
            let bytes: usize = wave.iter().map(size).sum();
            if bytes > room {
                break;
            }
            room -= bytes;
            wanted.extend(wave);
        }
        wanted
    }

    /// An object that was kept in memory.
    fn held(&self, at: usize, object: &[u8]) -> Result<(usize, Value), WorldError> {
        let object = serde_json::from_slice(object).map_err(|error| {
            let message = format!("{} was kept and is not JSON any more", self.index.id(at));
            self.maker
                .site
                .error(ErrorKind::Internal, message)
                .caused_by(&error)
        })?;
        Ok((at, object))
    }

    /// An object that was read again, as it was when the archive was compared.
    fn prepare(&self, place: usize, archived: Archived) -> Result<(usize, Value), WorldError> {
        let at = self
            .index
            .entries
            .binary_search_by_key(&place, |entry| entry.place);
        let entry = at.ok().and_then(|at| Some((at, self.index.entries.get(at)?)));
        let Some((at, _)) = entry.filter(|(_, entry)| entry.sha256 == archived.sha256) else {
            return Err(self.changed(&archived.path));
        };
        let namespaced = self.index.id(at).namespace.is_some();
        match self.fitter.fit(&archived.resource, archived.object, namespaced) {
            Ok(fit) => Ok((at, fit.object)),
            Err(_) => Err(self.changed(&archived.path)),
        }
    }

    fn changed(&self, path: &str) -> WorldError {
        let message = format!("{}: {path} changed after it had been compared", self.archive);
        WorldError::new(ErrorKind::Damaged, self.store.address(), message)
    }

    async fn collect(
        &self,
        number: usize,
        mut passed: BoxStream<'_, Result<Passed, WorldError>>,
        hold: &mut Hold,
        done: &mut Done,
    ) -> Result<Vec<(usize, Failed)>, WorldError> {
        let (mut failed, mut made) = (Vec::new(), 0);
        while let Some(one) = passed.try_next().await? {
            match one {
                Passed::Left => {}
                Passed::Held(at, bytes) => hold.put(at, bytes),
                Passed::Made(at, outcome) => {
                    let lost = done.count(*outcome, self.maker.effect.confined);
                    failed.extend(lost.map(|lost| (at, lost)));
                    made += 1;
                    if made % SAID_EVERY == 0 {
                        self.say(number, &format!("{made} objects done"));
                    }
                }
            }
        }
        Ok(failed)
    }

    /// Waits until the site names the kinds of the definitions of a wave; gives back the definitions
    /// whose kinds it does not name in time.
    async fn discover(&self, wave: &[usize], losses: &Losses) -> Result<Vec<(usize, Failed)>, WorldError> {
        let made = wave
            .iter()
            .filter(|at| self.index.is_to_do(**at) || self.index.earlier(**at).is_some())
            .filter(|at| !losses.has(**at));
        let expected: Vec<_> = made
            .filter_map(|at| Some((*at, self.index.brought.get(at)?)))
            .collect();
        if expected.is_empty() {
            return Ok(Vec::new());
        }
        let late = until_limit(self.maker.attempt, SETTLE_LIMIT_MS, || {
            Box::pin(async {
                Ok(match self.unserved(&expected).await?.first() {
                    None => Look::Done(()),
                    Some((_, (group, kind))) => Look::Waiting(format!(
                        "{} does not serve {kind} of {group} yet",
                        self.maker.site.name
                    )),
                })
            })
        });
        if late.await?.is_ok() {
            return Ok(Vec::new());
        }
        let unserved = self.unserved(&expected).await?;
        let failed = unserved.into_iter().map(|(at, (group, kind))| {
            let limit = Millis(SETTLE_LIMIT_MS);
            let message = format!("{kind} of {group} is still not served after {limit}");
            let error = self.maker.site.error(ErrorKind::NotYet, message);
            let (id, request) = (self.index.id(at), "wait for");
            (at, Failed { id, request, error })
        });
        Ok(failed.collect())
    }

    /// Of these definitions, by position, with group and kind: those whose kind the site does not name.
    async fn unserved<'b>(
        &self,
        expected: &[(usize, &'b Brought)],
    ) -> Result<Vec<(usize, &'b Brought)>, WorldError> {
        self.maker.site.forget_kinds().await;
        let kinds = self.maker.site.kinds().await?;
        let serves =
            |(group, kind): &Brought| kinds.iter().any(|one| one.group == *group && one.kind == *kind);
        let missing = expected.iter().filter(|(_, brought)| !serves(brought));
        Ok(missing.copied().collect())
    }
}

/// Group and kind of custom resources.
type Brought = (String, String);

impl Done {
    /// Counts one outcome; gives back a failure. In a drill everything that is applied is in namespaces
    /// that the drill made, so all of it belongs into the ledger.
    fn count(&mut self, outcome: Outcome, confined: bool) -> Option<Failed> {
        match outcome {
            Outcome::Created(made) => self.created.extend(made),
            Outcome::Updated(made) => {
                self.updated += 1;
                self.created.extend(made.filter(|_| confined));
            }
            Outcome::Replaced(both) => {
                self.replaced += 1;
                self.deleted.push(&both.0);
                self.created.push(&both.1);
            }
            Outcome::Kept(told) => {
                self.kept += 1;
                self.warnings.extend(told.map(|(_, words)| words));
            }
            Outcome::Failed(failed) => return Some(*failed),
        }
        self.sent += 1;
        None
    }
}
