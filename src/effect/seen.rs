//! Answers of the world, reduced to what a plan depends on.
//!
//! A plan is refused when an answer has changed since it was shown. So an answer holds nothing that
//! changes by itself: no resource version, no heartbeat, no age.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fates, Lack, NameSeen, Shown, Work, WorldError};
use crate::objects::{Coming, Nodes, ObjectId, Risk};

/// The answer to a [`super::Query`]; its variant follows from the question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// To `Site`.
    Site(SiteSeen),
    /// To `Store`: it is there and answers.
    Store,
    /// To `Object`: reduced to the desired part (`metadata.labels`, `metadata.annotations`, `spec`,
    /// `data`), or `None` where there is no such object.
    Object(Option<serde_json::Value>),
    /// To `Namespaces`: those that exist.
    Namespaces(Vec<String>),
    /// To `Workloads`, sorted by name.
    Workloads(Vec<WorkloadSeen>),
    /// To `Backup`; `None` where no backup fits.
    Backup(Option<BackupSeen>),
    /// To `Capacity`: what the nodes have left, and what comes.
    Capacity(Box<(Nodes, Coming)>),
    /// To `Inventory` and `Prefix`.
    Counts(Counts),
    /// To `Name`; `None` where it is in none of the zones that the inventory names for the server.
    Name(Option<NameSeen>),
    /// To `Manifests`: the objects, in the order of the files' names and of the text.
    Manifests(Vec<serde_json::Value>),
    /// To `Restore`; it names every object of a backup, and a plan is cloned.
    Restore(#[serde(with = "shared")] Arc<RestorePreview>),
    /// The world did not answer. Plans show it; it is not the same as "not there".
    Unanswered(WorldError),
}

/// Which cluster this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteSeen {
    /// `uid` of the namespace `kube-system`: the cluster's identity.
    pub uid: String,
    /// Such as `v1.37.2`.
    pub version: String,
    /// Address of its API server.
    pub server: String,
}

/// A workload and its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSeen {
    /// Its name.
    pub id: ObjectId,
    /// `spec.replicas` (1 where it is not written, as the API server has it).
    pub replicas: u32,
}

/// One backup in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSeen {
    /// Its name.
    pub name: String,
    /// The moment whose state it holds: what RPO is counted from.
    pub consistent_at: Timestamp,
    /// When all of it was last read back and compared with its manifest; `None`: never.
    pub verified_at: Option<Timestamp>,
    /// Who wrote it: `lifeboat`, `velero`.
    pub writer: String,
    /// Objects per namespace; cluster-scoped ones under the empty name.
    pub objects: BTreeMap<String, u64>,
    /// SHA-256 of the archive, in hex; `None` where nobody recorded it.
    pub archive_sha256: Option<String>,
    /// What the writer itself reported as gone wrong, in its words.
    pub errors: Vec<String>,
    /// Newer ones that were not taken instead, each with the reason. Only of an answer to "the latest".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
}

/// How many of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Number of things.
    pub count: u64,
    /// Their size in bytes, where it is known.
    pub bytes: Option<u64>,
    /// Per kind of thing.
    pub of: BTreeMap<String, u64>,
    /// What people should know of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A shared value is stored as what it is.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

/// What would become of one object of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is not there; it will be made.
    Create,
    /// It is there and different; it will be changed.
    Update,
    /// It is there: equal, or different and to be left as it is.
    Keep,
    /// It is deliberately not restored.
    Skip,
    /// It must not be restored, so the step may not start.
    Refuse,
    /// It is there and different; it will be changed, or deleted and made again.
    Replace,
    /// It is there and not in the backup; it will be deleted.
    Prune,
}

/// One object's fate and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FateOf {
    /// What happens.
    pub fate: Fate,
    /// The object as it would be named at the target.
    pub id: ObjectId,
    /// Why; empty for a plain create.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Who owns fields that will be changed, each with the first of them: `helm (spec.replicas)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_from: Vec<String>,
}

/// Why an object is kept that is already as it should be.
pub const EQUAL: &str = "equal";

impl FateOf {
    /// The word for people. `equal` is not `keep`, which leaves a difference; `conflict` is a change of
    /// fields that somebody else owns.
    pub fn word(&self) -> &'static str {
        let after = self.why.strip_prefix(EQUAL);
        match self.fate {
            Fate::Create => "create",
            Fate::Update if self.takes_from.is_empty() => "update",
            Fate::Update => "conflict",
            Fate::Keep if after.is_some_and(|rest| rest.is_empty() || rest.starts_with(';')) => "equal",
            Fate::Keep => "keep",
            Fate::Skip => "skip",
            Fate::Refuse => "refuse",
            Fate::Replace => "replace",
            Fate::Prune => "prune",
        }
    }

    /// Why, and whose fields are taken; empty where nothing is to be said.
    pub fn reason(&self) -> String {
        let taken = match self.takes_from.as_slice() {
            [] => String::new(),
            owners => format!("takes from {}", owners.join(", ")),
        };
        let parts = [self.why.clone(), taken];
        let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        said.join("; ")
    }
}

/// A risk that a restore takes because its runbook says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Which one.
    pub risk: Risk,
    /// The object as it would be named at the target.
    pub id: ObjectId,
    /// What it would be able to do.
    pub why: String,
    /// A person's reason.
    pub because: String,
}

/// What a restore would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePreview {
    /// The backup that is meant; `None` while it is still to be made by an earlier step.
    pub backup: Option<BackupSeen>,
    /// Object by object, in the order of restoring.
    pub fates: Fates,
    /// What the target lacks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Lack>,
    /// The pods that it brings.
    #[serde(default, skip_serializing_if = "Coming::is_nothing")]
    pub coming: Coming,
    /// How much work it is; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// Which objects it may delete.
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    pub shown: Shown,
    /// What people should know of the restore as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Risks that it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
    /// Allowances of the runbook that nothing in the backup needs, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle_allowances: Vec<String>,
    /// How many objects each mapped name and each rule meets, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

impl RestorePreview {
    /// How many objects have this fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.fates.count(fate)
    }

    /// How many objects have this word; see [`FateOf::word`].
    pub fn words(&self, word: &str) -> usize {
        self.fates.iter().filter(|one| one.word() == word).count()
    }
}
