//! Make one object be as given.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Class, Confinement, Line, Meaning, Permission, Query, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Server-side apply with field manager `lifeboat` of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Apply {
    /// The site.
    pub site: String,
    /// The whole object, with apiVersion, kind and metadata.name.
    pub object: Value,
    /// Whether to take over fields that another manager owns. Off: that is a conflict and an error.
    #[serde(default)]
    pub force: bool,
}

impl Apply {
    /// The object's name; planning has made sure that it has one.
    pub fn id(&self) -> ObjectId {
        ObjectId::of(&self.object).unwrap_or_else(|| ObjectId::namespace(""))
    }
}

impl Meaning for Apply {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        Line::new(Symbol::Change, &self.site, "apply", self.id().to_string())
    }

    fn permissions(&self) -> Vec<Permission> {
        Permission::on(&self.site, &self.id(), &["get", "create", "patch"])
    }

    fn preview(&self) -> Option<Query> {
        Some(Query::Object {
            site: self.site.clone(),
            id: self.id(),
        })
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let id = self.id();
        let confinement = sandbox.place(&self.site, &id);
        if let (Confinement::Confined(_), Some(namespace)) = (&confinement, sandbox.inside(&id)) {
            self.object["metadata"]["namespace"] = Value::String(namespace.to_owned());
        }
        confinement
    }
}
