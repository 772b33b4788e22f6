//! Reads a journal, event by event, and knows what must never be in it. It shares no code with the engine:
//! it keeps its own books, the plain way.

use std::collections::{BTreeMap, BTreeSet};

use crate::effect::{Class, Effect};
use crate::plan::{Part, Plan};
use crate::run::testing::class_of;
use crate::run::{Entry, Event, Outcome, Phase, Verdict};

type Attempt = (u32, Phase, u32, u32);

#[expect(clippy::struct_excessive_bools, reason = "plain books, kept the plain way")]
#[derive(Default)]
pub(super) struct Oracle {
    room: usize,
    open: BTreeSet<Attempt>,
    asking: BTreeSet<u32>,
    released: BTreeSet<u32>,
    ended: BTreeMap<u32, Outcome>,
    unknown: BTreeSet<u32>,
    retries: BTreeMap<u32, u32>,
    intents: BTreeMap<(u32, Phase, u32), u32>,
    not_before: BTreeMap<u32, u64>,
    paused: bool,
    ending: bool,
    unwinding: bool,
    finished: bool,
}

impl Oracle {
    pub(super) fn new(room: u32) -> Self {
        Self {
            room: room as usize,
            ..Self::default()
        }
    }

    pub(super) fn read(&mut self, plan: &Plan, entry: &Entry) {
        assert!(!self.finished, "something follows the end");
        match &entry.event {
            Event::Began(_)
            | Event::Claimed { .. }
            | Event::FencesRaised { .. }
            | Event::MirrorBehind { .. }
            | Event::MirrorCaughtUp { .. }
            | Event::Noted { .. } => {}
            Event::Resumed { .. } => self.paused = false,
            Event::Intended {
                step,
                phase,
                effect,
                attempt,
            } => self.intent(plan, (*step, *phase, *effect, *attempt), entry.elapsed_ms),
            Event::Performed {
                step,
                phase,
                effect,
                attempt,
                ..
            }
            | Event::Failed {
                step,
                phase,
                effect,
                attempt,
                ..
            }
            | Event::Unknown {
                step,
                phase,
                effect,
                attempt,
                ..
            } => {
                self.close((*step, *phase, *effect, *attempt));
                if let Event::Unknown { .. } = entry.event {
                    self.unknown.insert(*step);
                }
                if let Event::Failed {
                    retry_at_ms: Some(at),
                    ..
                } = entry.event
                {
                    self.not_before.insert(*step, at);
                }
            }
            Event::Answered { step, .. } => assert!(self.asking.contains(step), "an answer to nothing"),
            Event::Ended { step, outcome } => self.end(plan, *step, outcome),
            Event::Decided { step, .. } => assert!(self.unknown.remove(step), "a finding about nothing"),
            Event::RetryOrdered { step, .. } => {
                self.unknown.remove(step);
                *self.retries.entry(*step).or_default() += 1;
            }
            Event::Paused { .. } => assert!(!std::mem::replace(&mut self.paused, true)),
            Event::Stopping { .. } => {
                self.paused = false;
                self.ending = true;
            }
            Event::Unwinding { .. } => {
                assert!(
                    self.open.is_empty(),
                    "undoing began while something was in flight"
                );
                self.unwinding = true;
            }
            Event::Finished { verdict } => self.finish(plan, *verdict),
        }
    }

    fn intent(&mut self, plan: &Plan, attempt: Attempt, now_ms: u64) {
        let (step, phase, effect, _) = attempt;
        let planned = &plan.steps[step as usize];
        assert!(!self.paused, "an intent in a pause");
        assert!(
            !self.unknown.contains(&step),
            "I6: nobody has decided about {}",
            planned.name
        );
        assert!(planned.part == Part::Done, "{} is left out", planned.name);
        assert!(
            self.not_before.get(&step).is_none_or(|at| *at <= now_ms),
            "a retry came early"
        );
        match (phase, planned.last) {
            (Phase::Forward, false) => {
                assert!(!self.ending, "an intent in a run that was stopped");
                for need in &planned.needs {
                    assert!(self.released.contains(need), "I5: {need} has not released {step}");
                }
            }
            (Phase::Forward, true) => {
                for (other, planned) in (0u32..).zip(&plan.steps) {
                    let rests = self.ended.contains_key(&other) || self.unknown.contains(&other);
                    assert!(
                        planned.last || rests,
                        "a last step began before {other} had ended"
                    );
                }
            }
            (Phase::Undo, _) => {
                assert!(self.unwinding, "an undo before undoing began");
                assert!(self.open.is_empty(), "two undos at once");
            }
        }
        let effects = if phase == Phase::Undo {
            &planned.undo
        } else {
            &planned.effects
        };
        let what = &effects[effect as usize];
        let count = self.intents.entry((step, phase, effect)).or_default();
        *count += 1;
        let retries = self.retries.get(&step).copied().unwrap_or(0);
        if class_of(what) == Class::Once {
            assert!(
                *count <= 1 + retries,
                "I3: a `once` effect was intended {count} times"
            );
        }
        if let Effect::Ask(_) = what {
            assert!(self.asking.insert(step));
        } else {
            assert!(self.open.insert(attempt), "the same attempt twice");
            let of_step = self.open.iter().filter(|open| open.0 == step).count();
            assert_eq!(of_step, 1, "two effects of one step at once");
            assert!(self.open.len() <= self.room, "more in flight than allowed");
        }
    }

    fn close(&mut self, attempt: Attempt) {
        let known = self.open.remove(&attempt) || self.asking.remove(&attempt.0);
        assert!(known, "a result without an intent");
        assert!(
            !self.unknown.contains(&attempt.0),
            "I6: a result of an unknown outcome"
        );
    }

    fn end(&mut self, plan: &Plan, step: u32, outcome: &Outcome) {
        let by_person = matches!(
            outcome,
            Outcome::MarkedDone { .. } | Outcome::Skipped { releases: true, .. }
        );
        assert!(
            by_person || !self.unknown.contains(&step),
            "I6: an end without a decision"
        );
        self.unknown.remove(&step);
        self.asking.remove(&step);
        self.not_before.remove(&step);
        let mine: Vec<Attempt> = self.open.iter().copied().filter(|open| open.0 == step).collect();
        for attempt in mine {
            let planned = &plan.steps[step as usize];
            let read = class_of(&planned.effects[attempt.2 as usize]) == Class::Read;
            assert!(
                attempt.1 == Phase::Forward && read,
                "a step ended with a change in flight"
            );
            self.open.remove(&attempt);
        }
        let releases = match outcome {
            Outcome::Succeeded | Outcome::Continued | Outcome::MarkedDone { .. } => true,
            Outcome::Skipped { releases, .. } => *releases,
            _ => false,
        };
        if releases && !self.released.contains(&step) {
            let planned = &plan.steps[step as usize];
            for need in planned.needs.iter().filter(|_| !planned.last) {
                assert!(
                    self.released.contains(need),
                    "{step} released others before {need} released it"
                );
            }
            self.released.insert(step);
        }
        self.ended.insert(step, outcome.clone());
    }

    fn finish(&mut self, plan: &Plan, verdict: Verdict) {
        self.finished = true;
        assert!(self.open.is_empty(), "the run ended with something in flight");
        let well = |step: u32| match self.ended.get(&step) {
            Some(Outcome::Succeeded | Outcome::MarkedDone { .. }) => true,
            Some(Outcome::Skipped { releases, .. }) => {
                *releases && plan.steps[step as usize].part != Part::Done
            }
            _ => false,
        };
        let mut torn_down = true;
        let mut all_well = true;
        for (step, planned) in (0u32..).zip(&plan.steps) {
            let rests = self.ended.contains_key(&step) || self.unknown.contains(&step);
            assert!(rests, "the run ended before {}", planned.name);
            torn_down &= !planned.is_tear_down() || well(step);
            all_well &= well(step);
        }
        let begun = !self.intents.is_empty();
        assert_eq!(verdict == Verdict::NotTornDown, !torn_down && begun);
        // A step that was undone by hand is done by hand, and the run is not recovered all the same.
        assert_eq!(verdict == Verdict::Recovered, all_well && !self.unwinding);
        if verdict == Verdict::Undone {
            let changed = |(step, phase, effect): &(u32, Phase, u32)| {
                let what = &plan.steps[*step as usize].effects.get(*effect as usize);
                *phase == Phase::Forward
                    && what
                        .is_some_and(|what| class_of(what) != Class::Read && !matches!(what, Effect::Ask(_)))
            };
            for (step, ..) in self.intents.keys().filter(|intent| changed(intent)) {
                let undone = matches!(self.ended[step], Outcome::Undone | Outcome::MarkedDone { .. });
                assert!(undone, "{step} was changed and not undone");
            }
        }
    }

    /// The intent that allows this errand is in the journal.
    pub(super) fn allows(&self, attempt: Attempt) {
        assert!(
            self.open.contains(&attempt),
            "I2: an effect without a durable intent: {attempt:?}"
        );
    }

    pub(super) fn retries(&self, step: u32) -> u32 {
        self.retries.get(&step).copied().unwrap_or(0)
    }
}
