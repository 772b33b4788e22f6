//! Owner references linked again: each to the uid that the owner has at the target, or left out, which
//! is said.
//!
//! ## Why
//!
//! - Never guessed: the garbage collector deletes an object whose owners are not there. So a uid is one
//!   that the server has just told.
//! - Owners are made in earlier waves. Of objects that own each other one comes first, and its
//!   reference is left out.
//! - A drill links only to owners inside its walls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::index::Index;
use crate::effect::{EQUAL, Fate, RestoreObjects, WorldError};
use crate::objects::{Handle, Names, ObjectId, names_owner, owners};
use crate::world::actor::marks::{is_going, text, uid};
use crate::world::actor::site::Site;

/// One owner reference of one object.
pub(super) struct Owner {
    id: ObjectId,
    /// Which objects of the restore it may mean: in the object's own namespace, or cluster-scoped.
    handles: [Handle; 2],
    /// The object is there and does not name this owner.
    lacking: bool,
    pub(super) link: Link,
}

/// Where the owner's uid comes from.
pub(super) enum Link {
    /// From the object of the restore at this position.
    Of(usize),
    /// It is known.
    Uid(String),
    /// It is not there: the reference is left out.
    Left,
}

impl Owner {
    /// The owners of a prepared object; `live` is what is there under its name.
    pub(super) fn all_of(object: &Value, live: Option<&Value>, names: &mut Names) -> Vec<Self> {
        let namespace = text(object, "/metadata/namespace");
        let one = |owner: &Value| {
            let id = ObjectId {
                api_version: text(owner, "/apiVersion").to_owned(),
                kind: text(owner, "/kind").to_owned(),
                namespace: Some(namespace.to_owned()).filter(|name| !name.is_empty()),
                name: text(owner, "/name").to_owned(),
            };
            let mut handle = |namespace: &str| Handle::of(names, id.group(), &id.kind, namespace, &id.name);
            Self {
                handles: [handle(namespace), handle("")],
                lacking: live.is_some_and(|live| !names_owner(live, owner)),
                id,
                link: Link::Left,
            }
        };
        owners(object).iter().map(one).collect()
    }
}

/// Finds every owner among the objects of the restore or at the target. Comes after their order.
pub(super) async fn link(
    index: &mut Index,
    site: &Site<'_>,
    effect: &RestoreObjects,
) -> Result<(), WorldError> {
    let mut all = std::mem::take(&mut index.owners);
    let own = positions(index, &all);
    let mut strangers: BTreeMap<ObjectId, Option<String>> = BTreeMap::new();
    for (&at, owners) in &mut all {
        for owner in owners.iter_mut() {
            let found = owner.handles.iter().find_map(|handle| own.get(handle)).copied();
            let left = match found {
                Some(owner_at) if comes_before(index, owner_at, at) => {
                    owner.link = Link::Of(owner_at);
                    index.owning.insert(owner_at);
                    continue;
                }
                Some(_) => "comes after it",
                None => match stranger(site, effect, &owner.id, &mut strangers).await? {
                    Some(uid) => {
                        owner.link = Link::Uid(uid);
                        continue;
                    }
                    None if effect.confined => "is not inside the drill",
                    None => "is neither there nor restored",
                },
            };
            let note = format!("owner {} {left}: the reference is left out", short(&owner.id));
            index.notes.entry(at).or_default().push(note);
        }
        if owners
            .iter()
            .any(|one| one.lacking && !matches!(one.link, Link::Left))
        {
            judge_again(index, at);
        }
    }
    index.owners = all;
    Ok(())
}

/// Owners live in the object's namespace or in none, so the name says enough.
fn short(id: &ObjectId) -> String {
    format!("{} {}", id.kind, id.name)
}

/// Objects of the restore that own others, by handle.
fn positions(index: &Index, all: &BTreeMap<usize, Vec<Owner>>) -> BTreeMap<Handle, usize> {
    let wanted: BTreeSet<Handle> = all.values().flatten().flat_map(|owner| owner.handles).collect();
    let restored = index
        .ordered()
        .filter_map(|at| Some((index.entries.get(at)?.handle, at)));
    restored.filter(|(handle, _)| wanted.contains(handle)).collect()
}

/// Whether the owner's uid will be known by the time when the object is made.
fn comes_before(index: &Index, owner: usize, at: usize) -> bool {
    let entries = (index.entries.get(owner), index.entries.get(at));
    let (Some(owner), Some(one)) = entries else {
        return false;
    };
    owner.live.is_some() || owner.wave < one.wave
}

/// The uid of an owner that is no part of the restore, looked for once.
async fn stranger(
    site: &Site<'_>,
    effect: &RestoreObjects,
    id: &ObjectId,
    known: &mut BTreeMap<ObjectId, Option<String>>,
) -> Result<Option<String>, WorldError> {
    let Some(kind) = site.find_kind(id).await? else {
        return Ok(None);
    };
    if effect.confined && !kind.namespaced {
        return Ok(None);
    }
    let id = ObjectId {
        namespace: id.namespace.clone().filter(|_| kind.namespaced),
        ..id.clone()
    };
    if kind.namespaced && id.namespace.is_none() {
        return Ok(None);
    }
    if let Some(uid) = known.get(&id) {
        return Ok(uid.clone());
    }
    let found = site.cluster.get(&kind, id.namespace.as_deref(), &id.name).await?;
    let found = found
        .filter(|object| !is_going(object))
        .map(|object| uid(&object).to_owned());
    known.insert(id, found.clone());
    Ok(found)
}

/// An object that was equal but for its owners.
fn judge_again(index: &mut Index, at: usize) {
    let (equal, kept, changed) = (
        index.names.number(EQUAL),
        index
            .names
            .number("differs at metadata.ownerReferences, and is left as it is"),
        index.names.number("differs at metadata.ownerReferences"),
    );
    let updates = index.updates;
    if let Some(entry) = index.entries.get_mut(at)
        && (entry.fate, entry.why) == (Fate::Keep, equal)
    {
        (entry.fate, entry.why) = if updates {
            (Fate::Update, changed)
        } else {
            (Fate::Keep, kept)
        };
    }
}
