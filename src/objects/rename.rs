//! An object moved to other namespaces: every field of the built-in kinds that names a namespace
//! follows, so that a Service, its accounts and its rights stay together.
//!
//! ## Why
//!
//! Text inside configuration (`http://db.shop.svc/`) is not changed: what it means is known only to
//! the program that reads it. Short names (`db`) follow by themselves; whole ones go on pointing at
//! the old namespace. [`mentions`] finds them, so that people can be told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{group_kind, list_mut, text};

/// Namespace in the backup → namespace at the target. Names that are not in it stay.
pub type Namespaces = BTreeMap<String, String>;

/// The object as it would be in the other namespaces.
#[must_use]
pub fn rename(mut object: Value, namespaces: &Namespaces) -> Value {
    if namespaces.is_empty() {
        return object;
    }
    replace(&mut object, "/metadata/namespace", namespaces);
    match group_kind(&object) {
        ("", "Namespace") => {
            replace(&mut object, "/metadata/name", namespaces);
            replace(
                &mut object,
                "/metadata/labels/kubernetes.io~1metadata.name",
                namespaces,
            );
        }
        ("", "PersistentVolume") => replace(&mut object, "/spec/claimRef/namespace", namespaces),
        ("", "PersistentVolumeClaim") => replace(&mut object, "/spec/dataSourceRef/namespace", namespaces),
        ("", "Service") => external_name(&mut object, namespaces),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            for subject in list_mut(&mut object, "/subjects") {
                rename_subject(subject, namespaces);
            }
        }
        ("admissionregistration.k8s.io", _) => {
            for hook in list_mut(&mut object, "/webhooks") {
                replace(hook, "/clientConfig/service/namespace", namespaces);
            }
        }
        ("apiregistration.k8s.io", "APIService") => {
            replace(&mut object, "/spec/service/namespace", namespaces);
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let service = "/spec/conversion/webhook/clientConfig/service/namespace";
            replace(&mut object, service, namespaces);
        }
        ("networking.k8s.io", "NetworkPolicy") => network_policy(&mut object, namespaces),
        ("gateway.networking.k8s.io", _) => gateway(&mut object, namespaces),
        _ => {}
    }
    object
}

/// Where texts of an object name a Service of one of these namespaces by its whole name
/// (`db.shop.svc`): at most one place per namespace, as `(place, namespace)`.
pub fn mentions(object: &Value, namespaces: &Namespaces) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in namespaces.keys() {
        let wanted = format!(".{name}.svc");
        // kubectl's own copy of the object says everything twice.
        let of = ["spec", "data"].iter().find_map(|part| {
            let place = object.get(part).and_then(|value| place_of(value, &wanted))?;
            Some(format!("{part}{place}"))
        });
        found.extend(of.map(|place| (place, name.clone())));
    }
    found
}

/// Recursion is bounded: the JSON reader accepts 128 levels.
fn place_of(value: &Value, wanted: &str) -> Option<String> {
    match value {
        Value::String(text) => names_service(text, wanted).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| Some(format!("[{i}]{}", place_of(item, wanted)?))),
        Value::Object(map) => map
            .iter()
            .find_map(|(key, item)| Some(format!(".{key}{}", place_of(item, wanted)?))),
        _ => None,
    }
}

/// `.shop.svc` ends there, or goes on as `.shop.svc.cluster.local`; `.shop.svcs` is something else.
fn names_service(text: &str, wanted: &str) -> bool {
    text.match_indices(wanted).any(|(at, _)| {
        let next = text.as_bytes().get(at + wanted.len());
        !next.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

fn replace(value: &mut Value, pointer: &str, namespaces: &Namespaces) {
    if let Some(Value::String(name)) = value.pointer_mut(pointer)
        && let Some(new) = namespaces.get(name.as_str())
    {
        name.clone_from(new);
    }
}

fn rename_subject(subject: &mut Value, namespaces: &Namespaces) {
    match text(subject, "/kind") {
        Some("ServiceAccount") => replace(subject, "/namespace", namespaces),
        Some("Group") => after(subject, "system:serviceaccounts:", namespaces),
        Some("User") => after(subject, "system:serviceaccount:", namespaces),
        _ => {}
    }
}

/// `system:serviceaccounts:<namespace>` and `system:serviceaccount:<namespace>:<name>`.
fn after(subject: &mut Value, prefix: &str, namespaces: &Namespaces) {
    let renamed = text(subject, "/name").and_then(|name| {
        let rest = name.strip_prefix(prefix)?;
        let (namespace, tail) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
        Some(format!("{prefix}{}{tail}", namespaces.get(namespace)?))
    });
    if let Some(renamed) = renamed {
        subject["name"] = Value::String(renamed);
    }
}

/// `db.shop.svc.cluster.local`: the namespace is the second label.
fn external_name(service: &mut Value, namespaces: &Namespaces) {
    let renamed = text(service, "/spec/externalName").and_then(|name| {
        let mut labels: Vec<&str> = name.split('.').collect();
        if labels.get(2) != Some(&"svc") {
            return None;
        }
        let new = namespaces.get(*labels.get(1)?)?;
        *labels.get_mut(1)? = new;
        Some(labels.join("."))
    });
    if let Some(renamed) = renamed {
        service["spec"]["externalName"] = Value::String(renamed);
    }
}

/// The server labels each namespace with its name, and policies choose by that label.
fn network_policy(policy: &mut Value, namespaces: &Namespaces) {
    for (rules, peers) in [("/spec/ingress", "/from"), ("/spec/egress", "/to")] {
        for rule in list_mut(policy, rules) {
            for peer in list_mut(rule, peers) {
                let label = "/namespaceSelector/matchLabels/kubernetes.io~1metadata.name";
                replace(peer, label, namespaces);
            }
        }
    }
}

fn gateway(route: &mut Value, namespaces: &Namespaces) {
    for parent in list_mut(route, "/spec/parentRefs") {
        replace(parent, "/namespace", namespaces);
    }
    for from in list_mut(route, "/spec/from") {
        replace(from, "/namespace", namespaces);
    }
    for rule in list_mut(route, "/spec/rules") {
        for backend in list_mut(rule, "/backendRefs") {
            replace(backend, "/namespace", namespaces);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moved(object: Value) -> Value {
        let namespaces = Namespaces::from([("shop".into(), "shop-drill-4k2".into())]);
        rename(object, &namespaces)
    }

    #[test]
    fn an_object_and_its_namespace_move_together() {
        let web =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}});
        assert_eq!(moved(web)["metadata"]["namespace"], "shop-drill-4k2");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        assert_eq!(moved(namespace)["metadata"]["name"], "shop-drill-4k2");
        let other =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "bank"}});
        assert_eq!(moved(other.clone()), other);
    }

    #[test]
    fn rights_follow_the_accounts() {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "web", "namespace": "shop"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
                {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"},
                {"kind": "Group", "name": "system:serviceaccounts:shop"},
                {"kind": "Group", "name": "shop"},
                {"kind": "User", "name": "system:serviceaccount:shop:web"},
            ],
        });
        assert_eq!(
            moved(binding)["subjects"],
            json!([
                {"kind": "ServiceAccount", "name": "web", "namespace": "shop-drill-4k2"},
                {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"},
                {"kind": "Group", "name": "system:serviceaccounts:shop-drill-4k2"},
                {"kind": "Group", "name": "shop"},
                {"kind": "User", "name": "system:serviceaccount:shop-drill-4k2:web"},
            ])
        );
    }

    #[test]
    fn names_of_services_in_fields_that_mean_one_follow() {
        let service =
            |name: &str| json!({"apiVersion": "v1", "kind": "Service", "spec": {"externalName": name}});
        assert_eq!(
            moved(service("db.shop.svc.cluster.local"))["spec"]["externalName"],
            "db.shop-drill-4k2.svc.cluster.local"
        );
        assert_eq!(moved(service("shop.example.com")), service("shop.example.com"));
    }

    #[test]
    fn whole_names_in_configuration_are_found_not_changed() {
        let namespaces = Namespaces::from([("shop".into(), "x".into()), ("bank".into(), "y".into())]);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "db:5432", "b": "tcp://db.shop.svc:5432"}});
        assert_eq!(
            mentions(&map, &namespaces),
            [("data.b".to_owned(), "shop".to_owned())]
        );
        let near = json!({"data": {"a": "db.shop.svcs", "b": "db.myshop.svc"}});
        assert_eq!(mentions(&near, &namespaces), []);
    }
}
