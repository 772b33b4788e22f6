//! Pods of a workload: which of them are there, and what the ones that are not ready wait for.

use serde_json::Value;

use super::marks::{condition, is_going, label, list, text};
use super::site::Site;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;

/// More names than this do not help a reader.
const NAMED: usize = 3;

/// The pods that a workload's selector finds and that have not ended.
pub(super) async fn pods_of(site: &Site<'_>, workload: &Value) -> Result<Vec<Value>, WorldError> {
    let kind = builtin("Pod").ok_or_else(|| site.error(ErrorKind::Internal, "pods are not built in"))?;
    let namespace = text(workload, "/metadata/namespace");
    let mut pods = site.cluster.list(&kind, Some(namespace)).await?;
    let selector = workload.pointer("/spec/selector").unwrap_or(&Value::Null);
    pods.retain(|pod| selects(selector, pod) && !has_ended(pod));
    Ok(pods)
}

/// `waiting for web-7d89-x2dnt (ContainerCreating)`, or nothing where all are ready.
pub(super) fn waiting_for(pods: &[Value]) -> Option<String> {
    let late: Vec<String> = pods
        .iter()
        .filter(|pod| condition(pod, "Ready").is_none())
        .map(|pod| format!("{} ({})", text(pod, "/metadata/name"), reason(pod)))
        .collect();
    (!late.is_empty()).then(|| format!("waiting for {}", named(&late)))
}

/// The first few of a list: `a, b, c and 4 more`.
pub(super) fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a pod that is not ready says of itself, in the server's word.
fn reason(pod: &Value) -> String {
    if is_going(pod) {
        return "Terminating".into();
    }
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let of_container = containers.iter().flat_map(|at| list(pod, at)).find_map(|one| {
        let of = |state: &str| one.pointer(state).and_then(Value::as_str);
        of("/state/waiting/reason")
            .or_else(|| of("/state/terminated/reason").filter(|why| *why != "Completed"))
    });
    let scheduling = || {
        list(pod, "/status/conditions")
            .find(|one| one["type"] == "PodScheduled" && one["status"] == "False")
            .and_then(|one| one["reason"].as_str())
    };
    let phase = || Some(text(pod, "/status/phase")).filter(|phase| !phase.is_empty() && *phase != "Running");
    of_container
        .or_else(scheduling)
        .or_else(phase)
        .unwrap_or("not ready")
        .to_owned()
}

/// Nothing of it runs any more, and nothing will.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether a label selector finds an object. One without any condition finds nothing: a workload
/// without a selector has no pods that could be told apart.
pub(super) fn selects(selector: &Value, object: &Value) -> bool {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let mut conditions = 0;
    let equal = labels.into_iter().flatten().all(|(name, value)| {
        conditions += 1;
        label(object, name) == value.as_str()
    });
    let fits = list(selector, "/matchExpressions").all(|expression| {
        conditions += 1;
        expression_holds(expression, object)
    });
    equal && fits && conditions > 0
}

fn expression_holds(expression: &Value, object: &Value) -> bool {
    let found = label(object, text(expression, "/key"));
    let among = || found.is_some_and(|found| list(expression, "/values").any(|value| value == found));
    match text(expression, "/operator") {
        "In" => among(),
        "NotIn" => !among(),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_need_every_condition_and_at_least_one() {
        let pod = json!({ "metadata": { "labels": { "app": "web", "tier": "front" } } });
        let finds = |selector: Value| selects(&selector, &pod);
        assert!(finds(json!({ "matchLabels": { "app": "web" } })));
        assert!(!finds(
            json!({ "matchLabels": { "app": "web", "track": "canary" } })
        ));
        assert!(finds(
            json!({ "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["front"] }] })
        ));
        assert!(!finds(
            json!({ "matchExpressions": [{ "key": "tier", "operator": "NotIn", "values": ["front"] }] })
        ));
        assert!(finds(
            json!({ "matchExpressions": [{ "key": "track", "operator": "DoesNotExist" }] })
        ));
        assert!(!finds(json!({})));
    }

    #[test]
    fn a_pod_says_what_it_waits_for() {
        let creating = json!({
            "metadata": { "name": "web-1" },
            "status": { "phase": "Pending", "containerStatuses": [{ "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
        });
        let unscheduled = json!({
            "metadata": { "name": "web-2" },
            "status": { "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable" }] },
        });
        let ready = json!({ "metadata": { "name": "web-3" }, "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
        let slow = json!({ "metadata": { "name": "web-4" }, "status": { "phase": "Running" } });
        insta::assert_snapshot!(waiting_for(&[creating, unscheduled, ready.clone(), slow]).expect("some wait"), @"waiting for web-1 (ImagePullBackOff), web-2 (Unschedulable), web-4 (not ready)");
        assert_eq!(waiting_for(&[ready]), None);
    }
}
