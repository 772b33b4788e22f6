//! How a step says what it means of a site or of a backup: the parameters behind
//! [`Selection`](crate::effect::Selection), which `backup` and `restore` share. Shapes are checked here,
//! without a site.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::effect::{Allowance, ClusterScoped};
use crate::objects::{
    LabelOperator, LabelRequirement, LabelSelector, Risk, is_namespace_pattern, is_resource,
};

/// The name of a namespace, or a pattern: `shop-*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct NamespacePattern(pub(super) String);

impl TryFrom<String> for NamespacePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_namespace_pattern(&text) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a namespace: write a name, with `*` for any letters, such as shop-*"
            ))
        }
    }
}

/// A kind as `plural.group`, such as `secrets` or `coupons.shop.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct KindName(pub(super) String);

impl TryFrom<String> for KindName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_resource(&text) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is not a kind as plural.group: write it like secrets or deployments.apps"
            ))
        }
    }
}

/// A label selector as Kubernetes has it; all of its conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Labels {
    /// Labels that must have these values.
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    /// Further conditions.
    #[serde(default)]
    match_expressions: Vec<Expression>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Expression {
    /// The label.
    key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    operator: Operator,
    /// For `In` and `NotIn`.
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Which objects outside of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cluster {
    #[default]
    Related,
    All,
    None,
}

impl Cluster {
    pub(super) const fn meant(self) -> ClusterScoped {
        match self {
            Self::Related => ClusterScoped::Related,
            Self::All => ClusterScoped::All,
            Self::None => ClusterScoped::None,
        }
    }
}

/// Risks that a step takes, for objects that it names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    /// Which risk.
    risk: RiskName,
    /// Objects as they are named in the backup, as `Kind/name` (`ClusterRole/shop-admin`) or
    /// `Kind/namespace/name` (`DaemonSet/shop/agent`); `*` stands for any letters.
    #[schemars(length(min = 1))]
    objects: Vec<AllowedName>,
    /// Why, in words that a person who reads the plan can judge.
    because: Reason,
}

/// A risk that an object of a backup may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RiskName {
    /// Rights in the whole cluster: a `ClusterRole`, a `ClusterRoleBinding`.
    ClusterRbac,
    /// A Role with `*`, or with a step to more rights (`escalate`, `bind`, `impersonate`, tokens of accounts);
    /// a RoleBinding to `cluster-admin`.
    WideRoles,
    /// A RoleBinding for users, groups, or accounts of namespaces that are not restored.
    OutsideSubjects,
    /// Admission webhooks and policies: they see, refuse or rewrite what others do.
    Admission,
    /// An `APIService`: a service answers for a part of the API.
    ApiServices,
    /// A definition of a custom kind with a conversion webhook.
    Conversion,
    /// Pods that reach their node: privileged, host network, process or IPC namespace, `hostPath`, added
    /// capabilities beyond Pod Security `baseline`.
    NodeAccess,
    /// A Secret into which the cluster writes a lasting token of an account.
    Tokens,
    /// A namespace whose Pod Security label allows more than the one that is there.
    PodSecurity,
}

impl RiskName {
    const fn meant(self) -> Risk {
        match self {
            Self::ClusterRbac => Risk::ClusterRbac,
            Self::WideRoles => Risk::WideRoles,
            Self::OutsideSubjects => Risk::OutsideSubjects,
            Self::Admission => Risk::Admission,
            Self::ApiServices => Risk::ApiServices,
            Self::Conversion => Risk::Conversion,
            Self::NodeAccess => Risk::NodeAccess,
            Self::Tokens => Risk::Tokens,
            Self::PodSecurity => Risk::PodSecurity,
        }
    }
}

/// An object as `Kind/name` or `Kind/namespace/name`, with `*` for any letters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct AllowedName(pub(super) String);

impl TryFrom<String> for AllowedName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split('/').filter(|part| !part.is_empty()).count();
        let slashes = text.matches('/').count();
        // A kind begins with a capital letter: `clusterrole/x` would be about nothing.
        let kind = text.starts_with(|first: char| first == '*' || first.is_ascii_uppercase());
        if text == "*" || kind && (1..=2).contains(&slashes) && parts == slashes + 1 {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` names no object: write it like ClusterRole/shop-admin or Role/shop/web, with `*` for any letters"
            ))
        }
    }
}

/// A reason that says something.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Reason(String);

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim().is_empty() {
            Err("a risk is not taken without a reason".into())
        } else {
            Ok(Self(text.trim().to_owned()))
        }
    }
}

/// What is allowed, as the effect has it. Two allowances of one risk stay two: each has its reason.
pub(super) fn allowances(allow: &[Allow]) -> Vec<Allowance> {
    sorted(allow.iter().map(|one| Allowance {
        risk: one.risk.meant(),
        objects: sorted(one.objects.iter().map(|name| name.0.clone())),
        because: one.because.0.clone(),
    }))
}

/// The first mistake in these selectors.
pub(super) fn check_labels(labels: &[Labels]) -> Result<(), String> {
    selectors(labels).iter().try_for_each(LabelSelector::check)
}

/// Sorted and without repetitions, so that equal selections are equal values.
pub(super) fn selectors(labels: &[Labels]) -> Vec<LabelSelector> {
    sorted(labels.iter().map(|one| LabelSelector {
        match_labels: one.match_labels.clone(),
        match_expressions: sorted(one.match_expressions.iter().map(requirement)),
    }))
}

fn requirement(expression: &Expression) -> LabelRequirement {
    LabelRequirement {
        key: expression.key.clone(),
        operator: match expression.operator {
            Operator::In => LabelOperator::In,
            Operator::NotIn => LabelOperator::NotIn,
            Operator::Exists => LabelOperator::Exists,
            Operator::DoesNotExist => LabelOperator::DoesNotExist,
        },
        values: sorted(expression.values.iter().cloned()),
    }
}

/// Kinds by name.
pub(super) fn kinds(names: &[KindName]) -> Vec<String> {
    sorted(names.iter().map(|name| name.0.clone()))
}

/// Sorted and without repetitions.
pub(super) fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort();
    all.dedup();
    all
}
