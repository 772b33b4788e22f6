//! What is known of all services at one moment: what the page and the metrics are readings of.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ledger::{Counts, End};
use crate::report::{Readiness, Ready, Summary};
use crate::runbook::{Mode, Scheduled};

/// Everything that is shown.
#[derive(Clone, Debug)]
pub struct Board {
    /// When it was found out.
    pub at: Timestamp,
    /// In which times are shown.
    pub zone: TimeZone,
    /// The worst first.
    pub services: Vec<Service>,
    /// What a person has to know of the server itself.
    pub troubles: Vec<String>,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Whether it could be recovered.
    pub readiness: Readiness,
    /// For how long a proof is good, in milliseconds.
    pub proof_ms: u64,
    /// When its runbook is used without a person.
    pub lines: Vec<Line>,
    /// What is under way, with its beginning.
    pub under_way: Option<(String, Timestamp)>,
    /// Why its runbook cannot be read now; what is shown is of an earlier one.
    pub broken: Option<String>,
    /// Its newest runs, the newest first.
    pub runs: Vec<Summary>,
}

/// A line of a schedule.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What is begun.
    pub mode: Mode,
    /// When, as it was written.
    pub when: String,
    /// When it may begin next.
    pub next: Option<Timestamp>,
    /// What became of the last due time.
    pub last: Option<(Timestamp, End)>,
    /// How many ended how.
    pub counts: Counts,
    /// What keeps a due time from beginning now.
    pub held: Option<String>,
}

impl Line {
    /// Of a line of a runbook, before anything is known of it.
    pub fn of(said: &Scheduled) -> Self {
        Self {
            name: said.name.value.clone(),
            mode: said.mode,
            when: said.calendar.words(),
            next: None,
            last: None,
            counts: Counts::default(),
            held: None,
        }
    }
}

/// Newest runs of a service that are shown: a month of drills a day.
pub const RUNS_SHOWN: usize = 30;

impl Board {
    /// A board of nothing.
    pub fn empty(at: Timestamp, zone: TimeZone) -> Self {
        Self {
            at,
            zone,
            services: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Puts the worst first, and of equals the most important.
    pub fn sort(&mut self) {
        self.services.sort_by(|one, other| {
            let key = |service: &Service| {
                let of = &service.readiness;
                (
                    std::cmp::Reverse(rank(of.state)),
                    of.tier.unwrap_or(u8::MAX),
                    of.service.clone(),
                )
            };
            key(one).cmp(&key(other))
        });
    }
}

/// `never proven` is the absence of a proof: as bad as a recovery that failed, and no worse.
const fn rank(state: Ready) -> u8 {
    match state {
        Ready::Ready => 0,
        Ready::NeedsAttention => 1,
        Ready::NotReady | Ready::NeverProven => 2,
    }
}
