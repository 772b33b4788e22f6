//! A desired object against a live one, and a live one reduced to what somebody desired of it.
//!
//! ## Why
//!
//! A server adds defaults, so "equal" means: every field that is desired is there with an equal
//! value. Captured objects come from a server and hold its spelling already; objects that a person
//! wrote may spell a quantity in another way (`1000m`, `1`) and then count as different. That errs on
//! the safe side: a needless update changes nothing, a missed one would lose a change.

use serde_json::Value;

use super::json::{group_kind, map_mut, remove, remove_empty};
use super::{LAST_APPLIED, strip};

/// Where a live object differs from a desired one (both stripped or not): the first such place, as
/// `spec.replicas`. `None`: every desired field is there and equal.
///
/// Maps may hold more than is desired; lists must be equal entry by entry, because taking an entry
/// away is a change. A desired `null` means "not there".
pub fn difference(desired: &Value, live: &Value) -> Option<String> {
    differs(desired, live).map(|path| path.trim_start_matches('.').to_owned())
}

fn differs(desired: &Value, live: &Value) -> Option<String> {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => desired.iter().find_map(|(key, wanted)| {
            let found = live.get(key).unwrap_or(&Value::Null);
            differs(wanted, found).map(|rest| format!(".{key}{rest}"))
        }),
        (Value::Array(desired), Value::Array(live)) if desired.len() == live.len() => {
            let mut pairs = desired.iter().zip(live).enumerate();
            pairs.find_map(|(i, (wanted, found))| differs(wanted, found).map(|rest| format!("[{i}]{rest}")))
        }
        _ => (desired != live).then(String::new),
    }
}

/// The part of a live object that somebody desired: what a plan keeps, to notice later that it has
/// changed. Holds nothing that changes by itself, and never the content of a Secret.
///
/// A Secret is seen by the names of its keys and by its resource version, which changes with every
/// write to it and says nothing about the values; a digest of a weak password could be guessed.
#[must_use]
pub fn sighting(live: &Value) -> Value {
    let mut seen = strip(live.clone());
    remove(&mut seen, "/metadata/annotations", LAST_APPLIED);
    remove_empty(&mut seen, "/metadata", "annotations");
    if group_kind(&seen) == ("", "Secret") {
        for part in ["/data", "/stringData"] {
            for value in map_mut(&mut seen, part).into_iter().flatten() {
                *value.1 = Value::Null;
            }
        }
        let version = live.pointer("/metadata/resourceVersion");
        if let (Some(metadata), Some(version)) = (map_mut(&mut seen, "/metadata"), version) {
            metadata.insert("resourceVersion".into(), version.clone());
        }
    }
    seen.sort_all_objects();
    seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let desired = json!({"spec": {"replicas": 3, "template": {"a": [{"name": "c"}]}}});
        let live = json!({"spec": {"replicas": 3, "extra": 1, "template": {"a": [{"name": "c", "policy": "Always"}]}},
                          "status": {}});
        assert_eq!(difference(&desired, &live), None);
        assert_ne!(difference(&live, &desired), None);
    }

    #[test]
    fn the_first_difference_is_named() {
        let desired = json!({"spec": {"a": 1, "list": [{"b": 2}, {"b": 3}]}});
        let live = |list: Value| json!({"spec": {"a": 1, "list": list}});
        assert_eq!(
            difference(&desired, &live(json!([{"b": 2}, {"b": 4}]))).unwrap(),
            "spec.list[1].b"
        );
        assert_eq!(
            difference(&desired, &live(json!([{"b": 2}, {"b": 3}, {"b": 4}]))).unwrap(),
            "spec.list",
            "an entry too many is a change"
        );
        assert_eq!(difference(&desired, &json!({})).unwrap(), "spec");
        assert_eq!(difference(&json!({"a": null}), &json!({})), None);
        assert_eq!(difference(&json!({"a": null}), &json!({"a": 1})).unwrap(), "a");
        assert_eq!(difference(&json!({"a": {}}), &json!({})).unwrap(), "a");
    }

    #[test]
    fn a_sighting_changes_only_when_somebody_changes_the_object() {
        let live = |version: &str, ready: u32, replicas: u32| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                   "metadata": {"name": "web", "uid": "u", "resourceVersion": version,
                                "annotations": {LAST_APPLIED: "{}", "deployment.kubernetes.io/revision": version}},
                   "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}})
        };
        assert_eq!(sighting(&live("1", 0, 3)), sighting(&live("2", 3, 3)));
        assert_ne!(sighting(&live("1", 0, 3)), sighting(&live("1", 0, 4)));
    }

    #[test]
    fn a_sighting_of_a_secret_shows_no_value_but_notices_a_change() {
        let live = |version: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "resourceVersion": version,
                       "annotations": {LAST_APPLIED: r#"{"stringData":{"password":"hunter2"}}"#}},
                   "data": {"password": "aHVudGVyMg=="}, "type": "Opaque"})
        };
        let seen = sighting(&live("7"));
        assert_eq!(seen["data"], json!({"password": null}));
        assert!(!seen.to_string().contains("unter2"));
        assert_ne!(seen, sighting(&live("8")));
    }
}
