//! Two sets of objects against each other, and where two objects differ. For people who ask what has
//! changed; whether a restore has something to do is in `compare`.
//!
//! ## Why
//!
//! - Objects are compared as somebody would have written them ([`strip()`]): what a cluster assigns differs
//!   between any two clusters and says nothing.
//! - Places are told and values are not: the value may be a password.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{ObjectId, strip};

/// Objects by their place: `deployments.apps/shop/web`.
pub type Objects = BTreeMap<String, Value>;

/// What differs between two sets. Sorted by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Only in the second.
    pub added: Vec<ObjectId>,
    /// Only in the first.
    pub removed: Vec<ObjectId>,
    /// In both, and different.
    pub changed: Vec<Changed>,
    /// How many are equal.
    pub equal: u64,
}

/// One object that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// As it is in the second set.
    pub object: ObjectId,
    /// Where: `spec.replicas`, `metadata.labels["example.com/tier"]`. Sorted, never empty.
    pub paths: Vec<String>,
}

impl Difference {
    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Compares two sets of objects that are [`canonical`].
    pub fn between(before: &Objects, after: &Objects) -> Self {
        let mut found = Self::default();
        for (place, old) in before {
            let Some(new) = after.get(place) else {
                found.removed.extend(ObjectId::of(old));
                continue;
            };
            let paths = differing(old, new);
            match ObjectId::of(new) {
                Some(object) if !paths.is_empty() => found.changed.push(Changed { object, paths }),
                _ => found.equal += 1,
            }
        }
        let new = after.iter().filter(|(place, _)| !before.contains_key(*place));
        found
            .added
            .extend(new.filter_map(|(_, object)| ObjectId::of(object)));
        found
    }
}

/// An object reduced to what somebody decided about it.
#[must_use]
pub fn canonical(object: Value) -> Value {
    let mut object = strip(object);
    object.sort_all_objects();
    object
}

/// Every place where two values differ, the deepest that can be named, sorted.
fn differing(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    walk(before, after, &mut String::new(), &mut paths);
    paths.sort();
    paths
}

fn walk(before: &Value, after: &Value, path: &mut String, paths: &mut Vec<String>) {
    let here = path.len();
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for key in keys(before, after) {
                let (old, new) = (before.get(key), after.get(key));
                step(path, key);
                match (old, new) {
                    (Some(old), Some(new)) => walk(old, new, path, paths),
                    _ => paths.push(path.clone()),
                }
                path.truncate(here);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (old, new)) in before.iter().zip(after).enumerate() {
                let _ = write!(path, "[{at}]");
                walk(old, new, path, paths);
                path.truncate(here);
            }
        }
        _ if before != after => paths.push(path.clone()),
        _ => {}
    }
}

fn keys<'a>(
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a String> {
    let new = after.keys().filter(|key| !before.contains_key(*key));
    before.keys().chain(new)
}

/// `.replicas`, or `["example.com/tier"]` where a dot would mislead.
fn step(path: &mut String, key: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if key.is_empty() || !key.bytes().all(plain) {
        let _ = write!(path, "[{key:?}]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(name: &str, data: &Value) -> (String, Value) {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                            "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "7"},
                            "data": data});
        (format!("configmaps/shop/{name}"), canonical(object))
    }

    #[test]
    fn what_came_went_and_changed_is_told_with_its_place_and_without_its_value() {
        let before = Objects::from([
            map("a", &json!({"k": "1"})),
            map("b", &json!({"x.y/z": "1", "same": "1", "gone": "1"})),
            map("c", &json!({})),
        ]);
        let after = Objects::from([
            map("b", &json!({"x.y/z": "2", "same": "1", "new": "1"})),
            map("c", &json!({})),
            map("d", &json!({})),
        ]);
        let found = Difference::between(&before, &after);
        insta::assert_snapshot!(serde_json::to_string(&found).unwrap(), @r#"
        {"added":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"d"}],"removed":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"a"}],"changed":[{"object":{"apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"b"},"paths":["data.gone","data.new","data[\"x.y/z\"]"]}],"equal":1}
        "#);
        assert!(!found.is_empty());
        assert!(Difference::between(&before, &before).is_empty());
    }

    #[test]
    fn what_a_cluster_assigns_is_no_difference() {
        let service = |ip: &str, uid: &str| {
            canonical(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop", "uid": uid, "creationTimestamp": "2026-11-22T22:00:00Z"},
                "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80}]}, "status": {"loadBalancer": {}}}))
        };
        assert_eq!(
            differing(&service("10.0.0.1", "u"), &service("10.0.0.2", "v")),
            [""; 0]
        );
    }

    #[test]
    fn a_list_of_another_length_is_told_as_a_whole() {
        let paths = |a: Value, b: Value| differing(&json!({"spec": {"l": a}}), &json!({"spec": {"l": b}}));
        assert_eq!(paths(json!([1, 2]), json!([1, 2, 3])), ["spec.l"]);
        assert_eq!(paths(json!([1, {"a": 2}]), json!([1, {"a": 3}])), ["spec.l[1].a"]);
        assert_eq!(paths(json!(null), json!({})), ["spec.l"]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab.]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn two_values_differ_somewhere_exactly_if_they_are_not_equal(a in value(), b in value()) {
            prop_assert_eq!(differing(&a, &b).is_empty(), a == b);
            prop_assert_eq!(differing(&a, &b), differing(&b, &a));
            prop_assert!(differing(&a, &a).is_empty());
        }
    }
}
