//! What would become of one prepared object, from what is there already.
//!
//! ## Why
//!
//! - One paged list per kind and namespace instead of one look per object, and none at all where the
//!   namespace is not there yet. What appears in between is noticed when it is made.
//! - An archive holds the objects of one kind and namespace together, so only a few lists are kept. An
//!   archive in another order costs more requests, and never memory.
//! - Definitions are looked at one by one: they are large, and few of a cluster's are in a backup.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::index::Live;
use super::replace::is_replaceable;
use crate::effect::{Attempt, ClusterScoped, EQUAL, Existing, Fate, RestoreObjects, WorldError};
use crate::objects::{ApiKind, ObjectId, difference, strip, take_owners};
use crate::world::actor::marks::{has_key, is_going, text, uid};
use crate::world::actor::site::Site;

/// Lists kept at the same time. Velero writes a pod beside its claims and accounts.
const LISTS_MAX: usize = 4;

/// One object's fate and where that comes from.
pub(super) struct Judged {
    pub(super) fate: Fate,
    pub(super) why: String,
    pub(super) live: Option<Live>,
    /// It is ours, and its status is not the backup's.
    pub(super) status_due: bool,
    /// What is there, where there is something.
    pub(super) object: Option<Value>,
}

impl Judged {
    /// Nothing is there.
    pub(super) const fn create() -> Self {
        Self {
            fate: Fate::Create,
            why: String::new(),
            live: None,
            status_due: false,
            object: None,
        }
    }
}

/// Looks at one site for one restore.
pub(super) struct Looker<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) effect: &'a RestoreObjects,
    /// `None` while planning.
    pub(super) attempt: Option<&'a Attempt>,
    namespaces: BTreeMap<String, Option<Value>>,
    lists: VecDeque<List>,
}

struct List {
    kind: ApiKind,
    namespace: Option<String>,
    objects: BTreeMap<String, Value>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(site: &'a Site<'a>, effect: &'a RestoreObjects, attempt: Option<&'a Attempt>) -> Self {
        Self {
            site,
            effect,
            attempt,
            namespaces: BTreeMap::new(),
            lists: VecDeque::new(),
        }
    }

    /// `kind` is as the site serves it.
    pub(super) async fn judge(
        &mut self,
        kind: &ApiKind,
        id: &ObjectId,
        desired: &Value,
    ) -> Result<Judged, WorldError> {
        let live = self.live(kind, id).await?;
        Ok(live.map_or_else(Judged::create, |live| Judged {
            object: Some(live.clone()),
            ..meet(desired, &live, self.effect, self.attempt)
        }))
    }

    /// What is there under this name.
    async fn live(&mut self, kind: &ApiKind, id: &ObjectId) -> Result<Option<Value>, WorldError> {
        if id.kind == "Namespace" && id.group().is_empty() {
            return self.namespace(&id.name).await.map(Option::<&Value>::cloned);
        }
        if id.kind == "CustomResourceDefinition" && id.group() == "apiextensions.k8s.io" {
            return self.site.cluster.get(kind, None, &id.name).await;
        }
        if let Some(namespace) = &id.namespace
            && self.namespace(namespace).await?.is_none()
        {
            return Ok(None);
        }
        let list = self.list(kind, id.namespace.as_deref()).await?;
        // Each object is asked for once, and what is left are strangers.
        Ok(list.objects.remove(&id.name))
    }

    /// The namespaces that were looked for and are there.
    pub(super) fn there(&self) -> BTreeSet<String> {
        let found = self.namespaces.iter().filter(|(_, found)| found.is_some());
        found.map(|(name, _)| name.clone()).collect()
    }

    /// A namespace, looked for once.
    pub(super) async fn namespace(&mut self, name: &str) -> Result<Option<&Value>, WorldError> {
        if !self.namespaces.contains_key(name) {
            let found = self.site.get(&ObjectId::namespace(name)).await?;
            self.namespaces.insert(name.to_owned(), found);
        }
        Ok(self.namespaces.get(name).and_then(Option::as_ref))
    }

    async fn list(&mut self, kind: &ApiKind, namespace: Option<&str>) -> Result<&mut List, WorldError> {
        let fits = |list: &List| list.kind == *kind && list.namespace.as_deref() == namespace;
        let list = match self.lists.iter().position(fits) {
            Some(at) => self.lists.remove(at),
            None => None,
        };
        let list = match list {
            Some(list) => list,
            None => self.read_list(kind, namespace).await?,
        };
        self.lists.truncate(LISTS_MAX - 1);
        self.lists.push_front(list);
        Ok(&mut self.lists[0])
    }

    async fn read_list(&self, kind: &ApiKind, namespace: Option<&str>) -> Result<List, WorldError> {
        let found = self.site.cluster.list(kind, namespace).await?;
        let named = |object: Value| (text(&object, "/metadata/name").to_owned(), object);
        Ok(List {
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            objects: found.into_iter().map(named).collect(),
        })
    }
}

/// Every namespace gets this one from its cluster, at some moment; the backup's has more in it.
pub(super) fn is_everywhere(object: &Value) -> bool {
    text(object, "/kind") == "ServiceAccount" && text(object, "/metadata/name") == "default"
}

/// Takes the status off a prepared object; it has one only where that is to be restored.
pub(super) fn take_status(object: &mut Value) -> Option<Value> {
    object.as_object_mut()?.remove("status")
}

/// Whether an object is there for all namespaces. Definitions are too, and have always been treated by
/// `existing`: without its new version a custom resource cannot be made.
fn is_shared(object: &Value) -> bool {
    let of_all = text(object, "/metadata/namespace").is_empty();
    of_all && !matches!(text(object, "/kind"), "Namespace" | "CustomResourceDefinition")
}

/// An object that is there already. `attempt` is `None` while planning.
pub(super) fn meet(
    desired: &Value,
    live: &Value,
    effect: &RestoreObjects,
    attempt: Option<&Attempt>,
) -> Judged {
    let ours = attempt.is_some_and(|attempt| has_key(live, attempt));
    let judged = |fate, why: String| Judged {
        fate,
        why,
        live: Some(Live {
            uid: uid(live).to_owned(),
            ours,
        }),
        status_due: false,
        object: None,
    };
    if is_going(live) {
        return judged(Fate::Refuse, "it is being deleted there".into());
    }
    if ours {
        let status = |object: &Value| object.get("status").cloned().unwrap_or_default();
        let wanted = status(desired);
        return Judged {
            status_due: !wanted.is_null() && difference(&wanted, &status(live)).is_some(),
            ..judged(Fate::Keep, "an earlier attempt made it".into())
        };
    }
    let everywhere = is_everywhere(desired);
    if effect.confined && !everywhere {
        return judged(Fate::Refuse, "it is there and this drill did not make it".into());
    }
    // Owners are compared when it is known which of them can be linked.
    let mut desired = desired.clone();
    take_owners(&mut desired);
    take_status(&mut desired);
    if effect.cluster == ClusterScoped::Related && is_shared(&desired) {
        let there = difference(&desired, &strip(live.clone()));
        let differs =
            there.map(|place| format!("differs at {place}, and others use it: it is left as it is"));
        return judged(Fate::Keep, differs.unwrap_or_else(|| EQUAL.into()));
    }
    match (difference(&desired, &strip(live.clone())), effect.existing) {
        (None, _) => judged(Fate::Keep, EQUAL.into()),
        (Some(place), _) if effect.confined => judged(Fate::Update, format!("differs at {place}")),
        (Some(place), Existing::Update) => judged(Fate::Update, format!("differs at {place}")),
        (Some(place), Existing::Replace | Existing::Prune) if is_replaceable(&desired) => judged(
            Fate::Replace,
            format!("differs at {place}; deleted and made again if it cannot be changed in place"),
        ),
        (Some(place), Existing::Replace | Existing::Prune) => {
            judged(Fate::Update, format!("differs at {place}"))
        }
        (Some(place), Existing::Keep) => {
            judged(Fate::Keep, format!("differs at {place}, and is left as it is"))
        }
    }
}
