//! Reading all objects of a kind: pages of one and the same moment, or an error.
//!
//! ## Why
//!
//! A list is what a backup is made of, so "some of it" must not look like "all of it". The first page
//! decides the resource version; the server serves the following ones from the same state, or answers
//! 410 when it has forgotten it. Then everything read so far is thrown away and reading begins anew.
//! The 410 carries a token to go on with at a *newer* state: using it would mix two moments.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::{Call, Reply};
use super::path;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::ApiKind;
use crate::world::port::{Listed, Listing, PAGE, PAGE_BYTES_MAX, smaller};

/// How often a list may expire under its own pages before that is an error. A server remembers a state
/// for five minutes, so one restart is rare and three mean that reading is too slow to ever end.
const RESTARTS_MAX: u32 = 3;

/// A page as it is on the wire. The items stay text: who wants them as values says so.
#[derive(Deserialize)]
struct OnWire<'a> {
    #[serde(default)]
    metadata: PageMetadata,
    // `null` where a Go server has an empty list.
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// One page.
pub(super) async fn page(wire: &Wire, listing: &Listing, next: Option<&str>) -> Result<Listed, WorldError> {
    let call = call(listing, next);
    let most = (listing.limit > 1).then_some(PAGE_BYTES_MAX);
    let Some(reply) = wire.send_for(&call, most).await? else {
        return Ok(Listed::TooLarge);
    };
    if reply.status == StatusCode::GONE {
        return Ok(Listed::Expired);
    }
    if !reply.status.is_success() {
        return Err(wire.refused(&call, &reply));
    }
    let read: OnWire<'_> = wire.read(&call, &reply)?;
    Ok(Listed::Objects {
        items: slices(&reply, &read),
        next: read.metadata.next.filter(|token| !token.is_empty()),
        version: read.metadata.resource_version,
    })
}

/// The text of each item, which stays where it is: in the reply's buffer.
fn slices(reply: &Reply, read: &OnWire<'_>) -> Vec<Bytes> {
    let items = read.items.iter().flatten();
    items
        .map(|item| reply.body.slice_ref(item.get().as_bytes()))
        .collect()
}

/// All objects of a kind as of one moment.
pub(super) async fn all(
    wire: &Wire,
    kind: &ApiKind,
    namespace: Option<&str>,
) -> Result<Vec<Value>, WorldError> {
    let listing = Listing {
        kind: kind.clone(),
        namespace: namespace.map(str::to_owned),
        labels: None,
        limit: PAGE,
    };
    for _ in 0..=RESTARTS_MAX {
        if let Some(items) = try_all(wire, &listing).await? {
            return Ok(items);
        }
    }
    let tries = RESTARTS_MAX + 1;
    let message = format!(
        "list {}: the list expired while its pages were read, {tries} times",
        kind.resource()
    );
    Err(wire.error(ErrorKind::Busy, message))
}

/// `None`: the state that the first page showed is gone; nothing of what was read may be used.
async fn try_all(wire: &Wire, listing: &Listing) -> Result<Option<Vec<Value>>, WorldError> {
    let mut objects = Vec::new();
    let mut first: Option<String> = None;
    let mut from: Option<String> = None;
    let mut listing = listing.clone();
    loop {
        let (items, version, next) = match page(wire, &listing, from.as_deref()).await? {
            Listed::Objects { items, version, next } => (items, version, next),
            Listed::TooLarge => {
                listing.limit = smaller(listing.limit);
                continue;
            }
            Listed::Expired => return Ok(None),
        };
        if *first.get_or_insert_with(|| version.clone()) != version {
            return Ok(None);
        }
        for item in items {
            let object = Listing::object(&listing.kind, &item).map_err(|error| {
                let message = format!("list {}: an item is not JSON", listing.kind.resource());
                wire.error(ErrorKind::Damaged, message).caused_by(&error)
            })?;
            objects.push(object);
        }
        from = next;
        if from.is_none() {
            return Ok(Some(objects));
        }
    }
}

fn call(listing: &Listing, next: Option<&str>) -> Call {
    let namespace = listing.namespace.as_deref();
    let labels = listing.labels.as_ref().map(ToString::to_string);
    let labels = labels.map(|labels| format!("&labelSelector={}", path::segment(&labels)));
    let next = next.map(|token| format!("&continue={}", path::segment(token)));
    let url = format!(
        "{}?limit={}{}{}",
        path::collection(&listing.kind, namespace),
        listing.limit,
        labels.unwrap_or_default(),
        next.unwrap_or_default()
    );
    Call::new(Method::GET, "list", &listing.kind.resource(), namespace, url)
}
