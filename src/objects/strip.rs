//! What is removed from a captured object before it is applied anywhere: everything that the server
//! it was read from decided. What a person decided stays, unknown fields included.
//!
//! Not here: which objects are restored at all (`select`), and what a drill takes away on top
//! (`confine`).
//!
//! ## Why
//!
//! - `ownerReferences` go because they name owners by a uid that does not exist at the target, where
//!   the garbage collector would delete the object. A restore reads them before ([`super::owners()`]) and
//!   links them again; objects that an owner makes again are not restored in the first place.
//! - The annotation with kubectl's last applied configuration stays: the next `kubectl apply` at the
//!   target needs it, as it did at the source.
//! - Finalizers stay, except those of Kubernetes itself: the controller that put them there has to run
//!   at the target too. A drill removes them all.
//! - Node ports stay where somebody chose them (see `service`): a load balancer in front of the
//!   cluster may be set to exactly that port.

use serde_json::Value;

use super::json::{
    CONTAINER_LISTS, group_kind, is_true, list, list_mut, map_mut, name, pod_template, remove, remove_empty,
    text,
};
use super::service;

/// The object as somebody would have written it. Doing it twice is doing it once.
#[must_use]
pub fn strip(mut object: Value) -> Value {
    if group_kind(&object) == ("", "Service") {
        service::strip(&mut object);
    }
    for key in SERVER_METADATA {
        remove(&mut object, "/metadata", key);
    }
    for key in MACHINE_ANNOTATIONS {
        remove(&mut object, "/metadata/annotations", key);
    }
    if let Some(finalizers) = object
        .pointer_mut("/metadata/finalizers")
        .and_then(Value::as_array_mut)
    {
        finalizers.retain(|one| !one.as_str().is_some_and(|name| SERVER_FINALIZERS.contains(&name)));
    }
    remove_empty(&mut object, "/metadata", "finalizers");
    remove(&mut object, "", "status");
    strip_kind(&mut object);
    if let Some(template) = pod_template(&object) {
        remove_null(&mut object, &format!("{template}/metadata"), "creationTimestamp");
    }
    remove_empty(&mut object, "/metadata", "annotations");
    remove_empty(&mut object, "/metadata", "labels");
    object
}

/// Fields of `metadata` that only a server writes, or that mean nothing at another one.
const SERVER_METADATA: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "ownerReferences",
];

/// Finalizers that the target's own controllers add where they are needed.
const SERVER_FINALIZERS: &[&str] = &[
    "batch.kubernetes.io/job-tracking",
    "foregroundDeletion",
    "kubernetes.io/pv-protection",
    "kubernetes.io/pvc-protection",
    "orphan",
    "service.kubernetes.io/load-balancer-cleanup",
];

/// Annotations in which controllers keep notes about the cluster they run in.
const MACHINE_ANNOTATIONS: &[&str] = &[
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "batch.kubernetes.io/job-tracking",
    "control-plane.alpha.kubernetes.io/leader",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "kubernetes.io/service-account.uid",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-resizer",
    "volume.kubernetes.io/selected-node",
    "cni.projectcalico.org/containerID",
    "cni.projectcalico.org/podIP",
    "cni.projectcalico.org/podIPs",
    "k8s.v1.cni.cncf.io/network-status",
    "k8s.v1.cni.cncf.io/networks-status",
    "k8s.ovn.org/pod-networks",
];

fn strip_kind(object: &mut Value) {
    match group_kind(object) {
        ("", "Namespace") => namespace(object),
        ("", "PersistentVolume") => volume(object),
        ("", "PersistentVolumeClaim") => {
            remove(object, "/spec", "volumeName");
        }
        ("", "Pod") => pod(object),
        ("", "Secret") => secret(object),
        ("", "ServiceAccount") => service_account(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("batch", "CronJob") => remove_null(object, "/spec/jobTemplate/metadata", "creationTimestamp"),
        ("batch", "Job") => job(object),
        // A controller fills an aggregated role from those that it finds at the target.
        ("rbac.authorization.k8s.io", "ClusterRole") if object.get("aggregationRule").is_some() => {
            remove(object, "", "rules");
        }
        _ => {}
    }
}

fn namespace(object: &mut Value) {
    remove(object, "/spec", "finalizers");
    remove_empty(object, "", "spec");
    // The server writes it, always equal to the name; after a rename it would be wrong.
    remove(object, "/metadata/labels", "kubernetes.io/metadata.name");
}

fn volume(object: &mut Value) {
    remove(object, "/spec/claimRef", "uid");
    remove(object, "/spec/claimRef", "resourceVersion");
}

/// The server refuses a pod that brings what admission computes (priority, preemption, overhead) or
/// that already has ephemeral containers; the node is not there.
fn pod(object: &mut Value) {
    let tokens = token_volumes(object);
    for key in [
        "nodeName",
        "priority",
        "preemptionPolicy",
        "overhead",
        "ephemeralContainers",
    ] {
        remove(object, "/spec", key);
    }
    if tokens.is_empty() {
        return;
    }
    let is_token = |value: &Value| text(value, "/name").is_some_and(|name| tokens.iter().any(|t| t == name));
    if let Some(volumes) = object.pointer_mut("/spec/volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_token(volume));
    }
    remove_empty(object, "/spec", "volumes");
    for containers in CONTAINER_LISTS {
        for container in list_mut(object, &format!("/spec{containers}")) {
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|mount| !is_token(mount));
            }
            remove_empty(container, "", "volumeMounts");
        }
    }
}

/// Names of the volumes through which admission gave the pod its identity. A volume of the same
/// shape that a person wrote, next to `automountServiceAccountToken: false`, is not one of them.
fn token_volumes(pod: &Value) -> Vec<String> {
    if pod.pointer("/spec/automountServiceAccountToken") == Some(&Value::Bool(false)) {
        return Vec::new();
    }
    let account = text(pod, "/spec/serviceAccountName").unwrap_or("default");
    let legacy = format!("{account}-token-");
    list(pod, "/spec/volumes")
        .filter_map(|volume| {
            let name = text(volume, "/name")?;
            let projected = is_generated(name, "kube-api-access-")
                && list(volume, "/projected/sources")
                    .any(|source| source.get("serviceAccountToken").is_some());
            let secret = is_generated(name, &legacy) && text(volume, "/secret/secretName") == Some(name);
            (projected || secret).then(|| name.to_owned())
        })
        .collect()
}

/// A name as the server generates it: the prefix and five characters.
pub(super) fn is_generated(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 5 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A token is signed by the cluster that issued it; the target fills the emptied Secret with its own.
fn secret(object: &mut Value) {
    if text(object, "/type") != Some("kubernetes.io/service-account-token") {
        return;
    }
    for key in ["token", "ca.crt", "namespace", "service-ca.crt"] {
        remove(object, "/data", key);
    }
    remove_empty(object, "", "data");
}

fn service_account(object: &mut Value) {
    let token = format!("{}-token-", name(object));
    let registry = format!("{}-dockercfg-", name(object));
    for key in ["secrets", "imagePullSecrets"] {
        if let Some(entries) = object.get_mut(key).and_then(Value::as_array_mut) {
            entries.retain(|entry| {
                !text(entry, "/name")
                    .is_some_and(|name| is_generated(name, &token) || is_generated(name, &registry))
            });
        }
        remove_empty(object, "", key);
    }
}

fn stateful_set(object: &mut Value) {
    for template in list_mut(object, "/spec/volumeClaimTemplates") {
        remove(template, "", "status");
        remove_null(template, "/metadata", "creationTimestamp");
    }
}

/// The server generates selector and label from the Job's uid, unless somebody took that over.
fn job(object: &mut Value) {
    if is_true(object, "/spec/manualSelector") {
        return;
    }
    remove(object, "/spec", "selector");
    for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
        remove(object, labels, "controller-uid");
        remove(object, labels, "batch.kubernetes.io/controller-uid");
    }
}

/// Servers before 1.34 write `creationTimestamp: null` into templates; later ones do not.
fn remove_null(object: &mut Value, pointer: &str, key: &str) {
    if let Some(map) = map_mut(object, pointer)
        && map.get(key).is_some_and(Value::is_null)
    {
        map.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_decided_goes_and_what_people_decided_stays() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [], "selfLink": "/x",
                "deletionTimestamp": "x", "deletionGracePeriodSeconds": 3, "generateName": "w-",
                "ownerReferences": [{"uid": "o"}], "labels": {"app": "web"}, "finalizers": ["a/b"],
                "annotations": {
                    "deployment.kubernetes.io/revision": "4",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
            },
            "spec": {"replicas": 3, "future": {"field": 1},
                     "template": {"metadata": {"creationTimestamp": null, "labels": {"app": "web"}},
                                  "spec": {"containers": []}}},
            "status": {"replicas": 3},
        });
        assert_eq!(
            strip(object),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {
                    "name": "web", "namespace": "shop", "labels": {"app": "web"}, "finalizers": ["a/b"],
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                },
                "spec": {"replicas": 3, "future": {"field": 1},
                         "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
            })
        );
    }

    #[test]
    fn a_claim_is_unbound_and_forgets_its_node() {
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "finalizers": ["kubernetes.io/pvc-protection"], "annotations": {
                "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.kubernetes.io/selected-node": "n1", "volume.beta.kubernetes.io/storage-provisioner": "p",
            }},
            "spec": {"volumeName": "pv-1", "storageClassName": "fast"},
        });
        let stripped = strip(claim);
        assert_eq!(stripped["metadata"], json!({"name": "data"}));
        assert_eq!(stripped["spec"], json!({"storageClassName": "fast"}));
    }

    #[test]
    fn a_pod_loses_its_node_and_the_token_that_admission_gave_it() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {
                "nodeName": "n1", "priority": 0, "preemptionPolicy": "Never", "priorityClassName": "high",
                "containers": [{"name": "c", "volumeMounts": [{"name": "kube-api-access-8vz5q"}, {"name": "d"}]}],
                "initContainers": [{"name": "i", "volumeMounts": [{"name": "kube-api-access-8vz5q"}]}],
                "volumes": [
                    {"name": "d", "emptyDir": {}},
                    {"name": "kube-api-access-8vz5q", "projected": {"sources": [{"serviceAccountToken": {}}]}},
                ],
            },
        });
        assert_eq!(
            strip(pod)["spec"],
            json!({
                "priorityClassName": "high",
                "containers": [{"name": "c", "volumeMounts": [{"name": "d"}]}],
                "initContainers": [{"name": "i"}],
                "volumes": [{"name": "d", "emptyDir": {}}],
            })
        );
    }

    #[test]
    fn a_token_volume_that_a_person_wrote_stays() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"automountServiceAccountToken": false, "volumes": [
                {"name": "kube-api-access-mine1", "projected": {"sources": [{"serviceAccountToken": {}}]}},
            ]},
        });
        assert_eq!(strip(pod.clone()), pod);
    }

    #[test]
    fn a_job_gets_a_new_selector_unless_it_was_chosen() {
        let job = |manual: bool| {
            json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "j", "labels": {"controller-uid": "u", "app": "x"}},
                "spec": {"manualSelector": manual, "selector": {"matchLabels": {"controller-uid": "u"}},
                         "template": {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u"}},
                                      "spec": {"containers": []}}},
            })
        };
        let stripped = strip(job(false));
        assert_eq!(stripped["metadata"]["labels"], json!({"app": "x"}));
        assert_eq!(stripped["spec"].get("selector"), None);
        assert_eq!(stripped["spec"]["template"]["metadata"]["labels"], json!({}));
        assert_eq!(strip(job(true)), job(true));
    }

    #[test]
    fn tokens_of_the_other_cluster_are_not_carried_over() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "web",
                                                       "kubernetes.io/service-account.uid": "u"}},
            "data": {"token": "a", "ca.crt": "b", "namespace": "c", "mine": "d"},
        });
        let stripped = strip(secret);
        assert_eq!(stripped["data"], json!({"mine": "d"}));
        assert_eq!(
            stripped["metadata"]["annotations"],
            json!({"kubernetes.io/service-account.name": "web"})
        );
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"},
            "secrets": [{"name": "web-token-ab1cd"}, {"name": "web-token-of-mine"}],
            "imagePullSecrets": [{"name": "web-dockercfg-ab1cd"}],
        });
        let stripped = strip(account);
        assert_eq!(stripped["secrets"], json!([{"name": "web-token-of-mine"}]));
        assert_eq!(stripped.get("imagePullSecrets"), None);
    }
}
