//! Which services must answer before an object is made: those that the API server would ask from then
//! on, and without which it would refuse what they are asked about.
//!
//! ## Why
//!
//! - A webhook whose service has no pods blocks its cluster: every request that it is asked about is
//!   refused, those that would bring the pods back included. So its configuration comes when the service
//!   answers, and not just after its workloads were made.
//! - A webhook with `failurePolicy: Ignore` blocks nothing and is not waited for; nor is one that is asked
//!   at a URL, of which a restore knows nothing.
//! - Without its service an `APIService` makes discovery of its group fail, and with it the deletion of
//!   any namespace.

use serde_json::Value;

use super::json::{group_kind, list, text};
use super::references::{Key, converter, service};

/// Namespace and name of a service.
pub type ServiceName = (String, String);

/// The services that must answer before this object is made, sorted.
pub fn must_answer(object: &Value) -> Vec<ServiceName> {
    let mut found: Vec<ServiceName> = match group_kind(object) {
        ("admissionregistration.k8s.io", _) => list(object, "/webhooks")
            .filter(|hook| text(hook, "/failurePolicy") != Some("Ignore"))
            .filter_map(|hook| name_of(service(hook.pointer("/clientConfig/service"))?))
            .collect(),
        ("apiregistration.k8s.io", _) => service(object.pointer("/spec/service"))
            .and_then(name_of)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    found.sort();
    found.dedup();
    found
}

/// The service that converts the custom resources of a definition between their versions, and the
/// version that is stored, which is not converted.
pub fn converts(definition: &Value) -> Option<(ServiceName, String)> {
    let service = name_of(converter(definition)?)?;
    let stored = list(definition, "/spec/versions").find(|one| one["storage"] == true);
    let stored = stored.and_then(|version| text(version, "/name")).unwrap_or("");
    Some((service, stored.to_owned()))
}

/// A service without a namespace is nowhere.
fn name_of(service: Key<'_>) -> Option<ServiceName> {
    (!service.namespace.is_empty()).then(|| (service.namespace.to_owned(), service.name.to_owned()))
}

/// How many addresses of a service are ready, by its endpoint slices. One of which nothing is said is
/// ready: that is the API's own rule.
pub fn ready_addresses(slices: &[Value]) -> usize {
    let endpoints = slices.iter().flat_map(|slice| list(slice, "/endpoints"));
    let ready = endpoints.filter(|one| one.pointer("/conditions/ready") != Some(&Value::Bool(false)));
    ready.map(|one| list(one, "/addresses").count()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_can_block_a_cluster_is_waited_for() {
        let hook = |policy: Value, client: Value| json!({ "failurePolicy": policy, "clientConfig": client });
        let at = |name: &str| json!({ "service": { "namespace": "ops", "name": name } });
        let hooks = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "webhooks": [
                hook(json!("Fail"), at("b")), hook(Value::Null, at("a")), hook(json!("Ignore"), at("c")),
                hook(json!("Fail"), json!({ "url": "https://elsewhere" })), hook(json!("Fail"), at("b")),
            ],
        });
        let service = |name: &str| ("ops".to_owned(), name.to_owned());
        assert_eq!(must_answer(&hooks), [service("a"), service("b")]);
        let metrics = json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                              "spec": { "service": { "namespace": "ops", "name": "a" } } });
        assert_eq!(must_answer(&metrics), [service("a")]);
        let local = json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "spec": { "service": null } });
        assert_eq!(must_answer(&local), []);
        let other =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "webhooks": [{ "clientConfig": at("a") }] });
        assert_eq!(must_answer(&other), []);
    }

    #[test]
    fn what_is_said_not_to_be_ready_does_not_answer() {
        let slice = json!({ "endpoints": [
            { "addresses": ["10.0.0.1"], "conditions": { "ready": false } },
            { "addresses": ["10.0.0.2"], "conditions": { "ready": true } },
            { "addresses": ["10.0.0.3"], "conditions": {} },
        ] });
        assert_eq!(ready_addresses(&[slice, json!({ "endpoints": null })]), 2);
        assert_eq!(ready_addresses(&[]), 0);
    }

    #[test]
    fn a_conversion_is_by_a_service_or_none() {
        let definition = |strategy: &str| {
            json!({ "spec": {
                "versions": [{ "name": "v1" }, { "name": "v2", "storage": true }],
                "conversion": { "strategy": strategy, "webhook": { "clientConfig": {
                    "service": { "namespace": "ops", "name": "a" } } } },
            } })
        };
        let service = ("ops".to_owned(), "a".to_owned());
        assert_eq!(converts(&definition("Webhook")), Some((service, "v2".to_owned())));
        assert_eq!(converts(&definition("None")), None);
    }
}
