//! Life and end of a namespace: what it is furnished with, and how it takes its content along.

use serde_json::{Value, json};

use super::state::{Due, Key, State, is_going, is_held};

impl State {
    /// The objects that a cluster makes in every new namespace.
    pub(super) fn furnish(&mut self, namespace: &str) {
        let meta = |name: &str| json!({ "name": name, "namespace": namespace });
        self.make(
            "ServiceAccount",
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("default") }),
        );
        self.make(
            "ConfigMap",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("kube-root-ca.crt"),
                "data": { "ca.crt": format!("certificate of {}", self.site) },
            }),
        );
    }

    /// From here on nothing new comes in.
    pub(super) fn begin_end_of_namespace(&mut self, key: &Key) {
        if self.get(key).is_some_and(is_going) {
            return;
        }
        self.mark_going(key);
        self.set_status(key, json!({ "phase": "Terminating" }));
        self.later(self.pace.sweep_ms, Due::Sweep(key.name.clone()));
    }

    /// Removes what nothing holds; the namespace goes with the last of it.
    pub(super) fn sweep(&mut self, namespace: &str) {
        let key = Key::new("namespaces", "", namespace);
        if !self.get(&key).is_some_and(is_going) {
            return;
        }
        for inside in self.inside(namespace) {
            if self.get(&inside).is_some_and(is_held) {
                self.mark_going(&inside);
            } else {
                self.purge(&inside);
            }
        }
        let left = self.inside(namespace);
        if left.is_empty() && !self.get(&key).is_some_and(is_held) {
            self.purge(&key);
            return;
        }
        let status = self.remaining(&left);
        self.set_status(&key, status);
        self.later(self.pace.sweep_ms, Due::Sweep(namespace.to_owned()));
    }

    /// Says in the server's words what is left.
    fn remaining(&self, left: &[Key]) -> Value {
        let mut resources: Vec<String> = left.iter().map(|key| key.resource.clone()).collect();
        resources.dedup();
        let count = |resource: &String| left.iter().filter(|key| key.resource == *resource).count();
        let resources: Vec<String> = resources
            .iter()
            .map(|resource| format!("{resource} has {} resource instances", count(resource)))
            .collect();
        let finalizers: Vec<String> = left
            .iter()
            .filter_map(|key| self.get(key)?.pointer("/metadata/finalizers/0")?.as_str())
            .map(|name| format!("{name} in 1 resource instances"))
            .collect();
        json!({
            "phase": "Terminating",
            "conditions": [
                {
                    "type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain",
                    "message": format!("Some resources are remaining: {}", resources.join(", ")),
                },
                {
                    "type": "NamespaceFinalizersRemaining", "status": "True", "reason": "SomeFinalizersRemain",
                    "message": format!("Some content in the namespace has finalizers remaining: {}", finalizers.join(", ")),
                },
            ],
        })
    }
}
