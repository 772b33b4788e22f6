//! Many objects by name and uid, each in as few bytes as it takes.
//!
//! ## Why
//!
//! A receipt names every object that a restore made, and is kept until its report is written. As texts of
//! their own one took about 250 bytes, most of them the same few kinds and namespaces; here it is its name,
//! its uid and some 30. In a journal nothing of this shows.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::identity::{Made, ObjectId};
use super::names::Names;

/// The names of many objects, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct ObjectIds {
    /// API versions, kinds and namespaces.
    common: Names,
    /// The names of all objects, one after the other.
    names: String,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where the object's name ends in the text of all names. It begins where the one before ends.
    end: usize,
    api_version: u32,
    kind: u32,
    /// `None` for cluster-scoped objects.
    namespace: Option<u32>,
}

impl ObjectIds {
    /// Adds one at the end.
    pub fn push(&mut self, id: &ObjectId) {
        self.names.push_str(&id.name);
        self.rows.push(Row {
            end: self.names.len(),
            api_version: self.common.number(&id.api_version),
            kind: self.common.number(&id.kind),
            namespace: id.namespace.as_deref().map(|name| self.common.number(name)),
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One of them, made again.
    pub fn get(&self, at: usize) -> Option<ObjectId> {
        let row = self.rows.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.rows.get(before));
        let text = |number| self.common.text(number).to_owned();
        Some(ObjectId {
            api_version: text(row.api_version),
            kind: text(row.kind),
            namespace: row.namespace.map(text),
            name: self
                .names
                .get(before.map_or(0, |row| row.end)..row.end)?
                .to_owned(),
        })
    }
}

/// Objects that were made or deleted.
#[derive(Clone, Default)]
pub struct Roster {
    /// Boxed: most receipts name one object or none, and a receipt is handed on by value.
    ids: Box<ObjectIds>,
    /// All uids, one after the other.
    uids: String,
    /// Where each uid ends.
    ends: Vec<usize>,
}

impl Roster {
    /// Adds one at the end.
    pub fn push(&mut self, made: &Made) {
        self.ids.push(&made.id);
        self.uids.push_str(&made.uid);
        self.ends.push(self.uids.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// One of them, made again.
    pub fn get(&self, at: usize) -> Option<Made> {
        Some(Made {
            id: self.ids.get(at)?,
            uid: self.uid(at)?.to_owned(),
        })
    }

    /// All of them, each made again.
    pub fn iter(&self) -> impl Iterator<Item = Made> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The uids, in the order of the objects.
    pub fn uids(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.uid(at))
    }

    fn uid(&self, at: usize) -> Option<&str> {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before));
        self.uids
            .get(from.copied().unwrap_or_default()..*self.ends.get(at)?)
    }
}

impl Extend<Made> for Roster {
    fn extend<I: IntoIterator<Item = Made>>(&mut self, all: I) {
        all.into_iter().for_each(|made| self.push(&made));
    }
}

impl FromIterator<Made> for Roster {
    fn from_iter<I: IntoIterator<Item = Made>>(all: I) -> Self {
        let mut roster = Self::default();
        roster.extend(all);
        roster
    }
}

impl PartialEq for Roster {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Roster {}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Roster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Roster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each)
    }
}

struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Roster;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects and their uids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Roster, A::Error> {
        let mut roster = Roster::default();
        while let Some(made) = seq.next_element()? {
            roster.push(&made);
        }
        Ok(roster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(namespace: Option<&str>, name: &str, uid: &str) -> Made {
        Made {
            id: ObjectId {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: namespace.map(str::to_owned),
                name: name.into(),
            },
            uid: uid.into(),
        }
    }

    #[test]
    fn objects_come_out_as_they_went_in_and_are_stored_as_a_plain_list() {
        let plain = vec![
            made(Some("shop"), "settings", "u-1"),
            made(None, "", ""),
            made(Some(""), "settings", "u-2"),
            made(Some("shop"), "settings", "u-1"),
        ];
        let roster: Roster = plain.iter().cloned().collect();
        assert_eq!(roster.iter().collect::<Vec<_>>(), plain);
        assert_eq!(roster.uids().collect::<Vec<_>>(), ["u-1", "", "u-2", "u-1"]);
        let stored = serde_json::to_string(&plain).unwrap();
        assert_eq!(serde_json::to_string(&roster).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Roster>(&stored).unwrap(), roster);
        let shorter: Roster = plain.into_iter().take(3).collect();
        assert_ne!(shorter, roster);
        assert_eq!(roster.get(4), None);
    }
}
