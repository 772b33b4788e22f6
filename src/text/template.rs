//! `${…}` in a string: what it refers to, and what is left of it when planning is done.
//!
//! Two times matter. *Early* values (inputs, roles, values of a site) are put in when a runbook is
//! planned, so that what is shown is what is performed. *Late* values (outputs of earlier steps) and
//! the names of namespaces that a drill replaces stay in a [`Text`] as data. `$${` writes a literal
//! `${`. There are no expressions, loops or conditions: a value can never become a key, a kind or a
//! second argument.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Spanned;

/// A string as it was written, cut into what is literal and what refers to something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// In the order of the text. Spans are of the whole string's source.
    pub pieces: Vec<TemplatePiece>,
}

/// One cut of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePiece {
    /// Text that stays as it is; `$${` is already `${`.
    Literal(String),
    /// What stood between `${` and `}`.
    Reference(Spanned<Reference>),
}

/// A dotted path: `inputs.replicas`, `steps.capture.backup`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub Vec<String>);

/// A string in which some pieces are known only while running.
///
/// In JSON it is a plain string when everything is known, else `{"late": [pieces]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "TextForm", into = "TextForm")]
pub struct Text {
    pieces: Vec<Piece>,
}

/// One piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// Known when planning.
    Literal(String),
    /// `${steps.<step>.<name>}`: an output of an earlier step.
    Output {
        /// The step.
        step: String,
        /// One of its kind's `OUTPUTS`.
        name: String,
    },
    /// `${namespaces.<name>}`: the namespace itself, or what a drill puts in its place.
    Namespace(String),
}

/// How a [`Text`] looks in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextForm {
    Known(String),
    Late { late: Vec<Piece> },
}

impl From<TextForm> for Text {
    fn from(form: TextForm) -> Self {
        match form {
            TextForm::Known(text) => Self::known(text),
            TextForm::Late { late } => Self { pieces: late },
        }
    }
}

impl From<Text> for TextForm {
    fn from(text: Text) -> Self {
        match text.as_known() {
            Some(known) => Self::Known(known),
            None => Self::Late { late: text.pieces },
        }
    }
}

impl Text {
    /// A text in which nothing is late.
    pub fn known(text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Literal(text.into())],
        }
    }

    /// A text of these pieces.
    pub const fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    /// One output of an earlier step and nothing else.
    pub fn output(step: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Output {
                step: step.into(),
                name: name.into(),
            }],
        }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The whole string, if nothing in it is late.
    pub fn as_known(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Output { .. } | Piece::Namespace(_) => None,
            })
            .collect()
    }

    /// Puts values in for pieces; a piece for which `value` knows nothing stays late.
    pub fn bind(&mut self, value: impl Fn(&Piece) -> Option<String>) {
        for piece in &mut self.pieces {
            if let Some(known) = value(piece) {
                *piece = Piece::Literal(known);
            }
        }
    }
}

/// As it was written, with `${…}` for what is late.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Output { step, name } => write!(f, "${{steps.{step}.{name}}}"),
            Piece::Namespace(name) => write!(f, "${{namespaces.{name}}}"),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl schemars::JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "text" })
    }
}
