//! The phrases that terminal, Markdown and HTML share, so that they never say different things.

use super::outcome::{Ending, Ledger, Measure, Reached, State, StepReport, StepState, Summary};
use super::units::{count, duration};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::Mode;

/// The mode as a person writes it at the beginning of a sentence.
pub(crate) const fn mode_title(mode: Mode) -> &'static str {
    match mode {
        Mode::Drill => "Drill",
        Mode::Switchover => "Switchover",
        Mode::Failover => "Failover",
        Mode::Failback => "Failback",
        Mode::Protect => "Protection",
    }
}

/// `Drill recovered.`
pub(crate) fn headline(summary: &Summary) -> String {
    let rest = match (summary.ending(), &summary.state) {
        (Ending::Recovered, _) if summary.mode == Mode::Protect => "done",
        (Ending::Recovered, _) => "recovered",
        (Ending::RecoveredWithFailures, _) => "recovered, but a step failed",
        (Ending::Failed, _) => "failed",
        (Ending::Undone, _) => "failed and was undone",
        (Ending::Stopped, _) => "was stopped by a person",
        (Ending::NotTornDown, _) => "ended, and is not torn down",
        (Ending::Paused, _) => "is paused",
        (Ending::Open, State::Stopping { .. }) => "is being stopped",
        (Ending::Open, State::Unwinding { .. }) => "is being undone",
        (Ending::Open, _) => "has not ended",
    };
    format!("{} {rest}.", mode_title(summary.mode))
}

/// What becomes of an effect that failed so and is tried again by itself; `when`: `in 2 s`, `at 00:04`.
pub(crate) fn tried_again(error: &WorldError, when: &str) -> String {
    match error.kind {
        ErrorKind::Unauthenticated => "tried again when the run is resumed".to_owned(),
        _ => format!("tried again {when}"),
    }
}

/// `19 s of 30 m`, `not measured, 30 m wanted`.
pub(crate) fn measure(measure: &Measure, summary: &Summary) -> String {
    let wanted = measure.target_ms.map(duration);
    let missing = if summary.is_over() {
        "not measured"
    } else {
        "not measured yet"
    };
    match (measure.measured_ms.map(duration), wanted) {
        (Some(got), Some(wanted)) => format!("{got} of {wanted}"),
        (Some(got), None) => got,
        (None, Some(wanted)) => format!("{missing}, {wanted} wanted"),
        (None, None) => missing.to_owned(),
    }
}

/// The word about an objective. One that could not be measured counts as missed, once the run is
/// over.
pub(crate) fn verdict(measure: &Measure, summary: &Summary) -> &'static str {
    match (measure.reached, measure.target_ms) {
        (Reached::NotMeasured, Some(_)) if summary.is_over() => "counts as missed",
        (Reached::NotMeasured, _) => "",
        (reached, _) => reached.word(),
    }
}

/// `5 ok, 1 failed (web-up: …), 1 skipped (go: …)`; reasons only where steps did not simply work.
pub(crate) fn step_counts(summary: &Summary) -> String {
    let mut parts = Vec::new();
    for state in ORDER {
        let steps: Vec<_> = summary.steps.iter().filter(|step| step.state == state).collect();
        if steps.is_empty() {
            continue;
        }
        let word = match state {
            StepState::Pending if summary.is_over() => "not executed",
            _ => state.word(),
        };
        let why = match state {
            StepState::Succeeded | StepState::Pending => String::new(),
            _ => format!(" ({})", reasons(&steps)),
        };
        parts.push(format!("{} {word}{why}", steps.len()));
    }
    parts.join(", ")
}

/// Good ones first, then what needs a look, then what did not happen.
const ORDER: [StepState; 13] = [
    StepState::Succeeded,
    StepState::MarkedDone,
    StepState::Running,
    StepState::Undoing,
    StepState::Retrying,
    StepState::Asking,
    StepState::Unknown,
    StepState::Failed,
    StepState::Continued,
    StepState::UndoFailed,
    StepState::Undone,
    StepState::Skipped,
    StepState::Pending,
];

fn reasons(steps: &[&StepReport]) -> String {
    /// More are in the report.
    const NAMED: usize = 3;
    let one = |step: &&&StepReport| match step.result() {
        why if why.is_empty() => step.name.clone(),
        why => format!("{}: {why}", step.name),
    };
    let mut all: Vec<_> = steps.iter().take(NAMED).map(|step| one(&step)).collect();
    if steps.len() > NAMED {
        all.push(format!("{} more", steps.len() - NAMED));
    }
    all.join("; ")
}

/// What a drill left behind, or what another mode made.
pub(crate) fn ledger(summary: &Summary) -> String {
    let ledger = &summary.ledger;
    let mut books = format!("{} created, {} deleted, by uid", ledger.created, ledger.deleted);
    if !ledger.gone_unlisted.is_empty() {
        let more = format!("; {} more went with their namespace", ledger.gone_unlisted.len());
        books.push_str(&more);
    }
    match ledger.torn_down {
        None => books,
        Some(true) if ledger.left_behind.is_empty() => match ledger.extra_deleted.len() {
            0 => format!("nothing: {books}"),
            n => format!("nothing: {books} ({n} of them made by controllers or failed tries)"),
        },
        Some(torn_down) => format!(
            "{} ({books}){}",
            left(ledger),
            proof(torn_down, summary.is_over())
        ),
    }
}

fn left(ledger: &Ledger) -> String {
    /// The report names all of them.
    const NAMED: usize = 3;
    let all = &ledger.left_behind;
    let first: Vec<_> = all
        .iter()
        .take(NAMED)
        .map(|left| left.object.id.to_string())
        .collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    match all.len() {
        0 => "nothing that is known of".to_owned(),
        n => format!("{}: {}{more}", count(n, "object"), first.join(", ")),
    }
}

const fn proof(torn_down: bool, is_over: bool) -> &'static str {
    match (torn_down, is_over) {
        (true, _) => "",
        (false, true) => "; nothing shows that the drill was torn down",
        (false, false) => "; not torn down yet",
    }
}
