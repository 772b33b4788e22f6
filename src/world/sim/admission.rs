//! Who judges the requests to an embedded cluster, in whose hands it is. There are no rights and no policies
//! here: whoever wants some brings them as a function.

use std::sync::Arc;

use serde_json::Value;

use crate::effect::WorldError;

/// Judges a request before it is carried out, by what is there: why not, if it is refused.
pub type Admission = Arc<dyn Fn(&Asked<'_>, Objects<'_>) -> Option<WorldError> + Send + Sync>;

/// Objects as they are, by resource, namespace and name.
pub type Objects<'a> = &'a dyn Fn(&str, &str, &str) -> Option<Value>;

/// A request, for whoever judges it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// In whose hands the cluster is; `None`: its owner's.
    pub user: Option<&'a str>,
    /// `get`, `list`, `create`, `apply`, `patch`, `delete`, `exec`, `check`, `token`, …
    pub verb: &'a str,
    /// As in [`super::AuditEntry::resource`].
    pub resource: &'a str,
    /// Where.
    pub namespace: &'a str,
    /// Which object.
    pub name: &'a str,
}
