//! What proves it: the data that was restored, the places as they named themselves, the walls and the
//! ledger, the plan's digest and how to check all of this again.

use jiff::tz::TimeZone;

use super::{Block, Marked, Section, Table};
use crate::effect::Receipt;
use crate::report::draw::Tone;
use crate::report::outcome::{StepReport, Summary};
use crate::report::units::moment;
use crate::report::words::ledger;
use crate::text::shell_word;

/// Objects that are named; report.json has all of them.
const NAMED: usize = 50;

/// The parts that auditors read.
pub(super) fn sections(summary: &Summary, zone: &TimeZone) -> Vec<Section> {
    vec![
        Section::new("evidence", "Evidence", evidence(summary, zone)),
        Section::new("walls", "Isolation and cleaning up", walls(summary)),
        Section::new("before", "Known before it began", before(summary)),
        Section::new("verify", "How to verify this report", verify(summary)),
        Section::new("sign-off", "Sign-off", sign_off(summary)),
    ]
}

fn evidence(summary: &Summary, zone: &TimeZone) -> Vec<Block> {
    let mut blocks = Vec::new();
    let proofs: Vec<_> = summary
        .steps
        .iter()
        .flat_map(|step| step.receipts().map(move |receipt| proof(step, receipt, zone)))
        .collect();
    if proofs.is_empty() {
        blocks.push(Block::Paragraph("No receipt is recorded.".to_owned()));
    } else {
        let head = &["Step", "Proves health", "Receipt"];
        blocks.push(Block::Table(Table {
            caption: "Receipts: what the world confirmed",
            head,
            rows: proofs,
        }));
    }
    blocks.extend(found(summary).map(Block::Table));
    let backups = summary.backups.iter().map(|backup| {
        let never = || "never".to_owned();
        vec![
            Marked::plain(backup.name.clone()),
            Marked::plain(moment(backup.consistent_at, zone)),
            backup.verified_at.map_or_else(
                || Marked::new(never(), Tone::Doubt),
                |at| Marked::plain(moment(at, zone)),
            ),
            Marked::plain(backup.objects.values().sum::<u64>().to_string()),
            Marked::plain(backup.writer.clone()),
            Marked::plain(
                backup
                    .archive_sha256
                    .clone()
                    .unwrap_or_else(|| "not recorded".to_owned()),
            ),
        ]
    });
    let backups: Vec<_> = backups.collect();
    if !backups.is_empty() {
        let head = &[
            "Backup",
            "Consistent point",
            "Verified",
            "Objects",
            "Written by",
            "SHA-256 of the archive",
        ];
        blocks.push(Block::Table(Table {
            caption: "Backups, as seen when planning",
            head,
            rows: backups,
        }));
    }
    blocks.push(Block::Table(sites(summary)));
    if !summary.inputs.is_empty() {
        let rows = summary
            .inputs
            .iter()
            .map(|(name, value)| vec![Marked::plain(name.clone()), Marked::plain(value.to_string())]);
        blocks.push(Block::Table(Table {
            caption: "Inputs",
            head: &["Name", "Value"],
            rows: rows.collect(),
        }));
    }
    blocks
}

fn proof(step: &StepReport, receipt: &Receipt, zone: &TimeZone) -> Vec<Marked> {
    let mut parts = vec![receipt.summary.clone()];
    parts.extend(
        receipt
            .outputs
            .iter()
            .map(|(name, value)| format!("{name} = {value}")),
    );
    parts.extend(
        receipt
            .consistent_at
            .map(|at| format!("consistent point {}", moment(at, zone))),
    );
    parts.extend(receipt.skipped.iter().map(|what| format!("not done: {what}")));
    let proves = if step.proves_health { "yes" } else { "" };
    vec![
        Marked::plain(step.name.clone()),
        Marked::plain(proves),
        Marked::plain(parts.join("; ")),
    ]
}

/// What steps that look found, a row each.
fn found(summary: &Summary) -> Option<Table> {
    let row = |step: &StepReport, what: &String| {
        vec![Marked::plain(step.name.clone()), Marked::plain(what.clone())]
    };
    let of = |step: &StepReport| {
        let lines = step.receipts().flat_map(|receipt| &receipt.found);
        lines.map(|what| row(step, what)).collect::<Vec<_>>()
    };
    let rows: Vec<_> = summary.steps.iter().flat_map(of).collect();
    (!rows.is_empty()).then_some(Table {
        caption: "What was found: + came, - went, ~ changed, and where; values are not told",
        head: &["Step", "Found"],
        rows,
    })
}

/// Roles and sites, with the identity that each cluster gave of itself.
fn sites(summary: &Summary) -> Table {
    let row = |(role, site): (&String, &String)| {
        let seen = summary.sites.get(site);
        let silent = || Marked::new("did not answer when planning", Tone::Doubt);
        vec![
            Marked::plain(role.clone()),
            Marked::plain(site.clone()),
            seen.map_or_else(silent, |seen| Marked::plain(seen.uid.clone())),
            Marked::plain(
                seen.map_or_else(String::new, |seen| format!("{} at {}", seen.version, seen.server)),
            ),
        ]
    };
    Table {
        caption: "Places, as they identified themselves when planning",
        head: &["Role", "Site", "Identity", "Version and address"],
        rows: summary.roles.iter().map(row).collect(),
    }
}

fn walls(summary: &Summary) -> Vec<Block> {
    let Some(sandbox) = &summary.sandbox else {
        return vec![Block::Facts(vec![("Objects", ledger(summary))])];
    };
    let names: Vec<_> = sandbox
        .namespaces
        .iter()
        .map(|(from, to)| format!("{to} in place of {from}"))
        .collect();
    let mut facts = vec![
        ("Only site written to", sandbox.site.clone()),
        ("Namespaces", names.join(", ")),
        ("Ledger", ledger(summary)),
    ];
    facts.extend(
        summary
            .ledger
            .uncertain
            .iter()
            .map(|doubt| ("May have made more", doubt.clone())),
    );
    let mut blocks = vec![Block::Facts(facts)];
    let notes: Vec<_> = summary
        .steps
        .iter()
        .flat_map(|step| {
            step.notes
                .iter()
                .map(move |note| Marked::plain(format!("{}: {note}", step.name)))
        })
        .collect();
    if !notes.is_empty() {
        blocks.push(Block::Paragraph(
            "What the drill changed in the steps to keep them inside:".to_owned(),
        ));
        blocks.push(Block::List(notes));
    }
    let left = &summary.ledger.left_behind;
    if !left.is_empty() {
        let row = |one: &crate::report::outcome::Left| {
            vec![
                Marked::new(one.object.id.to_string(), Tone::Bad),
                Marked::plain(one.object.uid.clone()),
                Marked::plain(one.step.clone()),
            ]
        };
        let rows = left.iter().take(NAMED).map(row).collect();
        blocks.push(Block::Table(Table {
            caption: "Left behind: created and not deleted",
            head: &["Object", "uid", "Made by"],
            rows,
        }));
        if left.len() > NAMED {
            blocks.push(Block::Paragraph(format!(
                "{} more are named in report.json.",
                left.len() - NAMED
            )));
        }
    }
    blocks
}

fn before(summary: &Summary) -> Vec<Block> {
    if summary.warnings.is_empty() {
        return vec![Block::Paragraph("The plan warned of nothing.".to_owned())];
    }
    let row = |warning: &crate::plan::Warning| {
        vec![
            Marked::plain(warning.code.clone()),
            Marked::new(warning.message.clone(), Tone::Doubt),
            Marked::plain(warning.hint.clone().unwrap_or_default()),
        ]
    };
    let rows = summary.warnings.iter().map(row).collect();
    vec![Block::Table(Table {
        caption: "Warnings of the plan",
        head: &["Code", "Warning", "To do"],
        rows,
    })]
}

fn verify(summary: &Summary) -> Vec<Block> {
    let mut blocks = vec![
        Block::Facts(vec![
            ("Run", summary.run.to_string()),
            ("Plan digest", summary.digest.to_string()),
            ("Runbook digest", summary.subject.digest.clone()),
            ("Written by", summary.tool.clone()),
            ("Report format", summary.format.to_string()),
        ]),
        Block::Paragraph(
            "This document is a reading of the run's journal and, but for the notes of people, of nothing else. The journal's first line holds the whole plan; every line carries the SHA-256 of the line before it, so a changed line shows. The same journal gives the same report:".to_owned(),
        ),
        Block::Commands(vec![format!("lifeboat report {}", shell_word(&summary.run.0))]),
    ];
    if summary.problems.is_empty() {
        blocks.push(Block::Paragraph(
            "No gap or contradiction was found in the entries that this report was made from.".to_owned(),
        ));
    } else {
        blocks.push(Block::List(
            summary
                .problems
                .iter()
                .map(|problem| Marked::new(problem.clone(), Tone::Bad))
                .collect(),
        ));
    }
    blocks
}

fn sign_off(summary: &Summary) -> Vec<Block> {
    if !summary.is_over() {
        return Vec::new();
    }
    vec![Block::SignOff(&[
        "Reviewed by",
        "Date",
        "Accepted or to be repeated",
        "Next test due",
    ])]
}
