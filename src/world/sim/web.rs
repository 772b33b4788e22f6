//! The network of the embedded world: `http://<site>.embedded/<namespace>/healthz`.
//!
//! It answers from the live Deployment `web` of that namespace, so that a probe proves something.
//! Every other address goes to the real network, where there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Pace;
use super::cluster::SimCluster;
use super::controllers::wanted;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;
use crate::world::port::{Answer, Page, Web};

/// The network of the embedded world.
#[derive(Clone)]
pub struct SimWeb {
    clusters: BTreeMap<String, SimCluster>,
    pace: Pace,
    beyond: Option<Arc<dyn Web>>,
}

impl SimWeb {
    pub(super) fn new(clusters: BTreeMap<String, SimCluster>, pace: Pace) -> Self {
        Self {
            clusters,
            pace,
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
