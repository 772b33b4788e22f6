//! A rule as data: which objects it means, and what it does to them.

use serde::{Deserialize, Serialize};

use super::fragment::Fragment;
use super::patch::Ready;
use super::when::Test;
use crate::objects::LabelSelector;

/// One patch and the objects that it is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// What people are told of it: `change 2`, `rule 1 of modifiers.yaml`.
    pub name: String,
    /// Which objects.
    pub when: When,
    /// What to do.
    pub patch: Patch,
}

/// Conditions, all of which must hold. An empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// Kinds, as `plural.group`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// A `groupResource` as Velero has it, with its wildcards. With it, `namespaces` says nothing about
    /// objects that are in none: so does Velero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_resource: Option<String>,
    /// Namespaces in the backup, by name or with `*`; a `Namespace` itself is in the one that it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Names, or patterns with `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// A regular expression that finds something in the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_regex: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSelector>,
    /// Values at places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
}

/// A place and what must be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Match {
    /// A JSON pointer: `/spec/type`.
    pub path: String,
    /// The very value; `null`: nothing is there.
    pub value: Fragment,
}

/// What to do to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Patch {
    /// Operations of JSON Patch (RFC 6902), all of them or none.
    Json(Vec<Fragment>),
    /// Merge patches (RFC 7386), one after the other.
    Merge(Vec<Fragment>),
    /// Strategic merge patches, one after the other: lists of built-in kinds are merged entry by entry.
    Strategic(Vec<Fragment>),
}

impl Rule {
    /// What is wrong with it, as a lowercase fragment.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), String> {
        Test::of(&self.when)?;
        Ready::of(&self.patch).map(|_| ())
    }
}
