//! Schedules: what is due, what became of it, and how that is shown to people and to a monitoring system.
//!
//! Pure but for the file of [`book`]: it is told the time and what is known of runs, and says what follows. Who
//! plans, begins and drives runs is [`crate::cli`], by the code of `lifeboat drill` and `lifeboat protect`.

pub mod board;
pub mod book;
pub mod ledger;
pub mod metrics;
pub mod page;
pub mod turn;

pub use board::{Board, RUNS_SHOWN};
pub use book::{Book, BookError};
pub use ledger::{Counts, End, Illegal, Intent, Ledger, Line, Record, Rule};
pub use metrics::{CONTENT_TYPE, metrics};
pub use page::{page, report_of};
pub use turn::{NOBODY, Ready, Schedules, Trace, Turn, id_of, next_after, renamed, settle, turn as look};

#[cfg(test)]
mod tests;
