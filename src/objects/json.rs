//! Small readings of objects that several files here share. Not a model of Kubernetes types: objects
//! stay JSON, and what is not named survives.

use serde_json::{Map, Value};

/// A text at a JSON pointer; `None` where it is missing or not a text.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// A switch at a JSON pointer; missing is off.
pub(super) fn is_true(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// The entries of a list at a JSON pointer; missing is empty.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The same, to change the entries.
pub(super) fn list_mut<'a>(
    value: &'a mut Value,
    pointer: &str,
) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// A map at a JSON pointer.
pub(super) fn map_mut<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut)
}

/// Removes one key of the map at a pointer; says whether it was there.
pub(super) fn remove(value: &mut Value, pointer: &str, key: &str) -> bool {
    map_mut(value, pointer).is_some_and(|map| map.remove(key).is_some())
}

/// Removes a key of the map at a pointer if its value is an empty map or list.
pub(super) fn remove_empty(value: &mut Value, pointer: &str, key: &str) {
    let Some(map) = map_mut(value, pointer) else {
        return;
    };
    let empty = match map.get(key) {
        Some(Value::Object(inner)) => inner.is_empty(),
        Some(Value::Array(inner)) => inner.is_empty(),
        _ => false,
    };
    if empty {
        map.remove(key);
    }
}

/// The API group of an object; empty for the core group.
pub(super) fn group(object: &Value) -> &str {
    text(object, "/apiVersion")
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group)
}

/// The kind of an object; empty where it says none.
pub(super) fn kind(object: &Value) -> &str {
    text(object, "/kind").unwrap_or("")
}

/// Group and kind, to match on.
pub(super) fn group_kind(object: &Value) -> (&str, &str) {
    (group(object), kind(object))
}

/// `metadata.name`; empty where it has none.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name").unwrap_or("")
}

/// The value of an annotation.
pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// The value of a label.
pub(super) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// Where an object keeps the description of its pods (metadata and spec): a pod in itself, a
/// workload in its template. Custom kinds count too if they hold a template of the usual shape.
pub(super) fn pod_template(object: &Value) -> Option<&'static str> {
    match group_kind(object) {
        ("", "Pod") => Some(""),
        ("", "PodTemplate") => Some("/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        _ => object
            .pointer("/spec/template/spec/containers")
            .is_some()
            .then_some("/spec/template"),
    }
}

/// All lists of containers in a pod's spec.
pub(super) const CONTAINER_LISTS: [&str; 3] = ["/containers", "/initContainers", "/ephemeralContainers"];

/// An object with a JSON merge patch put over it.
#[cfg(test)]
pub(super) fn merged(mut object: Value, patch: Value) -> Value {
    let (Value::Object(fields), Value::Object(new)) = (&mut object, &patch) else {
        return patch;
    };
    for (key, value) in new {
        let old = fields.remove(key).unwrap_or(Value::Null);
        fields.insert(key.clone(), merged(old, value.clone()));
    }
    object
}
