//! `report.html`: one file without scripts, fonts or addresses of others, for screen and paper.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{Block, Document, Marked, Objective, Section, Table, bars};
use crate::report::draw::{GRAPH_STYLE, PALETTE, Picture, TIMELINE_STYLE, Tone, escape, svg_of, timeline};
use crate::report::lines::{each, glue};
use crate::report::outcome::Summary;

/// The report as a page.
pub fn html(summary: &Summary, zone: &TimeZone) -> String {
    let document = Document::of(summary, zone);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"{}\">\n<title>{}</title>\n<style>{PALETTE}{STYLE}{GRAPH_STYLE}{TIMELINE_STYLE}</style>\n</head>\n<body>\n",
        escape(&summary.tool),
        escape(&document.title),
    );
    let _ = write!(
        out,
        "<header>\n<p class=\"eyebrow\">{}</p>\n<h1>{}</h1>\n<p class=\"verdict {}\"><span aria-hidden=\"true\">{}</span> {}</p>\n</header>\n<main>\n",
        escape(&document.subtitle),
        escape(&document.title),
        document.verdict.tone.class(),
        glyph(document.verdict.tone),
        escape(&document.verdict.text),
    );
    for (at, section) in document.sections.iter().enumerate() {
        out.push_str(&write_section(section, summary));
        if at == 0 {
            out.push_str(&contents(&document.sections[1..]));
        }
    }
    let _ = write!(
        out,
        "</main>\n<footer>{} · run {} · plan {}</footer>\n</body>\n</html>\n",
        escape(&summary.tool),
        escape(&summary.run.0),
        escape(summary.digest.short())
    );
    out
}

fn contents(sections: &[Section]) -> String {
    let links = each(sections, |section| {
        format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.heading)
    });
    format!("<nav aria-label=\"Contents\"><ul>{links}</ul></nav>\n")
}

fn write_section(section: &Section, summary: &Summary) -> String {
    let mut out = format!(
        "<section id=\"{0}\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\">{1}</h2>\n",
        section.id, section.heading
    );
    for block in &section.blocks {
        out.push_str(&write_block(block, summary));
    }
    out.push_str("</section>\n");
    out
}

fn write_block(block: &Block, summary: &Summary) -> String {
    match block {
        Block::Lead(words) => format!("<p class=\"lead\">{}</p>\n", plain(words)),
        Block::Paragraph(words) => format!("<p>{}</p>\n", plain(words)),
        Block::List(items) => write_list(items),
        Block::Facts(facts) => write_facts(facts),
        Block::Table(table) => write_table(table),
        Block::Objectives(objectives) => format!(
            "<div class=\"objectives\">\n{}</div>\n",
            each(objectives, write_objective)
        ),
        Block::Timeline => format!(
            "<div class=\"figure\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline\">{}</div>\n",
            timeline(summary)
        ),
        Block::Graph => format!(
            "<div class=\"figure\" tabindex=\"0\" role=\"group\" aria-label=\"Graph\">{}</div>\n",
            svg_of(&Picture::of_run(summary), false)
        ),
        Block::Commands(commands) => format!(
            "<pre><code>{}</code></pre>\n",
            commands
                .iter()
                .map(|one| plain(one))
                .collect::<Vec<_>>()
                .join("\n")
        ),
        Block::SignOff(lines) => each(*lines, |line| {
            format!("<p class=\"sign\"><span>{line}</span></p>\n")
        }),
    }
}

fn write_list(items: &[Marked]) -> String {
    let one = |item: &Marked| format!("<li class=\"{}\">{}</li>\n", item.tone.class(), plain(&item.text));
    format!("<ul class=\"findings\">\n{}</ul>\n", each(items, one))
}

fn write_facts(facts: &[(&str, String)]) -> String {
    let one =
        |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", plain(value));
    format!("<dl>\n{}</dl>\n", each(facts, one))
}

fn write_table(table: &Table) -> String {
    let head = each(table.head, |name| format!("<th scope=\"col\">{name}</th>"));
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n<table>\n<caption>{0}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n",
        table.caption
    );
    for row in &table.rows {
        let cells: String = row
            .iter()
            .zip(table.head)
            .enumerate()
            .map(|(at, (cell, name))| write_cell(cell, name, at == 0))
            .collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    out
}

/// A cell; on a narrow screen it stands on a line of its own, under the name of its column.
fn write_cell(cell: &Marked, name: &str, first: bool) -> String {
    let (open, close) = if first {
        ("th scope=\"row\"", "th")
    } else {
        ("td", "td")
    };
    let words = plain(&cell.text);
    let words = match cell.tone {
        Tone::Neutral => words,
        tone if cell.text.len() <= TAG => format!("<span class=\"tag {}\">{words}</span>", tone.class()),
        tone => format!("<span class=\"{}\">{words}</span>", tone.class()),
    };
    let class = match cell.text.split(' ').map(str::len).max() {
        Some(longest) if longest > UNBROKEN => " class=\"long\"",
        _ if cell.text.len() <= SHORT => " class=\"short\"",
        _ => "",
    };
    format!("<{open}{class} data-column=\"{name}\">{words}</{close}>")
}

/// A longer text in a coloured box is a wall.
const TAG: usize = 24;
/// A cell as short as a time of day or a site's name never wraps.
const SHORT: usize = 12;
/// A longer word may be broken anywhere, or a digest pushes the table off the page.
const UNBROKEN: usize = 22;

fn write_objective(objective: &Objective) -> String {
    let tone = objective.verdict.tone.class();
    let bar = bars::lengths(objective).map_or_else(
        || "<p class=\"no-bar\">No bar: one of the two numbers is missing.</p>".to_owned(),
        |(used, target)| {
            format!(
                "<svg class=\"bar\" role=\"img\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><title>{}: {}</title>\
                 <rect class=\"rail\" width=\"100\" height=\"8\"/><rect class=\"used {tone}\" width=\"{used}\" height=\"8\"/>\
                 <rect class=\"mark\" x=\"{target}\" width=\"0.6\" height=\"8\"/></svg>\
                 <p class=\"scale\" style=\"padding-left:{target}%\" aria-hidden=\"true\">objective</p>",
                objective.name,
                plain(&objective.value),
            )
        },
    );
    let word = if objective.verdict.text.is_empty() {
        String::new()
    } else {
        format!(
            "<span class=\"tag {tone}\">{}</span>",
            plain(&objective.verdict.text)
        )
    };
    format!(
        "<div class=\"objective\">\n<h3>{}</h3>\n<p class=\"question\">{}</p>\n<p class=\"value\">{} {word}</p>\n{bar}\n<p class=\"how\">{}</p>\n</div>\n",
        objective.name,
        objective.question,
        plain(&objective.value),
        plain(&objective.how),
    )
}

/// Text of the document, made safe.
fn plain(words: &str) -> String {
    escape(&glue(words))
}

const fn glyph(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Bad => "✕",
        Tone::Doubt => "!",
        Tone::Neutral | Tone::Muted => "·",
    }
}

/// How the page looks. Nothing in it comes from a run.
const STYLE: &str = include_str!("report.css");
