//! Listings page by page, as an API server gives them.
//!
//! The server remembers no old states: a listing whose objects have changed since its first page has
//! expired. A real one does the same after some minutes.

use bytes::Bytes;

use super::state::{Key, State, hex_start};
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{Listed, Listing, PAGE_BYTES_MAX};

/// One page; its version and the name of the next one are made from everything that is listed.
pub(super) fn page(
    state: &mut State,
    resource: &str,
    listing: &Listing,
    next: Option<&str>,
) -> Result<Listed, WorldError> {
    let mut keys = state.of(resource, listing.namespace.as_deref());
    if let Some(labels) = &listing.labels {
        keys.retain(|key| state.get(key).is_some_and(|object| labels.matches(object)));
    }
    // As etcd sorts them: `shop-eu/a` comes before `shop/a`.
    keys.sort_by_key(|key| format!("{}/{}", key.namespace, key.name));
    let version = version(state, &keys);
    let from: usize = match next.map(|next| next.split_once('/')) {
        None => 0,
        Some(Some((of, from))) if of == version => from.parse().unwrap_or(0),
        Some(Some(_)) => return Ok(Listed::Expired),
        Some(None) => {
            let message = "the continue token is not one of this server".to_owned();
            return Err(state.refuse(ErrorKind::Rejected, message));
        }
    };
    let to = from.saturating_add(listing.limit.max(1));
    let shown = keys.iter().skip(from).take(to - from);
    let items = shown.filter_map(|key| state.show(key));
    let items: Vec<Bytes> = items.map(|object| Bytes::from(object.to_string())).collect();
    if listing.limit > 1 && items.iter().map(Bytes::len).sum::<usize>() > PAGE_BYTES_MAX {
        return Ok(Listed::TooLarge);
    }
    Ok(Listed::Objects {
        items,
        next: (to < keys.len()).then(|| format!("{version}/{to}")),
        version,
    })
}

fn version(state: &State, keys: &[Key]) -> String {
    let one = |key: &Key| {
        let version = state
            .get(key)
            .map(|object| &object["metadata"]["resourceVersion"]);
        format!("{}/{}@{version:?}", key.namespace, key.name)
    };
    let all: Vec<String> = keys.iter().map(one).collect();
    hex_start(all.join(" "))
}
