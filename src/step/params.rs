//! Types of parameters that mean more than their text. Each has a format in its schema, by which
//! [`super::bind`] checks it (and puts the site in for a role), editors complete it and `explain` names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(#[schemars(extend("format" = $format))] pub String);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name! {
    /// A site. Written as a role (`active`), read as the name of the site that has it.
    Role, "role"
}

name! {
    /// A store of the inventory.
    StoreName, "store"
}

name! {
    /// A namespace: a DNS label.
    NamespaceName, "namespace"
}

name! {
    /// A role of a person, such as `incident-commander`.
    Person, "person"
}

/// A file, from the runbook's folder if it is relative ([`super::Scene::folder`]). Whether it is there is
/// asked by the step kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct FilePath(#[schemars(with = "String", extend("format" = "path"))] pub PathBuf);

impl FilePath {
    /// Where it is.
    pub fn from(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }
}

/// Labels that an object must have, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct LabelSelector(pub BTreeMap<String, String>);
