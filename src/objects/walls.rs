//! The sandbox's own objects: a drill's namespaces and the network policy in each of them.
//!
//! ## Why
//!
//! Network policies only ever *add* allowed connections. So one policy that selects all pods and
//! allows little is a wall only as long as no other policy stands in the namespace: `confine` leaves
//! out every policy of the backup. The wall needs a network plugin that enforces policies, and it
//! does not hold pods on the host's network: `confine` leaves those out as well.
//!
//! The namespace enforces the Pod Security level `baseline`, which forbids all ways onto the node. So
//! pods that a custom controller makes inside the drill are held by the same rules as those that
//! `confine` has seen.

use serde_json::{Value, json};

use super::DRILL_LABEL;

/// Name of the policy in each namespace of a drill.
pub const WALL_NAME: &str = "lifeboat-drill";

/// A namespace of a drill. Its label lets the walls of the drill's other namespaces find it, and
/// keeps it out of backups.
pub fn drill_namespace(name: &str, drill: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            DRILL_LABEL: drill,
            "pod-security.kubernetes.io/enforce": "baseline",
        }},
    })
}

/// Lets the pods of a drill's namespaces talk to each other and to the cluster's DNS, and to nobody
/// else, in both directions. The drill's namespaces carry the label [`DRILL_LABEL`] with its id.
///
/// DNS is port 53 of every pod in `kube-system`, where it runs on all common distributions; one that
/// serves DNS elsewhere gives a drill without names, never a drill with a hole.
pub fn wall(namespace: &str, drill: &str) -> Value {
    let inside = json!({"namespaceSelector": {"matchLabels": {DRILL_LABEL: drill}}});
    let dns = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": WALL_NAME, "namespace": namespace, "labels": {DRILL_LABEL: drill}},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [inside]}],
            "egress": [
                {"to": [inside]},
                {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_selects_every_pod_in_both_directions() {
        let wall = wall("shop-drill-4k2", "4k2");
        assert_eq!(wall["spec"]["podSelector"], json!({}));
        assert_eq!(wall["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    }

    #[test]
    fn no_rule_of_the_wall_is_open() {
        // A rule without `to`, or a peer without a selector, would allow everybody.
        let wall = wall("shop-drill-4k2", "4k2");
        for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in wall["spec"][rules].as_array().unwrap() {
                let peers = rule[peers].as_array().unwrap();
                assert!(!peers.is_empty());
                for peer in peers {
                    assert_eq!(
                        peer["namespaceSelector"]["matchLabels"]
                            .as_object()
                            .unwrap()
                            .len(),
                        1
                    );
                }
            }
        }
    }
}
