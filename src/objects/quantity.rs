//! Amounts as Kubernetes writes them: `100m`, `1.5Gi`, `1e3`. Exact, to a thousand-millionth.
//!
//! Not here: what is counted (`usage`), and against which limit (`quota`).

use std::fmt;
use std::ops::Neg;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// An amount in thousand-millionths of its unit; what is finer is rounded away from zero, as the API
/// server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// Parts of one unit.
const NANO: i128 = 1_000_000_000;
/// More digits than any real amount has; fewer than would overflow before they are looked at.
const DIGITS_MAX: usize = 28;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One piece.
    pub const ONE: Self = Self(NANO);

    /// A number of pieces.
    pub fn count(pieces: u64) -> Self {
        Self(i128::from(pieces) * NANO)
    }

    /// Reads it; `None` where it is none, or larger than can be counted.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{part}");
        if digits.is_empty() || digits.len() > DIGITS_MAX || part.contains('.') {
            return None;
        }
        let digits: i128 = digits.parse().ok()?;
        let (times, by) = factor(suffix)?;
        let above = digits.checked_mul(times)?.checked_mul(NANO)?;
        let below = by.checked_mul(10_i128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
        let amount = above / below + i128::from(above % below != 0);
        Some(Self(if negative { -amount } else { amount }))
    }

    /// Reads it off a field, where it may also stand as a number.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// The sum; the largest amount instead of one that cannot be counted any more.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whole units, rounded down; nothing where it is less than nothing.
    pub fn whole(self) -> u64 {
        u64::try_from((self.0 / NANO).max(0)).unwrap_or(u64::MAX)
    }

    /// So many times this.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// As Kubernetes writes it.
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no amount")))
    }
}

/// What a suffix multiplies and divides by.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    let power = |base: i128, exponent: u32| base.checked_pow(exponent);
    let decimal = |exponent| Some((power(10, exponent)?, 1));
    let binary = |exponent| Some((power(1024, exponent)?, 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, NANO)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let size = power(10, exponent.unsigned_abs())?;
            Some(if exponent < 0 { (1, size) } else { (size, 1) })
        }
    }
}

/// `3500m`, `12`, `10Gi`: sizes in the largest unit that shows all of them.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % NANO != 0 {
            let finest = [(1_000_000, "m"), (1000, "u"), (1, "n")];
            let shown = finest.iter().find(|(size, _)| self.0 % size == 0);
            return shown.map_or(Ok(()), |(size, unit)| write!(f, "{}{unit}", self.0 / size));
        }
        let whole = self.0 / NANO;
        let units = [(4, "Ti"), (3, "Gi"), (2, "Mi")];
        let fits = |(power, _): &&(u32, &str)| whole != 0 && whole % 1024_i128.pow(*power) == 0;
        match units.iter().find(fits) {
            Some((power, unit)) => write!(f, "{}{unit}", whole / 1024_i128.pow(*power)),
            None => write!(f, "{whole}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn every_spelling_of_an_amount_is_the_same_amount() {
        for (left, right) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1E", "1e18"),
            ("12e-1", "1200m"),
            ("100u", "100000n"),
            ("+2", "2"),
            ("1Ki", "1024"),
        ] {
            assert_eq!(quantity(left), quantity(right), "{left} {right}");
        }
        assert!(quantity("1G") < quantity("1Gi"));
        assert_eq!(quantity("0.1n"), quantity("1n"), "rounded up, as the server does");
        assert_eq!(-quantity("3"), quantity("-3"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", "-", ".", "Gi", "1.2.3", "1gi", "1 Gi", "1e", "1e3Ki", "1e99", "٣", "0x10",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        for text in ["3500m", "12", "10Gi", "1536Mi", "0", "-2", "7n"] {
            assert_eq!(quantity(text).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_shown_amount_is_read_as_itself(nano in -i128::from(i64::MAX)..i128::from(i64::MAX)) {
            let amount = Quantity(nano);
            prop_assert_eq!(Quantity::parse(&amount.to_string()), Some(amount));
        }

        #[test]
        fn fractions_and_whole_numbers_of_smaller_units_agree(thousandths in 0_u32..10_000_000) {
            let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
            prop_assert_eq!(Quantity::parse(&text), Quantity::parse(&format!("{thousandths}m")));
        }

        #[test]
        fn no_text_breaks_it(text in "[-+0-9.eEKMGTPinumk]{0,40}") {
            let _ = Quantity::parse(&text);
        }

        #[test]
        fn so_many_times_is_so_many_sums(milli in 0_u64..1_000_000, count in 0_u64..50) {
            let one = quantity(&format!("{milli}m"));
            let sum = (0..count).fold(Quantity::ZERO, |sum, _| sum.plus(one));
            prop_assert_eq!(one.times(count), sum);
        }
    }
}
