//! Owner references on their way to another cluster: an owner is named there by a uid that it does not
//! have yet.

use serde_json::{Value, json};

use super::json::{group, list, map_mut, text};

/// The owner references of a captured object as they would be written: without the uids, which are of
/// the cluster that was read. Whoever makes the object fills in the owner's new one, or leaves the
/// reference out: the garbage collector deletes what names an owner that is not there.
pub fn owners(object: &Value) -> Vec<Value> {
    let keep = |owner: &Value| {
        let mut kept = json!({
            "apiVersion": text(owner, "/apiVersion")?,
            "kind": text(owner, "/kind")?,
            "name": text(owner, "/name")?,
        });
        for flag in ["controller", "blockOwnerDeletion"] {
            if let Some(value) = owner.get(flag) {
                kept[flag] = value.clone();
            }
        }
        Some(kept)
    };
    list(object, "/metadata/ownerReferences")
        .filter_map(keep)
        .collect()
}

/// Takes the owner references off an object.
pub fn take_owners(object: &mut Value) -> Vec<Value> {
    let taken = map_mut(object, "/metadata").and_then(|metadata| metadata.remove("ownerReferences"));
    match taken {
        Some(Value::Array(owners)) => owners,
        _ => Vec::new(),
    }
}

/// Whether an object names this owner, by any uid and in any version.
pub fn names_owner(object: &Value, owner: &Value) -> bool {
    let same = |one: &Value| {
        group(one) == group(owner)
            && text(one, "/kind") == text(owner, "/kind")
            && text(one, "/name") == text(owner, "/name")
    };
    list(object, "/metadata/ownerReferences").any(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_reference_but_the_uid_is_kept() {
        let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u",
                            "controller": true, "blockOwnerDeletion": false });
        let mut object =
            json!({ "metadata": { "name": "child", "ownerReferences": [owner, { "kind": "broken" }] } });
        let kept = owners(&object);
        assert_eq!(
            kept,
            [
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true, "blockOwnerDeletion": false })
            ]
        );
        assert!(names_owner(&object, &kept[0]));
        assert!(!names_owner(
            &object,
            &json!({ "apiVersion": "v1", "kind": "Deployment", "name": "web" })
        ));
        assert_eq!(take_owners(&mut object).len(), 2);
        assert_eq!(object, json!({ "metadata": { "name": "child" } }));
    }
}
