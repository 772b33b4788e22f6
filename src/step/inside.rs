//! Programs that run in a container that is there: what `exec` and `sql` have in common.

use crate::objects::{ObjectId, builtin};
use crate::text::shell_word;

/// Kinds that a program can be run in: a pod, and what finds its pods by a selector.
const RUNNING: [&str; 5] = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];

/// Refuses kinds in which no program runs; `what` is the word for it.
pub(super) fn check(id: &ObjectId, what: &str) -> Result<(), String> {
    if builtin(&id.kind).is_some() && RUNNING.contains(&id.kind.as_str()) {
        return Ok(());
    }
    Err(format!(
        "no {what} runs in a {}; name a pod, or a workload that has pods: {}",
        id.kind,
        RUNNING.join(", ")
    ))
}

/// `kubectl … exec pod/db-0 -c server`: what comes before `--` and the program.
pub(super) fn exec(kubectl: &str, id: &ObjectId, container: Option<&str>) -> String {
    let container = container.map(|name| format!(" -c {}", shell_word(name)));
    format!(
        "{kubectl} exec {}/{}{}",
        id.kind.to_lowercase(),
        shell_word(&id.name),
        container.unwrap_or_default()
    )
}

/// The pod of specimens.
pub(super) fn specimen() -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "db-0".to_owned(),
    }
}
