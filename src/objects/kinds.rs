//! The kinds that every cluster serves, by every name that people use for them.

use super::ApiKind;

/// A kind that every supported cluster serves: `Deployment`, `deployment`, `deployments`, `deploy`
/// all find it. Custom kinds are known only to a live site's discovery.
pub fn builtin(name: &str) -> Option<ApiKind> {
    let wanted = name.to_ascii_lowercase();
    let row = TABLE.iter().find(|row| {
        row.kind.eq_ignore_ascii_case(&wanted) || row.plural == wanted || row.short.contains(&wanted.as_str())
    })?;
    Some(ApiKind {
        group: row.group.to_owned(),
        version: row.version.to_owned(),
        kind: row.kind.to_owned(),
        plural: row.plural.to_owned(),
        namespaced: row.namespaced,
    })
}

struct Row {
    kind: &'static str,
    plural: &'static str,
    group: &'static str,
    version: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
}

const fn row(
    kind: &'static str,
    plural: &'static str,
    group: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
) -> Row {
    Row {
        kind,
        plural,
        group,
        version: "v1",
        namespaced,
        short,
    }
}

/// All but one are `v1` and have been since Kubernetes 1.25, the oldest version that is still seen.
const TABLE: &[Row] = &[
    row("Namespace", "namespaces", "", false, &["ns"]),
    row("Pod", "pods", "", true, &["po"]),
    row("Service", "services", "", true, &["svc"]),
    row("Endpoints", "endpoints", "", true, &["ep"]),
    row("ConfigMap", "configmaps", "", true, &["cm"]),
    row("Secret", "secrets", "", true, &[]),
    row("ServiceAccount", "serviceaccounts", "", true, &["sa"]),
    row(
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        "",
        true,
        &["pvc"],
    ),
    row("PersistentVolume", "persistentvolumes", "", false, &["pv"]),
    row("ResourceQuota", "resourcequotas", "", true, &["quota"]),
    row("LimitRange", "limitranges", "", true, &["limits"]),
    row("Node", "nodes", "", false, &["no"]),
    row("Deployment", "deployments", "apps", true, &["deploy"]),
    row("StatefulSet", "statefulsets", "apps", true, &["sts"]),
    row("DaemonSet", "daemonsets", "apps", true, &["ds"]),
    row("ReplicaSet", "replicasets", "apps", true, &["rs"]),
    row("Job", "jobs", "batch", true, &[]),
    row("CronJob", "cronjobs", "batch", true, &["cj"]),
    row("Ingress", "ingresses", "networking.k8s.io", true, &["ing"]),
    row("IngressClass", "ingressclasses", "networking.k8s.io", false, &[]),
    row(
        "NetworkPolicy",
        "networkpolicies",
        "networking.k8s.io",
        true,
        &["netpol"],
    ),
    row("Role", "roles", "rbac.authorization.k8s.io", true, &[]),
    row(
        "RoleBinding",
        "rolebindings",
        "rbac.authorization.k8s.io",
        true,
        &[],
    ),
    row(
        "ClusterRole",
        "clusterroles",
        "rbac.authorization.k8s.io",
        false,
        &[],
    ),
    row(
        "ClusterRoleBinding",
        "clusterrolebindings",
        "rbac.authorization.k8s.io",
        false,
        &[],
    ),
    row("StorageClass", "storageclasses", "storage.k8s.io", false, &["sc"]),
    row(
        "PriorityClass",
        "priorityclasses",
        "scheduling.k8s.io",
        false,
        &["pc"],
    ),
    row(
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        "policy",
        true,
        &["pdb"],
    ),
    Row {
        version: "v2",
        ..row(
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            "autoscaling",
            true,
            &["hpa"],
        )
    },
    row("Lease", "leases", "coordination.k8s.io", true, &[]),
    row("EndpointSlice", "endpointslices", "discovery.k8s.io", true, &[]),
    row("ControllerRevision", "controllerrevisions", "apps", true, &[]),
    row(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        false,
        &[],
    ),
    row(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        false,
        &[],
    ),
    row("APIService", "apiservices", "apiregistration.k8s.io", false, &[]),
    row(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        false,
        &["crd"],
    ),
];
