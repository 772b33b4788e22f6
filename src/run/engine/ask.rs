//! Questions about a run, for terminals, `status` and reports. Nothing is decided from the answers.

use super::Engine;
use super::state::{Course, Hold, Stage, Timing, effect_of};
use crate::effect::{Ask, Effect, WorldError};
use crate::plan::{Part, Plan};
use crate::run::{Beginning, Outcome, Phase, Verdict};

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It waits for these steps; a `last` step that waits for all others names none.
    Waiting {
        /// Indices of steps that have not released it.
        on: Vec<u32>,
    },
    /// Nothing keeps it but room or a pause.
    Ready,
    /// An effect is in flight.
    Running {
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// Which attempt.
        attempt: u32,
        /// Since when, on the run's clock.
        since_ms: u64,
        /// When it is given up, on the run's clock.
        deadline_ms: Option<u64>,
    },
    /// A person is asked.
    Asking {
        /// Which effect.
        effect: u32,
        /// Since when, on the run's clock.
        since_ms: u64,
    },
    /// Between two effects: what is next.
    Between {
        /// Which direction.
        phase: Phase,
        /// The next effect.
        effect: u32,
    },
    /// It failed and is tried again by itself.
    RetryWait {
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
        /// The next attempt.
        attempt: u32,
        /// When, on the run's clock.
        until_ms: u64,
    },
    /// Nobody knows whether an effect worked; a person decides.
    Unknown {
        /// Which direction.
        phase: Phase,
        /// Which effect.
        effect: u32,
    },
    /// It has ended.
    Ended(Outcome),
}

/// What keeps a step from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// This step has not released it.
    Needs(u32),
    /// It runs when all others have ended.
    Last,
    /// The run is paused.
    Paused(Hold),
    /// The run is being ended, and why.
    Ending(String),
    /// So many effects as are allowed are in flight.
    NoRoom(u32),
}

/// A question that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// Which step asks.
    pub step: u32,
    /// What, with all known values put in.
    pub ask: Ask,
    /// Since when, on the run's clock.
    pub since_ms: u64,
}

impl Engine {
    /// How the run was begun.
    pub const fn beginning(&self) -> &Beginning {
        &self.beginning
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.beginning.plan
    }

    /// How it ended; `None` while it has not.
    pub const fn verdict(&self) -> Option<Verdict> {
        self.state.finished
    }

    /// Who paused it, while it is paused.
    pub const fn paused(&self) -> Option<&Hold> {
        self.state.paused.as_ref()
    }

    /// Where it is heading.
    pub const fn course(&self) -> Course {
        self.state.course
    }

    /// The time of the latest event, on the run's clock.
    pub const fn elapsed_ms(&self) -> u64 {
        self.state.now_ms
    }

    /// Whether the process may leave: the run is paused and nothing in flight could change the world.
    pub fn is_paused_idle(&self) -> bool {
        let open = &self.state.shelves.open;
        self.state.paused.is_some() && open.iter().all(|&step| self.only_looks(step))
    }

    /// Steps with an effect in flight, in the order of the plan.
    pub fn in_flight(&self) -> impl Iterator<Item = u32> + '_ {
        self.state.shelves.open.iter().copied()
    }

    /// Where a step stands.
    pub fn step_state(&self, step: u32) -> Option<StepState> {
        let track = self.state.tracks.get(step as usize)?;
        let trial = track.trial;
        Some(match &track.stage {
            Stage::Idle if self.state.is_released(self.planned(step), step) => StepState::Ready,
            Stage::Idle => StepState::Waiting {
                on: self.unreleased_needs(step),
            },
            Stage::Running => StepState::Running {
                phase: trial.phase,
                effect: trial.effect,
                attempt: trial.attempt,
                since_ms: track.since_ms,
                deadline_ms: track.deadline_ms,
            },
            Stage::Asking | Stage::Answered(_) => StepState::Asking {
                effect: trial.effect,
                since_ms: track.since_ms,
            },
            Stage::Between => StepState::Between {
                phase: trial.phase,
                effect: trial.effect,
            },
            Stage::RetryWait { until_ms } => StepState::RetryWait {
                phase: trial.phase,
                effect: trial.effect,
                attempt: trial.attempt,
                until_ms: *until_ms,
            },
            Stage::Unknown => StepState::Unknown {
                phase: trial.phase,
                effect: trial.effect,
            },
            Stage::GaveUp => StepState::Ended(match trial.phase {
                Phase::Forward => Outcome::Failed,
                Phase::Undo => Outcome::UndoFailed,
            }),
            Stage::Ended(outcome) => StepState::Ended(outcome.clone()),
        })
    }

    /// When a step was begun first and ended last, on the run's clock.
    pub fn step_times(&self, step: u32) -> (Option<u64>, Option<u64>) {
        let track = self.state.tracks.get(step as usize);
        track.map_or((None, None), |track| (track.began_ms, track.ended_ms))
    }

    /// The same for each of its effects, forward only.
    pub fn effect_times(&self, step: u32) -> &[Timing] {
        let track = self.state.tracks.get(step as usize);
        track.map_or(&[], |track| &track.effects)
    }

    /// What went wrong last at a step, if nothing went well since.
    pub fn step_error(&self, step: u32) -> Option<&WorldError> {
        self.state.tracks.get(step as usize)?.error.as_ref()
    }

    /// What keeps a step that was not begun from starting; empty for one that was.
    pub fn why_not_started(&self, step: u32) -> Vec<Blocker> {
        let Some(track) = self.state.tracks.get(step as usize) else {
            return Vec::new();
        };
        if track.stage != Stage::Idle || self.state.finished.is_some() {
            return Vec::new();
        }
        let planned = self.planned(step);
        let mut all: Vec<Blocker> = self
            .unreleased_needs(step)
            .into_iter()
            .map(Blocker::Needs)
            .collect();
        if planned.last && !self.state.closing_up {
            all.push(Blocker::Last);
        }
        if self.state.is_ending() && !planned.last {
            all.push(Blocker::Ending(self.why_it_ends()));
        }
        if let Some(hold) = &self.state.paused {
            all.push(Blocker::Paused(hold.clone()));
        }
        if all.is_empty() && self.state.shelves.open.len() >= self.concurrency() {
            all.push(Blocker::NoRoom(self.beginning.concurrency));
        }
        all
    }

    /// Questions that wait for an answer, in the order of the plan.
    pub fn questions(&self) -> impl Iterator<Item = OpenQuestion> + '_ {
        self.state.shelves.asking.iter().filter_map(|&step| {
            let track = self.state.track(step);
            let Some(Effect::Ask(ask)) = effect_of(self.planned(step), track.trial) else {
                return None;
            };
            let mut ask = ask.clone();
            self.put_in(&mut ask.question);
            Some(OpenQuestion {
                step,
                ask,
                since_ms: track.since_ms,
            })
        })
    }

    /// Steps about which a person must decide: retry, skip or mark as done.
    pub fn undecided(&self) -> Vec<u32> {
        let shelves = &self.state.shelves;
        let may_decide = |step: &u32| match self.state.course {
            Course::Forward => true,
            Course::Undoing(_) => !matches!(self.state.track(*step).stage, Stage::Ended(Outcome::Failed)),
            Course::Stopping | Course::Failing(_) => false,
        };
        let stuck = self.state.unwinding.iter().filter_map(|stack| stack.last());
        let stuck = stuck.filter(|&&step| self.state.track(step).stage == Stage::Ended(Outcome::UndoFailed));
        let mut all: Vec<u32> = shelves.failed.union(&shelves.unknown).copied().collect();
        all.extend(stuck);
        all.retain(may_decide);
        all
    }

    fn unreleased_needs(&self, step: u32) -> Vec<u32> {
        let planned = self.planned(step);
        let needs = planned.needs.iter().copied();
        needs
            .filter(|&need| self.planned(need).last == planned.last && !self.state.track(need).released)
            .collect()
    }
}

impl Blocker {
    /// As a fragment: `restore has not ended`.
    pub fn sentence(&self, plan: &Plan) -> String {
        match self {
            Self::Needs(step) => match plan.steps.get(*step as usize) {
                Some(planned) if matches!(planned.part, Part::Skipped(_)) => {
                    format!(
                        "it needs {}, which is left out but has its turn first",
                        planned.name
                    )
                }
                Some(planned) => format!("it needs {}, which has not ended well", planned.name),
                None => "it needs a step that does not exist".to_owned(),
            },
            Self::Last => "it runs when all other steps have ended".to_owned(),
            Self::Paused(hold) => format!("the run was paused by {}: {}", hold.by, hold.reason),
            Self::Ending(why) => format!("the run is being ended: {why}"),
            Self::NoRoom(limit) => format!("as many effects as are allowed are in flight ({limit})"),
        }
    }
}
