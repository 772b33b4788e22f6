//! All objects of a backup, or of a live site, ready to be compared.
//!
//! ## Why
//!
//! What controllers make again by themselves (pods, replica sets, endpoints) comes and goes, and is not
//! compared: it is counted under its reason, so that nobody takes it for equal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::archive::{Archived, Reader};
use crate::effect::{ClusterScoped, ErrorKind, Selection, WorldError};
use crate::objects::{ApiKind, ObjectId, Objects, canonical, glob, left_out_of_restore};
use crate::world::actor::backup::{Sink, compare, look};
use crate::world::actor::bytes::reading;
use crate::world::actor::catalog;
use crate::world::actor::marks::unmark;
use crate::world::actor::pace::{Work, all};
use crate::world::actor::site::Site;
use crate::world::port::Store;

/// Single objects asked for side by side.
const IN_FLIGHT: usize = 8;

/// Objects to compare.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// By their place.
    pub objects: Objects,
    /// What is not compared: reason → how many.
    pub not_compared: BTreeMap<String, u64>,
    /// What a live site is asked for, to compare it with this.
    pub wanted: Wanted,
    /// Only what is in these namespaces, names or patterns, and what is outside of all; empty: everything.
    pub within: Vec<String>,
}

impl Held {
    /// Nothing yet, of these namespaces.
    fn within(namespaces: &[String]) -> Self {
        Self {
            within: namespaces.to_vec(),
            ..Self::default()
        }
    }

    fn is_within(&self, namespace: &str) -> bool {
        self.within.is_empty() || self.within.iter().any(|one| glob(one, namespace))
    }
}

/// What a backup is about.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Its namespaces.
    pub namespaces: BTreeSet<String>,
    /// Kinds that it leaves out on purpose, as `plural.group`.
    pub without: BTreeSet<String>,
    /// Cluster-scoped objects that it holds, namespaces apart.
    pub of_the_cluster: BTreeMap<String, ObjectId>,
}

/// Adds one object, or counts why it is not compared.
fn put(held: &mut Held, place: String, object: Value) {
    if let Some(why) = left_out_of_restore(&object) {
        // One line for all of them, and not one for each owner.
        let why = if why.ends_with(" makes it again") {
            "its owner makes it again".to_owned()
        } else {
            why
        };
        *held.not_compared.entry(why).or_default() += 1;
        return;
    }
    let mut object = canonical(object);
    unmark(&mut object);
    held.objects.insert(place, object);
}

/// `deployments.apps/shop/web`, `namespaces/shop`.
fn place(resource: &str, id: &ObjectId) -> String {
    match &id.namespace {
        Some(namespace) => format!("{resource}/{namespace}/{}", id.name),
        None => format!("{resource}/{}", id.name),
    }
}

/// Everything of these namespaces, names or patterns, in a backup that was read to its end; none: of all.
pub(in crate::world::actor) async fn of_backup(
    store: &dyn Store,
    name: &str,
    within: &[String],
) -> Result<Held, WorldError> {
    let found = catalog::open(store, name).await?.ok_or_else(|| {
        WorldError::new(
            ErrorKind::NotFound,
            store.address(),
            format!("there is no backup {name}"),
        )
    })?;
    let archive = found.keys.archive();
    let mut held = Held::within(within);
    let read = reading(store, &archive, move |body| {
        let mut reader = Reader::new(body);
        for archived in reader.by_ref() {
            take(&mut held, archived?);
        }
        Ok::<_, crate::archive::ArchiveError>((held, reader.summary().archive.clone()))
    });
    let damaged = |message: String| WorldError::new(ErrorKind::Damaged, store.address(), message);
    let (mut held, sum) = read
        .await?
        .map_err(|error| damaged(format!("{archive}: {error}")).caused_by(&error))?;
    if let Some(manifest) = &found.manifest {
        if manifest.archive != sum {
            compare(store, &found.keys, manifest).await?;
            return Err(damaged(format!("{archive} changed while it was read")));
        }
        // A whole kind is named by its resource, one object by its kind and name.
        let kinds = manifest.left_out.iter().filter(|one| !one.what.contains(' '));
        held.wanted.without = kinds.map(|one| one.what.clone()).collect();
    }
    let asked = found.namespaces.into_iter().filter(|name| held.is_within(name));
    let asked: Vec<String> = asked.collect();
    held.wanted.namespaces.extend(asked);
    Ok(held)
}

fn take(held: &mut Held, archived: Archived) {
    let place = place(&archived.resource, &archived.id);
    let namespace = match &archived.id.namespace {
        None if archived.resource == "namespaces" => Some(&archived.id.name),
        namespace => namespace.as_ref(),
    };
    match namespace {
        Some(namespace) if !held.is_within(namespace) => return,
        Some(namespace) => {
            held.wanted.namespaces.insert(namespace.clone());
        }
        None => {
            held.wanted
                .of_the_cluster
                .insert(place.clone(), archived.id.clone());
        }
    }
    put(held, place, archived.object);
}

/// The same objects of a live site: everything in the namespaces, and of the cluster what the backup
/// holds.
pub(in crate::world::actor) async fn of_site(site: &Site<'_>, wanted: &Wanted) -> Result<Held, WorldError> {
    let served: BTreeSet<String> = site.kinds().await?.iter().map(ApiKind::resource).collect();
    let selection = Selection {
        namespaces: there(site, wanted).await?,
        exclude: wanted.without.intersection(&served).cloned().collect(),
        cluster: ClusterScoped::None,
        ..Selection::default()
    };
    let mut held = look(site, &selection, Held::default()).await?;
    let mut work: Vec<Work<'_, Option<Value>>> = Vec::new();
    for id in wanted.of_the_cluster.values() {
        work.push(Box::pin(site.get(id)));
    }
    let found = all(IN_FLIGHT, work).await?;
    for (place, object) in wanted.of_the_cluster.keys().zip(found) {
        if let Some(object) = object {
            put(&mut held, place.clone(), object);
        }
    }
    held.wanted = wanted.clone();
    Ok(held)
}

impl Sink for Held {
    fn take(&mut self, kind: &ApiKind, object: Value) -> Result<(), WorldError> {
        let inside = kind.namespaced || kind.resource() == "namespaces";
        if let Some(id) = ObjectId::of(&object).filter(|_| inside) {
            put(self, place(&kind.resource(), &id), object);
        }
        Ok(())
    }
}

/// Namespaces that exist: of one that is gone, everything is told as removed.
async fn there(site: &Site<'_>, wanted: &Wanted) -> Result<Vec<String>, WorldError> {
    let mut there = Vec::new();
    for name in &wanted.namespaces {
        if site.get(&ObjectId::namespace(name)).await?.is_some() {
            there.push(name.clone());
        }
    }
    Ok(there)
}
