//! Reads listings page by page, several at the same time, and gives their pages out in order.
//!
//! ## Why
//!
//! - An archive has one order, and listings end in any. So every listing has a short channel of its own:
//!   the first ones are taken while later ones are already being read, and one that is ahead waits
//!   when its channel is full. What is held is bounded by [`IN_FLIGHT`] and [`AHEAD`], whatever a site has.
//! - Objects may have a few hundred bytes or a few megabytes, and only the server knows which. So a page
//!   that turns out to be too large is asked for again with a smaller limit, the next ones are measured by
//!   the last one, and a listing with large pages is not ahead: one page, on its way or in its channel.
//! - A listing that has expired begins anew as long as none of its pages was given out. Afterwards the
//!   pages are in the archive already, and the archive has to begin anew: two moments are never mixed.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::choose::Line;
use crate::effect::{ErrorKind, WorldError};
use crate::world::actor::site::Site;
use crate::world::port::{Listed, Listing, PAGE_BYTES_MAX, smaller};

/// Listings in flight: an idle API server answers so many within a second for a hundred kinds.
const IN_FLIGHT: usize = 8;

/// Pages that a listing may be ahead of what is taken from it, besides the one in its hands.
const AHEAD: usize = 1;

/// What pages should have at most, once the size of the objects is known.
const PAGE_BYTES: usize = PAGE_BYTES_MAX / 2;

/// A page of so many bytes is a large one: of eight listings each, two of them are a few megabytes.
const LARGE: usize = 256 * 1024;

/// How much longer a page may be than the one before: large objects like company.
const LONGER: usize = 4;

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
            if walk.large {
                // Room in the channel first: the page before is then in nobody's hands but the taker's.
                drop(sender.reserve().await.map_err(|_| Trouble::Unwanted)?);
            }
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
    /// With the limit of the next page.
    asked: Listing,
    /// The last page was a large one.
    large: bool,
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
            asked: listing.clone(),
            large: false,
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
        let (items, version, next) = loop {
            match self.site.cluster.page(&self.asked, from).await {
                Ok(Listed::Objects { items, version, next }) => break (items, version, next),
                Ok(Listed::TooLarge) => self.asked.limit = smaller(self.asked.limit),
                Ok(Listed::Expired) => return Ok(Page::Expired),
                // Its definition went away since it was discovered, and its objects with it.
                Err(error) if error.kind == ErrorKind::NotFound && from.is_none() => return Ok(Page::End),
                Err(error) => return Err(because(error, self.listing)),
            }
        };
        self.measure(&items);
        if *self.version.get_or_insert_with(|| version.clone()) != version {
            return Ok(Page::Expired);
        }
        self.next = next.map_or(Next::Nothing, Next::From);
        Ok(Page::Objects(items))
    }

    /// So many objects as these fit into the next page.
    fn measure(&mut self, items: &[Bytes]) {
        let bytes: usize = items.iter().map(Bytes::len).sum();
        self.large = bytes > LARGE;
        let each = bytes.checked_div(items.len()).unwrap_or(0).max(1);
        let fit = (PAGE_BYTES / each).min(items.len() * LONGER);
        self.asked.limit = fit.clamp(1, self.listing.limit);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::builtin;
    use crate::world::port::PAGE;
    use crate::world::sim::Embedded;
    use serde_json::{Value, json};

    fn config_map(number: usize, bytes: usize) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("c-{number:04}"), "namespace": "shop"}, "data": {"k": "x".repeat(bytes)}})
    }

    /// Until controllers have made what they make in a new namespace.
    #[expect(clippy::disallowed_methods, reason = "a test lets simulated time pass")]
    async fn settled() {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }

    /// How many objects and bytes each page has, where each has so many bytes.
    async fn pages(sizes: &[usize]) -> Vec<(usize, usize)> {
        let embedded = Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_site("east");
        let all: Vec<Value> = (0..)
            .zip(sizes)
            .map(|(number, bytes)| config_map(number, *bytes))
            .collect();
        let cluster = embedded.cluster("east").expect("a site");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.seed([&namespace]).expect("seeded");
        cluster.seed(&all).expect("seeded");
        settled().await;
        let world = embedded.world();
        let site = world.site("east").expect("a site");
        let listing = Listing {
            kind: builtin("ConfigMap").expect("built in"),
            namespace: Some("shop".into()),
            labels: None,
            limit: PAGE,
        };
        let mut walk = Walk::of(&site, &listing);
        let mut pages = Vec::new();
        while let Page::Objects(items) = walk.page().await.expect("a page") {
            pages.push((items.len(), items.iter().map(Bytes::len).sum()));
        }
        pages
    }

    #[tokio::test(start_paused = true)]
    async fn small_objects_come_in_full_pages() {
        let counts: Vec<usize> = pages(&[2000; 1200]).await.iter().map(|page| page.0).collect();
        assert_eq!(counts, [500, 500, 201]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_page_of_large_objects_is_larger_than_memory_allows() {
        let mut sizes = vec![100; 600];
        sizes.extend([1_500_000; 40]);
        sizes.extend([100; 300]);
        sizes.push(9 * 1024 * 1024);
        sizes.extend([100; 2]);
        let pages = pages(&sizes).await;
        let root_certificate = 1;
        let count: usize = pages.iter().map(|page| page.0).sum();
        assert_eq!(count, sizes.len() + root_certificate);
        for (count, bytes) in &pages {
            assert!(
                *bytes <= PAGE_BYTES_MAX || *count == 1,
                "{count} objects of {bytes} bytes"
            );
        }
        assert!(pages.len() < 60, "{pages:?}");
    }
}
