//! The network of the embedded world: `http://<site>.embedded/<namespace>/healthz`.
//!
//! It answers from the live Deployment `web` of that namespace, so that a probe proves something. What is
//! posted to `http://<site>.embedded/<namespace>/hooks/<name>` is taken while `web` is well, and kept for whoever
//! wants to see what arrived. Every other address goes to the real network, where there is one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Pace;
use super::cluster::SimCluster;
use super::controllers::wanted;
use super::fault::Faults;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;
use crate::world::port::{Answer, Outgoing, Page, Web};

/// A request that may change something, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebCall {
    /// `POST http://east.embedded/shop/hooks/freeze`.
    pub line: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
    /// What was sent.
    pub body: String,
    /// It was done, whatever the caller heard of it.
    pub done: bool,
}

/// What has arrived. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<WebCall>>>);

impl Calls {
    pub(super) fn all(&self) -> Vec<WebCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As many, and from here on others.
    pub(super) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.all())))
    }

    fn keep(&self, call: WebCall) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// The network of the embedded world.
#[derive(Clone)]
pub struct SimWeb {
    clusters: BTreeMap<String, SimCluster>,
    pace: Pace,
    faults: Faults,
    calls: Calls,
    beyond: Option<Arc<dyn Web>>,
}

impl SimWeb {
    pub(super) fn new(
        clusters: BTreeMap<String, SimCluster>,
        pace: Pace,
        faults: Faults,
        calls: Calls,
    ) -> Self {
        Self {
            clusters,
            pace,
            faults,
            calls,
            beyond: None,
        }
    }

    /// The same, with a network for all addresses that are not of this world.
    #[must_use]
    pub fn with(mut self, beyond: Arc<dyn Web>) -> Self {
        self.beyond = Some(beyond);
        self
    }

    /// The cluster of a host such as `west.embedded`.
    fn cluster(&self, host: &str) -> Option<&SimCluster> {
        let host = host.split(':').next().unwrap_or(host);
        self.clusters.get(host.strip_suffix(".embedded")?)
    }

    fn page(&self, url: &str) -> Option<Page> {
        let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
        let cluster = self.cluster(host)?;
        Some(match path.strip_suffix("/healthz") {
            Some(namespace) => health(cluster, namespace),
            None => answer(404, "not found"),
        })
    }

    /// The answer to a request for a hook of this world, with its fault; `None`: it is not of this world.
    fn hook(&self, request: &Outgoing) -> Option<Result<Page, WorldError>> {
        let (host, path) = request.url.strip_prefix("http://")?.split_once('/')?;
        let cluster = self.cluster(host)?;
        let place = host.split('.').next().unwrap_or(host);
        let fault = self.faults.meet(place, "call", path);
        let page = match path.split_once("/hooks/") {
            Some((namespace, _)) => health(cluster, namespace),
            None => answer(404, "not found"),
        };
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        self.calls.keep(WebCall {
            line: format!("{request:?}"),
            key: header("idempotency-key"),
            body: request.body.clone(),
            done: page.status == 200 && fault.is_none_or(super::fault::FaultError::commits),
        });
        Some(fault.map_or(Ok(page), |fault| Err(fault.error(place))))
    }
}

/// What the service's own front says: it is well if as many replicas are ready as are wanted.
fn health(cluster: &SimCluster, namespace: &str) -> Page {
    let web = builtin("Deployment").and_then(|kind| cluster.peek(&kind, Some(namespace), "web"));
    let Some(web) = web else {
        return answer(503, "no web");
    };
    let ready = web
        .pointer("/status/readyReplicas")
        .and_then(serde_json::Value::as_u64);
    match (ready.unwrap_or(0), wanted(&web)) {
        (ready, wanted) if ready == wanted && wanted >= 1 => answer(200, "ok"),
        (ready, wanted) => answer(503, &format!("{ready} of {wanted} ready")),
    }
}

fn answer(status: u16, body: &str) -> Page {
    Page {
        status,
        retry_after_ms: None,
        body: body.to_owned(),
    }
}

fn nobody(address: &str) -> WorldError {
    WorldError::new(ErrorKind::Unreachable, address, "connection refused")
}

impl Web for SimWeb {
    fn get<'a>(&'a self, url: &'a str) -> Answer<'a, Page> {
        Box::pin(async move {
            self.pace.request().await;
            match (self.page(url), &self.beyond) {
                (Some(page), _) => Ok(page),
                (None, Some(beyond)) => beyond.get(url).await,
                (None, None) => Err(nobody(url)),
            }
        })
    }

    fn send<'a>(&'a self, request: &'a Outgoing) -> Answer<'a, Page> {
        Box::pin(async move {
            self.pace.request().await;
            match (self.hook(request), &self.beyond) {
                (Some(answered), _) => answered,
                (None, Some(beyond)) => beyond.send(request).await,
                (None, None) => Err(nobody(&request.url)),
            }
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.pace.request().await;
            match (self.cluster(address), &self.beyond) {
                (Some(_), _) => Ok(()),
                (None, Some(beyond)) => beyond.connect(address).await,
                (None, None) => Err(nobody(address)),
            }
        })
    }
}
