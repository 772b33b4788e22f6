//! Copy objects from one store to another.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Query, Sandbox, Symbol};

/// Copies everything under a prefix, each object compared by SHA-256 after it was written. Objects
/// that are already there and equal are left; objects that differ are never overwritten unless
/// `overwrite` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyPrefix {
    /// The store to read.
    pub from: String,
    /// The store to write.
    pub to: String,
    /// Which keys, relative to the prefix of both stores; empty: all.
    pub prefix: String,
    /// Whether an object of another content at the target is replaced. Off: that is an error.
    #[serde(default)]
    pub overwrite: bool,
    /// Set in a drill: writes go under this sibling of the target's own prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
}

impl Meaning for CopyPrefix {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn destructive(&self) -> bool {
        self.overwrite
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let symbol = if self.overwrite {
            Symbol::Destructive
        } else {
            Symbol::Create
        };
        let what = if self.prefix.is_empty() {
            "everything".to_owned()
        } else {
            self.prefix.clone()
        };
        Line::new(symbol, &self.to, "copy", format!("{what} from {}", self.from))
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn preview(&self) -> Option<Query> {
        Some(Query::Prefix {
            store: self.from.clone(),
            prefix: self.prefix.clone(),
        })
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let own = format!("drill-{}", sandbox.id);
        let note = format!(
            "writes under its own prefix beside {}'s, removed at the end",
            self.to
        );
        self.sandbox = Some(own);
        Confinement::Confined(vec![note])
    }
}
