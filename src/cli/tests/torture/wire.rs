//! The network between one process and the sites and stores. What is sent goes its way, whatever becomes of the
//! process; and whoever it arrives at writes that down.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

use super::chronicle::{Chronicle, Happening, Name};
use super::fence::Badge;
use super::weather::{Fate, Sort, Weather};
use crate::effect::{ErrorKind, SiteSeen, WorldError};
use crate::objects::{ApiKind, builtin};
use crate::run::Shelf;
use crate::world::StoreShelf;
use crate::world::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Listed, Listing, Right, Trial,
};
use crate::world::sim::{Embedded, SimCluster};

tokio::task_local! {
    /// For which attempt the present task sends its requests.
    pub(super) static NAME: Name;
}

/// A process's end of all wires.
#[derive(Clone)]
pub(super) struct Plug {
    pub(super) who: String,
    pub(super) weather: Arc<Weather>,
    pub(super) chronicle: Chronicle,
}

pub(super) async fn pass(ms: u64) {
    tokio::time::sleep_until(Instant::now() + Duration::from_millis(ms)).await;
}

impl Plug {
    fn error(kind: ErrorKind, place: &str, message: &str) -> WorldError {
        WorldError::new(kind, place, message)
    }

    /// Sends one request and waits for its answer, or for what becomes of it.
    pub(super) async fn send<T: Send + 'static>(
        &self,
        place: &str,
        sort: Sort,
        request: impl Future<Output = Result<T, WorldError>> + Send + 'static,
    ) -> Result<T, WorldError> {
        let lost = || Self::error(ErrorKind::LostReply, place, "connection reset");
        let arrives = |after_ms: u64| {
            tokio::spawn(async move {
                pass(after_ms).await;
                request.await
            })
        };
        let broke =
            |error: tokio::task::JoinError| WorldError::new(ErrorKind::Internal, place, error.to_string());
        match self.weather.fate(&self.who, place, sort) {
            Fate::Arrives(ms) | Fate::Stale(ms) => arrives(ms).await.map_err(broke)?,
            Fate::Unreachable => {
                pass(20).await;
                Err(Self::error(ErrorKind::Unreachable, place, "connection refused"))
            }
            Fate::Busy => {
                pass(3).await;
                Err(Self::error(ErrorKind::Busy, place, "slow down"))
            }
            Fate::LostBefore => {
                pass(1_000).await;
                Err(lost())
            }
            Fate::LostAfter(ms) => {
                arrives(ms).await.map_err(broke)?.ok();
                pass(1_000).await;
                Err(lost())
            }
            Fate::Held(ms) => {
                drop(arrives(ms));
                pass(ms.min(2_000)).await;
                Err(lost())
            }
            Fate::EmptyConflict => {
                pass(3).await;
                Err(Self::error(
                    ErrorKind::Conflict,
                    place,
                    "conflicting operation, nothing was written",
                ))
            }
        }
    }
}

/// A site at the other end of a process's wire.
pub(super) struct WiredCluster {
    pub(super) plug: Plug,
    pub(super) site: String,
    pub(super) world: Embedded,
    /// As whom it acts there, where the site is fenced.
    pub(super) badge: Option<Badge>,
}

impl WiredCluster {
    fn there(&self) -> SimCluster {
        self.world.cluster(&self.site).unwrap().clone()
    }

    fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(SimCluster) -> BoxFuture<'static, Result<T, WorldError>> + Send + 'static,
    ) -> Answer<'_, T> {
        let there = self.there();
        self.plug
            .send(&self.site, Sort::Read, async move { ask(there).await })
            .boxed()
    }

    fn change<T: Send + 'static>(
        &self,
        request: &str,
        changed: fn(&T) -> bool,
        ask: impl FnOnce(SimCluster) -> BoxFuture<'static, Result<T, WorldError>> + Send + 'static,
    ) -> Answer<'_, T> {
        let there = self.there();
        let (who, chronicle, world) = (
            self.plug.who.clone(),
            self.plug.chronicle.clone(),
            self.world.clone(),
        );
        let name = NAME.try_with(Clone::clone).unwrap_or_default();
        let request = format!("{} {request}", self.site);
        let sent_ms = chronicle.now_ms();
        let (site, badge) = (self.site.clone(), self.badge.clone());
        let epoch = badge.as_ref().map_or(0, Badge::epoch);
        let arriving = async move {
            let refused = badge.and_then(|badge| badge.guard.lets_in(&site, epoch).err());
            let answer = match refused {
                Some(refused) => Err(refused),
                None => ask(there).await,
            };
            let committed = answer.as_ref().is_ok_and(changed);
            let arrived = Happening::Arrived {
                name,
                request,
                sent_ms,
                committed,
                both_serve: serves(&world, "east") && serves(&world, "west"),
            };
            chronicle.write(&who, arrived);
            answer
        };
        self.plug.send(&self.site, Sort::Change, arriving).boxed()
    }
}

/// Whether a site is told to serve customers.
fn serves(world: &Embedded, site: &str) -> bool {
    let web = builtin("Deployment").and_then(|kind| world.cluster(site)?.peek(&kind, Some("shop"), "web"));
    web.is_some_and(|web| web.pointer("/spec/replicas").and_then(Value::as_u64) != Some(0))
}

fn on(kind: &ApiKind, namespace: Option<&str>, name: &str) -> String {
    format!("{} {}/{name}", kind.resource(), namespace.unwrap_or(""))
}

fn named(kind: &ApiKind, object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    on(
        kind,
        text("/metadata/namespace"),
        text("/metadata/name").unwrap_or(""),
    )
}

/// Borrowed arguments become the request's own: it may outlive who sent it.
macro_rules! sent {
    (|$there:ident $(, $own:ident)*| $ask:expr) => {{
        $(let $own = $own.to_owned();)*
        move |$there: SimCluster| async move { $ask.await }.boxed()
    }};
}

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

impl Cluster for WiredCluster {
    fn identity(&self) -> Answer<'_, SiteSeen> {
        self.read(sent!(|there| there.identity()))
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        self.read(sent!(|there| there.discover()))
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        let namespace = own(namespace);
        self.read(sent!(|there, kind| there.list(&kind, namespace.as_deref())))
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        let next = own(next);
        self.read(sent!(|there, listing| there.page(&listing, next.as_deref())))
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        let namespace = own(namespace);
        self.read(sent!(|there, kind, name| there.get(
            &kind,
            namespace.as_deref(),
            &name
        )))
    }

    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value> {
        let request = format!("create {}", named(kind, object));
        self.change(
            &request,
            |_| true,
            sent!(|there, kind, object| there.create(&kind, &object)),
        )
    }

    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied> {
        let request = format!("apply {}", named(kind, object));
        self.change(
            &request,
            |_| true,
            sent!(|there, kind, object| there.apply(&kind, &object, force)),
        )
    }

    fn patch<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        subresource: Option<&'a str>,
        patch: &'a Value,
    ) -> Answer<'a, Value> {
        let request = format!("patch {} {}", on(kind, namespace, name), patch["spec"]);
        let (namespace, subresource) = (own(namespace), own(subresource));
        self.change(
            &request,
            |_| true,
            sent!(|there, kind, name, patch| there.patch(
                &kind,
                namespace.as_deref(),
                &name,
                subresource.as_deref(),
                &patch
            )),
        )
    }

    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed> {
        let request = format!("exec {}", command.argv.join(" "));
        let (namespace, pod) = (command.namespace.to_owned(), command.pod.to_owned());
        let (container, argv) = (own(command.container), command.argv.to_vec());
        let ask = move |there: SimCluster| {
            async move {
                let command = Command {
                    namespace: &namespace,
                    pod: &pod,
                    container: container.as_deref(),
                    argv: &argv,
                };
                there.run(&command).await
            }
            .boxed()
        };
        self.change(&request, |_| true, ask)
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        self.read(sent!(|there, kind, object| there.check_create(&kind, &object)))
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        Box::pin(async move { self.there().check_change(kind, trial).await })
    }

    fn delete_unchanged<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
        version: &'a str,
    ) -> Answer<'a, bool> {
        let request = format!("delete {}", on(kind, namespace, name));
        let namespace = own(namespace);
        self.change(
            &request,
            |gone| *gone,
            sent!(|there, kind, name, uid, version| there.delete_unchanged(
                &kind,
                namespace.as_deref(),
                &name,
                &uid,
                &version
            )),
        )
    }

    fn delete<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
    ) -> Answer<'a, bool> {
        let request = format!("delete {}", on(kind, namespace, name));
        let namespace = own(namespace);
        self.change(
            &request,
            |gone| *gone,
            sent!(|there, kind, name, uid| there.delete(&kind, namespace.as_deref(), &name, &uid)),
        )
    }

    fn act_as<'a>(&'a self, _: &'a Account<'a>) -> Answer<'a, Acting> {
        Box::pin(std::future::ready(Err(unfenced())))
    }

    fn may<'a>(&'a self, _: &'a Right<'a>) -> Answer<'a, bool> {
        Box::pin(std::future::ready(Err(unfenced())))
    }
}

/// The accounts of epochs are played by [`super::fence`], and not by the cluster.
fn unfenced() -> WorldError {
    WorldError::new(ErrorKind::Rejected, "wire", "no accounts of epochs are had here")
}

/// A mirror at the other end of a process's wire.
pub(super) struct WiredShelf {
    pub(super) plug: Plug,
    pub(super) shelf: StoreShelf,
}

impl Shelf for WiredShelf {
    fn name(&self) -> &str {
        self.shelf.name()
    }

    fn address(&self) -> String {
        self.shelf.address()
    }

    fn create<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), WorldError>> {
        let (inner, key) = (self.shelf.clone(), key.to_owned());
        let request = async move { inner.create(&key, bytes).await };
        self.plug.send(self.shelf.name(), Sort::Create, request).boxed()
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes, WorldError>> {
        let (inner, key) = (self.shelf.clone(), key.to_owned());
        let request = async move { inner.read(&key).await };
        self.plug.send(self.shelf.name(), Sort::Read, request).boxed()
    }

    fn keys<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        let (inner, prefix) = (self.shelf.clone(), prefix.to_owned());
        let place = self.shelf.name();
        Box::pin(async move {
            let request = async move { inner.keys(&prefix).await };
            let mut keys = self.plug.send(place, Sort::Read, request).await?;
            if let Fate::Stale(_) = self.plug.weather.fate(&self.plug.who, place, Sort::List) {
                keys.pop();
            }
            Ok(keys)
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        let (inner, prefix) = (self.shelf.clone(), prefix.to_owned());
        let request = async move { inner.folders(&prefix).await };
        self.plug.send(self.shelf.name(), Sort::Read, request).boxed()
    }
}
