//! Answers [`crate::effect::Query::Capacity`]: what nodes have left, and which pods come back when a hold ends.
//!
//! ## Why
//!
//! - **Pods are read page by page**: of all that a cluster has, only sums are kept.
//! - **A list that is refused is no empty list**: then the question has no answer.

use serde_json::Value;

use super::World;
use super::hold::kind_of;
use super::marks::annotation;
use super::site::Site;
use super::wake::workloads;
use crate::effect::{ErrorKind, Seen, WorldError};
use crate::objects::{Coming, Defaults, HELD_BY, Nodes, ObjectId, is_held, pods_had, pods_wanted};
use crate::world::port::{Listing, PAGE};

/// A listing of pods that the server forgets before it was read to its end is begun anew so often.
const LISTINGS: u32 = 3;

impl World {
    pub(super) async fn see_capacity(&self, site: &str, held: &[String]) -> Result<Seen, WorldError> {
        let site = self.site(site)?;
        let nodes = site.cluster.list(&kind_of(&site, "Node")?, None).await?;
        let mut nodes = with_pods(&site, &nodes).await?;
        if grows(&site).await {
            nodes.growers.push("Cluster Autoscaler".to_owned());
        }
        let mut coming = Coming::default();
        for namespace in held {
            coming.join(&comes_back(&site, namespace).await?);
        }
        Ok(Seen::Capacity(Box::new((nodes, coming))))
    }
}

/// What nodes have left beside all pods that are there.
async fn with_pods(site: &Site<'_>, nodes: &[Value]) -> Result<Nodes, WorldError> {
    for _ in 0..LISTINGS {
        let mut found = Nodes::of(nodes, []);
        if nodes.is_empty() || all_pods(site, &mut found).await? {
            return Ok(found);
        }
    }
    Err(site.error(
        ErrorKind::NotYet,
        "its pods change faster than they can be listed",
    ))
}

/// `false`: the server has forgotten the state that the first page showed.
async fn all_pods(site: &Site<'_>, found: &mut Nodes) -> Result<bool, WorldError> {
    let listing = Listing {
        kind: kind_of(site, "Pod")?,
        namespace: None,
        labels: None,
        limit: PAGE,
    };
    let take = |pod: serde_json::Result<Value>| {
        let pod = pod.map_err(|error| site.error(ErrorKind::Damaged, error.to_string()))?;
        found.note_pod(&pod);
        Ok(())
    };
    site.each(listing, take).await
}

/// The Cluster Autoscaler says here how it is. That nothing is there proves nothing, and so does a refusal.
async fn grows(site: &Site<'_>) -> bool {
    let status = ObjectId {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: Some("kube-system".into()),
        name: "cluster-autoscaler-status".into(),
    };
    matches!(site.get(&status).await, Ok(Some(_)))
}

/// The pods that workloads of a namespace lack because it is held.
async fn comes_back(site: &Site<'_>, namespace: &str) -> Result<Coming, WorldError> {
    let mut coming = Coming::default();
    let found = site
        .cluster
        .get(&kind_of(site, "Namespace")?, None, namespace)
        .await?;
    if !found.is_some_and(|found| is_held(&found) || annotation(&found, HELD_BY).is_some()) {
        return Ok(coming);
    }
    let (workloads, pods) = workloads(site, namespace).await?;
    for (_, workload) in workloads {
        let lacks = pods_wanted(&workload).saturating_sub(pods_had(&workload, &pods));
        if let Some(id) = ObjectId::of(&workload) {
            coming.bring(&id, lacks, &workload, &Defaults::default());
        }
    }
    Ok(coming)
}
