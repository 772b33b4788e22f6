//! Parameter types that several kinds share. Their JSON Schema `format` tells the checker what a
//! string refers to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A role of the runbook, such as `active` or `standby`; when a step is planned it is already the
/// name of the site.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "role"))]
pub(super) struct Role(pub(super) String);

/// A store of the site inventory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "store"))]
pub(super) struct StoreName(pub(super) String);

/// A DNS server of the site inventory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "dns-server"))]
pub(super) struct DnsName(pub(super) String);

/// A receiver of the site inventory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "receiver"))]
pub(super) struct ReceiverName(pub(super) String);

/// The name of a namespace: a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[schemars(extend("format" = "namespace"))]
pub(super) struct NamespaceName(pub(super) String);

/// A file or folder, relative to the runbook's own folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "path"))]
pub(super) struct FilePath(pub(super) std::path::PathBuf);

/// Labels that must all be equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct LabelSelector(pub(super) BTreeMap<String, String>);

/// A step that gives proof, before the one that names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "proof"))]
pub(super) struct Proved(pub(super) String);

/// A role of a person, as named under `people`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("format" = "person"))]
pub(super) struct Person(pub(super) String);
