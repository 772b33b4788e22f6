//! Texts by number, each kept once: the names in a backup repeat a lot, and there are many.
//!
//! ## Why
//!
//! A text of its own, once in a map and once in a list, took about 130 bytes beside its letters; all texts
//! in one, with a table of numbers, take some 20. A restore of 50,000 objects remembers 60,000 names.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

/// Many texts in the order in which they were added: eight bytes each beside their letters.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// All texts, one after the other.
    letters: String,
    /// Where each text ends. It begins where the one before ends.
    ends: Vec<usize>,
}

impl Texts {
    /// Adds one at the end.
    pub fn push(&mut self, text: &str) {
        self.letters.push_str(text);
        self.ends.push(self.letters.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<&str> {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let from = from.copied().unwrap_or_default();
        self.letters.get(from..*self.ends.get(at)?)
    }
}

/// Texts by number.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Texts,
    /// Numbers by the hash of their text.
    numbers: HashTable<u32>,
    /// Of its own for each collection: names come from archives, whoever wrote them.
    hasher: RandomState,
}

impl Names {
    /// The number of a text; the same text has the same number. Numbers count from 0 in the order in which
    /// texts are met first.
    pub fn number(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let Self { texts, hasher, .. } = self;
        if let Some(known) = self.numbers.find(hash, |known| numbered(texts, *known) == text) {
            return *known;
        }
        // Four thousand million names do not fit into memory.
        let number = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        texts.push(text);
        self.numbers
            .insert_unique(hash, number, |known| hasher.hash_one(numbered(texts, *known)));
        number
    }

    /// The text of a number of this collection.
    pub fn text(&self, number: u32) -> &str {
        numbered(&self.texts, number)
    }

    /// For every number its place in the order of the texts.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..).take(self.texts.len()).collect();
        sorted.sort_unstable_by_key(|number| self.text(*number));
        let mut ranks = vec![0; sorted.len()];
        for (number, rank) in sorted.into_iter().zip(0..) {
            ranks[number as usize] = rank;
        }
        ranks
    }
}

/// One of the texts; empty where the number is of another collection.
fn numbered(texts: &Texts, number: u32) -> &str {
    texts.get(number as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_has_the_same_number_and_a_number_its_text() {
        let mut names = Names::default();
        let words: Vec<String> = (0..500).map(|one| format!("name-{}", one % 250)).collect();
        let numbers: Vec<u32> = words.iter().map(|word| names.number(word)).collect();
        assert_eq!(numbers[..250], numbers[250..]);
        assert_eq!(numbers[..250], (0..250).collect::<Vec<_>>());
        for (word, number) in words.iter().zip(numbers) {
            assert_eq!(names.text(number), word);
        }
        assert_eq!(names.text(250), "");
    }

    #[test]
    fn an_empty_text_is_a_text_like_any_other() {
        let mut names = Names::default();
        let numbers = ["", "b", "", "a"].map(|text| names.number(text));
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!([0, 1, 2].map(|number| names.text(number)), ["", "b", "a"]);
        assert_eq!(names.ranks(), [0, 2, 1]);
    }
}
