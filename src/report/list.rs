//! Runs, one line each.

use jiff::tz::TimeZone;

use super::lines::{clean, pad, width};
use super::outcome::{Ending, Measure, Summary};
use super::units::{duration, moment};

/// The list, with a heading and a line break at its end.
pub fn run_list(summaries: &[Summary], zone: &TimeZone) -> String {
    let heading = ["RUN", "ENDED AS", "BEGAN", "RTO", "RPO"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(heading)
        .chain(summaries.iter().map(|summary| row(summary, zone)))
        .collect();
    let wide = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths = [wide(0), wide(1), wide(2), wide(3), wide(4)];
    rows.iter().fold(String::new(), |text, row| {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, wide)| pad(cell, wide))
            .collect();
        text + cells.join("  ").trim_end() + "\n"
    })
}

/// `recovered, RTO 19 s, RPO 12 m`: how a run ended, for a log.
pub fn run_line(summary: &Summary) -> String {
    let mut line = ending_word(summary.ending()).to_owned();
    for (name, measure) in [("RTO", &summary.rto), ("RPO", &summary.rpo)] {
        if let Some(ms) = measure.measured_ms {
            line = format!("{line}, {name} {}", duration(ms));
        }
    }
    line
}

fn row(summary: &Summary, zone: &TimeZone) -> [String; 5] {
    [
        clean(&summary.run.0),
        ending_word(summary.ending()).to_owned(),
        moment(summary.began_at, zone),
        measured(&summary.rto),
        measured(&summary.rpo),
    ]
}

/// How a run ended, in words.
pub(crate) const fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Recovered => "recovered",
        Ending::RecoveredWithFailures => "recovered, with failures",
        Ending::Failed => "failed",
        Ending::Undone => "undone",
        Ending::Stopped => "stopped",
        Ending::NotTornDown => "NOT TORN DOWN",
        Ending::Paused => "paused",
        Ending::Open => "not ended",
    }
}

fn measured(measure: &Measure) -> String {
    measure.measured_ms.map_or_else(|| "–".to_owned(), duration)
}
