//! Which record of a journal was changed, removed, moved or added.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::sha256_hex;

/// SHA-256 of each line, without its newline.
pub(super) fn digests(journal: &[u8]) -> Vec<String> {
    let lines = journal.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| sha256_hex(line.strip_suffix(b"\n").unwrap_or(line)))
        .collect()
}

/// Every difference between a journal and what it should hold, in sentences. Records count from 0, as their
/// `seq` does.
pub(super) fn differences(path: &str, known: &[String], journal: &[u8]) -> Vec<String> {
    let found = digests(journal);
    let place: BTreeMap<&str, usize> = known.iter().map(String::as_str).zip(0..).collect();
    let found: Vec<Option<usize>> = found
        .iter()
        .map(|digest| place.get(digest.as_str()).copied())
        .collect();
    let mut missing: Vec<bool> = vec![true; known.len()];
    let mut said = Vec::new();
    let mut seen_twice = Vec::new();
    for at in found.iter().flatten() {
        if !std::mem::replace(&mut missing[*at], false) {
            seen_twice.push(*at);
        }
    }
    said.extend(strangers(path, &found, &mut missing));
    said.extend(
        seen_twice
            .iter()
            .map(|at| format!("{path}: record {at} stands there twice.")),
    );
    said.extend(moved(path, &found));
    let gone = missing.iter().enumerate().filter(|(_, missing)| **missing);
    said.extend(gone.map(|(at, _)| format!("{path}: record {at} was removed.")));
    if said.is_empty() {
        // Every record is there in its place: only what ends a line can differ.
        said.push(format!("{path}: its line breaks were changed."));
    }
    said
}

/// Lines that the manifest does not know: another text of a record that is missing there, or added ones.
fn strangers(path: &str, found: &[Option<usize>], missing: &mut [bool]) -> Vec<String> {
    let mut said = Vec::new();
    let mut next = 0;
    for one in found {
        if let Some(at) = one {
            next = at + 1;
            continue;
        }
        match missing.get_mut(next) {
            Some(gone @ true) => {
                *gone = false;
                said.push(format!("{path}: record {next} was changed."));
                next += 1;
            }
            _ if next == 0 => said.push(format!("{path}: a record was added before record 0.")),
            _ => said.push(format!("{path}: a record was added after record {}.", next - 1)),
        }
    }
    said
}

/// Records that do not stand in the order of the others: all but the longest run that does.
fn moved(path: &str, found: &[Option<usize>]) -> Vec<String> {
    // One that stands there twice is said already.
    let mut seen = BTreeSet::new();
    let first = |at: &usize| seen.insert(*at);
    let places: Vec<usize> = found.iter().flatten().copied().filter(first).collect();
    let kept = longest_rising(&places);
    let out_of_place = (0..places.len()).filter(|at| kept.binary_search(at).is_err());
    let sentence = |at: usize| match at.checked_sub(1) {
        Some(before) => format!(
            "{path}: record {} was moved behind record {}.",
            places[at], places[before]
        ),
        None => format!("{path}: record {} was moved to the beginning.", places[at]),
    };
    out_of_place.map(sentence).collect()
}

/// Positions of a longest strictly rising subsequence, in order.
fn longest_rising(values: &[usize]) -> Vec<usize> {
    // `ends[n]`: position of the smallest value that ends a rising sequence of length n + 1.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let length = ends.partition_point(|end| values[*end] < *value);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut way: Vec<usize> = std::iter::successors(ends.last().copied(), |at| before[*at]).collect();
    way.reverse();
    way
}
