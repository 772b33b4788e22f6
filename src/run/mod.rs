//! A run: its events, the pure engine that decides, the journal that remembers, the driver that carries.

mod aside;
mod clock;
mod drive;
mod engine;
mod epoch;
mod event;
mod fence;
pub(crate) mod files;
mod id;
mod inbox;
mod incident;
mod journal;
mod mirror;
#[cfg(test)]
mod testing;

pub use clock::{Moment, Timekeeper};
pub use drive::{Ended, Placed, Run, RunError, Watch, Wiring};
pub use engine::{
    Blocker, Commands, Course, Engine, Errand, ErrandKind, Hold, IllegalEvent, OpenQuestion, Order,
    QuestionPolicy, Refused, Sight, StepState, Ticket, Timing, What, waits_for_login,
};
pub use epoch::{Claim, Denied, Wanted, free, holder, last_epoch, newest as newest_claim};
pub use event::{Answer, Beginning, Entry, Event, Finding, Operator, Outcome, Phase, RunId, Verdict};
pub use fence::Fence;
pub use id::short_id;
pub use inbox::{Inbox, SubmitError, Submitted, submit};
pub use incident::{Declaration, Happened, Incident, Incidents, Notice, gathered, spread, standing};
pub use journal::{History, Journal, JournalError, Tape, Torn, bring_up, put_back, set_aside};
pub use mirror::{
    Fate, Fleet, Found, Head, Kept, Lag, Lost, MACHINE, OBJECT_MAX, Shelf, Superseded, Unreleased, gather,
    runs as mirrored_runs,
};
