//! An embedded cluster as a port: requests, their faults, and the list of everything that was asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::admission::{Admission, Asked};
use super::clock::SimClock;
use super::fault::Faults;
use super::merge;
use super::paging;
use super::programs::{self, Program, Programs};
use super::state::{Key, State, owned_entirely};
use super::velero::Bucket;
use super::{MANAGER, Pace};
use crate::effect::{ErrorKind, SiteSeen, WorldError};
use crate::objects::{ApiKind, builtin};
use crate::world::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Listed, Listing, Right, Trial,
};
use crate::world::tally;

/// A Kubernetes cluster in memory. Clones are the same cluster.
#[derive(Clone, Debug)]
pub struct SimCluster {
    name: String,
    pace: Pace,
    faults: Faults,
    /// In whose hands; `None`: whoever owns the cluster.
    user: Option<String>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    state: State,
    audit: Vec<AuditEntry>,
    requests: u64,
    admission: Option<Admission>,
    programs: Option<Programs>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// One mutating request, as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// `create`, `apply`, `patch`, `delete`, `exec`.
    pub verb: &'static str,
    /// `deployments.apps`, with the subresource after `/`.
    pub resource: String,
    /// Where; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// Whether it changed the cluster.
    pub committed: bool,
}

impl AuditEntry {
    /// The namespace that the request acted in or on.
    pub fn place(&self) -> Option<&str> {
        match self.resource.as_str() {
            "namespaces" => Some(&self.name),
            _ => self.namespace.as_deref(),
        }
    }
}

/// What a request asks, for faults and audit.
#[derive(Clone, Copy)]
struct Ask<'a> {
    verb: &'static str,
    kind: Option<&'a ApiKind>,
    subresource: Option<&'a str>,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> Ask<'a> {
    const fn plain(verb: &'static str) -> Self {
        Self {
            verb,
            kind: None,
            subresource: None,
            namespace: None,
            name: "",
        }
    }

    const fn on(verb: &'static str, kind: &'a ApiKind, namespace: Option<&'a str>, name: &'a str) -> Self {
        Self {
            verb,
            kind: Some(kind),
            subresource: None,
            namespace,
            name,
        }
    }

    fn of(verb: &'static str, kind: &'a ApiKind, object: &'a Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        Self::on(
            verb,
            kind,
            text("/metadata/namespace"),
            text("/metadata/name").unwrap_or(""),
        )
    }

    fn key(&self) -> Key {
        let resource = self.kind.map(ApiKind::resource).unwrap_or_default();
        Key::new(&resource, self.namespace.unwrap_or(""), self.name)
    }

    fn entry(&self, at: Timestamp, committed: bool) -> Option<AuditEntry> {
        if !matches!(self.verb, "create" | "apply" | "patch" | "delete" | "exec") {
            return None;
        }
        let resource = self.kind.map(ApiKind::resource).unwrap_or_default();
        Some(AuditEntry {
            at,
            verb: self.verb,
            resource: match self.subresource {
                Some(part) => format!("{resource}/{part}"),
                None => resource,
            },
            namespace: self.namespace.map(str::to_owned),
            name: self.name.to_owned(),
            committed,
        })
    }
}

impl SimCluster {
    pub(super) fn new(name: &str, clock: SimClock, pace: Pace, faults: Faults, bucket: Bucket) -> Self {
        let state = State::new(name, clock, pace, faults.clone(), bucket);
        Self {
            name: name.to_owned(),
            pace,
            faults,
            user: None,
            inner: Arc::new(Mutex::new(Inner {
                state,
                audit: Vec::new(),
                requests: 0,
                admission: None,
                programs: None,
            })),
        }
    }

    /// An equal cluster that goes its own way from here.
    pub(super) fn fork(&self, faults: Faults, bucket: Bucket) -> Self {
        let inner = self.lock();
        let mut state = inner.state.clone();
        (state.faults, state.bucket) = (faults.clone(), bucket);
        Self {
            name: self.name.clone(),
            pace: self.pace,
            faults,
            user: self.user.clone(),
            inner: Arc::new(Mutex::new(Inner {
                state,
                audit: inner.audit.clone(),
                requests: inner.requests,
                admission: inner.admission.clone(),
                programs: inner.programs.clone(),
            })),
        }
    }

    /// Makes objects as somebody with `kubectl apply` would have long before; not in the audit list.
    /// Kinds are built in, or defined by a `CustomResourceDefinition` among the objects before.
    ///
    /// # Errors
    ///
    /// The first object that the cluster refuses.
    pub fn seed<'a>(&self, objects: impl IntoIterator<Item = &'a Value>) -> Result<(), WorldError> {
        let mut inner = self.lock();
        inner.state.advance();
        for object in objects {
            let kind = inner.state.kind_of(object)?;
            let owners = owned_entirely(object, "kubectl/Apply");
            inner.state.insert(&kind, object.clone(), owners)?;
            inner.state.establish_all();
        }
        Ok(())
    }

    /// Changes one object as somebody else would; not in the audit list.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such object.
    pub fn edit(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Value, WorldError> {
        let mut inner = self.lock();
        inner.state.advance();
        let key = Ask::on("patch", kind, namespace, name).key();
        inner.state.update(&key, &mut |object, owners| {
            merge::patch(object, owners, patch, "kubectl/Update");
            Ok(())
        })
    }

    /// Takes one object away as somebody else would; not in the audit list.
    pub fn lose(&self, kind: &ApiKind, namespace: Option<&str>, name: &str) {
        let mut inner = self.lock();
        inner.state.advance();
        inner.state.purge(&Ask::on("delete", kind, namespace, name).key());
    }

    /// The object as it is now, without a request.
    pub fn peek(&self, kind: &ApiKind, namespace: Option<&str>, name: &str) -> Option<Value> {
        let mut inner = self.lock();
        inner.state.advance();
        inner.state.show(&Ask::on("get", kind, namespace, name).key())
    }

    /// Has every request judged from now on, those that only read too.
    pub fn judged_by(&self, admission: Admission) {
        self.lock().admission = Some(admission);
    }

    /// Has this say what programs in pods do, where it says anything.
    pub fn runs_by(&self, programs: Programs) {
        self.lock().programs = Some(programs);
    }

    /// Every mutating request so far, in order.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.lock().audit.clone()
    }

    /// How many requests there were so far, readings and refused ones included.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request: its time on the wire, its fault, its effect, its line in the audit list.
    fn request<'a, T: Send>(
        &'a self,
        ask: Ask<'a>,
        act: impl FnOnce(&mut State, Key) -> Result<T, WorldError> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            self.pace.request().await;
            let fault = self
                .faults
                .meet(&self.name, ask.verb, ask.kind.map_or("", |kind| &kind.kind));
            let mut inner = self.lock();
            inner.requests += 1;
            tally::sent();
            inner.state.advance();
            let refused = inner.judge(self.user.as_deref(), &ask);
            let outcome = match fault {
                Some(fault) if !fault.commits() => Err(fault.error(&self.name)),
                _ => match refused {
                    Some(error) => Err(error),
                    None => ask
                        .kind
                        .map_or(Ok(()), |kind| inner.state.serves(kind))
                        .and_then(|()| act(&mut inner.state, ask.key())),
                },
            };
            let entry = ask.entry(inner.state.now(), outcome.is_ok());
            inner.audit.extend(entry);
            match fault {
                Some(fault) => Err(fault.error(&self.name)),
                None => outcome,
            }
        })
    }
}

impl Inner {
    /// A dead server judges nothing, but a lost reply is of a request that was judged.
    fn judge(&self, user: Option<&str>, ask: &Ask<'_>) -> Option<WorldError> {
        let admission = self.admission.as_ref()?;
        let resource = ask.kind.map(ApiKind::resource).unwrap_or_default();
        let resource = match ask.subresource {
            Some(part) => format!("{resource}/{part}"),
            None => resource,
        };
        let objects = |resource: &str, namespace: &str, name: &str| {
            self.state.get(&Key::new(resource, namespace, name)).cloned()
        };
        let asked = Asked {
            user,
            verb: ask.verb,
            resource: &resource,
            namespace: ask.namespace.unwrap_or_default(),
            name: ask.name,
        };
        admission(&asked, &objects)
    }
}

impl Cluster for SimCluster {
    fn identity(&self) -> Answer<'_, SiteSeen> {
        self.request(Ask::plain("identity"), |state, _| {
            let system = state.get(&Key::new("namespaces", "", "kube-system"));
            let uid = system.and_then(|object| object.pointer("/metadata/uid")?.as_str());
            Ok(SiteSeen {
                uid: uid.unwrap_or("").to_owned(),
                version: "v1.37.2".to_owned(),
                server: format!("embedded:{}", self.name),
            })
        })
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        self.request(Ask::plain("discover"), |state, _| {
            Ok(state.served().into_iter().map(|served| served.kind).collect())
        })
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        self.request(Ask::on("list", kind, namespace, ""), move |state, key| {
            let keys = state.of(&key.resource, namespace);
            Ok(keys.iter().filter_map(|key| state.show(key)).collect())
        })
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        let ask = Ask::on("list", &listing.kind, listing.namespace.as_deref(), "");
        self.request(ask, move |state, key| {
            paging::page(state, &key.resource, listing, next)
        })
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        self.request(Ask::on("get", kind, namespace, name), |state, key| {
            Ok(state.show(&key))
        })
    }

    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed> {
        let program = command.argv.first().map_or("", String::as_str);
        let fails = self.faults.command_fails(program);
        Box::pin(async move {
            let none = || WorldError::new(ErrorKind::Internal, &self.name, "pods are not built in");
            let kind = builtin("Pod").ok_or_else(none)?;
            let ask = Ask::on("exec", &kind, Some(command.namespace), command.pod);
            let found = self.request(ask, |state, key| Ok((state.show(&key), state.now_text())));
            let (Some(pod), now) = found.await? else {
                let message = format!("pods \"{}\" not found", command.pod);
                return Err(WorldError::new(ErrorKind::NotFound, &self.name, message));
            };
            let others = self.lock().programs.clone();
            match others.and_then(|others| others(command.argv)) {
                Some(Program::Ran(done)) => Ok(done),
                Some(Program::Hangs) => std::future::pending().await,
                None => Ok(programs::ran(command, &pod, &now, fails)),
            }
        })
    }

    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value> {
        self.request(Ask::of("create", kind, object), move |state, _| {
            let owners = owned_entirely(object, &format!("{MANAGER}/Update"));
            state.insert(kind, object.clone(), owners)
        })
    }

    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied> {
        self.request(Ask::of("apply", kind, object), move |state, key| {
            let manager = format!("{MANAGER}/Apply");
            if state.get(&key).is_none() {
                let object = state.insert(kind, object.clone(), owned_entirely(object, &manager))?;
                return Ok(Applied {
                    object,
                    created: true,
                });
            }
            let object = state.update(&key, &mut |live, owners| {
                merge::apply(live, owners, object, &manager, force)
            })?;
            Ok(Applied {
                object,
                created: false,
            })
        })
    }

    fn patch<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        subresource: Option<&'a str>,
        patch: &'a Value,
    ) -> Answer<'a, Value> {
        let ask = Ask {
            subresource,
            ..Ask::on("patch", kind, namespace, name)
        };
        self.request(ask, move |state, key| match subresource {
            None => patch_object(state, &key, patch, &["metadata", "spec", "data", "stringData"]),
            Some("scale") => patch_object(state, &key, patch, &["spec"]),
            Some("status") if state.has_status(kind) => patch_object(state, &key, patch, &["status"]),
            Some(other) => Err(state.refuse(
                ErrorKind::NotFound,
                format!("{} has no subresource {other} here", key.resource),
            )),
        })
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        self.request(Ask::of("check", kind, object), move |state, key| {
            state.admit_new(kind, &key, object)
        })
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        let ask = match trial {
            Trial::Apply { object, .. } => Ask::of("check", kind, object),
            Trial::Patch { namespace, name, .. } | Trial::Delete { namespace, name, .. } => {
                Ask::on("check", kind, namespace, name)
            }
        };
        self.request(ask, move |state, key| match trial {
            Trial::Apply { object, .. } if state.get(&key).is_none() => state.admit_new(kind, &key, object),
            Trial::Apply { object, force } => {
                let manager = format!("{MANAGER}/Apply");
                state.try_update(&key, &mut |live, owners| {
                    merge::apply(live, owners, object, &manager, force)
                })
            }
            Trial::Patch { patch, .. } => state.try_update(&key, &mut |live, owners| {
                merge::patch(live, owners, patch, MANAGER);
                Ok(())
            }),
            Trial::Delete { uid, .. } => state.expect_uid(&key, uid),
        })
    }

    fn delete_unchanged<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
        version: &'a str,
    ) -> Answer<'a, bool> {
        self.request(Ask::on("delete", kind, namespace, name), move |state, key| {
            state.expect_version(&key, version)?;
            state.delete(&key, uid)
        })
    }

    fn delete<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
    ) -> Answer<'a, bool> {
        self.request(Ask::on("delete", kind, namespace, name), move |state, key| {
            state.delete(&key, uid)
        })
    }

    /// The same cluster with the account's name on every request; whoever judges them may care.
    fn act_as<'a>(&'a self, account: &'a Account<'a>) -> Answer<'a, Acting> {
        Box::pin(async move {
            let none = || WorldError::new(ErrorKind::Internal, &self.name, "accounts are not built in");
            let kind = builtin("ServiceAccount").ok_or_else(none)?;
            let ask = Ask::on("token", &kind, Some(account.namespace), account.name);
            let there = self.request(ask, |state, key| Ok(state.show(&key).is_some()));
            if !there.await? {
                let message = format!("serviceaccounts \"{}\" not found", account.name);
                return Err(WorldError::new(ErrorKind::NotFound, &self.name, message));
            }
            let user = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
            Ok(Acting {
                cluster: Arc::new(Self {
                    user: Some(user),
                    ..self.clone()
                }),
                lifetime_s: account.lifetime_s,
            })
        })
    }

    /// There are no rights here: everybody may everything.
    fn may<'a>(&'a self, _: &'a Right<'a>) -> Answer<'a, bool> {
        self.request(Ask::plain("may"), |_, _| Ok(true))
    }
}

/// A merge patch of some parts of an object; `metadata.resourceVersion` in it is a precondition.
fn patch_object(state: &mut State, key: &Key, patch: &Value, parts: &[&str]) -> Result<Value, WorldError> {
    let expected = patch.pointer("/metadata/resourceVersion").cloned();
    let mut patch = patch.clone();
    if let Some(map) = patch.as_object_mut() {
        map.retain(|name, _| parts.contains(&name.as_str()));
    }
    if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
        metadata.remove("resourceVersion");
    }
    state.update(key, &mut |object, owners| {
        if expected
            .as_ref()
            .is_some_and(|version| object["metadata"]["resourceVersion"] != *version)
        {
            return Err(
                "the object has been modified; please apply your changes to the latest version and try again"
                    .into(),
            );
        }
        merge::patch(object, owners, &patch, &format!("{MANAGER}/Update"));
        Ok(())
    })
}

impl State {
    /// Whether a kind has its status apart: built-in ones that have one at all, custom ones by definition.
    fn has_status(&self, kind: &ApiKind) -> bool {
        let definition = Key::new(
            "customresourcedefinitions.apiextensions.k8s.io",
            "",
            &kind.resource(),
        );
        let Some(definition) = self.get(&definition) else {
            return !matches!(
                kind.kind.as_str(),
                "ConfigMap" | "Secret" | "ServiceAccount" | "Role" | "RoleBinding"
            );
        };
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
        versions.into_iter().flatten().any(|version| {
            version["name"] == kind.version && version.pointer("/subresources/status").is_some()
        })
    }

    fn expect_version(&self, key: &Key, version: &str) -> Result<(), WorldError> {
        let has = self
            .get(key)
            .and_then(|object| object.pointer("/metadata/resourceVersion")?.as_str());
        if has.is_none_or(|has| has == version) {
            return Ok(());
        }
        let has = has.unwrap_or_default();
        let message = format!(
            "Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {has}"
        );
        Err(self.refuse(ErrorKind::Conflict, message))
    }

    /// The served kind of an object that somebody brings.
    fn kind_of(&self, object: &Value) -> Result<ApiKind, WorldError> {
        let (version, kind) = (&object["apiVersion"], &object["kind"]);
        let fits = |served: &ApiKind| *version == served.api_version() && *kind == served.kind;
        let custom = || {
            self.served()
                .into_iter()
                .map(|one| one.kind)
                .find(|one| fits(one))
        };
        kind.as_str()
            .and_then(builtin)
            .filter(|one| fits(one))
            .or_else(custom)
            .ok_or_else(|| {
                self.refuse(
                    ErrorKind::NotFound,
                    format!("no matches for kind {kind} in version {version}"),
                )
            })
    }
}
