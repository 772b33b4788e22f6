//! What happens by itself in an embedded cluster: replicas, Jobs, volumes, definitions.
//!
//! Nothing runs in the background. What is due is written down with its moment and happens when the
//! next request looks, in order; so the same requests at the same times give the same cluster.

use serde_json::{Value, json};

use super::policies::POLICIES;
use super::state::{Due, Key, State, hex_start, is_going, is_held, owner_uids};
use super::velero::is_for_velero;

const DEPLOYMENTS: &str = "deployments.apps";
const REPLICA_SETS: &str = "replicasets.apps";
const STATEFUL_SETS: &str = "statefulsets.apps";
const DAEMON_SETS: &str = "daemonsets.apps";
const JOBS: &str = "jobs.batch";
const PODS: &str = "pods";

/// One node is all that an embedded cluster pretends to have.
const NODES: u64 = 1;

/// How long the garbage collector takes to find an object whose owner never was here.
const ORPHAN_MS: u64 = 500;

impl State {
    /// Carries out what is due.
    pub(super) fn happen(&mut self, due: Due) {
        match due {
            Due::PodStarts(key) => self.pod_starts(&key),
            Due::PodGone(key) => self.pod_gone(&key),
            Due::JobEnds(key) => self.job_ends(&key),
            Due::Established(key) => self.establish(&key),
            Due::Furnish(namespace) => self.furnish(&namespace),
            Due::Sweep(namespace) => self.sweep(&namespace),
            Due::Orphan(key) => self.collect_orphan(&key),
            Due::InForce(key) => self.put_in_force(&key),
            Due::TryAgain(key) => self.reconcile(&key),
            Due::Velero(key) => self.velero(&key),
        }
    }

    /// A new object meets its controllers.
    pub(super) fn after_insert(&mut self, key: &Key) {
        match key.resource.as_str() {
            "namespaces" => self.later(self.pace.furnish_ms, Due::Furnish(key.name.clone())),
            "customresourcedefinitions.apiextensions.k8s.io" => {
                self.later(self.pace.establish_ms, Due::Established(key.clone()));
            }
            "persistentvolumeclaims" => self.bind(key),
            PODS => self.schedule(key),
            POLICIES => self.take_up_policy(key),
            resource if is_for_velero(resource) => self.tell_velero(key),
            _ => self.reconcile(key),
        }
        if self
            .get(key)
            .is_some_and(|object| owner_uids(object).next().is_some())
        {
            self.later(ORPHAN_MS, Due::Orphan(key.clone()));
        }
    }

    /// Brings a workload's pods towards its wanted size. Other kinds have nothing to do here.
    pub(super) fn reconcile(&mut self, key: &Key) {
        let Some(object) = self.get(key).filter(|object| !is_going(object)).cloned() else {
            return;
        };
        match key.resource.as_str() {
            DEPLOYMENTS => self.reconcile_deployment(key, &object),
            REPLICA_SETS | STATEFUL_SETS => self.replicate(key, &object, wanted(&object)),
            DAEMON_SETS => self.replicate(key, &object, NODES),
            JOBS => self.start_job(key, &object),
            _ => {}
        }
        self.refresh(key);
    }

    fn reconcile_deployment(&mut self, key: &Key, object: &Value) {
        let hash = template_hash(object);
        let current = Key::new(REPLICA_SETS, &key.namespace, &format!("{}-{hash}", key.name));
        for old in self.owned_by(uid(object)) {
            if old != current {
                self.resize(&old, 0);
            }
        }
        if self.get(&current).is_some() {
            self.resize(&current, wanted(object));
        } else {
            let set = replica_set(object, &current, &hash);
            self.make("ReplicaSet", set);
        }
    }

    fn resize(&mut self, key: &Key, replicas: u64) {
        // It was read a moment ago under the same lock: there is nothing to refuse.
        let _ = self.update(key, &mut |object, _| {
            object["spec"]["replicas"] = replicas.into();
            Ok(())
        });
    }

    /// Makes missing pods and stops those that are too many, the youngest first.
    fn replicate(&mut self, key: &Key, object: &Value, wanted: u64) {
        let mut pods = self.live_pods(uid(object));
        pods.sort_by_key(|pod| self.get(pod).and_then(version).unwrap_or(0));
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        for pod in pods.iter().skip(wanted) {
            self.mark_going(pod);
            self.later(self.pace.pod_stop_ms, Due::PodGone(pod.clone()));
        }
        let ordinals = key.resource == STATEFUL_SETS;
        let mut refused = false;
        for index in pods.len()..wanted {
            let name = if ordinals {
                format!("{}-{index}", key.name)
            } else {
                format!("{}-{}", key.name, self.suffix(&format!("{}{index}", key.name)))
            };
            refused |= !self.make("Pod", pod(object, key, &name));
        }
        if refused {
            self.put_off(key);
        } else {
            self.not_put_off(key);
        }
    }

    /// Somebody deletes a pod: it is told to stop, and its controller makes another one at once.
    pub(super) fn stop_pod(&mut self, key: &Key) {
        let Some(object) = self.get(key) else { return };
        if is_going(object) {
            return;
        }
        let owner = self.owner_of(object);
        self.mark_going(key);
        self.later(self.pace.pod_stop_ms, Due::PodGone(key.clone()));
        if let Some(owner) = owner {
            self.reconcile(&owner);
        }
    }

    /// One of the same name that came later is another pod.
    fn pod_gone(&mut self, key: &Key) {
        if self.get(key).is_some_and(|pod| is_going(pod) && !is_held(pod)) {
            self.purge(key);
        }
    }

    fn live_pods(&self, owner: &str) -> Vec<Key> {
        let mut pods = self.owned_by(owner);
        pods.retain(|key| key.resource == PODS && !self.get(key).is_some_and(is_going));
        pods
    }

    /// A new pod waits for its containers.
    fn schedule(&mut self, key: &Key) {
        self.set_status(
            key,
            pod_status(self.get(key), "Pending", Some("ContainerCreating")),
        );
        self.later(self.pace.pod_start_ms, Due::PodStarts(key.clone()));
    }

    fn pod_starts(&mut self, key: &Key) {
        let waits = |pod: &&Value| !is_going(pod) && pod["status"]["phase"] == "Pending";
        let Some(pod) = self.get(key).filter(waits) else {
            return;
        };
        let status = match self.faults.stuck(&self.site, &key.name) {
            Some(reason) => pod_status(Some(pod), "Pending", Some(&reason)),
            None => pod_status(Some(pod), "Running", None),
        };
        self.set_status(key, status);
        self.refresh_owner(key);
    }

    fn refresh_owner(&mut self, key: &Key) {
        if let Some(owner) = self.get(key).and_then(|object| self.owner_of(object)) {
            self.refresh(&owner);
        }
    }

    /// Counts a workload's pods into its status, and that into its owner's.
    fn refresh(&mut self, key: &Key) {
        let Some(object) = self.get(key) else { return };
        let status = match key.resource.as_str() {
            DEPLOYMENTS => self.count_sets(object),
            REPLICA_SETS | STATEFUL_SETS => self.count_pods(object, &["replicas", "readyReplicas"]),
            DAEMON_SETS => self.count_pods(object, &["currentNumberScheduled", "numberReady"]),
            _ => return,
        };
        self.set_status(key, status);
        self.refresh_owner(key);
    }

    fn count_pods(&self, object: &Value, names: &[&str; 2]) -> Value {
        let pods = self.live_pods(uid(object));
        let ready = pods
            .iter()
            .filter(|pod| self.get(pod).is_some_and(is_ready))
            .count();
        let mut status = json!({ "observedGeneration": object["metadata"]["generation"] });
        status[names[0]] = pods.len().into();
        if object["kind"] == "DaemonSet" {
            status["desiredNumberScheduled"] = NODES.into();
        }
        // As the real server: a zero is left out.
        if ready > 0 {
            status[names[1]] = ready.into();
        }
        status
    }

    fn count_sets(&self, object: &Value) -> Value {
        let current = format!("-{}", template_hash(object));
        let mut totals = [0; 3];
        for set in self.owned_by(uid(object)) {
            let Some(status) = self.get(&set).and_then(|set| set.get("status")) else {
                continue;
            };
            let count = |name: &str| status[name].as_u64().unwrap_or(0);
            totals[0] += count("replicas");
            totals[1] += count("readyReplicas");
            totals[2] += if set.name.ends_with(&current) {
                count("replicas")
            } else {
                0
            };
        }
        let enough = totals[1] >= wanted(object);
        let mut status = json!({
            "observedGeneration": object["metadata"]["generation"],
            "conditions": [{ "type": "Available", "status": if enough { "True" } else { "False" } }],
        });
        for (name, total) in ["replicas", "readyReplicas", "updatedReplicas"]
            .into_iter()
            .zip(totals)
        {
            if total > 0 {
                status[name] = total.into();
            }
        }
        status
    }

    fn start_job(&mut self, key: &Key, object: &Value) {
        if object.get("status").is_some_and(|status| !status.is_null()) {
            return;
        }
        let name = format!("{}-{}", key.name, self.suffix(&key.name));
        if !self.make("Pod", pod(object, key, &name)) {
            return self.put_off(key);
        }
        self.not_put_off(key);
        self.set_status(key, json!({ "active": 1, "startTime": self.now_text() }));
        self.later(self.pace.job_ms, Due::JobEnds(key.clone()));
    }

    fn job_ends(&mut self, key: &Key) {
        let Some(object) = self.get(key) else { return };
        let pods = self.live_pods(uid(object));
        if pods.is_empty() {
            return self.start_job_again(key);
        }
        let failed = self.faults.job_fails(&key.name);
        let now = self.now_text();
        for pod in pods {
            self.set_status(&pod, ended_pod(failed));
        }
        let status = if failed {
            let message = "Job has reached the specified backoff limit";
            json!({ "failed": 1, "conditions": [{
                "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": message,
            }] })
        } else {
            json!({ "succeeded": 1, "completionTime": now, "conditions": [{ "type": "Complete", "status": "True" }] })
        };
        self.set_status(key, status);
    }

    /// Its pod was deleted before it was through.
    fn start_job_again(&mut self, key: &Key) {
        self.set_status(key, Value::Null);
        if let Some(object) = self.get(key).cloned() {
            self.start_job(key, &object);
        }
    }

    fn bind(&mut self, key: &Key) {
        let volume = format!("pvc-{}", self.get(key).map_or("", uid));
        // It was inserted under the same lock.
        let _ = self.update(key, &mut |object, _| {
            object["spec"]["volumeName"] = volume.clone().into();
            Ok(())
        });
        self.set_status(key, json!({ "phase": "Bound" }));
    }

    /// Lets definitions serve their kinds at once: they were there long before.
    pub(super) fn establish_all(&mut self) {
        for key in self.of("customresourcedefinitions.apiextensions.k8s.io", None) {
            self.establish(&key);
        }
    }

    fn establish(&mut self, key: &Key) {
        let conditions =
            ["NamesAccepted", "Established"].map(|name| json!({ "type": name, "status": "True" }));
        self.set_status(key, json!({ "conditions": conditions }));
    }

    /// An object that names owners of which none exists here was restored wrongly: it goes.
    fn collect_orphan(&mut self, key: &Key) {
        let orphan = self
            .get(key)
            .is_some_and(|object| self.owner_of(object).is_none());
        if orphan {
            self.purge(key);
        }
    }
}

/// Whether a controller that makes pods looks at this object whenever it changes, were it only an annotation.
pub(super) fn makes_pods(key: &Key) -> bool {
    matches!(
        key.resource.as_str(),
        REPLICA_SETS | STATEFUL_SETS | DAEMON_SETS | JOBS
    )
}

fn uid(object: &Value) -> &str {
    object
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .unwrap_or("")
}

fn version(object: &Value) -> Option<u64> {
    // Uids are counted, so they tell which of two objects is older.
    u64::from_str_radix(uid(object).rsplit('-').next()?, 16).ok()
}

/// `spec.replicas`.
pub(super) fn wanted(object: &Value) -> u64 {
    object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1)
}

/// Whether a pod serves.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

fn template_hash(deployment: &Value) -> String {
    let template = deployment.pointer("/spec/template").unwrap_or(&Value::Null);
    hex_start(template.to_string())
}

fn owner(object: &Value, key: &Key) -> Value {
    json!([{
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": key.name,
        "uid": uid(object), "controller": true, "blockOwnerDeletion": true,
    }])
}

fn replica_set(deployment: &Value, key: &Key, hash: &str) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = hash.into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = hash.into();
    let parent = Key::new(
        DEPLOYMENTS,
        &key.namespace,
        deployment["metadata"]["name"].as_str().unwrap_or(""),
    );
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": key.name, "namespace": key.namespace, "labels": template["metadata"]["labels"],
            "ownerReferences": owner(deployment, &parent),
        },
        "spec": { "replicas": wanted(deployment), "selector": selector, "template": template },
    })
}

fn pod(parent: &Value, key: &Key, name: &str) -> Value {
    let template = &parent["spec"]["template"];
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": key.namespace, "labels": template["metadata"]["labels"],
            "ownerReferences": owner(parent, key),
        },
        "spec": template["spec"],
    })
}

fn pod_status(pod: Option<&Value>, phase: &str, waiting: Option<&str>) -> Value {
    let containers = pod.and_then(|pod| pod.pointer("/spec/containers")?.as_array());
    let names = containers.into_iter().flatten().map(|one| one["name"].clone());
    let state = match waiting {
        Some(reason) => json!({ "waiting": { "reason": reason } }),
        None => json!({ "running": {} }),
    };
    let statuses: Vec<Value> = names
        .map(|name| json!({ "name": name, "ready": waiting.is_none(), "state": state }))
        .collect();
    let ready = if waiting.is_none() { "True" } else { "False" };
    json!({
        "phase": phase,
        "conditions": [{ "type": "Ready", "status": ready }],
        "containerStatuses": statuses,
    })
}

fn ended_pod(failed: bool) -> Value {
    let (phase, reason, code) = if failed {
        ("Failed", "Error", 1)
    } else {
        ("Succeeded", "Completed", 0)
    };
    let state = json!({ "terminated": { "exitCode": code, "reason": reason } });
    json!({ "phase": phase, "containerStatuses": [{ "name": "main", "ready": false, "state": state }] })
}
