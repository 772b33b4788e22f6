//! What both live renderers know: the fold of the entries so far, progress, and what is going on now.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Line, NAME, Word};
use crate::effect::Effect;
use crate::plan::PlannedStep;
use crate::report::forecast::{Estimates, Path};
use crate::report::graph::Shape;
use crate::report::late::bound;
use crate::report::lines::{clean, width};
use crate::report::outcome::{
    AttemptResult, Fold, Reached, State, StepFold, StepState, index, recovery_time, state_of,
};
use crate::report::units::{clock, duration};
use crate::report::words::tried_again;
use crate::run::{Entry, Event};

/// A renderer of a run while it runs.
pub trait Live {
    /// Takes in what happened before anybody watched, without a word: for a resumed run.
    fn catch_up(&mut self, entries: &[Entry]);

    /// Something happened.
    fn entry(&mut self, entry: &Entry) -> io::Result<()>;

    /// A step, by its index in the plan, says what it waits for. Replaces what it said before.
    fn progress(&mut self, step: u32, text: &str, now_ms: u64) -> io::Result<()>;

    /// Time has passed. To be called at least once a second; `now_ms` is on the run's clock.
    fn tick(&mut self, now_ms: u64) -> io::Result<()>;

    /// Whether it never draws over what a person is typing, so that it need not be silent meanwhile.
    fn only_appends(&self) -> bool {
        false
    }

    /// Nothing follows: leaves the terminal as a line-by-line program would.
    fn finish(&mut self) -> io::Result<()>;
}

/// How a run is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveOptions {
    /// Where the journal is written, for people; several places in one text.
    pub journal: String,
    /// What earlier runs say of the steps.
    pub estimates: Estimates,
    /// Whether the first word of a line is coloured.
    pub colour: bool,
}

/// What is known while a run is watched.
pub(super) struct Watch {
    pub(super) options: LiveOptions,
    pub(super) fold: Option<Fold>,
    progress: BTreeMap<u32, String>,
    expected_ms: Option<u64>,
    pub(super) names: usize,
    /// Steps of which something is to be shown, so that an event costs the same in a plan of ten
    /// steps and of ten thousand.
    going: BTreeSet<u32>,
    /// No step before this one is pending.
    pending_from: u32,
    /// Steps that run last.
    last: Vec<u32>,
}

impl Watch {
    pub(super) fn new(options: LiveOptions) -> Self {
        Self {
            options,
            fold: None,
            progress: BTreeMap::new(),
            expected_ms: None,
            names: NAME.0,
            going: BTreeSet::new(),
            pending_from: 0,
            last: Vec::new(),
        }
    }

    /// Takes in an entry. What does not begin a run before one has begun is ignored.
    pub(super) fn push(&mut self, entry: &Entry) {
        match &mut self.fold {
            Some(fold) => fold.push(entry),
            None => self.begin(entry),
        }
        if let Event::Intended { step, .. } | Event::Ended { step, .. } = &entry.event {
            self.progress.remove(step);
        }
        match &entry.event {
            Event::Intended { step, .. }
            | Event::Performed { step, .. }
            | Event::Failed { step, .. }
            | Event::Unknown { step, .. }
            | Event::Answered { step, .. }
            | Event::Decided { step, .. }
            | Event::Ended { step, .. }
            | Event::RetryOrdered { step, .. } => self.mark(*step),
            _ => {}
        }
    }

    /// Keeps `going` and `pending_from` true after an event about this step.
    fn mark(&mut self, step: u32) {
        let Some(fold) = &self.fold else { return };
        let state = |at| Some(state_of(fold.planned(at)?, fold.step(at)?));
        match state(step) {
            Some(state) if state.is_over() && state != StepState::Failed => self.going.remove(&step),
            _ => self.going.insert(step),
        };
        while state(self.pending_from).is_some_and(|state| state != StepState::Pending) {
            self.pending_from += 1;
        }
    }

    fn begin(&mut self, entry: &Entry) {
        let Ok(fold) = Fold::begin(entry) else { return };
        let plan = &fold.begun.plan;
        let shape = Shape::of(plan);
        self.expected_ms = Path::of(plan, &shape, &self.options.estimates).expected_ms();
        let names = plan.steps.iter().map(|step| width(&clean(&step.name)));
        let all = plan.steps.iter().zip(0..);
        self.last = all.filter(|(step, _)| step.last).map(|(_, at)| at).collect();
        self.names = names.max().unwrap_or(0).clamp(NAME.0, NAME.1);
        self.fold = Some(fold);
    }

    pub(super) fn set_progress(&mut self, step: u32, text: &str) {
        self.progress.insert(step, text.to_owned());
    }

    /// One line per step that is going on: asking first, because somebody must act.
    pub(super) fn active(&self, now_ms: u64) -> Vec<Line> {
        let Some(fold) = &self.fold else { return Vec::new() };
        let going = self.going.iter().copied();
        let mut lines: Vec<_> = going
            .filter_map(|at| self.active_line(fold, at, now_ms))
            .collect();
        lines.sort_by_key(|line| line.word != Word::Ask);
        lines
    }

    fn active_line(&self, fold: &Fold, at: u32, now_ms: u64) -> Option<Line> {
        let (planned, known) = (fold.planned(at)?, fold.step(at)?);
        let state = state_of(planned, known);
        let since = known.attempts.last().map_or(now_ms, |attempt| attempt.began_ms);
        let time = duration_now(now_ms.saturating_sub(since));
        let text = match state {
            StepState::Running | StepState::Undoing => self.running(fold, at, planned, known, now_ms),
            StepState::Retrying => retrying(known, now_ms),
            StepState::Asking => asking(fold, planned, known),
            StepState::Unknown => format!(
                "nobody knows whether it worked; look, then: {}",
                findings(fold, planned)
            ),
            StepState::Failed if matches!(fold.state, State::Paused { .. }) => {
                format!("it waits for a person: {}", commands(fold, planned))
            }
            _ => return None,
        };
        let word = match state {
            StepState::Running | StepState::Undoing => Word::Now,
            StepState::Retrying => Word::Wait,
            StepState::Failed => Word::Fail,
            _ => Word::Ask,
        };
        Some(Line::new(word, &planned.name, time, &text))
    }

    fn running(&self, fold: &Fold, at: u32, planned: &PlannedStep, known: &StepFold, now_ms: u64) -> String {
        let doing = match self.progress.get(&at) {
            Some(text) => text.clone(),
            None => doing(fold, planned, known),
        };
        let mut parts = vec![doing];
        if let Some(usual) = self.options.estimates.get(&planned.name) {
            parts.push(format!("usually {}", duration(usual.p50_ms)));
        }
        let deadline = fold
            .trying_since(planned, known)
            .saturating_add(planned.policy.timeout_ms);
        parts.push(match deadline.checked_sub(now_ms) {
            Some(left) => format!("gives up in {}", duration_now(left)),
            None => "its time is up".to_owned(),
        });
        parts.join("; ")
    }

    /// `answers, then drill:tear-down`: what starts when the running steps have ended.
    pub(super) fn next(&self) -> Option<String> {
        /// Pending steps that are looked at: one that may start stands near the first of them.
        const LOOKED_AT: usize = 200;
        let fold = self.fold.as_ref()?;
        let pending = |at: &u32| {
            let (planned, known) = (fold.planned(*at)?, fold.step(*at)?);
            (state_of(planned, known) == StepState::Pending).then_some(planned)
        };
        let is_next =
            |step: &&PlannedStep| !step.last && step.needs.iter().all(|need| pending(need).is_none());
        let end = u32::try_from(fold.steps.len()).unwrap_or(u32::MAX);
        let near: Vec<_> = (self.pending_from..end)
            .filter(|at| pending(at).is_some())
            .take(LOOKED_AT)
            .collect();
        let first = named(near.iter().filter_map(pending).filter(is_next));
        let last = named(self.last.iter().filter_map(pending));
        match (first, last) {
            (Some(first), Some(last)) => Some(format!("{first}, then {last}")),
            (first, last) => first.or(last),
        }
    }

    /// `00:11 of 30:00   on course (expected 00:19)`.
    pub(super) fn course(&self, now_ms: u64) -> Option<String> {
        let fold = self.fold.as_ref()?;
        let rto = recovery_time(fold);
        if rto.reached == Reached::NotApplicable {
            return Some(clock(now_ms));
        }
        // Customers wait since the declaration, and the objective counts from there.
        let decided_ms = fold.decided_ms();
        let now_ms = now_ms.saturating_add(decided_ms);
        let expected_ms = self.expected_ms.map(|ms| ms.saturating_add(decided_ms));
        let target = rto.target_ms;
        let of = target.map_or_else(|| "no objective".to_owned(), |ms| format!("of {}", clock(ms)));
        if let Some(measured) = rto.measured_ms {
            return Some(format!(
                "{} {of}   {}: health is proved",
                clock(measured),
                rto.reached.word()
            ));
        }
        let trouble = self.trouble(fold);
        let course = match (target, expected_ms) {
            (Some(target), _) if now_ms > target => "missed: health is not proved".to_owned(),
            _ if trouble.is_some() => trouble.unwrap_or_default(),
            (_, None) => "expected time unknown".to_owned(),
            (_, Some(expected)) if now_ms > expected => format!("slower than expected ({})", clock(expected)),
            (Some(target), Some(expected)) if expected > target => {
                format!("expected too late ({})", clock(expected))
            }
            (_, Some(expected)) => format!("on course (expected {})", clock(expected)),
        };
        Some(format!("{} {of}   {course}", clock(now_ms)))
    }

    /// Why nobody may say that the run is on course.
    fn trouble(&self, fold: &Fold) -> Option<String> {
        match &fold.state {
            State::Open => {}
            State::Paused { .. } => return Some("paused; the clock runs on".to_owned()),
            State::Stopping { .. } => return Some("not on course: it is being stopped".to_owned()),
            State::Unwinding { .. } => return Some("not on course: it is being undone".to_owned()),
            State::Ended { .. } => return Some("ended; health is not proved".to_owned()),
        }
        self.going.iter().find_map(|at| {
            let (planned, known) = (fold.planned(*at)?, fold.step(*at)?);
            let state = state_of(planned, known);
            let stuck = matches!(state, StepState::Failed | StepState::Unknown);
            stuck.then(|| format!("not on course: {} {}", clean(&planned.name), state.word()))
        })
    }
}

/// The first names, and that there are more; `None` if there are none.
fn named<'a>(steps: impl Iterator<Item = &'a PlannedStep>) -> Option<String> {
    const NAMED: usize = 3;
    let mut names: Vec<_> = steps.take(NAMED + 1).map(|step| clean(&step.name)).collect();
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("…".to_owned());
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whole seconds: this number changes while one looks at it.
pub(super) fn duration_now(ms: u64) -> String {
    duration(ms / 1000 * 1000)
}

/// What the newest attempt does: `restore shop-… into shop`, with its place among several.
pub(super) fn doing(fold: &Fold, planned: &PlannedStep, known: &StepFold) -> String {
    let Some(attempt) = known.attempts.last() else {
        return "begins".to_owned();
    };
    let (list, undo) = match attempt.phase {
        crate::run::Phase::Forward => (&planned.effects, ""),
        crate::run::Phase::Undo => (&planned.undo, "undo: "),
    };
    let at = index(attempt.effect);
    let Some(effect) = list.get(at) else {
        return format!("effect number {at}, which the plan does not have");
    };
    let line = bound(effect, |step, name| fold.output(step, name))
        .meaning()
        .line();
    let part = if list.len() > 1 {
        format!("{} of {}: ", at + 1, list.len())
    } else {
        String::new()
    };
    let again = match attempt.number {
        0 | 1 => String::new(),
        n => format!("try {n}: "),
    };
    format!("{undo}{part}{again}{} {}", line.verb, line.what)
}

fn retrying(known: &StepFold, now_ms: u64) -> String {
    let Some(AttemptResult::Failed { error, retry_at_ms }) =
        known.attempts.last().map(|attempt| &attempt.result)
    else {
        return "will be tried again".to_owned();
    };
    let wait = retry_at_ms.map_or(0, |at| at.saturating_sub(now_ms));
    let again = tried_again(error, &format!("in {}", duration_now(wait)));
    format!("{error}; {again}")
}

/// The question, who may answer it and how.
pub(super) fn asking(fold: &Fold, planned: &PlannedStep, known: &StepFold) -> String {
    let newest = known.attempts.last();
    let effect = newest.and_then(|attempt| planned.effects.get(index(attempt.effect)));
    // A person answers about the values, and not about their names.
    let effect = effect.map(|effect| bound(effect, |step, name| fold.output(step, name)));
    let (question, role) = match &effect {
        Some(Effect::Ask(ask)) => match ask.by.as_slice() {
            [] => (format!("\"{}\": ", ask.question), String::new()),
            [first, ..] => (
                format!("\"{}\" ({}): ", ask.question, ask.by.join(", ")),
                format!(" --role {first}"),
            ),
        },
        _ => Default::default(),
    };
    let (run, step) = (&fold.begun.run, &planned.name);
    format!("{question}lifeboat approve {run} {step} --as <name>{role} --reason \"…\"")
}

/// What a person can do with a step that is stuck.
pub(super) fn commands(fold: &Fold, planned: &PlannedStep) -> String {
    // A risk is taken by an answer; no other order leads past it.
    let ways = match planned.risk() {
        Some(_) => "retry",
        None => "retry | mark-done | skip",
    };
    format!(
        "lifeboat {ways} {} {} --as <name> --reason \"…\"",
        fold.begun.run, planned.name
    )
}

/// What a person can say who has looked at a step of which nobody knows whether it worked.
pub(super) fn findings(fold: &Fold, planned: &PlannedStep) -> String {
    format!(
        "lifeboat decide {} {} --ok | --failed | --retry --as <name> --reason \"…\"",
        fold.begun.run, planned.name
    )
}

/// Why nothing goes on, if nothing does.
pub(super) fn stillness(fold: &Fold) -> String {
    match &fold.state {
        State::Paused { by, reason } => format!("paused by {by}: {reason}"),
        State::Ended { .. } => "the run has ended".to_owned(),
        State::Stopping { .. } => "the run is being stopped".to_owned(),
        State::Unwinding { step } => format!("what was done is undone because {step} failed"),
        State::Open => "no step is on its way".to_owned(),
    }
}
