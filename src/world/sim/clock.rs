//! The embedded world's clock: a given beginning, moved by tokio's time.
//!
//! Under a paused runtime nothing passes but what is waited for, so a simulated failover of four
//! hours takes milliseconds and has the same timestamps each time.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When the embedded world began, and what tokio's clock showed then.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    start: Timestamp,
    origin: Instant,
}

impl SimClock {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            origin: Instant::now(),
        }
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        self.at(self.elapsed_ms())
    }

    /// Milliseconds since the beginning.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What it shows that many milliseconds after the beginning.
    pub(super) fn at(&self, elapsed_ms: u64) -> Timestamp {
        let passed = SignedDuration::from_millis(i64::try_from(elapsed_ms).unwrap_or(i64::MAX));
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// As Kubernetes writes it: whole seconds, UTC.
pub(super) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
