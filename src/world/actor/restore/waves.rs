//! Makes the objects of a survey, wave after wave.
//!
//! ## Why
//!
//! - All objects of a wave are tried, and every failure is named; a wave with a failure is the last,
//!   because what follows needs it.
//! - The archive is read again only for a wave that is not in memory, and what follows that wave comes
//!   along as far as it fits: never more passes than waves, and mostly one or two.
//! - Whoever needs a definition or a namespace waits until it is established or active.

use std::collections::BTreeSet;

use futures::stream::{self as futures_stream, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::index::{Hold, Index};
use super::make::{Maker, Outcome};
use super::prepare::Fitter;
use super::stream::{Met, stream};
use super::survey::digest;
use crate::archive::Archived;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{Made, ObjectId};
use crate::world::actor::marks::counted;
use crate::world::actor::pace::{Look, Work, until};
use crate::world::actor::pods::named;
use crate::world::port::Store;

/// Changes in flight.
const IN_FLIGHT: usize = 48;

/// People who watch a large wave hear from it this often.
const SAID_EVERY: usize = 1000;

/// What the waves did.
#[derive(Default)]
pub(super) struct Done {
    /// The ledger: made by this restore, in this or an earlier attempt.
    pub(super) created: Vec<Made>,
    pub(super) updated: usize,
    pub(super) kept: usize,
    /// How many were deleted and made again: they are in both ledgers.
    pub(super) replaced: usize,
    pub(super) deleted: Vec<Made>,
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
}

/// What became of one object that was read.
enum Passed {
    Made(Box<Outcome>),
    /// For a later wave.
    Held(usize, Box<[u8]>),
}

impl Waves<'_> {
    pub(super) async fn run(&self, mut hold: Hold) -> Result<Done, WorldError> {
        let mut done = Done::default();
        let waves = &self.index.order.waves;
        let mut begun = 0;
        for (number, wave) in waves.iter().enumerate() {
            begun += wave.len();
            self.say(
                number,
                &format!(
                    "{}, {begun} of {} in all",
                    counted(wave.len(), "object"),
                    self.index.count()
                ),
            );
            self.count_untouched(wave, &mut done);
            let failed = self.make_wave(number, &mut hold, &mut done).await?;
            if !failed.is_empty() {
                return Err(self.failure(failed, self.index.count() - begun));
            }
            self.discover(wave).await?;
        }
        Ok(done)
    }

    fn say(&self, number: usize, what: &str) {
        let waves = self.index.order.waves.len();
        (self.maker.attempt.progress)(format!("wave {} of {waves}: {what}", number + 1));
    }

    /// What needs no request: it is as it should be, or an earlier attempt made it.
    fn count_untouched(&self, wave: &[usize], done: &mut Done) {
        for &at in wave.iter().filter(|at| !self.index.is_to_do(**at)) {
            match self.index.earlier(at) {
                Some(made) => done.created.push(made),
                None => done.kept += 1,
            }
        }
    }

    /// Makes what is to be made of one wave; gives back the failures.
    async fn make_wave(
        &self,
        number: usize,
        hold: &mut Hold,
        done: &mut Done,
    ) -> Result<Vec<Failed>, WorldError> {
        let wave = self.to_do(number);
        let wanted = if wave.iter().all(|at| hold.has(*at)) {
            Vec::new()
        } else {
            self.wanted(number, hold)
        };
        let at_hand: Vec<_> = wave
            .iter()
            .filter_map(|&at| Some(Ok((at, hold.take(at)?))))
            .collect();
        let at_hand = futures_stream::iter(at_hand);
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
            Ok(if self.is_in(number, at) {
                Passed::Made(Box::new(self.maker.make(at, object).await))
            } else {
                Passed::Held(at, object.to_string().into_bytes().into_boxed_slice())
            })
        })
    }

    fn is_in(&self, number: usize, at: usize) -> bool {
        self.index
            .entries
            .get(at)
            .is_some_and(|entry| entry.wave == number)
    }

    fn to_do(&self, number: usize) -> Vec<usize> {
        let wave = self.index.order.waves.get(number).into_iter().flatten().copied();
        wave.filter(|at| self.index.is_to_do(*at)).collect()
    }

    /// What a pass for this wave takes out of the archive: the wave, and those after it that fit into
    /// memory as a whole.
    fn wanted(&self, number: usize, hold: &Hold) -> Vec<usize> {
        let missing = |number: usize| -> Vec<usize> {
            let wave = self.to_do(number);
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

    /// An object that was read again, as it was when the archive was compared.
    fn prepare(&self, place: usize, archived: Archived) -> Result<(usize, Value), WorldError> {
        let at = self
            .index
            .entries
            .binary_search_by_key(&place, |entry| entry.place);
        let entry = at.ok().and_then(|at| Some((at, self.index.entries.get(at)?)));
        let Some((at, _)) = entry.filter(|(_, entry)| entry.sha256 == digest(&archived.sha256)) else {
            return Err(self.changed(&archived.path));
        };
        let namespaced = self.index.id(at).namespace.is_some();
        match self.fitter.fit(&archived.resource, archived.object, namespaced) {
            Ok((object, _)) => Ok((at, object)),
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
    ) -> Result<Vec<Failed>, WorldError> {
        let (mut failed, mut made) = (Vec::new(), 0);
        while let Some(one) = passed.try_next().await? {
            match one {
                Passed::Held(at, bytes) => hold.put(at, bytes),
                Passed::Made(outcome) => {
                    failed.extend(done.count(*outcome, self.maker.effect.confined));
                    made += 1;
                    if made % SAID_EVERY == 0 {
                        self.say(number, &format!("{made} objects done"));
                    }
                }
            }
        }
        failed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(failed)
    }

    /// Waits until the site names the kinds of the definitions of a wave.
    async fn discover(&self, wave: &[usize]) -> Result<(), WorldError> {
        let made = wave
            .iter()
            .filter(|at| self.index.is_to_do(**at) || self.index.earlier(**at).is_some());
        let expected: Vec<_> = made.filter_map(|at| self.index.brought.get(at)).collect();
        if expected.is_empty() {
            return Ok(());
        }
        until(self.maker.attempt, || {
            Box::pin(async {
                self.maker.site.forget_kinds().await;
                let kinds = self.maker.site.kinds().await?;
                let serves = |(group, kind): &(String, String)| {
                    kinds.iter().any(|one| one.group == *group && one.kind == *kind)
                };
                let missing = expected.iter().find(|one| !serves(one));
                Ok(missing.map_or(Look::Done(()), |(group, kind)| {
                    Look::Waiting(format!(
                        "{} does not serve {kind} of {group} yet",
                        self.maker.site.name
                    ))
                }))
            })
        })
        .await
    }

    /// One error that names every failure. Its kind is that of the first that will not pass by
    /// itself: repeating would meet it again.
    fn failure(&self, failed: Vec<Failed>, not_begun: usize) -> WorldError {
        let lines: Vec<String> = failed.iter().map(Failed::line).collect();
        let kind = failed
            .iter()
            .map(|one| one.error.kind)
            .find(|kind| !kind.passing())
            .or(failed.first().map(|one| one.error.kind))
            .unwrap_or(ErrorKind::Internal);
        let message = format!(
            "{} of {} could not be made, {not_begun} not begun: {}",
            lines.len(),
            counted(self.index.count(), "object"),
            named(&lines)
        );
        let mut error = self.maker.site.error(kind, message);
        error.retry_after_ms = failed.iter().filter_map(|one| one.error.retry_after_ms).max();
        let hints: BTreeSet<String> = failed.into_iter().flat_map(|one| one.error.hints).collect();
        error.hints = hints.into_iter().take(HINTS_MAX).collect();
        error.causes = lines;
        error
    }
}

/// What is alike for many objects helps once; more would hide it.
const HINTS_MAX: usize = 5;

fn arriving(met: Receiver<Met>) -> impl Stream<Item = Met> {
    futures_stream::unfold(met, |mut met| async move { Some((met.recv().await?, met)) })
}

/// One object that could not be made.
pub(super) struct Failed {
    pub(super) id: ObjectId,
    /// What was asked: `create`, `apply` …
    pub(super) request: &'static str,
    pub(super) error: WorldError,
}

impl Failed {
    pub(super) fn line(&self) -> String {
        format!("{} {}: {}", self.request, self.id, self.error.message)
    }
}

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
                self.deleted.push(both.0);
                self.created.push(both.1);
            }
            Outcome::Kept(told) => {
                self.kept += 1;
                self.warnings.extend(told.map(|(_, words)| words));
            }
            Outcome::Failed(failed) => return Some(*failed),
        }
        None
    }
}
