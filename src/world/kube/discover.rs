//! Which kinds a server serves.
//!
//! ## Why
//!
//! - **All or nothing.** A kind that is missing here is missing in a backup, and nobody notices. So a
//!   group whose server does not answer is an error, although most clients skip it with a warning.
//! - **A kind's preferred version, not its group's.** The group `gateway.networking.k8s.io` prefers
//!   `v1`, but serves `TCPRoute` only in `v1alpha2`: each kind is taken from the first version, in the
//!   group's own order, in which it is served.
//! - **Aggregated first**: two requests (Kubernetes 1.26 and later) instead of one per group and
//!   version. A server that does not know that form answers in the old one, from which we go on.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::call::Call;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::ApiKind;

/// In order of preference; the last is the old form.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What must be possible with a kind for it to be backed up, restored and removed again.
const NEEDED: [&str; 4] = ["create", "delete", "get", "list"];

/// Every kind that can be listed and created, sorted.
pub(super) async fn kinds(wire: &Wire) -> Result<Vec<ApiKind>, WorldError> {
    kinds_of(wire, AGGREGATED).await
}

/// The same, asked for in one of these forms.
pub(super) async fn kinds_of(wire: &Wire, accept: &'static str) -> Result<Vec<ApiKind>, WorldError> {
    let mut kinds = Vec::new();
    for root in ["/api", "/apis"] {
        let call = Call::get(root).accept(accept);
        let (_, answer): (_, Answer) = wire.json(&call).await?;
        let groups = match answer {
            Answer::Aggregated { items } => items,
            Answer::Versions { versions } => core(wire, &versions).await?,
            Answer::Groups { groups } => classic(wire, &groups).await?,
        };
        for group in groups {
            kinds.extend(group.kinds(wire)?);
        }
    }
    kinds.sort();
    Ok(kinds)
}

/// The three forms in which a server may answer, told apart by its own word for them.
#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Answer {
    #[serde(rename = "APIGroupDiscoveryList")]
    Aggregated { items: Vec<Group> },
    #[serde(rename = "APIVersions")]
    Versions { versions: Vec<String> },
    #[serde(rename = "APIGroupList")]
    Groups { groups: Vec<ClassicGroup> },
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupMetadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupMetadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "version")]
    name: String,
    /// `Stale` where the answer is an old one because its server does not answer any more.
    #[serde(default)]
    freshness: Option<String>,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "resource")]
    plural: String,
    #[serde(default)]
    response_kind: Option<ResponseKind>,
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: String,
}

impl Group {
    fn kinds(self, wire: &Wire) -> Result<Vec<ApiKind>, WorldError> {
        let group = self.metadata.name;
        let mut known = BTreeSet::new();
        let mut kinds = Vec::new();
        for version in self.versions {
            if version.freshness.as_deref() == Some("Stale") {
                return Err(stale(wire, &group, &version.name));
            }
            for resource in version.resources {
                let usable = NEEDED
                    .iter()
                    .all(|verb| resource.verbs.iter().any(|has| has == verb));
                if usable && known.insert(resource.plural.clone()) {
                    kinds.extend(resource.kind(&group, &version.name));
                }
            }
        }
        Ok(kinds)
    }
}

impl Resource {
    /// `None` where the server does not say what kind it is: then nothing of it could be created.
    fn kind(self, group: &str, version: &str) -> Option<ApiKind> {
        Some(ApiKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.response_kind?.kind,
            plural: self.plural,
            namespaced: self.scope == "Namespaced",
        })
    }
}

fn stale(wire: &Wire, group: &str, version: &str) -> WorldError {
    let message = format!("not all kinds can be discovered: the server of {group}/{version} does not answer");
    wire.error(ErrorKind::Busy, message).hint(format!(
        "bring it back, or remove it if it is not needed: `kubectl get apiservice {version}.{group}`"
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClassicGroup {
    name: String,
    #[serde(default)]
    versions: Vec<ClassicVersion>,
    #[serde(default)]
    preferred_version: Option<ClassicVersion>,
}

#[derive(Deserialize)]
struct ClassicVersion {
    version: String,
}

#[derive(Deserialize)]
struct ClassicResources {
    #[serde(default)]
    resources: Vec<ClassicResource>,
}

#[derive(Deserialize)]
struct ClassicResource {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

async fn core(wire: &Wire, versions: &[String]) -> Result<Vec<Group>, WorldError> {
    let group = group(wire, "", "/api", versions.to_vec()).await?;
    Ok(vec![group])
}

async fn classic(wire: &Wire, groups: &[ClassicGroup]) -> Result<Vec<Group>, WorldError> {
    let mut read = Vec::new();
    for one in groups {
        let root = format!("/apis/{}", one.name);
        read.push(group(wire, &one.name, &root, one.in_order()).await?);
    }
    Ok(read)
}

impl ClassicGroup {
    /// The preferred version first, then as listed.
    fn in_order(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.versions.iter().map(|one| one.version.clone()).collect();
        if let Some(preferred) = &self.preferred_version {
            versions.sort_by_key(|version| *version != preferred.version);
        }
        versions
    }
}

async fn group(wire: &Wire, name: &str, root: &str, versions: Vec<String>) -> Result<Group, WorldError> {
    let mut read = Vec::new();
    for version in versions {
        let call = Call::get(&format!("{root}/{version}"));
        let answer = wire.json::<ClassicResources>(&call).await;
        let (_, list) = answer.map_err(|mut error| {
            error.message = format!("not all kinds can be discovered: {}", error.message);
            error
        })?;
        read.push(Version {
            name: version,
            freshness: None,
            resources: list
                .resources
                .into_iter()
                .filter_map(ClassicResource::modern)
                .collect(),
        });
    }
    Ok(Group {
        metadata: GroupMetadata {
            name: name.to_owned(),
        },
        versions: read,
    })
}

impl ClassicResource {
    /// The same in the aggregated form; `None` for subresources, which stand apart there.
    fn modern(self) -> Option<Resource> {
        (!self.name.contains('/')).then(|| Resource {
            plural: self.name,
            response_kind: Some(ResponseKind { kind: self.kind }),
            scope: if self.namespaced { "Namespaced" } else { "Cluster" }.to_owned(),
            verbs: self.verbs,
        })
    }
}
