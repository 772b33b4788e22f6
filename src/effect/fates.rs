//! The fates of a restore's objects: many, each in as few bytes as it takes.
//!
//! ## Why
//!
//! A plan is held as long as its run lasts, and a preview names every object of a backup. As texts of their
//! own an object took about 260 bytes, most of them the same few kinds, namespaces and reasons; here it
//! is its name and some 40. In a stored plan nothing of this shows.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::seen::{Fate, FateOf};
use crate::objects::{Names, ObjectIds};
use crate::text::each;

/// What would become of each object, in the order of restoring.
#[derive(Clone, Default)]
pub struct Fates {
    ids: ObjectIds,
    reasons: Names,
    /// As many as there are objects.
    rows: Vec<Row>,
    /// Whose fields are changed; the rows say how many of these are theirs.
    losers: Vec<String>,
}

#[derive(Clone, Copy)]
struct Row {
    /// Where its losers end. They begin where those of the one before end.
    losers_end: u32,
    why: u32,
    fate: Fate,
}

impl Fates {
    /// Adds one at the end.
    pub fn push(&mut self, one: FateOf) {
        self.ids.push(&one.id);
        self.losers.extend(one.takes_from);
        self.rows.push(Row {
            // Whose fields are changed is a handful per object, and objects are at most a million.
            losers_end: u32::try_from(self.losers.len()).unwrap_or(u32::MAX),
            why: self.reasons.number(&one.why),
            fate: one.fate,
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

    /// How many objects have this fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.rows.iter().filter(|row| row.fate == fate).count()
    }

    /// All of them, each made again.
    pub fn iter(&self) -> impl Iterator<Item = FateOf> {
        (0..self.rows.len()).filter_map(|at| self.get(at))
    }

    fn get(&self, at: usize) -> Option<FateOf> {
        let row = self.rows.get(at)?;
        let before = at.checked_sub(1).and_then(|at| self.rows.get(at));
        let losers_from = before.map_or(0, |row| row.losers_end);
        let losers = self.losers.get(losers_from as usize..row.losers_end as usize);
        Some(FateOf {
            fate: row.fate,
            id: self.ids.get(at)?,
            why: self.reasons.text(row.why).to_owned(),
            takes_from: losers?.to_vec(),
        })
    }
}

impl FromIterator<FateOf> for Fates {
    fn from_iter<I: IntoIterator<Item = FateOf>>(all: I) -> Self {
        let mut fates = Self::default();
        all.into_iter().for_each(|one| fates.push(one));
        fates
    }
}

impl PartialEq for Fates {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Fates {}

impl fmt::Debug for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Fates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fates = Self::default();
        each(deserializer, "objects and what becomes of them", |one| {
            fates.push(one);
            Ok(())
        })?;
        Ok(fates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ObjectId;

    fn fate(fate: Fate, namespace: Option<&str>, name: &str, from: &[&str]) -> FateOf {
        FateOf {
            fate,
            id: ObjectId {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: namespace.map(str::to_owned),
                name: name.into(),
            },
            why: if from.is_empty() { "" } else { "differs" }.into(),
            takes_from: from.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn fates_come_out_as_they_went_in_and_are_stored_as_a_plain_list() {
        let plain = vec![
            fate(Fate::Create, Some("shop"), "web", &[]),
            fate(
                Fate::Update,
                Some("shop"),
                "worker",
                &["helm (spec.replicas)", "kubectl (spec)"],
            ),
            fate(Fate::Skip, None, "", &[]),
            fate(Fate::Update, Some(""), "web", &["helm (spec)"]),
            fate(Fate::Create, Some("shop"), "web", &[]),
        ];
        let fates: Fates = plain.iter().cloned().collect();
        assert_eq!(fates.iter().collect::<Vec<_>>(), plain);
        assert_eq!((fates.len(), fates.count(Fate::Update)), (5, 2));
        let stored = serde_json::to_string(&plain).unwrap();
        assert_eq!(serde_json::to_string(&fates).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Fates>(&stored).unwrap(), fates);
        let shorter: Fates = plain.into_iter().take(4).collect();
        assert_ne!(shorter, fates);
    }
}
