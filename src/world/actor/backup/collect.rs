//! Carries pages from a site through the sieve into a sink, one after the other, while the next ones are
//! being read.
//!
//! ## Why
//!
//! - Complete or nothing: a kind that could not be discovered or listed ends it. A backup that is
//!   silently without its Secrets is found out on the worst day.
//! - Each page is worked on by a thread that may block, and that never waits for anything: between two
//!   pages everything is in the hands of this task. So it can be dropped at any time, and the clock of
//!   a simulation goes on.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::choose::{Chosen, choose};
use super::pages::{Pages, Part, Trouble, read_all};
use super::sieve::{Of, Sieve, Sink};
use crate::effect::{ErrorKind, Selection, WorldError};
use crate::objects::builtin;
use crate::world::actor::site::Site;

/// What happens after each page: a store is given what was written, a person what was read.
pub(super) trait After<S>: Send {
    /// `false`: there is no use in going on; somebody else says why.
    fn page<'a>(&'a mut self, sink: &'a mut S, taken: usize) -> BoxFuture<'a, bool>;
}

/// Reads everything that is chosen.
pub(super) async fn collect<S: Sink>(
    site: &Site<'_>,
    chosen: &Chosen,
    sieve: Sieve,
    sink: S,
    after: &mut impl After<S>,
) -> Result<(Sieve, S), Trouble> {
    let (pages, work) = read_all(site, &chosen.lines);
    let taking = take_all(site, chosen, pages, (sieve, sink), after);
    let (read, taken) = tokio::join!(work, taking);
    match (read, taken) {
        (Err(trouble @ (Trouble::World(_) | Trouble::Expired(_))), _) => Err(trouble),
        (_, taken) => taken,
    }
}

type Hands<S> = (Sieve, S);

async fn take_all<S: Sink>(
    site: &Site<'_>,
    chosen: &Chosen,
    pages: Vec<Vec<Pages>>,
    mut hands: Hands<S>,
    after: &mut impl After<S>,
) -> Result<Hands<S>, Trouble> {
    if let Some(kind) = builtin("Namespace") {
        hands = take(site, hands, &Of::kind(kind), chosen.places.clone()).await?;
    }
    for (line, listings) in chosen.lines.iter().zip(pages) {
        let of = Of::line(line);
        hands.0.next_kind();
        for mut listing in listings {
            loop {
                match listing.recv().await {
                    Some(Part::Objects(items)) => hands = take(site, hands, &of, items).await?,
                    Some(Part::End) => break,
                    None => return Err(Trouble::Unwanted),
                }
                let taken = hands.0.taken;
                if !after.page(&mut hands.1, taken).await {
                    return Err(Trouble::Unwanted);
                }
            }
        }
    }
    Ok(hands)
}

async fn take<S: Sink>(
    site: &Site<'_>,
    hands: Hands<S>,
    of: &Arc<Of>,
    items: Vec<Bytes>,
) -> Result<Hands<S>, Trouble> {
    if items.is_empty() {
        return Ok(hands);
    }
    let of = of.clone();
    let (mut sieve, mut sink) = hands;
    let work = move || sieve.page(&of, items, &mut sink).map(|()| (sieve, sink));
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Trouble::World),
        Err(error) => Err(Trouble::World(site.error(ErrorKind::Internal, error.to_string()))),
    }
}

/// Shows a sink everything that a backup of this selection would hold.
pub(in crate::world::actor) async fn look<S: Sink>(
    site: &Site<'_>,
    selection: &Selection,
    sink: S,
) -> Result<S, WorldError> {
    let chosen = choose(site, selection).await?;
    let sieve = Sieve::new(site.name, selection, &chosen);
    let looked = collect(site, &chosen, sieve, sink, &mut ()).await;
    let (_, sink) = looked.map_err(|trouble| plainly(site, trouble))?;
    Ok(sink)
}

/// Nothing happens.
impl<S> After<S> for () {
    fn page<'a>(&'a mut self, _: &'a mut S, _: usize) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }
}

/// The error of a trouble for which nobody else has a better one.
pub(super) fn plainly(site: &Site<'_>, trouble: Trouble) -> WorldError {
    match trouble {
        Trouble::World(error) => error,
        Trouble::Expired(resource) => super::pages::expired(site, &resource),
        Trouble::Unwanted => site.error(ErrorKind::Internal, "the reading broke off"),
    }
}
