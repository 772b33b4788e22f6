//! From an archive to objects as they would be made: selected, stripped, renamed, confined, ordered.
//!
//! ## Why
//!
//! - The archive is read once, to its end, and what is selected is held in memory: only the end shows
//!   that all of it is what was written, and nothing may be made before that. For the largest
//!   backups this wants another way, such as reading twice.
//! - The SHA-256 of the whole archive covers every object in it. Only where it differs is the archive
//!   read again, to say what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::archive::{Archived, Reader, Summary};
use crate::effect::{ErrorKind, RestoreObjects, Selection, WorldError};
use crate::objects::{
    Confined, Namespaces, ObjectId, Order, confine, left_out_of_restore, rename, restore_order, strip,
};
use crate::world::actor::backup::compare;
use crate::world::actor::bytes::reading;
use crate::world::actor::catalog::Found;
use crate::world::actor::marks::{text, unmark};
use crate::world::actor::site::Site;
use crate::world::port::Store;

/// What a restore has before it.
pub(super) struct Prepared {
    /// As they would be made.
    pub(super) objects: Vec<Value>,
    /// For each of them: what a drill changed.
    pub(super) notes: Vec<Vec<String>>,
    /// What is deliberately not made, as it would be named at the target, and why.
    pub(super) skipped: Vec<(ObjectId, String)>,
    /// Over `objects`.
    pub(super) order: Order,
}

/// Reads and checks a whole backup and prepares what is chosen of it.
///
/// # Errors
///
/// `Damaged`: it is not what was written.
pub(super) async fn prepare(
    site: &Site<'_>,
    store: &dyn Store,
    found: &Found,
    effect: &RestoreObjects,
) -> Result<Prepared, WorldError> {
    let selection = effect.selection.clone();
    let archive = found.keys.archive();
    let read = reading(store, &archive, move |body| {
        read_chosen(Reader::new(body), &selection)
    })
    .await?;
    let (chosen, summary) = read.map_err(|error| {
        let message = format!("{archive}: {error}");
        WorldError::new(ErrorKind::Damaged, store.address(), message).caused_by(&error)
    })?;
    if let Some(manifest) = found
        .manifest
        .as_ref()
        .filter(|one| one.archive != summary.archive)
    {
        compare(store, &found.keys, manifest).await?;
        let message = format!("{archive} changed while it was read");
        return Err(WorldError::new(ErrorKind::Damaged, store.address(), message));
    }
    refuse_nothing(store, found, effect, &chosen)?;
    let scopes = scopes(site, &chosen).await?;
    Ok(fit(chosen, &scopes, effect))
}

/// The selected objects of an archive that was read to its end.
fn read_chosen<R: std::io::Read>(
    mut reader: Reader<R>,
    selection: &Selection,
) -> Result<(Vec<Archived>, Summary), crate::archive::ArchiveError> {
    let mut chosen = Vec::new();
    for archived in reader.by_ref() {
        let archived = archived?;
        if is_chosen(&archived, selection) {
            chosen.push(archived);
        }
    }
    Ok((chosen, reader.summary().clone()))
}

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

fn is_chosen(archived: &Archived, selection: &Selection) -> bool {
    if selection.exclude.contains(&archived.resource) {
        return false;
    }
    match (archived.resource.as_str(), &archived.id.namespace) {
        ("namespaces", None) => selection.takes_namespace(&archived.id.name),
        // Which of them are needed shows when all objects are known.
        (DEFINITIONS, None) => true,
        (_, Some(namespace)) => {
            selection.takes_namespace(namespace)
                && selection.leaves_kind_out(&archived.resource).is_none()
                && selection.takes_labels(&archived.object)
        }
        (_, None) => false,
    }
}

/// A namespace of which the backup has nothing is a mistake, and not an empty restore.
fn refuse_nothing(
    store: &dyn Store,
    found: &Found,
    effect: &RestoreObjects,
    chosen: &[Archived],
) -> Result<(), WorldError> {
    for wanted in &effect.selection.namespaces {
        let of_it = |one: &Archived| match &one.id.namespace {
            Some(namespace) => namespace == wanted,
            None => one.resource == "namespaces" && one.id.name == *wanted,
        };
        if !chosen.iter().any(of_it) {
            let message = format!("backup {} holds nothing of namespace {wanted}", found.seen.name);
            return Err(WorldError::new(ErrorKind::NotFound, store.address(), message));
        }
    }
    Ok(())
}

/// API version and kind → whether the *target* keeps its objects in namespaces. An archive is no witness:
/// a cluster-scoped object with a namespace written into it must not pass for one of the drill's.
type Scopes = BTreeMap<(String, String), bool>;

async fn scopes(site: &Site<'_>, chosen: &[Archived]) -> Result<Scopes, WorldError> {
    let mut scopes = Scopes::new();
    for one in chosen {
        let key = (one.id.api_version.clone(), one.id.kind.clone());
        if scopes.contains_key(&key) {
            continue;
        }
        // A kind that is not served is refused later, whatever its scope.
        let served = site.find_kind(&one.id).await?;
        let namespaced = served.map_or(one.id.namespace.is_some(), |kind| kind.namespaced);
        scopes.insert(key, namespaced);
    }
    Ok(scopes)
}

fn fit(chosen: Vec<Archived>, scopes: &Scopes, effect: &RestoreObjects) -> Prepared {
    let places: Namespaces = effect.namespaces.iter().cloned().collect();
    let needed: BTreeSet<String> = chosen.iter().map(|one| one.resource.clone()).collect();
    let (mut objects, mut notes, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for archived in chosen {
        // A definition is named `<plural>.<group>`. A drill makes nothing cluster-scoped: there it is
        // not even skipped, it is not part of the selection.
        let idle = !needed.contains(&archived.id.name) || effect.confined;
        if archived.resource == DEFINITIONS && idle {
            continue;
        }
        let key = (archived.id.api_version, archived.id.kind);
        let namespaced = scopes.get(&key).copied().unwrap_or(false);
        match fit_one(archived.object, namespaced, &places, effect.confined) {
            Ok((object, said)) => {
                objects.push(object);
                notes.push(said);
            }
            Err((object, why)) => skipped.extend(ObjectId::of(&object).map(|id| (id, why))),
        }
    }
    skipped.sort();
    Prepared {
        order: restore_order(&objects),
        objects,
        notes,
        skipped,
    }
}

/// The object as it would be made with notes, or the reason why it is not.
fn fit_one(
    object: Value,
    namespaced: bool,
    places: &Namespaces,
    confined: bool,
) -> Result<(Value, Vec<String>), (Value, String)> {
    let left_out = left_out_of_restore(&object);
    let mut object = rename(strip(object), places);
    unmark(&mut object);
    if let Some(why) = left_out {
        return Err((object, why));
    }
    if !confined {
        return Ok((object, Vec::new()));
    }
    if text(&object, "/kind") == "Namespace" && text(&object, "/apiVersion") == "v1" {
        return Err((object, "the drill made its own".into()));
    }
    match confine(object.clone(), namespaced, places) {
        Confined::Keep { object, notes } => Ok((object, notes)),
        Confined::Skip(why) => Err((object, why)),
    }
}
