//! How firmly a store keeps the objects of a backup.

use serde::{Deserialize, Serialize};

use crate::text::Period;

/// Who may take a lock away before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmness {
    /// Nobody, the owner of the account included. What was locked by mistake is paid for to the end.
    Compliance,
    /// Whoever has the right to (`s3:BypassGovernanceRetention`).
    Governance,
}

impl Firmness {
    /// `compliance`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compliance => "compliance",
            Self::Governance => "governance",
        }
    }
}

/// An object lock for everything that a backup writes, from the moment whose state it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// `compliance`: nobody can delete it sooner or lift the lock, you included; it cannot be undone.
    /// `governance`: whoever has the right `s3:BypassGovernanceRetention` can.
    pub mode: Firmness,
    /// For how long, such as `30d`, at most ten years.
    #[serde(rename = "for")]
    pub period: Period,
}

impl Lock {
    /// What a plan says of it.
    pub fn words(&self) -> String {
        let who = match self.mode {
            Firmness::Compliance => "nobody can delete it sooner",
            Firmness::Governance => "deleting it sooner takes a right of its own",
        };
        format!("locked for {} ({}: {who})", self.period, self.mode.word())
    }
}
