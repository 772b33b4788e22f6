//! One object of an archive as it would be made: chosen, stripped, changed as the step says, and in a
//! drill renamed and confined, always last.
//!
//! Not here: where the object comes from (`stream`), what is there already (`judge`), and in which
//! order objects are made (`survey`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::archive::Archived;
use crate::effect::{ClusterScoped, Fate, RestoreObjects, Selection};
use crate::objects::{
    Candidates, Changer, Confined, Namespaces, confine, left_out_of_restore, owners, rename, strip,
    take_owners,
};
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
    changer: Changer,
    /// Of a drill.
    places: Namespaces,
    confined: bool,
    /// Resources whose status is restored.
    status: BTreeSet<String>,
}

/// An object as it would be made.
pub(super) struct Fit {
    pub(super) object: Value,
    /// What people should know of it.
    pub(super) notes: Vec<String>,
    /// What the step changed of it.
    pub(super) changed: Vec<String>,
}

impl Fit {
    /// As it was read.
    pub(super) const fn unchanged(object: Value) -> Self {
        Self {
            object,
            notes: Vec::new(),
            changed: Vec::new(),
        }
    }
}

/// An object that is not made.
pub(super) struct Unfit {
    /// As it would be named.
    pub(super) object: Value,
    pub(super) why: String,
    /// `Skip`, or `Refuse` where nothing at all may be made.
    pub(super) fate: Fate,
}

impl Fitter {
    pub(super) fn new(effect: &RestoreObjects) -> Self {
        Self {
            changer: Changer::new(&effect.changes),
            places: effect.namespaces.iter().cloned().collect(),
            confined: effect.confined,
            status: effect.status.iter().cloned().collect(),
        }
    }

    /// The same object gives the same answer every time. `namespaced` is what the *target* says of the
    /// kind. An archive is no witness: a cluster-scoped object with a namespace written into it must
    /// not pass for one of the drill's.
    pub(super) fn fit(&self, resource: &str, object: Value, namespaced: bool) -> Result<Fit, Unfit> {
        let status = object
            .get("status")
            .filter(|_| self.status.contains(resource))
            .cloned();
        self.fit_spec(resource, object, namespaced).map(|mut fit| {
            if let Some(status) = status {
                fit.object["status"] = status;
            }
            fit
        })
    }

    /// How often what the step changes was needed so far, a line each; and what of it never.
    pub(super) fn uses(&self) -> (Vec<String>, Vec<String>) {
        (self.changer.uses(), self.changer.unused())
    }

    fn fit_spec(&self, resource: &str, object: Value, namespaced: bool) -> Result<Fit, Unfit> {
        let unfit = |object, why, fate| Err(Unfit { object, why, fate });
        let left_out = left_out_of_restore(&object);
        let owners_then = owners(&object);
        let object = strip(object);
        if let Some(why) = left_out {
            let object = rename(self.changer.name_of(object), &self.places);
            return unfit(object, why, Fate::Skip);
        }
        let changed = self.changer.apply(resource, owned_by(object, owners_then));
        let mut object = rename(changed.object, &self.places);
        unmark(&mut object);
        if let Some(why) = changed.refused {
            return unfit(object, why, Fate::Refuse);
        }
        // A patch may have written owners, and knows no uid of the target either.
        let owners = owners(&object);
        take_owners(&mut object);
        let mut fit = Fit {
            object,
            notes: changed.doubts,
            changed: changed.notes,
        };
        if self.confined {
            self.wall(&mut fit, namespaced)?;
        }
        fit.object = owned_by(fit.object, owners);
        Ok(fit)
    }

    /// Nothing may change an object after this.
    fn wall(&self, fit: &mut Fit, namespaced: bool) -> Result<(), Unfit> {
        let object = std::mem::take(&mut fit.object);
        let skip = |object, why| Unfit {
            object,
            why,
            fate: Fate::Skip,
        };
        if text(&object, "/kind") == "Namespace" && text(&object, "/apiVersion") == "v1" {
            return Err(skip(object, "the drill made its own".into()));
        }
        match confine(object.clone(), namespaced, &self.places) {
            Confined::Keep { object, notes } => {
                fit.object = object;
                fit.notes.extend(notes);
                Ok(())
            }
            Confined::Skip(why) => Err(skip(object, why)),
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
