//! An object fitted into a drill's sandbox: changed so that it cannot act outside, or left out with
//! the reason. What is changed is noted, because a drill has to say where it differs from the real
//! failover.
//!
//! Comes after [`super::strip()`] and [`super::rename()`]. Not here: the sandbox's own objects (`walls`).
//!
//! ## Why
//!
//! - Closed by default: what is not in a namespace of the drill is left out, whatever it is.
//! - A pod that reaches its node (host network, host paths, privileged, …) is left out rather than
//!   rewritten: network policies do not hold it, and without that access it would be another program.
//! - A workload with a volume type that is not known to be confined is left out: NFS and its like
//!   mount production's data past every network policy.
//! - Finalizers go: their controllers would act on deletion, and a drill must be able to delete.
//! - The priority goes: a rehearsal must not push out the pods that keep the standby alive.
//! - The label `app.kubernetes.io/instance` stays although older Argo CD tracks by it: selectors use
//!   it, and Argo CD could at most delete what belongs to the drill.
//! - A claim for a class without provisioner can bind a volume that a person made for something else.
//!   For the empty class that is visible here; for a named class it is not.

use serde_json::Value;

use super::json::{CONTAINER_LISTS, group_kind, list, list_mut, map_mut, pod_template, remove, text};
use super::node::{self, Power};
use super::outside::{custom_kind_note, kind_acts_outside, mark_acts_outside};
use super::rename::{Namespaces, mentions};

/// What became of an object at the walls of a drill.
#[derive(Clone, Debug, PartialEq)]
pub enum Confined {
    /// It may be made.
    Keep {
        /// As it may be made.
        object: Value,
        /// What was changed or has to be known, each a fragment for people.
        notes: Vec<String>,
    },
    /// It is not made in a drill, and why.
    Skip(String),
}

/// Fits a stripped and renamed object into a drill whose namespaces are the values of `drill`.
///
/// `namespaced` is what the *target* says of the object's kind: a server ignores a namespace that
/// somebody wrote into a cluster-scoped object, so the object itself is no witness.
#[must_use]
pub fn confine(mut object: Value, namespaced: bool, drill: &Namespaces) -> Confined {
    if !namespaced {
        return Confined::Skip(CLUSTER_SCOPED.into());
    }
    let mut notes = Vec::new();
    match fit(&mut object, drill, &mut notes) {
        Ok(()) => Confined::Keep { object, notes },
        Err(why) => Confined::Skip(why),
    }
}

const CLUSTER_SCOPED: &str = "it is cluster-scoped: a drill keeps to namespaces of its own";

/// `Err`: why it is left out.
fn fit(object: &mut Value, namespaces: &Namespaces, notes: &mut Vec<String>) -> Result<(), String> {
    match text(object, "/metadata/namespace") {
        None | Some("") => return Err(CLUSTER_SCOPED.into()),
        Some(namespace) if is_inside(namespace, namespaces) => {}
        Some(namespace) => return Err(format!("namespace {namespace} is not part of the drill")),
    }
    if let Some(why) = kind_acts_outside(object) {
        return Err(why.into());
    }
    if remove(object, "/metadata", "finalizers") {
        notes.push("finalizers removed: a drill has to be able to delete".into());
    }
    remove_marks(object, "/metadata", notes);
    fit_kind(object, namespaces, notes)?;
    if let Some(template) = pod_template(object) {
        fit_pods(object, template, notes)?;
    }
    notes.extend(custom_kind_note(object));
    for (place, namespace) in mentions(object, namespaces) {
        notes.push(format!(
            "{place} names a service of {namespace}, which the drill cannot reach"
        ));
    }
    Ok(())
}

fn is_inside(namespace: &str, namespaces: &Namespaces) -> bool {
    namespaces.values().any(|inside| inside == namespace)
}

fn fit_kind(object: &mut Value, namespaces: &Namespaces, notes: &mut Vec<String>) -> Result<(), String> {
    match group_kind(object) {
        ("", "Service") => fit_service(object, notes),
        ("", "PersistentVolumeClaim") => fit_claim(object, "/spec", notes)?,
        ("", "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => {
            return Err("it was written by hand and points outside of the drill".into());
        }
        ("apps", "StatefulSet") => {
            for template in list_mut(object, "/spec/volumeClaimTemplates") {
                fit_claim(template, "/spec", notes)?;
            }
        }
        ("batch", "CronJob") => suspend(object, notes)?,
        ("rbac.authorization.k8s.io", "RoleBinding") => fit_binding(object, namespaces, notes)?,
        _ => {}
    }
    Ok(())
}

/// Annotations always, labels only where no selector can mean them: on what is not a pod.
fn remove_marks(object: &mut Value, metadata: &str, notes: &mut Vec<String>) {
    let is_pod = group_kind(object) == ("", "Pod");
    let maps: &[_] = if is_pod || metadata != "/metadata" {
        &["annotations"]
    } else {
        &["annotations", "labels"]
    };
    for what in maps {
        let Some(map) = map_mut(object, &format!("{metadata}/{what}")) else {
            continue;
        };
        let marks: Vec<String> = map.keys().filter(|key| mark_acts_outside(key)).cloned().collect();
        for key in marks {
            map.remove(&key);
            notes.push(format!("{} {key} removed", what.trim_end_matches('s')));
        }
    }
}

fn fit_service(service: &mut Value, notes: &mut Vec<String>) {
    let kind = text(service, "/spec/type").unwrap_or("ClusterIP").to_owned();
    if kind != "ClusterIP" && kind != "ExternalName" {
        service["spec"]["type"] = "ClusterIP".into();
        notes.push(format!("{kind} becomes ClusterIP"));
    }
    if remove(service, "/spec", "externalIPs") {
        notes.push("external addresses removed".into());
    }
    // The server refuses these on a Service that nobody outside can reach.
    for key in [
        "allocateLoadBalancerNodePorts",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
    ] {
        remove(service, "/spec", key);
    }
    for port in list_mut(service, "/spec/ports") {
        remove(port, "", "nodePort");
    }
}

fn fit_claim(holder: &mut Value, spec: &str, notes: &mut Vec<String>) -> Result<(), String> {
    if text(holder, &format!("{spec}/storageClassName")) == Some("") {
        return Err("its claim for the empty storage class could bind a volume of production".into());
    }
    for key in ["volumeName", "selector", "dataSource", "dataSourceRef"] {
        if remove(holder, spec, key) {
            notes.push(format!("claim without {key}: a drill gets volumes of its own"));
        }
    }
    Ok(())
}

fn suspend(cron_job: &mut Value, notes: &mut Vec<String>) -> Result<(), String> {
    let spec = map_mut(cron_job, "/spec").ok_or("it has no spec")?;
    if spec.insert("suspend".into(), true.into()) != Some(Value::Bool(true)) {
        notes.push("suspended".into());
    }
    Ok(())
}

/// Only accounts of the drill itself keep rights in it. A binding gives rights in its own namespace
/// only, so it may refer to any role.
fn fit_binding(binding: &mut Value, namespaces: &Namespaces, notes: &mut Vec<String>) -> Result<(), String> {
    if let Some(subjects) = map_mut(binding, "")
        .and_then(|map| map.get_mut("subjects"))
        .and_then(Value::as_array_mut)
    {
        let before = subjects.len();
        subjects.retain(|subject| is_own_account(subject, namespaces));
        if subjects.is_empty() && before > 0 {
            return Err("it gives rights only to accounts outside of the drill".into());
        }
        if subjects.len() < before {
            notes.push(format!(
                "{} outside accounts get no rights",
                before - subjects.len()
            ));
        }
    }
    if text(binding, "/roleRef/kind") == Some("ClusterRole") {
        let role = text(binding, "/roleRef/name").unwrap_or("");
        notes.push(format!("ClusterRole {role} is not restored; it has to be there"));
    }
    Ok(())
}

fn is_own_account(subject: &Value, namespaces: &Namespaces) -> bool {
    let own = |namespace: Option<&str>| namespace.is_some_and(|name| is_inside(name, namespaces));
    match text(subject, "/kind") {
        Some("ServiceAccount") => own(text(subject, "/namespace")),
        Some("Group") => {
            own(text(subject, "/name").and_then(|name| name.strip_prefix("system:serviceaccounts:")))
        }
        _ => false,
    }
}

fn fit_pods(object: &mut Value, template: &str, notes: &mut Vec<String>) -> Result<(), String> {
    let spec = format!("{template}/spec");
    if let Some(pods) = object.pointer(&spec) {
        reaches_node(pods).map_or(Ok(()), Err)?;
    }
    if !template.is_empty() {
        remove_marks(object, &format!("{template}/metadata"), notes);
    }
    if remove(object, &spec, "priorityClassName") {
        notes.push("runs at the default priority, so that it pushes nobody out".into());
    }
    remove(object, &spec, "nodeName");
    for containers in CONTAINER_LISTS {
        for container in list_mut(object, &format!("{spec}{containers}")) {
            for port in list_mut(container, "/ports") {
                if remove(port, "", "hostPort") {
                    notes.push("port on the node removed".into());
                }
            }
        }
    }
    for volume in list_mut(object, &format!("{spec}/volumes")) {
        fit_claim(volume, "/ephemeral/volumeClaimTemplate/spec", notes)?;
    }
    Ok(())
}

/// Volume types that give a pod nothing but what is in its own namespace or image.
const CONFINED_VOLUMES: &[&str] = &[
    "configMap",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// How a pod would get past the walls of its namespace; `None`: it would not.
fn reaches_node(pods: &Value) -> Option<String> {
    if let Some(key) = node::shared(pods) {
        return Some(format!("its pods would share the node ({key})"));
    }
    for volume in list(pods, "/volumes") {
        let mut types = volume
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str());
        if let Some(other) = types.find(|key| *key != "name" && !CONFINED_VOLUMES.contains(key)) {
            return Some(format!(
                "its pods would mount a {other} volume past the drill's walls"
            ));
        }
    }
    node::power(pods).map(|power| match power {
        Power::Process => "its pods would run on the node itself (hostProcess)".into(),
        Power::Privileged => "its pods would be privileged on the node".into(),
        Power::Capability(name) => format!("its pods ask for {name}, which a drill's namespace refuses"),
        Power::Proc => "its pods ask for all of /proc, which a drill's namespace refuses".into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::merged;
    use super::*;

    fn drill() -> Namespaces {
        Namespaces::from([("shop".into(), "shop-d".into())])
    }

    fn object(api_version: &str, kind: &str, rest: Value) -> Value {
        let base = json!({"apiVersion": api_version, "kind": kind,
                          "metadata": {"name": "x", "namespace": "shop-d"}});
        merged(base, rest)
    }

    fn kept(object: Value) -> (Value, Vec<String>) {
        match confine(object, true, &drill()) {
            Confined::Keep { object, notes } => (object, notes),
            Confined::Skip(why) => panic!("skipped: {why}"),
        }
    }

    fn skipped(object: Value) -> String {
        match confine(object, true, &drill()) {
            Confined::Keep { object, .. } => panic!("kept: {object}"),
            Confined::Skip(why) => why,
        }
    }

    fn workload(spec: Value) -> Value {
        let pods = merged(json!({"containers": [{"name": "c"}]}), spec);
        object(
            "apps/v1",
            "Deployment",
            json!({"spec": {"template": {"spec": pods}}}),
        )
    }

    #[test]
    fn nothing_outside_of_the_drills_namespaces_is_made() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}});
        assert!(skipped(role).contains("cluster-scoped"));
        let disguised = object("rbac.authorization.k8s.io/v1", "ClusterRole", json!({}));
        assert_eq!(
            confine(disguised, false, &drill()),
            Confined::Skip(CLUSTER_SCOPED.into())
        );
        let production =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}});
        assert_eq!(skipped(production), "namespace shop is not part of the drill");
    }

    #[test]
    fn a_load_balancer_becomes_a_plain_service() {
        let (service, notes) = kept(object(
            "v1",
            "Service",
            json!({
                "metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"], "annotations": {
                    "external-dns.alpha.kubernetes.io/hostname": "shop.example.com", "team": "commerce"}},
                "spec": {"type": "LoadBalancer", "externalIPs": ["203.0.113.7"], "externalTrafficPolicy": "Local",
                         "loadBalancerIP": "203.0.113.8", "healthCheckNodePort": 31000,
                         "ports": [{"port": 80, "nodePort": 30080}]},
            }),
        ));
        assert_eq!(
            service["spec"],
            json!({"type": "ClusterIP", "ports": [{"port": 80}]})
        );
        assert_eq!(service["metadata"]["annotations"], json!({"team": "commerce"}));
        assert_eq!(
            notes,
            [
                "finalizers removed: a drill has to be able to delete",
                "annotation external-dns.alpha.kubernetes.io/hostname removed",
                "LoadBalancer becomes ClusterIP",
                "external addresses removed",
            ]
        );
    }

    #[test]
    fn what_draws_production_traffic_or_opens_the_walls_is_left_out() {
        for (version, kind, word) in [
            ("networking.k8s.io/v1", "Ingress", "host names"),
            ("gateway.networking.k8s.io/v1", "HTTPRoute", "host names"),
            ("cert-manager.io/v1", "Certificate", "certificates"),
            ("networking.k8s.io/v1", "NetworkPolicy", "egress"),
            ("cilium.io/v2", "CiliumNetworkPolicy", "egress"),
            ("argoproj.io/v1alpha1", "Application", "repository"),
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "repository"),
            ("external-secrets.io/v1", "PushSecret", "secret store"),
            ("sqs.services.k8s.aws/v1alpha1", "Queue", "cloud"),
            ("v1", "Endpoints", "outside"),
        ] {
            let why = skipped(object(version, kind, json!({})));
            assert!(why.contains(word), "{kind}: {why}");
        }
        kept(object("networking.example.com/v1", "Ingress", json!({})));
    }

    #[test]
    fn a_schedule_is_suspended() {
        let (cron, notes) = kept(object("batch/v1", "CronJob", json!({"spec": {"suspend": false}})));
        assert_eq!(cron["spec"]["suspend"], true);
        assert_eq!(notes, ["suspended"]);
        let (_, quiet) = kept(object("batch/v1", "CronJob", json!({"spec": {"suspend": true}})));
        assert!(quiet.is_empty());
        skipped(object("batch/v1", "CronJob", json!({"spec": null})));
    }

    #[test]
    fn no_claim_can_reach_a_volume_of_production() {
        let (claim, notes) = kept(object(
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"storageClassName": "fast", "volumeName": "pv-1", "selector": {}, "dataSource": {"name": "s"}}}),
        ));
        assert_eq!(claim["spec"], json!({"storageClassName": "fast"}));
        assert_eq!(notes.len(), 3);
        let by_hand = json!({"spec": {"storageClassName": ""}});
        assert!(skipped(object("v1", "PersistentVolumeClaim", by_hand)).contains("empty storage class"));
    }

    #[test]
    fn pods_that_reach_the_node_are_left_out() {
        for spec in [
            json!({"hostNetwork": true}),
            json!({"hostPID": true}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            json!({"volumes": [{"name": "v", "nfs": {"server": "nas"}}]}),
            json!({"volumes": [{"name": "v", "csi": {"driver": "nfs.csi.k8s.io"}}]}),
            json!({"containers": [{"securityContext": {"privileged": true}}]}),
            json!({"initContainers": [{"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]}),
        ] {
            skipped(workload(spec));
        }
        kept(workload(
            json!({"hostNetwork": false, "volumes": [{"name": "v", "emptyDir": {}}]}),
        ));
        let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"hostNetwork": true}}}}}});
        skipped(object("batch/v1", "CronJob", cron));
        skipped(object("v1", "Pod", json!({"spec": {"hostNetwork": true}})));
    }

    #[test]
    fn what_is_changed_in_pods_is_noted() {
        let mut web = workload(json!({
            "priorityClassName": "critical", "nodeName": "n1",
            "containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}],
        }));
        web["spec"]["template"]["metadata"] =
            json!({"annotations": {"k8s.v1.cni.cncf.io/networks": "lan"}, "labels": {"app": "web"}});
        let (web, notes) = kept(web);
        assert_eq!(
            web["spec"]["template"],
            json!({
                "metadata": {"annotations": {}, "labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]},
            })
        );
        assert_eq!(
            notes,
            [
                "annotation k8s.v1.cni.cncf.io/networks removed",
                "runs at the default priority, so that it pushes nobody out",
                "port on the node removed",
            ]
        );
    }

    #[test]
    fn only_the_drills_own_accounts_keep_rights() {
        let own = json!({"kind": "ServiceAccount", "name": "web", "namespace": "shop-d"});
        let binding = |subjects: Value| {
            let role = json!({"roleRef": {"kind": "ClusterRole", "name": "edit"}, "subjects": subjects});
            object("rbac.authorization.k8s.io/v1", "RoleBinding", role)
        };
        let (kept_binding, notes) = kept(binding(json!([own, {"kind": "User", "name": "anna"}])));
        assert_eq!(kept_binding["subjects"], json!([own]));
        assert_eq!(
            notes,
            [
                "1 outside accounts get no rights",
                "ClusterRole edit is not restored; it has to be there",
            ]
        );
        skipped(binding(
            json!([{"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}]),
        ));
    }

    #[test]
    fn what_nobody_can_know_is_said() {
        let (_, notes) = kept(object(
            "shop.example.com/v1",
            "Coupon",
            json!({"spec": {"percent": 10}}),
        ));
        assert_eq!(
            notes,
            ["a controller of Coupon (shop.example.com) outside of the drill may act on it"]
        );
        let (_, notes) = kept(object(
            "v1",
            "ConfigMap",
            json!({"data": {"db": "tcp://db.shop.svc:5432"}}),
        ));
        assert_eq!(
            notes,
            ["data.db names a service of shop, which the drill cannot reach"]
        );
    }
}
