//! A Velero in every embedded cluster, over one bucket of their own: it takes up Backups and Restores, goes through its
//! phases in their order and times, and copies the objects of whole namespaces.
//!
//! It runs where the Deployment `velero` of the object's namespace has a pod that is ready; without one nobody takes
//! anything up, as in a real cluster. One piece of work of each kind runs at a time. Not here: selection by kinds or
//! labels, mapped namespaces, volumes, schedules, the way of a Backup into other clusters, and stores of an inventory.
//! The real Velero of `tests/lab` has the last word.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::controllers::is_ready;
use super::state::{Due, Key, State, is_going, owned_entirely, owner_uids};
use crate::objects::strip;

const BACKUPS: &str = "backups.velero.io";
const RESTORES: &str = "restores.velero.io";

/// Between two looks of a server at its line, and from one phase to the next. Long enough to be seen.
const PACE_MS: u64 = 300;

/// What controllers make again by themselves.
const NOT_COPIED: [&str; 3] = ["pods", "replicasets.apps", "endpointslices.discovery.k8s.io"];

/// Backups by name, each a list of objects. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket(Arc<Mutex<BTreeMap<String, Vec<Value>>>>);

impl Bucket {
    /// An equal one, and from here on another.
    pub(super) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A backup without any object is one that another cluster made: its own is not written over.
    fn keep(&self, name: &str, objects: Vec<Value>) {
        if !objects.is_empty() {
            self.lock().insert(name.to_owned(), objects);
        }
    }

    fn objects(&self, name: &str) -> Vec<Value> {
        self.lock().get(name).cloned().unwrap_or_default()
    }
}

/// Whether a Velero has to do with these objects.
pub(super) fn is_for_velero(resource: &str) -> bool {
    matches!(resource, BACKUPS | RESTORES)
}

/// The backup that a Restore names.
fn backup_of(key: &Key, object: &Value) -> Option<Key> {
    let name = object.pointer("/spec/backupName")?.as_str()?;
    (key.resource == RESTORES).then(|| Key::new(BACKUPS, &key.namespace, name))
}

fn phase(object: &Value) -> &str {
    let phase = object.pointer("/status/phase").and_then(Value::as_str);
    phase.unwrap_or_default()
}

impl State {
    /// A new Backup or Restore joins the line.
    pub(super) fn tell_velero(&mut self, key: &Key) {
        self.later(PACE_MS, Due::Velero(key.clone()));
    }

    /// A server, if there is one, brings it one phase further.
    pub(super) fn velero(&mut self, key: &Key) {
        let Some(object) = self.get(key).filter(|object| !is_going(object)).cloned() else {
            return;
        };
        let waits = matches!(phase(&object), "" | "New") && self.has_to_wait(key, &object);
        if self.velero_runs(&key.namespace) && !waits {
            let Some(next) = self.go_on(key, &object) else {
                return;
            };
            self.set_status(key, next);
        }
        self.later(PACE_MS, Due::Velero(key.clone()));
    }

    fn velero_runs(&self, namespace: &str) -> bool {
        let Some(server) = self.get(&Key::new("deployments.apps", namespace, "velero")) else {
            return false;
        };
        let selector = server.pointer("/spec/selector/matchLabels");
        let fits = |pod: &Value| {
            let labels = pod.pointer("/metadata/labels");
            let wanted = selector.and_then(Value::as_object).into_iter().flatten();
            wanted
                .into_iter()
                .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        };
        let pods = self.of("pods", Some(namespace));
        let mut pods = pods.iter().filter_map(|pod| self.get(pod));
        pods.any(|pod| fits(pod) && is_ready(pod) && !is_going(pod))
    }

    /// Another one of the same kind is worked on, or the backup is still being made.
    fn has_to_wait(&self, key: &Key, object: &Value) -> bool {
        let others = self.of(&key.resource, Some(&key.namespace));
        let mut others = others.iter().filter(|other| *other != key);
        let busy = others.any(|other| {
            self.get(other)
                .is_some_and(|other| matches!(phase(other), "InProgress" | "Finalizing"))
        });
        let backup = backup_of(key, object);
        let unfinished = backup.is_some_and(|backup| {
            self.get(&backup)
                .is_some_and(|backup| phase(backup) != "Completed")
        });
        busy || unfinished
    }

    /// The next status, with what it stands for; `None`: it has ended.
    fn go_on(&mut self, key: &Key, object: &Value) -> Option<Value> {
        let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
        let backup = backup_of(key, object);
        let next = match phase(object) {
            "" | "New" => {
                if let Some(missing) = backup.filter(|backup| self.get(backup).is_none()) {
                    status["validationErrors"] = json!([format!("backup {} does not exist", missing.name)]);
                    "FailedValidation"
                } else {
                    status["startTimestamp"] = self.now_text().into();
                    "InProgress"
                }
            }
            "InProgress" => {
                let (count, of) = match backup {
                    Some(backup) => (self.restore_all(&backup.name, object), "itemsRestored"),
                    None => (self.capture_all(&key.name, object), "itemsBackedUp"),
                };
                status["progress"] = json!({ "totalItems": count, of: count });
                "Finalizing"
            }
            "Finalizing" => {
                status["completionTimestamp"] = self.now_text().into();
                "Completed"
            }
            _ => return None,
        };
        status["phase"] = next.into();
        Some(status)
    }

    fn capture_all(&mut self, name: &str, backup: &Value) -> usize {
        let mut objects = Vec::new();
        for namespace in named(backup) {
            let own = Key::new("namespaces", "", &namespace);
            let inside = self.inside(&namespace).into_iter();
            let inside = inside.filter(|key| !NOT_COPIED.contains(&key.resource.as_str()));
            let found = [own]
                .into_iter()
                .chain(inside)
                .filter_map(|key| self.get(&key).cloned());
            objects.extend(
                found
                    .filter(|object| owner_uids(object).next().is_none())
                    .map(strip),
            );
        }
        let count = objects.len();
        self.bucket.keep(name, objects);
        count
    }

    /// What is there stays as it is.
    fn restore_all(&mut self, backup: &str, restore: &Value) -> usize {
        let namespaces = named(restore);
        let mut made = 0;
        for object in self.bucket.objects(backup) {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let place = text("/metadata/namespace").or_else(|| text("/metadata/name"));
            let wanted = namespaces.is_empty() || namespaces.iter().any(|name| Some(name.as_str()) == place);
            let kind = self
                .served()
                .into_iter()
                .map(|served| served.kind)
                .find(|kind| object["apiVersion"] == kind.api_version() && object["kind"] == kind.kind);
            if let (true, Some(kind)) = (wanted, kind) {
                let owners = owned_entirely(&object, "velero-server/Update");
                made += usize::from(self.insert(&kind, object, owners).is_ok());
            }
        }
        made
    }
}

/// Namespaces that a Backup or Restore names.
fn named(object: &Value) -> Vec<String> {
    let names = object
        .pointer("/spec/includedNamespaces")
        .and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
