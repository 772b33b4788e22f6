//! Durations as people write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A duration in milliseconds, written `15m`, `1h30m`, `250ms`.
///
/// A bare number is refused (seconds or minutes?), and so are days and months, which are not always
/// the same length.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "duration"))]
pub struct Millis(pub u64);

impl Millis {
    /// Of whole seconds, in which DNS counts.
    pub const fn of_seconds(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }
}

impl std::str::FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is not a duration; write it like 30s, 15m, 1h30m or 250ms");
        let duration: jiff::SignedDuration = text.trim().parse().map_err(|_| refused())?;
        u64::try_from(duration.as_millis())
            .map(Self)
            .map_err(|_| format!("`{text}` is negative or too long"))
    }
}

impl TryFrom<String> for Millis {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Millis> for String {
    fn from(millis: Millis) -> Self {
        millis.to_string()
    }
}

/// The shortest honest form: `250ms`, `19s`, `12m`, `1h30m`; reads back as the same duration.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3_600_000, self.0 / 60_000 % 60, self.0 / 1000 % 60);
        let millis = self.0 % 1000;
        let parts = [(hours, "h"), (minutes, "m"), (seconds, "s"), (millis, "ms")];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
    }
}

/// A time of days in milliseconds, written `30d`, or shorter ones as [`Millis`] are. A day is 24 hours: this
/// is about age, not about a calendar.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Period(pub u64);

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |_| format!("`{text}` is not a time; write it like 90d or 36h");
        let Some(days) = text.strip_suffix('d') else {
            return text
                .parse::<Millis>()
                .map(|millis| Self(millis.0))
                .map_err(refused);
        };
        let days: Option<u64> = days.parse().ok();
        days.and_then(|days| days.checked_mul(DAY_MS))
            .map(Self)
            .ok_or_else(|| refused(String::new()))
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Whole days as days.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 && self.0.is_multiple_of(DAY_MS) {
            write!(f, "{}d", self.0 / DAY_MS)
        } else {
            Millis(self.0).fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1d", "90d", "36h", "250ms"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["d", "-1d", "1.5d", "30", "1w", "999999999999999d"] {
            let error = text.parse::<Period>().unwrap_err();
            assert_eq!(error, format!("`{text}` is not a time; write it like 90d or 36h"));
        }
    }
}
