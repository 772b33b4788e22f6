//! Names of runs.

use std::hash::{BuildHasher as _, Hasher as _};

use super::RunId;
use crate::runbook::Mode;

/// Digits and lower-case letters without `i`, `l`, `o` and `u`: read aloud over a bad line, none is taken
/// for another, and none makes a word.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Twenty bits: people can say it, and two runs of one runbook get the same one once in a million. Then the
/// journal refuses, because the folder is there; uniqueness does not rest on chance.
const LENGTH: usize = 4;

impl RunId {
    /// `shop-d-4k2w`.
    pub fn new(runbook: &str, mode: Mode, id: &str) -> Self {
        Self(format!("{runbook}-{}-{id}", mode.letter()))
    }
}

/// Four random characters, different enough for the names of runs and sandboxes.
///
/// The standard library's hasher is keyed from the operating system's random source, which is all that is
/// wanted here: nothing secret depends on it, so no dependency is taken for it.
pub fn short_id() -> String {
    let mut bits = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    let mut id = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        id.push(char::from(ALPHABET[(bits % 32) as usize]));
        bits /= 32;
    }
    id
}

/// Bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_runbook_and_mode() {
        let names = Mode::ALL.map(|mode| RunId::new("shop", mode, "4k2w").0);
        assert_eq!(
            names,
            [
                "shop-d-4k2w",
                "shop-s-4k2w",
                "shop-f-4k2w",
                "shop-b-4k2w",
                "shop-p-4k2w"
            ]
        );
    }

    #[test]
    fn ids_are_short_plain_and_differ() {
        let ids: std::collections::BTreeSet<String> = (0..100).map(|_| short_id()).collect();
        assert!(ids.len() > 95, "{} different ids of 100", ids.len());
        for id in &ids {
            assert_eq!(id.len(), 4);
            assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
        }
    }
}
