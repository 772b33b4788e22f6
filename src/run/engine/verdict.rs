//! How a run ended, from how its steps ended.

use super::Engine;
use super::state::{Course, Stage, Track};
use crate::plan::{Part, PlannedStep};
use crate::run::{Outcome, Verdict};

impl Engine {
    /// How the run ended.
    pub(super) fn judge_run(&self) -> Verdict {
        let steps = || self.state.tracks.iter().zip(&self.beginning.plan.steps);
        // Nobody decided to leave these out: the plan did, or what the run has proved.
        let by_itself = |track: &Track, planned: &PlannedStep| {
            planned.part != Part::Done || self.state.needless(planned, track.trial).is_some()
        };
        let well = |stage: &Stage, by_itself: bool| match stage {
            Stage::Ended(Outcome::Succeeded | Outcome::MarkedDone { .. }) => true,
            Stage::Ended(Outcome::Skipped { releases, .. }) => *releases && by_itself,
            _ => false,
        };
        if self.state.course == Course::Stopping && !self.state.begun {
            return Verdict::Stopped;
        }
        let mut unwell =
            steps().filter(|(track, planned)| planned.last && !well(&track.stage, by_itself(track, planned)));
        if let Some((_, first)) = unwell.next() {
            let torn_down = !first.is_tear_down() && !unwell.any(|(_, planned)| planned.is_tear_down());
            return if torn_down {
                Verdict::Failed
            } else {
                Verdict::NotTornDown
            };
        }
        let mut ordinary = steps().filter(|(_, planned)| !planned.last);
        match self.state.course {
            Course::Failing(_) => return Verdict::Failed,
            Course::Undoing(_) => {
                let all = ordinary.all(|(track, _)| track.undone || !track.changed);
                return if all { Verdict::Undone } else { Verdict::Failed };
            }
            Course::Stopping if !ordinary.all(|(track, _)| track.released) => return Verdict::Stopped,
            Course::Stopping | Course::Forward => {}
        }
        let mut ordinary = steps().filter(|(_, planned)| !planned.last);
        if ordinary.all(|(track, planned)| well(&track.stage, by_itself(track, planned))) {
            Verdict::Recovered
        } else {
            Verdict::RecoveredWithFailures
        }
    }
}
