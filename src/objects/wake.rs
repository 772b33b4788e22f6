//! Which workloads lack pods, and the mark by which their controllers are had to look. Pure.
//!
//! ## Why
//!
//! - **A change of the workload, not of its size or template**: the controllers of Kubernetes put an object that has
//!   changed into their queue at once, however long it would still have waited there after a failure. That an
//!   annotation is enough was seen of each of the four (Kubernetes 1.37), after five and a half minutes in which their
//!   pods were refused: the first pod came within a tenth of a second, that of the Job within 1.2 s. Jobs wait for a
//!   minute at most, the others for 1,000 s.
//! - **On the workload and not on its template**, so that nothing is rolled out anew; and not on a Deployment, which
//!   makes no pods itself.
//! - **Pods are counted, not believed**: a status may be older than the hold.

use serde_json::Value;

use super::json::{group_kind, list, text};
use super::{ApiKind, builtin, replicas};

/// On a workload that was woken: the run that did, and when. For people; a new value is what wakes.
pub const WOKEN: &str = "lifeboat.dev/woken-by";

/// Kinds whose controllers make pods and can be woken, as Kubernetes has them.
const KINDS: [&str; 4] = ["ReplicaSet", "StatefulSet", "DaemonSet", "Job"];

/// The kinds of workloads whose controllers make pods.
pub fn wakeable() -> Vec<ApiKind> {
    KINDS.iter().filter_map(|name| builtin(name)).collect()
}

/// How many pods a controller means to have now of one of these kinds.
pub fn pods_wanted(workload: &Value) -> u64 {
    if workload.pointer("/metadata/deletionTimestamp").is_some() {
        return 0;
    }
    let said = |pointer: &str| workload.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    match group_kind(workload) {
        // Its controller counts the nodes that fit.
        ("apps", "DaemonSet") => said("/status/desiredNumberScheduled"),
        ("batch", "Job") if job_has_ended(workload) => 0,
        ("batch", "Job") => {
            let left = workload
                .pointer("/spec/completions")
                .and_then(Value::as_u64)
                .map_or(u64::MAX, |all| all.saturating_sub(said("/status/succeeded")));
            replicas(workload).min(left)
        }
        _ => replicas(workload),
    }
}

fn job_has_ended(job: &Value) -> bool {
    list(job, "/status/conditions").any(|one| {
        matches!(
            text(one, "/type"),
            Some("Complete" | "Failed" | "SuccessCriteriaMet" | "FailureTarget")
        ) && text(one, "/status") == Some("True")
    })
}

/// How many of these pods a workload controls that run or will run.
pub fn pods_had(workload: &Value, pods: &[Value]) -> u64 {
    let Some(uid) = text(workload, "/metadata/uid") else {
        return 0;
    };
    let ours = |pod: &&Value| {
        list(pod, "/metadata/ownerReferences").any(|owner| {
            text(owner, "/uid") == Some(uid) && owner.get("controller") == Some(&Value::Bool(true))
        })
    };
    let lives = |pod: &&Value| {
        pod.pointer("/metadata/deletionTimestamp").is_none()
            && !matches!(text(pod, "/status/phase"), Some("Succeeded" | "Failed"))
    };
    pods.iter().filter(ours).filter(lives).count() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload(api_version: &str, kind: &str, rest: &Value) -> Value {
        let mut object =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "w", "uid": "u-1"}});
        for (name, value) in rest.as_object().unwrap() {
            object[name] = value.clone();
        }
        object
    }

    #[test]
    fn a_workload_wants_what_its_controller_would_make_now() {
        let wanted = |version: &str, kind: &str, rest: Value| pods_wanted(&workload(version, kind, &rest));
        assert_eq!(
            wanted("apps/v1", "ReplicaSet", json!({"spec": {"replicas": 3}})),
            3
        );
        assert_eq!(wanted("apps/v1", "StatefulSet", json!({"spec": {}})), 1);
        assert_eq!(
            wanted(
                "apps/v1",
                "DaemonSet",
                json!({"status": {"desiredNumberScheduled": 4}})
            ),
            4
        );
        assert_eq!(
            wanted("apps/v1", "DaemonSet", json!({})),
            0,
            "nobody knows on how many nodes"
        );
        let job =
            |spec: Value, status: Value| wanted("batch/v1", "Job", json!({"spec": spec, "status": status}));
        assert_eq!(
            job(
                json!({"parallelism": 3, "completions": 4}),
                json!({"succeeded": 2})
            ),
            2
        );
        assert_eq!(job(json!({"suspend": true}), json!({})), 0);
        for end in ["Complete", "Failed"] {
            assert_eq!(
                job(
                    json!({}),
                    json!({"conditions": [{"type": end, "status": "True"}]})
                ),
                0
            );
        }
        let mut going = workload("apps/v1", "ReplicaSet", &json!({"spec": {"replicas": 3}}));
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        assert_eq!(pods_wanted(&going), 0);
    }

    #[test]
    fn only_pods_that_it_controls_and_that_go_on_count() {
        let pod = |uid: &str, controller: bool, phase: &str| json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": controller}]}, "status": {"phase": phase}});
        let mut going = pod("u-1", true, "Running");
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        let pods = [
            pod("u-1", true, "Running"),
            pod("u-1", true, "Pending"),
            pod("u-1", true, "Failed"),
            pod("u-1", false, "Running"),
            pod("u-2", true, "Running"),
            going,
        ];
        assert_eq!(pods_had(&workload("apps/v1", "ReplicaSet", &json!({})), &pods), 2);
        assert_eq!(wakeable().len(), KINDS.len());
    }
}
