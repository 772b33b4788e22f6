//! Delete one object.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Query, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Deletes exactly the object that was seen when planning: its uid is a precondition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delete {
    /// The site.
    pub site: String,
    /// Its name.
    pub id: ObjectId,
    /// Whether "it is not there" is success.
    pub missing_ok: bool,
}

impl Meaning for Delete {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn destructive(&self) -> bool {
        true
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        Line::new(Symbol::Destructive, &self.site, "delete", self.id.to_string())
    }

    fn permissions(&self) -> Vec<Permission> {
        Permission::on(&self.site, &self.id, &["get", "delete"])
    }

    fn preview(&self) -> Option<Query> {
        Some(Query::Object {
            site: self.site.clone(),
            id: self.id.clone(),
        })
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let confinement = sandbox.place(&self.site, &self.id);
        if let (Confinement::Confined(_), Some(namespace)) = (&confinement, sandbox.inside(&self.id)) {
            self.id.namespace = Some(namespace.to_owned());
        }
        confinement
    }
}
