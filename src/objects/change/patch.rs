//! Patches made ready, and put over an object.

use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::{Value, json};

use super::fragment::Fragment;
use super::rule::Patch;
use super::strategic;
use super::when::check_place;

/// Operations of one JSON Patch at most: `copy` can double an object, and fifty lines are more than a
/// person reads.
const OPERATIONS_MAX: usize = 50;
/// Bytes that an object may have after a patch: no API server takes more.
const SIZE_MAX: usize = 3 * 1024 * 1024;

/// A patch that has been read.
pub(super) enum Ready {
    Json(Vec<PatchOperation>),
    Merge(Vec<Value>),
    Strategic(Vec<Value>),
}

/// What became of an object.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The patch was put over it.
    Patched,
    /// It is as it was: its value at this place is not what the patch tests for.
    Untouched(String),
}

impl Ready {
    /// # Errors
    ///
    /// What is wrong with it, as a lowercase fragment.
    pub(super) fn of(patch: &Patch) -> Result<Self, String> {
        let maps = |all: &[Fragment]| {
            let one = |fragment: &Fragment| match &fragment.0 {
                map @ Value::Object(_) => Ok(map.clone()),
                _ => Err("a merge patch is a map, written like the object".to_owned()),
            };
            all.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        match patch {
            Patch::Json(operations) if operations.len() > OPERATIONS_MAX => {
                Err(format!("a patch has at most {OPERATIONS_MAX} operations"))
            }
            Patch::Json(operations) => operations
                .iter()
                .map(|one| operation(&one.0))
                .collect::<Result<_, _>>()
                .map(Self::Json),
            Patch::Merge(all) => maps(all).map(Self::Merge),
            Patch::Strategic(all) => maps(all).map(Self::Strategic),
        }
    }

    /// The object is untouched unless the answer is [`Outcome::Patched`].
    ///
    /// # Errors
    ///
    /// Why it does not go, as a lowercase fragment.
    pub(super) fn apply(&self, object: &mut Value) -> Result<Outcome, String> {
        let mut new = object.clone();
        match self {
            Self::Json(operations) => {
                if let Some(place) = operate(&mut new, operations)? {
                    return Ok(Outcome::Untouched(place));
                }
            }
            Self::Merge(all) => all.iter().for_each(|patch| json_patch::merge(&mut new, patch)),
            Self::Strategic(all) => {
                for patch in all {
                    strategic::merge(&mut new, patch)?;
                }
            }
        }
        *object = new;
        Ok(Outcome::Patched)
    }
}

fn operation(value: &Value) -> Result<PatchOperation, String> {
    let at = |key: &str| value.get(key).and_then(Value::as_str);
    let op = at("op").unwrap_or_default();
    let needs: &[&str] = match op {
        "add" | "replace" | "test" => &["path", "value"],
        "move" | "copy" => &["path", "from"],
        "remove" => &["path"],
        _ => return Err(format!("`{op}` is not an operation of JSON Patch")),
    };
    let known = |key: &&String| *key != "op" && !needs.contains(&key.as_str());
    if let Some(more) = value.as_object().and_then(|map| map.keys().find(known)) {
        return Err(format!("`{op}` takes no `{more}`"));
    }
    if let Some(missing) = needs.iter().find(|key| value.get(**key).is_none()) {
        return Err(format!("`{op}` lacks its `{missing}`"));
    }
    for key in ["path", "from"] {
        at(key).map_or(Ok(()), check_place)?;
    }
    serde_json::from_value(value.clone()).map_err(|error| format!("`{op}` cannot be read: {error}"))
}

/// The place of the `test` that failed, if one did. A place that is not there fails a test for anything
/// but `null`.
fn operate(object: &mut Value, operations: &[PatchOperation]) -> Result<Option<String>, String> {
    for one in operations {
        if let PatchOperation::Test(test) = one {
            let found = object.pointer(test.path.as_str()).unwrap_or(&Value::Null);
            if *found != test.value {
                return Ok(Some(test.path.to_string()));
            }
            continue;
        }
        json_patch::patch_unsafe(object, std::slice::from_ref(one))
            .map_err(|error| failed(one, &error.kind))?;
        if matches!(one, PatchOperation::Copy(_)) && object.to_string().len() > SIZE_MAX {
            return Err("the object grows beyond what an API server takes".into());
        }
    }
    Ok(None)
}

fn failed(one: &PatchOperation, kind: &PatchErrorKind) -> String {
    let op = json!(one)["op"].as_str().unwrap_or_default().to_owned();
    let (from, path) = match one {
        PatchOperation::Move(one) => (one.from.as_str(), one.path.as_str()),
        PatchOperation::Copy(one) => (one.from.as_str(), one.path.as_str()),
        other => ("", other.path().as_str()),
    };
    match kind {
        PatchErrorKind::InvalidFromPointer => format!("there is no {from} to {op}"),
        PatchErrorKind::CannotMoveInsideItself => format!("{from} cannot be moved into itself"),
        _ if op == "add" => format!("there is no place for {path}"),
        _ => format!("there is no {path} to {op}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments(value: Value) -> Vec<Fragment> {
        serde_json::from_value(value).unwrap()
    }

    fn patched(operations: Value, object: Value) -> Result<(Outcome, Value), String> {
        let mut object = object;
        let outcome = Ready::of(&Patch::Json(fragments(operations)))?.apply(&mut object)?;
        Ok((outcome, object))
    }

    fn service() -> Value {
        json!({"kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    }

    #[test]
    fn operations_do_what_rfc_6902_says() {
        let all = json!([
            {"op": "test", "path": "/spec/type", "value": "LoadBalancer"},
            {"op": "replace", "path": "/spec/type", "value": "ClusterIP"},
            {"op": "add", "path": "/spec/ports/-", "value": {"port": 443}},
            {"op": "copy", "from": "/spec/ports/0", "path": "/spec/first"},
            {"op": "move", "from": "/spec/first", "path": "/spec/old"},
            {"op": "remove", "path": "/spec/ports/0"},
            {"op": "add", "path": "/spec/null", "value": null},
        ]);
        let wanted = json!({"kind": "Service", "spec": {"type": "ClusterIP", "ports": [{"port": 443}], "old": {"port": 80}, "null": null}});
        assert_eq!(patched(all, service()).unwrap(), (Outcome::Patched, wanted));
    }

    #[test]
    fn a_test_that_fails_leaves_all_as_it_was() {
        for (path, value) in [
            ("/spec/type", "NodePort"),
            ("/spec/none", "x"),
            ("/none/at/all", "x"),
        ] {
            let tested = json!([{"op": "remove", "path": "/spec/ports"}, {"op": "test", "path": path, "value": value}]);
            assert_eq!(
                patched(tested, service()).unwrap(),
                (Outcome::Untouched(path.into()), service())
            );
        }
        let nothing_there =
            json!([{"op": "test", "path": "/spec/none", "value": null}, {"op": "remove", "path": "/spec"}]);
        assert_eq!(
            patched(nothing_there, service()).unwrap().1,
            json!({"kind": "Service"})
        );
    }

    #[test]
    fn what_does_not_go_is_said() {
        let wrong = |operation: Value| patched(json!([operation]), service()).unwrap_err();
        insta::assert_snapshot!(
            [
                wrong(json!({"op": "remove", "path": "/spec/none"})),
                wrong(json!({"op": "replace", "path": "/spec/none", "value": 1})),
                wrong(json!({"op": "add", "path": "/spec/none/deep", "value": 1})),
                wrong(json!({"op": "add", "path": "/spec/ports/7", "value": 1})),
                wrong(json!({"op": "move", "from": "/none", "path": "/spec/a"})),
                wrong(json!({"op": "move", "from": "/spec", "path": "/spec/a"})),
                wrong(json!({"op": "add", "path": "/spec/a"})),
                wrong(json!({"op": "copy", "path": "/spec/a"})),
                wrong(json!({"op": "remove", "path": "/spec/a", "value": 1})),
                wrong(json!({"op": "delete", "path": "/spec/a"})),
                wrong(json!({"op": "remove", "path": ""})),
                wrong(json!("remove")),
            ]
            .join("\n"),
            @"
        there is no /spec/none to remove
        there is no /spec/none to replace
        there is no place for /spec/none/deep
        there is no place for /spec/ports/7
        there is no /none to move
        /spec cannot be moved into itself
        `add` lacks its `value`
        `copy` lacks its `from`
        `remove` takes no `value`
        `delete` is not an operation of JSON Patch
        `` is not a place: write it like /spec/replicas, with ~1 for a / in a name
        `` is not an operation of JSON Patch
        "
        );
    }

    #[test]
    fn an_object_cannot_be_grown_without_end() {
        let copy = |number| json!({"op": "copy", "from": "/spec", "path": format!("/spec/{number}")});
        let copies: Vec<Value> = (0..OPERATIONS_MAX).map(copy).collect();
        let error = patched(json!(copies), service()).unwrap_err();
        assert_eq!(error, "the object grows beyond what an API server takes");
        let many = vec![json!({"op": "remove", "path": "/spec"}); OPERATIONS_MAX + 1];
        assert_eq!(
            patched(json!(many), service()).unwrap_err(),
            "a patch has at most 50 operations"
        );
    }

    #[test]
    fn merge_patches_follow_each_other() {
        let patches = fragments(json!([
            {"spec": {"type": null, "ports": [{"port": 1}]}, "metadata": {"labels": {"a": "b"}}},
            {"spec": {"type": "ClusterIP"}},
        ]));
        let mut object = service();
        let ready = Ready::of(&Patch::Merge(patches)).unwrap();
        assert_eq!(ready.apply(&mut object), Ok(Outcome::Patched));
        assert_eq!(
            object,
            json!({"kind": "Service", "spec": {"ports": [{"port": 1}], "type": "ClusterIP"}, "metadata": {"labels": {"a": "b"}}})
        );
        assert!(Ready::of(&Patch::Merge(fragments(json!([[]])))).is_err());
    }
}
