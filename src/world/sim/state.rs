//! The objects of one embedded cluster and the rules by which they come, change and go.
//!
//! What the server itself decides is here (names, versions, finalizers, cascades); what controllers
//! do later is in [`super::controllers`] and [`super::namespaces`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Pace;
use super::backoff::PutOff;
use super::clock::{SimClock, rfc3339};
use super::controllers::makes_pods;
use super::discovery::{Served, builtins, custom};
use super::fault::Faults;
use super::merge::{self, Owners};
use super::velero::Bucket;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::ApiKind;

/// Where an object is kept: `deployments.apps`, namespace (empty: none), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) resource: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Changes an object and its owners, or says why not.
pub(super) type Change<'a> = &'a mut dyn FnMut(&mut Value, &mut Owners) -> Result<(), String>;

#[derive(Clone, Debug)]
struct Held {
    object: Value,
    owners: Owners,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// A pod's containers run, or do not.
    PodStarts(Key),
    /// A pod that was told to stop is gone.
    PodGone(Key),
    /// A Job's pod is through.
    JobEnds(Key),
    /// A `CustomResourceDefinition` serves its kind.
    Established(Key),
    /// A namespace gets what every namespace has.
    Furnish(String),
    /// A namespace that is going looks for what is left.
    Sweep(String),
    /// The garbage collector looks whether an owner exists.
    Orphan(Key),
    /// The server judges by an admission policy.
    InForce(Key),
    /// A controller tries again to make pods that it was refused.
    TryAgain(Key),
    /// A Velero looks at a piece of work.
    Velero(Key),
}

/// One embedded cluster.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) site: String,
    pub(super) pace: Pace,
    pub(super) faults: Faults,
    pub(super) bucket: Bucket,
    clock: SimClock,
    now_ms: u64,
    objects: BTreeMap<Key, Held>,
    by_uid: BTreeMap<String, Key>,
    pub(super) put_off: PutOff,
    due: BTreeMap<(u64, u64), Due>,
    /// One counter for uids, versions and the order of events: nothing is random.
    count: u64,
}

impl State {
    /// An empty cluster with the namespaces that every cluster has.
    pub(super) fn new(site: &str, clock: SimClock, pace: Pace, faults: Faults, bucket: Bucket) -> Self {
        let mut state = Self {
            site: site.to_owned(),
            pace,
            faults,
            bucket,
            clock,
            now_ms: clock.elapsed_ms(),
            objects: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            put_off: PutOff::default(),
            due: BTreeMap::new(),
            count: 0,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            state.make("Namespace", object);
        }
        state
    }

    /// Lets everything happen that is due by now.
    pub(super) fn advance(&mut self) {
        let now = self.clock.elapsed_ms();
        while let Some(next) = self.due.first_entry() {
            if next.key().0 > now {
                break;
            }
            let ((at, _), due) = next.remove_entry();
            self.now_ms = at;
            self.happen(due);
        }
        self.now_ms = now;
    }

    /// Has something happen later; never at once, so that time always passes between two events.
    pub(super) fn later(&mut self, delay_ms: u64, due: Due) {
        let order = self.tick();
        self.due.insert((self.now_ms + delay_ms.max(1), order), due);
    }

    pub(super) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.at(self.now_ms)
    }

    pub(super) fn now_text(&self) -> String {
        rfc3339(self.now())
    }

    fn tick(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Five letters that look like a pod's and follow from a text.
    pub(super) fn suffix(&self, of: &str) -> String {
        let digest = Sha256::digest(format!("{}/{of}/{}", self.site, self.count));
        let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
        let letter = |byte: &u8| char::from(alphabet[usize::from(*byte) % alphabet.len()]);
        digest.iter().take(5).map(letter).collect()
    }

    fn new_uid(&mut self) -> String {
        let count = self.tick();
        let site = hex_start(&self.site);
        format!("{site}-0000-4000-8000-{count:012x}")
    }

    /// Every kind that is served now.
    pub(super) fn served(&self) -> Vec<Served> {
        let crds = self.of("customresourcedefinitions.apiextensions.k8s.io", None);
        let customs = crds.iter().filter_map(|key| custom(self.get(key)?));
        builtins().into_iter().chain(customs).collect()
    }

    /// Refuses a request for a kind that is not served.
    pub(super) fn serves(&self, kind: &ApiKind) -> Result<(), WorldError> {
        if self.served().iter().any(|served| served.answers(kind)) {
            return Ok(());
        }
        Err(self.refuse(
            ErrorKind::NotFound,
            "the server could not find the requested resource".into(),
        ))
    }

    pub(super) fn refuse(&self, kind: ErrorKind, message: String) -> WorldError {
        WorldError::new(kind, &self.site, message)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(|held| &held.object)
    }

    /// As a client sees it, with its managers.
    pub(super) fn show(&self, key: &Key) -> Option<Value> {
        let held = self.objects.get(key)?;
        let mut object = held.object.clone();
        let managers: std::collections::BTreeSet<&String> = held.owners.values().flatten().collect();
        let fields = managers.into_iter().map(|name| {
            let (manager, operation) = name.split_once('/').unwrap_or((name, "Update"));
            let own = merge::fields_of(&held.owners, name);
            json!({ "manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": own })
        });
        object["metadata"]["managedFields"] = fields.collect();
        Some(object)
    }

    /// Keys of a resource, in one namespace or in all.
    pub(super) fn of(&self, resource: &str, namespace: Option<&str>) -> Vec<Key> {
        let start = Key::new(resource, namespace.unwrap_or(""), "");
        self.objects
            .range(start..)
            .map(|(key, _)| key)
            .take_while(|key| key.resource == resource && namespace.is_none_or(|ns| key.namespace == ns))
            .cloned()
            .collect()
    }

    /// Keys of everything in a namespace.
    pub(super) fn inside(&self, namespace: &str) -> Vec<Key> {
        let all = self.objects.keys();
        all.filter(|key| key.namespace == namespace).cloned().collect()
    }

    /// Keys of the objects that this uid owns.
    pub(super) fn owned_by(&self, uid: &str) -> Vec<Key> {
        let owned = |held: &Held| owner_uids(&held.object).any(|owner| owner == uid);
        self.objects
            .iter()
            .filter(|(_, held)| owned(held))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// The key of the object's owner that is still there.
    pub(super) fn owner_of(&self, object: &Value) -> Option<Key> {
        owner_uids(object).find_map(|uid| self.by_uid.get(uid)).cloned()
    }

    /// A controller or the setup makes an object; what the rules refuse is not made. Whether it was.
    pub(super) fn make(&mut self, kind: &str, object: Value) -> bool {
        let Some(kind) = crate::objects::builtin(kind) else {
            return false;
        };
        let owners = owned_entirely(&object, "kube-controller-manager/Update");
        self.insert(&kind, object, owners).is_ok()
    }

    /// Creates an object.
    pub(super) fn insert(
        &mut self,
        kind: &ApiKind,
        mut object: Value,
        owners: Owners,
    ) -> Result<Value, WorldError> {
        let key = self.key_of(kind, &object)?;
        self.admit(kind, &key, &object)?;
        let uid = self.new_uid();
        let version = self.tick().to_string();
        if let Some(map) = object.as_object_mut()
            && kind.resource() != "customresourcedefinitions.apiextensions.k8s.io"
        {
            map.remove("status");
        }
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.clone().into();
        object["metadata"]["uid"] = uid.clone().into();
        object["metadata"]["resourceVersion"] = version.into();
        object["metadata"]["creationTimestamp"] = self.now_text().into();
        object["metadata"]["generation"] = 1.into();
        self.set_defaults(&key, &mut object);
        self.by_uid.insert(uid, key.clone());
        self.objects.insert(key.clone(), Held { object, owners });
        self.after_insert(&key);
        Ok(self.show(&key).unwrap_or_default())
    }

    fn key_of(&self, kind: &ApiKind, object: &Value) -> Result<Key, WorldError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        if name.is_empty() {
            return Err(self.refuse(ErrorKind::Rejected, "resource name may not be empty".into()));
        }
        if kind.namespaced == namespace.is_empty() {
            let message = format!("{}: the namespace does not fit the kind's scope", kind.resource());
            return Err(self.refuse(ErrorKind::Rejected, message));
        }
        Ok(Key::new(&kind.resource(), namespace, name))
    }

    /// What a real server checks before it makes an object.
    fn admit(&self, kind: &ApiKind, key: &Key, object: &Value) -> Result<(), WorldError> {
        if object.pointer("/metadata/managedFields").is_some() {
            return Err(self.refuse(ErrorKind::Rejected, "metadata.managedFields must be nil".into()));
        }
        self.admit_new(kind, key, object)?;
        if self.objects.contains_key(key) {
            let message = format!("{} \"{}\" already exists", key.resource, key.name);
            return Err(self.refuse(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    /// The same but for whether the name is taken, which comes last.
    pub(super) fn admit_new(&self, kind: &ApiKind, key: &Key, object: &Value) -> Result<(), WorldError> {
        if kind.namespaced {
            self.admit_namespace(key)?;
        }
        self.admit_by_policies(kind, key)?;
        self.admit_cluster_ip(key, object)
    }

    fn admit_namespace(&self, key: &Key) -> Result<(), WorldError> {
        let namespace = &key.namespace;
        match self.get(&Key::new("namespaces", "", namespace)) {
            None => Err(self.refuse(
                ErrorKind::NotFound,
                format!("namespaces \"{namespace}\" not found"),
            )),
            Some(object) if object.pointer("/metadata/deletionTimestamp").is_some() => Err(self.refuse(
                ErrorKind::Forbidden,
                format!(
                    "{} \"{}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated",
                    key.resource, key.name
                ),
            )),
            Some(_) => Ok(()),
        }
    }

    /// A backup that still holds the cluster's own addresses is refused, as a real server does.
    fn admit_cluster_ip(&self, key: &Key, object: &Value) -> Result<(), WorldError> {
        let asked = object.pointer("/spec/clusterIP").and_then(Value::as_str);
        match asked {
            Some(ip) if key.resource == "services" && ip != "None" && !ip.is_empty() => {
                let message = format!(
                    "Service \"{}\" is invalid: spec.clusterIPs: Invalid value: [\"{ip}\"]: failed to allocate IP {ip}: provided IP is not in the valid range",
                    key.name
                );
                Err(self.refuse(ErrorKind::Rejected, message))
            }
            _ => Ok(()),
        }
    }

    fn set_defaults(&self, key: &Key, object: &mut Value) {
        match key.resource.as_str() {
            "secrets" => encode_string_data(object),
            "deployments.apps" | "statefulsets.apps" | "replicasets.apps"
                if object.pointer("/spec/replicas").is_none() =>
            {
                object["spec"]["replicas"] = 1.into();
            }
            "services" if object.pointer("/spec/clusterIP").is_none() => {
                let address = format!("10.96.{}.{}", self.count / 250 % 250, self.count % 250 + 1);
                object["spec"]["clusterIP"] = address.into();
            }
            "namespaces" => {
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = key.name.clone().into();
                object["spec"]["finalizers"] = json!(["kubernetes"]);
                object["status"] = json!({ "phase": "Active" });
            }
            _ => {}
        }
    }

    /// Changes an object that is there; refuses what `change` refuses.
    pub(super) fn update(&mut self, key: &Key, change: Change<'_>) -> Result<Value, WorldError> {
        let (mut object, owners) = self.altered(key, change)?;
        let Some(held) = self.objects.get_mut(key) else {
            return Ok(Value::Null);
        };
        if key.resource == "secrets" {
            encode_string_data(&mut object);
        }
        let changed = object != held.object;
        let respecified = object.get("spec") != held.object.get("spec");
        held.owners = owners;
        if changed {
            let generation = held.object["metadata"]["generation"].as_u64().unwrap_or(0);
            object["metadata"]["generation"] = (generation + u64::from(respecified)).into();
            held.object = object;
            let version = self.tick().to_string();
            self.touch(key, &version);
            self.after_update(key, respecified);
        }
        Ok(self.show(key).unwrap_or_default())
    }

    fn touch(&mut self, key: &Key, version: &str) {
        if let Some(held) = self.objects.get_mut(key) {
            held.object["metadata"]["resourceVersion"] = version.into();
        }
    }

    fn after_update(&mut self, key: &Key, respecified: bool) {
        let Some(object) = self.get(key) else { return };
        if is_going(object) && !is_held(object) && key.resource != "namespaces" {
            self.purge(key);
        } else if respecified || makes_pods(key) {
            self.reconcile(key);
        }
    }

    /// Whether this change would be taken.
    pub(super) fn try_update(&self, key: &Key, change: Change<'_>) -> Result<(), WorldError> {
        self.altered(key, change).map(|_| ())
    }

    /// The object as this change would leave it.
    fn altered(&self, key: &Key, change: Change<'_>) -> Result<(Value, Owners), WorldError> {
        let Some(held) = self.objects.get(key) else {
            let message = format!("{} \"{}\" not found", key.resource, key.name);
            return Err(self.refuse(ErrorKind::NotFound, message));
        };
        let mut object = held.object.clone();
        let mut owners = held.owners.clone();
        if let Err(refusal) = change(&mut object, &mut owners) {
            return Err(self.refuse(ErrorKind::Conflict, refusal));
        }
        drop_empty(&mut object);
        if let Some(field) = immutable(key, &held.object, &object) {
            let message = format!(
                "{} \"{}\" is invalid: {field}: Invalid value: field is immutable",
                key.resource, key.name
            );
            return Err(self.refuse(ErrorKind::Rejected, message));
        }
        Ok((object, owners))
    }

    /// Replaces the status, which no manager owns.
    pub(super) fn set_status(&mut self, key: &Key, status: Value) {
        let version = self.tick().to_string();
        if let Some(held) = self.objects.get_mut(key)
            && held.object.get("status") != Some(&status)
        {
            held.object["status"] = status;
            self.touch(key, &version);
        }
    }

    /// Deletes the object if it has this uid. `false`: there is none of that name.
    pub(super) fn delete(&mut self, key: &Key, uid: &str) -> Result<bool, WorldError> {
        self.expect_uid(key, uid)?;
        let Some(object) = self.get(key) else {
            return Ok(false);
        };
        if key.resource == "namespaces" {
            self.begin_end_of_namespace(key);
        } else if key.resource == "pods" {
            self.stop_pod(key);
        } else if is_held(object) {
            self.mark_going(key);
        } else {
            self.purge(key);
        }
        Ok(true)
    }

    /// Whether what is there, if anything, is this very object.
    pub(super) fn expect_uid(&self, key: &Key, uid: &str) -> Result<(), WorldError> {
        let has = self
            .get(key)
            .and_then(|object| object.pointer("/metadata/uid")?.as_str());
        match has {
            Some(has) if has != uid => {
                let message =
                    format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {has}");
                Err(self.refuse(ErrorKind::Conflict, message))
            }
            _ => Ok(()),
        }
    }

    /// Gives the object a deletion time, once.
    pub(super) fn mark_going(&mut self, key: &Key) {
        let (now, version) = (self.now_text(), self.tick().to_string());
        if let Some(held) = self.objects.get_mut(key)
            && !is_going(&held.object)
        {
            held.object["metadata"]["deletionTimestamp"] = now.into();
            self.touch(key, &version);
        }
    }

    /// Takes an object away for good, and what it alone owned.
    pub(super) fn purge(&mut self, key: &Key) {
        let Some(held) = self.objects.remove(key) else {
            return;
        };
        self.not_put_off(key);
        let uid = held
            .object
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or("");
        self.by_uid.remove(uid);
        for owned in self.owned_by(uid) {
            let Some(object) = self.get(&owned) else { continue };
            if self.owner_of(object).is_some() {
                continue;
            }
            if is_held(object) {
                self.mark_going(&owned);
            } else {
                self.purge(&owned);
            }
        }
        if let Some(owner) = self.owner_of(&held.object) {
            self.reconcile(&owner);
        }
    }
}

/// A server keeps no empty map of labels or annotations.
fn drop_empty(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, value| {
            let map = matches!(name.as_str(), "labels" | "annotations");
            !(map && value.as_object().is_some_and(serde_json::Map::is_empty))
        });
    }
}

/// The field that changed and may not. A real server has more of them.
fn immutable(key: &Key, before: &Value, after: &Value) -> Option<&'static str> {
    let field = match key.resource.as_str() {
        "deployments.apps" => "/spec/selector",
        "rolebindings.rbac.authorization.k8s.io" => "/roleRef",
        _ => return None,
    };
    (before.pointer(field) != after.pointer(field)).then(|| field.trim_start_matches('/'))
}

/// An object whose every field one manager owns.
pub(super) fn owned_entirely(object: &Value, manager: &str) -> Owners {
    let mut owners = Owners::new();
    merge::own_changes(&BTreeMap::new(), object, &mut owners, manager);
    owners
}

/// The first eight hex digits of a SHA-256: short and always the same.
pub(super) fn hex_start(of: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(of);
    let start = digest
        .iter()
        .take(4)
        .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    format!("{start:08x}")
}

/// A server takes `stringData` and keeps it as `data`.
fn encode_string_data(secret: &mut Value) {
    let Some(Value::Object(plain)) = secret.as_object_mut().and_then(|map| map.remove("stringData")) else {
        return;
    };
    for (name, value) in plain {
        secret["data"][name] = base64(value.as_str().unwrap_or("").as_bytes()).into();
    }
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| -> [char; 4] {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        std::array::from_fn(|at| {
            let index = (bits >> (18 - 6 * at) & 63) as usize;
            if at > group.len() {
                '='
            } else {
                char::from(alphabet[index])
            }
        })
    };
    bytes.chunks(3).flat_map(group).collect()
}

/// It has a deletion time.
pub(super) fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// A finalizer keeps it.
pub(super) fn is_held(object: &Value) -> bool {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|list| !list.is_empty())
}

/// The uids of its owners.
pub(super) fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    owners
        .into_iter()
        .flatten()
        .filter_map(|owner| owner["uid"].as_str())
}
