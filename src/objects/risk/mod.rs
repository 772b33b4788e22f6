//! Which objects of a backup would give somebody power that a restore must not hand out unasked.
//!
//! ## Why
//!
//! - Whoever may write to a bucket must not become ruler of a cluster by a restore: what gives power is
//!   named in the runbook, or refused.
//! - A closed list of risks, because each needs a sentence that a person can weigh, and a judgement with a
//!   test. What an ordinary application has (a Role that reads its own ConfigMaps, for its own account)
//!   is none of them: whoever has to allow everything reads nothing.
//! - By what an object says, not by what the writer would be able to do: the API server's own check of
//!   rights (no `escalate`, no `bind`) is a second wall and not this one.
//! - Not judged: what a custom resource makes its controller do (a `ClusterPolicy`, an `Application`), and
//!   what a ClusterRole that is at the target already gives to a RoleBinding that names it.

mod pods;
mod rbac;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{group_kind, label, text};
pub use rbac::{Subject, subjects};

/// A way in which an object gives power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Rights in the whole cluster.
    ClusterRbac,
    /// Rights in a namespace that are more than an application's own.
    WideRoles,
    /// Rights for somebody outside of the restored namespaces.
    OutsideSubjects,
    /// A say in every change of the cluster.
    Admission,
    /// Answering for the API server.
    ApiServices,
    /// Rewriting every object of a custom kind.
    Conversion,
    /// Pods that reach their node.
    NodeAccess,
    /// Credentials that the cluster issues.
    Tokens,
    /// A namespace that allows more than the one that is there.
    PodSecurity,
}

impl Risk {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ClusterRbac,
        Self::WideRoles,
        Self::OutsideSubjects,
        Self::Admission,
        Self::ApiServices,
        Self::Conversion,
        Self::NodeAccess,
        Self::Tokens,
        Self::PodSecurity,
    ];

    /// The word in a runbook.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ClusterRbac => "cluster-rbac",
            Self::WideRoles => "wide-roles",
            Self::OutsideSubjects => "outside-subjects",
            Self::Admission => "admission",
            Self::ApiServices => "api-services",
            Self::Conversion => "conversion",
            Self::NodeAccess => "node-access",
            Self::Tokens => "tokens",
            Self::PodSecurity => "pod-security",
        }
    }

    /// The risk of a word in a runbook.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|risk| risk.word() == word)
    }
}

/// One risk of one object, and a fragment that says why: `it gives …`.
pub type Danger = (Risk, String);

/// The risks of an object as it would be made, apart from its subjects ([`subjects`]), of which only the
/// restore knows who is outside. `live` is what is there under its name.
pub fn risks(object: &Value, live: Option<&Value>) -> Vec<Danger> {
    let found = match group_kind(object) {
        ("rbac.authorization.k8s.io", _) => rbac::of(object),
        ("admissionregistration.k8s.io", _) => Some((Risk::Admission, admission(object))),
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => conversion(object),
        ("", "Secret") => token(object),
        ("", "Namespace") => pod_security(object, live),
        _ => None,
    };
    found.into_iter().chain(pods::of(object)).collect()
}

fn admission(object: &Value) -> String {
    match group_kind(object).1 {
        "ValidatingWebhookConfiguration" => "it may refuse every change that it names, and reads it".into(),
        "MutatingWebhookConfiguration" => "it may rewrite every object that it names".into(),
        _ => "it decides which changes the cluster accepts".into(),
    }
}

fn api_service(object: &Value) -> Option<Danger> {
    let service = text(object, "/spec/service/name")?;
    let why = format!("service {service} would answer for a part of the API");
    Some((Risk::ApiServices, why))
}

fn conversion(object: &Value) -> Option<Danger> {
    let webhook = text(object, "/spec/conversion/strategy") == Some("Webhook");
    webhook.then(|| {
        let why = "its conversion webhook reads and rewrites every object of its kind";
        (Risk::Conversion, why.into())
    })
}

fn token(object: &Value) -> Option<Danger> {
    let why = match text(object, "/type")? {
        "kubernetes.io/service-account-token" => {
            "the cluster would write a lasting token of an account into it"
        }
        "bootstrap.kubernetes.io/token" => "it lets machines join the cluster",
        _ => return None,
    };
    Some((Risk::Tokens, why.into()))
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// How much a level of Pod Security forbids. A word that no server knows forbids nothing.
fn strictness(level: Option<&str>) -> u8 {
    match level {
        Some("restricted") => 2,
        Some("baseline") => 1,
        _ => 0,
    }
}

/// A label that is missing weakens nothing: an apply leaves what is there, and a new namespace gets the
/// cluster's default, which is not known here.
fn pod_security(namespace: &Value, live: Option<&Value>) -> Option<Danger> {
    let level = label(namespace, ENFORCE)?;
    let there = live.and_then(|live| label(live, ENFORCE));
    let why = match there {
        Some(there) if strictness(Some(level)) < strictness(Some(there)) => {
            format!("Pod Security {there}, which is there, would become {level}")
        }
        None if strictness(Some(level)) == 0 => {
            format!("Pod Security {level} may be less than the cluster's default")
        }
        _ => return None,
    };
    Some((Risk::PodSecurity, why))
}

#[cfg(test)]
mod tests;
