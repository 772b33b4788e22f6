//! Which kinds an embedded cluster serves: the built-in ones, and those of its
//! `CustomResourceDefinition`s once they are established.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::objects::{ApiKind, builtin, hold_kinds};

/// One kind with all the versions in which it can be asked for.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// In its preferred version.
    pub(super) kind: ApiKind,
    versions: BTreeSet<String>,
}

impl Served {
    /// Whether a request for this kind is answered at all.
    pub(super) fn answers(&self, asked: &ApiKind) -> bool {
        self.kind.group == asked.group
            && self.kind.plural == asked.plural
            && self.versions.contains(&asked.version)
    }
}

/// The built-in kinds, and admission policies, which older servers do not have; what a real cluster serves besides
/// is not simulated.
pub(super) fn builtins() -> Vec<Served> {
    let always = NAMES.iter().filter_map(|name| builtin(name));
    always
        .chain(hold_kinds())
        .map(|kind| Served {
            versions: BTreeSet::from([kind.version.clone()]),
            kind,
        })
        .collect()
}

/// The kind that a `CustomResourceDefinition` defines; `None` while it is not established.
pub(super) fn custom(crd: &Value) -> Option<Served> {
    let established = crd
        .pointer("/status/conditions")?
        .as_array()?
        .iter()
        .any(|one| one["type"] == "Established" && one["status"] == "True");
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let versions = crd.pointer("/spec/versions")?.as_array()?;
    let served = versions.iter().filter(|one| one["served"] == true);
    let names: Vec<String> = served
        .filter_map(|one| one["name"].as_str().map(str::to_owned))
        .collect();
    let kind = ApiKind {
        group: text("/spec/group")?,
        version: names.first()?.clone(),
        kind: text("/spec/names/kind")?,
        plural: text("/spec/names/plural")?,
        namespaced: crd.pointer("/spec/scope")? == "Namespaced",
    };
    established.then(|| Served {
        kind,
        versions: names.into_iter().collect(),
    })
}

/// Names that [`builtin`] knows.
const NAMES: &[&str] = &[
    "Namespace",
    "Pod",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "ResourceQuota",
    "LimitRange",
    "Node",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "CronJob",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "PriorityClass",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Lease",
    "EndpointSlice",
    "ControllerRevision",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "CustomResourceDefinition",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_a_kind() {
        assert_eq!(builtins().len(), NAMES.len() + hold_kinds().len());
    }

    #[test]
    fn a_definition_serves_its_kind_only_when_established() {
        let mut crd = serde_json::json!({
            "spec": {
                "group": "shop.example", "scope": "Namespaced",
                "names": { "kind": "Campaign", "plural": "campaigns" },
                "versions": [
                    { "name": "v2", "served": true }, { "name": "v1", "served": true },
                    { "name": "v0", "served": false },
                ],
            },
        });
        assert!(custom(&crd).is_none());
        crd["status"] = serde_json::json!({ "conditions": [{ "type": "Established", "status": "True" }] });
        let served = custom(&crd).expect("served");
        assert_eq!(served.kind.resource(), "campaigns.shop.example");
        let asked = |version: &str| ApiKind {
            version: version.into(),
            ..served.kind.clone()
        };
        assert_eq!(
            [served.answers(&asked("v1")), served.answers(&asked("v0"))],
            [true, false]
        );
    }
}
