//! Set a workload's replica count.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Sets `spec.replicas`. Done when the API server has accepted it and, going down, when no replica
/// is left running; "stopped" is observed, not assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scale {
    /// The site.
    pub site: String,
    /// The workload: a Deployment, StatefulSet or ReplicaSet.
    pub id: ObjectId,
    /// As seen when planning; for display and undo.
    pub from: u32,
    /// As wanted.
    pub to: u32,
}

impl Meaning for Scale {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn destructive(&self) -> bool {
        self.to == 0 && self.from > 0
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let symbol = if self.destructive() {
            Symbol::Destructive
        } else {
            Symbol::Change
        };
        Line::new(
            symbol,
            &self.site,
            "scale",
            format!("{}  {} → {}", self.id, self.from, self.to),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        let mut all = Permission::on(&self.site, &self.id, &["get"]);
        // The size is changed through the subresource; "stopped" is seen by the pods.
        all.extend(
            Permission::on(&self.site, &self.id, &["patch"])
                .into_iter()
                .map(|right| Permission {
                    resource: format!("{}/scale", right.resource),
                    ..right
                }),
        );
        let pods = ObjectId {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: self.id.namespace.clone(),
            name: String::new(),
        };
        all.extend(Permission::on(&self.site, &pods, &["list"]));
        all
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let confinement = sandbox.place(&self.site, &self.id);
        if let (Confinement::Confined(_), Some(namespace)) = (&confinement, sandbox.inside(&self.id)) {
            self.id.namespace = Some(namespace.to_owned());
        }
        confinement
    }
}
