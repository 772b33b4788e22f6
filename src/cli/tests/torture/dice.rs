//! Chance that can be had again: everything a seed decides, in streams that do not disturb each other.

/// A stream of numbers (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// What follows from a seed and a name.
    pub(super) fn stream(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |all, byte| {
            (all ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut dice = Self(mixed);
        dice.next();
        dice
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of so many, from 0.
    pub(super) const fn below(&mut self, of: u64) -> u64 {
        self.next() % of
    }

    /// Between two numbers, both included.
    pub(super) const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True so many times of a thousand.
    pub(super) const fn permille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }
}
