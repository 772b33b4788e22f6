//! The world of a site inventory: real clusters and stores, embedded ones, or some of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::CommandError;
use crate::effect::{Actor, Observer, Rehearser};
use crate::run::{Fleet, Shelf};
use crate::runbook::{
    DnsEndpoint, Endpoint, KubernetesSite, Pins, ReceiverEndpoint, Sites, Store as StoreEntry,
};
use crate::world::directory::DirectoryStore;
use crate::world::fence::{FencedWorld, Fences};
use crate::world::library::Library;
use crate::world::notify::Hook;
use crate::world::port::{Cluster, Store};
use crate::world::sim::Embedded;
use crate::world::{Keeper, StoreShelf, Understudy, World, connect, manifests, pinned};

/// A world, and which part of it is only in this process.
#[derive(Clone)]
pub(super) struct Connected {
    /// Looks and acts.
    pub(super) actor: Arc<dyn Actor>,
    /// Asks sites whether they would take a change, and can change nothing.
    pub(super) rehearser: Arc<dyn Rehearser>,
    /// The fences of real sites.
    pub(super) fences: Fences,
    /// Names of embedded sites.
    pub(super) embedded: Vec<String>,
    /// Where journals are kept besides this machine.
    pub(super) fleet: Option<Fleet>,
    /// The stores that are mirrors, as they lie there: without what seals them.
    pub(super) mirrors: Vec<(String, Arc<dyn Store>)>,
}

/// Connects to everything that the inventory names. What cannot be reached says so when it is asked.
pub(super) async fn connect(sites: &Sites) -> Result<Connected, CommandError> {
    let (mut world, embedded) = reach(sites).await?;
    let fences = fence(sites, &mut world);
    // As a list: what a closure gives could not be sent to another thread.
    let named: Vec<&String> = sites.journal.iter().flat_map(|places| &places.mirrors).collect();
    Ok(Connected {
        fleet: mirrors(sites, &world.stores),
        mirrors: bare(sites, named).await,
        rehearser: Arc::new(Understudy::of(world.clone())),
        actor: Arc::new(FencedWorld {
            world,
            fences: fences.clone(),
        }),
        fences,
        embedded,
    })
}

/// Sends every request to a real site through its fence. They are open until a run holds an epoch.
fn fence(sites: &Sites, world: &mut World) -> Fences {
    let mut fences = Fences::default();
    for (name, site) in &sites.sites {
        if let KubernetesSite::Context { .. } = &site.kubernetes
            && let Some(cluster) = world.clusters.get_mut(name)
        {
            *cluster = fences.around(name, cluster.clone());
        }
    }
    fences
}

/// All stores, and of the sites at most one: to look at backups, no other cluster has to be asked, nor
/// its login program run.
pub(super) async fn library(sites: &Sites, site: Option<&str>) -> Result<Library, CommandError> {
    let mut only = sites.clone();
    only.sites.retain(|name, _| Some(name.as_str()) == site);
    only.dns.clear();
    let (world, _) = reach(&only).await?;
    Ok(Library::of(world))
}

/// All stores to look at, and no site.
pub(super) async fn shelves(sites: &Sites) -> Result<Arc<dyn Observer>, CommandError> {
    let mut only = sites.clone();
    only.sites.clear();
    only.dns.clear();
    let (world, _) = reach(&only).await?;
    Ok(Arc::new(world))
}

/// All stores, in hands that may prove and delete backups; no site.
pub(super) async fn keeper(sites: &Sites) -> Result<Keeper, CommandError> {
    let mut only = sites.clone();
    only.sites.clear();
    only.dns.clear();
    let (world, _) = reach(&only).await?;
    Ok(Keeper::of(world))
}

/// The mirrors of journals, and nothing else of the inventory.
pub(super) async fn fleet(sites: &Sites) -> Option<Fleet> {
    let named = &sites.journal.as_ref()?.mirrors;
    let mut only = sites.clone();
    only.stores.retain(|name, _| named.contains(name));
    mirrors(sites, &stores(&only).await)
}

fn mirrors(sites: &Sites, stores: &BTreeMap<String, Arc<dyn Store>>) -> Option<Fleet> {
    let places = sites.journal.as_ref()?;
    let shelf = |name: &String| -> Option<Arc<dyn Shelf>> {
        Some(Arc::new(StoreShelf::new(name, stores.get(name)?.clone())))
    };
    Some(Fleet {
        shelves: places.mirrors.iter().filter_map(shelf).collect(),
        release: places.release,
    })
}

async fn reach(sites: &Sites) -> Result<(World, Vec<String>), CommandError> {
    let inside = Embedded::of(sites, super::now());
    seed(&inside, sites)?;
    let mut world = inside.world();
    world.now = Arc::new(super::now);
    let mut embedded = Vec::new();
    for (name, site) in &sites.sites {
        match &site.kubernetes {
            KubernetesSite::Embedded { .. } => embedded.push(name.clone()),
            KubernetesSite::Context { kubeconfig, context } => {
                let cluster = connect::cluster_or_reason(name, kubeconfig.as_deref(), context).await;
                let cluster = pinned::site(name, cluster, &sites.pins);
                world.clusters.insert(name.clone(), cluster);
            }
        }
    }
    world.stores = stores(sites).await;
    for (name, server) in &sites.dns {
        if let DnsEndpoint::Rfc2136(at) = &server.endpoint {
            let names = connect::names_or_reason(name, at, &server.zones);
            world.names.insert(name.clone(), names);
        }
    }
    world.web = Arc::new(inside.web().with(connect::web_or_reason()));
    for (name, receiver) in &sites.notify {
        if let Some(hook) = Hook::of(name, receiver, world.web.clone()) {
            world.receivers.insert(name.clone(), Arc::new(hook));
        }
    }
    Ok((world, embedded))
}

async fn stores(sites: &Sites) -> BTreeMap<String, Arc<dyn Store>> {
    let mut stores: BTreeMap<String, Arc<dyn Store>> = BTreeMap::new();
    for (name, entry) in &sites.stores {
        stores.insert(name.clone(), store(name, entry, &sites.pins).await);
    }
    stores
}

/// Stores by their names, without what seals them: for whoever asks what the server does.
pub(super) async fn bare(
    sites: &Sites,
    names: impl IntoIterator<Item = &String>,
) -> Vec<(String, Arc<dyn Store>)> {
    let mut stores = Vec::new();
    for name in names {
        if let Some(entry) = sites.stores.get(name) {
            stores.push((name.clone(), proving(name, entry, &sites.pins).await));
        }
    }
    stores
}

/// It has to prove who it is before anything is asked of it, if it is pinned.
async fn proving(name: &str, entry: &StoreEntry, pins: &Pins) -> Arc<dyn Store> {
    pinned::store(name, unsealed(name, entry).await, pins)
}

async fn unsealed(name: &str, entry: &StoreEntry) -> Arc<dyn Store> {
    match &entry.endpoint {
        Endpoint::Directory(folder) => Arc::new(DirectoryStore::new(folder)),
        Endpoint::S3(bucket) => connect::store_or_reason(name, bucket).await,
    }
}

async fn store(name: &str, entry: &StoreEntry, pins: &Pins) -> Arc<dyn Store> {
    let store = proving(name, entry, pins).await;
    match &entry.seal {
        Some(sealing) => connect::sealed_or_reason(name, store, sealing),
        None => store,
    }
}

/// What an inventory leads to, whoever that is: for whoever compares it with the pins.
pub(super) struct Reached {
    /// Real clusters; embedded ones have nothing to pin.
    pub(super) clusters: BTreeMap<String, Arc<dyn Cluster>>,
    /// Stores as they lie there: without what seals them.
    pub(super) stores: BTreeMap<String, Arc<dyn Store>>,
}

/// The sites and stores of these names, unpinned and unsealed.
pub(super) async fn whoever(sites: &Sites, names: &[String]) -> Reached {
    let mut reached = Reached {
        clusters: BTreeMap::new(),
        stores: BTreeMap::new(),
    };
    for (name, site) in sites.sites.iter().filter(|(name, _)| names.contains(name)) {
        if let KubernetesSite::Context { kubeconfig, context } = &site.kubernetes {
            let cluster = connect::cluster_or_reason(name, kubeconfig.as_deref(), context).await;
            reached.clusters.insert(name.clone(), cluster);
        }
    }
    for (name, entry) in sites.stores.iter().filter(|(name, _)| names.contains(name)) {
        reached.stores.insert(name.clone(), unsealed(name, entry).await);
    }
    reached
}

/// A world in memory and nothing else: for simulations, in which even the stores are.
pub(super) fn simulated(sites: &Sites) -> Result<Embedded, CommandError> {
    let real: Vec<&String> = sites
        .sites
        .iter()
        .filter(|(_, site)| !matches!(site.kubernetes, KubernetesSite::Embedded { .. }))
        .map(|(name, _)| name)
        .collect();
    if let Some(name) = real.first() {
        return Err(real_one("site", name, " objects: [files] "));
    }
    let mut dns = sites.dns.iter();
    if let Some((name, _)) = dns.find(|(_, server)| matches!(server.endpoint, DnsEndpoint::Rfc2136(_))) {
        return Err(real_one("DNS server", name, " records: [records] "));
    }
    let mut receivers = sites.notify.iter();
    if let Some((name, _)) = receivers.find(|(_, one)| one.endpoint != ReceiverEndpoint::Embedded) {
        return Err(real_one("receiver", name, ""));
    }
    let inside = Embedded::of(sites, super::now());
    seed(&inside, sites)?;
    Ok(inside)
}

fn real_one(what: &str, name: &str, with: &str) -> CommandError {
    let error = CommandError::input(format!(
        "{what} {name} is real, and a simulation touches nothing real"
    ));
    error.hint(format!(
        "write `embedded: {{{with}}}` for it in another inventory, and give that with --sites"
    ))
}

/// Fills embedded clusters with the objects of their files.
fn seed(inside: &Embedded, sites: &Sites) -> Result<(), CommandError> {
    for (name, site) in &sites.sites {
        let KubernetesSite::Embedded { objects } = &site.kubernetes else {
            continue;
        };
        let Some(cluster) = inside.cluster(name) else {
            continue;
        };
        for file in objects {
            cluster.seed(&manifests(file)?)?;
        }
    }
    Ok(())
}
