//! Who owns the fields that a forced apply would change.
//!
//! Read from `metadata.managedFields`, where the server keeps for every manager a tree of the fields that
//! it set: `f:<name>` is a field, `k:<keys>` an entry of a list that has keys, `v:<value>` one of a list of
//! plain values, `.` the thing itself.

use std::fmt;

use serde_json::Value;

use super::json::{list, text};

/// One manager and the first field that it would lose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loser {
    /// As the server knows it: `helm`, `argocd-controller`.
    pub manager: String,
    /// `spec.replicas`.
    pub field: String,
}

/// `helm (spec.replicas)`.
impl fmt::Display for Loser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.manager, self.field)
    }
}

/// The managers other than `ours` whose fields in `live` have another value in `desired`. Fields that
/// `desired` does not have stay as they are, and stay theirs.
pub fn losers(desired: &Value, live: &Value, ours: &str) -> Vec<Loser> {
    let mut found: Vec<Loser> = Vec::new();
    for entry in list(live, "/metadata/managedFields") {
        let manager = text(entry, "/manager").unwrap_or("");
        let known = manager.is_empty() || manager == ours || found.iter().any(|one| one.manager == manager);
        // What a subresource wrote is the status, which an apply of the object does not touch.
        if known || text(entry, "/subresource").is_some_and(|part| part == "status") {
            continue;
        }
        let Some(fields) = entry.get("fieldsV1") else {
            continue;
        };
        found.extend(lost(fields, desired, live).map(|path| Loser {
            manager: manager.to_owned(),
            field: path.trim_start_matches('.').to_owned(),
        }));
    }
    found.sort();
    found
}

/// The first owned field below here that differs, as `.spec.replicas`.
fn lost(fields: &Value, desired: &Value, live: &Value) -> Option<String> {
    let inner: Vec<(&String, &Value)> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != ".")
        .collect();
    if inner.is_empty() {
        return (desired != live).then(String::new);
    }
    inner
        .into_iter()
        .find_map(|(key, deeper)| step(key, deeper, desired, live))
}

fn step(key: &str, deeper: &Value, desired: &Value, live: &Value) -> Option<String> {
    if let Some(field) = key.strip_prefix("f:") {
        let (wanted, has) = (desired.get(field)?, live.get(field)?);
        return lost(deeper, wanted, has).map(|rest| format!(".{field}{rest}"));
    }
    let keys: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
    let at = |list: &'_ Value| -> Option<usize> {
        let fits = |one: &Value| {
            keys.as_object()
                .is_some_and(|keys| keys.iter().all(|(key, value)| one.get(key) == Some(value)))
        };
        list.as_array()?.iter().position(fits)
    };
    let (wanted, has) = (desired.get(at(desired)?)?, live.get(at(live)?)?);
    let shown = keys.as_object().and_then(|keys| keys.values().next());
    let shown = shown.map_or_else(String::new, |value| {
        value.as_str().map_or(value.to_string(), str::to_owned)
    });
    lost(deeper, wanted, has).map(|rest| format!("[{shown}]{rest}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({"metadata": {"name": "web", "labels": {"team": "a"}, "managedFields": [
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}},
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {
                "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}}}}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status",
             "fieldsV1": {"f:status": {"f:replicas": {}}}},
            {"manager": "lifeboat", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}]},
            "spec": {"replicas": 3, "paused": true, "template": {"containers": [{"name": "b"}, {"name": "c", "image": "v1"}]}},
            "status": {"replicas": 3}})
    }

    fn found(desired: &Value) -> Vec<(String, String)> {
        losers(desired, &live(), "lifeboat")
            .into_iter()
            .map(|one| (one.manager, one.field))
            .collect()
    }

    #[test]
    fn only_managers_whose_fields_differ_lose_something() {
        assert_eq!(found(&live()), []);
        assert_eq!(
            found(&json!({"spec": {"replicas": 5}})),
            [("helm".to_owned(), "spec.replicas".to_owned())]
        );
    }

    #[test]
    fn entries_of_lists_are_found_by_their_keys_and_not_by_their_place() {
        let desired =
            json!({"spec": {"replicas": 3, "template": {"containers": [{"name": "c", "image": "v2"}]}}});
        assert_eq!(
            found(&desired),
            [(
                "argocd-controller".to_owned(),
                "spec.template.containers[c].image".to_owned()
            )]
        );
    }

    #[test]
    fn what_is_not_desired_stays_theirs_and_what_is_ours_is_not_taken() {
        assert_eq!(found(&json!({"spec": {}})), [], "a field that is not sent");
        assert_eq!(
            found(&json!({"metadata": {"labels": {"team": "b"}}})),
            [],
            "our own"
        );
        assert_eq!(
            found(&json!({"status": {"replicas": 9}})),
            [],
            "the status is not applied"
        );
    }
}
