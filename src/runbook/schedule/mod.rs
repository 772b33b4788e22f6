//! When a runbook is used without a person: `schedule` of its `spec`.

mod calendar;
pub(crate) mod form;
#[cfg(test)]
mod tests;
mod window;

pub use calendar::{BadCalendar, Calendar};
pub use window::{DAYS, Window, between};

use std::path::PathBuf;

use super::Mode;
use crate::text::Spanned;

/// One line of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// Unique in its runbook: the due times of this name are accounted for. Without one, the word of the mode.
    pub name: Spanned<String>,
    /// What is begun: a drill or a protection. Nothing that customers would notice begins by itself.
    pub mode: Mode,
    /// When.
    pub calendar: Calendar,
    /// Each due time is put off by a part of this that depends on its name and on itself, in milliseconds.
    pub jitter_ms: u64,
    /// How long after that it may still begin, in milliseconds; `None`: until the next one is due.
    pub deadline_ms: Option<u64>,
    /// When nothing is begun.
    pub blocked: Vec<Window>,
    /// It is left out while this file is there.
    pub unless: Option<PathBuf>,
    /// It is left out unless this answers so.
    pub only_if: Option<Answers>,
}

/// An address that has to answer well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// `http://` or `https://`.
    pub url: String,
    /// Exactly this status.
    pub status: u16,
    /// The body holds this text.
    pub body: Option<String>,
}

impl Scheduled {
    /// A drill may begin an hour late: long enough for a machine that restarts or for another run to end, short
    /// enough that what was meant for the night does not begin in the morning.
    pub const DRILL_DEADLINE_MS: u64 = 60 * 60 * 1000;

    /// The window that a wall clock is in at this instant.
    pub fn blocked_at(&self, instant: jiff::Timestamp) -> Option<&Window> {
        let wall = self.calendar.zone().to_datetime(instant);
        self.blocked.iter().find(|window| window.holds(wall))
    }
}
