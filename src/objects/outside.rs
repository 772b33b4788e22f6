//! Kinds and marks through which an object acts outside of its namespace. Tables only; `confine`
//! applies them in a drill.
//!
//! ## Why
//!
//! Network policies hold back pods, not the controllers that watch objects: those run elsewhere, with
//! rights and credentials of their own. So what they would act on must not be in the sandbox. The
//! list is of what is known; a custom kind that is not in it is kept, with a note that says so.

use super::json::{group_kind, kind};

/// Why objects of this kind are left out of a drill, by API group. A group that starts with a dot
/// means every group that ends so; an empty kind means all kinds of the group.
const KINDS: &[(&str, &str, &str)] = &[
    ("networking.k8s.io", "Ingress", HOSTS),
    ("extensions", "Ingress", HOSTS),
    ("gateway.networking.k8s.io", "", HOSTS),
    ("gateway.networking.x-k8s.io", "", HOSTS),
    ("networking.istio.io", "", HOSTS),
    ("route.openshift.io", "", HOSTS),
    ("traefik.io", "", HOSTS),
    ("traefik.containo.us", "", HOSTS),
    ("projectcontour.io", "", HOSTS),
    ("getambassador.io", "", HOSTS),
    ("configuration.konghq.com", "", HOSTS),
    ("k8s.nginx.org", "", HOSTS),
    ("externaldns.k8s.io", "", HOSTS),
    ("externaldns.nginx.org", "", HOSTS),
    ("multicluster.x-k8s.io", "", HOSTS),
    ("networking.gke.io", "", HOSTS),
    ("elbv2.k8s.aws", "", HOSTS),
    ("cert-manager.io", "", CERTIFICATES),
    ("acme.cert-manager.io", "", CERTIFICATES),
    ("networking.k8s.io", "NetworkPolicy", POLICIES),
    ("extensions", "NetworkPolicy", POLICIES),
    ("cilium.io", "", POLICIES),
    ("crd.projectcalico.org", "", POLICIES),
    ("projectcalico.org", "", POLICIES),
    ("crd.antrea.io", "", POLICIES),
    (
        "k8s.cni.cncf.io",
        "",
        "it attaches pods to networks that network policies do not cover",
    ),
    ("argoproj.io", "Application", GITOPS),
    ("argoproj.io", "ApplicationSet", GITOPS),
    ("argoproj.io", "AppProject", GITOPS),
    ("argoproj.io", "", PIPELINES),
    (".toolkit.fluxcd.io", "", GITOPS),
    ("tekton.dev", "", PIPELINES),
    ("triggers.tekton.dev", "", PIPELINES),
    ("external-secrets.io", "", SECRETS),
    ("generators.external-secrets.io", "", SECRETS),
    (
        "monitoring.coreos.com",
        "",
        "production's monitoring would raise alarms about the drill",
    ),
    ("snapshot.storage.k8s.io", "", STORAGE),
    ("groupsnapshot.storage.k8s.io", "", STORAGE),
    ("volsync.backube", "", STORAGE),
    ("ramendr.openshift.io", "", STORAGE),
    ("replication.storage.openshift.io", "", STORAGE),
    ("k8up.io", "", STORAGE),
    ("velero.io", "", STORAGE),
    (".crossplane.io", "", CLOUD),
    (".upbound.io", "", CLOUD),
    (".services.k8s.aws", "", CLOUD),
    (".cnrm.cloud.google.com", "", CLOUD),
    (".azure.com", "", CLOUD),
    (".cluster.x-k8s.io", "", CLOUD),
    ("cluster.x-k8s.io", "", CLOUD),
    ("app.terraform.io", "", CLOUD),
    ("infra.contrib.fluxcd.io", "", CLOUD),
    ("pulumi.com", "", CLOUD),
];

const HOSTS: &str = "it would claim production's host names or traffic";
const CERTIFICATES: &str = "it would ask for certificates of production's host names";
const POLICIES: &str = "network policies add up: it could open the drill's default-deny egress";
const GITOPS: &str = "it would deploy from production's repository";
const PIPELINES: &str = "it would run pipelines against the outside";
const SECRETS: &str = "it reads or writes production's secret store from outside of the drill";
const STORAGE: &str = "it acts on storage from outside of the drill";
const CLOUD: &str = "it makes or changes resources in a cloud account";

/// Workloads of groups that are otherwise left out: their pods are confined like any other.
const KEPT: &[(&str, &str)] = &[("argoproj.io", "Rollout")];

/// Why an object must not be in a drill because of its kind; `None`: it may.
pub(super) fn kind_acts_outside(object: &serde_json::Value) -> Option<&'static str> {
    let (group, kind) = group_kind(object);
    if KEPT.contains(&(group, kind)) {
        return None;
    }
    KINDS
        .iter()
        .find(|row| in_group(group, row.0) && (row.1.is_empty() || row.1 == kind))
        .map(|row| row.2)
}

fn in_group(group: &str, row: &str) -> bool {
    if row.starts_with('.') {
        group.ends_with(row)
    } else {
        group == row
    }
}

/// Says that nobody knows what the controller of a custom kind does; `None` for built-in kinds.
pub(super) fn custom_kind_note(object: &serde_json::Value) -> Option<String> {
    let group = super::json::group(object);
    let builtin = !group.contains('.') || group.ends_with(".k8s.io");
    (!builtin).then(|| {
        format!(
            "a controller of {} ({group}) outside of the drill may act on it",
            kind(object)
        )
    })
}

/// Annotations and labels, by prefix, through which something outside is told to act.
const MARKS: &[&str] = &[
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "external-dns.alpha.kubernetes.io/",
    "cert-manager.io/",
    "kubernetes.io/ingress.",
    "tailscale.com/",
    "consul.hashicorp.com/",
    "multicluster.linkerd.io/",
    "mirror.linkerd.io/",
    "getambassador.io/",
    // Load balancers, by annotation of a Service.
    "service.beta.kubernetes.io/",
    "service.kubernetes.io/load-balancer",
    "cloud.google.com/",
    "networking.gke.io/",
    "metallb.io/",
    "metallb.universe.tf/",
    "kube-vip.io/",
    "io.cilium/",
    // Copies of Secrets and ConfigMaps into other namespaces.
    "reflector.v1.k8s.emberstack.com/",
    "replicator.v1.mittwald.de/",
    "kubed.appscode.com/",
    // Backups by Velero's annotations on pods.
    "backup.velero.io/",
    "pre.hook.backup.velero.io/",
    "post.hook.backup.velero.io/",
    // Production's identity in a cloud account.
    "eks.amazonaws.com/",
    "iam.gke.io/",
    "azure.workload.identity/",
    // Networks and addresses that the drill's network policies do not cover.
    "k8s.v1.cni.cncf.io/",
    "v1.multus-cni.io/",
    "cni.projectcalico.org/",
    "ovn.kubernetes.io/",
];

/// Whether an annotation or label tells something outside to act.
pub(super) fn mark_acts_outside(key: &str) -> bool {
    MARKS.iter().any(|prefix| key.starts_with(prefix))
}
