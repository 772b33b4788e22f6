//! `deployment/web`: an object as people write it in a step.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::objects::{ObjectId, builtin};

/// `<kind>/<name>`, such as `deployment/web` or `job/migrate`. Kinds that every cluster serves are
/// known by all their names; for a custom kind write its `apiVersion` beside it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Target {
    kind: String,
    name: String,
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => Ok(Self {
                kind: kind.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not an object; write <kind>/<name>, such as deployment/web"
            )),
        }
    }
}

impl Target {
    /// Whether the kind is known, or made known by an API version.
    pub(super) fn check(&self, api_version: Option<&str>, namespace: Option<&str>) -> Result<(), String> {
        match (builtin(&self.kind), api_version) {
            (None, None) => Err(format!(
                "`{}` is not a kind that every cluster has; add its apiVersion",
                self.kind
            )),
            (Some(api), None) if api.namespaced && namespace.is_none() => {
                Err(format!("a {} lives in a namespace; add `namespace`", api.kind))
            }
            (Some(api), None) if !api.namespaced && namespace.is_some() => Err(format!(
                "a {} lives in no namespace; remove `namespace`",
                api.kind
            )),
            _ => Ok(()),
        }
    }

    /// As kubectl takes it: `deployment/web`.
    pub(super) fn word(&self) -> String {
        crate::text::shell_word(&format!("{}/{}", self.kind, self.name))
    }

    /// Its full name.
    pub(super) fn id(&self, api_version: Option<&str>, namespace: Option<&str>) -> ObjectId {
        let known = builtin(&self.kind);
        let served = known
            .as_ref()
            .map_or_else(|| "v1".to_owned(), crate::objects::ApiKind::api_version);
        ObjectId {
            api_version: api_version.map_or(served, str::to_owned),
            kind: known.map_or_else(|| self.kind.clone(), |api| api.kind),
            namespace: namespace.map(str::to_owned),
            name: self.name.clone(),
        }
    }
}
