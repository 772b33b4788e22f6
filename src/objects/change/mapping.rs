//! Names that mean something else at the target: namespaces, storage classes, registries, hosts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use super::{hosts, registry};
use crate::objects::pattern::is_subdomain;
use crate::objects::{glob, is_glob};

/// Everything that a restore changes on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// First.
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub map: Mapping,
    /// Then, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Name in the backup → name at the target, once: what became `b` is not looked up again. Names that are
/// not in it stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// Namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, String>,
    /// Storage classes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage_classes: BTreeMap<String, String>,
    /// Registries, perhaps with the beginning of a path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registries: BTreeMap<String, String>,
    /// Host names; `*.` in front stands for all that end so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
}

impl Changes {
    /// Whether objects stay as they are.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty() && self.rules.is_empty()
    }

    /// A fragment for people: `4 names mapped, 2 rules`; empty where nothing is changed.
    pub fn words(&self) -> String {
        let counted = |count: usize, noun: &str, rest: &str| match count {
            0 => None,
            1 => Some(format!("1 {noun}{rest}")),
            count => Some(format!("{count} {noun}s{rest}")),
        };
        let parts = [
            counted(self.map.len(), "name", " mapped"),
            counted(self.rules.len(), "rule", ""),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Mapping {
    /// Whether all names stay.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        [
            &self.namespaces,
            &self.storage_classes,
            &self.registries,
            &self.hosts,
        ]
        .into_iter()
        .map(BTreeMap::len)
        .sum()
    }

    /// The namespace at the target for one of the backup.
    pub fn namespace<'a>(&'a self, name: &'a str) -> &'a str {
        self.namespaces.get(name).map_or(name, String::as_str)
    }

    /// What is wrong with it, as a lowercase fragment. `restored` are the namespaces that are restored, or
    /// patterns: what these stand for is known when the backup is.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self, restored: &[String]) -> Result<(), String> {
        self.check_namespaces(restored)?;
        for name in self.storage_classes.iter().flat_map(|(from, to)| [from, to]) {
            if !is_subdomain(name) {
                return Err(format!("`{name}` cannot be the name of a storage class"));
            }
        }
        for name in self.registries.iter().flat_map(|(from, to)| [from, to]) {
            registry::check(name)?;
        }
        self.hosts
            .iter()
            .try_for_each(|(from, to)| hosts::check(from, to))
    }

    /// A mistyped name would be restored over the one that was to be spared; two namespaces in one
    /// would overwrite each other.
    fn check_namespaces(&self, restored: &[String]) -> Result<(), String> {
        let is_restored = |name: &String| restored.iter().any(|one| glob(one, name));
        if let Some(unknown) = self.namespaces.keys().find(|name| !is_restored(name)) {
            return Err(format!(
                "`map` names the namespace `{unknown}`, which this step does not restore"
            ));
        }
        let mut taken = BTreeSet::new();
        let named = restored.iter().filter(|name| !is_glob(name));
        let all: BTreeSet<&String> = named.chain(self.namespaces.keys()).collect();
        for target in all.into_iter().map(|name| self.namespace(name)) {
            if !taken.insert(target) {
                return Err(format!("two namespaces would become `{target}`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(map: Value, restored: &[&str]) -> Result<(), String> {
        let map: Mapping = serde_json::from_value(map).unwrap();
        let restored: Vec<String> = restored.iter().map(ToString::to_string).collect();
        map.check(&restored)
    }

    #[test]
    fn two_namespaces_never_become_one() {
        let map = |value: Value| json!({ "namespaces": value });
        assert_eq!(
            checked(map(json!({"shop": "shop-eu"})), &["bank", "shop"]),
            Ok(())
        );
        let swap = json!({"shop": "bank", "bank": "shop"});
        assert_eq!(checked(map(swap), &["bank", "shop"]), Ok(()));
        for both in [json!({"shop": "bank"}), json!({"shop": "eu", "bank": "eu"})] {
            let error = checked(map(both), &["bank", "shop"]).unwrap_err();
            assert!(error.starts_with("two namespaces would become"), "{error}");
        }
        assert_eq!(checked(map(json!({"shop": "eu"})), &["*"]), Ok(()));
        assert!(checked(map(json!({"shop": "eu", "bank": "eu"})), &["*"]).is_err());
        assert!(checked(map(json!({"shop": "eu"})), &["bank-*"]).is_err());
        insta::assert_snapshot!(checked(map(json!({"shpo": "x"})), &["shop"]).unwrap_err(), @"`map` names the namespace `shpo`, which this step does not restore");
    }

    #[test]
    fn names_that_cannot_be_meant_are_refused() {
        for wrong in [
            json!({"storageClasses": {"": "standard"}}),
            json!({"storageClasses": {"fast": "Not A Name"}}),
            json!({"registries": {"registry.a.example": "mirror"}}),
            json!({"hosts": {"shop.example.com": "*.example.com"}}),
        ] {
            assert!(checked(wrong.clone(), &[]).is_err(), "{wrong}");
        }
    }
}
