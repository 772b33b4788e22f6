//! People: roles, contacts, who declares, who is told.

use std::collections::BTreeSet;

use super::Desk;
use crate::report::document::{Block, Marked, Section, Table};
use crate::report::units::duration;
use crate::runbook::{Contact, Step};
use crate::text::{Node, NodeValue};

/// 2.3.
pub(super) fn roles(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let mut rows = Vec::new();
    if let Some(owner) = &runbook.owner {
        let reach = owner.contact.clone().unwrap_or_else(|| "no contact".to_owned());
        rows.push(vec![
            Marked::plain("owner"),
            Marked::plain(format!("{} ({reach})", owner.team)),
            Marked::plain("answers for the service and for this plan"),
        ]);
    }
    for (role, names) in &runbook.people {
        rows.push(vec![
            Marked::plain(role.clone()),
            Marked::plain(names.join(", ")),
            Marked::plain(duties(desk, role)),
        ]);
    }
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            caption: "Roles; the first name is asked first",
            head: &["Role", "People", "Does"],
            rows,
        }));
    }
    if runbook.owner.is_none() {
        blocks.push(desk.missing("2.3 Roles", "Who answers for the service: owner in the runbook."));
    }
    if runbook.people.is_empty() {
        blocks.push(desk.missing("2.3 Roles", "Who decides and approves: people in the runbook."));
    }
    for (role, _) in runbook.people.iter().filter(|(_, names)| names.len() < 2) {
        blocks.push(desk.missing(
            "2.3 Roles",
            format!("A deputy for {role}: one person is not always there."),
        ));
    }
    blocks
}

/// What a role is named for.
fn duties(desk: &Desk<'_>, role: &str) -> String {
    let runbook = desk.runbook();
    let mut all = Vec::new();
    if runbook.continuity.activation.by.iter().any(|one| one == role) {
        all.push("may declare a failover".to_owned());
    }
    let steps = runbook.steps.iter().filter(|step| asked(step).contains(&role));
    let steps: Vec<&str> = steps.map(|step| step.name.value.as_str()).collect();
    if !steps.is_empty() {
        all.push(format!("answers in {}", steps.join(", ")));
    }
    let told = runbook
        .continuity
        .escalation
        .iter()
        .filter(|one| one.tell == role);
    all.extend(told.map(|one| format!("is told after {}", duration(one.after_ms))));
    if all.is_empty() {
        return "nothing in this runbook".to_owned();
    }
    all.join("; ")
}

/// Roles that a step asks.
pub(super) fn asked(step: &Step) -> Vec<&str> {
    match step.params.get("by").map(|node| &node.value) {
        Some(NodeValue::Sequence(list)) => list.iter().filter_map(Node::as_str).collect(),
        _ => Vec::new(),
    }
}

/// 3.
pub(super) fn activation(desk: &mut Desk<'_>) -> Section {
    let mut blocks = vec![Block::Heading("3.1 Activation criteria and procedure".to_owned())];
    blocks.extend(criteria(desk));
    blocks.extend(procedure(desk));
    blocks.push(Block::Heading("3.2 Notification".to_owned()));
    blocks.extend(desk.part("notification"));
    blocks.push(Block::Heading("3.3 Outage assessment".to_owned()));
    blocks.extend(desk.part("assessment"));
    Section::new("activation", "3 Activation and notification", blocks)
}

fn criteria(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let activation = &runbook.continuity.activation;
    let mut blocks = Vec::new();
    if activation.criteria.is_empty() {
        blocks.push(desk.missing(
            "3.1 Activation",
            "When a failover is declared: continuity.activation.criteria in the runbook.",
        ));
    } else {
        blocks.push(Block::Paragraph(
            "A failover is declared as soon as one of these is true:".to_owned(),
        ));
        blocks.push(Block::List(
            activation.criteria.iter().cloned().map(Marked::plain).collect(),
        ));
    }
    if activation.by.is_empty() {
        blocks.push(desk.missing(
            "3.1 Activation",
            "Who may declare it: continuity.activation.by in the runbook.",
        ));
    } else {
        let who: Vec<String> = activation.by.iter().map(|role| people_of(desk, role)).collect();
        let within = activation.decide_within_ms.map_or_else(String::new, |ms| {
            format!(
                " The decision takes at most {}; customers wait for it, too.",
                duration(ms)
            )
        });
        blocks.push(Block::Paragraph(format!(
            "It may be declared by {}.{within}",
            who.join(" or by ")
        )));
    }
    if activation.decide_within_ms.is_none() {
        blocks.push(desk.missing(
            "3.1 Activation",
            "How long the decision may take: continuity.activation.decide_within in the runbook.",
        ));
    }
    blocks
}

/// `incident-commander (anna, ben)`.
pub(super) fn people_of(desk: &Desk<'_>, role: &str) -> String {
    match desk.runbook().people.get(role) {
        Some(names) if !names.is_empty() => format!("{role} ({})", names.join(", ")),
        _ => role.to_owned(),
    }
}

fn procedure(desk: &Desk<'_>) -> Vec<Block> {
    let mode = desk.sequence.mode;
    vec![
        Block::Paragraph(
            "To see what would happen, without changing anything, and then to do it:".to_owned(),
        ),
        Block::Commands(vec![
            format!("{} --mode {mode}", desk.command("plan", mode)),
            desk.command(mode.word(), mode),
        ]),
        Block::Paragraph(
            "If lifeboat is not there, section 4.2 says how each step is done by hand.".to_owned(),
        ),
    ]
}

/// 4.3.
pub(super) fn escalation(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let mut blocks = vec![Block::Heading("4.3 Escalation and awareness".to_owned())];
    if runbook.continuity.escalation.is_empty() {
        blocks.push(desk.missing(
            "4.3 Escalation",
            "Who is told when it takes too long: continuity.escalation in the runbook.",
        ));
    } else {
        let mut steps: Vec<_> = runbook.continuity.escalation.iter().collect();
        steps.sort_by_key(|one| one.after_ms);
        let rows = steps.into_iter().map(|one| {
            vec![
                Marked::plain(format!("{} after the declaration", duration(one.after_ms))),
                Marked::plain(people_of(desk, &one.tell)),
                Marked::plain(one.why.clone().unwrap_or_default()),
            ]
        });
        blocks.push(Block::Table(Table {
            caption: "Who is told when it takes too long",
            head: &["When", "Tell", "What for"],
            rows: rows.collect(),
        }));
    }
    blocks.extend(desk.part("escalation"));
    blocks
}

/// A.
pub(super) fn personnel(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let contacts = &runbook.continuity.contacts;
    let own = contacts.iter().filter(|(_, contact)| !contact.vendor);
    let rows: Vec<Vec<Marked>> = own
        .map(|(key, contact)| row(key, contact, &roles_of(desk, key)))
        .collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            caption: "People",
            head: &["Name", "Role", "Telephone", "Mail", "Note"],
            rows,
        }));
    }
    let named: BTreeSet<&String> = runbook.people.values().flatten().collect();
    for name in named {
        let phone = contacts.get(name).and_then(|contact| contact.phone.as_ref());
        if phone.is_none() {
            blocks.push(desk.missing(
                "A Personnel",
                format!("The telephone number of {name}: continuity.contacts.{name}.phone in the runbook."),
            ));
        }
    }
    if blocks.is_empty() {
        blocks.push(desk.missing(
            "A Personnel",
            "How to reach anybody: continuity.contacts in the runbook.",
        ));
    }
    blocks
}

fn roles_of(desk: &Desk<'_>, name: &str) -> String {
    let people = desk.runbook().people.iter();
    let roles = people.filter(|(_, names)| names.iter().any(|one| one == name));
    roles
        .map(|(role, _)| role.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn row(key: &str, contact: &Contact, role: &str) -> Vec<Marked> {
    let text = |field: &Option<String>| Marked::plain(field.clone().unwrap_or_default());
    let name = match &contact.name {
        Some(name) => format!("{name} ({key})"),
        None => key.to_owned(),
    };
    vec![
        Marked::plain(name),
        Marked::plain(role),
        text(&contact.phone),
        text(&contact.mail),
        text(&contact.note),
    ]
}

/// B.
pub(super) fn vendors(desk: &mut Desk<'_>) -> Vec<Block> {
    let contacts = &desk.runbook().continuity.contacts;
    let vendors = contacts.iter().filter(|(_, contact)| contact.vendor);
    let rows: Vec<Vec<Marked>> = vendors
        .map(|(key, contact)| row(key, contact, "vendor"))
        .collect();
    if rows.is_empty() {
        return vec![desk.missing(
            "B Vendors",
            "Whom to call at other companies: continuity.contacts with vendor: true in the runbook.",
        )];
    }
    vec![Block::Table(Table {
        caption: "Vendors",
        head: &["Name", "Role", "Telephone", "Mail", "Note"],
        rows,
    })]
}
