//! Performs [`CloseSandbox`]: removes what a drill made, and nothing else.
//!
//! ## Why
//!
//! - All namespaces are looked at before the first is deleted: one that does not carry this drill's
//!   label is a sign that something is not as we think, and then a person looks.
//! - What was in a namespace is listed twice, before it is told to go and again when it takes no new
//!   objects any more: what a controller made in between is in the ledger too.
//! - An object that was deleted must stay away: every uid that was listed is looked for at the end.
//! - To delete by uid is repeated here until it is answered, against the habit of this layer: an
//!   attempt that ended would take the list of what it deleted along.
//! - What may not be listed is said and does not keep the drill's namespaces alive: to leave them is
//!   worse than a gap in the ledger.
//! - Nothing is forced. What a finalizer holds is told, and the step's deadline ends the waiting;
//!   taking finalizers off would leave behind in the outside world what they stand for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::World;
use super::marks::{self, counted, label, made, text, uid};
use super::pace::{Look, Work, all, until};
use super::pods::named;
use super::site::Site;
use crate::effect::{Attempt, CloseSandbox, ErrorKind, Receipt, Resolution, Sandbox, WorldError};
use crate::objects::{ApiKind, DRILL_LABEL, Made, ObjectId, builtin};

/// Listings in flight: an idle API server answers so many within a second for a hundred kinds.
const IN_FLIGHT: usize = 8;

impl World {
    pub(super) async fn tear_down(
        &self,
        effect: &CloseSandbox,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.sandbox.site)?;
        let namespaces = own_namespaces(&site, &effect.sandbox).await?;
        let mut ledger = Ledger::default();
        let before = everything_in(&site, &namespaces, &mut ledger).await?;
        for namespace in &namespaces {
            delete_namespace(&site, namespace, attempt).await?;
        }
        let meanwhile = everything_in(&site, &namespaces, &mut ledger).await?;
        for objects in [&before, &meanwhile, &namespaces] {
            ledger.note(objects);
        }
        until(attempt, || Box::pin(all_gone(&site, &namespaces))).await?;
        let left = everything_in(&site, &namespaces, &mut ledger).await?;
        ledger.refuse_survivors(&site, &left)?;
        let mut receipt = ledger.receipt(&effect.sandbox, namespaces.len());
        receipt
            .warnings
            .extend(volumes_left(&site, &effect.sandbox).await);
        for store in &effect.stores {
            let removed = self.remove_prefix(store, &effect.sandbox, attempt).await?;
            receipt.summary = format!("{}, {} of {store}", receipt.summary, counted(removed, "object"));
        }
        Ok(receipt)
    }

    /// Gone is done, but then nobody can list what was there.
    pub(super) async fn resolve_tear_down(&self, effect: &CloseSandbox) -> Result<Resolution, WorldError> {
        let site = self.site(&effect.sandbox.site)?;
        if !own_namespaces(&site, &effect.sandbox).await?.is_empty() {
            return Ok(Resolution::NotDone);
        }
        for store in &effect.stores {
            let own = self.store(store)?.sibling(&prefix(&effect.sandbox));
            if !own.list("").await?.is_empty() {
                return Ok(Resolution::NotDone);
            }
        }
        let receipt = Ledger::default().receipt(&effect.sandbox, 0);
        Ok(Resolution::Done(Box::new(receipt)))
    }

    /// Removes the drill's own part of a store, never the store's own prefix.
    async fn remove_prefix(
        &self,
        store: &str,
        sandbox: &Sandbox,
        attempt: &Attempt,
    ) -> Result<usize, WorldError> {
        let own = self.store(store)?.sibling(&prefix(sandbox));
        let entries = own.list("").await?;
        (attempt.progress)(format!(
            "removing {} of {}",
            counted(entries.len(), "object"),
            own.address()
        ));
        let work = entries.iter().map(|entry| own.delete(&entry.key)).collect();
        all(IN_FLIGHT, work).await?;
        Ok(entries.len())
    }
}

/// As confinement writes it into [`crate::effect::CopyPrefix`].
fn prefix(sandbox: &Sandbox) -> String {
    format!("drill-{}", sandbox.id)
}

/// The drill's namespaces that are still there.
///
/// # Errors
///
/// One of them does not carry this drill's label.
async fn own_namespaces(site: &Site<'_>, sandbox: &Sandbox) -> Result<Vec<Value>, WorldError> {
    let mut own = Vec::new();
    for name in sandbox.namespaces.values() {
        let Some(found) = site.get(&ObjectId::namespace(name)).await? else {
            continue;
        };
        if label(&found, DRILL_LABEL) != Some(&sandbox.id) {
            let message = format!(
                "namespace {name} does not carry the label {DRILL_LABEL}={}: nothing was deleted",
                sandbox.id
            );
            return Err(site
                .error(ErrorKind::Rejected, message)
                .hint(format!("look at it: kubectl get namespace {name} --show-labels")));
        }
        own.push(found);
    }
    Ok(own)
}

/// Every object of every kind in these namespaces; a kind that may not be listed is only noted.
async fn everything_in(
    site: &Site<'_>,
    namespaces: &[Value],
    ledger: &mut Ledger,
) -> Result<Vec<Value>, WorldError> {
    if namespaces.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = site.kinds().await?;
    let kinds: Vec<&ApiKind> = kinds.iter().filter(|kind| kind.namespaced).collect();
    let mut work: Vec<Work<'_, Listing>> = Vec::new();
    for namespace in namespaces {
        let place = text(namespace, "/metadata/name");
        for kind in &kinds {
            work.push(Box::pin(list(site, kind, place)));
        }
    }
    let mut found = Vec::new();
    for listing in all(IN_FLIGHT, work).await? {
        match listing {
            Listing::Objects(objects) => found.extend(objects),
            Listing::Refused(resource) => {
                ledger.unlisted.insert(resource);
            }
        }
    }
    Ok(found)
}

enum Listing {
    Objects(Vec<Value>),
    Refused(String),
}

async fn list(site: &Site<'_>, kind: &ApiKind, place: &str) -> Result<Listing, WorldError> {
    match site.cluster.list(kind, Some(place)).await {
        Ok(objects) => Ok(Listing::Objects(objects)),
        // Its definition went away since it was discovered, and its objects with it.
        Err(error) if error.kind == ErrorKind::NotFound => Ok(Listing::Objects(Vec::new())),
        Err(error) if error.kind == ErrorKind::Forbidden => Ok(Listing::Refused(kind.resource())),
        Err(error) => Err(error),
    }
}

async fn delete_namespace(site: &Site<'_>, namespace: &Value, attempt: &Attempt) -> Result<(), WorldError> {
    let name = text(namespace, "/metadata/name");
    (attempt.progress)(format!("deleting namespace {name}"));
    let kind = site.kind(&ObjectId::namespace(name)).await?;
    let kind = &kind;
    until(attempt, || {
        Box::pin(async move {
            // Its controller changes it all the time: as it is now, not as it was.
            let now = site.cluster.get(kind, None, name).await?;
            let Some(now) = now.filter(|now| uid(now) == uid(namespace)) else {
                return Ok(Look::Done(()));
            };
            let version = text(&now, "/metadata/resourceVersion");
            match site
                .cluster
                .delete_unchanged(kind, None, name, uid(namespace), version)
                .await
            {
                Err(error) if error.kind == ErrorKind::Conflict => Ok(Look::Waiting(error.message)),
                sent => sent.map(|_| Look::Done(())),
            }
        })
    })
    .await
}

/// Whether none of these namespaces is left, or what holds the first that is.
async fn all_gone(site: &Site<'_>, namespaces: &[Value]) -> Result<Look<()>, WorldError> {
    for namespace in namespaces {
        let name = text(namespace, "/metadata/name");
        let found = site.get(&ObjectId::namespace(name)).await?;
        if let Some(found) = found.filter(|found| uid(found) == uid(namespace)) {
            return Ok(Look::Waiting(match holding(&found) {
                Some(why) => format!("namespace {name} is going: {why}"),
                None => format!("namespace {name} is going"),
            }));
        }
    }
    Ok(Look::Done(()))
}

/// What the server says that a namespace still waits for.
fn holding(namespace: &Value) -> Option<String> {
    let says: Vec<&str> = marks::list(namespace, "/status/conditions")
        .filter(|one| one["status"] == "True")
        .filter(|one| !text(one, "/type").starts_with("NamespaceDeletionDiscovery"))
        .map(|one| text(one, "/message"))
        .filter(|message| !message.is_empty())
        .collect();
    (!says.is_empty()).then(|| says.join("; "))
}

/// Volumes that the storage keeps although their claims were the drill's; or that nobody could look.
async fn volumes_left(site: &Site<'_>, sandbox: &Sandbox) -> Vec<String> {
    let Some(kind) = builtin("PersistentVolume") else {
        return Vec::new();
    };
    let volumes = match site.cluster.list(&kind, None).await {
        Ok(volumes) => volumes,
        Err(error) => {
            return vec![format!(
                "whether volumes of the drill are left is not known: {error}"
            )];
        }
    };
    let ours = |volume: &&Value| {
        let claimed = text(volume, "/spec/claimRef/namespace");
        sandbox.namespaces.values().any(|name| name == claimed)
    };
    let left = volumes.iter().filter(ours).map(|volume| {
        let name = text(volume, "/metadata/name");
        let policy = text(volume, "/spec/persistentVolumeReclaimPolicy");
        format!("PersistentVolume {name} of the drill is still there (reclaim policy {policy})")
    });
    left.collect()
}

/// What was listed, by uid.
#[derive(Default)]
struct Ledger {
    made: BTreeMap<String, Made>,
    /// Kinds that may not be listed.
    unlisted: BTreeSet<String>,
}

impl Ledger {
    fn note(&mut self, objects: &[Value]) {
        let lines = objects.iter().filter_map(made);
        self.made.extend(lines.map(|made| (made.uid.clone(), made)));
    }

    /// Every uid of the ledger must be gone.
    fn refuse_survivors(&self, site: &Site<'_>, found: &[Value]) -> Result<(), WorldError> {
        let survivors: BTreeSet<String> = found
            .iter()
            .filter_map(|object| self.made.get(uid(object)))
            .map(|made| made.id.to_string())
            .collect();
        if survivors.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = survivors.into_iter().collect();
        let message = format!(
            "{} outlived their namespace: {}",
            counted(names.len(), "object"),
            named(&names)
        );
        Err(site.error(ErrorKind::NotYet, message))
    }

    fn receipt(self, sandbox: &Sandbox, namespaces: usize) -> Receipt {
        let already = sandbox.namespaces.len() - namespaces.min(sandbox.namespaces.len());
        let mut warnings = match already {
            0 => Vec::new(),
            _ => vec![format!(
                "{already} of the drill's namespaces were already gone: what had been in them could not be listed any more"
            )],
        };
        warnings.extend(
            self.unlisted
                .iter()
                .map(|kind| format!("{kind} may not be listed: those of the drill are not in the ledger")),
        );
        Receipt {
            summary: format!(
                "{} deleted, {} among them",
                counted(self.made.len(), "object"),
                counted(namespaces, "namespace")
            ),
            deleted: self.made.into_values().collect(),
            warnings,
            ..Receipt::default()
        }
    }
}
