//! Strategic merge patch: a merge patch that knows the lists of built-in kinds.
//!
//! Maps are merged and `null` removes a key, as in a merge patch. Lists that have a merge key are merged
//! entry by entry, new entries at the end; all others are replaced. Directives: `$patch: replace`,
//! `$patch: delete` and `$patch: merge` in a map or an entry, `{$patch: replace}` alone in a list,
//! `$retainKeys` and `$deleteFromPrimitiveList/<list>`.
//!
//! ## Why
//!
//! - A port is known by its number and its protocol, as server-side apply has it. By the number alone,
//!   as older clients have it, a patch of `53/UDP` would turn `53/TCP` into it.
//! - A directive that is not known is refused: passed over, it would become a field.

use serde_json::{Map, Value};

use super::keys::{Keys, Merge, custom};

type Fields = Map<String, Value>;

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Puts a patch over an object.
///
/// # Errors
///
/// Why it does not go, as a lowercase fragment. The object is then half changed.
pub(super) fn merge(object: &mut Value, patch: &Value) -> Result<(), String> {
    let keys = Keys::of(object).ok_or_else(|| custom(object))?;
    match (object, patch) {
        (Value::Object(fields), Value::Object(patch)) => merge_map(&keys, fields, patch, ""),
        _ => Err("a strategic merge patch is a map".into()),
    }
}

fn merge_map(keys: &Keys, fields: &mut Fields, patch: &Fields, place: &str) -> Result<(), String> {
    match directive(patch, place)? {
        Directive::Delete => {
            fields.clear();
            return Ok(());
        }
        Directive::Replace => fields.clear(),
        Directive::Merge => {}
    }
    if let Some(retained) = patch.get(RETAIN) {
        retain(fields, retained, place)?;
    }
    for (key, value) in patch {
        if key == DIRECTIVE || key == RETAIN {
            continue;
        }
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            delete_from(fields, list, value, place)?;
        } else if key.starts_with('$') {
            return Err(format!(
                "`{key}` at {} is not a directive that is known",
                shown(place)
            ));
        } else {
            merge_field(keys, fields, (key, value), &format!("{place}/{key}"))?;
        }
    }
    Ok(())
}

fn merge_field(
    keys: &Keys,
    fields: &mut Fields,
    (key, value): (&str, &Value),
    place: &str,
) -> Result<(), String> {
    match value {
        Value::Null => {
            fields.remove(key);
            return Ok(());
        }
        Value::Object(patch) => {
            let old = fields.entry(key).or_insert(Value::Null);
            if old.is_null() || keys.replaces_map(place) {
                *old = Value::Object(Map::new());
            }
            let Value::Object(old) = old else {
                return Err(format!("{place} is not a map"));
            };
            return merge_map(keys, old, patch, place);
        }
        Value::Array(patch) => {
            let old = fields.entry(key).or_insert(Value::Null);
            if old.is_null() {
                *old = Value::Array(Vec::new());
            }
            let Value::Array(old) = old else {
                return Err(format!("{place} is not a list"));
            };
            return merge_list(keys, old, patch, place);
        }
        _ => {}
    }
    fields.insert(key.to_owned(), value.clone());
    Ok(())
}

fn merge_list(keys: &Keys, list: &mut Vec<Value>, patch: &[Value], place: &str) -> Result<(), String> {
    match keys.of_list(place) {
        None => {
            if patch.iter().any(|entry| entry.get(DIRECTIVE).is_some()) {
                return Err(format!(
                    "{place} has no merge key and is replaced as a whole: write it without `$patch`"
                ));
            }
            list.clear();
            list.extend_from_slice(patch);
            Ok(())
        }
        Some(Merge::Set) => {
            for value in patch {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            Ok(())
        }
        Some(merge) => merge_entries(keys, merge, list, patch, place),
    }
}

fn merge_entries(
    keys: &Keys,
    merge: Merge,
    list: &mut Vec<Value>,
    patch: &[Value],
    place: &str,
) -> Result<(), String> {
    let entries: Vec<&Fields> = patch
        .iter()
        .map(|entry| {
            entry
                .as_object()
                .ok_or_else(|| format!("an entry of {place} is not a map"))
        })
        .collect::<Result<_, _>>()?;
    let alone =
        |entry: &&&Fields| entry.len() == 1 && entry.get(DIRECTIVE).is_some_and(|word| word == "replace");
    if entries.iter().any(|entry| alone(&entry)) {
        list.clear();
    }
    for entry in entries.iter().filter(|entry| !alone(entry)) {
        let at = position(merge, list, entry, place)?;
        match (directive(entry, place)?, at) {
            (Directive::Delete, Some(at)) => {
                list.remove(at);
            }
            (Directive::Delete, None) => {}
            (_, at) => {
                let mut new = at.map_or(Value::Null, |at| list[at].take());
                if !new.is_object() {
                    new = Value::Object(Map::new());
                }
                if let Value::Object(fields) = &mut new {
                    merge_map(keys, fields, entry, place)?;
                }
                match at {
                    Some(at) => list[at] = new,
                    None => list.push(new),
                }
            }
        }
    }
    Ok(())
}

/// Where the entry is that a patch's entry means.
fn position(merge: Merge, list: &[Value], entry: &Fields, place: &str) -> Result<Option<usize>, String> {
    let (Merge::By(key) | Merge::ByPort(key)) = merge else {
        return Ok(None);
    };
    let wanted = entry
        .get(key)
        .ok_or_else(|| format!("an entry of {place} lacks `{key}`, by which entries are merged"))?;
    let same: Vec<usize> = (0..list.len())
        .filter(|at| list[*at].get(key) == Some(wanted))
        .collect();
    if let Merge::By(_) = merge {
        return Ok(same.first().copied());
    }
    let protocol = |entry: Option<&Value>| entry.and_then(Value::as_str).unwrap_or("TCP").to_owned();
    let asked = entry.get("protocol");
    let exact = same
        .iter()
        .copied()
        .find(|at| protocol(list[*at].get("protocol")) == protocol(asked));
    Ok(match (exact, same.as_slice(), asked) {
        // A patch that names no protocol means the only one there is.
        (None, [only], None) => Some(*only),
        (exact, ..) => exact,
    })
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Fields, place: &str) -> Result<Directive, String> {
    match patch.get(DIRECTIVE).map(|word| word.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        Some(_) => Err(format!(
            "`$patch` at {} is replace, delete or merge",
            shown(place)
        )),
    }
}

fn retain(fields: &mut Fields, retained: &Value, place: &str) -> Result<(), String> {
    let Some(names) = retained.as_array() else {
        return Err(format!("`{RETAIN}` at {} is a list", shown(place)));
    };
    fields.retain(|key, _| names.iter().any(|name| name == key));
    Ok(())
}

fn delete_from(fields: &mut Fields, list: &str, values: &Value, place: &str) -> Result<(), String> {
    let Some(values) = values.as_array() else {
        return Err(format!("`{DELETE_FROM}{list}` at {} is a list", shown(place)));
    };
    if let Some(Value::Array(list)) = fields.get_mut(list) {
        list.retain(|value| !values.contains(value));
    }
    Ok(())
}

fn shown(place: &str) -> &str {
    if place.is_empty() { "the top" } else { place }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut object: Value, patch: Value) -> Result<Value, String> {
        [patch].iter().try_for_each(|patch| merge(&mut object, patch))?;
        Ok(object)
    }

    fn deployment(pods: Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        object["spec"]["template"]["spec"] = pods;
        object
    }

    fn pods(object: &Value) -> &Value {
        &object["spec"]["template"]["spec"]
    }

    #[test]
    fn containers_are_merged_by_name_and_what_is_in_them_by_its_own_keys() {
        let before = deployment(json!({"containers": [
            {"name": "web", "image": "web:1", "args": ["-v"],
             "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
             "volumeMounts": [{"mountPath": "/data", "name": "data"}]},
            {"name": "log", "image": "log:1"},
        ], "volumes": [{"name": "data", "emptyDir": {}}], "tolerations": [{"key": "a"}]}));
        let patch = deployment(json!({"containers": [
            {"name": "web", "args": ["-q"], "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
             "volumeMounts": [{"mountPath": "/data", "readOnly": true}]},
            {"name": "log", "$patch": "delete"},
            {"name": "new", "image": "new:1", "stdin": null},
        ], "volumes": [{"name": "tmp", "emptyDir": {}}], "tolerations": [{"key": "b"}]}));
        let after = merged(before, patch).unwrap();
        assert_eq!(
            pods(&after),
            &json!({"containers": [
                {"name": "web", "image": "web:1", "args": ["-q"],
                 "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
                 "volumeMounts": [{"mountPath": "/data", "name": "data", "readOnly": true}]},
                {"name": "new", "image": "new:1"},
            ], "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
               "tolerations": [{"key": "b"}]})
        );
    }

    #[test]
    fn directives_replace_delete_and_retain() {
        let before = deployment(json!({
            "containers": [{"name": "web", "image": "web:1"}, {"name": "log"}],
            "volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}],
            "nodeSelector": {"zone": "a"}, "securityContext": {"runAsUser": 1}, "affinity": {"x": 1},
        }));
        let patch = deployment(json!({
            "containers": [{"$patch": "replace"}, {"name": "only"}],
            "volumes": [{"name": "data", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}],
            "nodeSelector": {"$patch": "replace", "disk": "ssd"}, "securityContext": null, "affinity": {"$patch": "delete"},
        }));
        assert_eq!(
            pods(&merged(before, patch).unwrap()),
            &json!({
                "containers": [{"name": "only"}], "volumes": [{"name": "data", "secret": {"secretName": "s"}}],
                "nodeSelector": {"disk": "ssd"}, "affinity": {},
            })
        );
    }

    #[test]
    fn ports_of_different_protocols_are_different() {
        let ports = |ports: Value| deployment(json!({"containers": [{"name": "dns", "ports": ports}]}));
        let patched = |old: Value, new: Value| {
            let after = merged(ports(old), ports(new)).unwrap();
            pods(&after)["containers"][0]["ports"].clone()
        };
        let (tcp, udp) = (
            json!({"containerPort": 53}),
            json!({"containerPort": 53, "protocol": "UDP"}),
        );
        assert_eq!(patched(json!([tcp]), json!([udp])), json!([tcp, udp]));
        let named = json!([{"containerPort": 53, "name": "dns"}]);
        assert_eq!(
            patched(json!([udp]), named.clone()),
            json!([{"containerPort": 53, "protocol": "UDP", "name": "dns"}]),
            "the only one there is"
        );
        assert_eq!(
            patched(json!([udp, tcp]), named),
            json!([udp, {"containerPort": 53, "name": "dns"}])
        );
        let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}});
        let after = merged(
            service(json!([{"port": 80, "targetPort": 1}])),
            service(json!([{"port": 80, "targetPort": 2}, {"port": 443}])),
        );
        assert_eq!(
            after.unwrap()["spec"]["ports"],
            json!([{"port": 80, "targetPort": 2}, {"port": 443}])
        );
    }

    #[test]
    fn finalizers_are_a_set() {
        let claim = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        let after = merged(
            claim(json!({"finalizers": ["a", "b"]})),
            claim(json!({"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]})),
        );
        assert_eq!(after.unwrap()["metadata"]["finalizers"], json!(["b", "c"]));
    }

    #[test]
    fn what_has_no_merge_key_is_replaced() {
        let ingress = |rules: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": rules}});
        let after = merged(
            ingress(json!([{"host": "a"}, {"host": "b"}])),
            ingress(json!([{"host": "c"}])),
        );
        assert_eq!(after.unwrap(), ingress(json!([{"host": "c"}])));
        let budget = |labels: Value| json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"selector": {"matchLabels": labels}}});
        let after = merged(budget(json!({"a": "1"})), budget(json!({"b": "2"})));
        assert_eq!(after.unwrap(), budget(json!({"b": "2"})));
    }

    #[test]
    fn what_does_not_go_is_said() {
        let coupon = json!({"apiVersion": "shop.example.com/v1", "kind": "Coupon", "spec": {}});
        let wrong = |patch: Value| {
            merged(
                deployment(json!({"containers": [], "nodeName": "a"})),
                deployment(patch),
            )
            .unwrap_err()
        };
        insta::assert_snapshot!(
            [
                merged(coupon.clone(), coupon).unwrap_err(),
                wrong(json!({"containers": [{"image": "x"}]})),
                wrong(json!({"containers": ["x"]})),
                wrong(json!({"containers": {}})),
                wrong(json!({"nodeName": {}})),
                wrong(json!({"$setElementOrder/containers": []})),
                wrong(json!({"tolerations": [{"$patch": "delete", "key": "a"}]})),
                wrong(json!({"nodeSelector": {"$patch": "remove"}})),
                wrong(json!({"$retainKeys": "containers"})),
            ]
            .join("\n"),
            @"
        Coupon of shop.example.com is a custom kind, whose lists have no merge keys: write `merge` or `patch`
        an entry of /spec/template/spec/containers lacks `name`, by which entries are merged
        an entry of /spec/template/spec/containers is not a map
        /spec/template/spec/containers is not a map
        /spec/template/spec/nodeName is not a map
        `$setElementOrder/containers` at /spec/template/spec is not a directive that is known
        /spec/template/spec/tolerations has no merge key and is replaced as a whole: write it without `$patch`
        `$patch` at /spec/template/spec/nodeSelector is replace, delete or merge
        `$retainKeys` at /spec/template/spec is a list
        "
        );
    }
}
