//! Have a Velero make a backup, or restore one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::{Millis, Text};

/// Makes one object of Velero's, under a name of the run and the step, and follows what Velero makes of it to its
/// end. Only `Completed` is success. Where no server takes it up in time, the object is deleted again, so that one
/// that comes later does not carry out what nobody waits for any more.
///
/// Output: `backup`, the name of the backup that was made or restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveVelero {
    /// The site.
    pub site: String,
    /// Where that Velero keeps its objects.
    pub namespace: String,
    /// The step: what the object's name begins with.
    pub name: String,
    /// What it is to do.
    pub work: VeleroWork,
    /// For so long a server may take to begin, in milliseconds.
    pub taken_up_within_ms: u64,
    /// The store in which Velero's own messages lie, if lifeboat may read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// What a Velero is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VeleroWork {
    /// Make a backup.
    Backup {
        /// `spec` of the Backup.
        spec: Value,
    },
    /// Restore one.
    Restore {
        /// Which; `None`: the newest one of the schedule that `spec` names, which Velero chooses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<Text>,
        /// `spec` of the Restore, without the backup.
        spec: Value,
    },
}

impl VeleroWork {
    /// The kind of the object that asks for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "Backup",
            Self::Restore { .. } => "Restore",
        }
    }

    /// Namespaces that are named, for people.
    fn namespaces(&self) -> String {
        let (Self::Backup { spec } | Self::Restore { spec, .. }) = self;
        let names = spec.get("includedNamespaces").and_then(Value::as_array);
        let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
        match names.as_slice() {
            [] | ["*"] => "all namespaces".to_owned(),
            names => names.join(", "),
        }
    }
}

impl Meaning for DriveVelero {
    /// The name is fixed, and a server takes each name once.
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = match &self.work {
            VeleroWork::Backup { .. } => format!("back up {}", self.work.namespaces()),
            VeleroWork::Restore { backup, spec } => {
                let which = match (backup, spec.get("scheduleName").and_then(Value::as_str)) {
                    (Some(backup), _) => backup.to_string(),
                    (None, schedule) => format!("the newest of {}", schedule.unwrap_or("its schedule")),
                };
                format!("restore {which}: {}", self.work.namespaces())
            }
        };
        let limit = Millis(self.taken_up_within_ms);
        let what = format!(
            "{what}, by the Velero of {}, begun within {limit}",
            self.namespace
        );
        Line::new(Symbol::Create, &self.site, "velero", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let right = |resource: &str, verb: &str| Permission {
            site: self.site.clone(),
            group: "velero.io".to_owned(),
            resource: resource.to_owned(),
            namespace: Some(self.namespace.clone()),
            verb: verb.to_owned(),
        };
        let own = format!("{}s", self.work.kind().to_lowercase());
        let mut all: Vec<Permission> = ["get", "list", "create", "delete"]
            .map(|verb| right(&own, verb))
            .into();
        if let VeleroWork::Restore { .. } = self.work {
            all.push(right("backups", "get"));
        }
        all
    }

    fn late(&mut self) -> Vec<&mut Text> {
        match &mut self.work {
            VeleroWork::Restore {
                backup: Some(backup), ..
            } => vec![backup],
            _ => Vec::new(),
        }
    }

    /// A Velero knows no walls: it is another program, with rights to everything.
    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        match self.work {
            VeleroWork::Backup { .. } => Confinement::Skipped(
                "a drill proves a backup that is there; it does not have another one made".into(),
            ),
            VeleroWork::Restore { .. } if self.site != sandbox.site => sandbox.elsewhere(&self.site),
            VeleroWork::Restore { .. } => Confinement::Refused {
                why: "Velero restores what is in a backup as it is, and not inside the walls of a drill".into(),
                hint: "write `drill: skip` at this step; to drill, let a `restore` step read the same backup from Velero's store".into(),
            },
        }
    }
}
