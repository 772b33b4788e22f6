//! The path of an object inside an archive.
//!
//! `resources/<plural.group>/{cluster|namespaces/<ns>}/<name>.json`, and the same once more under
//! `resources/<plural.group>/<version>-preferredversion/`. Velero can add other served versions
//! under `<version>/`.

use std::fmt;

use super::limits::{PATH_BYTES_MAX, PATH_DEPTH_MAX};

/// Which of an object's entries a path is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Copy {
    /// Without version: the one that Velero restores.
    Plain,
    /// Under `<version>-preferredversion/`.
    Preferred(String),
    /// Under `<version>/`: another version of the same object.
    Other(String),
}

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectPath {
    /// `deployments.apps`.
    pub(super) resource: String,
    pub(super) copy: Copy,
    /// `None`: cluster-scoped.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

const PREFERRED: &str = "-preferredversion";

impl ObjectPath {
    /// Takes a path apart; `None` where it is not the path of an object.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("resources/")?.strip_suffix(".json")?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (resource, copy, scope) = match parts.as_slice() {
            [resource, scope @ ("cluster" | "namespaces"), tail @ ..] => {
                (resource, Copy::Plain, (*scope, tail))
            }
            [resource, version, scope, tail @ ..] => (resource, Copy::of(version), (*scope, tail)),
            _ => return None,
        };
        let (namespace, name) = match scope {
            ("cluster", [name]) => (None, name),
            ("namespaces", [namespace, name]) => (Some((*namespace).to_owned()), name),
            _ => return None,
        };
        Some(Self {
            resource: (*resource).to_owned(),
            copy,
            namespace,
            name: (*name).to_owned(),
        })
    }

    /// The same object under its plain path.
    pub(super) fn plain(&self) -> Self {
        Self {
            copy: Copy::Plain,
            ..self.clone()
        }
    }

    /// The API group: what follows the plural.
    pub(super) fn group(&self) -> &str {
        self.resource.split_once('.').map_or("", |(_, group)| group)
    }
}

impl Copy {
    fn of(folder: &str) -> Self {
        match folder.strip_suffix(PREFERRED) {
            Some(version) => Self::Preferred(version.to_owned()),
            None => Self::Other(folder.to_owned()),
        }
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resources/{}/", self.resource)?;
        match &self.copy {
            Copy::Plain => {}
            Copy::Preferred(version) => write!(f, "{version}{PREFERRED}/")?,
            Copy::Other(version) => write!(f, "{version}/")?,
        }
        match &self.namespace {
            Some(namespace) => write!(f, "namespaces/{namespace}/{}.json", self.name),
            None => write!(f, "cluster/{}.json", self.name),
        }
    }
}

/// Whether a text can be one part of a path: a name of an object or a namespace.
pub(super) fn fits(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.chars().any(|c| c == '/' || c.is_control())
}

/// Why a path is not one that a backup may have; `None`: it may.
pub(super) fn unsafe_path(path: &str) -> Option<&'static str> {
    if path.len() > PATH_BYTES_MAX {
        return Some("its path is too long");
    }
    if path.starts_with('/') {
        return Some("its path is absolute");
    }
    let mut parts = path.split('/');
    if parts.clone().count() > PATH_DEPTH_MAX {
        return Some("its path is too deep");
    }
    if parts.clone().any(|part| part == "..") {
        return Some("its path leads outside");
    }
    (!parts.all(fits)).then_some("its path has an empty part or a control character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart_and_put_together_again() {
        for path in [
            "resources/pods/namespaces/web/p1.json",
            "resources/namespaces/cluster/web.json",
            "resources/namespaces/v1-preferredversion/cluster/web.json",
            "resources/deployments.apps/v1-preferredversion/namespaces/web/d.json",
            "resources/deployments.apps/v1beta1/namespaces/web/d.json",
            "resources/configmaps/namespaces/shop/kube-root-ca.crt.json",
        ] {
            assert_eq!(ObjectPath::parse(path).unwrap().to_string(), path);
        }
        let event = ObjectPath::parse("resources/events.events.k8s.io/namespaces/a/b.json").unwrap();
        assert_eq!(event.group(), "events.k8s.io");
    }

    #[test]
    fn other_files_are_not_objects() {
        for path in [
            "metadata/version",
            "resources/pods/p.json",
            "resources/pods/namespaces/p.json",
            "resources/pods/cluster/a/p.json",
            "resources/pods/v1/v2/cluster/p.json",
            "resources/pods/cluster/p.yaml",
            "other/pods/cluster/p.json",
        ] {
            assert_eq!(ObjectPath::parse(path), None, "{path}");
        }
    }

    #[test]
    fn paths_that_lead_outside_are_found() {
        for path in [
            "/etc/x",
            "resources/../x",
            "a//b",
            "a/./b",
            "a\nb",
            "a/b/c/d/e/f/g",
            "..",
        ] {
            assert!(unsafe_path(path).is_some(), "{path}");
        }
        assert_eq!(
            unsafe_path("resources/pods/v1-preferredversion/namespaces/web/..a.json"),
            None
        );
        assert!(unsafe_path(&"a".repeat(PATH_BYTES_MAX + 1)).is_some());
    }
}
