//! The engine: what has happened in a run, and what is to be done next. Pure: no clock, no I/O, no task, no
//! chance. It is told events and what was seen, and says what to record, what to carry out, when to wake it.
//!
//! - `state`: what is known, and the shelves on which steps stand.
//! - `check`: which event may follow which state.
//! - `fold`: what an event does to the state.
//! - `decide`: what to do next; `errands`: what the world is told of it; `verdict`: how it all ended.
//! - `outcome`: what follows from what the world answered: success, retry, a second look, or unknown.
//! - `orders`: what people may order, and which event that is.
//! - `ask`: questions about a run, for terminals and reports.
//!
//! The state is the fold of the events and of nothing else. Beside it stands what is *in hands*: which open
//! intents this process is carrying out. That dies with the process, on purpose: after a replay an open
//! intent is in nobody's hands, so it is performed again or looked after.
//!
//! ## Why
//!
//! - **Commands in one value.** [`Engine::commands`] returns events, errands and the time to wake up. Its
//!   events are folded already; they must be durable before any of its errands begins.
//! - **Open intents after a crash.** An effect that only looks, or that may be repeated, is performed again
//!   under the attempt's own number: its intent is in the journal, and nothing was decided yet. For any other
//!   the world is asked first. If it was surely not done, a guarded effect is tried again under the next
//!   number, without counting against its attempts; an effect of class `once` fails and waits for a person.
//! - **`once` is never tried again by itself**, not even where surely nothing was sent: the number of its
//!   intents is at most one more than the number of orders to retry it.
//! - **A deadline is of one process's lifetime.** After `Resumed` every step under way has its full time
//!   again. Otherwise a run that was down for an hour would wake up only to fail.
//! - **Questions have no deadline and need no room.** A person is not timed out, and does not keep others
//!   from working. After the answer the step's own time starts anew.
//! - **Effects that only look are dropped** by a pause (and begun again after it) and by the end of a run:
//!   nobody should wait ten minutes for a wait.
//! - **A step left out by the plan ends when its needs have ended**, not at once: otherwise a step after it
//!   would overtake one before it.
//! - **A plan with `last` steps cleans up after itself**, so it never waits with the mess for a person: there
//!   a failure with `pause` or `undo`, and an unknown outcome, end the run as `stop` does, and the `last`
//!   steps run. Whatever they leave is `NotTornDown`.
//! - **A run that is stopped before anything was begun does nothing at all**, its `last` steps included: there is
//!   nothing to clean up. A run that was refused its group is ended so, and must not touch what another one
//!   works on.
//! - **A run does not end while a person still has to decide**: a failed step with `on_failure: pause` keeps
//!   it open until it is retried, skipped or marked as done, or the run is stopped.

mod ask;
mod check;
mod decide;
mod errands;
mod fold;
mod hands;
mod orders;
mod outcome;
mod state;
#[cfg(test)]
mod tests;
mod verdict;

pub use ask::{Blocker, OpenQuestion, StepState};
pub use decide::Commands;
pub use hands::{Errand, ErrandKind, Sight, Ticket};
pub use orders::{Order, Refused, What};
pub(in crate::run) use state::LIFEBOAT;
pub use state::{Course, Hold, Timing, waits_for_login};

use std::collections::BTreeSet;

use crate::effect::{Class, Effect};
use crate::plan::PlannedStep;
use crate::run::{Beginning, Entry, Event};

/// An event that may not happen in the present state: a damaged journal, or a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible: {because}")]
pub struct IllegalEvent {
    /// The event, as a person would name it.
    pub event: String,
    /// The state that forbids it.
    pub because: String,
}

/// What to do when nothing can go on but by a person's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuestionPolicy {
    /// Wait in this process: somebody sits at the terminal.
    Wait,
    /// Pause durably: nobody is there, and nobody guesses.
    #[default]
    Pause,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Engine {
    beginning: Beginning,
    /// Step → steps that need it.
    dependents: Vec<Vec<u32>>,
    has_last: bool,
    class_of: fn(&Effect) -> Class,
    questions: QuestionPolicy,
    state: state::State,
    hands: hands::Hands,
}

impl Engine {
    /// A run that has just begun.
    ///
    /// # Errors
    ///
    /// A beginning that no plan of this binary can have: another format, no room for any step, or needs
    /// that point forward, twice at the same step, or from an ordinary step to a `last` one.
    pub fn new(beginning: Beginning) -> Result<Self, IllegalEvent> {
        validate(&beginning).map_err(|because| IllegalEvent {
            event: "beginning".to_owned(),
            because,
        })?;
        let steps = &beginning.plan.steps;
        let mut dependents = vec![Vec::new(); steps.len()];
        for (index, step) in (0u32..).zip(steps) {
            for need in &step.needs {
                dependents[*need as usize].push(index);
            }
        }
        Ok(Self {
            dependents,
            has_last: steps.iter().any(|step| step.last),
            class_of: |effect| effect.meaning().class(),
            questions: QuestionPolicy::default(),
            state: state::State::new(&beginning.plan),
            hands: hands::Hands::default(),
            beginning,
        })
    }

    /// The run that a journal tells of. Its open intents are in nobody's hands.
    ///
    /// # Errors
    ///
    /// A journal that does not begin with `Began`, or an event that may not follow those before it.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, IllegalEvent> {
        let mut entries = entries.into_iter();
        let Some(Event::Began(beginning)) = entries.next().map(|entry| &entry.event) else {
            return Err(IllegalEvent {
                event: "resuming".to_owned(),
                because: "the journal does not start with the beginning of a run".to_owned(),
            });
        };
        let mut engine = Self::new((**beginning).clone())?;
        for entry in entries {
            engine.record(&entry.event, entry.elapsed_ms)?;
        }
        engine.hands.inherit();
        Ok(engine)
    }

    /// Takes one event in.
    ///
    /// # Errors
    ///
    /// An event that may not happen now; the engine is unchanged.
    pub fn record(&mut self, event: &Event, elapsed_ms: u64) -> Result<(), IllegalEvent> {
        self.check(event)?;
        self.fold(event, elapsed_ms);
        self.note_hands(event);
        Ok(())
    }

    /// What to do when only people can move the run on. Not part of the run: a setting of this process.
    pub const fn set_questions(&mut self, policy: QuestionPolicy) {
        self.questions = policy;
    }

    fn planned(&self, step: u32) -> &PlannedStep {
        &self.beginning.plan.steps[step as usize]
    }

    fn class(&self, effect: &Effect) -> Class {
        (self.class_of)(effect)
    }

    const fn concurrency(&self) -> usize {
        self.beginning.concurrency as usize
    }
}

fn validate(beginning: &Beginning) -> Result<(), String> {
    if beginning.format != Beginning::FORMAT {
        return Err(format!(
            "the journal has format {}, and this lifeboat knows format {}",
            beginning.format,
            Beginning::FORMAT
        ));
    }
    if beginning.concurrency == 0 {
        return Err("no step may run at all (concurrency 0)".to_owned());
    }
    for (index, step) in (0u32..).zip(&beginning.plan.steps) {
        let mut seen = BTreeSet::new();
        for need in &step.needs {
            let problem = if *need >= index {
                "needs a step that does not come before it"
            } else if !seen.insert(need) {
                "needs the same step twice"
            } else if !step.last && beginning.plan.steps[*need as usize].last {
                "needs a step that runs last"
            } else {
                continue;
            };
            return Err(format!("step {} {problem}", step.name));
        }
    }
    Ok(())
}
