//! Labels and annotations by which lifeboat finds again what it made, and small readings of objects.

use serde_json::Value;

use crate::effect::Attempt;
use crate::objects::{HELD_BY, HOLD_LABEL, Made, ObjectId, TRAFFIC_BEFORE, WOKEN};

/// Label on Jobs and on everything that a drill makes; its value is the run.
pub(super) const RUN: &str = "lifeboat.dev/run";

/// Annotation on every object that was made: the attempt's key, so that after a lost reply it can be
/// told who made it.
pub(super) const KEY: &str = "lifeboat.dev/key";

/// Marks an object as made by this effect of this run.
pub(super) fn stamp_key(object: &mut Value, attempt: &Attempt) {
    object["metadata"]["annotations"][KEY] = attempt.key.clone().into();
}

/// Marks an object as belonging to this run.
pub(super) fn stamp_run(object: &mut Value, attempt: &Attempt) {
    object["metadata"]["labels"][RUN] = attempt.run.clone().into();
}

/// Takes the marks of other runs off a captured object: they say who made or held it there, not here. A namespace
/// that was captured while it was held must not be held where it is restored.
pub(super) fn unmark(object: &mut Value) {
    let marks = [
        ("annotations", KEY),
        ("annotations", HELD_BY),
        ("annotations", TRAFFIC_BEFORE),
        ("annotations", WOKEN),
        ("labels", RUN),
        ("labels", HOLD_LABEL),
    ];
    for (map, mark) in marks {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let Some(marks) = metadata.get_mut(map).and_then(Value::as_object_mut) else {
            continue;
        };
        marks.remove(mark);
        if marks.is_empty() {
            metadata.remove(map);
        }
    }
}

/// Whether this effect of this run made it, in this or an earlier attempt.
pub(super) fn has_key(object: &Value, attempt: &Attempt) -> bool {
    annotation(object, KEY) == Some(&attempt.key)
}

/// Whether this run made it.
pub(super) fn has_run(object: &Value, attempt: &Attempt) -> bool {
    label(object, RUN) == Some(&attempt.run)
}

pub(super) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(name)?.as_str()
}

pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn number(object: &Value, pointer: &str) -> Option<u64> {
    object.pointer(pointer).and_then(Value::as_u64)
}

pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// It has a deletion time.
pub(super) fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// Its line in the ledger; `None` where a server left out its name or uid.
pub(super) fn made(object: &Value) -> Option<Made> {
    Some(Made {
        id: ObjectId::of(object)?,
        uid: Some(uid(object)).filter(|uid| !uid.is_empty())?.to_owned(),
    })
}

/// `1 object`, `3 objects`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `status.conditions[type=…]`, if its status is `True`.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").find(|one| one["type"] == name && one["status"] == "True")
}
