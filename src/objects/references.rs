//! Which other objects an object names: what has to be there before it.
//!
//! Only fields of built-in kinds, and pod templates wherever they are. What a custom resource names
//! in fields of its own is not known here; `order` lets it come after the configuration of its
//! namespace.

use serde_json::Value;

use super::json::{CONTAINER_LISTS, group_kind, list, pod_template, text};

/// An object as others name it: group, kind, namespace (empty: cluster-scoped) and name. No version,
/// because references and objects may use different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Key<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        let (group, kind) = group_kind(object);
        Self {
            group,
            kind,
            namespace: namespace(object),
            name: super::json::name(object),
        }
    }

    /// A kind of the core group in a namespace.
    pub(super) fn core(kind: &'a str, namespace: &'a str, name: &'a str) -> Self {
        Self {
            group: "",
            kind,
            namespace,
            name,
        }
    }

    fn cluster(group: &'a str, kind: &'a str, name: &'a str) -> Self {
        Self {
            group,
            kind,
            namespace: "",
            name,
        }
    }
}

pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace").unwrap_or("")
}

/// Every object that this one names in a field known here; some may not exist.
pub(super) fn references(object: &Value) -> Vec<Key<'_>> {
    let mut found = Vec::new();
    let ns = namespace(object);
    owners(object, ns, &mut found);
    match group_kind(object) {
        ("", "PersistentVolume") => class_of(object, &mut found),
        ("", "PersistentVolumeClaim") => claim(object, ns, &mut found),
        ("", "ServiceAccount") => account(object, ns, &mut found),
        ("apps", "StatefulSet") => stateful_set(object, ns, &mut found),
        ("autoscaling", _) => typed(object.pointer("/spec/scaleTargetRef"), ns, &mut found),
        ("networking.k8s.io", "Ingress") => ingress(object, ns, &mut found),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            binding(object, ns, &mut found);
        }
        ("admissionregistration.k8s.io", _) => {
            for hook in list(object, "/webhooks") {
                found.extend(service(hook.pointer("/clientConfig/service")));
            }
        }
        ("apiregistration.k8s.io", _) => found.extend(service(object.pointer("/spec/service"))),
        _ => {}
    }
    if let Some(spec) = pod_template(object).and_then(|at| object.pointer(&format!("{at}/spec"))) {
        pods(spec, ns, &mut found);
    }
    found
}

fn owners<'a>(object: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    for owner in list(object, "/metadata/ownerReferences") {
        typed(Some(owner), ns, found);
    }
}

/// A reference with apiVersion, kind and name; its scope is not said, so both are looked for.
fn typed<'a>(reference: Option<&'a Value>, ns: &'a str, found: &mut Vec<Key<'a>>) {
    let Some(reference) = reference else { return };
    let (Some(kind), Some(name)) = (text(reference, "/kind"), text(reference, "/name")) else {
        return;
    };
    let group = super::json::group(reference);
    found.push(Key::cluster(group, kind, name));
    if !ns.is_empty() {
        found.push(Key {
            group,
            kind,
            namespace: ns,
            name,
        });
    }
}

fn class_of<'a>(volume: &'a Value, found: &mut Vec<Key<'a>>) {
    let class = text(volume, "/spec/storageClassName").filter(|name| !name.is_empty());
    found.extend(class.map(|name| Key::cluster("storage.k8s.io", "StorageClass", name)));
}

fn claim<'a>(claim: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    class_of(claim, found);
    found.extend(text(claim, "/spec/volumeName").map(|name| Key::cluster("", "PersistentVolume", name)));
    for source in ["/spec/dataSource", "/spec/dataSourceRef"] {
        let Some(source) = claim.pointer(source) else {
            continue;
        };
        if let (Some(kind), Some(name)) = (text(source, "/kind"), text(source, "/name")) {
            found.push(Key {
                group: text(source, "/apiGroup").unwrap_or(""),
                kind,
                namespace: text(source, "/namespace").unwrap_or(ns),
                name,
            });
        }
    }
}

fn account<'a>(account: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    for part in ["/secrets", "/imagePullSecrets"] {
        found.extend(list(account, part).filter_map(|one| named("Secret", ns, text(one, "/name"))));
    }
}

fn stateful_set<'a>(set: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    found.extend(named("Service", ns, text(set, "/spec/serviceName")));
    for template in list(set, "/spec/volumeClaimTemplates") {
        class_of(template, found);
    }
}

fn ingress<'a>(ingress: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    let class = text(ingress, "/spec/ingressClassName");
    found.extend(class.map(|name| Key::cluster("networking.k8s.io", "IngressClass", name)));
    found.extend(named(
        "Service",
        ns,
        text(ingress, "/spec/defaultBackend/service/name"),
    ));
    for rule in list(ingress, "/spec/rules") {
        for path in list(rule, "/http/paths") {
            found.extend(named("Service", ns, text(path, "/backend/service/name")));
        }
    }
    found.extend(list(ingress, "/spec/tls").filter_map(|tls| named("Secret", ns, text(tls, "/secretName"))));
}

fn binding<'a>(binding: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    if let (Some(kind), Some(name)) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name")) {
        found.push(Key {
            group: "rbac.authorization.k8s.io",
            kind,
            namespace: if kind == "Role" { ns } else { "" },
            name,
        });
    }
    found.extend(bound_accounts(binding));
}

/// The service accounts that a binding gives rights to.
pub(super) fn bound_accounts(binding: &Value) -> impl Iterator<Item = Key<'_>> {
    list(binding, "/subjects")
        .filter(|subject| text(subject, "/kind") == Some("ServiceAccount"))
        .filter_map(|subject| {
            named(
                "ServiceAccount",
                text(subject, "/namespace")?,
                text(subject, "/name"),
            )
        })
}

/// The service that converts the custom resources of a definition between their versions.
pub(super) fn converter(definition: &Value) -> Option<Key<'_>> {
    let by_webhook = text(definition, "/spec/conversion/strategy") == Some("Webhook");
    let reference = definition.pointer("/spec/conversion/webhook/clientConfig/service");
    service(reference.filter(|_| by_webhook))
}

/// The service that a webhook or an API service refers to.
pub(super) fn service(reference: Option<&Value>) -> Option<Key<'_>> {
    let reference = reference?;
    named(
        "Service",
        text(reference, "/namespace")?,
        text(reference, "/name"),
    )
}

fn named<'a>(kind: &'a str, ns: &'a str, name: Option<&'a str>) -> Option<Key<'a>> {
    name.filter(|name| !name.is_empty())
        .map(|name| Key::core(kind, ns, name))
}

fn pods<'a>(spec: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    let account = text(spec, "/serviceAccountName").unwrap_or("default");
    found.extend(named("ServiceAccount", ns, Some(account)));
    let pulls = list(spec, "/imagePullSecrets");
    found.extend(pulls.filter_map(|one| named("Secret", ns, text(one, "/name"))));
    let priority = text(spec, "/priorityClassName");
    found.extend(priority.map(|name| Key::cluster("scheduling.k8s.io", "PriorityClass", name)));
    let runtime = text(spec, "/runtimeClassName");
    found.extend(runtime.map(|name| Key::cluster("node.k8s.io", "RuntimeClass", name)));
    for volume in list(spec, "/volumes") {
        mounted(volume, ns, found);
        for source in list(volume, "/projected/sources") {
            found.extend(named("ConfigMap", ns, text(source, "/configMap/name")));
            found.extend(named("Secret", ns, text(source, "/secret/name")));
        }
    }
    for container in CONTAINER_LISTS
        .iter()
        .flat_map(|containers| list(spec, containers))
    {
        environment(container, ns, found);
    }
}

fn mounted<'a>(volume: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    for (kind, at) in [
        ("ConfigMap", "/configMap/name"),
        ("Secret", "/secret/secretName"),
        ("Secret", "/csi/nodePublishSecretRef/name"),
        ("PersistentVolumeClaim", "/persistentVolumeClaim/claimName"),
    ] {
        found.extend(named(kind, ns, text(volume, at)));
    }
    if let Some(template) = volume.pointer("/ephemeral/volumeClaimTemplate") {
        class_of(template, found);
    }
}

fn environment<'a>(container: &'a Value, ns: &'a str, found: &mut Vec<Key<'a>>) {
    for from in list(container, "/envFrom") {
        found.extend(named("ConfigMap", ns, text(from, "/configMapRef/name")));
        found.extend(named("Secret", ns, text(from, "/secretRef/name")));
    }
    for variable in list(container, "/env") {
        let config = text(variable, "/valueFrom/configMapKeyRef/name");
        found.extend(named("ConfigMap", ns, config));
        let secret = text(variable, "/valueFrom/secretKeyRef/name");
        found.extend(named("Secret", ns, secret));
    }
}
