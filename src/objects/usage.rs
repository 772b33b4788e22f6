//! What a `ResourceQuota` counts of an object, and what it counts of the pods that follow from it.
//!
//! ## Why
//!
//! What is said here is at least so: of pods whose number depends on nodes or on the hour
//! (`DaemonSet`, `CronJob`), of claims that a template makes, and of what controllers make besides
//! pods, nothing is counted. So what exceeds a quota by these numbers exceeds it in truth; the other
//! way round nothing is promised.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{group_kind, list, pod_template, text};
use super::{ApiKind, Quantity};

/// Amounts by the names that quotas use: `requests.cpu`, `count/deployments.apps`.
pub type Amounts = BTreeMap<String, Quantity>;

/// What one object counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// The object itself: the server refuses it where this is too much.
    pub own: Amounts,
    /// Its pods: its controller is refused them.
    pub pods: Amounts,
}

/// Adds up.
pub fn add(sum: &mut Amounts, more: &Amounts, negative: bool) {
    for (name, amount) in more {
        let amount = if negative { -*amount } else { *amount };
        let total = sum.entry(name.clone()).or_default();
        *total = total.plus(amount);
    }
}

/// Kinds that quotas also count by their bare name.
const BARE: [&str; 7] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

impl Usage {
    /// Of one object. `defaults` is what a `LimitRange` gives to containers that ask for nothing.
    pub fn of(kind: &ApiKind, object: &Value, defaults: &Defaults) -> Self {
        let resource = kind.resource();
        let mut own = Amounts::from([(format!("count/{resource}"), Quantity::ONE)]);
        if BARE.contains(&resource.as_str()) {
            own.insert(resource, Quantity::ONE);
        }
        match group_kind(object) {
            ("", "Service") => service(object, &mut own),
            ("", "PersistentVolumeClaim") => claim(object, &mut own),
            ("", "Pod") => add(&mut own, &of_pods(object, 1, defaults), false),
            _ => {}
        }
        let pods = match replicas(object) {
            0 => Amounts::new(),
            count => of_pods(object, count, defaults),
        };
        Self { own, pods }
    }
}

fn service(object: &Value, own: &mut Amounts) {
    let ports = list(object, "/spec/ports").count() as u64;
    let kind = text(object, "/spec/type");
    if kind == Some("LoadBalancer") {
        own.insert("services.loadbalancers".into(), Quantity::ONE);
    }
    let allocates = object.pointer("/spec/allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    if kind == Some("NodePort") || kind == Some("LoadBalancer") && allocates {
        own.insert("services.nodeports".into(), Quantity::count(ports));
    }
}

fn claim(object: &Value, own: &mut Amounts) {
    let storage = object.pointer("/spec/resources/requests/storage");
    let storage = storage.and_then(Quantity::of).unwrap_or_default();
    own.insert("requests.storage".into(), storage);
    if let Some(class) = text(object, "/spec/storageClassName").filter(|class| !class.is_empty()) {
        let of = |what: &str| format!("{class}.storageclass.storage.k8s.io/{what}");
        own.insert(of("requests.storage"), storage);
        own.insert(of("persistentvolumeclaims"), Quantity::ONE);
    }
}

/// How many pods a controller makes of an object at once; 0 where that is not in the object.
pub fn replicas(object: &Value) -> u64 {
    let number = |pointer: &str, missing: u64| {
        let found = object.pointer(pointer);
        found.map_or(missing, |value| value.as_u64().unwrap_or(0))
    };
    match group_kind(object) {
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") | ("", "ReplicationController") => {
            number("/spec/replicas", 1)
        }
        ("batch", "Job") if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) => 0,
        ("batch", "Job") => number("/spec/parallelism", 1).min(number("/spec/completions", u64::MAX)),
        _ => 0,
    }
}

/// The spec of an object's pods, where it has any.
pub fn pod_spec(object: &Value) -> Option<&Value> {
    object.pointer(&format!("{}/spec", pod_template(object)?))
}

fn of_pods(object: &Value, count: u64, defaults: &Defaults) -> Amounts {
    let Some(spec) = pod_spec(object) else {
        return Amounts::new();
    };
    let mut sum: Amounts = ["pods", "count/pods"]
        .map(|name| (name.to_owned(), Quantity::count(count)))
        .into();
    let demand = Demand::of(spec, defaults);
    for (name, amount) in &demand.requests {
        let amount = amount.times(count);
        sum.insert(format!("requests.{name}"), amount);
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            sum.insert(name.clone(), amount);
        }
    }
    for (name, amount) in &demand.limits {
        sum.insert(format!("limits.{name}"), amount.times(count));
    }
    sum
}

/// What a `LimitRange` gives to containers that do not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Requests.
    pub requests: Amounts,
    /// Limits.
    pub limits: Amounts,
}

/// What one pod asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// What is reserved for it.
    pub requests: Amounts,
    /// What it may use.
    pub limits: Amounts,
}

impl Demand {
    /// Of one pod: what runs at the same time, or the largest of what runs before.
    pub fn of(spec: &Value, defaults: &Defaults) -> Self {
        let mut running = Self::default();
        let mut largest = Self::default();
        for container in list(spec, "/initContainers") {
            let own = Self::of_container(container, defaults);
            if text(container, "/restartPolicy") == Some("Always") {
                running.add(&own);
                largest.raise(&running);
            } else {
                let mut at_once = running.clone();
                at_once.add(&own);
                largest.raise(&at_once);
            }
        }
        for container in list(spec, "/containers") {
            running.add(&Self::of_container(container, defaults));
        }
        running.raise(&largest);
        running.replace(spec);
        let overhead = amounts(spec.pointer("/overhead"));
        add(&mut running.requests, &overhead, false);
        running
    }

    /// Of one container, as the server completes it: requests that are not said are the limits, and then
    /// the defaults of its namespace.
    pub fn of_container(container: &Value, defaults: &Defaults) -> Self {
        let limits = amounts(container.pointer("/resources/limits"));
        let mut requests = amounts(container.pointer("/resources/requests"));
        complete(&mut requests, &limits);
        complete(&mut requests, &defaults.requests);
        let mut limits = limits;
        complete(&mut limits, &defaults.limits);
        Self { requests, limits }
    }

    fn add(&mut self, other: &Self) {
        add(&mut self.requests, &other.requests, false);
        add(&mut self.limits, &other.limits, false);
    }

    fn raise(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.requests, &other.requests),
            (&mut self.limits, &other.limits),
        ] {
            for (name, amount) in theirs {
                let own = mine.entry(name.clone()).or_default();
                *own = (*own).max(*amount);
            }
        }
    }

    /// Resources of the pod as a whole stand instead of the sums.
    fn replace(&mut self, spec: &Value) {
        self.limits.extend(amounts(spec.pointer("/resources/limits")));
        self.requests.extend(amounts(spec.pointer("/resources/requests")));
    }
}

pub(super) fn complete(amounts: &mut Amounts, others: &Amounts) {
    for (name, amount) in others {
        amounts.entry(name.clone()).or_insert(*amount);
    }
}

/// A map of amounts; what is none is left out.
pub(super) fn amounts(value: Option<&Value>) -> Amounts {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), Quantity::of(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::builtin;

    fn usage(object: &Value) -> Usage {
        let kind = builtin(object["kind"].as_str().unwrap()).unwrap();
        Usage::of(&kind, object, &Defaults::default())
    }

    fn shown(amounts: &Amounts) -> Vec<String> {
        amounts
            .iter()
            .map(|(name, amount)| format!("{name} {amount}"))
            .collect()
    }

    fn container(cpu: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn a_deployment_counts_itself_and_each_of_its_pods() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [container("500m"),
                {"name": "d", "resources": {"limits": {"memory": "1Gi"}}}]}}}});
        let found = usage(&object);
        assert_eq!(shown(&found.own), ["count/deployments.apps 1"]);
        assert_eq!(
            shown(&found.pods),
            [
                "count/pods 3",
                "cpu 1500m",
                "limits.memory 3Gi",
                "memory 3Gi",
                "pods 3",
                "requests.cpu 1500m",
                "requests.memory 3Gi"
            ]
        );
    }

    #[test]
    fn what_runs_before_counts_only_where_it_is_more_and_a_sidecar_all_the_time() {
        let spec = json!({"initContainers": [container("2"), {"name": "s", "restartPolicy": "Always",
            "resources": {"requests": {"cpu": "1"}}}, container("1500m")], "containers": [container("1")]});
        let demand = Demand::of(&spec, &Defaults::default());
        // 2 alone; then the sidecar with 1.5; then both that stay.
        assert_eq!(shown(&demand.requests), ["cpu 2500m"]);
        let spec = json!({"initContainers": [container("2")], "containers": [container("1")],
                          "overhead": {"cpu": "250m"}});
        let demand = Demand::of(&spec, &Defaults::default());
        assert_eq!(shown(&demand.requests), ["cpu 2250m"]);
    }

    #[test]
    fn defaults_fill_only_what_is_not_said() {
        let defaults = Defaults {
            requests: Amounts::from([("cpu".into(), Quantity::ONE), ("memory".into(), Quantity::ONE)]),
            limits: Amounts::new(),
        };
        let demand = Demand::of_container(&container("2"), &defaults);
        assert_eq!(shown(&demand.requests), ["cpu 2", "memory 1"]);
    }

    #[test]
    fn a_claim_counts_its_size_also_under_its_class() {
        let object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}}}});
        assert_eq!(
            shown(&usage(&object).own),
            [
                "count/persistentvolumeclaims 1",
                "fast.storageclass.storage.k8s.io/persistentvolumeclaims 1",
                "fast.storageclass.storage.k8s.io/requests.storage 10Gi",
                "persistentvolumeclaims 1",
                "requests.storage 10Gi"
            ]
        );
    }

    #[test]
    fn services_count_what_they_take_from_outside() {
        let service = |kind: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                   "spec": {"type": kind, "ports": [{"port": 80}, {"port": 443}]}})
        };
        let has = |kind: &str, name: &str| usage(&service(kind)).own.get(name).map(ToString::to_string);
        assert_eq!(
            has("LoadBalancer", "services.loadbalancers").as_deref(),
            Some("1")
        );
        assert_eq!(has("NodePort", "services.nodeports").as_deref(), Some("2"));
        assert_eq!(has("ClusterIP", "services.nodeports"), None);
    }

    #[test]
    fn pods_whose_number_nobody_knows_are_not_counted() {
        for (version, kind) in [("apps/v1", "DaemonSet"), ("batch/v1", "CronJob")] {
            let template = json!({"spec": {"containers": [container("1")]}});
            let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"},
                "spec": {"template": template, "jobTemplate": {"spec": {"template": template}}}});
            assert_eq!(usage(&object).pods, Amounts::new(), "{kind}");
        }
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"},
            "spec": {"parallelism": 5, "completions": 2, "template": {"spec": {"containers": []}}}});
        assert_eq!(replicas(&job), 2);
    }
}
