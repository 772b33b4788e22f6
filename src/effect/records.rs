//! The records of a domain name that decide where customers go.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::text::DomainName;

/// Which records; no others are read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name is an alias of another one.
    Cname,
}

impl RecordKind {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::A, Self::Aaaa, Self::Cname];

    /// As DNS calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }
}

/// All records of one kind that a name has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordSet {
    /// Which kind.
    pub kind: RecordKind,
    /// For how many seconds a cache may keep it.
    pub ttl_s: u32,
    /// Addresses as [`IpAddr`] writes them, or a [`DomainName`]; sorted, each once.
    pub values: Vec<String>,
}

/// Everything that a name has of [`RecordKind::ALL`]: at most one set of each, in order, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Records(Vec<RecordSet>);

impl Records {
    /// Of addresses; IPv4 ones and IPv6 ones become a set each.
    pub fn addresses(addresses: &[IpAddr], ttl_s: u32) -> Self {
        let kind = |address: &IpAddr| match address {
            IpAddr::V4(_) => RecordKind::A,
            IpAddr::V6(_) => RecordKind::Aaaa,
        };
        Self::of(addresses.iter().map(|one| (kind(one), ttl_s, one.to_string())))
    }

    /// Of an alias.
    pub fn alias(of: &DomainName, ttl_s: u32) -> Self {
        Self::of([(RecordKind::Cname, ttl_s, of.to_string())])
    }

    /// Of single records, each with its seconds. A set has one time: the shortest that any of its records has.
    pub fn of(records: impl IntoIterator<Item = (RecordKind, u32, String)>) -> Self {
        let mut sets: Vec<RecordSet> = Vec::new();
        for (kind, ttl_s, value) in records {
            match sets.iter_mut().find(|set| set.kind == kind) {
                Some(set) => {
                    set.ttl_s = set.ttl_s.min(ttl_s);
                    set.values.push(value);
                }
                None => sets.push(RecordSet {
                    kind,
                    ttl_s,
                    values: vec![value],
                }),
            }
        }
        sets.sort_unstable_by_key(|set| set.kind);
        for set in &mut sets {
            set.values.sort_unstable();
            set.values.dedup();
        }
        Self(sets)
    }

    /// The sets, in the order of their kinds.
    pub fn sets(&self) -> &[RecordSet] {
        &self.0
    }

    /// The set of a kind.
    pub fn set(&self, kind: RecordKind) -> Option<&RecordSet> {
        self.0.iter().find(|set| set.kind == kind)
    }

    /// Whether the name has none of these records.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The shortest time for which a cache may keep any of them, in seconds.
    pub fn ttl_s(&self) -> Option<u32> {
        self.0.iter().map(|set| set.ttl_s).min()
    }

    /// Whether they lead to the same place, for however long a cache may keep them.
    pub fn lead_as(&self, other: &Self) -> bool {
        RecordKind::ALL
            .iter()
            .all(|&kind| self.values(kind) == other.values(kind))
    }

    fn values(&self, kind: RecordKind) -> &[String] {
        self.set(kind).map_or(&[], |set| set.values.as_slice())
    }

    /// How many seconds after a change to `new` a cache may still give the old answer. `absent_s` is for how long
    /// it may keep that there was none.
    pub fn outlive_s(&self, new: &Self, absent_s: u32) -> u32 {
        if self.lead_as(new) {
            return 0;
        }
        let gone = self.0.iter().filter(|set| set.values != new.values(set.kind));
        gone.map(|set| set.ttl_s).max().unwrap_or(absent_s)
    }
}

/// `A 192.0.2.10, 192.0.2.11; AAAA 2001:db8::10`.
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let sets = self.0.iter();
        let each: Vec<String> = sets
            .map(|set| format!("{} {}", set.kind.word(), set.values.join(", ")))
            .collect();
        f.write_str(&each.join("; "))
    }
}

/// What an authoritative server says of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameSeen {
    /// The zone that it is in: of those that the inventory names.
    pub zone: DomainName,
    /// What it has.
    pub records: Records,
    /// For how many seconds a cache may keep that a name of this zone has nothing.
    pub absent_s: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addresses: &[&str], ttl_s: u32) -> Records {
        let addresses: Vec<IpAddr> = addresses.iter().map(|one| one.parse().unwrap()).collect();
        Records::addresses(&addresses, ttl_s)
    }

    #[test]
    fn addresses_are_two_sets_and_their_order_means_nothing() {
        let records = of(&["192.0.2.11", "2001:DB8:0::1", "192.0.2.10", "192.0.2.10"], 60);
        assert_eq!(records.to_string(), "A 192.0.2.10, 192.0.2.11; AAAA 2001:db8::1");
        assert_eq!(records, of(&["2001:db8::1", "192.0.2.10", "192.0.2.11"], 60));
        assert!(records.lead_as(&of(&["192.0.2.11", "192.0.2.10", "2001:db8::1"], 5)));
        assert!(!records.lead_as(&of(&["192.0.2.11", "192.0.2.10"], 60)));
        assert_eq!(Records::default().to_string(), "nothing");
    }

    #[test]
    fn the_old_answer_lives_as_long_as_what_has_changed_may_be_kept() {
        let old = Records::of([
            (RecordKind::A, 300, "192.0.2.10".to_owned()),
            (RecordKind::Aaaa, 3600, "2001:db8::1".to_owned()),
        ]);
        let only_a = of(&["198.51.100.7", "2001:db8::1"], 60);
        assert_eq!(old.outlive_s(&only_a, 900), 300, "AAAA stays as it was");
        assert_eq!(old.outlive_s(&of(&["198.51.100.7"], 60), 900), 3600);
        assert_eq!(Records::default().outlive_s(&only_a, 900), 900);
        assert_eq!(old.outlive_s(&of(&["192.0.2.10", "2001:db8::1"], 1), 900), 0);
    }
}
