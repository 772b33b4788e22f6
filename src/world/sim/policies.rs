//! Admission policies of an embedded cluster, as far as a hold needs them: those whose one rule is `false`, by kind,
//! operation and the labels of the namespace. No other expression is judged here, and no exemption is known: a policy
//! that has one refuses nobody.

use serde_json::Value;

use super::state::{Due, Key, State};
use crate::effect::{ErrorKind, WorldError};
use crate::objects::ApiKind;

pub(super) const POLICIES: &str = "validatingadmissionpolicies.admissionregistration.k8s.io";
const BINDINGS: &str = "validatingadmissionpolicybindings.admissionregistration.k8s.io";

impl State {
    /// A server does not judge by a new policy at once.
    pub(super) fn take_up_policy(&mut self, key: &Key) {
        self.later(self.pace.policy_ms, Due::InForce(key.clone()));
    }

    /// From now on it does.
    pub(super) fn put_in_force(&mut self, key: &Key) {
        let generation = self
            .get(key)
            .map(|policy| policy["metadata"]["generation"].clone());
        if let Some(generation) = generation {
            self.set_status(key, serde_json::json!({ "observedGeneration": generation }));
        }
    }

    /// What a policy says to a new object, in a server's words.
    pub(super) fn admit_by_policies(&self, kind: &ApiKind, key: &Key) -> Result<(), WorldError> {
        let namespace = Key::new("namespaces", "", &key.namespace);
        let Some(namespace) = self.get(&namespace).filter(|_| kind.namespaced) else {
            return Ok(());
        };
        for binding in self.of(BINDINGS, None) {
            let Some(bound) = self.get(&binding) else { continue };
            let named = bound["spec"]["policyName"].as_str().unwrap_or_default();
            let policy = self.get(&Key::new(POLICIES, "", named));
            let Some(policy) = policy.filter(|policy| policy.get("status").is_some()) else {
                continue;
            };
            if denies(bound) && judges(&policy["spec"], kind, namespace) {
                let said = policy["spec"]["validations"][0]["message"]
                    .as_str()
                    .unwrap_or_default();
                let message = format!(
                    "{} \"{}\" is forbidden: ValidatingAdmissionPolicy '{named}' with binding '{}' denied request: {said}",
                    kind.plural, key.name, binding.name
                );
                return Err(self.refuse(ErrorKind::Rejected, message));
            }
        }
        Ok(())
    }
}

fn denies(binding: &Value) -> bool {
    has(&binding["spec"]["validationActions"], "Deny") && binding["spec"].get("matchResources").is_none()
}

fn has(list: &Value, word: &str) -> bool {
    let list = list.as_array();
    list.into_iter().flatten().any(|one| one == word || one == "*")
}

/// Whether it refuses every new object of this kind in this namespace.
fn judges(spec: &Value, kind: &ApiKind, namespace: &Value) -> bool {
    if spec.get("matchConditions").is_some() || spec.get("paramKind").is_some() {
        return false;
    }
    let constraints = &spec["matchConstraints"];
    let rules = constraints["resourceRules"].as_array();
    let meant = rules.into_iter().flatten().any(|rule| {
        has(&rule["apiGroups"], &kind.group)
            && has(&rule["apiVersions"], &kind.version)
            && has(&rule["resources"], &kind.plural)
            && has(&rule["operations"], "CREATE")
    });
    let wanted = constraints["namespaceSelector"]["matchLabels"].as_object();
    let here = wanted
        .into_iter()
        .flatten()
        .all(|(name, value)| namespace["metadata"]["labels"].get(name) == Some(value));
    meant && here && spec["validations"][0]["expression"] == "false"
}
