//! A run: its events, the pure engine that decides, the journal that remembers, the driver that carries.

mod event;

pub use event::{Answer, Beginning, Entry, Event, Operator, Outcome, Phase, RunId, Verdict};
