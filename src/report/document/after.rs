//! What an after-action report holds beyond the work itself: the clocks, the findings with who mends them,
//! and what only people can say.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Block, Marked, Section, Table, lead};
use crate::report::draw::Tone;
use crate::report::outcome::{Measure, StepReport, Summary};
use crate::report::units::{duration, moment};
use crate::report::words::{measure, verdict};
use crate::run::Declaration;
use crate::runbook::Mode;

/// Every clock of a recovery, the ones that nobody read included.
pub(super) fn clocks(summary: &Summary, zone: &TimeZone) -> Section {
    if summary.mode == Mode::Protect {
        return Section::new("clocks", "Clocks", Vec::new());
    }
    let mut rows = vec![
        blank("The impact began"),
        blank("It was noticed"),
        declaration(summary, zone),
    ];
    if summary.mode == Mode::Drill {
        // Nothing was hurt, noticed or declared.
        rows.clear();
    }
    rows.push(row(
        "The run began",
        moment(summary.began_at, zone),
        "the journal's first entry",
    ));
    rows.push(match healthy_at(summary) {
        Some(at) => row("The service was healthy", moment(at, zone), &summary.rto.how),
        None => vec![
            Marked::plain("The service was healthy"),
            Marked::new("not proved", Tone::Doubt),
            Marked::plain(summary.rto.how.clone()),
        ],
    });
    let last = if summary.is_over() {
        "The run ended"
    } else {
        "Last entry"
    };
    rows.push(row(
        last,
        moment(summary.last_at, zone),
        "the journal's last entry",
    ));
    if summary.mode != Mode::Drill {
        rows.push(blank("Users were told"));
    }
    let decision = summary.decision.as_ref();
    rows.extend(decision.map(|one| objective("Time to decide", one, summary)));
    rows.push(objective("Recovery time", &summary.rto, summary));
    rows.push(objective("Data loss", &summary.rpo, summary));
    let waited = |one: fn(&StepReport) -> u64| summary.steps.iter().map(one).sum::<u64>();
    let waits = [
        ("Steps waited for people", waited(|step| step.waited.person_ms)),
        ("Steps waited between tries", waited(|step| step.waited.retry_ms)),
        ("Steps waited for their turn", waited(|step| step.waited.turn_ms)),
    ];
    rows.extend(waits.map(|(name, ms)| {
        row(
            name,
            duration(ms),
            "added up over all steps; steps run side by side",
        )
    }));
    Section::new(
        "clocks",
        "Clocks",
        vec![Block::Table(Table {
            caption: "Each clock, and how it is known",
            head: &["Clock", "Value", "Known from"],
            rows,
        })],
    )
}

fn row(name: &str, value: String, known: &str) -> Vec<Marked> {
    vec![Marked::plain(name), Marked::plain(value), Marked::plain(known)]
}

/// A clock that only people can read.
fn blank(name: &str) -> Vec<Marked> {
    vec![
        Marked::plain(name),
        Marked::new("not recorded", Tone::Doubt),
        Marked::plain("to be written in by hand: ______________"),
    ]
}

fn objective(name: &str, one: &Measure, summary: &Summary) -> Vec<Marked> {
    let value = measure(one, summary);
    let value = match verdict(one, summary) {
        "" => value,
        word => format!("{value}, {word}"),
    };
    row(name, value, &one.how)
}

fn declaration(summary: &Summary, zone: &TimeZone) -> Vec<Marked> {
    let Some(declared) = &summary.declared else {
        return blank("The failover was declared");
    };
    let later = written_later(declared, zone);
    let known = format!("by {}: {}{later}", declared.by, declared.reason);
    row("The incident was declared", moment(declared.at, zone), &known)
}

/// An earlier time is a person's word, and that is said.
fn written_later(declared: &Declaration, zone: &TimeZone) -> String {
    if declared.at == declared.recorded_at {
        return String::new();
    }
    format!("; written down at {}", moment(declared.recorded_at, zone))
}

/// When health was proved. The measure counts from the declaration, where there is one that can be used.
fn healthy_at(summary: &Summary) -> Option<jiff::Timestamp> {
    let ms = i64::try_from(summary.rto.measured_ms?).ok()?;
    let declared = summary.declared.as_ref().map(|declared| declared.at);
    let from = declared.map_or(summary.began_at, |at| at.min(summary.began_at));
    from.checked_add(SignedDuration::from_millis(ms)).ok()
}

/// Every finding, to be given an owner and a day.
pub(super) fn findings(summary: &Summary) -> Section {
    let all = lead::findings(summary);
    if all.is_empty() {
        let text =
            "lifeboat found nothing that needs attention. What people found belongs into the notes below.";
        return Section::new("findings", "Findings", vec![Block::Paragraph(text.to_owned())]);
    }
    let row = |(number, finding): (usize, &Marked)| {
        let severity = match finding.tone {
            Tone::Bad => "high",
            _ => "medium",
        };
        vec![
            Marked::plain((number + 1).to_string()),
            Marked::new(severity, finding.tone),
            Marked::plain(finding.text.clone()),
            Marked::plain("____________"),
            Marked::plain("__________"),
        ]
    };
    let rows = all.iter().enumerate().map(row).collect();
    Section::new(
        "findings",
        "Findings",
        vec![Block::Table(Table {
            caption: "What needs attention, worst first; owner and day are given by whoever reviews it",
            head: &["No.", "Severity", "Finding", "Owner", "Due"],
            rows,
        })],
    )
}

/// What went well, what did not, where luck helped: no journal knows it.
pub(super) fn notes(summary: &Summary, notes: Option<&str>) -> Section {
    if !summary.is_over() {
        return Section::new("notes", "Notes of the people who were there", Vec::new());
    }
    let blocks = match notes {
        Some(text) => vec![
            Block::Source("From notes.md beside the journal, as people wrote it.".to_owned()),
            Block::Prose(text.to_owned()),
        ],
        None => vec![
            Block::Paragraph("Nobody has written notes.md beside the journal yet. By hand:".to_owned()),
            Block::SignOff(&[
                "What went well",
                "What did not",
                "Where we were lucky",
                "What is changed in the runbook",
            ]),
        ],
    };
    Section::new("notes", "Notes of the people who were there", blocks)
}
