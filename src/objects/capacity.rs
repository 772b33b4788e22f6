//! Whether pods that are to come find room on nodes: what they ask for, and what nodes have left. Pure.
//!
//! ## Why
//!
//! - **What comes is said at the least.** Of pods whose number depends on the hour (`CronJob`) nothing is counted, and a
//!   `DaemonSet` is named and not counted: so what does not fit by these numbers does not fit in truth, as nodes are now.
//! - **The other way round nothing is promised.** Selectors of nodes, affinity, topology, volumes, host ports and
//!   priorities decide too, and are not worked out here; a node with any taint that keeps pods off is left out, also for
//!   pods that tolerate it.
//! - **Requests, as the scheduler counts**: what a pod really uses is something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{group_kind, list, name, text};
use super::usage::amounts;
use super::{Amounts, Defaults, Demand, ObjectId, Quantity, pod_spec, replicas};

/// Pods of one shape that are kept for the question whether one of them fits. Shapes of which none is smaller than
/// another in both ways are few.
const SHAPES_MAX: usize = 8;

/// An amount of what nodes give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// CPUs.
    pub cpu: Quantity,
    /// Bytes.
    pub memory: Quantity,
}

impl Portion {
    fn of(amounts: &Amounts) -> Self {
        let of = |name: &str| amounts.get(name).copied().unwrap_or_default();
        Self {
            cpu: of("cpu"),
            memory: of("memory"),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.plus(other.cpu),
            memory: self.memory.plus(other.memory),
        }
    }

    fn minus(self, other: Self) -> Self {
        let less = |one: Quantity, other: Quantity| one.plus(-other).max(Quantity::ZERO);
        Self {
            cpu: less(self.cpu, other.cpu),
            memory: less(self.memory, other.memory),
        }
    }

    fn times(self, count: u64) -> Self {
        Self {
            cpu: self.cpu.times(count),
            memory: self.memory.times(count),
        }
    }

    fn covers(self, other: Self) -> bool {
        self.cpu >= other.cpu && self.memory >= other.memory
    }
}

/// Pods that are to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Coming {
    /// How many.
    pub pods: u64,
    /// So many of them ask for neither CPU nor memory.
    pub silent: u64,
    /// What the others ask for, together.
    pub asks: Portion,
    /// The largest of them, each with whose it is; none is smaller than another in both ways.
    pub largest: Vec<(String, Portion)>,
    /// `DaemonSets` that are new: a pod of each on every node that fits, which is not counted.
    pub daemons: u64,
}

impl Coming {
    /// What a new object brings, or one that is there and will be as given.
    pub fn note(&mut self, id: &ObjectId, now: &Value, before: Option<&Value>, defaults: &Defaults) {
        if group_kind(now) == ("apps", "DaemonSet") && before.is_none() {
            self.daemons += 1;
        }
        let count = bare(now).saturating_sub(before.map_or(0, bare));
        self.bring(id, count, now, defaults);
    }

    /// So many pods of a workload.
    pub fn bring(&mut self, id: &ObjectId, count: u64, workload: &Value, defaults: &Defaults) {
        let Some(spec) = pod_spec(workload).filter(|_| count > 0) else {
            return;
        };
        let one = Portion::of(&Demand::of(spec, defaults).requests);
        self.pods += count;
        if one == Portion::default() {
            self.silent += count;
            return;
        }
        self.asks = self.asks.plus(one.times(count));
        self.keep(id.to_string(), one);
    }

    /// Both.
    pub fn join(&mut self, other: &Self) {
        self.pods += other.pods;
        self.silent += other.silent;
        self.daemons += other.daemons;
        self.asks = self.asks.plus(other.asks);
        for (who, one) in &other.largest {
            self.keep(who.clone(), *one);
        }
    }

    /// Whether nothing comes that needs a node.
    pub fn is_nothing(&self) -> bool {
        self.pods == 0 && self.daemons == 0
    }

    fn keep(&mut self, who: String, one: Portion) {
        if self.largest.iter().any(|(_, other)| other.covers(one)) {
            return;
        }
        self.largest.retain(|(_, other)| !one.covers(*other));
        if self.largest.len() < SHAPES_MAX {
            self.largest.push((who, one));
        }
    }
}

/// Pods that an object brings at once, itself among them.
fn bare(object: &Value) -> u64 {
    match group_kind(object) {
        ("", "Pod") => 1,
        _ => replicas(object),
    }
}

/// What the nodes of a site have left for pods that come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nodes {
    /// All that the API server names.
    pub all: u64,
    /// Those that take pods, by name, and what each has left.
    pub open: BTreeMap<String, Left>,
    /// Why the others take none, and how many.
    pub closed: BTreeMap<String, u64>,
    /// Open ones that say of themselves that they are only played (kwok): they hold whatever they are told.
    pub played: u64,
    /// Pods that have no node yet, and what they ask for: they were there first.
    pub waiting: u64,
    /// The same.
    pub waiting_ask: Portion,
    /// What was seen that adds nodes by itself.
    pub growers: Vec<String>,
}

/// What one node has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Of CPU and memory.
    #[serde(flatten)]
    pub share: Portion,
    /// So many pods more.
    pub pods: u64,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// More pods come than nodes take.
    Pods,
    /// They ask for more CPU than is left.
    Cpu,
    /// They ask for more memory than is left.
    Memory,
    /// One pod alone is larger than what any node has left.
    One(String, Portion),
}

impl Nodes {
    /// Reads them off nodes, and off all pods of the site.
    pub fn of<'a>(
        nodes: impl IntoIterator<Item = &'a Value>,
        pods: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut found = Self::default();
        for node in nodes {
            found.all += 1;
            found.note_grower(node);
            if let Some(why) = why_closed(node) {
                *found.closed.entry(why.to_owned()).or_default() += 1;
            } else {
                found.played += u64::from(is_played(node));
                found.open.insert(name(node).to_owned(), whole(node));
            }
        }
        for pod in pods {
            found.note_pod(pod);
        }
        found
    }

    /// One pod that is there.
    pub fn note_pod(&mut self, pod: &Value) {
        if matches!(text(pod, "/status/phase"), Some("Succeeded" | "Failed")) {
            return;
        }
        let spec = pod.get("spec").unwrap_or(&Value::Null);
        let asks = Portion::of(&Demand::of(spec, &Defaults::default()).requests);
        match text(pod, "/spec/nodeName").filter(|name| !name.is_empty()) {
            None => {
                self.waiting += 1;
                self.waiting_ask = self.waiting_ask.plus(asks);
            }
            Some(node) => {
                if let Some(left) = self.open.get_mut(node) {
                    left.share = left.share.minus(asks);
                    left.pods = left.pods.saturating_sub(1);
                }
            }
        }
    }

    /// All that is left, on all of them together, for whoever comes after those that wait.
    pub fn left(&self) -> Left {
        let sum = self.open.values().fold(Left::default(), |sum, one| Left {
            share: sum.share.plus(one.share),
            pods: sum.pods.saturating_add(one.pods),
        });
        Left {
            share: sum.share.minus(self.waiting_ask),
            pods: sum.pods.saturating_sub(self.waiting),
        }
    }

    /// What of this does not fit. None: by these numbers it does.
    pub fn short_of(&self, coming: &Coming) -> Vec<Shortage> {
        let left = self.left();
        let asks = coming.asks;
        let sums = [
            (coming.pods > left.pods).then_some(Shortage::Pods),
            (asks.cpu > left.share.cpu).then_some(Shortage::Cpu),
            (asks.memory > left.share.memory).then_some(Shortage::Memory),
        ];
        let fits = |one: Portion| {
            self.open
                .values()
                .any(|node| node.pods > 0 && node.share.covers(one))
        };
        let alone = coming.largest.iter().filter(|(_, one)| !fits(*one));
        let alone = alone.map(|(who, one)| Shortage::One(who.clone(), *one));
        sums.into_iter().flatten().chain(alone).collect()
    }

    fn note_grower(&mut self, node: &Value) {
        let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
        let karpenter = labels.is_some_and(|labels| labels.contains_key("karpenter.sh/nodepool"));
        if karpenter && !self.growers.iter().any(|one| one == "Karpenter") {
            self.growers.push("Karpenter".to_owned());
        }
    }
}

/// Why a node takes no pods; `None`: it does.
fn why_closed(node: &Value) -> Option<&'static str> {
    let ready = list(node, "/status/conditions")
        .any(|one| text(one, "/type") == Some("Ready") && text(one, "/status") == Some("True"));
    let keeps_off = |taint: &Value| matches!(text(taint, "/effect"), Some("NoSchedule" | "NoExecute"));
    if node.pointer("/metadata/deletionTimestamp").is_some() {
        Some("being removed")
    } else if !ready {
        Some("not ready")
    } else if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        Some("cordoned")
    } else if list(node, "/spec/taints").any(keeps_off) {
        Some("tainted")
    } else {
        None
    }
}

fn is_played(node: &Value) -> bool {
    let version = text(node, "/status/nodeInfo/kubeletVersion").unwrap_or_default();
    node.pointer("/metadata/annotations/kwok.x-k8s.io~1node")
        .is_some()
        || version.starts_with("kwok")
        || version == "fake"
}

fn whole(node: &Value) -> Left {
    let has = amounts(node.pointer("/status/allocatable"));
    Left {
        share: Portion::of(&has),
        pods: has.get("pods").map_or(0, |pods| pods.whole()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json::merged;
    use super::*;

    fn node(name: &str, cpu: &str, memory: &str, rest: Value) -> Value {
        let node = json!({"metadata": {"name": name}, "spec": {}, "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "10"},
            "conditions": [{"type": "Ready", "status": "True"}]}});
        merged(node, rest)
    }

    fn container(cpu: &str, memory: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    fn pod(node: Option<&str>, cpu: &str, phase: &str) -> Value {
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": node, "containers": [container(cpu, "1Gi")]},
            "status": {"phase": phase}})
    }

    fn id(name: &str) -> ObjectId {
        ObjectId {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("shop".into()),
            name: name.into(),
        }
    }

    fn deployment(replicas: u64, cpu: &str, memory: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas,
            "template": {"spec": {"containers": [container(cpu, memory)]}}}})
    }

    fn coming(all: &[(&str, Value)]) -> Coming {
        let mut sum = Coming::default();
        for (name, object) in all {
            sum.note(&id(name), object, None, &Defaults::default());
        }
        sum
    }

    fn amount(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn nodes_that_take_no_pods_and_pods_that_have_ended_count_nothing() {
        let nodes = [
            node("a", "4", "8Gi", json!({})),
            node("b", "4", "8Gi", json!({"spec": {"unschedulable": true}})),
            node(
                "c",
                "4",
                "8Gi",
                json!({"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}),
            ),
            node(
                "d",
                "4",
                "8Gi",
                json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
            ),
            node(
                "e",
                "4",
                "8Gi",
                json!({"spec": {"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}}),
            ),
        ];
        let pods = [
            pod(Some("a"), "1500m", "Running"),
            pod(Some("a"), "1", "Succeeded"),
            pod(Some("b"), "3", "Running"),
            pod(None, "1", "Pending"),
        ];
        let found = Nodes::of(&nodes, &pods);
        assert_eq!((found.all, found.open.len(), found.waiting), (5, 2, 1));
        let closed: Vec<String> = found
            .closed
            .iter()
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        assert_eq!(closed, ["1 cordoned", "1 not ready", "1 tainted"]);
        let left = found.left();
        assert_eq!(
            left.share.cpu,
            amount("5500m"),
            "8 less 1.5 there and 1 that waits"
        );
        assert_eq!(left.share.memory, amount("14Gi"));
        assert_eq!(left.pods, 18);
    }

    #[test]
    fn what_fits_in_sum_may_still_fit_nowhere() {
        let nodes = [node("a", "2", "8Gi", json!({})), node("b", "2", "8Gi", json!({}))];
        let found = Nodes::of(&nodes, &[]);
        assert_eq!(
            found.short_of(&coming(&[("web", deployment(4, "1", "1Gi"))])),
            Vec::new()
        );
        let one = Portion {
            cpu: amount("3"),
            memory: amount("1Gi"),
        };
        assert_eq!(
            found.short_of(&coming(&[
                ("big", deployment(1, "3", "1Gi")),
                ("small", deployment(1, "1", "1Gi"))
            ])),
            [Shortage::One("Deployment shop/big".into(), one)]
        );
    }

    #[test]
    fn each_amount_that_is_short_is_said() {
        let found = Nodes::of(
            &[node("a", "4", "8Gi", json!({}))],
            &[pod(Some("a"), "1", "Running")],
        );
        let short = found.short_of(&coming(&[("web", deployment(10, "1", "1Gi"))]));
        assert_eq!(short, [Shortage::Pods, Shortage::Cpu, Shortage::Memory]);
        assert_eq!(found.left().share.memory, amount("7Gi"));
    }

    #[test]
    fn of_what_is_there_only_the_growth_comes() {
        let mut sum = Coming::default();
        let none = Defaults::default();
        sum.note(
            &id("web"),
            &deployment(5, "1", "1Gi"),
            Some(&deployment(3, "1", "1Gi")),
            &none,
        );
        sum.note(
            &id("less"),
            &deployment(1, "1", "1Gi"),
            Some(&deployment(3, "1", "1Gi")),
            &none,
        );
        assert_eq!((sum.pods, sum.asks.cpu), (2, amount("2")));
        let daemon = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"template": {"spec": {"containers": [container("1", "1Gi")]}}}});
        sum.note(&id("agent"), &daemon, None, &none);
        let silent = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c"}]}});
        sum.note(&id("bare"), &silent, None, &none);
        assert_eq!((sum.pods, sum.silent, sum.daemons), (3, 1, 1));
    }

    #[test]
    fn of_the_largest_none_is_smaller_than_another_in_both_ways() {
        let all = coming(&[
            ("small", deployment(1, "1", "1Gi")),
            ("cpu", deployment(1, "5", "1Gi")),
            ("both", deployment(1, "4", "4Gi")),
            ("memory", deployment(1, "1", "5Gi")),
        ]);
        let names: Vec<&str> = all.largest.iter().map(|(who, _)| who.as_str()).collect();
        assert_eq!(
            names,
            [
                "Deployment shop/cpu",
                "Deployment shop/both",
                "Deployment shop/memory"
            ]
        );
    }
}
