//! How a step says what it means of a site or of a backup: the parameters behind
//! [`Selection`](crate::effect::Selection), which `backup` and `restore` share. Shapes are checked here,
//! without a site.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::effect::ClusterScoped;
use crate::objects::{LabelOperator, LabelRequirement, LabelSelector, is_namespace_pattern, is_resource};

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
