//! What a plan showed of objects that a restore may delete.
//!
//! ## Why
//!
//! - Hours can lie between a plan and its restore: a run waits for people. What somebody made in between
//!   is in no backup and was shown to nobody, so a name is not enough: an object that may be deleted is
//!   pinned by its uid when the plan is made.
//! - The planner puts the answer of the preview into the effect; the question itself is asked without
//!   it, so that asking again gives the same answer in the same world.

use serde::{Deserialize, Serialize};

/// Objects by uid, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shown {
    /// They are not in the backup: no others are pruned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prune: Vec<String>,
    /// They differ from the backup: no others are deleted to be made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
}

impl Shown {
    /// Whether nothing may be deleted.
    pub const fn is_empty(&self) -> bool {
        self.prune.is_empty() && self.replace.is_empty()
    }
}
