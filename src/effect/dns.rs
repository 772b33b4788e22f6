//! Let a domain name lead elsewhere, from exactly where it leads now.
//!
//! ## Why
//!
//! - **Compare and swap.** The server itself holds what is there against what the plan saw, and changes nothing if
//!   they differ: somebody else may be moving the same customers. That is also what a second attempt, a resumed run
//!   and a late request of an older one meet. DNS knows nothing of epochs; this is its fence.
//! - **All of IPv4, IPv6 and aliases at once.** One of them alone would leave some customers on the side that is
//!   gone: those who ask for the other first.
//! - **In a drill the server is only asked.** A request with the same conditions and without a change proves what
//!   mostly fails in an incident (the way there, the key, the clock, who has the zone) and moves nobody.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Records, Sandbox, Symbol};
use crate::text::{DomainName, Millis};

/// Gives a name other records, if it has exactly those that are named. Done when the server itself answers with them.
///
/// Outputs: `caches_until`, the time at which the last cache should have forgotten the old answer (RFC 3339, UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapRecords {
    /// The DNS server, as the inventory calls it.
    pub server: String,
    /// The name.
    pub name: DomainName,
    /// As seen when planning.
    pub from: Records,
    /// As wanted.
    pub to: Records,
    /// For how many seconds caches may still give the old answer.
    pub outlives_s: u32,
    /// It is only asked whether this could be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_ask: bool,
}

impl SwapRecords {
    /// The way back, which caches hold up for as long as they may keep the new answer.
    #[must_use]
    pub fn reversed(&self, absent_s: u32) -> Self {
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            outlives_s: self.to.outlive_s(&self.from, absent_s),
            ..self.clone()
        }
    }

    /// `shop.acme.example  A 192.0.2.10 → A 198.51.100.7`.
    pub fn change(&self) -> String {
        format!("{}  {} → {}", self.name, self.from, self.to)
    }
}

impl Meaning for SwapRecords {
    fn class(&self) -> Class {
        if self.only_ask {
            Class::Read
        } else {
            Class::Guarded
        }
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        if self.only_ask {
            let what = format!("ask whether {} would be taken", self.change());
            return Line::new(Symbol::Observe, &self.server, "dns", what);
        }
        let symbol = match (self.from.is_empty(), self.to.is_empty()) {
            (true, _) => Symbol::Create,
            (_, true) => Symbol::Delete,
            _ => Symbol::Change,
        };
        let ttl = self.to.ttl_s();
        let ttl = ttl.map_or_else(String::new, |ttl_s| {
            format!(" (TTL {})", Millis::of_seconds(ttl_s))
        });
        let caches = match self.outlives_s {
            0 => String::new(),
            outlives_s => format!(
                "; caches may keep the old answer for {} more",
                Millis::of_seconds(outlives_s)
            ),
        };
        Line::new(
            symbol,
            &self.server,
            "dns",
            format!("{}{ttl}{caches}", self.change()),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        self.only_ask = true;
        Confinement::Confined(vec![
            "the DNS server is only asked whether it would; no customer is sent anywhere".into(),
        ])
    }
}
