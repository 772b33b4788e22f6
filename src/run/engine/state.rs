//! What is known of a run, and where each step can be found without looking at all of them.
//!
//! Only the fold changes it; see `transition`. Everything in it follows from the events and the plan, so
//! two engines with the same past are equal.
//!
//! ## Why shelves
//!
//! A run may have 10,000 steps, and after every event the engine asks "what now?". Each step stands on the
//! shelf that its stage belongs to, and shelves are ordered sets: one event costs O(log n), the answer is
//! always the same, and steps start in the order of the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::effect::{Ask, Effect, Receipt, WorldError};
use crate::plan::{Part, Plan, PlannedStep};
use crate::run::{Answer, Operator, Outcome, Phase, Verdict};

/// Which try of which effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) phase: Phase,
    pub(super) effect: u32,
    pub(super) attempt: u32,
}

impl Trial {
    /// The first try of the next effect.
    pub(super) const fn after(self) -> Self {
        Self {
            effect: self.effect.saturating_add(1),
            attempt: 1,
            ..self
        }
    }
}

/// Where a step stands. [`Track::trial`] is the current try, or the next one while none is open, or the
/// latest one when the step has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Stage {
    /// Nothing of it was begun.
    #[default]
    Idle,
    /// An intent is open, and the world has it.
    Running,
    /// An intent is open, and a person has it.
    Asking,
    /// A person has answered; the engine has not yet drawn the conclusion.
    Answered(Reply),
    /// The next effect is to be begun, or all are done.
    Between,
    /// It failed and is tried again by itself.
    RetryWait { until_ms: u64 },
    /// It failed and is not tried again by itself; its end follows.
    GaveUp,
    /// Nobody knows whether it worked.
    Unknown,
    /// It has ended, for now.
    Ended(Outcome),
}

/// What a person said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) by: String,
    pub(super) role: Option<String>,
    pub(super) reason: String,
}

/// When an effect was begun first and ended last, on the run's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Its first intent.
    pub began_ms: Option<u64>,
    /// Its success, or its latest failure.
    pub ended_ms: Option<u64>,
    /// How often it was begun.
    pub attempts: u32,
}

/// All that is known of one step.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that do not exclude each other"
)]
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Track {
    pub(super) stage: Stage,
    pub(super) trial: Trial,
    /// Needs that have not released it.
    pub(super) unmet: u32,
    /// It has released those that need it.
    pub(super) released: bool,
    /// A forward effect was intended.
    pub(super) begun: bool,
    /// One of those may have changed the world.
    pub(super) changed: bool,
    /// It was taken back, by us or by hand.
    pub(super) undone: bool,
    /// Attempts that do not count any more, because a person ordered a new start after them.
    pub(super) forgiven: u32,
    /// When the world must be done with this step. None while nothing is begun, and while a person has it.
    pub(super) deadline_ms: Option<u64>,
    /// When the present stage began.
    pub(super) since_ms: u64,
    pub(super) began_ms: Option<u64>,
    pub(super) ended_ms: Option<u64>,
    /// The how-manieth end this was.
    pub(super) rank: u64,
    pub(super) effects: Vec<Timing>,
    pub(super) error: Option<WorldError>,
}

/// Where the run is heading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// To the end of the plan.
    #[default]
    Forward,
    /// A person ended it.
    Stopping,
    /// This step's failure ended it.
    Failing(u32),
    /// This step's failure ended it, and what was done is taken back.
    Undoing(u32),
}

/// Who asked for a pause, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who or what.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Who pauses or ends a run when nobody did.
pub(in crate::run) const LIFEBOAT: &str = "lifeboat";

/// What a pause for want of a login begins with, in every journal.
pub(super) const NO_LOGIN: &str = "lifeboat is not logged in at ";

/// Whether a pause waits for a login and for nothing else: whoever is logged in again may simply resume.
#[must_use]
pub fn waits_for_login(by: &str, reason: &str) -> bool {
    by == LIFEBOAT && reason.starts_with(NO_LOGIN)
}

/// The fold of all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) tracks: Vec<Track>,
    /// Of the latest event.
    pub(super) now_ms: u64,
    pub(super) paused: Option<Hold>,
    pub(super) course: Course,
    /// Steps still to be undone, the next one last; `None` before undoing began.
    pub(super) unwinding: Option<Vec<u32>>,
    pub(super) finished: Option<Verdict>,
    /// All steps but the `last` ones have ended, so that those may start.
    pub(super) closing_up: bool,
    /// Step → output → value.
    pub(super) outputs: BTreeMap<String, BTreeMap<String, String>>,
    /// Steps whose failure, or whose refused login, asks for a pause that is not recorded yet.
    pub(super) alarms: BTreeSet<u32>,
    pub(super) shelves: Shelves,
    pub(super) ends: u64,
    /// Something was intended: before that there is nothing to clean up.
    pub(super) begun: bool,
    /// Who took the run up again, after whoever began it.
    pub(super) carriers: Vec<Operator>,
}

/// Steps by what can be done with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shelves {
    /// An event is due that needs neither the world nor a person nor room.
    pub(super) settle: BTreeSet<u32>,
    /// Not begun, and nothing keeps it but room.
    pub(super) ready: BTreeSet<u32>,
    /// Not begun, `last` ones aside.
    pub(super) idle: BTreeSet<u32>,
    /// Begun, with a next effect.
    pub(super) next: BTreeSet<u32>,
    /// The next effect is a question, which needs no room.
    pub(super) questions: BTreeSet<u32>,
    /// By the time of the next try.
    pub(super) retries: BTreeSet<(u64, u32)>,
    /// An intent is open and the world has it.
    pub(super) open: BTreeSet<u32>,
    pub(super) asking: BTreeSet<u32>,
    pub(super) unknown: BTreeSet<u32>,
    /// Ended as failed, and a person must decide before the run can end well.
    pub(super) failed: BTreeSet<u32>,
    /// Not ended, `last` ones aside; and the `last` ones.
    pub(super) unended: BTreeSet<u32>,
    pub(super) unended_last: BTreeSet<u32>,
}

impl State {
    /// Before anything has happened.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut state = Self {
            tracks: plan.steps.iter().map(Track::new).collect(),
            ..Self::default()
        };
        for (track, step) in state.tracks.iter_mut().zip(&plan.steps) {
            // A `last` step waits for all others anyway; only its order among the `last` ones counts.
            let counted = |need: &&u32| !step.last || plan.steps[**need as usize].last;
            let unmet = step.needs.iter().filter(counted).count();
            track.unmet = u32::try_from(unmet).unwrap_or(u32::MAX);
        }
        for (index, step) in (0..).zip(&plan.steps) {
            state.put(step, index);
        }
        state.look_for_end(plan);
        state
    }

    pub(super) fn track(&self, step: u32) -> &Track {
        &self.tracks[step as usize]
    }

    pub(super) fn track_mut(&mut self, step: u32) -> &mut Track {
        &mut self.tracks[step as usize]
    }

    /// Moves a step to another stage, and so to another shelf.
    pub(super) fn set(&mut self, plan: &Plan, step: u32, stage: Stage, trial: Trial) {
        let planned = &plan.steps[step as usize];
        self.take(planned, step);
        let now_ms = self.now_ms;
        let track = self.track_mut(step);
        track.stage = stage;
        track.trial = trial;
        track.since_ms = now_ms;
        self.put(planned, step);
    }

    /// One of a step's needs has released it.
    pub(super) fn release(&mut self, plan: &Plan, step: u32) {
        let planned = &plan.steps[step as usize];
        self.take(planned, step);
        let track = self.track_mut(step);
        track.unmet = track.unmet.saturating_sub(1);
        self.put(planned, step);
    }

    /// Lets the `last` steps go when all others have come to rest.
    pub(super) fn look_for_end(&mut self, plan: &Plan) {
        if self.closing_up || !self.at_rest() {
            return;
        }
        let last: Vec<u32> = self.shelves.unended_last.iter().copied().collect();
        for &step in &last {
            self.take(&plan.steps[step as usize], step);
        }
        self.closing_up = true;
        for step in last {
            self.put(&plan.steps[step as usize], step);
        }
    }

    /// Whether nothing will become of any step but the `last` ones any more.
    fn at_rest(&self) -> bool {
        let shelves = &self.shelves;
        match self.course {
            Course::Forward => shelves.unended.is_empty() && shelves.failed.is_empty(),
            Course::Undoing(_) => {
                shelves.unended.is_empty() && self.unwinding.as_ref().is_some_and(Vec::is_empty)
            }
            Course::Stopping | Course::Failing(_) => shelves.unended.is_subset(&shelves.unknown),
        }
    }

    /// Whether nothing will become of any step any more.
    pub(super) fn is_settled(&self) -> bool {
        self.closing_up && self.at_rest() && self.shelves.unended_last.is_subset(&self.shelves.unknown)
    }

    /// Whether the run is on its way to an end before the end of the plan.
    pub(super) fn is_ending(&self) -> bool {
        self.course != Course::Forward
    }

    /// Whether a step that was not begun may begin, as far as other steps are concerned.
    pub(super) fn is_released(&self, planned: &PlannedStep, step: u32) -> bool {
        self.track(step).unmet == 0 && (!planned.last || self.closing_up)
    }

    /// The question of this try, if nobody has to be asked it: every step that it names has given its proof in this
    /// run. Those come before it, so that this does not change any more once it may begin.
    pub(super) fn needless<'p>(&self, planned: &'p PlannedStep, trial: Trial) -> Option<&'p Ask> {
        let Some(Effect::Ask(ask)) = effect_of(planned, trial) else {
            return None;
        };
        let all = ask.unless_proved.iter().all(|step| self.proof(step).is_some());
        (all && !ask.unless_proved.is_empty()).then_some(ask)
    }

    /// What a step has proved.
    pub(super) fn proof(&self, step: &str) -> Option<&str> {
        let proof = self.outputs.get(step)?.get(Receipt::PROOF)?;
        Some(proof.as_str())
    }

    fn take(&mut self, planned: &PlannedStep, step: u32) {
        let until_ms = match self.track(step).stage {
            Stage::RetryWait { until_ms } => Some(until_ms),
            _ => None,
        };
        let place = self.shelf(planned, step);
        let shelves = &mut self.shelves;
        shelves.idle.remove(&step);
        shelves.unended.remove(&step);
        shelves.unended_last.remove(&step);
        match (place, until_ms) {
            (Shelf::Retries, Some(until_ms)) => {
                shelves.retries.remove(&(until_ms, step));
            }
            (plain, _) => {
                if let Some(set) = shelves.plain(plain) {
                    set.remove(&step);
                }
            }
        }
    }

    fn put(&mut self, planned: &PlannedStep, step: u32) {
        let place = self.shelf(planned, step);
        let stage = &self.tracks[step as usize].stage;
        let shelves = &mut self.shelves;
        if !matches!(stage, Stage::Ended(_)) {
            let unended = if planned.last {
                &mut shelves.unended_last
            } else {
                &mut shelves.unended
            };
            unended.insert(step);
        }
        if *stage == Stage::Idle && !planned.last {
            shelves.idle.insert(step);
        }
        if let Stage::RetryWait { until_ms } = stage {
            shelves.retries.insert((*until_ms, step));
        } else if let Some(set) = shelves.plain(place) {
            set.insert(step);
        }
    }

    fn shelf(&self, planned: &PlannedStep, step: u32) -> Shelf {
        let track = self.track(step);
        match &track.stage {
            Stage::Idle if !self.is_released(planned, step) => Shelf::None,
            Stage::Idle if planned.part != Part::Done => Shelf::Settle,
            Stage::Idle if self.needless(planned, track.trial).is_some() => Shelf::Settle,
            Stage::Idle | Stage::Between => next_shelf(planned, track),
            Stage::Running => Shelf::Open,
            Stage::Asking => Shelf::Asking,
            Stage::Answered(_) | Stage::GaveUp => Shelf::Settle,
            Stage::RetryWait { .. } => Shelf::Retries,
            Stage::Unknown => Shelf::Unknown,
            Stage::Ended(Outcome::Failed) if !planned.last => Shelf::Failed,
            Stage::Ended(_) => Shelf::None,
        }
    }
}

impl Track {
    fn new(planned: &PlannedStep) -> Self {
        Self {
            effects: vec![Timing::default(); planned.effects.len()],
            trial: Trial {
                attempt: 1,
                ..Trial::default()
            },
            ..Self::default()
        }
    }
}

#[derive(Clone, Copy)]
enum Shelf {
    None,
    Settle,
    Ready,
    Next,
    Questions,
    Retries,
    Open,
    Asking,
    Unknown,
    Failed,
}

impl Shelves {
    /// The set of a shelf that is a plain set.
    fn plain(&mut self, of: Shelf) -> Option<&mut BTreeSet<u32>> {
        match of {
            Shelf::None | Shelf::Retries => None,
            Shelf::Settle => Some(&mut self.settle),
            Shelf::Ready => Some(&mut self.ready),
            Shelf::Next => Some(&mut self.next),
            Shelf::Questions => Some(&mut self.questions),
            Shelf::Open => Some(&mut self.open),
            Shelf::Asking => Some(&mut self.asking),
            Shelf::Unknown => Some(&mut self.unknown),
            Shelf::Failed => Some(&mut self.failed),
        }
    }
}

/// Where a step belongs whose next effect may begin.
fn next_shelf(planned: &PlannedStep, track: &Track) -> Shelf {
    match effect_of(planned, track.trial) {
        None => Shelf::Settle,
        Some(Effect::Ask(_)) => Shelf::Questions,
        Some(_) if track.stage == Stage::Idle => Shelf::Ready,
        Some(_) => Shelf::Next,
    }
}

/// The effect that a try is about; `None` after the last one.
pub(super) fn effect_of(planned: &PlannedStep, trial: Trial) -> Option<&Effect> {
    let effects = match trial.phase {
        Phase::Forward => &planned.effects,
        Phase::Undo => &planned.undo,
    };
    effects.get(trial.effect as usize)
}
