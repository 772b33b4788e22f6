//! Run a command in a container that is there.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Runs one program in a container of a running pod and waits until it has ended; anything but exit
/// code 0 is a failure. What was running goes on if the connection breaks, and nobody can ask later how it
/// ended.
///
/// Outputs: `stdout` (its beginning, without the line break at the end).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunCommand {
    /// The site.
    pub site: String,
    /// A pod, or a workload: then its first pod, by name, that is ready.
    pub of: ObjectId,
    /// Which container; none: the pod's first, or the one that its annotation names.
    pub container: Option<String>,
    /// The program and its arguments; no shell.
    pub command: Vec<String>,
    /// To run it twice is to run it once, says the runbook.
    pub repeatable: bool,
}

impl Meaning for RunCommand {
    fn class(&self) -> Class {
        if self.repeatable {
            Class::Converge
        } else {
            Class::Once
        }
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = format!("in {}: {}", self.of, self.command.join(" "));
        Line::new(Symbol::Change, &self.site, "exec", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let pods = |resource: &str, verb: &str| Permission {
            site: self.site.clone(),
            group: String::new(),
            resource: resource.into(),
            namespace: self.of.namespace.clone(),
            verb: verb.into(),
        };
        let mut all = Permission::on(&self.site, &self.of, &["get"]);
        if self.of.kind != "Pod" {
            all.push(pods("pods", "list"));
        }
        // Servers from 1.35 on ask for `create` too, whichever way the connection is opened.
        all.extend(["get", "create"].map(|verb| pods("pods/exec", verb)));
        all
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        match &mut self.of.namespace {
            Some(namespace) => sandbox.enter(&self.site, namespace),
            None => Confinement::Untouched,
        }
    }
}
