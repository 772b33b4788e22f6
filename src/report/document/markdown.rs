//! `.md`: for repositories, wikis and mail.
//!
//! ## Why
//!
//! Text from a runbook or a server must not become a heading, a link, an image or HTML, so every
//! character of punctuation that Markdown knows is escaped; newlines are gone already. Code fences
//! hold only drawings of our own, whose texts have no backticks.

use std::fmt::Write as _;

use super::{Block, Document, Figure, Marked, Objective, Section, Table, bars, prose};
use crate::report::draw::Tone;
use crate::report::lines::{clean, each};

/// The document as Markdown.
pub(super) fn text_of(document: &Document) -> String {
    let mut out = format!(
        "# {}\n\n{}\n\n**{}**\n",
        text(&document.title),
        text(&document.subtitle),
        text(&document.verdict.text)
    );
    for section in &document.sections {
        out.push_str(&write_section(section));
    }
    out
}

fn write_section(section: &Section) -> String {
    let mut out = format!("\n## {}\n", section.heading);
    for block in &section.blocks {
        let _ = write!(out, "\n{}", write_block(block));
    }
    out
}

fn write_block(block: &Block) -> String {
    match block {
        Block::Lead(words) => format!("**{}**\n", text(words)),
        Block::Paragraph(words) => format!("{}\n", text(words)),
        Block::Heading(words) => format!("### {}\n", text(words)),
        Block::List(items) => each(items, |item| format!("- {}\n", marked(item))),
        Block::Facts(facts) => each(facts, |(name, value)| format!("- {name}: {}\n", text(value))),
        Block::Table(table) => write_table(table),
        Block::Objectives(objectives) => each(objectives, write_objective),
        Block::Figure(figure) => write_figure(figure),
        Block::Commands(commands) => write_commands(commands),
        Block::SignOff(lines) => each(*lines, |line| format!("- {line}: ______________________\n")),
        Block::Checks(lines) => each(lines, |line| format!("- [ ] {}\n", text(line))),
        Block::Notice(words) => format!("> **{}**\n", text(&words.text)),
        Block::Missing(words) => format!("> **Missing.** {}\n", text(words)),
        Block::Prose(words) => format!("{}\n", prose::demoted(words).trim_end()),
        Block::Source(words) => format!("*{}*\n", text(words)),
    }
}

fn write_figure(figure: &Figure) -> String {
    let legend = figure
        .legend
        .map_or_else(String::new, |legend| format!("\n{legend}\n"));
    format!("```{}\n{}```\n{legend}", figure.fence, fenced(&figure.text))
}

fn write_commands(commands: &[String]) -> String {
    let lines: Vec<String> = commands.iter().map(|one| fenced(&clean(one))).collect();
    format!("```sh\n{}\n```\n", lines.join("\n"))
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
