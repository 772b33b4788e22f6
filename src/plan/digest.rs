//! One name for exactly one plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::text::sha256_hex_of;

/// SHA-256 of a plan's JSON, as 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of a plan. Field order is that of the types, map order that of the names, so
    /// equal plans have equal bytes.
    pub fn of(plan: &Plan) -> Self {
        // Nothing in a plan is refused by JSON: its maps have names as keys.
        Self(sha256_hex_of(plan).unwrap_or_default())
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits: what people compare and type.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
