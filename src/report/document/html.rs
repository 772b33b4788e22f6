//! `.html`: one file without scripts, fonts or addresses of others, for screen and paper.

use std::fmt::Write as _;

use super::{Block, Document, Figure, Look, Marked, Objective, Section, Table, bars, prose};
use crate::report::draw::{GRAPH_STYLE, PALETTE, TIMELINE_STYLE, Tone, escape};
use crate::report::lines::{each, glue};

/// The document as a page.
pub(super) fn page(document: &Document) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"{}\">\n<title>{}</title>\n<style>{PALETTE}{STYLE}{GRAPH_STYLE}{TIMELINE_STYLE}{}</style>\n</head>\n<body class=\"{}\">\n",
        document.look.renewal(),
        escape(&document.tool),
        escape(&document.title),
        feet(&document.footer),
        document.look.class(),
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
        out.push_str(&write_section(section));
        if at == 0 && matches!(document.look, Look::Report | Look::Plan) {
            out.push_str(&contents(&document.sections[1..]));
        }
    }
    let _ = write!(
        out,
        "</main>\n<footer>{}</footer>\n</body>\n</html>\n",
        escape(&document.footer)
    );
    out
}

impl Look {
    const fn class(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Plan => "plan",
            Self::Card => "card",
            Self::Overview => "overview",
        }
    }
}

impl Look {
    /// Half a minute: what is shown changes when a run ends or a due time comes.
    const fn renewal(self) -> &'static str {
        match self {
            Self::Overview => "<meta http-equiv=\"refresh\" content=\"30\">\n",
            Self::Report | Self::Plan | Self::Card => "",
        }
    }
}

/// The foot of every printed page: what it is a page of, and which. Pages get separated.
fn feet(footer: &str) -> String {
    // Only letters, digits and a few signs: nothing can end the string of the style sheet or the element.
    let harmless = |c: &char| c.is_alphanumeric() || " .,:+-·".contains(*c);
    let words: String = footer.chars().filter(harmless).collect();
    let font = "font:8pt sans-serif;color:#444";
    format!(
        "@media print{{@page{{@bottom-left{{content:\"{words}\";{font}}}@bottom-right{{content:counter(page) \" / \" counter(pages);{font}}}}}}}"
    )
}

fn contents(sections: &[Section]) -> String {
    let links = each(sections, |section| {
        format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.heading)
    });
    format!("<nav aria-label=\"Contents\"><ul>{links}</ul></nav>\n")
}

fn write_section(section: &Section) -> String {
    let mut out = format!(
        "<section id=\"{0}\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\">{1}</h2>\n",
        section.id, section.heading
    );
    for block in &section.blocks {
        out.push_str(&write_block(block));
    }
    out.push_str("</section>\n");
    out
}

fn write_block(block: &Block) -> String {
    match block {
        Block::Lead(words) => format!("<p class=\"lead\">{}</p>\n", plain(words)),
        Block::Paragraph(words) => format!("<p>{}</p>\n", plain(words)),
        Block::Heading(words) => format!("<h3>{}</h3>\n", plain(words)),
        Block::List(items) => write_list(items),
        Block::Facts(facts) => write_facts(facts),
        Block::Table(table) => write_table(table),
        Block::Objectives(objectives) => format!(
            "<div class=\"objectives\">\n{}</div>\n",
            each(objectives, write_objective)
        ),
        Block::Figure(figure) => write_figure(figure),
        Block::Commands(commands) => write_commands(commands),
        Block::SignOff(lines) => each(*lines, |line| {
            format!("<p class=\"sign\"><span>{line}</span></p>\n")
        }),
        Block::Checks(lines) => write_checks(lines),
        Block::Notice(marked) => write_notice(marked),
        Block::Missing(words) => format!("<p class=\"missing\"><b>Missing.</b> {}</p>\n", plain(words)),
        Block::Prose(text) => format!("<div class=\"prose\">\n{}</div>\n", prose::html(text)),
        Block::Source(words) => format!("<p class=\"source\">{}</p>\n", plain(words)),
    }
}

fn write_figure(figure: &Figure) -> String {
    format!(
        "<div class=\"figure\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">{}</div>\n",
        figure.label, figure.svg
    )
}

fn write_commands(commands: &[String]) -> String {
    let lines: Vec<String> = commands.iter().map(|one| escape(one)).collect();
    format!("<pre><code>{}</code></pre>\n", lines.join("\n"))
}

fn write_notice(marked: &Marked) -> String {
    let tone = marked.tone;
    format!(
        "<p class=\"notice {}\"><span aria-hidden=\"true\">{}</span> {}</p>\n",
        tone.class(),
        glyph(tone),
        plain(&marked.text)
    )
}

fn write_checks(lines: &[String]) -> String {
    /// More lines than this stand in two columns on a card, which is one page,
    const MANY: usize = 12;
    /// if each of them has fewer letters than half a page is wide.
    const SHORT: usize = 60;
    let one = |line: &String| format!("<li>{}</li>\n", plain(line));
    let short = lines.len() > MANY && lines.iter().all(|line| line.chars().count() < SHORT);
    let class = if short { "checks pairs" } else { "checks" };
    format!("<ul class=\"{class}\">\n{}</ul>\n", each(lines, one))
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
    let words = match &cell.link {
        Some(link) => format!("<a href=\"{}\">{}</a>", escape(link), plain(&cell.text)),
        None => plain(&cell.text),
    };
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
/// A cell as short as a time of day, a telephone number or a site's name never wraps.
const SHORT: usize = 17;
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
const STYLE: &str = include_str!("document.css");
