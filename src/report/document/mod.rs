//! The report of a run as a document: one structure, written as Markdown and as HTML.
//!
//! The first section is for somebody who has never seen lifeboat and decides about money; the rest is
//! evidence. Every figure comes from the journal, and what nobody measured is said to be missing.

mod bars;
mod evidence;
mod html;
mod lead;
mod markdown;
mod work;

pub use html::html;
pub use markdown::markdown;

use jiff::tz::TimeZone;

use super::draw::Tone;
use super::outcome::{Measure, Summary};

/// A document. All texts in it are plain: each writer escapes them its own way.
struct Document {
    title: String,
    subtitle: String,
    verdict: Marked,
    sections: Vec<Section>,
}

/// A part with a heading.
struct Section {
    /// For links within the page; fixed words, never from a name.
    id: &'static str,
    heading: &'static str,
    blocks: Vec<Block>,
}

/// A text and what its colour repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Marked {
    text: String,
    tone: Tone,
}

enum Block {
    Lead(String),
    Paragraph(String),
    List(Vec<Marked>),
    Facts(Vec<(&'static str, String)>),
    Table(Table),
    Objectives(Vec<Objective>),
    Timeline,
    Graph,
    /// Commands, each on a line.
    Commands(Vec<String>),
    /// Lines to be filled in by hand.
    SignOff(&'static [&'static str]),
}

struct Table {
    caption: &'static str,
    head: &'static [&'static str],
    rows: Vec<Vec<Marked>>,
}

/// One objective as a bar.
struct Objective {
    name: &'static str,
    question: &'static str,
    value: String,
    verdict: Marked,
    how: String,
    measure: Measure,
}

impl Marked {
    fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Neutral)
    }
}

impl Document {
    fn of(summary: &Summary, zone: &TimeZone) -> Self {
        let mut sections = vec![lead::section(summary, zone), lead::scope(summary)];
        sections.extend(work::sections(summary, zone));
        sections.extend(evidence::sections(summary, zone));
        Self {
            title: lead::title(summary),
            subtitle: lead::subtitle(summary, zone),
            verdict: lead::verdict(summary),
            sections: sections
                .into_iter()
                .filter(|section| !section.blocks.is_empty())
                .collect(),
        }
    }
}

impl Section {
    const fn new(id: &'static str, heading: &'static str, blocks: Vec<Block>) -> Self {
        Self { id, heading, blocks }
    }
}

#[cfg(test)]
mod tests;
