//! What is wrong with a text, in the form in which its author can act on it.

use super::{Sources, Span, closest, quote};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; nothing is refused.
    Warning,
    /// Nothing is planned or run until it is mended.
    Error,
}

/// A place and what to say there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// A short fragment under the carets.
    pub text: String,
}

/// One mistake or doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable: `L012`. Never used again for something else.
    pub code: &'static str,
    /// One lowercase line.
    pub message: String,
    /// Where: the first is the main place.
    pub labels: Vec<Label>,
    /// What to do, without `help:`.
    pub help: Vec<String>,
}

/// All of them.
///
/// ## Why only the first thousand are kept
///
/// A file of 1 MiB can hold a hundred thousand mistakes; nobody reads them, and each costs a search
/// for what was meant. Checks stop looking when a thousand errors are there ([`Diagnostics::is_full`]);
/// what is found beyond is counted and not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostic {
    /// An error with its main place.
    pub fn error(
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: vec![Label {
                span,
                text: label.into(),
            }],
            help: Vec::new(),
        }
    }

    /// A warning with its main place.
    pub fn warning(
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, span, label)
        }
    }

    /// Adds another place.
    #[must_use]
    pub fn and(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: label.into(),
        });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds `did you mean …?` if a known name is near to what was written.
    #[must_use]
    pub fn near<'a>(self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match closest(written, known) {
            Some(meant) => self.help(format!("did you mean {}?", quote(meant))),
            None => self,
        }
    }

    /// Adds `did you mean …?`, or what is known here if nothing is near.
    #[must_use]
    pub fn meant(self, written: &str, known: &[&str]) -> Self {
        if closest(written, known.iter().copied()).is_some() {
            return self.near(written, known.iter().copied());
        }
        let listed = known
            .iter()
            .take(Self::LISTED_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = if known.len() > Self::LISTED_MAX {
            ", …"
        } else {
            ""
        };
        match known {
            [] => self,
            _ => self.help(format!("known here: {listed}{more}")),
        }
    }

    /// More names than this are not a hint any more.
    const LISTED_MAX: usize = 16;

    /// Where it is: the place of its first label.
    pub fn span(&self) -> Span {
        self.labels.first().map(|label| label.span).unwrap_or_default()
    }

    /// By place, then by everything else, so that the order never depends on who looked first.
    fn rank(&self) -> (Span, &str, &str, &[Label], &[String]) {
        (self.span(), self.code, &self.message, &self.labels, &self.help)
    }

    fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let (span, file) = (self.span(), sources.get(self.span().source));
        let (from, to) = (
            sources.position(span),
            sources.position(Span {
                start: span.end,
                ..span
            }),
        );
        serde_json::json!({
            "code": self.code,
            "severity": self.severity.word(),
            "message": self.message,
            "file": file.map(|source| &source.name),
            "line": from.line, "column": from.column,
            "endLine": to.line, "endColumn": to.column,
            "label": self.labels.first().map(|label| &label.text),
            "help": self.help,
        })
    }
}

impl Severity {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Diagnostics {
    /// How many are kept.
    pub const KEPT_MAX: usize = 1_000;

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= Self::KEPT_MAX {
            self.list.push(diagnostic);
        }
    }

    /// Whether there are so many errors that looking for more is no help. Never because of warnings, so
    /// that a doubt cannot hide a mistake.
    pub const fn is_full(&self) -> bool {
        self.errors >= Self::KEPT_MAX
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Self) {
        let uncounted = |kept: usize, all: usize| all.saturating_sub(kept);
        let kept = |severity| other.list.iter().filter(|one| one.severity == severity).count();
        self.errors += uncounted(kept(Severity::Error), other.errors);
        self.warnings += uncounted(kept(Severity::Warning), other.warnings);
        other.list.into_iter().for_each(|one| self.push(one));
    }

    /// Puts them in the order of their places and removes what is said twice, so that several checks
    /// of the same text can be added up.
    pub fn settle(&mut self) {
        self.list.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let (errors, warnings) = (&mut self.errors, &mut self.warnings);
        self.list.dedup_by(|again, one| {
            let same = again == one;
            match again.severity {
                Severity::Error => *errors -= usize::from(same),
                Severity::Warning => *warnings -= usize::from(same),
            }
            same
        });
    }

    /// In the order in which they were found, or of their places after [`Diagnostics::settle`].
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many of this severity were found.
    pub const fn count(&self, severity: Severity) -> usize {
        match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
        }
    }

    /// How many were found.
    pub const fn len(&self) -> usize {
        self.errors + self.warnings
    }

    /// Whether anything forbids going on.
    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For editors and CI: code, severity, message, place (from 1, columns in characters) and help.
    pub fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let mut sorted = self.clone();
        sorted.settle();
        sorted.list.iter().map(|one| one.to_json(sources)).collect()
    }
}
