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
