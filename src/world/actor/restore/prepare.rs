//! One object of an archive as it would be made: chosen, stripped, renamed, confined.
//!
//! Not here: where the object comes from (`stream`), what is there already (`judge`), and in which
//! order objects are made (`survey`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::archive::Archived;
use crate::effect::{ClusterScoped, RestoreObjects, Selection};
use crate::objects::{Candidates, Confined, Namespaces, confine, left_out_of_restore, owners, rename, strip};
use crate::world::actor::marks::{text, unmark};

/// The resource of definitions of custom kinds.
pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Whether an object of the archive is part of what is to be restored, or may turn out to be.
pub(super) fn is_chosen(archived: &Archived, selection: &Selection, cluster: ClusterScoped) -> bool {
    if selection.exclude.contains(&archived.resource) {
        return false;
    }
    match (archived.resource.as_str(), &archived.id.namespace) {
        ("namespaces", None) => selection.restores_namespace(&archived.id.name),
        // Which of them are needed shows when all objects are known.
        (DEFINITIONS, None) => true,
        (_, Some(namespace)) => selection.restores_namespace(namespace) && is_asked_for(archived, selection),
        (_, None) => match cluster {
            ClusterScoped::None => false,
            ClusterScoped::Related => Candidates::may_be(&archived.object),
            ClusterScoped::All => Candidates::may_be(&archived.object) || is_asked_for(archived, selection),
        },
    }
}

/// By its kind and its labels.
fn is_asked_for(archived: &Archived, selection: &Selection) -> bool {
    selection.leaves_kind_out(&archived.resource).is_none() && selection.takes_labels(&archived.object)
}

/// Whether a chosen object outside of namespaces is only meant if others name it.
pub(super) fn is_candidate(archived: &Archived, effect: &RestoreObjects) -> bool {
    archived.id.namespace.is_none()
        && archived.resource != "namespaces"
        && !(effect.cluster == ClusterScoped::All && is_asked_for(archived, &effect.selection))
}

/// Fits objects into the target of one restore.
pub(super) struct Fitter {
    places: Namespaces,
    confined: bool,
    /// Resources whose status is restored.
    status: BTreeSet<String>,
}

/// The object as it would be made with notes; or as it would be named, and why it is not made.
pub(super) type Fitted = Result<(Value, Vec<String>), (Value, String)>;

impl Fitter {
    pub(super) fn new(effect: &RestoreObjects) -> Self {
        Self {
            places: effect.namespaces.iter().cloned().collect(),
            confined: effect.confined,
            status: effect.status.iter().cloned().collect(),
        }
    }

    /// The same object gives the same answer every time. `namespaced` is what the *target* says of the
    /// kind. An archive is no witness: a cluster-scoped object with a namespace written into it must
    /// not pass for one of the drill's.
    pub(super) fn fit(&self, resource: &str, object: Value, namespaced: bool) -> Fitted {
        let status = object
            .get("status")
            .filter(|_| self.status.contains(resource))
            .cloned();
        self.fit_spec(object, namespaced).map(|(mut object, notes)| {
            if let Some(status) = status {
                object["status"] = status;
            }
            (object, notes)
        })
    }

    fn fit_spec(&self, object: Value, namespaced: bool) -> Fitted {
        let left_out = left_out_of_restore(&object);
        let owners = owners(&object);
        let mut object = rename(strip(object), &self.places);
        unmark(&mut object);
        if let Some(why) = left_out {
            return Err((object, why));
        }
        if !self.confined {
            return Ok((owned_by(object, owners), Vec::new()));
        }
        if text(&object, "/kind") == "Namespace" && text(&object, "/apiVersion") == "v1" {
            return Err((object, "the drill made its own".into()));
        }
        match confine(object.clone(), namespaced, &self.places) {
            Confined::Keep { object, notes } => Ok((owned_by(object, owners), notes)),
            Confined::Skip(why) => Err((object, why)),
        }
    }
}

/// The object with its owner references, which have no uid yet.
fn owned_by(mut object: Value, owners: Vec<Value>) -> Value {
    if !owners.is_empty() {
        object["metadata"]["ownerReferences"] = owners.into();
    }
    object
}
