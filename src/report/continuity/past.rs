//! What earlier runs say of a service: its tests, and how long they took.

use super::Desk;
use crate::report::document::{Block, Marked, Table};
use crate::report::draw::Tone;
use crate::report::history::Record;
use crate::report::outcome::{Ending, Summary};
use crate::report::units::{duration, moment};
use crate::report::words::{headline, mode_title, verdict};
use crate::runbook::Mode;

/// What is known of earlier runs of one runbook.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The runs, in any order.
    pub runs: Vec<Summary>,
    /// What they measured.
    pub records: Vec<Record>,
    /// Where they were read from.
    pub place: String,
    /// Runs that could not be read, of whatever runbook, and why.
    pub unreadable: Vec<String>,
}

/// Tests that a plan lists; older ones are in their own reports.
const LISTED: usize = 20;

/// Recoveries, the newest first.
fn recoveries<'a>(desk: &Desk<'a>) -> Vec<&'a Summary> {
    let runs = desk.paper.past.runs.iter();
    let mut runs: Vec<&Summary> = runs.filter(|run| run.mode != Mode::Protect).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.began_at));
    runs
}

/// The test history.
pub(super) fn tests(desk: &mut Desk<'_>) -> Vec<Block> {
    let runs = recoveries(desk);
    let place = &desk.paper.past.place;
    if runs.is_empty() {
        let text = format!(
            "No drill and no recovery of this service is known from {place}. Make one: lifeboat drill {}",
            desk.paper.path
        );
        return vec![desk.missing("J Test and maintenance schedule", text)];
    }
    let rows = runs.iter().take(LISTED).map(|run| row(desk, run)).collect();
    let mut blocks = vec![Block::Table(Table {
        caption: "Drills and recoveries, the newest first",
        head: &["Began", "What", "Result", "RTO", "RPO", "Runbook", "Report"],
        rows,
    })];
    let more = match runs.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(" {n} older ones are not listed."),
    };
    blocks.push(Block::Source(format!(
        "From the {} journals of this service in {place}, read {}.{more}",
        desk.paper.past.runs.len(),
        moment(desk.paper.now, desk.paper.zone)
    )));
    let unreadable = &desk.paper.past.unreadable;
    blocks.extend(unreadable.iter().map(|why| {
        Block::Notice(Marked::new(
            format!("A run could not be read: {why}."),
            Tone::Doubt,
        ))
    }));
    blocks
}

fn row(desk: &Desk<'_>, run: &Summary) -> Vec<Marked> {
    let tone = match run.ending() {
        Ending::Recovered => Tone::Good,
        Ending::RecoveredWithFailures | Ending::Paused | Ending::Open => Tone::Doubt,
        _ => Tone::Bad,
    };
    let changed = crate::report::readiness::changed_since(desk.paper.runbook, run);
    let measured = |one: &crate::report::outcome::Measure| {
        let took = one.measured_ms.map_or_else(|| "–".to_owned(), duration);
        format!("{took} {}", verdict(one, run)).trim_end().to_owned()
    };
    vec![
        Marked::plain(moment(run.began_at, desk.paper.zone)),
        Marked::plain(mode_title(run.mode)),
        Marked::new(result(run), tone),
        Marked::plain(measured(&run.rto)),
        Marked::plain(measured(&run.rpo)),
        if changed {
            Marked::new("another than today's", Tone::Doubt)
        } else {
            Marked::plain("today's")
        },
        Marked::plain(format!("lifeboat report {}", run.run)),
    ]
}

/// How it ended, and at which risk.
fn result(run: &Summary) -> String {
    let risks = run
        .risks
        .iter()
        .map(|risk| format!("; risk taken: {}", risk.words()))
        .collect::<Vec<_>>();
    format!("{}{}", headline(run).trim_end_matches('.'), risks.concat())
}

/// Which recovery was written down when, as far as runs have seen it.
pub(super) fn changes(desk: &Desk<'_>) -> Vec<Block> {
    let mut runs: Vec<&Summary> = desk.paper.past.runs.iter().collect();
    runs.sort_by_key(|run| run.began_at);
    let mut rows: Vec<Vec<Marked>> = Vec::new();
    let mut last = String::new();
    for run in runs {
        let subject = &run.subject;
        let name = subject.recovery.as_ref().unwrap_or(&subject.digest);
        if *name != last {
            last.clone_from(name);
            rows.push(vec![
                Marked::plain(moment(run.began_at, desk.paper.zone)),
                Marked::plain(short(name)),
                Marked::plain(format!("first used by {}", run.run)),
            ]);
        }
    }
    if last != desk.runbook().recovery {
        rows.push(vec![
            Marked::plain(moment(desk.paper.now, desk.paper.zone)),
            Marked::plain(short(&desk.runbook().recovery)),
            Marked::new("as described here; no run has used it yet", Tone::Doubt),
        ]);
    }
    vec![
        Block::Table(Table {
            caption: "Versions of the recovery that runs have used",
            head: &["First seen", "Recovery", "By"],
            rows,
        }),
        Block::Source(
            "The name of a version is the SHA-256 of roles, inputs, people and steps; the runbook's own history is in its repository."
                .to_owned(),
        ),
    ]
}

fn short(digest: &str) -> String {
    digest.get(..8).unwrap_or(digest).to_owned()
}
