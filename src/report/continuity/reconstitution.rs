//! Reconstitution: from a service that runs again to one that is whole.

use super::{Desk, kind_of, purpose};
use crate::report::document::{Block, Marked, Section, Table};
use crate::report::units::duration;
use crate::runbook::{Mode, Step};
use crate::step::Hand;
use crate::text::shell_word;

/// 5.
pub(super) fn section(desk: &mut Desk<'_>) -> Section {
    let mut blocks = Vec::new();
    let mut part = |heading: &str, more: Vec<Block>| {
        blocks.push(Block::Heading(heading.to_owned()));
        blocks.extend(more);
    };
    part("5.1 Concurrent processing", desk.part("concurrent"));
    part("5.2 Validation of data", desk.part("validation"));
    part("5.3 Validation of functions", functions(desk));
    part("5.4 Recovery declaration", declaration(desk));
    part("5.5 Notification of users", desk.part("users"));
    part("5.6 Cleanup", desk.part("cleanup"));
    part("5.7 Offsite data storage", offsite(desk));
    part("5.8 Data backup", backup(desk));
    part("5.9 Event documentation", documentation(desk));
    part("5.10 Deactivation", deactivation(desk));
    Section::new("reconstitution", "5 Reconstitution", blocks)
}

/// Steps that show whether the service is healthy.
fn functions(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let proves = |step: &Step| kind_of(step).is_some_and(|kind| kind.proves_health);
    let steps: Vec<usize> = (0..runbook.steps.len())
        .filter(|at| proves(&runbook.steps[*at]))
        .collect();
    if steps.is_empty() {
        return vec![desk.missing(
            "5.3 Validation of functions",
            "A step that looks whether the service answers: add a probe or a wait to the runbook.",
        )];
    }
    let row = |at: &usize| {
        let step = &runbook.steps[*at];
        let said = desk.by_hand(*at).into_iter().filter_map(|hand| match hand {
            Hand::Say(text) => Some(text),
            Hand::Run(_) => None,
        });
        vec![
            Marked::plain(step.name.value.clone()),
            Marked::plain(purpose(step)),
            Marked::plain(said.collect::<Vec<_>>().join(" ")),
            Marked::plain(duration(step.policy.timeout_ms)),
        ]
    };
    vec![
        Block::Table(Table {
            caption: "What proves that the service is healthy",
            head: &["Step", "What it looks at", "Good is", "At most"],
            rows: steps.iter().map(row).collect(),
        }),
        Block::Source("From the runbook; the commands are in section 4.2.".to_owned()),
    ]
}

fn declaration(desk: &mut Desk<'_>) -> Vec<Block> {
    let steps = desk.runbook().steps.iter();
    let asks = steps.filter(|step| step.kind.value == "approve").map(|step| {
        let who: Vec<String> = super::people::asked(step)
            .iter()
            .map(|role| super::people::people_of(desk, role))
            .collect();
        Marked::plain(format!("{}: asked of {}", step.name.value, who.join(" or ")))
    });
    let asks: Vec<Marked> = asks.collect();
    let mut blocks = desk.part("declaration");
    if !asks.is_empty() {
        blocks.push(Block::Paragraph(
            "Before it is called recovered, these are asked:".to_owned(),
        ));
        blocks.push(Block::List(asks));
    } else if blocks.is_empty() {
        let file = desk.paper.prose.file("declaration");
        let text = format!("Who declares the service recovered: an approve step in the runbook, or {file}.");
        blocks.push(desk.missing("5.4 Recovery declaration", text));
    }
    blocks
}

fn offsite(desk: &mut Desk<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(
        "Where the stores are, and what fails together with them, is in section 2.1.".to_owned(),
    )];
    blocks.extend(desk.part("offsite"));
    blocks
}

fn backup(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let protects = runbook
        .steps
        .iter()
        .filter(|step| step.modes.contains(&Mode::Protect));
    let steps: Vec<Marked> = protects
        .map(|step| Marked::plain(format!("{}: {}", step.name.value, purpose(step))))
        .collect();
    if steps.is_empty() {
        return vec![desk.missing(
            "5.8 Data backup",
            "How the recovered service is backed up: a step with modes: [protect] in the runbook.",
        )];
    }
    let back = runbook.goes_back();
    let lead = if back {
        "As soon as the service is recovered it is backed up again, from where it runs now:"
    } else {
        "Backups are made by these steps:"
    };
    let swap =
        "First swap active and standby under roles in the runbook, so that it reads the site that serves.";
    let mut blocks = vec![
        Block::Paragraph(lead.to_owned()),
        Block::List(steps),
        Block::Commands(vec![format!("lifeboat protect {}", shell_word(desk.paper.path))]),
    ];
    blocks.extend(back.then(|| Block::Paragraph(swap.to_owned())));
    blocks
}

fn documentation(desk: &mut Desk<'_>) -> Vec<Block> {
    let mut blocks = vec![
        Block::Paragraph(
            "Every run keeps a journal, in which each line names the one before it, and a report. Of what is done by hand, times and names are written down."
                .to_owned(),
        ),
        Block::Commands(vec!["lifeboat report <run>".to_owned()]),
    ];
    blocks.extend(desk.part("documentation"));
    blocks
}

fn deactivation(desk: &mut Desk<'_>) -> Vec<Block> {
    let criteria = &desk.runbook().continuity.deactivation;
    if criteria.is_empty() {
        return vec![desk.missing(
            "5.10 Deactivation",
            "When it is over: continuity.deactivation in the runbook.",
        )];
    }
    let mut blocks = vec![
        Block::Paragraph("The plan is put away when all of these are true:".to_owned()),
        Block::Checks(criteria.clone()),
    ];
    if desk.runbook().goes_back() {
        blocks.push(Block::Paragraph(
            "To bring the service back to where it usually runs, with roles swapped:".to_owned(),
        ));
        blocks.push(Block::Commands(vec![format!(
            "lifeboat failback {}",
            shell_word(desk.paper.path)
        )]));
    }
    blocks
}
