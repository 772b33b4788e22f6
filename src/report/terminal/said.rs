//! What is said of an entry: the lines that stay on the screen.

use std::collections::BTreeMap;

use super::live::{Watch, asking, commands, doing, findings};
use super::{Line, Word};
use crate::effect::{Effect, ErrorKind, WorldError};
use crate::report::lines::clean;
use crate::report::outcome::{AttemptResult, Fold, StepState, index, state_of};
use crate::report::plan_text::places;
use crate::report::units::duration;
use crate::report::words::{mode_title, tried_again};
use crate::run::{Answer, Entry, Event, Finding, Outcome, Phase};
use crate::runbook::OnFailure;

/// Lines about an entry that was already taken in. `chatty`: also what a live region would show.
pub(super) fn said(watch: &Watch, entry: &Entry, chatty: bool) -> Vec<Line> {
    let Some(fold) = &watch.fold else {
        return Vec::new();
    };
    match &entry.event {
        Event::Resumed { operator } => note(&format!(
            "taken up again by {} on {}",
            operator.name, operator.host
        )),
        Event::Claimed { epoch } => note(&format!("epoch {epoch} is held; nobody else may carry this")),
        Event::FencesRaised { fences } => raised(fences),
        Event::MirrorBehind { mirror, error } => late(mirror, error),
        Event::MirrorCaughtUp { mirror } => {
            note(&format!("the journal's mirror {mirror} holds everything again"))
        }
        Event::Intended { step, .. } => intended(fold, *step, chatty),
        Event::Performed {
            step,
            phase,
            effect,
            receipt,
            ..
        } if chatty => performed(fold, *step, *phase, *effect, &receipt.summary),
        Event::Began(_) | Event::Performed { .. } | Event::Finished { .. } => Vec::new(),
        Event::Failed {
            step,
            attempt,
            error,
            retry_at_ms,
            ..
        } => failed(fold, *step, *attempt, error, *retry_at_ms, entry.elapsed_ms),
        Event::Unknown { step, error, .. } => unknown(fold, *step, error),
        Event::Answered {
            step,
            answer,
            by,
            role,
            reason,
            ..
        } => answered(fold, *step, *answer, by, role.as_deref(), reason),
        Event::Ended { step, outcome } => ended(fold, *step, outcome),
        Event::RetryOrdered { step, by, reason } => line(
            fold,
            *step,
            Word::Now,
            "",
            &format!("another try, ordered by {by}: {reason}"),
        ),
        Event::Decided {
            step,
            finding,
            by,
            reason,
        } => decided(fold, *step, *finding, by, reason),
        Event::Noted { by, text } => note(&format!("{by}: {text}")),
        Event::Paused { by, reason } => note(&format!(
            "paused by {by}: {reason}; go on: lifeboat resume {}",
            fold.begun.run
        )),
        Event::Stopping { by, reason } => note(&format!(
            "{by} asked for the end: {reason}; what runs last still runs"
        )),
        Event::Unwinding { step } => note(&format!(
            "undoing what was done, newest first, because {} failed",
            fold.name(*step)
        )),
    }
}

/// `Drill shop-d-4k2 of shop on west, namespace shop-drill-4k2, closed to the outside.`
pub(super) fn heading(watch: &Watch) -> Vec<String> {
    let Some(fold) = &watch.fold else {
        return Vec::new();
    };
    let plan = &fold.begun.plan;
    let walls = plan.sandbox.as_ref().map_or_else(String::new, |sandbox| {
        let names: Vec<_> = sandbox.namespaces.values().map(String::as_str).collect();
        format!(", in {}, closed to the outside", names.join(", "))
    });
    let first = format!(
        "{} {} of {} {}{walls}.",
        mode_title(plan.mode),
        fold.begun.run,
        plan.runbook.name,
        places(plan)
    );
    let mut lines = vec![clean(&first)];
    lines.extend(declared(fold));
    if !watch.options.journal.is_empty() {
        lines.push(clean(&format!("Journal: {}", watch.options.journal)));
    }
    lines
}

/// The clock did not start with the run.
fn declared(fold: &Fold) -> Option<String> {
    let declared = fold.begun.declared.as_ref()?;
    let before = match fold.decided_ms() {
        0 => "at the start".to_owned(),
        ms => format!("{} before the start", duration(ms / 1000 * 1000)),
    };
    Some(clean(&format!(
        "Declared {before} by {}: {}. RTO counts from there.",
        declared.by, declared.reason
    )))
}

fn raised(fences: &BTreeMap<String, String>) -> Vec<Line> {
    let line = |(site, word): (&String, &String)| note(&format!("fence at {site}: {word}"));
    fences.iter().flat_map(line).collect()
}

fn late(mirror: &str, error: &WorldError) -> Vec<Line> {
    let text = format!(
        "the journal's mirror {mirror} is late: {}; it is tried again",
        error.message
    );
    vec![Line::new(Word::Wait, "", "", &text)]
}

fn note(text: &str) -> Vec<Line> {
    vec![Line::new(Word::Note, "", "", text)]
}

fn line(fold: &Fold, step: u32, word: Word, time: &str, text: &str) -> Vec<Line> {
    vec![Line::new(word, &fold.name(step), time, text)]
}

/// A question is always said in full: its command must not be cut off.
fn intended(fold: &Fold, step: u32, chatty: bool) -> Vec<Line> {
    let (Some(planned), Some(known)) = (fold.planned(step), fold.step(step)) else {
        return Vec::new();
    };
    match state_of(planned, known) {
        StepState::Asking => line(fold, step, Word::Ask, "", &asking(fold, planned, known)),
        _ if chatty => line(fold, step, Word::Now, "", &doing(fold, planned, known)),
        _ => Vec::new(),
    }
}

/// Only of effects after which the same step goes on: the last one is told by the step's end.
fn performed(fold: &Fold, step: u32, phase: Phase, effect: u32, summary: &str) -> Vec<Line> {
    let Some(planned) = fold.planned(step) else {
        return Vec::new();
    };
    let list: &[Effect] = match phase {
        Phase::Forward => &planned.effects,
        Phase::Undo => &planned.undo,
    };
    let number = index(effect).saturating_add(1);
    if number >= list.len() {
        return Vec::new();
    }
    line(
        fold,
        step,
        Word::Now,
        "",
        &format!("{number} of {} done: {summary}", list.len()),
    )
}

fn failed(
    fold: &Fold,
    step: u32,
    attempt: u32,
    error: &WorldError,
    retry_at_ms: Option<u64>,
    now_ms: u64,
) -> Vec<Line> {
    if error.kind == ErrorKind::Declined {
        return Vec::new();
    }
    let allowed = fold.planned(step).map_or(0, |planned| planned.policy.attempts);
    let tries = match error.kind {
        // It is not counted.
        ErrorKind::Unauthenticated if retry_at_ms.is_some() => error.to_string(),
        _ => format!("try {attempt} of {allowed} failed: {error}"),
    };
    let Some(at) = retry_at_ms else {
        let mut lines = line(fold, step, Word::Fail, "", &tries);
        lines.extend(hints(error));
        return lines;
    };
    let again = tried_again(error, &format!("in {}", duration(at.saturating_sub(now_ms))));
    line(fold, step, Word::Wait, "", &format!("{tries}; {again}"))
}

fn hints(error: &WorldError) -> impl Iterator<Item = Line> {
    error
        .hints
        .iter()
        .map(|hint| Line::new(Word::Note, "", "", &format!("hint: {hint}")))
}

fn unknown(fold: &Fold, step: u32, error: &WorldError) -> Vec<Line> {
    let how = fold
        .planned(step)
        .map_or_else(String::new, |planned| findings(fold, planned));
    let text = format!("nobody knows whether it worked: {error}; look, then: {how}");
    let mut lines = line(fold, step, Word::Ask, "", &text);
    lines.extend(hints(error));
    lines
}

fn answered(fold: &Fold, step: u32, answer: Answer, by: &str, role: Option<&str>, reason: &str) -> Vec<Line> {
    let role = role.map_or_else(String::new, |role| format!(" ({role})"));
    let (word, answer) = match answer {
        Answer::Yes => (Word::Ok, "yes"),
        Answer::No => (Word::Fail, "no"),
    };
    line(
        fold,
        step,
        word,
        "",
        &format!("{answer}, by {by}{role}: {reason}"),
    )
}

fn decided(fold: &Fold, step: u32, finding: Finding, by: &str, reason: &str) -> Vec<Line> {
    let (word, found) = match finding {
        Finding::Worked => (Word::Now, "it had worked"),
        Finding::Failed => (Word::Fail, "it had not worked"),
    };
    line(
        fold,
        step,
        word,
        "",
        &format!("{by} looked, and {found}: {reason}"),
    )
}

fn ended(fold: &Fold, step: u32, outcome: &Outcome) -> Vec<Line> {
    let time = fold.step(step).and_then(|known| {
        let started = known
            .attempts
            .iter()
            .find(|one| one.phase == Phase::Forward)?
            .began_ms;
        Some(duration(known.ended_ms?.saturating_sub(started)))
    });
    let time = time.unwrap_or_default();
    let (word, text) = match outcome {
        Outcome::Succeeded => (Word::Ok, result(fold, step)),
        Outcome::Failed => (
            Word::Fail,
            format!("failed for good; {}", consequence(fold, step)),
        ),
        Outcome::Continued => (Word::Fail, "failed, and its runbook says to go on".to_owned()),
        Outcome::Skipped { why, .. } => (Word::Skip, why.clone()),
        Outcome::MarkedDone { by, reason } => (Word::Ok, format!("done by hand, says {by}: {reason}")),
        Outcome::Undone => (Word::Ok, "undone".to_owned()),
        Outcome::UndoFailed => (Word::Fail, "its undo failed: somebody must look".to_owned()),
    };
    line(fold, step, word, &time, &text)
}

/// The receipts' own words.
fn result(fold: &Fold, step: u32) -> String {
    let Some(known) = fold.step(step) else {
        return String::new();
    };
    let said = known.attempts.iter().filter_map(|attempt| match &attempt.result {
        AttemptResult::Performed { receipt } if !receipt.summary.is_empty() => Some(receipt.summary.as_str()),
        _ => None,
    });
    said.collect::<Vec<_>>().join("; ")
}

fn consequence(fold: &Fold, step: u32) -> String {
    let planned = fold.planned(step);
    match planned.map(|planned| planned.policy.on_failure) {
        // Nobody is asked in a drill.
        Some(OnFailure::Pause) | None if fold.begun.plan.sandbox.is_some() => "nothing new starts".to_owned(),
        // To resume alone would pause again at once.
        Some(OnFailure::Pause) | None => {
            let decide = planned.map_or_else(String::new, |planned| commands(fold, planned));
            format!("nothing new starts until somebody decides: {decide}")
        }
        Some(OnFailure::Stop) => "the run ends".to_owned(),
        Some(OnFailure::Undo) => "what was done is undone".to_owned(),
        Some(OnFailure::Continue) => "the run goes on".to_owned(),
    }
}
