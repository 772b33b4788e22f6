//! Diagnostics as a compiler draws them: the line, carets under the place, what to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Label, Severity, Source, Sources, Span};

/// How many are drawn; the rest are counted. Nobody mends more than this before checking again.
const DRAWN_MAX: usize = 100;

/// An excerpt larger than this, in bytes, is not drawn: its place is still named. Enough for two places
/// a thousand lines apart; drawing a line of 1 MiB takes 4 ms.
const EXCERPT_MAX: usize = 64 * 1024;

/// What an excerpt may take of a terminal's width. People read logs of CI at more than 80 columns.
const WIDTH: usize = 110;

impl Diagnostics {
    /// All of them as text, in the order of their places, and a last line that counts them; nothing if
    /// there are none. Ends with a line feed.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        let mut sorted = self.clone();
        sorted.settle();
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        }
        .term_width(WIDTH);
        let mut out = String::new();
        for diagnostic in sorted.iter().take(DRAWN_MAX) {
            out.push_str(&draw(diagnostic, sources, &renderer));
            out.push_str("\n\n");
        }
        if !sorted.is_empty() {
            out.push_str(&sorted.summary());
            out.push('\n');
        }
        out
    }

    /// `2 errors, 1 warning in 1 file.`
    pub fn summary(&self) -> String {
        let files: BTreeSet<_> = self.iter().map(|one| one.span().source).collect();
        let counted = [(Severity::Error, "error"), (Severity::Warning, "warning")];
        let parts: Vec<String> = counted
            .into_iter()
            .map(|(severity, noun)| (self.count(severity), noun))
            .filter(|(count, _)| *count > 0)
            .map(|(count, noun)| many(count, noun))
            .collect();
        let mut line = format!("{} in {}.", parts.join(", "), many(files.len(), "file"));
        if self.len() > DRAWN_MAX {
            let _ = write!(line, " Only the first {DRAWN_MAX} are shown.");
        }
        line
    }
}

fn many(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn draw(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    for excerpt in excerpts(&diagnostic.labels, sources) {
        group = match excerpt.snippet() {
            Some(snippet) => group.element(snippet),
            None => group.element(excerpt.origin(sources)),
        };
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// A stretch of whole lines and the places in it.
struct Excerpt<'a> {
    source: &'a Source,
    lines: Range<usize>,
    labels: Vec<(&'a Label, AnnotationKind)>,
}

/// The labels, each in the excerpt of its file; a label too far from the first of its file is in an
/// excerpt of its own.
fn excerpts<'a>(labels: &'a [Label], sources: &'a Sources) -> Vec<Excerpt<'a>> {
    let mut excerpts: Vec<Excerpt<'a>> = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        let Some(source) = sources.get(label.span.source) else {
            continue;
        };
        let kind = if index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let lines = lines(&source.text, label.span);
        let joined = excerpts.iter_mut().find_map(|one| {
            let together = one.lines.start.min(lines.start)..one.lines.end.max(lines.end);
            let near = std::ptr::eq(one.source, source) && together.len() <= EXCERPT_MAX;
            near.then_some((one, together))
        });
        match joined {
            Some((one, together)) => {
                one.lines = together;
                one.labels.push((label, kind));
            }
            None => excerpts.push(Excerpt {
                source,
                lines,
                labels: vec![(label, kind)],
            }),
        }
    }
    excerpts
}

impl<'a> Excerpt<'a> {
    fn snippet(&self) -> Option<Snippet<'a, Annotation<'a>>> {
        if self.lines.len() > EXCERPT_MAX {
            return None;
        }
        let text = &self.source.text[self.lines.clone()];
        let first = self.source.text[..self.lines.start].matches('\n').count() + 1;
        let snippet = Snippet::source(text)
            .path(self.source.name.as_str())
            .line_start(first);
        let annotations = self.labels.iter().map(|(label, kind)| {
            let drawn = drawn(&self.source.text, label.span);
            let within = drawn.start - self.lines.start..drawn.end - self.lines.start;
            kind.span(within).label(label.text.as_str())
        });
        Some(snippet.annotations(annotations))
    }

    fn origin(&self, sources: &Sources) -> Origin<'a> {
        let place = self.labels.first().map(|(label, _)| sources.position(label.span));
        let origin = Origin::path(self.source.name.as_str());
        match place {
            Some(place) => origin
                .line(place.line as usize)
                .char_column(place.column as usize),
            None => origin,
        }
    }
}

/// The part of a span that carets are drawn under: inside the text, on character boundaries, of
/// several lines the first.
fn drawn(text: &str, span: Span) -> Range<usize> {
    let start = floor(text, span.start as usize);
    let end = floor(text, span.end as usize).max(start);
    let line = text[start..end].find('\n').map_or(end, |at| start + at);
    start..start + text[start..line].trim_end().len()
}

/// The whole lines that [`drawn`] touches, without the last line feed.
fn lines(text: &str, span: Span) -> Range<usize> {
    let drawn = drawn(text, span);
    let start = text[..drawn.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[drawn.end..]
        .find('\n')
        .map_or(text.len(), |at| drawn.end + at);
    start..end
}

/// The last character boundary that is not after this offset.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests;
