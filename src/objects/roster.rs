//! Many objects by name and uid, each in as few bytes as it takes.
//!
//! ## Why
//!
//! A receipt names every object that a restore made, and is kept until its report is written. As texts of
//! their own one took about 250 bytes, most of them the same few kinds and namespaces; here it is its name,
//! its uid and some 30. In a journal nothing of this shows.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::identity::{Made, ObjectId};
use super::names::{Names, Texts};
use crate::text::each;

/// The names of many objects, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct ObjectIds {
    /// API versions, kinds and namespaces.
    common: Names,
    names: Texts,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    api_version: u32,
    kind: u32,
    /// `None` for cluster-scoped objects.
    namespace: Option<u32>,
}

impl ObjectIds {
    /// Adds one at the end.
    pub fn push(&mut self, id: &ObjectId) {
        self.names.push(&id.name);
        self.rows.push(Row {
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
        let text = |number| self.common.text(number).to_owned();
        Some(ObjectId {
            api_version: text(row.api_version),
            kind: text(row.kind),
            namespace: row.namespace.map(text),
            name: self.names.get(at)?.to_owned(),
        })
    }
}

/// Objects that were made or deleted.
#[derive(Clone, Default)]
pub struct Roster {
    /// Boxed: most receipts name one object or none, and a receipt is handed on by value.
    ids: Box<ObjectIds>,
    uids: Texts,
}

impl Roster {
    /// Adds one at the end.
    pub fn push(&mut self, made: &Made) {
        self.ids.push(&made.id);
        self.uids.push(&made.uid);
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
            uid: self.uids.get(at)?.to_owned(),
        })
    }

    /// All of them, each made again.
    pub fn iter(&self) -> impl Iterator<Item = Made> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The uids, in the order of the objects.
    pub fn uids(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.uids.get(at))
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
        let mut roster = Self::default();
        each(deserializer, "objects and their uids", |made: Made| {
            roster.push(&made);
            Ok(())
        })?;
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
