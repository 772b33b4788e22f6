//! Read a site's objects into a store.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Lock, Meaning, Permission, Query, Sandbox, Selection, Symbol};

/// One backup in Velero's bucket layout, with a checksummed manifest, read back before it is called
/// verified.
///
/// Outputs: `backup` (its name). The name carries the time of the run, so it is made while
/// performing: `<prefix>-<UTC time>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupObjects {
    /// The site to read.
    pub site: String,
    /// The store to write.
    pub store: String,
    /// First part of the backup's name: the runbook's name.
    pub name_prefix: String,
    /// What to read.
    pub selection: Selection,
    /// Everything that it writes is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

impl Meaning for BackupObjects {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let lock = self.lock.map(|lock| format!(", {}", lock.words()));
        let what = format!(
            "{} into {}{}",
            self.selection.words(),
            self.store,
            lock.unwrap_or_default()
        );
        Line::new(Symbol::Create, &self.site, "backup", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        Permission::everything(&self.site, &["get", "list"])
    }

    fn preview(&self) -> Option<Query> {
        Some(Query::Inventory {
            site: self.site.clone(),
            selection: self.selection.clone(),
        })
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        Confinement::Skipped("a drill proves the newest backup; it does not make another".into())
    }
}
