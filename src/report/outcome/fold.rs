//! The journal, entry by entry, into what is known of each step. Decides nothing and never fails: an
//! entry that makes no sense becomes a line in `problems`.

use jiff::Timestamp;

use super::{Act, AttemptResult, Deed, NoBeginning, State};
use crate::plan::{Digest, PlannedStep};
use crate::report::units::between_ms;
use crate::run::{Answer, Beginning, Entry, Event, Finding, Outcome, Phase};

/// What is known of a run so far.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    /// The first entry.
    pub(crate) begun: Beginning,
    /// When that was.
    pub(crate) began_at: Timestamp,
    /// Of the newest entry.
    pub(crate) last_at: Timestamp,
    /// Of the newest entry.
    pub(crate) elapsed_ms: u64,
    /// How the run stands.
    pub(crate) state: State,
    /// By index of the plan's step.
    pub(crate) steps: Vec<StepFold>,
    /// What people did.
    pub(crate) acts: Vec<Act>,
    /// What is wrong with the journal.
    pub(crate) problems: Vec<String>,
    /// When it was last taken up again; 0 if never.
    pub(crate) resumed_ms: u64,
    next_seq: u64,
}

/// What is known of one step.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepFold {
    /// In the order in which they began.
    pub(crate) attempts: Vec<AttemptFold>,
    /// How it ended, unless it has not or was ordered to be tried again.
    pub(crate) outcome: Option<Outcome>,
    /// When it ended.
    pub(crate) ended_ms: Option<u64>,
    /// When another try was last ordered; 0 if never.
    pub(crate) ordered_ms: u64,
}

/// One attempt of one effect.
#[derive(Clone, Debug)]
pub(crate) struct AttemptFold {
    pub(crate) phase: Phase,
    pub(crate) effect: u32,
    pub(crate) number: u32,
    pub(crate) began_ms: u64,
    pub(crate) ended_ms: Option<u64>,
    pub(crate) result: AttemptResult,
}

/// Which attempt an event speaks of.
#[derive(Clone, Copy)]
struct Place {
    step: u32,
    phase: Phase,
    effect: u32,
    attempt: u32,
}

impl Fold {
    /// Starts with the first entry.
    pub(crate) fn begin(entry: &Entry) -> Result<Self, NoBeginning> {
        let Event::Began(begun) = &entry.event else {
            return Err(NoBeginning);
        };
        let mut fold = Self {
            begun: (**begun).clone(),
            began_at: entry.at,
            last_at: entry.at,
            elapsed_ms: entry.elapsed_ms,
            state: State::Open,
            steps: vec![StepFold::default(); begun.plan.steps.len()],
            acts: Vec::new(),
            problems: Vec::new(),
            resumed_ms: 0,
            next_seq: 1,
        };
        fold.act(entry, Deed::Started, &begun.operator.name, None, "");
        if entry.seq != 0 {
            fold.problems
                .push(format!("the first entry has number {}, not 0", entry.seq));
        }
        if Digest::of(&begun.plan) != begun.digest {
            fold.problems.push(format!(
                "the plan in the journal does not have the digest {} that is written beside it",
                begun.digest.short()
            ));
        }
        Ok(fold)
    }

    /// Takes in the next entry.
    pub(crate) fn push(&mut self, entry: &Entry) {
        self.check_order(entry);
        self.last_at = entry.at;
        self.elapsed_ms = self.elapsed_ms.max(entry.elapsed_ms);
        if let Some((place, result)) = attempt_of(&entry.event) {
            return self.attempted(entry, place, result);
        }
        match &entry.event {
            Event::Resumed { operator } => self.resumed(entry, &operator.name),
            Event::Answered {
                step,
                answer,
                by,
                role,
                reason,
                from,
                ..
            } => {
                self.answered(entry, *step, *answer, by, reason);
                if let Some(act) = self.acts.last_mut() {
                    act.role.clone_from(role);
                    act.account = from
                        .as_ref()
                        .map(|from| format!("{} on {}", from.name, from.host));
                }
            }
            Event::Decided {
                step,
                finding,
                by,
                reason,
            } => self.decided(entry, *step, *finding, by, reason),
            Event::Noted { by, text } => self.act(entry, Deed::Noted, by, None, text),
            Event::Ended { step, outcome } => self.ended(entry, *step, outcome),
            Event::RetryOrdered { step, by, reason } => self.retry_ordered(entry, *step, by, reason),
            Event::Paused { by, reason } => self.paused(entry, by, reason),
            Event::Stopping { by, reason } => self.stopping(entry, by, reason),
            Event::Unwinding { step } => {
                self.state = State::Unwinding {
                    step: self.name(*step),
                }
            }
            Event::Finished { verdict } => self.state = State::Ended { verdict: *verdict },
            Event::Began(_) => self.begun_again(entry),
            Event::Claimed { .. }
            | Event::FencesRaised { .. }
            | Event::MirrorBehind { .. }
            | Event::MirrorCaughtUp { .. }
            | Event::Intended { .. }
            | Event::Performed { .. }
            | Event::Failed { .. }
            | Event::Unknown { .. } => {}
        }
    }

    /// From the declaration to the beginning; 0 where nothing was declared, or the clocks disagree.
    pub(crate) fn decided_ms(&self) -> u64 {
        let declared = self.begun.declared.as_ref();
        declared
            .and_then(|declared| between_ms(declared.at, self.began_at))
            .unwrap_or(0)
    }

    /// How long customers have waited at the newest entry, as far as anybody has said.
    pub(crate) fn waited_ms(&self) -> u64 {
        self.elapsed_ms.saturating_add(self.decided_ms())
    }

    /// The planned step of an index.
    pub(crate) fn planned(&self, step: u32) -> Option<&PlannedStep> {
        self.begun.plan.steps.get(index(step))
    }

    /// What is known of the step of an index.
    pub(crate) fn step(&self, step: u32) -> Option<&StepFold> {
        self.steps.get(index(step))
    }

    /// Its name, or its number where the plan has no such step.
    pub(crate) fn name(&self, step: u32) -> String {
        self.planned(step)
            .map_or_else(|| format!("step number {step}"), |step| step.name.clone())
    }

    fn check_order(&mut self, entry: &Entry) {
        if matches!(self.state, State::Ended { .. }) {
            self.problems
                .push(format!("entry {} follows after the end of the run", entry.seq));
        }
        if entry.seq != self.next_seq {
            self.problems.push(format!(
                "entry {} follows where entry {} should",
                entry.seq, self.next_seq
            ));
        }
        if entry.elapsed_ms < self.elapsed_ms {
            self.problems
                .push(format!("the clock falls back at entry {}", entry.seq));
        }
        self.next_seq = entry.seq.saturating_add(1);
    }

    fn act(&mut self, entry: &Entry, deed: Deed, by: &str, step: Option<u32>, reason: &str) {
        self.acts.push(Act {
            at_ms: entry.elapsed_ms,
            at: entry.at,
            deed,
            by: by.to_owned(),
            role: None,
            account: None,
            step: step.map(|step| self.name(step)),
            reason: reason.to_owned(),
        });
    }

    fn resumed(&mut self, entry: &Entry, by: &str) {
        self.act(entry, Deed::Resumed, by, None, "");
        self.resumed_ms = entry.elapsed_ms;
        if matches!(self.state, State::Paused { .. }) {
            self.state = State::Open;
        }
    }

    fn paused(&mut self, entry: &Entry, by: &str, reason: &str) {
        self.act(entry, Deed::Paused, by, None, reason);
        self.state = State::Paused {
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
    }

    fn stopping(&mut self, entry: &Entry, by: &str, reason: &str) {
        self.act(entry, Deed::Stopped, by, None, reason);
        self.state = State::Stopping {
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
    }

    fn retry_ordered(&mut self, entry: &Entry, step: u32, by: &str, reason: &str) {
        self.act(entry, Deed::OrderedRetry, by, Some(step), reason);
        if let Some(known) = self.known(entry, step) {
            known.outcome = None;
            known.ended_ms = None;
            known.ordered_ms = entry.elapsed_ms;
        }
    }

    fn answered(&mut self, entry: &Entry, step: u32, answer: Answer, by: &str, reason: &str) {
        self.act(entry, Deed::Answered(answer), by, Some(step), reason);
        let Some(known) = self.known(entry, step) else {
            return;
        };
        if let Some(open) = known
            .attempts
            .iter_mut()
            .rev()
            .find(|one| one.result == AttemptResult::Open)
        {
            open.ended_ms = Some(entry.elapsed_ms);
            open.result = AttemptResult::Answered {
                answer,
                by: by.to_owned(),
            };
        }
    }

    fn decided(&mut self, entry: &Entry, step: u32, finding: Finding, by: &str, reason: &str) {
        self.act(entry, Deed::Decided(finding), by, Some(step), reason);
        let Some(known) = self.known(entry, step) else {
            return;
        };
        let newest = known.attempts.last_mut();
        if let Some(attempt) = newest
            && let AttemptResult::Unknown { error } = &attempt.result
        {
            attempt.result = AttemptResult::Decided {
                finding,
                by: by.to_owned(),
                error: error.clone(),
            };
        }
    }

    fn ended(&mut self, entry: &Entry, step: u32, outcome: &Outcome) {
        if let Outcome::MarkedDone { by, reason } = outcome {
            self.act(entry, Deed::MarkedDone, by, Some(step), reason);
        }
        if let Some(known) = self.known(entry, step) {
            known.outcome = Some(outcome.clone());
            known.ended_ms = Some(entry.elapsed_ms);
        }
    }

    fn begun_again(&mut self, entry: &Entry) {
        self.problems
            .push(format!("entry {} begins the run again", entry.seq));
    }

    /// An intent opens an attempt; an outcome closes the newest one of its place.
    fn attempted(&mut self, entry: &Entry, place: Place, result: AttemptResult) {
        let at_ms = entry.elapsed_ms;
        let Some(known) = self.known(entry, place.step) else {
            return;
        };
        let is_open = result == AttemptResult::Open;
        let mut before = known.attempts.iter_mut().rev();
        if !is_open && let Some(attempt) = before.find(|one| one.is_of(place)) {
            attempt.ended_ms = Some(at_ms);
            attempt.result = result;
            return;
        }
        known.attempts.push(AttemptFold {
            phase: place.phase,
            effect: place.effect,
            number: place.attempt,
            began_ms: at_ms,
            ended_ms: (!is_open).then_some(at_ms),
            result,
        });
        if !is_open {
            let name = self.name(place.step);
            let problem = format!(
                "entry {} is an outcome of {name} without an intent before it",
                entry.seq
            );
            self.problems.push(problem);
        }
    }

    fn known(&mut self, entry: &Entry, step: u32) -> Option<&mut StepFold> {
        if index(step) >= self.steps.len() {
            self.problems.push(format!(
                "entry {} speaks of step number {step}, which the plan does not have",
                entry.seq
            ));
        }
        self.steps.get_mut(index(step))
    }
}

impl AttemptFold {
    fn is_of(&self, place: Place) -> bool {
        (self.phase, self.effect, self.number) == (place.phase, place.effect, place.attempt)
    }
}

/// The attempt that an event speaks of, and what it says of it.
fn attempt_of(event: &Event) -> Option<(Place, AttemptResult)> {
    let (&step, &phase, &effect, &attempt, result) = match event {
        Event::Intended {
            step,
            phase,
            effect,
            attempt,
        } => (step, phase, effect, attempt, AttemptResult::Open),
        Event::Performed {
            step,
            phase,
            effect,
            attempt,
            receipt,
        } => (
            step,
            phase,
            effect,
            attempt,
            AttemptResult::Performed {
                receipt: receipt.clone(),
            },
        ),
        Event::Failed {
            step,
            phase,
            effect,
            attempt,
            error,
            retry_at_ms,
        } => {
            let result = AttemptResult::Failed {
                error: error.clone(),
                retry_at_ms: *retry_at_ms,
            };
            (step, phase, effect, attempt, result)
        }
        Event::Unknown {
            step,
            phase,
            effect,
            attempt,
            error,
        } => (
            step,
            phase,
            effect,
            attempt,
            AttemptResult::Unknown { error: error.clone() },
        ),
        _ => return None,
    };
    Some((
        Place {
            step,
            phase,
            effect,
            attempt,
        },
        result,
    ))
}

/// An index of the journal as an index of this machine.
pub(crate) fn index(step: u32) -> usize {
    usize::try_from(step).unwrap_or(usize::MAX)
}
