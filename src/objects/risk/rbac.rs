//! Rights: what a role gives beyond an application's own, and who gets it.
//!
//! ## Why
//!
//! - Every cluster-wide role and binding counts, also a narrow one: it reaches what was not restored.
//! - A Role counts if it is a wildcard over Kubernetes' own kinds, or a step to more rights: `escalate`,
//!   `bind`, `impersonate`, tokens of accounts. Reading Secrets of its own namespace does not: an
//!   application that has its Role there has its Secrets there too.
//! - A wildcard over a custom API alone does not count: that is how operators own their kinds.

use serde_json::Value;

use super::{Danger, Risk};
use crate::objects::json::{kind, list, text};

/// Group of the kinds that give rights.
const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn of(object: &Value) -> Option<Danger> {
    match kind(object) {
        "ClusterRole" => Some((Risk::ClusterRbac, cluster_role(object))),
        "ClusterRoleBinding" => Some((Risk::ClusterRbac, "it gives rights in the whole cluster".into())),
        "Role" => {
            let why = list(object, "/rules").find_map(wide)?;
            Some((Risk::WideRoles, why))
        }
        "RoleBinding" => {
            let all = text(object, "/roleRef/kind") == Some("ClusterRole")
                && text(object, "/roleRef/name") == Some("cluster-admin");
            all.then(|| (Risk::WideRoles, "it gives every right in its namespace".into()))
        }
        _ => None,
    }
}

fn cluster_role(role: &Value) -> String {
    let labels = role.pointer("/metadata/labels").and_then(Value::as_object);
    let prefix = format!("{RBAC}/aggregate-to-");
    let mut keys = labels.into_iter().flatten().map(|(key, _)| key);
    let Some(to) = keys.find_map(|key| key.strip_prefix(&prefix)) else {
        return "its rights are for the whole cluster".into();
    };
    format!("its rights are added to the role {to} of the whole cluster")
}

/// Why a rule gives more than an application needs in its own namespace; `None`: it does not.
fn wide(rule: &Value) -> Option<String> {
    let texts = |pointer: &str| -> Vec<&str> { list(rule, pointer).filter_map(Value::as_str).collect() };
    let (groups, resources, verbs) = (texts("/apiGroups"), texts("/resources"), texts("/verbs"));
    let step = |verb: &&&str| matches!(**verb, "escalate" | "bind" | "impersonate");
    if let Some(verb) = verbs.iter().find(step) {
        return Some(format!("it gives `{verb}`, a step to any other right"));
    }
    if !groups.is_empty() && groups.iter().all(|group| is_custom(group)) {
        return None;
    }
    let wildcard = [
        ("apiGroups", &groups),
        ("resources", &resources),
        ("verbs", &verbs),
    ];
    if let Some((what, _)) = wildcard
        .iter()
        .find(|(_, all)| all.iter().any(|one| one.starts_with('*')))
    {
        return Some(format!("it gives `*` as {what}"));
    }
    let mints = resources.contains(&"serviceaccounts/token") && verbs.contains(&"create");
    mints.then(|| "it may make tokens of the accounts of its namespace".into())
}

/// A group that does not belong to Kubernetes.
fn is_custom(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// Somebody who gets rights in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Accounts of this namespace, or one of them.
    Of(String),
    /// Somebody whom no namespace holds, in words.
    Other(String),
}

/// Who gets rights by a RoleBinding; of other objects: nobody. (A `ClusterRoleBinding` is a risk whoever
/// gets the rights.)
pub fn subjects(object: &Value) -> Vec<Subject> {
    if super::group_kind(object) != (RBAC, "RoleBinding") {
        return Vec::new();
    }
    list(object, "/subjects").map(subject).collect()
}

fn subject(subject: &Value) -> Subject {
    let called = text(subject, "/name").unwrap_or_default();
    let namespace = match kind(subject) {
        "ServiceAccount" => text(subject, "/namespace"),
        "Group" => called.strip_prefix("system:serviceaccounts:"),
        "User" => called
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'))
            .map(|(namespace, _)| namespace),
        _ => None,
    };
    match namespace.filter(|name| !name.is_empty()) {
        Some(namespace) => Subject::Of(namespace.to_owned()),
        None => Subject::Other(format!("{} {called}", kind(subject))),
    }
}
