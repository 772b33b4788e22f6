//! The card: one page to be ticked off, for a night on which only paper works.

use super::{Desk, people, purpose};
use crate::report::document::{Block, Marked, Section, Table};
use crate::report::units::duration;
use crate::runbook::Contact;

/// More lines than this are not one page; waves stand for steps then.
const LINES: usize = 16;

pub(super) fn sections(desk: &Desk<'_>) -> Vec<Section> {
    vec![
        Section::new("when", "When", when(desk)),
        Section::new("who", "Who", who(desk)),
        Section::new("steps", "Steps", steps(desk)),
        Section::new("over", "Over when", over(desk)),
    ]
}

fn not_written(what: &str) -> Vec<Block> {
    vec![Block::Missing(format!("{what} is not written in the runbook."))]
}

fn when(desk: &Desk<'_>) -> Vec<Block> {
    let activation = &desk.runbook().continuity.activation;
    if activation.criteria.is_empty() {
        return not_written("When a failover is declared");
    }
    let mut blocks = vec![Block::Checks(activation.criteria.clone())];
    let who: Vec<String> = activation
        .by
        .iter()
        .map(|role| people::people_of(desk, role))
        .collect();
    if !who.is_empty() {
        let within = activation
            .decide_within_ms
            .map_or_else(String::new, |ms| format!(", within {}", duration(ms)));
        blocks.push(Block::Paragraph(format!(
            "One is enough. Declared by {}{within}. Time:\u{a0}______ By: ______________",
            who.join(" or ")
        )));
    }
    blocks
}

fn who(desk: &Desk<'_>) -> Vec<Block> {
    let contacts = &desk.runbook().continuity.contacts;
    if contacts.is_empty() {
        return not_written("How to reach anybody");
    }
    let row = |(key, contact): (&String, &Contact)| {
        let roles = desk
            .runbook()
            .people
            .iter()
            .filter(|(_, names)| names.contains(key));
        let roles: Vec<&str> = roles.map(|(role, _)| role.as_str()).collect();
        let role = if contact.vendor {
            "vendor".to_owned()
        } else {
            roles.join(", ")
        };
        vec![
            Marked::plain(contact.name.clone().unwrap_or_else(|| key.clone())),
            Marked::plain(role),
            Marked::plain(contact.phone.clone().unwrap_or_default()),
            Marked::plain(contact.note.clone().unwrap_or_default()),
        ]
    };
    // Whoever has a role first, companies last.
    let mut sorted: Vec<(&String, &Contact)> = contacts.iter().collect();
    let has_role = |key: &String| desk.runbook().people.values().any(|names| names.contains(key));
    sorted.sort_by_key(|(key, contact)| (contact.vendor, !has_role(key)));
    vec![Block::Table(Table {
        caption: "Call",
        head: &["Name", "Role", "Telephone", "Note"],
        rows: sorted.into_iter().map(row).collect(),
    })]
}

fn steps(desk: &Desk<'_>) -> Vec<Block> {
    let mode = desk.sequence.mode;
    let lines = if desk.sequence.steps.len() > LINES {
        waves(desk)
    } else {
        one_by_one(desk)
    };
    vec![
        Block::Commands(vec![desk.command(mode.word(), mode)]),
        Block::Paragraph(
            "or by hand, in this order; the commands are in section 4.2 of the plan:".to_owned(),
        ),
        Block::Checks(lines),
    ]
}

fn one_by_one(desk: &Desk<'_>) -> Vec<String> {
    let line = |(at, index): (usize, &usize)| {
        let step = &desk.runbook().steps[*index];
        let place = desk.place_of(step);
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(" at {place}")
        };
        let usual = desk.sequence.spans[at]
            .as_ref()
            .map_or_else(String::new, |span| format!("usually {}, ", duration(span.p50_ms)));
        format!(
            "{}{place}: {} ({usual}at most {}) Time:\u{a0}______",
            step.name.value,
            purpose(step),
            duration(step.policy.timeout_ms)
        )
    };
    desk.sequence.steps.iter().enumerate().map(line).collect()
}

fn waves(desk: &Desk<'_>) -> Vec<String> {
    /// Names in a line.
    const NAMED: usize = 6;
    let line = |(wave, steps): (usize, &Vec<usize>)| {
        let name = |at: &usize| desk.runbook().steps[desk.sequence.steps[*at]].name.value.clone();
        let names: Vec<String> = steps.iter().take(NAMED).map(name).collect();
        let more = match steps.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("Wave {}: {}{more} Time:\u{a0}______", wave + 1, names.join(", "))
    };
    desk.sequence.waves().iter().enumerate().map(line).collect()
}

fn over(desk: &Desk<'_>) -> Vec<Block> {
    let continuity = &desk.runbook().continuity;
    let mut blocks = if continuity.deactivation.is_empty() {
        not_written("When it is over")
    } else {
        vec![Block::Checks(continuity.deactivation.clone())]
    };
    if !continuity.copies.is_empty() {
        blocks.push(Block::Source(format!(
            "The whole plan: {}.",
            continuity.copies.join("; ")
        )));
    }
    blocks
}
