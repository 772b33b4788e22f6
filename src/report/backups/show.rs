//! `lifeboat backup show`: one backup in full.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::list::{going, keeping, state, why};
use super::{fact, namespaces, old};
use crate::archive::LeftOut;
use crate::report::lines::{clean, ends, hang, text};
use crate::report::table::table;
use crate::report::units::{bytes, moment};
use crate::world::library::{Contents, Writer};

/// Names behind one reason: more are in `--json`.
const NAMED: usize = 6;

/// The whole page, with a line break at its end.
pub fn backup_contents(contents: &Contents, now: Timestamp, zone: &TimeZone, columns: usize) -> String {
    let card = &contents.card;
    let name = format!("Backup {}", clean(&card.name));
    let mut out = vec![ends(&name, &format!("store {}", clean(&card.store)), columns)];
    let mut say = |label: &str, what: String| out.push(fact(label, &what, columns));
    say("State", state(&card.state, now));
    if let Some(why) = why(&card.state) {
        say("", why);
    }
    say("Moment", moments(contents, now, zone));
    say("Origin", origin(contents));
    say("Namespaces", places(contents));
    say(
        "Objects",
        card.objects
            .map_or_else(|| "not known".to_owned(), |count| count.to_string()),
    );
    say("Archive", archive(contents));
    say(
        "Kept",
        format!(
            "{} in the store; {}{}",
            bytes(card.bytes),
            keeping(card),
            going(card)
        ),
    );
    out.extend(kinds(&contents.kinds));
    out.extend(left_out(&contents.left_out, columns));
    let lists = [
        ("Errors in its writer's words", &contents.errors),
        ("Warnings in its writer's words", &contents.warnings),
        (
            "Data of these claims is saved by Velero, and lifeboat does not read it",
            &contents.volumes,
        ),
        ("Not told, because it could not be read", &contents.unread),
    ];
    for (heading, lines) in lists {
        out.extend(section(heading, lines, columns));
    }
    text(&out)
}

fn moments(contents: &Contents, now: Timestamp, zone: &TimeZone) -> String {
    let Some(at) = contents.card.consistent_at else {
        return "not known".to_owned();
    };
    let read = match contents.completed_at {
        Some(end) => format!("; the last object was read at {}", moment(end, zone)),
        None => String::new(),
    };
    format!("{}, {} old{read}", moment(at, zone), old(at, now))
}

fn origin(contents: &Contents) -> String {
    let card = &contents.card;
    let site = match &card.origin {
        Some(origin) => format!("{}, cluster {}", origin.site, origin.uid),
        None => "site not recorded".to_owned(),
    };
    let version = contents
        .kubernetes
        .iter()
        .map(|version| format!(", Kubernetes {version}"));
    let writer = match (&contents.tool, card.writer) {
        (Some(tool), _) => format!("; written by {tool}"),
        (None, Writer::Velero) => "; written by Velero".to_owned(),
        (None, Writer::Lifeboat) => "; written by lifeboat".to_owned(),
        (None, Writer::Unknown) => "; its writer is not known".to_owned(),
    };
    format!("{site}{}{writer}", version.collect::<String>())
}

/// `shop (24 objects), 1 of the cluster`.
fn places(contents: &Contents) -> String {
    if contents.per_namespace.is_empty() {
        let names = contents.card.namespaces.as_deref();
        return names.map_or_else(|| "not known".to_owned(), namespaces);
    }
    let mut parts: Vec<String> = Vec::new();
    for (name, count) in contents.per_namespace.iter().filter(|(name, _)| !name.is_empty()) {
        parts.push(format!("{name} ({count})"));
    }
    if let Some(count) = contents.per_namespace.get("") {
        parts.push(format!("cluster-scoped ({count})"));
    }
    parts.join(", ")
}

fn archive(contents: &Contents) -> String {
    match &contents.archive {
        Some(sum) => format!("{}, SHA-256 {}", bytes(sum.size), sum.sha256),
        None => "nobody recorded its checksum".to_owned(),
    }
}

fn kinds(kinds: &BTreeMap<String, u64>) -> Vec<String> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let heading = vec!["KIND".to_owned(), "COUNT".to_owned()];
    let rows = kinds
        .iter()
        .map(|(kind, count)| vec![clean(kind), count.to_string()]);
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    table(&rows).into_iter().map(|line| format!("  {line}")).collect()
}

/// Reason by reason, so that a hundred events are one line.
fn left_out(all: &[LeftOut], columns: usize) -> Vec<String> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in all {
        reasons.entry(&one.why).or_default().push(&one.what);
    }
    let mut out = vec!["  Left out, by rule".to_owned()];
    for (why, whats) in reasons {
        let named = whats.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let line = match whats.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named} and {more} more"),
        };
        out.push(hang("    ", &clean(&format!("{why}: {line}")), columns));
    }
    out
}

fn section(heading: &str, lines: &[String], columns: usize) -> Vec<String> {
    if lines.is_empty() {
        return Vec::new();
    }
    let lines = lines.iter().map(|line| hang("    ", &clean(line), columns));
    std::iter::once(format!("  {heading}")).chain(lines).collect()
}
