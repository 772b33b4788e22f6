//! One step of a run, told in full: why it started when it did, what it did, and why it does nothing
//! now.

use jiff::tz::TimeZone;

use super::live::{asking, commands};
use crate::effect::Receipt;
use crate::plan::PlannedStep;
use crate::report::lines::{clean, ends, hang, text};
use crate::report::outcome::{
    AttemptReport, AttemptResult, EffectReport, Fold, NoBeginning, State, StepFold, StepReport, StepState,
    Summary, index,
};
use crate::report::units::{clock, count, duration, moment};
use crate::report::words::tried_again;
use crate::run::{Answer, Entry, Finding};

/// Why a step cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchStep {
    /// The entries are not a run's journal.
    #[error(transparent)]
    NoBeginning(#[from] NoBeginning),
    /// The run has no step of this name.
    #[error("the run has no step `{name}`; it has {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// The whole story of a step, with a line break at its end.
///
/// # Errors
///
/// Where the run or the step is not there.
pub fn explain(entries: &[Entry], step: &str, zone: &TimeZone, columns: usize) -> Result<String, NoSuchStep> {
    let (first, rest) = entries.split_first().ok_or(NoBeginning)?;
    let mut fold = Fold::begin(first)?;
    for entry in rest {
        fold.push(entry);
    }
    let summary = Summary::from_fold(&fold);
    let at = summary.steps.iter().position(|one| one.name == step);
    let Some((report, planned, known)) =
        at.map(|at| (&summary.steps[at], &fold.begun.plan.steps[at], &fold.steps[at]))
    else {
        let known: Vec<_> = summary.steps.iter().map(|one| one.name.as_str()).collect();
        return Err(NoSuchStep::Unknown {
            name: step.to_owned(),
            known: known.join(", "),
        });
    };
    let story = Story {
        fold: &fold,
        summary: &summary,
        planned,
        known,
        step: report,
        zone,
        columns,
    };
    Ok(text(&story.told()))
}

struct Story<'a> {
    fold: &'a Fold,
    summary: &'a Summary,
    planned: &'a PlannedStep,
    known: &'a StepFold,
    step: &'a StepReport,
    zone: &'a TimeZone,
    columns: usize,
}

impl Story<'_> {
    fn told(&self) -> Vec<String> {
        let step = self.step;
        let left = format!(
            "{} ({}): {}",
            clean(&step.name),
            clean(&step.kind),
            step.state.word()
        );
        let right = format!(
            "{} · {}",
            clean(&self.summary.run.0),
            moment(self.summary.began_at, self.zone)
        );
        let mut out = vec![ends(&left, &right, self.columns)];
        out.extend(
            step.description
                .as_deref()
                .map(|text| hang("  ", &clean(text), self.columns)),
        );
        out.push(self.fact("Waited for", &self.needs()));
        out.push(self.fact("Started", &self.started()));
        out.extend(self.effects("Effect", &step.effects));
        out.extend(self.effects("Undo", &step.undo));
        if step.undo.is_empty() && !step.effects.is_empty() {
            out.push(self.fact("Undo", "there is none"));
        }
        let limits = format!(
            "{} for all of it, {} per effect",
            duration(step.timeout_ms),
            tries(step.attempts_allowed)
        );
        out.push(self.fact("Limits", &limits));
        out.extend(step.notes.iter().map(|note| self.fact("In the drill", note)));
        out.extend(self.acts());
        out.push(self.fact("Now", &self.now()));
        out
    }

    fn fact(&self, label: &str, text: &str) -> String {
        hang(&format!("  {label:<14}"), &clean(text), self.columns)
    }

    fn needs(&self) -> String {
        let waits = self.fold.waits_for(self.planned);
        if waits.is_empty() {
            return "nothing".to_owned();
        }
        let one = |at: &u32| {
            let report = self.summary.steps.get(index(*at))?;
            let when = report
                .ended_ms
                .map_or_else(String::new, |ms| format!(" at {}", clock(ms)));
            Some(format!("{} ({}{when})", report.name, report.state.word()))
        };
        waits.iter().filter_map(one).collect::<Vec<_>>().join(", ")
    }

    fn started(&self) -> String {
        let step = self.step;
        match (step.ready_ms, step.started_ms) {
            (_, None) => "never".to_owned(),
            (Some(ready), Some(started)) if started > ready => {
                format!(
                    "at {}, {} after all that it waited for had ended",
                    clock(started),
                    duration(started - ready)
                )
            }
            (Some(_), Some(started)) => format!("at {}, as soon as it could", clock(started)),
            (None, Some(started)) => format!("at {}", clock(started)),
        }
    }

    fn effects(&self, label: &str, effects: &[EffectReport]) -> Vec<String> {
        let mut out = Vec::new();
        for (at, effect) in effects.iter().enumerate() {
            let label = if effects.len() > 1 {
                format!("{label} {}", at + 1)
            } else {
                label.to_owned()
            };
            let line = &effect.line;
            let place = if line.place.is_empty() {
                String::new()
            } else {
                format!("{}  ", line.place)
            };
            out.push(self.fact(
                &label,
                &format!("{} {place}{}  {}", line.symbol.glyph(), line.verb, line.what),
            ));
            if effect.attempts.is_empty() {
                out.push(self.fact("", "never begun"));
            }
            for attempt in &effect.attempts {
                out.extend(self.attempt(attempt));
            }
        }
        out
    }

    fn attempt(&self, attempt: &AttemptReport) -> Vec<String> {
        let from = clock(attempt.began_ms);
        let took = attempt.ended_ms.map_or_else(
            || "not ended".to_owned(),
            |end| duration(end.saturating_sub(attempt.began_ms)),
        );
        let head = format!("try {} at {from}, {took}: ", attempt.number);
        let (text, details) = match &attempt.result {
            AttemptResult::Open => ("no outcome is recorded".to_owned(), Vec::new()),
            AttemptResult::Performed { receipt } => {
                (format!("ok, {}", receipt.summary), self.proofs(receipt))
            }
            AttemptResult::Answered {
                answer: Answer::Yes,
                by,
            } => (format!("yes, by {by}"), Vec::new()),
            AttemptResult::Answered {
                answer: Answer::No,
                by,
            } => (format!("no, by {by}"), Vec::new()),
            AttemptResult::Failed { error, retry_at_ms } => {
                let again = |at| format!("; {}", tried_again(error, &format!("at {}", clock(at))));
                (
                    format!("failed, {error}{}", retry_at_ms.map_or_else(String::new, again)),
                    causes(&error.causes, &error.hints),
                )
            }
            AttemptResult::Decided { finding, by, error } => {
                let found = match finding {
                    Finding::Worked => "it had worked",
                    Finding::Failed => "it had not worked",
                };
                (
                    format!("nobody knew ({error}); {by} looked: {found}"),
                    causes(&error.causes, &error.hints),
                )
            }
            AttemptResult::Unknown { error } => (
                format!("nobody knows: {error}"),
                causes(&error.causes, &error.hints),
            ),
        };
        let mut out = vec![self.fact("", &format!("{head}{text}"))];
        out.extend(
            details
                .iter()
                .map(|detail| hang(&" ".repeat(18), &clean(detail), self.columns)),
        );
        out
    }

    fn proofs(&self, receipt: &Receipt) -> Vec<String> {
        let mut out: Vec<_> = receipt
            .outputs
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        out.extend(
            receipt
                .consistent_at
                .map(|at| format!("consistent point {}", moment(at, self.zone))),
        );
        out.extend(
            (!receipt.created.is_empty())
                .then(|| format!("created {}", count(receipt.created.len(), "object"))),
        );
        out.extend(
            (!receipt.deleted.is_empty())
                .then(|| format!("deleted {}", count(receipt.deleted.len(), "object"))),
        );
        out.extend(receipt.skipped.iter().map(|what| format!("skipped: {what}")));
        out.extend(receipt.found.iter().map(|what| format!("found: {what}")));
        out.extend(receipt.warnings.iter().map(|what| format!("warning: {what}")));
        out
    }

    fn acts(&self) -> Vec<String> {
        let mine = self
            .summary
            .acts
            .iter()
            .filter(|act| act.step.as_deref() == Some(self.step.name.as_str()));
        mine.map(|act| {
            let role = act
                .role
                .as_deref()
                .map_or_else(String::new, |role| format!(" ({role})"));
            self.fact(
                "People",
                &format!(
                    "at {} {} {}{role}: {}",
                    clock(act.at_ms),
                    act.by,
                    act.deed.did(),
                    act.reason
                ),
            )
        })
        .collect()
    }

    /// Why it does what it does now, or why nothing happens.
    fn now(&self) -> String {
        let step = self.step;
        match step.state {
            StepState::Pending => self.pending(),
            StepState::Running => "its outcome is not recorded yet".to_owned(),
            StepState::Undoing => "it is being undone".to_owned(),
            StepState::Retrying => "it failed and is tried again by itself".to_owned(),
            StepState::Asking => format!(
                "it waits for a person: {}",
                asking(self.fold, self.planned, self.known)
            ),
            StepState::Unknown => format!(
                "nobody knows whether it worked; look, then: {}",
                commands(self.fold, self.planned)
            ),
            StepState::Failed => self.failed(),
            StepState::Skipped => format!(
                "it is not done: {}",
                step.why.as_deref().unwrap_or("no reason is recorded")
            ),
            StepState::Succeeded
            | StepState::Continued
            | StepState::MarkedDone
            | StepState::Undone
            | StepState::UndoFailed => {
                format!(
                    "it has ended after {}",
                    step.took_ms()
                        .map_or_else(|| "an unknown time".to_owned(), duration)
                )
            }
        }
    }

    fn failed(&self) -> String {
        match &self.summary.state {
            State::Ended { .. } => "it failed, and the run has ended".to_owned(),
            State::Paused { .. } => format!("it waits for a person: {}", commands(self.fold, self.planned)),
            _ => "it failed, and the run is coming to its end".to_owned(),
        }
    }

    fn pending(&self) -> String {
        match &self.summary.state {
            State::Ended { .. } => return "it was never executed, and the run has ended".to_owned(),
            State::Paused { by, reason } => return format!("nothing new starts: paused by {by}: {reason}"),
            State::Stopping { .. } if !self.step.last => {
                return "nothing new starts: the end was asked for".to_owned();
            }
            State::Unwinding { step } => {
                return format!("nothing new starts: the run is undone because {step} failed");
            }
            State::Open | State::Stopping { .. } => {}
        }
        let open = self.fold.waits_for(self.planned).into_iter().filter_map(|at| {
            let report = self.summary.steps.get(index(at))?;
            let released = report.state.is_over() && (self.step.last || report.state != StepState::Failed);
            (!released).then(|| format!("{} ({})", report.name, report.state.word()))
        });
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            let at_once = self.fold.begun.concurrency;
            return format!(
                "it is ready and waits for its turn: {} run at once at most",
                count(at_once as usize, "step")
            );
        }
        format!("it waits for {}", open.join(", "))
    }
}

fn tries(n: u32) -> String {
    match n {
        1 => "1 try".to_owned(),
        _ => format!("{n} tries"),
    }
}

fn causes(causes: &[String], hints: &[String]) -> Vec<String> {
    let because = causes.iter().map(|cause| format!("because {cause}"));
    because
        .chain(hints.iter().map(|hint| format!("hint: {hint}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn told(entries: &[Entry], step: &str) -> String {
        explain(entries, step, &sample::zone(), 80).unwrap()
    }

    #[test]
    fn a_restore_is_told_with_its_retry_and_its_proof() {
        insta::assert_snapshot!(told(&sample::paused(), "restore"), @r#"
        restore (restore): ok                    shop-f-77c · 2026-11-22 23:14:07 +01:00
          Waited for    stop-active (ok at 00:03)
          Started       at 00:03, 10 ms after all that it waited for had ended
          Effect        + west  restore  shop-2026-11-22T2300 from vault into shop
                        try 1 at 00:03, 1 s: failed, west: the connection was reset;
                        tried again at 00:06
                        try 2 at 00:06, 2 s: ok, 31 created, 2 updated
                          consistent point 2026-11-22 23:02:00 +01:00
                          created 31 objects
          Undo          there is none
          Limits        10 m for all of it, 3 tries per effect
          Now           it has ended after 5 s
        "#);
    }

    #[test]
    fn a_failed_wait_says_what_it_saw_and_what_to_type() {
        insta::assert_snapshot!(told(&sample::failed(), "web-up"), @r#"
        web-up (wait): failed                    shop-d-9q7 · 2026-11-22 23:14:07 +01:00
          Waited for    restore (ok at 00:02)
          Started       at 00:02, 10 ms after all that it waited for had ended
          Effect        . west  wait  Deployment shop-drill-4k2/web available (3
                        replicas)
                        try 1 at 00:02, 5 m: failed, west: 2 of 3 replicas ready:
                        web-7d89-x2dnt cannot pull registry.east/shop:4.2 (i/o timeout);
                        tried again at 05:04
                          hint: kubectl --context west -n shop-drill-4k2 describe pod
                          web-7d89-x2dnt
                        try 2 at 05:04, 4 m 58 s: failed, west: 2 of 3 replicas ready:
                        web-7d89-x2dnt cannot pull registry.east/shop:4.2 (i/o timeout)
                          hint: kubectl --context west -n shop-drill-4k2 describe pod
                          web-7d89-x2dnt
          Undo          there is none
          Limits        10 m for all of it, 3 tries per effect
          Now           it failed, and the run has ended
        "#);
    }

    #[test]
    fn a_rejection_names_the_person_and_the_reason() {
        insta::assert_snapshot!(told(&sample::rejected(), "go"), @r#"
        go (approve): failed                     shop-f-77c · 2026-11-22 23:14:07 +01:00
          Waited for    answers (ok at 00:30)
          Started       at 00:30, 10 ms after all that it waited for had ended
          Effect        ? people  approve  "Send customers to west?"
                        (incident-commander)
                        try 1 at 00:30, 1 m 30 s: failed, ben: prices are wrong
          Undo          there is none
          Limits        10 m for all of it, 3 tries per effect
          People        at 02:00 ben answered no (incident-commander): prices are wrong
          Now           it failed, and the run has ended
        "#);
    }

    #[test]
    fn why_nothing_happens_is_said() {
        let entries = sample::recovered();
        let now = |entries: &[Entry], step| told(entries, step).lines().last().unwrap().to_owned();
        assert_eq!(
            now(&entries[..6], "answers"),
            "  Now           it waits for web-up (pending)"
        );
        assert_eq!(
            now(&sample::failed(), "answers"),
            "  Now           it is not done: web-up failed"
        );
    }

    #[test]
    fn an_unknown_step_is_answered_with_the_known_ones() {
        let error = explain(&sample::paused(), "restor", &sample::zone(), 80).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run has no step `restor`; it has stop-active, restore, web-up, answers, go"
        );
    }
}
