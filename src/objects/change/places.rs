//! Where two states of an object differ, for people: places only, because values may be secret.

use serde_json::Value;

/// Places that are named; the rest is a number.
const NAMED: usize = 3;

/// `spec.replicas, spec.type and 2 more`; `None` where nothing differs.
pub(super) fn changed(before: &Value, after: &Value) -> Option<String> {
    let mut all = Vec::new();
    collect(before, after, String::new(), &mut all);
    let named: Vec<&str> = all
        .iter()
        .take(NAMED)
        .map(|one| one.trim_start_matches('.'))
        .collect();
    match all.len() {
        0 => None,
        count if count > NAMED => Some(format!("{} and {} more", named.join(", "), count - NAMED)),
        _ => Some(named.join(", ")),
    }
}

/// Recursion is bounded: the JSON reader accepts 128 levels, a rule's reader fewer.
fn collect(before: &Value, after: &Value, place: String, all: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let gone = before.keys().filter(|key| !after.contains_key(*key));
            all.extend(gone.map(|key| format!("{place}.{key}")));
            for (key, value) in after {
                let old = before.get(key).unwrap_or(&Value::Null);
                collect(old, value, format!("{place}.{key}"), all);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (old, new)) in before.iter().zip(after).enumerate() {
                collect(old, new, format!("{place}[{at}]"), all);
            }
        }
        _ if before != after => all.push(place),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_places_are_named() {
        let before = json!({"spec": {"replicas": 3, "list": [{"a": 1}], "gone": 1}, "same": {"x": 1}});
        assert_eq!(changed(&before, &before), None);
        let after = json!({"spec": {"replicas": 1, "list": [{"a": 2}], "new": {"b": 1}}, "same": {"x": 1}});
        assert_eq!(
            changed(&before, &after).as_deref(),
            Some("spec.gone, spec.replicas, spec.list[0].a and 1 more")
        );
    }
}
