//! Which story counts, where mirrors tell different ones of a run.
//!
//! Two processes that went on with a run, each in a mirror that the other did not reach, leave two continuations of one
//! beginning. Something was begun because of a record only when it was released, so:
//!
//! - The continuation that may have been released is the one. There is no second such one where more than half of the
//!   mirrors have to hold a record; where fewer are enough there may be, and a person has to look.
//! - Where none was released, nothing was begun because of either, and any will do that can still be released. Of a
//!   process that was at work it is taken before that of a newcomer, who can have done nothing yet; then the
//!   longer one.
//!
//! A choice binds nobody who does not see it: it counts once enough mirrors hold the chooser's next record, which stores
//! decide as they do for every record. Who chose otherwise at the same time finds it there, and halts.

use std::cmp::Reverse;

use crate::run::{Entry, Event};

/// What is to be believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// For each story, the first record of it that does not count.
    pub(super) astray: Vec<Option<u64>>,
    /// The record from which on it was a choice: nobody had released it.
    pub(super) chosen: Option<u64>,
}

/// Two stories of which nobody can say which counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parted {
    pub(super) one: usize,
    pub(super) other: usize,
    /// The first record in which they differ.
    pub(super) record: u64,
    /// Whether either may have been released; else neither was, and neither can be any more.
    pub(super) open: bool,
    /// Others, as in a [`Verdict`].
    pub(super) astray: Vec<Option<u64>>,
}

/// Mirrors whose stories hold the same record where others hold another one: never none.
type Branch<'a> = Vec<(usize, &'a [Entry])>;

/// `told`: what each mirror holds, maybe nothing; `None`: nobody knows. `needed`: how many of them have to hold a record.
pub(super) fn judge(told: &[Option<&[Entry]>], needed: usize) -> Result<Verdict, Parted> {
    let silent = told.iter().filter(|story| story.is_none()).count();
    let mut verdict = Verdict {
        astray: vec![None; told.len()],
        chosen: None,
    };
    loop {
        let alive: Vec<(usize, &[Entry])> = (0..told.len())
            .filter(|at| verdict.astray[*at].is_none())
            .filter_map(|at| Some((at, told[at]?)))
            .collect();
        let Some(record) = parting(&alive) else {
            return Ok(verdict);
        };
        let branches = branches(&alive, record);
        let short = alive.iter().filter(|(_, story)| story.len() <= record).count();
        let may_be_held = |branch: &&Branch<'_>, others: usize| branch.len() + others >= needed;
        let released: Vec<&Branch<'_>> = branches
            .iter()
            .filter(|branch| may_be_held(branch, silent))
            .collect();
        let winner = match released[..] {
            [one] => Some(one),
            [_, _, ..] => None,
            [] => {
                verdict.chosen.get_or_insert(record as u64);
                let possible = branches
                    .iter()
                    .filter(|branch| may_be_held(branch, silent + short));
                possible.min_by_key(|branch| rank(branch, record))
            }
        };
        let Some(winner) = winner else {
            return Err(Parted {
                one: branches[0][0].0,
                other: branches[1][0].0,
                record: record as u64,
                open: !released.is_empty(),
                astray: verdict.astray,
            });
        };
        let losers = branches.iter().filter(|branch| branch[0].0 != winner[0].0);
        for (at, _) in losers.flatten() {
            verdict.astray[*at] = Some(record as u64);
        }
    }
}

/// The first record that two of these have and that is not the same.
fn parting(alive: &[(usize, &[Entry])]) -> Option<usize> {
    let (_, longest) = alive.iter().max_by_key(|(_, story)| story.len())?;
    let differs = |(_, story): &(usize, &[Entry])| {
        let mut pairs = story.iter().zip(*longest);
        pairs.position(|(one, other)| one != other)
    };
    alive.iter().filter_map(differs).min()
}

/// Those that have this record, by what it is.
fn branches<'a>(alive: &[(usize, &'a [Entry])], record: usize) -> Vec<Branch<'a>> {
    let mut branches: Vec<Branch<'a>> = Vec::new();
    for one in alive.iter().filter(|(_, story)| story.len() > record) {
        let same = |branch: &&mut Branch<'a>| branch[0].1[record] == one.1[record];
        match branches.iter_mut().find(same) {
            Some(branch) => branch.push(*one),
            None => branches.push(vec![*one]),
        }
    }
    branches
}

/// The lowest is taken.
fn rank(branch: &Branch<'_>, record: usize) -> (bool, Reverse<usize>) {
    let newcomer = matches!(branch[0].1[record].event, Event::Resumed { .. });
    let longest = branch.iter().map(|(_, story)| story.len()).max();
    (newcomer, Reverse(longest.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::run::testing::operator;

    /// A story in letters: of each record, which process wrote it; a capital one takes the run up.
    fn story(letters: &str) -> Vec<Entry> {
        let entry = |(seq, letter): (usize, char)| Entry {
            seq: seq as u64,
            prev: String::new(),
            at: "2026-11-22T23:00:00Z".parse().unwrap(),
            elapsed_ms: 0,
            event: if letter.is_uppercase() {
                let mut operator = operator();
                operator.host = letter.to_string();
                Event::Resumed { operator }
            } else {
                Event::Noted {
                    by: letter.to_string(),
                    text: String::new(),
                }
            },
        };
        letters.chars().enumerate().map(entry).collect()
    }

    /// One word for each mirror; `?` is one that cannot be read, `-` one that holds nothing.
    fn judged(mirrors: &str, needed: usize) -> String {
        let words: Vec<&str> = mirrors.split(' ').collect();
        let read = |word: &&str| (*word != "?").then(|| story(word.trim_matches('-')));
        let stories: Vec<Option<Vec<Entry>>> = words.iter().map(read).collect();
        let told: Vec<Option<&[Entry]>> = stories.iter().map(Option::as_deref).collect();
        match judge(&told, needed) {
            Ok(verdict) => {
                let fate = |(word, astray): (&&str, &Option<u64>)| match astray {
                    Some(record) => format!("{word} astray at {record}"),
                    None => (*word).to_owned(),
                };
                let fates: Vec<String> = words.iter().zip(&verdict.astray).map(fate).collect();
                let chosen = verdict
                    .chosen
                    .map_or_else(String::new, |record| format!("; chosen at {record}"));
                format!("{}{chosen}", fates.join(", "))
            }
            Err(parted) => {
                let (one, other) = (words[parted.one], words[parted.other]);
                let why = if parted.open {
                    "may be either"
                } else {
                    "neither can be"
                };
                let astray = parted.astray.iter().flatten().count();
                format!("{one} or {other} at {}: {why}, {astray} astray", parted.record)
            }
        }
    }

    #[test]
    fn the_story_that_may_have_been_released_counts_and_where_none_was_one_is_chosen() {
        let table: Vec<String> = [
            ("aa aa aab", 2),
            // Two of three hold it.
            ("aaa aaa aaB", 2),
            ("aaa aaab aaBb", 2),
            // Nobody released anything: whoever was at work, then whoever wrote more.
            ("aaB aaa aa", 2),
            ("aab aaaa aa", 2),
            ("aaB aaCc -", 2),
            // The third may hold the one or the other.
            ("aaB aaa ?", 2),
            // Neither can ever be released.
            ("aaB aaa", 2),
            ("aaB aaa aaC", 2),
            ("aaC aabb aabbd", 2),
            ("aaC aabbe aabbd", 2),
            // One mirror is enough for a release, or none.
            ("aaB aaa aa", 1),
            ("aaB aaa aaa", 0),
            // Five.
            ("aab aaa aaa aa ?", 3),
            ("aab aaa aa aa ?", 3),
            ("aab aab aaa aaa ?", 3),
            ("aab aab aaa aaa aac", 3),
            // Twice, one after the other.
            ("aab aaaa aaac aaac aaa", 3),
        ]
        .iter()
        .map(|(mirrors, needed)| format!("{mirrors} ({needed} needed): {}", judged(mirrors, *needed)))
        .collect();
        assert_snapshot!(table.join("\n"), @"
        aa aa aab (2 needed): aa, aa, aab
        aaa aaa aaB (2 needed): aaa, aaa, aaB astray at 2
        aaa aaab aaBb (2 needed): aaa, aaab, aaBb astray at 2
        aaB aaa aa (2 needed): aaB astray at 2, aaa, aa; chosen at 2
        aab aaaa aa (2 needed): aab astray at 2, aaaa, aa; chosen at 2
        aaB aaCc - (2 needed): aaB astray at 2, aaCc, -; chosen at 2
        aaB aaa ? (2 needed): aaB or aaa at 2: may be either, 0 astray
        aaB aaa (2 needed): aaB or aaa at 2: neither can be, 0 astray
        aaB aaa aaC (2 needed): aaB or aaa at 2: neither can be, 0 astray
        aaC aabb aabbd (2 needed): aaC astray at 2, aabb, aabbd
        aaC aabbe aabbd (2 needed): aabbe or aabbd at 4: neither can be, 1 astray
        aaB aaa aa (1 needed): aaB or aaa at 2: may be either, 0 astray
        aaB aaa aaa (0 needed): aaB or aaa at 2: may be either, 0 astray
        aab aaa aaa aa ? (3 needed): aab astray at 2, aaa, aaa, aa, ?
        aab aaa aa aa ? (3 needed): aab, aaa astray at 2, aa, aa, ?; chosen at 2
        aab aab aaa aaa ? (3 needed): aab or aaa at 2: may be either, 0 astray
        aab aab aaa aaa aac (3 needed): aab or aaa at 2: neither can be, 0 astray
        aab aaaa aaac aaac aaa (3 needed): aab astray at 2, aaaa astray at 3, aaac, aaac, aaa; chosen at 3
        ");
    }
}
