//! The walls of a drill: made first, removed last, always.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Query, Sandbox, Symbol};

/// Creates the drill's namespaces (which must not exist), each with a NetworkPolicy that lets its
/// pods talk to each other and to DNS and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenSandbox {
    /// The walls.
    pub sandbox: Sandbox,
}

/// Lists what is in the drill's namespaces, deletes them by uid, and waits until they are gone;
/// removes the drill's own prefixes from stores. Refuses a namespace that this run did not make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloseSandbox {
    /// The walls.
    pub sandbox: Sandbox,
    /// Stores in which the drill wrote under its own prefix.
    pub stores: Vec<String>,
}

impl Meaning for OpenSandbox {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        Some(&self.sandbox.site)
    }

    fn line(&self) -> Line {
        let names: Vec<_> = self.sandbox.namespaces.values().map(String::as_str).collect();
        Line::new(
            Symbol::Create,
            &self.sandbox.site,
            "sandbox",
            format!("{}, default-deny egress", names.join(", ")),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        let own = |resource: &str, group: &str, namespace: Option<&str>, verb: &str| Permission {
            site: self.sandbox.site.clone(),
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.map(str::to_owned),
            verb: verb.into(),
        };
        ["get", "create"]
            .into_iter()
            .flat_map(|verb| {
                let policies = self.sandbox.namespaces.values();
                let policies =
                    policies.map(move |ns| own("networkpolicies", "networking.k8s.io", Some(ns), verb));
                std::iter::once(own("namespaces", "", None, verb)).chain(policies)
            })
            .collect()
    }

    fn preview(&self) -> Option<Query> {
        let names = self.sandbox.namespaces.values().cloned().collect();
        Some(Query::Namespaces {
            site: self.sandbox.site.clone(),
            names,
        })
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        Confinement::Untouched
    }
}

impl Meaning for CloseSandbox {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        Some(&self.sandbox.site)
    }

    fn line(&self) -> Line {
        let names: Vec<_> = self.sandbox.namespaces.values().map(String::as_str).collect();
        Line::new(
            Symbol::Delete,
            &self.sandbox.site,
            "tear down",
            format!("{} and everything in it", names.join(", ")),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        let mut all = Permission::everything(&self.sandbox.site, &["list"]);
        all.extend(["get", "delete"].map(|verb| Permission {
            site: self.sandbox.site.clone(),
            group: String::new(),
            resource: "namespaces".into(),
            namespace: None,
            verb: verb.into(),
        }));
        all
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        Confinement::Untouched
    }
}
