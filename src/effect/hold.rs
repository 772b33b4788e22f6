//! Hold the namespaces of a site stopped, and let them go again.
//!
//! ## Why
//!
//! Not called a fence here: that is what refuses older epochs. A step of the kind `fence` is made of a hold.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::{ApiKind, hold_kinds};

/// Stops everything that runs in some namespaces and has the API server refuse every new pod there, whoever asks
/// for it. Done when both were seen: no pod runs, and a new one is refused by the hold's own policy. The receipt's
/// output [`super::Receipt::PROOF`] says so; there is no receipt without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldNamespaces {
    /// The site.
    pub site: String,
    /// Which namespaces.
    pub namespaces: Vec<String>,
}

/// Takes the hold off some namespaces. The policy stays, and means nothing to a namespace without the label. One that
/// is not there is not held. That it was held stays written on the namespace, for [`super::WakeControllers`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseNamespaces {
    /// The site.
    pub site: String,
    /// Which namespaces.
    pub namespaces: Vec<String>,
}

impl Meaning for HoldNamespaces {
    fn class(&self) -> Class {
        Class::Converge
    }

    /// A pod that no controller makes again is gone for good.
    fn destructive(&self) -> bool {
        true
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = format!("{}: stop every pod, refuse new ones", self.namespaces.join(", "));
        Line::new(Symbol::Destructive, &self.site, "hold", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let policies = hold_kinds();
        let policies = policies
            .iter()
            .flat_map(|kind| wide(&self.site, kind, &["get", "create", "patch"]));
        let pods = inside(
            &self.site,
            &self.namespaces,
            "",
            "pods",
            &["list", "create", "delete"],
        );
        policies.chain(labels(&self.site)).chain(pods).collect()
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        outside(&self.site, sandbox)
    }
}

impl Meaning for ReleaseNamespaces {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = format!("{}: take new pods again", self.namespaces.join(", "));
        Line::new(Symbol::Change, &self.site, "let go", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let pods = inside(&self.site, &self.namespaces, "", "pods", &["create"]);
        labels(&self.site).chain(pods).collect()
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        outside(&self.site, sandbox)
    }
}

/// Stopping or starting production is never part of a drill, and its own namespaces are made for it.
pub(super) fn outside(site: &str, sandbox: &Sandbox) -> Confinement {
    if site == sandbox.site {
        return Confinement::Skipped("a drill has namespaces of its own, which nothing holds".into());
    }
    sandbox.elsewhere(site)
}

fn wide(site: &str, kind: &ApiKind, verbs: &[&str]) -> Vec<Permission> {
    let right = |verb: &&str| Permission {
        site: site.to_owned(),
        group: kind.group.clone(),
        resource: kind.plural.clone(),
        namespace: None,
        verb: (*verb).to_owned(),
    };
    verbs.iter().map(right).collect()
}

/// The label is on the namespace, which is in no namespace itself.
pub(super) fn labels(site: &str) -> impl Iterator<Item = Permission> {
    let right = |verb: &str| Permission {
        site: site.to_owned(),
        group: String::new(),
        resource: "namespaces".to_owned(),
        namespace: None,
        verb: verb.to_owned(),
    };
    ["get", "patch"].map(right).into_iter()
}

/// These verbs on a kind in each of the namespaces. A trial is a creation that is only asked about, and takes the same
/// right.
pub(super) fn inside(
    site: &str,
    namespaces: &[String],
    group: &str,
    resource: &str,
    verbs: &[&str],
) -> Vec<Permission> {
    let rights = namespaces.iter().flat_map(|namespace| {
        verbs.iter().map(move |verb| Permission {
            site: site.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: Some(namespace.clone()),
            verb: (*verb).to_owned(),
        })
    });
    rights.collect()
}
