//! What time it is in a run: the only clock that the driver looks at.
//!
//! ## Why two clocks
//!
//! Durations come from a monotonic clock, so that nobody who sets the machine's clock can make a run time
//! out. It is tokio's, so that a simulation with stopped time carries a four-hour failover in milliseconds.
//! The wall clock only stamps entries for people.

use jiff::Timestamp;
use tokio::time::Instant;

use super::Entry;

/// One moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall-clock time, for people.
    pub at: Timestamp,
    /// Milliseconds since the run began.
    pub elapsed_ms: u64,
}

/// The clock of one process that carries a run.
#[derive(Clone, Copy, Debug)]
pub struct Timekeeper {
    started: Instant,
    /// The run's clock when this process started.
    base_ms: u64,
    /// In a simulation the wall clock starts here and follows tokio's time.
    simulated: Option<Timestamp>,
}

impl Timekeeper {
    /// For a run that begins now.
    pub fn begin() -> Self {
        Self::at(0, None)
    }

    /// For a run that goes on: the clock continues by the difference of wall-clock times, and never falls.
    pub fn resume(entries: &[Entry]) -> Self {
        Self::at(resumed_ms(entries, wall_clock()), None)
    }

    /// For a simulation: the wall clock starts at `from`.
    pub fn simulated(from: Timestamp) -> Self {
        Self::at(0, Some(from))
    }

    /// For a simulated run that goes on at `from`.
    pub fn simulated_resume(entries: &[Entry], from: Timestamp) -> Self {
        Self::at(resumed_ms(entries, from), Some(from))
    }

    fn at(base_ms: u64, simulated: Option<Timestamp>) -> Self {
        Self {
            started: Instant::now(),
            base_ms,
            simulated,
        }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let passed = self.started.elapsed();
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let at = match self.simulated {
            Some(from) => from.saturating_add(passed).unwrap_or(from),
            None => wall_clock(),
        };
        Moment {
            at,
            elapsed_ms: self.base_ms.saturating_add(passed_ms),
        }
    }

    /// When the run's clock shows this; for waiting.
    pub fn instant(&self, elapsed_ms: u64) -> Instant {
        let wait_ms = elapsed_ms.saturating_sub(self.base_ms).min(FAR_MS);
        self.started + std::time::Duration::from_millis(wait_ms)
    }
}

/// A year: what lies further ahead need not be told apart, and adding it to an instant never overflows.
const FAR_MS: u64 = 365 * 24 * 3600 * 1000;

fn resumed_ms(entries: &[Entry], now: Timestamp) -> u64 {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return 0;
    };
    let passed_ms = now.as_millisecond().saturating_sub(first.at.as_millisecond());
    u64::try_from(passed_ms).unwrap_or(0).max(last.elapsed_ms)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver's clock is where wall-clock time enters a run"
)]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Event, Operator};

    fn entry(at: &str, elapsed_ms: u64) -> Entry {
        Entry {
            seq: 0,
            at: at.parse().unwrap(),
            elapsed_ms,
            prev: String::new(),
            event: Event::Resumed {
                operator: Operator {
                    name: "anna".into(),
                    host: "laptop".into(),
                    pid: 1,
                },
            },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_both_clocks() {
        let clock = Timekeeper::simulated("2026-11-22T23:00:00Z".parse().unwrap());
        tokio::time::advance(std::time::Duration::from_hours(1)).await;
        let now = clock.now();
        assert_eq!(now.at.to_string(), "2026-11-23T00:00:00Z");
        assert_eq!(now.elapsed_ms, 3_600_000);
    }

    #[test]
    fn a_resumed_clock_goes_on_and_never_falls() {
        let entries = [
            entry("2026-11-22T23:00:00Z", 0),
            entry("2026-11-22T23:01:00Z", 60_000),
        ];
        let later = "2026-11-22T23:10:00Z".parse().unwrap();
        assert_eq!(resumed_ms(&entries, later), 600_000);
        let set_back = "2016-11-22T23:00:00Z".parse().unwrap();
        assert_eq!(resumed_ms(&entries, set_back), 60_000);
    }
}
