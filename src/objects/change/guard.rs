//! What no patch may do: make another object of it, or write what the server keeps.

use serde_json::Value;

/// What an object is known by.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

/// What only a server writes. A restore has taken it off.
const SERVERS: [&str; 10] = [
    "/status",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/generateName",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/deletionGracePeriodSeconds",
    "/metadata/managedFields",
    "/metadata/selfLink",
];

/// Compares an object with what it was before a patch.
///
/// # Errors
///
/// What the patch must not do, as a lowercase fragment.
pub(super) fn guard(before: &Value, after: &Value) -> Result<(), String> {
    if let Some(place) = IDENTITY
        .iter()
        .find(|place| before.pointer(place) != after.pointer(place))
    {
        let hint = if *place == "/metadata/namespace" {
            ": `map` moves namespaces"
        } else {
            ""
        };
        return Err(format!(
            "it would change {place}, and so what the object is{hint}"
        ));
    }
    match SERVERS.iter().find(|place| after.pointer(place).is_some()) {
        Some(place) => Err(format!("it would write {place}, which only a server does")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn identity_and_what_the_server_writes_stay() {
        let before =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}});
        let with = |patch: Value| {
            let mut after = before.clone();
            json_patch::merge(&mut after, &patch);
            guard(&before, &after)
        };
        assert_eq!(
            with(json!({"metadata": {"labels": {"a": "b"}}, "data": {}})),
            Ok(())
        );
        for wrong in [
            json!({"kind": "Secret"}),
            json!({"apiVersion": "v2"}),
            json!({"metadata": {"name": "b"}}),
            json!({"metadata": {"namespace": null}}),
            json!({"metadata": null}),
            json!({"metadata": {"uid": "u"}}),
            json!({"status": {}}),
            json!([]),
        ] {
            assert!(with(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
