//! What an object names that is often not in its backup, and without which it does not work: classes,
//! accounts and roles.
//!
//! Secrets and ConfigMaps are not among them: a pod may name one as optional, and may do without.

use serde_json::Value;

use super::json::{group_kind, list, text};
use super::references::references;
use super::{Handle, Names};

/// The name of the class that a claim gets which names none.
pub const DEFAULT_CLASS: &str = "";

/// Kinds that are looked for.
const WANTED: [(&str, &str); 7] = [
    ("", "ServiceAccount"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
];

/// What this object wants to be there. An account `default` is everywhere, sooner or later.
pub fn wants(object: &Value, names: &mut Names) -> Vec<Handle> {
    let keys = references(object).into_iter().filter(|key| {
        let everywhere = key.kind == "ServiceAccount" && key.name == "default";
        WANTED.contains(&(key.group, key.kind)) && !everywhere
    });
    let mut found: Vec<Handle> = keys
        .map(|key| Handle::of(names, key.group, key.kind, key.namespace, key.name))
        .collect();
    if wants_default(object) {
        found.push(Handle::of(
            names,
            "storage.k8s.io",
            "StorageClass",
            "",
            DEFAULT_CLASS,
        ));
    }
    found.sort();
    found.dedup();
    found
}

/// A claim without a class gets the default one; the empty text means "none", and a volume that is named
/// is taken as it is.
fn wants_default(object: &Value) -> bool {
    let plain = |claim: &Value| {
        claim.pointer("/spec/storageClassName").is_none()
            && text(claim, "/spec/volumeName").is_none_or(str::is_empty)
    };
    match group_kind(object) {
        ("", "PersistentVolumeClaim") => plain(object),
        ("apps", "StatefulSet") => list(object, "/spec/volumeClaimTemplates").any(plain),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(object: &Value) -> Vec<String> {
        let mut names = Names::default();
        let handles = wants(object, &mut names);
        let word = |handle: &Handle| {
            format!(
                "{} {}/{}",
                names.text(handle.kind),
                names.text(handle.namespace),
                names.text(handle.name)
            )
        };
        let mut words: Vec<_> = handles.iter().map(word).collect();
        words.sort();
        words
    }

    #[test]
    fn a_workload_wants_its_account_and_classes_and_not_its_optional_secrets() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"serviceAccountName": "web", "priorityClassName": "high", "runtimeClassName": "gvisor",
                "containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}}}});
        assert_eq!(
            found(&object),
            [
                "PriorityClass /high",
                "RuntimeClass /gvisor",
                "ServiceAccount shop/web"
            ]
        );
    }

    #[test]
    fn only_a_claim_that_says_nothing_wants_the_default_class() {
        let claim = |spec: Value| {
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                                         "metadata": {"name": "d", "namespace": "shop"}, "spec": spec})
        };
        assert_eq!(found(&claim(json!({}))), ["StorageClass /"]);
        assert_eq!(
            found(&claim(json!({"storageClassName": "fast"}))),
            ["StorageClass /fast"]
        );
        assert!(found(&claim(json!({"storageClassName": ""}))).is_empty());
        assert!(found(&claim(json!({"volumeName": "pv-1"}))).is_empty());
    }

    #[test]
    fn a_binding_wants_its_role_and_its_accounts_and_nobody_wants_the_default_account() {
        let object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "b", "namespace": "shop"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "other"},
                         {"kind": "ServiceAccount", "name": "default", "namespace": "shop"}, {"kind": "User", "name": "eve"}]});
        assert_eq!(found(&object), ["ClusterRole /view", "ServiceAccount other/web"]);
    }
}
