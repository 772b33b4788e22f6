//! Which objects belong into a backup and which of a backup's objects are made again at a target,
//! each exception with its reason.
//!
//! Not here: what a person chose (namespaces, excluded kinds) and what a drill leaves out on top
//! (`confine`).
//!
//! ## Why
//!
//! - The archive is generous and the restore is strict: pods and replica sets are captured, because
//!   an archive is also evidence and Velero expects them, but their controllers make them again.
//! - Only kinds whose controllers are known to make them again are left out as "owned"; a custom
//!   resource or a Secret that names a controlling owner may hold data, so it is restored.
//! - A `PersistentVolume` is left out, one that a person wrote (NFS, say) included: made again elsewhere
//!   it could give two clusters the same disk. Restoring volumes is still to be built.

use serde_json::Value;

use super::json::{annotation, group_kind, label, list, name, text};
use super::strip::{is_generated, strip};

/// Label on everything that a drill makes; its value is the drill's id.
pub const DRILL_LABEL: &str = "lifeboat.dev/drill";

/// Velero's label for "not in any backup"; kept here so that existing marks go on meaning the same.
const EXCLUDE_LABEL: &str = "velero.io/exclude-from-backup";

/// Kinds that no backup holds, as group, kind, plural and reason.
const NEVER: &[(&str, &str, &str, &str)] = &[
    ("", "Event", "events", EVENT),
    ("events.k8s.io", "Event", "events", EVENT),
    ("", "Node", "nodes", MACHINES),
    ("", "ComponentStatus", "componentstatuses", MACHINES),
    ("storage.k8s.io", "CSINode", "csinodes", MACHINES),
    (
        "storage.k8s.io",
        "CSIStorageCapacity",
        "csistoragecapacities",
        MACHINES,
    ),
    (
        "storage.k8s.io",
        "VolumeAttachment",
        "volumeattachments",
        MACHINES,
    ),
    ("resource.k8s.io", "ResourceSlice", "resourceslices", MACHINES),
    ("networking.k8s.io", "IPAddress", "ipaddresses", MACHINES),
    ("networking.k8s.io", "ServiceCIDR", "servicecidrs", MACHINES),
    (
        "internal.apiserver.k8s.io",
        "StorageVersion",
        "storageversions",
        MACHINES,
    ),
    ("coordination.k8s.io", "Lease", "leases", LOCK),
    ("coordination.k8s.io", "LeaseCandidate", "leasecandidates", LOCK),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "a signing request is answered once, by the cluster it was made in",
    ),
    ("velero.io", "Backup", "backups", VELERO),
    ("velero.io", "BackupRepository", "backuprepositories", VELERO),
    ("velero.io", "DataDownload", "datadownloads", VELERO),
    ("velero.io", "DataUpload", "datauploads", VELERO),
    ("velero.io", "DeleteBackupRequest", "deletebackuprequests", VELERO),
    ("velero.io", "DownloadRequest", "downloadrequests", VELERO),
    ("velero.io", "PodVolumeBackup", "podvolumebackups", VELERO),
    ("velero.io", "PodVolumeRestore", "podvolumerestores", VELERO),
    ("velero.io", "ResticRepository", "resticrepositories", VELERO),
    ("velero.io", "Restore", "restores", VELERO),
    ("velero.io", "ServerStatusRequest", "serverstatusrequests", VELERO),
];

const EVENT: &str = "an event is a note about the past";
const MACHINES: &str = "it describes the machines of the cluster it was read from";
const LOCK: &str = "a lease is a lock held by a process of the cluster it was read from";
const VELERO: &str = "it is Velero's own state: Velero reads it back from its bucket";

/// Why a kind (`plural.group`) is not read for a backup at all; `None`: it is.
pub fn kind_left_out(resource: &str) -> Option<&'static str> {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    NEVER
        .iter()
        .find(|row| row.0 == group && row.2 == plural)
        .map(|row| row.3)
}

/// Why an object is not put into a backup; `None`: it is.
pub fn left_out_of_backup(object: &Value) -> Option<&'static str> {
    if let Some(why) = never(object) {
        return Some(why);
    }
    if label(object, EXCLUDE_LABEL) == Some("true") {
        return Some("it has the label velero.io/exclude-from-backup=true");
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Some("it was being deleted");
    }
    drill(object)
}

/// Why a captured object is not made again at a target; `None`: it is.
///
/// Reads status and owner references, so it comes before [`super::strip()`].
pub fn left_out_of_restore(object: &Value) -> Option<String> {
    left_out_of_backup(object)
        .or_else(|| of_the_cluster(object))
        .or_else(|| of_the_namespace(object))
        .or_else(|| ended(object))
        .map(str::to_owned)
        .or_else(|| owned(object))
}

fn never(object: &Value) -> Option<&'static str> {
    let (group, kind) = group_kind(object);
    NEVER
        .iter()
        .find(|row| row.0 == group && row.1 == kind)
        .map(|row| row.3)
}

fn drill(object: &Value) -> Option<&'static str> {
    label(object, DRILL_LABEL)
        .is_some()
        .then_some("it belongs to a drill of lifeboat")
}

/// What every cluster has of its own.
fn of_the_cluster(object: &Value) -> Option<&'static str> {
    let own = "every cluster has its own";
    match group_kind(object) {
        ("", "Namespace") => matches!(
            name(object),
            "default" | "kube-system" | "kube-public" | "kube-node-lease"
        )
        .then_some(own),
        ("", "PersistentVolume") => Some("it points at storage of the cluster it was read from"),
        ("", "Pod") => annotation(object, "kubernetes.io/config.mirror")
            .is_some()
            .then_some("it mirrors a file on a node"),
        ("", "Service") => (label(object, "provider") == Some("kubernetes")
            && label(object, "component") == Some("apiserver"))
        .then_some(own),
        ("discovery.k8s.io", "EndpointSlice") => (name(object) == "kubernetes"
            && text(object, "/metadata/namespace") == Some("default"))
        .then_some(own),
        ("rbac.authorization.k8s.io", kind) => {
            // The prefix is Kubernetes' own; what brings a cluster up (kubeadm, a cloud) does not always
            // set the label.
            let of_system = kind.starts_with("Cluster") && name(object).starts_with("system:");
            let by_server = label(object, "kubernetes.io/bootstrapping") == Some("rbac-defaults");
            (of_system || by_server).then_some(own)
        }
        ("scheduling.k8s.io", "PriorityClass") => name(object).starts_with("system-").then_some(own),
        ("apiregistration.k8s.io", "APIService") => {
            label(object, "kube-aggregator.kubernetes.io/automanaged")
                .is_some()
                .then_some(own)
        }
        // With `false` a person has taken it over.
        ("flowcontrol.apiserver.k8s.io", _) => {
            (annotation(object, "apf.kubernetes.io/autoupdate-spec") == Some("true")).then_some(own)
        }
        _ => None,
    }
}

/// What every namespace gets from the cluster's controllers.
fn of_the_namespace(object: &Value) -> Option<&'static str> {
    match group_kind(object) {
        ("", "ConfigMap") => matches!(
            name(object),
            "kube-root-ca.crt" | "openshift-service-ca.crt" | "istio-ca-root-cert"
        )
        .then_some("it holds the certificate authority of the cluster it was read from"),
        ("", "ServiceAccount") => {
            is_plain_default(object).then_some("every namespace gets one, and nobody changed it")
        }
        ("", "Secret") => secret(object),
        ("", "Endpoints") => generated_endpoints(object).then_some(FOLLOWS),
        ("discovery.k8s.io", "EndpointSlice") => label(object, "endpointslice.kubernetes.io/managed-by")
            .is_some_and(|by| by.ends_with("controller.k8s.io"))
            .then_some(FOLLOWS),
        _ => None,
    }
}

/// The account `default` as the cluster makes it. Somebody who gave it a pull secret wants it back.
fn is_plain_default(account: &Value) -> bool {
    name(account) == "default"
        && strip(account.clone()).as_object().is_some_and(|fields| {
            fields
                .iter()
                .all(|(key, value)| match (key.as_str(), value.as_object()) {
                    ("apiVersion" | "kind", _) => true,
                    ("metadata", Some(metadata)) => metadata
                        .keys()
                        .all(|key| matches!(key.as_str(), "name" | "namespace")),
                    _ => false,
                })
        })
}

fn secret(object: &Value) -> Option<&'static str> {
    match text(object, "/type")? {
        "bootstrap.kubernetes.io/token" => Some("it lets machines join the cluster it was read from"),
        "kubernetes.io/service-account-token" => {
            let account = annotation(object, "kubernetes.io/service-account.name")?;
            is_generated(name(object), &format!("{account}-token-"))
                .then_some("the cluster made this token by itself")
        }
        _ => None,
    }
}

fn generated_endpoints(object: &Value) -> bool {
    label(object, "endpoints.kubernetes.io/managed-by").is_some()
        || annotation(object, "endpoints.kubernetes.io/last-change-trigger-time").is_some()
        // The API server writes its own, in its own way.
        || name(object) == "kubernetes" && text(object, "/metadata/namespace") == Some("default")
}

fn ended(object: &Value) -> Option<&'static str> {
    match group_kind(object) {
        ("", "Pod") => matches!(text(object, "/status/phase"), Some("Succeeded" | "Failed"))
            .then_some("it had ended; starting it again would repeat its work"),
        ("batch", "Job") => {
            let failed = list(object, "/status/conditions")
                .any(|one| text(one, "/type") == Some("Failed") && text(one, "/status") == Some("True"));
            (failed || object.pointer("/status/completionTime").is_some())
                .then_some("it had ended; starting it again would repeat its work")
        }
        _ => None,
    }
}

/// Kinds whose controllers make them again: everything of them follows from the owner.
const GENERATED: &[(&str, &str)] = &[
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "ControllerRevision"),
    ("batch", "Job"),
    ("discovery.k8s.io", "EndpointSlice"),
];

/// How the reason ends for which what an owner's controller makes is left out.
const MADE_AGAIN: &str = "makes it again";

/// The reason for which what a Service is followed by is left out.
const FOLLOWS: &str = "it follows from its Service";

/// Whether what was left out for this reason comes back by itself.
pub fn comes_again(why: &str) -> bool {
    why.ends_with(MADE_AGAIN) || why == FOLLOWS
}

fn owned(object: &Value) -> Option<String> {
    if !GENERATED.contains(&group_kind(object)) {
        return None;
    }
    let owner = list(object, "/metadata/ownerReferences")
        .find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
    let (kind, name) = (text(owner, "/kind")?, text(owner, "/name")?);
    Some(format!("{kind} {name} {MADE_AGAIN}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::merged;
    use super::*;

    fn object(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
    }

    #[test]
    fn children_of_controllers_are_made_again_by_them() {
        let owned_by = |kind: &str| {
            json!({"metadata": {"ownerReferences": [
                {"kind": kind, "name": "web", "controller": true},
            ]}})
        };
        let pod = merged(object("v1", "Pod", "web-1"), owned_by("ReplicaSet"));
        assert_eq!(left_out_of_backup(&pod), None);
        assert_eq!(
            left_out_of_restore(&pod).unwrap(),
            "ReplicaSet web makes it again"
        );
        let secret = merged(object("v1", "Secret", "tls"), owned_by("Widget"));
        assert_eq!(left_out_of_restore(&secret), None, "it may hold data");
        assert_eq!(left_out_of_restore(&object("v1", "Pod", "bare")), None);
    }

    #[test]
    fn marked_and_dying_objects_are_not_backed_up() {
        let secret = object("v1", "Secret", "s");
        let labelled = |value: &str| json!({"metadata": {"labels": {EXCLUDE_LABEL: value}}});
        let marked = merged(secret.clone(), labelled("true"));
        assert!(left_out_of_backup(&marked).is_some());
        let not = merged(secret.clone(), labelled("false"));
        assert_eq!(left_out_of_backup(&not), None);
        let dying = merged(
            secret,
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        );
        assert!(left_out_of_backup(&dying).is_some());
    }

    #[test]
    fn the_default_account_is_restored_only_if_somebody_changed_it() {
        let plain = merged(
            object("v1", "ServiceAccount", "default"),
            json!({"metadata": {"uid": "u"}}),
        );
        assert!(left_out_of_restore(&plain).is_some());
        let changed = merged(plain, json!({"imagePullSecrets": [{"name": "registry"}]}));
        assert_eq!(left_out_of_restore(&changed), None);
    }

    #[test]
    fn work_that_had_ended_is_not_repeated() {
        let job = object("batch/v1", "Job", "migrate");
        assert_eq!(left_out_of_restore(&job), None);
        for status in [
            json!({"completionTime": "2026-01-01T00:00:00Z"}),
            json!({"conditions": [{"type": "Failed", "status": "True"}]}),
        ] {
            assert!(left_out_of_restore(&merged(job.clone(), json!({"status": status}))).is_some());
        }
        let running = merged(
            job,
            json!({"status": {"conditions": [{"type": "Failed", "status": "False"}]}}),
        );
        assert_eq!(left_out_of_restore(&running), None);
    }

    #[test]
    fn endpoints_that_a_person_wrote_are_kept() {
        assert_eq!(left_out_of_restore(&object("v1", "Endpoints", "db")), None);
        let generated = merged(
            object("v1", "Endpoints", "db"),
            json!({"metadata": {"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}}),
        );
        assert!(left_out_of_restore(&generated).is_some());
    }

    #[test]
    fn a_kind_is_found_by_the_name_that_discovery_gives_it() {
        assert!(kind_left_out("events").is_some());
        assert!(kind_left_out("events.events.k8s.io").is_some());
        assert!(kind_left_out("leases.coordination.k8s.io").is_some());
        assert_eq!(kind_left_out("leases.example.com"), None);
        assert_eq!(kind_left_out("schedules.velero.io"), None);
    }

    #[test]
    fn what_every_cluster_makes_for_itself_is_not_brought_from_another() {
        let rbac = "rbac.authorization.k8s.io/v1";
        let labelled = |of: Value| json!({"metadata": {"labels": of}});
        let annotated =
            |value: &str| json!({"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": value}}});
        let flow = |name: &str| object("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", name);
        let slice = |namespace: &str| {
            let slice = object("discovery.k8s.io/v1", "EndpointSlice", "kubernetes");
            merged(slice, json!({"metadata": {"namespace": namespace}}))
        };
        for own in [
            object(rbac, "ClusterRole", "system:coredns"),
            object(rbac, "ClusterRoleBinding", "system:node"),
            merged(
                object(rbac, "ClusterRole", "edit"),
                labelled(json!({"kubernetes.io/bootstrapping": "rbac-defaults"})),
            ),
            object("scheduling.k8s.io/v1", "PriorityClass", "system-node-critical"),
            merged(flow("exempt"), annotated("true")),
            object("v1", "Namespace", "kube-system"),
            object("v1", "PersistentVolume", "pv-1"),
            object("storage.k8s.io/v1", "VolumeAttachment", "a"),
            object("certificates.k8s.io/v1", "CertificateSigningRequest", "c"),
            merged(
                object("apiregistration.k8s.io/v1", "APIService", "v1."),
                labelled(json!({"kube-aggregator.kubernetes.io/automanaged": "onstart"})),
            ),
            slice("default"),
        ] {
            assert!(left_out_of_restore(&own).is_some(), "{own}");
        }
        for brought in [
            object(rbac, "ClusterRole", "shop-reader"),
            object(rbac, "Role", "system:of-a-person"),
            object("scheduling.k8s.io/v1", "PriorityClass", "high"),
            flow("ours"),
            merged(flow("exempt"), annotated("false")),
            object("apiregistration.k8s.io/v1", "APIService", "v1.metrics.example"),
            slice("shop"),
        ] {
            assert_eq!(left_out_of_restore(&brought), None, "{brought}");
        }
    }
}
