//! Hooks that Velero would run around its backup of a pod: annotations that lifeboat does not follow.
//!
//! ## Why they are looked for and not run
//!
//! A hook is a command for a container, written by whoever may write the pod and run with the rights of
//! whoever makes the backup. What is run is for the runbook to say. But who comes from Velero relies on
//! them, perhaps for a database to be quiesced, and has to be told that they are not run.

use serde_json::Value;

use super::json::{group_kind, text};

/// What the names of such annotations begin with: `pre.hook.backup.velero.io/command`.
const PREFIXES: [&str; 2] = ["pre.hook.backup.velero.io/", "post.hook.backup.velero.io/"];

/// The namespace of a pod that has such a hook.
pub fn names_veleros_hook(object: &Value) -> Option<&str> {
    let annotations = object.pointer("/metadata/annotations")?.as_object()?;
    let hook = |name: &String| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let has = group_kind(object) == ("", "Pod") && annotations.keys().any(hook);
    text(object, "/metadata/namespace").filter(|_| has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_pods_with_annotations_of_velero_around_a_backup_have_hooks() {
        let of = |kind: &str, annotation: &str| {
            json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": "db-0", "namespace": "shop", "annotations": {annotation: "x"}}})
        };
        for hook in [
            "pre.hook.backup.velero.io/command",
            "post.hook.backup.velero.io/container",
        ] {
            assert_eq!(names_veleros_hook(&of("Pod", hook)), Some("shop"));
            assert_eq!(names_veleros_hook(&of("ConfigMap", hook)), None);
        }
        assert_eq!(
            names_veleros_hook(&of("Pod", "backup.velero.io/backup-volumes")),
            None
        );
        assert_eq!(
            names_veleros_hook(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})),
            None
        );
    }
}
