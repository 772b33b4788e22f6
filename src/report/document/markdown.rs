//! `report.md`: for repositories, wikis and mail.
//!
//! ## Why
//!
//! Text from a runbook or a server must not become a heading, a link, an image or HTML, so every
//! character of punctuation that Markdown knows is escaped; newlines are gone already. Code fences
//! hold only drawings of our own, whose texts have no backticks.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{Block, Document, Marked, Objective, Section, Table, bars};
use crate::report::draw::{Picture, Tone, mermaid_of, text_timeline};
use crate::report::lines::{clean, each};
use crate::report::outcome::Summary;

/// The report as Markdown.
pub fn markdown(summary: &Summary, zone: &TimeZone) -> String {
    let document = Document::of(summary, zone);
    let mut out = format!(
        "# {}\n\n{}\n\n**{}**\n",
        text(&document.title),
        text(&document.subtitle),
        text(&document.verdict.text)
    );
    for section in &document.sections {
        out.push_str(&write_section(section, summary));
    }
    out
}

fn write_section(section: &Section, summary: &Summary) -> String {
    let mut out = format!("\n## {}\n", section.heading);
    for block in &section.blocks {
        let _ = write!(out, "\n{}", write_block(block, summary));
    }
    out
}

fn write_block(block: &Block, summary: &Summary) -> String {
    match block {
        Block::Lead(words) => format!("**{}**\n", text(words)),
        Block::Paragraph(words) => format!("{}\n", text(words)),
        Block::List(items) => each(items, |item| format!("- {}\n", marked(item))),
        Block::Facts(facts) => each(facts, |(name, value)| format!("- {name}: {}\n", text(value))),
        Block::Table(table) => write_table(table),
        Block::Objectives(objectives) => each(objectives, write_objective),
        Block::Timeline => format!(
            "```text\n{}```\n\n`=` worked, `x` failed, `?` asked or unknown, `.` waited, `>` has no end yet.\n",
            fenced(&text_timeline(summary))
        ),
        Block::Graph => format!("```mermaid\n{}```\n", mermaid_of(&Picture::of_run(summary))),
        Block::Commands(commands) => format!("```sh\n{}\n```\n", fenced(&clean(&commands.join(" && ")))),
        Block::SignOff(lines) => each(*lines, |line| format!("- {line}: ______________________\n")),
    }
}

fn write_objective(objective: &Objective) -> String {
    let word = match objective.verdict.text.as_str() {
        "" => String::new(),
        word => format!(", **{word}**"),
    };
    let bar =
        bars::text(objective).map_or_else(String::new, |bar| format!("  `{bar}` (`|` is the objective)\n"));
    format!(
        "- **{}**: {}{word}. {}\n{bar}",
        objective.name,
        text(&objective.value),
        text(&capital(&objective.how))
    )
}

/// A fragment as a sentence.
fn capital(fragment: &str) -> String {
    let mut chars = fragment.chars();
    chars.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), chars.as_str())
    })
}

fn write_table(table: &Table) -> String {
    let mut out = format!(
        "{}:\n\n| {} |\n|{}\n",
        table.caption,
        table.head.join(" | "),
        " --- |".repeat(table.head.len())
    );
    for row in &table.rows {
        let cells: Vec<_> = row.iter().map(marked).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn marked(cell: &Marked) -> String {
    match cell.tone {
        Tone::Bad if !cell.text.is_empty() => format!("**{}**", text(&cell.text)),
        _ => text(&cell.text),
    }
}

/// Plain text that stays plain text.
fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in clean(words).trim().chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if "\\`*_[]#!|~$".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.replace("://", "\\://").replace("www.", "www\\.")
}

/// Text between fences: nothing may close them.
fn fenced(words: &str) -> String {
    words.replace('`', "'")
}
