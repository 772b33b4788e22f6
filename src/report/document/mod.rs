//! Documents: one structure, written as Markdown and as HTML.
//!
//! Here is the report of a run; [`super::continuity`] makes the continuity plan and its cards of the same
//! blocks. The first section is for somebody who has never seen lifeboat and decides about money; the rest
//! is evidence. Every figure comes from the journal, and what nobody measured is said to be missing.

mod after;
mod bars;
mod evidence;
mod html;
mod lead;
mod markdown;
mod prose;
mod work;

use jiff::tz::TimeZone;

use super::draw::Tone;
use super::outcome::{Measure, Summary};

/// A document. All texts in it are plain but for [`Block::Prose`]: each writer escapes them its own way.
pub(crate) struct Document {
    pub(crate) look: Look,
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) verdict: Marked,
    pub(crate) sections: Vec<Section>,
    /// What wrote it.
    pub(crate) tool: String,
    /// The last line of a page on a screen, and at the foot of every printed one.
    pub(crate) footer: String,
}

/// What kind of paper it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Of a run.
    Report,
    /// A whole plan: many pages.
    Plan,
    /// One page to be ticked off.
    Card,
    /// A page of all services, which is served and renews itself.
    Overview,
}

/// A part with a heading.
pub(crate) struct Section {
    /// For links within the page; fixed words, never from a name.
    pub(crate) id: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// A text and what its colour repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    /// Where it leads, on a page that is served: a path of that server.
    pub(crate) link: Option<String>,
}

pub(crate) enum Block {
    Lead(String),
    Paragraph(String),
    /// A heading within a section.
    Heading(String),
    List(Vec<Marked>),
    Facts(Vec<(&'static str, String)>),
    Table(Table),
    Objectives(Vec<Objective>),
    Figure(Figure),
    /// Commands, each on a line.
    Commands(Vec<String>),
    /// Lines to be filled in by hand.
    SignOff(&'static [&'static str]),
    /// Things to be ticked off.
    Checks(Vec<String>),
    /// Something that must not be overlooked.
    Notice(Marked),
    /// What should stand here and does not.
    Missing(String),
    /// Markdown that a person wrote.
    Prose(String),
    /// Where figures come from, and of when they are.
    Source(String),
}

pub(crate) struct Table {
    pub(crate) caption: &'static str,
    pub(crate) head: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Marked>>,
}

/// A drawing, for both kinds of document.
pub(crate) struct Figure {
    /// What it is.
    pub(crate) label: &'static str,
    pub(crate) svg: String,
    /// The language of a code fence: `mermaid`, `text`.
    pub(crate) fence: &'static str,
    pub(crate) text: String,
    /// What the signs of the text mean.
    pub(crate) legend: Option<&'static str>,
}

/// One objective as a bar.
pub(crate) struct Objective {
    name: &'static str,
    question: &'static str,
    value: String,
    verdict: Marked,
    how: String,
    measure: Measure,
}

impl Marked {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
            link: None,
        }
    }

    /// The same, leading somewhere.
    pub(crate) fn to(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Neutral)
    }
}

/// The report of a run as a page, with the notes of the people who were there: Markdown of theirs.
pub fn html(summary: &Summary, notes: Option<&str>, zone: &TimeZone) -> String {
    Document::of(summary, notes, zone).html()
}

/// The report of a run as Markdown, with the same notes.
pub fn markdown(summary: &Summary, notes: Option<&str>, zone: &TimeZone) -> String {
    Document::of(summary, notes, zone).markdown()
}

impl Document {
    fn of(summary: &Summary, notes: Option<&str>, zone: &TimeZone) -> Self {
        let mut sections = vec![
            lead::section(summary, zone),
            lead::scope(summary),
            after::clocks(summary, zone),
        ];
        sections.extend(work::sections(summary, zone));
        sections.push(after::findings(summary));
        sections.push(after::notes(summary, notes));
        sections.extend(evidence::sections(summary, zone));
        Self {
            look: Look::Report,
            title: lead::title(summary),
            subtitle: lead::subtitle(summary, zone),
            verdict: lead::verdict(summary),
            sections: sections
                .into_iter()
                .filter(|section| !section.blocks.is_empty())
                .collect(),
            tool: summary.tool.clone(),
            footer: format!(
                "{} · run {} · plan {}",
                summary.tool,
                summary.run,
                summary.digest.short()
            ),
        }
    }

    /// As a page: one file without scripts, fonts or addresses of others, for screen and paper.
    pub(crate) fn html(&self) -> String {
        html::page(self)
    }

    /// As Markdown, for repositories, wikis and mail.
    pub(crate) fn markdown(&self) -> String {
        markdown::text_of(self)
    }
}

impl Section {
    pub(crate) const fn new(id: &'static str, heading: &'static str, blocks: Vec<Block>) -> Self {
        Self { id, heading, blocks }
    }
}

#[cfg(test)]
mod tests;
