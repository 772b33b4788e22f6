//! Reads listings page by page, several at the same time, and gives their pages out in order.
//!
//! ## Why
//!
//! - An archive has one order, and listings end in any. So every listing has a short channel of its own:
//!   the first ones are taken while later ones are already being read, and one that is ahead waits
//!   when its channel is full. What is held is bounded by [`IN_FLIGHT`] and [`AHEAD`], whatever a site has.
//! - A listing that has expired begins anew as long as none of its pages was given out. Afterwards the
//!   pages are in the archive already, and the archive has to begin anew: two moments are never mixed.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::choose::Line;
use crate::effect::{ErrorKind, WorldError};
use crate::world::actor::site::Site;
use crate::world::port::{Listed, Listing};

/// Listings in flight: an idle API server answers so many within a second for a hundred kinds.
const IN_FLIGHT: usize = 8;

/// Pages that a listing may be ahead of what is taken from it, besides the one in its hands.
const AHEAD: usize = 1;

/// How often a listing may expire before that is an error. A server remembers a state for five minutes,
/// so one restart is rare and three mean that reading is too slow to ever end.
pub(super) const RESTARTS_MAX: usize = 3;

/// What goes wrong with a listing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It expired after some of its pages had been given out.
    Expired(String),
    /// Nobody takes its pages any more; why is said elsewhere.
    Unwanted,
    /// The site says no.
    World(WorldError),
}

/// What comes out of a listing.
pub(super) enum Part {
    /// The next objects.
    Objects(Vec<Bytes>),
    /// That was all. Without it, the listing broke off.
    End,
}

/// The pages of one listing.
pub(super) type Pages = Receiver<Part>;

/// Where the pages of the lines' listings come out, in order, and the work that brings them there: it
/// has to be awaited at the same time.
pub(super) fn read_all<'a>(
    site: &'a Site<'_>,
    lines: &'a [Line],
) -> (Vec<Vec<Pages>>, impl Future<Output = Result<(), Trouble>> + 'a) {
    let mut readers: Vec<BoxFuture<'a, Result<(), Trouble>>> = Vec::new();
    let mut pages = Vec::with_capacity(lines.len());
    for line in lines {
        let mut of_line = Vec::with_capacity(line.listings.len());
        for listing in &line.listings {
            let (sender, receiver) = mpsc::channel(AHEAD);
            of_line.push(receiver);
            readers.push(Box::pin(read(site, listing, sender)));
        }
        pages.push(of_line);
    }
    let work = stream::iter(readers).buffer_unordered(IN_FLIGHT);
    (pages, work.try_collect::<()>())
}

/// All pages of a listing that is known to be short.
pub(super) async fn read_pages(site: &Site<'_>, listing: &Listing) -> Result<Vec<Bytes>, WorldError> {
    for _ in 0..=RESTARTS_MAX {
        let mut all = Vec::new();
        let mut walk = Walk::of(site, listing);
        loop {
            match walk.page().await? {
                Page::Objects(items) => all.extend(items),
                Page::End => return Ok(all),
                Page::Expired => break,
            }
        }
    }
    Err(expired(site, &listing.kind.resource()))
}

async fn read(site: &Site<'_>, listing: &Listing, sender: Sender<Part>) -> Result<(), Trouble> {
    for _ in 0..=RESTARTS_MAX {
        let mut walk = Walk::of(site, listing);
        let mut given = false;
        loop {
            match walk.page().await.map_err(Trouble::World)? {
                Page::Objects(items) => {
                    given |= !items.is_empty();
                    give(&sender, Part::Objects(items)).await?;
                }
                Page::End => return give(&sender, Part::End).await,
                Page::Expired if given => return Err(Trouble::Expired(listing.kind.resource())),
                Page::Expired => break,
            }
        }
    }
    Err(Trouble::World(expired(site, &listing.kind.resource())))
}

async fn give(sender: &Sender<Part>, part: Part) -> Result<(), Trouble> {
    sender.send(part).await.map_err(|_| Trouble::Unwanted)
}

/// One way through the pages of a listing.
struct Walk<'a> {
    site: &'a Site<'a>,
    listing: &'a Listing,
    /// The version that the first page showed.
    version: Option<String>,
    next: Next,
}

enum Next {
    First,
    From(String),
    Nothing,
}

enum Page {
    Objects(Vec<Bytes>),
    End,
    /// The state that the first page showed is gone.
    Expired,
}

impl<'a> Walk<'a> {
    fn of(site: &'a Site<'a>, listing: &'a Listing) -> Self {
        Self {
            site,
            listing,
            version: None,
            next: Next::First,
        }
    }

    async fn page(&mut self) -> Result<Page, WorldError> {
        let from = match &self.next {
            Next::First => None,
            Next::From(token) => Some(token.as_str()),
            Next::Nothing => return Ok(Page::End),
        };
        let (items, version, next) = match self.site.cluster.page(self.listing, from).await {
            Ok(Listed::Objects { items, version, next }) => (items, version, next),
            Ok(Listed::Expired) => return Ok(Page::Expired),
            // Its definition went away since it was discovered, and its objects with it.
            Err(error) if error.kind == ErrorKind::NotFound && from.is_none() => return Ok(Page::End),
            Err(error) => return Err(because(error, self.listing)),
        };
        if *self.version.get_or_insert_with(|| version.clone()) != version {
            return Ok(Page::Expired);
        }
        self.next = next.map_or(Next::Nothing, Next::From);
        Ok(Page::Objects(items))
    }
}

fn because(mut error: WorldError, listing: &Listing) -> WorldError {
    let place = listing.namespace.as_ref().map(|name| format!(" in {name}"));
    error.message = format!(
        "cannot list {}{}: {}",
        listing.kind.resource(),
        place.unwrap_or_default(),
        error.message
    );
    error
}

/// It expires again and again.
pub(super) fn expired(site: &Site<'_>, resource: &str) -> WorldError {
    let tries = RESTARTS_MAX + 1;
    let message = format!("list {resource}: the list expired while its pages were read, {tries} times");
    site.error(ErrorKind::Busy, message)
}
