//! The hold of a namespace, as objects: one admission policy for all held namespaces, its binding, the label that
//! makes a namespace one of them, and the pod by which it is tried whether the policy is in force. Pure.
//!
//! This is not the fence of epochs, which refuses whoever acts for an older run. A hold refuses everybody, and only
//! new pods.
//!
//! ## Why
//!
//! - **Pods, and nothing else.** Whatever runs is a pod in the end, whoever asked for it: people, controllers, a
//!   GitOps tool that writes the size of a workload again. And the workloads stay as they are, so that nothing has to
//!   be remembered for the way back.
//! - **One policy that is kept**, and a label. A server takes up a change of a policy within a second, that of a
//!   label within milliseconds; and the right to make policies is needed once.
//! - **Everything is written that a server would fill in**, so that equal means equal.
//! - **The witness is a pod that every level of Pod Security takes**: a refusal by something else proves nothing.

use serde_json::{Value, json};

use super::ApiKind;

/// On a namespace that is held; any other value than `true` holds nothing.
pub const HOLD_LABEL: &str = "lifeboat.dev/fenced";
/// On the same namespace: the run that holds it, for people.
pub const HELD_BY: &str = "lifeboat.dev/fenced-by";
/// The policy and its binding.
pub const HOLD_POLICY: &str = "lifeboat-hold";
/// The pod that is asked about and never made.
const HOLD_WITNESS: &str = "lifeboat-hold-witness";

/// Who made it. The policy is nobody else's to change.
const MANAGED: &str = "app.kubernetes.io/managed-by";
const US: &str = "lifeboat";
const ADMISSION: &str = "admissionregistration.k8s.io";
/// What whoever asks for a pod is told.
const SAID: &str =
    "lifeboat holds this namespace stopped; its annotation lifeboat.dev/fenced-by names the run that does";

/// The kinds of the policy and of its binding. Not among the built-in ones: servers before 1.30 do not have them.
pub fn hold_kinds() -> [ApiKind; 2] {
    let kind = |kind: &str, plural: &str| ApiKind {
        group: ADMISSION.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: false,
    };
    [
        kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        kind(
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
        ),
    ]
}

/// The policy, and the binding without which it does nothing; in this order.
pub fn hold_objects() -> [Value; 2] {
    // A restore must not bring it: each site makes its own.
    let metadata = json!({ "name": HOLD_POLICY, "labels": {
        MANAGED: US,
        "velero.io/exclude-from-backup": "true",
    } });
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": { "matchLabels": { HOLD_LABEL: "true" } },
                "objectSelector": {},
                "resourceRules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                    "scope": "*",
                }],
            },
            "validations": [{ "expression": "false", "message": SAID, "reason": "Forbidden" }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": { "policyName": HOLD_POLICY, "validationActions": ["Deny"] },
    });
    [policy, binding]
}

/// Whether a policy or binding of that name was made by lifeboat.
pub fn is_our_hold(object: &Value) -> bool {
    object["metadata"]["labels"][MANAGED] == US
}

/// Whether a namespace has the label that holds it.
pub fn is_held(namespace: &Value) -> bool {
    namespace["metadata"]["labels"][HOLD_LABEL] == "true"
}

/// A pod in a namespace, to ask whether it would be taken.
pub fn hold_witness(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": HOLD_WITNESS, "namespace": namespace },
        "spec": {
            "automountServiceAccountToken": false,
            "restartPolicy": "Never",
            "securityContext": { "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "witness",
                "image": "registry.invalid/lifeboat/witness:0",
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                "resources": {
                    "requests": { "cpu": "1m", "memory": "1Mi" },
                    "limits": { "cpu": "1m", "memory": "1Mi" },
                },
            }],
        },
    })
}

/// Whether it is the hold's own policy that refused, in the words of a server.
pub fn refused_by_hold(message: &str) -> bool {
    message.contains(&format!("ValidatingAdmissionPolicy '{HOLD_POLICY}'"))
}

/// A pod that a node's kubelet runs by itself: what a server shows of it is only its mirror.
pub fn is_static_pod(pod: &Value) -> bool {
    pod["metadata"]["annotations"]
        .get("kubernetes.io/config.mirror")
        .is_some()
}

/// Whether some controller makes a pod again that is gone.
pub fn has_controller(pod: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners
        .into_iter()
        .flatten()
        .any(|owner| owner["controller"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_refuses_every_new_pod_in_held_namespaces_and_nothing_else() {
        let [policy, binding] = hold_objects();
        let spec = &policy["spec"];
        assert_eq!(spec["failurePolicy"], "Fail");
        assert_eq!(spec["validations"][0]["expression"], "false");
        assert_eq!(
            spec["matchConstraints"]["namespaceSelector"],
            json!({ "matchLabels": { "lifeboat.dev/fenced": "true" } })
        );
        let rules = spec["matchConstraints"]["resourceRules"].as_array().unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(
            (&rules[0]["operations"], &rules[0]["resources"]),
            (&json!(["CREATE"]), &json!(["pods"]))
        );
        // Whatever would exempt somebody, or make it depend on another object.
        for exemption in ["matchConditions", "paramKind", "variables"] {
            assert!(spec.get(exemption).is_none(), "{exemption}");
        }
        assert!(spec["matchConstraints"].get("excludeResourceRules").is_none());
        assert_eq!(
            binding["spec"],
            json!({ "policyName": "lifeboat-hold", "validationActions": ["Deny"] })
        );
    }

    #[test]
    fn the_hold_is_no_part_of_the_fence_of_epochs() {
        // What that installation made, it takes away by this label.
        for object in hold_objects() {
            assert!(
                object["metadata"]["labels"].get("lifeboat.dev/fence").is_none(),
                "{object}"
            );
        }
        let other = "ValidatingAdmissionPolicy 'lifeboat-fence' with binding 'lifeboat-fence' denied request";
        assert!(!refused_by_hold(other));
        assert!(refused_by_hold(&other.replace("fence", "hold")));
        // With this word in it, a refusal would read as a missing right.
        assert!(!SAID.contains(" cannot "), "{SAID}");
    }

    #[test]
    fn only_the_word_true_holds() {
        let namespace = |value: &str| json!({ "metadata": { "labels": { HOLD_LABEL: value } } });
        assert!(is_held(&namespace("true")));
        assert!(!is_held(&namespace("false")) && !is_held(&json!({ "metadata": { "name": "shop" } })));
    }
}
