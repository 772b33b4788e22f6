//! How a strategic merge patch meets the lists of built-in kinds: which are merged, and by what.
//!
//! Not here: custom kinds. They have no such keys, and an API server refuses the patch for them.

use serde_json::Value;

use crate::objects::json::{group, group_kind, pod_template};

/// How the list at a place is merged. All others are replaced as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// Entries are maps; those with equal values of this key are one.
    By(&'static str),
    /// The same, where entries of different protocols are different.
    ByPort(&'static str),
    /// Entries are plain values, each once.
    Set,
}

/// The groups that every API server brings along.
const GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// In the description of a pod.
const OF_PODS: &[(&str, Merge)] = &[
    ("/containers", Merge::By("name")),
    ("/initContainers", Merge::By("name")),
    ("/ephemeralContainers", Merge::By("name")),
    ("/volumes", Merge::By("name")),
    ("/imagePullSecrets", Merge::By("name")),
    ("/hostAliases", Merge::By("ip")),
    ("/topologySpreadConstraints", Merge::By("topologyKey")),
    ("/resourceClaims", Merge::By("name")),
    ("/schedulingGates", Merge::By("name")),
];

/// In a container.
const OF_CONTAINERS: &[(&str, Merge)] = &[
    ("/ports", Merge::ByPort("containerPort")),
    ("/env", Merge::By("name")),
    ("/volumeMounts", Merge::By("mountPath")),
    ("/volumeDevices", Merge::By("devicePath")),
];

/// What one kind says of its places.
pub(super) struct Keys {
    group: String,
    kind: String,
    /// Where it describes pods.
    pods: Option<String>,
}

impl Keys {
    /// Of the kind of this object; `None` where it is a custom one.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let (group, kind) = group_kind(object);
        GROUPS.contains(&group).then(|| Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            pods: pod_template(object).map(|template| format!("{template}/spec")),
        })
    }

    /// How the list at a place is merged; a place is written without positions in lists.
    pub(super) fn of_list(&self, place: &str) -> Option<Merge> {
        let find = |table: &[(&str, Merge)], end: &str| {
            table
                .iter()
                .find(|(name, _)| *name == end)
                .map(|(_, merge)| *merge)
        };
        if let Some(in_pods) = self.pods.as_deref().and_then(|pods| place.strip_prefix(pods)) {
            let containers = &OF_PODS[..3];
            let in_container = containers.iter().find_map(|(list, _)| in_pods.strip_prefix(list));
            return match in_container {
                Some("") | None => find(OF_PODS, in_pods),
                Some(end) => find(OF_CONTAINERS, end),
            };
        }
        if place.ends_with("/metadata/finalizers") {
            return Some(Merge::Set);
        }
        match (self.group.as_str(), self.kind.as_str(), place) {
            ("", "Service", "/spec/ports") => Some(Merge::ByPort("port")),
            ("", "ServiceAccount", "/secrets")
            | (
                "admissionregistration.k8s.io",
                _,
                "/webhooks" | "/webhooks/matchConditions" | "/spec/matchConditions" | "/spec/variables",
            )
            | (_, _, "/metadata/ownerReferences") => Some(Merge::By("name")),
            _ => None,
        }
    }

    /// Whether the map at a place is replaced as a whole.
    pub(super) fn replaces_map(&self, place: &str) -> bool {
        (self.group.as_str(), self.kind.as_str(), place)
            == ("policy", "PodDisruptionBudget", "/spec/selector")
    }
}

/// What an object is called in a refusal.
pub(super) fn custom(object: &Value) -> String {
    format!(
        "{} of {} is a custom kind, whose lists have no merge keys: write `merge` or `patch`",
        group_kind(object).1,
        group(object)
    )
}
