//! What was done: the timeline, the graph, every step, every error, everybody who took a hand in it.

use jiff::tz::TimeZone;

use super::{Block, Figure, Marked, Section, Table};
use crate::report::draw::{self, Picture, Tone, mermaid_of, svg_of};
use crate::report::outcome::{AttemptResult, StepReport, Summary};
use crate::report::units::{clock, duration, time_of_day};
use crate::report::words::tried_again;

/// The parts about steps and people.
pub(super) fn sections(summary: &Summary, zone: &TimeZone) -> Vec<Section> {
    vec![
        Section::new("timeline", "Timeline", timeline(summary)),
        Section::new("steps", "Steps", steps(summary, zone)),
        Section::new("errors", "Errors and repeats", errors(summary)),
        Section::new("people", "People", people(summary, zone)),
        Section::new("graph", "The plan as it was carried out", graph(summary)),
    ]
}

/// More rows or boxes than this are not looked at, and make a file that no mail carries.
const DRAWN: usize = 500;

fn too_many(summary: &Summary) -> Vec<Block> {
    let text = format!(
        "{} steps are too many to draw; the table of steps has all of them.",
        summary.steps.len()
    );
    vec![Block::Paragraph(text)]
}

fn graph(summary: &Summary) -> Vec<Block> {
    if summary.steps.len() > DRAWN {
        return too_many(summary);
    }
    let picture = Picture::of_run(summary);
    vec![Block::Figure(Figure {
        label: "Graph",
        svg: svg_of(&picture, false),
        fence: "mermaid",
        text: mermaid_of(&picture),
        legend: None,
    })]
}

fn timeline(summary: &Summary) -> Vec<Block> {
    if summary.steps.len() > DRAWN {
        return too_many(summary);
    }
    if summary.steps.iter().all(|step| step.started_ms.is_none()) {
        return vec![Block::Paragraph("No step has begun.".to_owned())];
    }
    let longest: Vec<_> = summary.longest(3).into_iter().map(in_words).collect();
    let mut blocks = vec![Block::Figure(Figure {
        label: "Timeline",
        svg: draw::timeline(summary),
        fence: "text",
        text: draw::text_timeline(summary),
        legend: Some("`=` worked, `x` failed, `?` asked or unknown, `.` waited, `>` has no end yet."),
    })];
    if !longest.is_empty() {
        blocks.push(Block::Paragraph(format!("Longest: {}.", longest.join(", "))));
    }
    blocks
}

fn in_words(step: &StepReport) -> String {
    let took = step.took_ms().unwrap_or(0);
    let waits = [
        (step.waited.person_ms, "for people"),
        (step.waited.retry_ms, "between tries"),
        (step.waited.turn_ms, "for its turn before it began"),
    ];
    let waits: Vec<_> = waits
        .into_iter()
        .filter(|(ms, _)| *ms >= 1000)
        .map(|(ms, why)| format!("waited {} {why}", duration(ms)))
        .collect();
    let waits = if waits.is_empty() {
        String::new()
    } else {
        format!(" ({})", waits.join(", "))
    };
    format!("{} {}{waits}", step.name, duration(took))
}

fn steps(summary: &Summary, zone: &TimeZone) -> Vec<Block> {
    let row = |step: &StepReport| {
        let begun = step
            .started_ms
            .map_or_else(|| "–".to_owned(), |ms| time_of_day(at(summary, ms), zone));
        let took = step.took_ms().map_or_else(|| "–".to_owned(), duration);
        vec![
            Marked::plain(step.name.clone()),
            Marked::new(step.state.word(), Tone::of(step.state)),
            Marked::plain(begun),
            Marked::plain(took),
            Marked::plain(what(step)),
            Marked::plain(step.result()),
        ]
    };
    let table = Table {
        caption: "Every step of the plan, in its order",
        head: &["Step", "State", "Began", "Took", "What", "Result"],
        rows: summary.steps.iter().map(row).collect(),
    };
    vec![Block::Table(table)]
}

/// A moment of the run's clock on the wall.
fn at(summary: &Summary, ms: u64) -> jiff::Timestamp {
    let since = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    summary.began_at.checked_add(since).unwrap_or(summary.last_at)
}

/// What a step is for: its own sentence, else its first effects.
fn what(step: &StepReport) -> String {
    const SHOWN: usize = 2;
    if let Some(text) = &step.description {
        return text.clone();
    }
    let line = |effect: &crate::report::outcome::EffectReport| {
        let line = &effect.line;
        let place = if line.place.is_empty() {
            String::new()
        } else {
            format!("{}: ", line.place)
        };
        format!("{place}{} {}", line.verb, line.what)
    };
    let mut lines: Vec<_> = step.effects.iter().take(SHOWN).map(line).collect();
    if step.effects.len() > SHOWN {
        lines.push(format!("and {} more", step.effects.len() - SHOWN));
    }
    lines.join("; ")
}

fn errors(summary: &Summary) -> Vec<Block> {
    let mut rows = Vec::new();
    for step in &summary.steps {
        for (effect, attempt) in step.attempts() {
            let Some(error) = attempt.error() else { continue };
            let then = match &attempt.result {
                AttemptResult::Failed {
                    retry_at_ms: Some(at),
                    ..
                } => tried_again(error, &format!("at {}", clock(*at))),
                AttemptResult::Unknown { .. } => "outcome unknown".to_owned(),
                AttemptResult::Decided { by, .. } => {
                    format!("outcome unknown; {by} looked: it had not worked")
                }
                _ => "not tried again by itself".to_owned(),
            };
            let mut told = vec![error.to_string()];
            told.extend(error.causes.iter().map(|cause| format!("because {cause}")));
            rows.push(vec![
                Marked::plain(step.name.clone()),
                Marked::plain(format!("{}, try {}", effect.line.verb, attempt.number)),
                Marked::plain(clock(attempt.ended_ms.unwrap_or(attempt.began_ms))),
                Marked::new(told.join("; "), Tone::Bad),
                Marked::plain(then),
                Marked::plain(error.hints.join("; ")),
            ]);
        }
    }
    if rows.is_empty() {
        return vec![Block::Paragraph(
            "Nothing failed and nothing was repeated.".to_owned(),
        )];
    }
    let head = &["Step", "Effect", "At", "Error", "Then", "Hint"];
    vec![Block::Table(Table {
        caption: "Every attempt that did not work, in the order of the steps",
        head,
        rows,
    })]
}

fn people(summary: &Summary, zone: &TimeZone) -> Vec<Block> {
    let row = |act: &crate::report::outcome::Act| {
        let role = act
            .role
            .as_deref()
            .map_or_else(String::new, |role| format!(" ({role})"));
        vec![
            Marked::plain(time_of_day(act.at, zone)),
            Marked::plain(format!("{}{role}", act.by)),
            Marked::plain(act.deed.did()),
            Marked::plain(act.step.clone().unwrap_or_default()),
            Marked::plain(act.reason.clone()),
        ]
    };
    let table = Table {
        caption: "Everybody and everything that took a hand in the run, with the reason given",
        head: &["At", "Who", "Did", "Step", "Reason"],
        rows: summary.acts.iter().map(row).collect(),
    };
    vec![Block::Table(table)]
}
