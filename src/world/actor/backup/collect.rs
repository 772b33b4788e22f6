//! Reads from a site what a backup holds.
//!
//! ## Why
//!
//! - Complete or nothing: a kind that could not be discovered or listed ends the backup. One that is
//!   silently without its Secrets is found out on the worst day.
//! - Everything is held in memory until it is written, because the definitions of custom kinds come
//!   first in the archive and are chosen by what was found last.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::archive::LeftOut;
use crate::effect::{ErrorKind, Selection, WorldError};
use crate::objects::{ApiKind, ObjectId, builtin, kind_left_out, left_out_of_backup};
use crate::world::actor::marks::text;
use crate::world::actor::pace::{Work, all};
use crate::world::actor::site::Site;

/// Listings in flight: an idle API server answers so many within a second for a hundred kinds.
const IN_FLIGHT: usize = 8;

/// What was read, in the order of an archive.
pub(in crate::world::actor) struct Collected {
    /// Sorted by `plural.group`; objects by namespace and name.
    pub(in crate::world::actor) kinds: Vec<(ApiKind, Vec<Value>)>,
    /// What was there and is not in it.
    pub(in crate::world::actor) left_out: Vec<LeftOut>,
}

impl Collected {
    pub(in crate::world::actor) fn count(&self) -> usize {
        self.kinds.iter().map(|(_, objects)| objects.len()).sum()
    }
}

/// Reads all that is chosen.
pub(in crate::world::actor) async fn collect(
    site: &Site<'_>,
    selection: &Selection,
) -> Result<Collected, WorldError> {
    let served = site.kinds().await?;
    let mut left_out = BTreeSet::new();
    let mut kinds: BTreeMap<String, ApiKind> = BTreeMap::new();
    for kind in served.iter().filter(|kind| kind.namespaced) {
        match why_not(kind, selection) {
            Some(why) => {
                left_out.insert(rule(kind.resource(), why));
            }
            None => {
                kinds.insert(kind.resource(), kind.clone());
            }
        }
    }
    let mut found = namespaces(site, selection).await?;
    found.extend(list_all(site, kinds.into_values().collect(), selection).await?);
    for (_, objects) in &mut found {
        objects.retain(|object| keep(object, &mut left_out));
    }
    found.retain(|(_, objects)| !objects.is_empty());
    found.extend(definitions(site, &found).await?);
    found.sort_by_key(|(kind, _)| kind.resource());
    Ok(Collected {
        kinds: found,
        left_out: left_out.into_iter().collect(),
    })
}

fn why_not(kind: &ApiKind, selection: &Selection) -> Option<&'static str> {
    let resource = kind.resource();
    let excluded = selection.exclude.contains(&resource);
    kind_left_out(&resource).or(excluded.then_some("the step leaves this kind out"))
}

fn rule(what: String, why: &str) -> LeftOut {
    LeftOut {
        what,
        why: why.to_owned(),
    }
}

fn keep(object: &Value, left_out: &mut BTreeSet<LeftOut>) -> bool {
    let why = left_out_of_backup(object);
    if let (Some(why), Some(id)) = (why, ObjectId::of(object)) {
        left_out.insert(rule(id.to_string(), why));
    }
    why.is_none()
}

/// The namespaces themselves: one that is missing is a mistake, and not an empty backup.
async fn namespaces(
    site: &Site<'_>,
    selection: &Selection,
) -> Result<Vec<(ApiKind, Vec<Value>)>, WorldError> {
    let mut objects = Vec::new();
    for name in &selection.namespaces {
        let found = site.get(&ObjectId::namespace(name)).await?;
        let missing = || {
            site.error(ErrorKind::NotFound, format!("there is no namespace {name}"))
                .hint("correct the step's `namespaces`")
        };
        objects.push(found.ok_or_else(missing)?);
    }
    objects.sort_by_key(|object| text(object, "/metadata/name").to_owned());
    objects.dedup_by_key(|object| text(object, "/metadata/name").to_owned());
    Ok(builtin("Namespace")
        .map(|kind| (kind, objects))
        .into_iter()
        .collect())
}

async fn list_all(
    site: &Site<'_>,
    kinds: Vec<ApiKind>,
    selection: &Selection,
) -> Result<Vec<(ApiKind, Vec<Value>)>, WorldError> {
    let places: BTreeSet<&String> = selection.namespaces.iter().collect();
    let mut work: Vec<Work<'_, Vec<Value>>> = Vec::new();
    for kind in &kinds {
        for place in &places {
            work.push(Box::pin(list_sorted(site, kind, place)));
        }
    }
    let mut lists = all(IN_FLIGHT, work).await?.into_iter();
    let per_kind = |kind| (kind, lists.by_ref().take(places.len()).flatten().collect());
    Ok(kinds.iter().cloned().map(per_kind).collect())
}

async fn list_sorted(site: &Site<'_>, kind: &ApiKind, place: &str) -> Result<Vec<Value>, WorldError> {
    let mut objects = match site.cluster.list(kind, Some(place)).await {
        // Its definition went away since it was discovered, and its objects with it.
        Err(error) if error.kind == ErrorKind::NotFound => Vec::new(),
        objects => objects.map_err(|error| because(error, kind, place))?,
    };
    objects.sort_by(|a, b| text(a, "/metadata/name").cmp(text(b, "/metadata/name")));
    Ok(objects)
}

fn because(mut error: WorldError, kind: &ApiKind, place: &str) -> WorldError {
    error.message = format!("cannot list {} in {place}: {}", kind.resource(), error.message);
    error
}

/// The definitions of the custom kinds that were found.
async fn definitions(
    site: &Site<'_>,
    found: &[(ApiKind, Vec<Value>)],
) -> Result<Option<(ApiKind, Vec<Value>)>, WorldError> {
    let Some(kind) = builtin("CustomResourceDefinition") else {
        return Ok(None);
    };
    let custom: BTreeSet<String> = found
        .iter()
        .filter(|(kind, _)| builtin(&kind.kind).as_ref() != Some(kind))
        .map(|(kind, _)| kind.resource())
        .collect();
    if custom.is_empty() {
        return Ok(None);
    }
    let mut definitions = site.cluster.list(&kind, None).await?;
    // A definition is named `<plural>.<group>`; the server sees to that.
    definitions.retain(|one| custom.contains(text(one, "/metadata/name")));
    definitions.sort_by(|a, b| text(a, "/metadata/name").cmp(text(b, "/metadata/name")));
    Ok((!definitions.is_empty()).then_some((kind, definitions)))
}
