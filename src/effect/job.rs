//! Run a Kubernetes Job to its end.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::ObjectId;

/// Creates one Job under a name that is fixed for this run, and waits until it is complete. A
/// second attempt finds the first one's Job by that name instead of starting another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunJob {
    /// The site.
    pub site: String,
    /// Where.
    pub namespace: String,
    /// First part of the Job's name; the run's id follows.
    pub name: String,
    /// The image.
    pub image: String,
    /// The command as an argument list; no shell. Empty: the image's own.
    pub command: Vec<String>,
    /// Plain environment variables, sorted by name. Never secrets: those come by `env_from_secret`.
    pub env: Vec<(String, String)>,
    /// Secrets of that namespace whose keys become environment variables.
    pub env_from_secret: Vec<String>,
    /// Whose identity it has; none: the namespace's default.
    pub service_account: Option<String>,
}

impl Meaning for RunJob {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = format!("Job {}/{}-<run>  {}", self.namespace, self.name, self.image);
        Line::new(Symbol::Create, &self.site, "job", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let id = ObjectId {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: Some(self.namespace.clone()),
            name: self.name.clone(),
        };
        Permission::on(&self.site, &id, &["get", "create"])
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        sandbox.enter(&self.site, &mut self.namespace)
    }
}
