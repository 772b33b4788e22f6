//! What a restore needs besides its backup, and how much work it is: seen while planning.

use serde::{Deserialize, Serialize};

/// Something that the target does not have, or has no room for, and that what is restored needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lack {
    /// The server would refuse an object for it, so the restore may not start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses: bool,
    /// `west has no StorageClass fast`.
    pub what: String,
    /// The first objects that need it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// How many more there are.
    #[serde(default)]
    pub more: u64,
    /// What follows: `their pods are refused`.
    pub then: String,
    /// What to do.
    pub hint: String,
}

impl Lack {
    /// All of it in one sentence, without its full stop.
    pub fn sentence(&self) -> String {
        let who = match (self.who.as_slice(), self.more) {
            ([], _) => String::new(),
            (who, 0) => format!(" (for {})", who.join(", ")),
            (who, more) => format!(" (for {} and {more} more)", who.join(", ")),
        };
        format!("{}{who}: {}", self.what, self.then)
    }
}

/// The requests that a restore sends to its site's API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// To look at everything once, as the plan did: counted while it looked.
    pub reads: u64,
    /// To make, change and delete: one for each object, and one for each status.
    pub writes: u64,
    /// Things that are waited for, or that may take several requests: definitions, and objects that
    /// perhaps have to be made again. What those cost besides is not known beforehand.
    #[serde(default)]
    pub waits: u64,
    /// Bytes of the objects that are sent.
    pub bytes: u64,
}

impl Work {
    /// All requests that are known beforehand.
    pub const fn requests(&self) -> u64 {
        self.reads + self.writes
    }
}
