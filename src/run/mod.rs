//! A run: its events, the pure engine that decides, the journal that remembers, the driver that carries.

mod engine;
mod event;
mod id;
#[cfg(test)]
mod testing;

pub use engine::{
    Blocker, Commands, Course, Engine, Errand, ErrandKind, Hold, IllegalEvent, OpenQuestion, Order,
    QuestionPolicy, Refused, Sight, StepState, Ticket, Timing, What,
};
pub use event::{Answer, Beginning, Entry, Event, Operator, Outcome, Phase, RunId, Verdict};
pub use id::short_id;
