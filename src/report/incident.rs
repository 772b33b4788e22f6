//! A declared incident in words: its clock, and until when what has to be done.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::lines::clean;
use super::units::{age, between_ms, duration, moment};
use crate::run::{Declaration, Incident};
use crate::runbook::Runbook;

/// `2026-11-22 23:14:07 +01:00`.
pub fn instant(at: Timestamp, zone: &TimeZone) -> String {
    moment(at, zone)
}

/// `declared 3 m 10 s ago`.
pub fn declared_when(declared: &Declaration, now: Timestamp) -> String {
    match between_ms(declared.at, now) {
        Some(ms) if ms < 1000 => "declared just now".to_owned(),
        Some(ms) => format!("declared {} ago", age(ms)),
        None => "declared in the future: the clocks disagree".to_owned(),
    }
}

/// What was declared, with the times that follow from it; a line break at its end.
pub fn declared(declared: &Declaration, runbook: &Runbook, now: Timestamp, zone: &TimeZone) -> String {
    let mut out = format!(
        "Incident of {} {}, at {}, by {}: {}\n",
        clean(&runbook.title),
        declared_when(declared, now),
        moment(declared.at, zone),
        clean(&declared.by),
        clean(&declared.reason)
    );
    let until = |ms: u64| {
        let end = declared.at + SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX / 2));
        let left = match between_ms(now, end) {
            Some(left) => format!("{} left", duration(left / 1000 * 1000)),
            None => "over".to_owned(),
        };
        format!("until {} ({left})", moment(end, zone))
    };
    match declared.decide_within_ms {
        Some(ms) => {
            let _ = writeln!(out, "  Decide   within {}, {}", duration(ms), until(ms));
        }
        None => out.push_str("  Decide   the runbook gives no time (continuity.activation.decide_within)\n"),
    }
    match runbook.objectives.rto_ms {
        Some(ms) => {
            let _ = writeln!(out, "  RTO      {}, {}", duration(ms), until(ms));
        }
        None => out.push_str("  RTO      nobody has decided one (objectives.rto)\n"),
    }
    out
}

/// One line about an incident that stands, for a list.
pub fn standing_line(group: &str, incident: &Incident, now: Timestamp) -> String {
    let taken = match incident.runs.as_slice() {
        [] => "no run has taken it up".to_owned(),
        runs => {
            let names: Vec<&str> = runs.iter().map(|run| run.0.as_str()).collect();
            format!("taken up by {}", names.join(", "))
        }
    };
    clean(&format!(
        "Incident of {group}, {} by {}: {}; {taken}.",
        declared_when(&incident.declared, now),
        incident.declared.by,
        incident.declared.reason
    ))
}
