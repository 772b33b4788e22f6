//! The appendices, A to M.

use super::{Desk, past, people};
use crate::report::document::{Block, Marked, Section, Table};
use crate::report::units::{age, between_ms, duration, moment};
use crate::runbook::{Input, Scheduled};

pub(super) fn sections(desk: &mut Desk<'_>) -> Vec<Section> {
    let see = |text: &str| vec![Block::Paragraph(text.to_owned())];
    vec![
        Section::new("a", "A Personnel contact list", people::personnel(desk)),
        Section::new("b", "B Vendor contact list", people::vendors(desk)),
        Section::new(
            "c",
            "C Detailed recovery procedures",
            see("They are in section 4.2, each with its commands."),
        ),
        Section::new("d", "D Alternate processing procedures", desk.part("alternate")),
        Section::new(
            "e",
            "E System validation test plan",
            see("What is looked at and what is good stands in sections 5.2 and 5.3."),
        ),
        Section::new(
            "f",
            "F Alternate site, storage and telecommunications",
            alternate(desk),
        ),
        Section::new("g", "G Diagrams", diagrams(desk)),
        Section::new("h", "H Inventory", inventory(desk)),
        Section::new("i", "I Interconnections", desk.part("interconnections")),
        Section::new("j", "J Test and maintenance schedule", tests(desk)),
        Section::new("k", "K Associated plans and procedures", associated(desk)),
        Section::new("l", "L Business impact analysis", impact(desk)),
        Section::new("m", "M Document changes", past::changes(desk)),
    ]
}

fn alternate(desk: &mut Desk<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(format!(
        "The alternate site is {}; it and the stores are described in section 2.1.",
        desk.role(crate::runbook::STANDBY)
    ))];
    blocks.extend(desk.part("telecommunications"));
    blocks
}

fn diagrams(desk: &mut Desk<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Paragraph(
        "The steps and what each waits for are drawn in section 4.1.".to_owned(),
    )];
    blocks.extend(desk.part("diagrams"));
    blocks
}

/// What may be given to a run; sites and stores stand in 2.1.
fn inventory(desk: &mut Desk<'_>) -> Vec<Block> {
    let inputs = &desk.runbook().inputs;
    let mut blocks = vec![Block::Paragraph(
        "Sites and stores stand in section 2.1.".to_owned(),
    )];
    if !inputs.is_empty() {
        let row = |(name, input): (&String, &Input)| {
            vec![
                Marked::plain(name.clone()),
                Marked::plain(fallback(input)),
                Marked::plain(input.description.clone().unwrap_or_default()),
            ]
        };
        blocks.push(Block::Table(Table {
            caption: "Inputs, given as --input name=value; this plan is written with their defaults, or with their names where there is none",
            head: &["Input", "Default", "What for"],
            rows: inputs.iter().map(row).collect(),
        }));
    }
    blocks
}

/// What is used when none is given: `3`; `none: it has to be given; latest-verified in a drill and a protection`.
fn fallback(input: &Input) -> String {
    let word = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let usual = input
        .default
        .as_ref()
        .map_or_else(|| "none: it has to be given".to_owned(), word);
    match &input.unattended {
        Some(value) => format!("{usual}; {} in a drill and a protection", word(value)),
        None => usual,
    }
}

fn tests(desk: &mut Desk<'_>) -> Vec<Block> {
    let good_ms = desk.runbook().continuity.proof_ms();
    let mut blocks = vec![Block::Paragraph(format!(
        "A proof by a drill or a real recovery is good for {}.",
        duration(good_ms)
    ))];
    if let Some(proof) = &desk.readiness.proof {
        let old = between_ms(proof.at, desk.paper.now).unwrap_or(0);
        let due = match good_ms.checked_sub(old) {
            Some(left) => format!("the next one is due in {}", age(left)),
            None => format!("the next one is overdue by {}", age(old - good_ms)),
        };
        blocks.push(Block::Paragraph(format!(
            "The last one is {} {} of {}; {due}.",
            proof.mode,
            proof.run,
            moment(proof.at, desk.paper.zone)
        )));
    }
    if !desk.runbook().schedule.is_empty() {
        blocks.push(scheduled(&desk.runbook().schedule));
    }
    blocks.extend(past::tests(desk));
    blocks
}

/// What begins by itself.
fn scheduled(schedule: &[Scheduled]) -> Block {
    let row = |line: &Scheduled| {
        let blocked: Vec<&str> = line.blocked.iter().map(|window| window.reason.as_str()).collect();
        vec![
            Marked::plain(line.name.value.clone()),
            Marked::plain(line.mode.word()),
            Marked::plain(line.calendar.words()),
            Marked::plain(
                line.deadline_ms
                    .map_or_else(|| "until the next one".to_owned(), duration),
            ),
            Marked::plain(if blocked.is_empty() {
                "–".to_owned()
            } else {
                blocked.join(", ")
            }),
        ]
    };
    Block::Table(Table {
        caption: "What lifeboat serve begins by itself",
        head: &[
            "Line",
            "What",
            "When (cron, zone)",
            "May begin late by",
            "Not during",
        ],
        rows: schedule.iter().map(row).collect(),
    })
}

fn associated(desk: &mut Desk<'_>) -> Vec<Block> {
    let copies = &desk.runbook().continuity.copies;
    let mut blocks = Vec::new();
    if copies.is_empty() {
        blocks.push(desk.missing(
            "K Associated plans",
            "Where copies of this plan lie that can be read when everything is down: continuity.copies in the runbook.",
        ));
    } else {
        blocks.push(Block::Paragraph(
            "Copies of this plan that can be read when everything is down:".to_owned(),
        ));
        blocks.push(Block::List(copies.iter().cloned().map(Marked::plain).collect()));
    }
    blocks.extend(desk.part("associated"));
    blocks
}

fn impact(desk: &mut Desk<'_>) -> Vec<Block> {
    let runbook = desk.runbook();
    let tier = runbook
        .tier
        .map_or_else(|| "no tier".to_owned(), |tier| format!("tier {tier}"));
    let time = |ms: Option<u64>| ms.map_or_else(|| "undecided".to_owned(), duration);
    let mut blocks = vec![Block::Facts(vec![
        ("Importance", tier),
        ("May be down for", time(runbook.objectives.rto_ms)),
        ("May lose", time(runbook.objectives.rpo_ms)),
    ])];
    blocks.extend(desk.part("impact"));
    blocks
}
