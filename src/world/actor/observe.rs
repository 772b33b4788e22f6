//! Answers queries. What is answered holds nothing that changes by itself: see [`crate::effect::Seen`].

use serde_json::Value;

use super::World;
use super::marks::{label, number, text};
use crate::effect::{Counts, ErrorKind, Seen, WorkloadSeen, WorldError};
use crate::objects::{ObjectId, builtin, sighting};

impl World {
    pub(super) async fn see_site(&self, site: &str) -> Result<Seen, WorldError> {
        Ok(Seen::Site(self.site(site)?.cluster.identity().await?))
    }

    /// It is there if it answers a listing; one of a key that is nobody's costs the least.
    pub(super) async fn see_store(&self, store: &str) -> Result<Seen, WorldError> {
        self.store(store)?.list("backups/.lifeboat").await?;
        Ok(Seen::Store)
    }

    pub(super) async fn see_object(&self, site: &str, id: &ObjectId) -> Result<Seen, WorldError> {
        let found = self.site(site)?.get(id).await?;
        Ok(Seen::Object(found.as_ref().map(sighting)))
    }

    pub(super) async fn see_namespaces(&self, site: &str, names: &[String]) -> Result<Seen, WorldError> {
        let site = self.site(site)?;
        let mut there = Vec::new();
        for name in names {
            if site.get(&ObjectId::namespace(name)).await?.is_some() {
                there.push(name.clone());
            }
        }
        Ok(Seen::Namespaces(there))
    }

    pub(super) async fn see_workloads(
        &self,
        site: &str,
        namespace: &str,
        kind: &str,
        name: Option<&str>,
        selector: &[(String, String)],
    ) -> Result<Seen, WorldError> {
        let site = self.site(site)?;
        let kind = builtin(kind)
            .ok_or_else(|| site.error(ErrorKind::Rejected, format!("{kind} has no replicas to count")))?;
        let found = match name {
            Some(name) => Vec::from_iter(site.cluster.get(&kind, Some(namespace), name).await?),
            None => site.cluster.list(&kind, Some(namespace)).await?,
        };
        let fits = |object: &&Value| {
            selector
                .iter()
                .all(|(name, value)| label(object, name) == Some(value))
        };
        let mut workloads: Vec<WorkloadSeen> = found.iter().filter(fits).filter_map(workload).collect();
        workloads.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Seen::Workloads(workloads))
    }

    pub(super) async fn see_prefix(&self, store: &str, prefix: &str) -> Result<Seen, WorldError> {
        let entries = self.store(store)?.list(prefix).await?;
        Ok(Seen::Counts(Counts {
            count: entries.len() as u64,
            bytes: Some(entries.iter().map(|entry| entry.size).sum()),
            ..Counts::default()
        }))
    }
}

fn workload(object: &Value) -> Option<WorkloadSeen> {
    let id = ObjectId::of(object)?;
    let replicas = number(object, "/spec/replicas").unwrap_or(1);
    debug_assert!(!text(object, "/metadata/name").is_empty(), "it has an id");
    Some(WorkloadSeen {
        id,
        replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
    })
}
