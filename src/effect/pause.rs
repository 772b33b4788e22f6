//! Let time pass.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::Millis;

/// Waits, for caches to warm or replicas to settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// How long, in milliseconds.
    pub for_ms: u64,
    /// What the time is for.
    pub reason: String,
    /// It is for what a change before it leaves behind. A drill makes none, and waits for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_change: bool,
}

impl Meaning for Pause {
    fn class(&self) -> Class {
        Class::Read
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let what = format!("{} for {}", Millis(self.for_ms), self.reason);
        Line::new(Symbol::Observe, "", "pause", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        if self.after_change {
            self.for_ms = 0;
        }
        Confinement::Untouched
    }
}
