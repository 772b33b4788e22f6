//! How writes change an object: server-side apply with owned fields, and JSON merge patch.
//!
//! ## Why so little
//!
//! A field is a leaf of the object's maps, and a list is one field: the real server merges some lists
//! by key. What lifeboat relies on is here: an applied field that another manager owns with another
//! value is a conflict, a field that is not applied any more goes away, and a manager that *updates*
//! is another one than the same name that *applies*.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Who owns which leaf: path → managers.
pub(super) type Owners = BTreeMap<Vec<String>, BTreeSet<String>>;

/// Fields that nobody owns: identity, and what only the server writes.
const NOT_OWNED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["status"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "creationTimestamp"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "deletionTimestamp"],
];

/// The leaves of an object that can be owned.
pub(super) fn leaves(object: &Value) -> BTreeMap<Vec<String>, Value> {
    let mut found = BTreeMap::new();
    descend(object, &mut Vec::new(), &mut found);
    found
}

fn descend(value: &Value, path: &mut Vec<String>, found: &mut BTreeMap<Vec<String>, Value>) {
    if NOT_OWNED.iter().any(|fixed| fixed == path) {
        return;
    }
    match value {
        Value::Object(map) if !map.is_empty() || path.is_empty() => {
            for (name, inner) in map {
                path.push(name.clone());
                descend(inner, path, found);
                path.pop();
            }
        }
        leaf => {
            found.insert(path.clone(), leaf.clone());
        }
    }
}

/// The fields of one manager, as the server shows them.
pub(super) fn fields_of(owners: &Owners, manager: &str) -> Value {
    let mut tree = Value::Object(Map::new());
    let own = owners.iter().filter(|(_, names)| names.contains(manager));
    for (path, _) in own {
        let mut at = &mut tree;
        for name in path {
            at = &mut at[format!("f:{name}")];
        }
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
    }
    tree
}

/// Applies `wanted` for `manager`.
///
/// # Errors
///
/// The server's own sentence where another manager owns a field with another value.
pub(super) fn apply(
    live: &mut Value,
    owners: &mut Owners,
    wanted: &Value,
    manager: &str,
    force: bool,
) -> Result<(), String> {
    let wanted = leaves(wanted);
    let held = leaves(live);
    let conflicts = conflicts(&wanted, &held, owners, manager);
    if !force && !conflicts.is_empty() {
        let plural = if conflicts.len() == 1 {
            "conflict"
        } else {
            "conflicts"
        };
        return Err(format!(
            "Apply failed with {} {plural}: {}",
            conflicts.len(),
            conflicts.join(", ")
        ));
    }
    release(live, owners, &wanted, manager);
    for (path, value) in wanted {
        let differs = held.get(&path) != Some(&value);
        let who = owners.entry(path.clone()).or_default();
        if differs {
            who.clear();
        }
        who.insert(manager.to_owned());
        set(live, &path, value);
    }
    Ok(())
}

fn conflicts(
    wanted: &BTreeMap<Vec<String>, Value>,
    held: &BTreeMap<Vec<String>, Value>,
    owners: &Owners,
    manager: &str,
) -> Vec<String> {
    let differs = |path: &Vec<String>, value: &Value| held.get(path).is_some_and(|now| now != value);
    wanted
        .iter()
        .filter(|(path, value)| differs(path, value))
        .filter_map(|(path, _)| {
            let other = owners.get(path)?.iter().find(|name| *name != manager)?;
            Some(format!("conflict with \"{other}\": .{}", path.join(".")))
        })
        .collect()
}

/// Takes away what this manager alone owned and does not want any more.
fn release(live: &mut Value, owners: &mut Owners, wanted: &BTreeMap<Vec<String>, Value>, manager: &str) {
    owners.retain(|path, who| {
        if wanted.contains_key(path) || !who.remove(manager) {
            return true;
        }
        if who.is_empty() {
            unset(live, path);
        }
        !who.is_empty()
    });
}

/// RFC 7386, and `manager` owns what it changed.
pub(super) fn patch(live: &mut Value, owners: &mut Owners, patch: &Value, manager: &str) {
    let before = leaves(live);
    merge(live, patch);
    own_changes(&before, live, owners, manager);
}

/// Notes the owner of every leaf that changed.
pub(super) fn own_changes(
    before: &BTreeMap<Vec<String>, Value>,
    live: &Value,
    owners: &mut Owners,
    manager: &str,
) {
    let after = leaves(live);
    owners.retain(|path, _| after.contains_key(path));
    for (path, value) in after {
        if before.get(&path) != Some(&value) {
            owners.insert(path, BTreeSet::from([manager.to_owned()]));
        }
    }
}

fn merge(live: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        live.clone_from(patch);
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    let Value::Object(map) = live else { return };
    for (name, change) in changes {
        if change.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

fn set(live: &mut Value, path: &[String], value: Value) {
    let Some((name, rest)) = path.split_first() else {
        // An empty map that is applied says that there is a map, not that nobody may be in it.
        if !(live.is_object() && value.as_object().is_some_and(Map::is_empty)) {
            *live = value;
        }
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    if let Value::Object(map) = live {
        set(map.entry(name.clone()).or_insert(Value::Null), rest, value);
    }
}

fn unset(live: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(live, |at, name| at.get_mut(name));
    if let Some(Value::Object(map)) = parent {
        map.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_of_another_manager_is_a_conflict_and_force_takes_it() {
        let mut live = json!({ "spec": { "replicas": 3, "paused": false } });
        let mut owners = Owners::new();
        own_changes(&BTreeMap::new(), &live, &mut owners, "kubectl");
        let wanted = json!({ "spec": { "replicas": 5, "paused": false } });
        let refused = apply(&mut live, &mut owners, &wanted, "lifeboat", false);
        insta::assert_snapshot!(refused.expect_err("a conflict"), @r#"Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas"#);
        apply(&mut live, &mut owners, &wanted, "lifeboat", true).expect("forced");
        assert_eq!(live["spec"]["replicas"], 5);
    }

    #[test]
    fn a_field_that_is_not_applied_any_more_goes_away_unless_somebody_else_owns_it() {
        let mut live = json!({});
        let mut owners = Owners::new();
        let first = json!({ "data": { "mine": "1", "shared": "2" } });
        apply(&mut live, &mut owners, &first, "lifeboat", false).expect("no owner yet");
        apply(
            &mut live,
            &mut owners,
            &json!({ "data": { "shared": "2" } }),
            "kubectl",
            false,
        )
        .expect("equal");
        apply(&mut live, &mut owners, &json!({}), "lifeboat", false).expect("nothing to fight about");
        assert_eq!(live, json!({ "data": { "shared": "2" } }));
    }

    #[test]
    fn a_merge_patch_removes_by_null_and_takes_ownership() {
        let mut live = json!({ "spec": { "replicas": 3, "old": true } });
        let mut owners = Owners::new();
        patch(
            &mut live,
            &mut owners,
            &json!({ "spec": { "replicas": 0, "old": null } }),
            "me",
        );
        assert_eq!(live, json!({ "spec": { "replicas": 0 } }));
        assert_eq!(owners.len(), 1);
    }
}
