//! A real Kubernetes API server, as [`Cluster`].
//!
//! A thin layer over one HTTP request at a time; it decides nothing, retries nothing and keeps nothing
//! between two calls. `wire` sends, `error` reads refusals, `config` finds the way, `list` and
//! `discover` read many pages.
//!
//! ## Why
//!
//! - **"Not there" is only what the API server itself says.** A 404 without a `Status` body means that
//!   this *kind* is not served (or that this is no API server): an error, never an absent object.
//! - **Unknown fields are refused** (`fieldValidation=Strict`), as kubectl does: the server would
//!   otherwise drop them without a word, and a restore would lose what nobody notices.
//! - **Deleting names the uid** in a precondition, so that an object of the same name made since is
//!   safe. Dependents are removed in the background, as kubectl does.

mod account;
mod call;
mod config;
mod discover;
mod error;
mod list;
mod login;
mod path;
mod run;
mod wire;

#[cfg(test)]
mod live_fence_tests;
#[cfg(test)]
mod live_run_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;

use std::path::Path;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use self::call::{Call, Reply};
use self::error::Status;
use self::wire::Wire;
use super::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Listed, Listing, MANAGER, Right, Trial,
};
use crate::effect::{ErrorKind, SiteSeen, WorldError};
use crate::objects::ApiKind;

/// A connection to one API server.
pub struct KubeCluster {
    wire: Wire,
}

impl KubeCluster {
    /// Connects `site` by a context of a kubeconfig (`None`: what `KUBECONFIG` says, else
    /// `~/.kube/config`). Sends nothing yet, but runs the kubeconfig's login program.
    ///
    /// # Errors
    ///
    /// `NotFound`: the file or the context; `Unauthenticated`: the login program failed; `Internal`:
    /// the file cannot be used.
    pub async fn connect(site: &str, kubeconfig: Option<&Path>, context: &str) -> Result<Self, WorldError> {
        let wire = config::connect(site, kubeconfig, context).await?;
        Ok(Self { wire })
    }

    async fn identify(&self) -> Result<SiteSeen, WorldError> {
        let path = "/api/v1/namespaces/kube-system".to_owned();
        let call = Call::new(Method::GET, "get", "namespaces/kube-system", None, path);
        let (_, namespace): (_, Value) = self.wire.json(&call).await?;
        let (_, version): (_, Value) = self.wire.json(&Call::get("/version")).await?;
        let text = |value: &Value, pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| {
                self.wire
                    .error(ErrorKind::Damaged, format!("the answer has no {pointer}"))
            })
        };
        Ok(SiteSeen {
            uid: text(&namespace, "/metadata/uid")?,
            version: text(&version, "/gitVersion")?,
            server: self.wire.server.clone(),
        })
    }

    async fn read(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, WorldError> {
        let path = self.object(kind, namespace, name, None)?;
        let call = Call::new(Method::GET, "get", &kind.resource(), namespace, path);
        let reply = self.wire.send(&call).await?;
        if absent(&reply) {
            return Ok(None);
        }
        self.value(&call, &reply).map(Some)
    }

    async fn post(&self, kind: &ApiKind, object: &Value) -> Result<Value, WorldError> {
        let (namespace, _) = self.names(kind, object)?;
        let collection = path::collection(kind, namespace);
        let path = format!("{collection}?fieldManager={MANAGER}&fieldValidation=Strict");
        let call = Call::new(Method::POST, "create", &kind.resource(), namespace, path)
            .body("application/json", object);
        self.wire.json(&call).await.map(|(_, object)| object)
    }

    /// The server checks all of an object before it looks whether the name is taken.
    async fn post_checked(&self, kind: &ApiKind, object: &Value) -> Result<(), WorldError> {
        let (namespace, _) = self.names(kind, object)?;
        let collection = path::collection(kind, namespace);
        let path = format!("{collection}?dryRun=All&fieldManager={MANAGER}&fieldValidation=Strict");
        let call = Call::new(Method::POST, "create", &kind.resource(), namespace, path)
            .body("application/json", object);
        match self.wire.json::<Value>(&call).await {
            Err(error) if error.kind != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }

    /// Every way to change, with the server's own word for "only tell": nothing reaches storage.
    async fn try_change(&self, kind: &ApiKind, trial: Trial<'_>) -> Result<(), WorldError> {
        const DRY: &str = "dryRun=All&fieldValidation=Strict";
        let (method, verb, namespace, path, content, body) = match trial {
            Trial::Apply { object, force } => {
                let (namespace, name) = self.names(kind, object)?;
                let path = self.object(kind, namespace, name, None)?;
                let path = format!("{path}?{DRY}&fieldManager={MANAGER}&force={force}");
                let content = "application/apply-patch+yaml";
                (Method::PATCH, "patch", namespace, path, content, object.clone())
            }
            Trial::Patch {
                namespace,
                name,
                subresource,
                patch,
            } => {
                let path = self.object(kind, namespace, name, subresource)?;
                let path = format!("{path}?{DRY}&fieldManager={MANAGER}");
                let content = "application/merge-patch+json";
                (Method::PATCH, "patch", namespace, path, content, patch.clone())
            }
            Trial::Delete { namespace, name, uid } => {
                let path = self.object(kind, namespace, name, None)?;
                let mut options = delete_options(uid, None);
                options["dryRun"] = json!(["All"]);
                (
                    Method::DELETE,
                    "delete",
                    namespace,
                    path,
                    "application/json",
                    options,
                )
            }
        };
        let call = Call::new(method, verb, &kind.resource(), namespace, path).body(content, &body);
        self.wire.json::<Value>(&call).await.map(|_| ())
    }

    async fn apply_once(&self, kind: &ApiKind, object: &Value, force: bool) -> Result<Applied, WorldError> {
        let (namespace, name) = self.names(kind, object)?;
        let path = self.object(kind, namespace, name, None)?;
        let path = format!("{path}?fieldManager={MANAGER}&force={force}&fieldValidation=Strict");
        let call = Call::new(Method::PATCH, "patch", &kind.resource(), namespace, path)
            // JSON is YAML, and no server has to guess about types.
            .body("application/apply-patch+yaml", object);
        let (status, object) = self.wire.json(&call).await?;
        Ok(Applied {
            object,
            created: status == StatusCode::CREATED,
        })
    }

    async fn merge(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<&str>,
        patch: &Value,
    ) -> Result<Value, WorldError> {
        let url = self.object(kind, namespace, name, subresource)?;
        let url = format!("{url}?fieldManager={MANAGER}&fieldValidation=Strict");
        let call = Call::new(Method::PATCH, "patch", &kind.resource(), namespace, url)
            .body("application/merge-patch+json", patch);
        self.wire.json(&call).await.map(|(_, object)| object)
    }

    async fn remove(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        uid: &str,
        version: Option<&str>,
    ) -> Result<bool, WorldError> {
        let path = self.object(kind, namespace, name, None)?;
        let options = delete_options(uid, version);
        let call = Call::new(Method::DELETE, "delete", &kind.resource(), namespace, path)
            .body("application/json", &options);
        let reply = self.wire.send(&call).await?;
        if absent(&reply) {
            return Ok(false);
        }
        self.value(&call, &reply).map(|_| true)
    }

    /// The JSON of a 2xx answer, or the error that any other is.
    fn value(&self, call: &Call, reply: &Reply) -> Result<Value, WorldError> {
        if reply.status.is_success() {
            self.wire.read(call, reply)
        } else {
            Err(self.wire.refused(call, reply))
        }
    }

    /// The path of one object. A namespaced kind without a namespace would be another request.
    fn object(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<&str>,
    ) -> Result<String, WorldError> {
        if name.is_empty() || kind.namespaced && namespace.is_none_or(str::is_empty) {
            let message = format!("{} `{name}` needs a name and a namespace", kind.kind);
            return Err(self.wire.error(ErrorKind::Internal, message));
        }
        Ok(path::object(kind, namespace, name, subresource))
    }

    /// Namespace and name of an object that is to be sent. A name is required: one that the server
    /// generates could not be looked for after a lost reply.
    fn names<'a>(&self, kind: &ApiKind, object: &'a Value) -> Result<(Option<&'a str>, &'a str), WorldError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let name = text("/metadata/name").unwrap_or_default();
        let namespace = text("/metadata/namespace");
        self.object(kind, namespace, name, None)?;
        Ok((namespace.filter(|_| kind.namespaced), name))
    }
}

fn delete_options(uid: &str, version: Option<&str>) -> Value {
    let mut options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
        "propagationPolicy": "Background",
    });
    if let Some(version) = version {
        options["preconditions"]["resourceVersion"] = version.into();
    }
    options
}

/// Whether the API server itself says that the object is not there.
fn absent(reply: &Reply) -> bool {
    reply.status == StatusCode::NOT_FOUND
        && Status::read(&reply.body).is_some_and(|status| status.reason == "NotFound")
}

impl Cluster for KubeCluster {
    fn authorities(&self) -> Vec<String> {
        self.wire.authorities()
    }

    fn identity(&self) -> Answer<'_, SiteSeen> {
        Box::pin(self.identify())
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        Box::pin(discover::kinds(&self.wire))
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        Box::pin(list::all(&self.wire, kind, namespace))
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        Box::pin(list::page(&self.wire, listing, next))
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        Box::pin(self.read(kind, namespace, name))
    }

    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(self.post(kind, object))
    }

    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied> {
        Box::pin(self.apply_once(kind, object, force))
    }

    fn patch<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        subresource: Option<&'a str>,
        patch: &'a Value,
    ) -> Answer<'a, Value> {
        Box::pin(self.merge(kind, namespace, name, subresource, patch))
    }

    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed> {
        Box::pin(self.wire.run(command))
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        Box::pin(self.post_checked(kind, object))
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        Box::pin(self.try_change(kind, trial))
    }

    fn delete_unchanged<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
        version: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(self.remove(kind, namespace, name, uid, Some(version)))
    }

    fn delete<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(self.remove(kind, namespace, name, uid, None))
    }

    fn act_as<'a>(&'a self, account: &'a Account<'a>) -> Answer<'a, Acting> {
        Box::pin(account::act_as(&self.wire, account))
    }

    fn may<'a>(&'a self, right: &'a Right<'a>) -> Answer<'a, bool> {
        Box::pin(account::may(&self.wire, right))
    }
}
