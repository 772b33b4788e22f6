//! Wait until an object is in a condition.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Looks at one object until the condition holds. Fails as `NotYet` only by the step's deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Await {
    /// The site.
    pub site: String,
    /// The object.
    pub id: ObjectId,
    /// What must hold.
    pub condition: Condition,
}

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It is there.
    Exists,
    /// It is not there any more.
    Gone,
    /// A workload serves its whole wanted size: the newest generation is observed and ready
    /// replicas are at least this many.
    Available {
        /// At least this many; `None`: as many as its `spec.replicas`.
        replicas: Option<u32>,
    },
    /// A Job has completed; a failed one is an error at once.
    Complete,
    /// `status.conditions[type=…].status` is `True`.
    Status(String),
}

impl Meaning for Await {
    fn class(&self) -> Class {
        Class::Read
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        Line::new(
            Symbol::Observe,
            &self.site,
            "wait",
            format!("{} {}", self.id, self.condition),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        Permission::on(&self.site, &self.id, &["get"])
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let confinement = sandbox.place(&self.site, &self.id);
        if let (Confinement::Confined(_), Some(namespace)) = (&confinement, sandbox.inside(&self.id)) {
            self.id.namespace = Some(namespace.to_owned());
        }
        confinement
    }
}

/// `available (3 of 3)`, `complete`, `gone`: what follows the object's name in a line.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("exists"),
            Self::Gone => f.write_str("is gone"),
            Self::Available {
                replicas: Some(replicas),
            } => write!(f, "available ({replicas} replicas)"),
            Self::Available { replicas: None } => f.write_str("available"),
            Self::Complete => f.write_str("complete"),
            Self::Status(condition) => write!(f, "{condition}"),
        }
    }
}
