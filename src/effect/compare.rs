//! Compare a backup with another one, or with what a site has now.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::{ObjectId, glob};
use crate::text::Text;

/// Compares objects as somebody would have written them: what came, what went, what changed and where. The whole
/// of each archive is read and held against its manifest. Places are told, values are not: they may be passwords.
///
/// Outputs: `added`, `removed`, `changed`, `equal` (numbers of objects); `differences` (the first three together).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompareObjects {
    /// The store of the first side.
    pub store: String,
    /// The first side: a backup.
    pub backup: Text,
    /// The second side.
    pub with: OtherSide,
    /// Only what is in these namespaces, names or patterns, and what is outside of all namespaces.
    pub namespaces: Vec<String>,
    /// Objects that may differ, `Kind/name` or `Kind/namespace/name`, with `*` for any letters; if another one
    /// differs, that is an error. `None`: whatever differs is told, and nothing is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
}

/// What a backup is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherSide {
    /// Another backup.
    Backup {
        /// Its store.
        store: String,
        /// Its name.
        backup: Text,
    },
    /// What this site has now.
    Site(String),
}

impl CompareObjects {
    /// The stores that are read; perhaps the same twice.
    pub fn stores(&self) -> Vec<&str> {
        let other = match &self.with {
            OtherSide::Backup { store, .. } => Some(store.as_str()),
            OtherSide::Site(_) => None,
        };
        std::iter::once(self.store.as_str()).chain(other).collect()
    }

    /// Whether an object may differ.
    pub fn expects(&self, id: &ObjectId) -> bool {
        let Some(expected) = &self.expected else {
            return true;
        };
        let word = id.path();
        expected.iter().any(|one| glob(one, &word))
    }
}

impl Meaning for CompareObjects {
    fn class(&self) -> Class {
        Class::Read
    }

    fn site(&self) -> Option<&str> {
        match &self.with {
            OtherSide::Backup { .. } => None,
            OtherSide::Site(site) => Some(site),
        }
    }

    fn line(&self) -> Line {
        let with = match &self.with {
            OtherSide::Backup { store, backup } if *store == self.store => backup.to_string(),
            OtherSide::Backup { store, backup } => format!("{backup} from {store}"),
            OtherSide::Site(site) => format!("{site} as it is"),
        };
        let mut what = format!("{} with {with}: {}", self.backup, self.namespaces.join(", "));
        match self.expected.as_deref() {
            None => {}
            Some([]) => what.push_str("; nothing may differ"),
            Some(some) => {
                what.push_str("; only these may differ: ");
                what.push_str(&some.join(", "));
            }
        }
        Line::new(Symbol::Observe, &self.store, "compare", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        self.site()
            .map_or_else(Vec::new, |site| Permission::everything(site, &["get", "list"]))
    }

    fn late(&mut self) -> Vec<&mut Text> {
        let mut all = vec![&mut self.backup];
        if let OtherSide::Backup { backup, .. } = &mut self.with {
            all.push(backup);
        }
        all
    }

    /// Reading two backups harms nobody. A site's objects go by other names in a drill, so that everything would
    /// differ.
    fn confine(&mut self, _: &Sandbox) -> Confinement {
        match &self.with {
            OtherSide::Backup { .. } => Confinement::Untouched,
            OtherSide::Site(site) => Confinement::Skipped(format!(
                "it compares with {site} as it serves; what a drill makes has other names"
            )),
        }
    }
}
