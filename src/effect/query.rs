//! Questions to the world. None of them can change it.

use serde::{Deserialize, Serialize};

use super::{BackupName, RestoreObjects, Selection};
use crate::objects::ObjectId;
use crate::text::DomainName;

/// One question; equal questions are asked once per plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Query {
    /// Who is this cluster? Answer: [`super::Seen::Site`].
    Site {
        /// The site.
        site: String,
    },
    /// Is this store there? Answer: [`super::Seen::Store`].
    Store {
        /// The store.
        store: String,
    },
    /// Does this object exist? Answer: [`super::Seen::Object`].
    Object {
        /// The site.
        site: String,
        /// Its name.
        id: ObjectId,
    },
    /// Which of these namespaces exist? Answer: [`super::Seen::Namespaces`].
    Namespaces {
        /// The site.
        site: String,
        /// The names to look for.
        names: Vec<String>,
    },
    /// Workloads of one kind that a label selector finds. Answer: [`super::Seen::Workloads`].
    Workloads {
        /// The site.
        site: String,
        /// Where.
        namespace: String,
        /// `Deployment`, `StatefulSet` or `ReplicaSet`.
        kind: String,
        /// One name, or all that the selector finds.
        name: Option<String>,
        /// Labels that must be equal, sorted by name.
        selector: Vec<(String, String)>,
    },
    /// Which backup is meant, and what is in it? Answer: [`super::Seen::Backup`].
    Backup {
        /// The store.
        store: String,
        /// Which one.
        backup: BackupName,
        /// Namespaces that must be in it.
        namespaces: Vec<String>,
    },
    /// What would a backup read? Answer: [`super::Seen::Counts`].
    Inventory {
        /// The site.
        site: String,
        /// What is chosen.
        selection: Selection,
    },
    /// Which namespaces does a selection choose, and is what it names there? Answer:
    /// [`super::Seen::Namespaces`].
    Chosen {
        /// The site.
        site: String,
        /// What is chosen.
        selection: Selection,
    },
    /// What have the nodes of a site left, and which pods come when these namespaces are let go? Answer:
    /// [`super::Seen::Capacity`]. It changes by itself, so no plan keeps it.
    Capacity {
        /// The site.
        site: String,
        /// Namespaces that are let go.
        held: Vec<String>,
    },
    /// What would a restore do, object by object? Answer: [`super::Seen::Restore`].
    Restore(Box<RestoreObjects>),
    /// What does a domain name have, at the server that has the say in it? Answer: [`super::Seen::Name`].
    Name {
        /// The DNS server, as the inventory calls it.
        server: String,
        /// The name.
        name: DomainName,
    },
    /// What do these files say? Answer: [`super::Seen::Manifests`].
    Manifests {
        /// A YAML file of Kubernetes objects, or a folder of such files.
        path: std::path::PathBuf,
    },
    /// How much lies under a prefix? Answer: [`super::Seen::Counts`].
    Prefix {
        /// The store.
        store: String,
        /// Relative to the store's own prefix.
        prefix: String,
    },
}

impl Query {
    /// The same question where nobody will read how much it is: counting an inventory reads all of it,
    /// and the backup that comes at once reads it again.
    #[must_use]
    pub fn briefly(self) -> Self {
        match self {
            Self::Inventory { site, selection } => Self::Chosen { site, selection },
            other => other,
        }
    }
}
