//! `${…}` in a string: what it refers to, and what is left of it when planning is done.
//!
//! Two times matter. *Early* values (inputs, roles, values of a site) are put in when a runbook is
//! planned, so that what is shown is what is performed. *Late* values (outputs of earlier steps) and
//! the names of namespaces that a drill replaces stay in a [`Text`] as data. `$${` writes a literal
//! `${`. There are no expressions, loops or conditions: a value can never become a key, a kind or a
//! second argument.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Diagnostic, Span, Spanned, codes, quote};

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

impl Template {
    /// Cuts a string. `span` is where it stands; a reference has a place of its own where the string was
    /// written on one line without escapes, else that of the whole string.
    ///
    /// # Errors
    ///
    /// What is wrong with the first `${` that is not finished or does not hold a dotted path.
    pub fn parse(text: &str, span: Span) -> Result<Self, Diagnostic> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${").map(|found| at + found) {
            literal.push_str(&text[at..found]);
            at = found + "${".len();
            if literal.ends_with('$') {
                // `$${` is a literal `${`: one of the two `$` is already there.
                literal.push('{');
                continue;
            }
            let place = |len: usize| within(text, span, found, len);
            let Some(length) = text[at..].find('}') else {
                let message = "a `${` is not finished";
                let diagnostic = Diagnostic::error(codes::BAD_TEMPLATE, message, place(2), "no `}` follows");
                return Err(diagnostic.help("write `$${` for a literal `${`"));
            };
            let reference = reference(&text[at..at + length], place(length + 3))?;
            if !literal.is_empty() {
                pieces.push(TemplatePiece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(TemplatePiece::Reference(reference));
            at += length + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            pieces.push(TemplatePiece::Literal(literal));
        }
        Ok(Self { pieces })
    }
}

fn reference(inner: &str, span: Span) -> Result<Spanned<Reference>, Diagnostic> {
    let path: Vec<String> = inner.split('.').map(str::to_owned).collect();
    let word = |part: &String| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if path.len() >= 2 && path.iter().all(word) {
        return Ok(Spanned::new(Reference(path), span));
    }
    let message = match inner.trim() {
        "" => "`${}` is empty".to_owned(),
        _ => format!("{} is not a dotted path", quote(inner)),
    };
    let diagnostic = Diagnostic::error(codes::BAD_TEMPLATE, message, span, "");
    let help = "write it like `${inputs.replicas}`, without spaces; `$${` is a literal `${`";
    Err(diagnostic.help(help))
}

/// The place of a part of a string, if the string was written as it is or between quotes.
fn within(text: &str, span: Span, start: usize, len: usize) -> Span {
    let written = (span.end - span.start) as usize;
    let opening = match written.checked_sub(text.len()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return span,
    };
    let from = span.start + offset(opening + start);
    Span {
        source: span.source,
        start: from,
        end: from + offset(len),
    }
}

/// A source is at most 1 MiB long.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A string in which some pieces are known only while running.
///
/// In JSON it is a plain string when everything is known, else `{"late": [pieces]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "TextForm")]
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
#[derive(Serialize)]
#[serde(untagged)]
enum TextForm {
    Known(String),
    Late(LateForm),
}

#[derive(Serialize, Deserialize)]
struct LateForm {
    late: Vec<Piece>,
}

impl From<Text> for TextForm {
    fn from(text: Text) -> Self {
        match text.as_known() {
            Some(known) => Self::Known(known),
            None => Self::Late(LateForm { late: text.pieces }),
        }
    }
}

/// By hand, because serde would copy every text to try one form after the other.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::known(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
        let form = LateForm::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Text { pieces: form.late })
    }
}

impl Text {
    /// A text in which nothing is late.
    pub fn known(text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Literal(text.into())],
        }
    }

    /// Nothing.
    pub const EMPTY: Self = Self { pieces: Vec::new() };

    /// A text of these pieces. Literals beside each other become one, so that equal texts are equal
    /// values, also after they were written and read.
    pub fn new(pieces: Vec<Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
                (_, piece) => joined.push(piece),
            }
        }
        Self { pieces: joined }
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
        let bound = |piece| value(&piece).map_or(piece, Piece::Literal);
        *self = Self::new(std::mem::take(&mut self.pieces).into_iter().map(bound).collect());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, Diagnostic> {
        let end = u32::try_from(text.len()).unwrap() + 12;
        let span = Span {
            start: 10,
            end,
            ..Span::default()
        };
        Template::parse(text, span)
    }

    fn drawn(text: &str) -> String {
        match parse(text) {
            Ok(template) => template.pieces.iter().map(draw_piece).collect(),
            Err(error) => format!(
                "{} at {}..{}",
                error.message,
                error.span().start,
                error.span().end
            ),
        }
    }

    fn draw_piece(piece: &TemplatePiece) -> String {
        match piece {
            TemplatePiece::Literal(text) => format!("'{text}'"),
            TemplatePiece::Reference(path) => format!("<{path} {}..{}>", path.span.start, path.span.end),
        }
    }

    #[test]
    fn references_are_cut_out_with_their_places() {
        assert_eq!(drawn("plain $ {text}"), "'plain $ {text}'");
        assert_eq!(drawn("${a.b}"), "<a.b 11..17>");
        assert_eq!(drawn("x${a.b}y${c.d.e-f}"), "'x'<a.b 12..18>'y'<c.d.e-f 19..29>");
        assert_eq!(drawn("ü${a.b}"), "'ü'<a.b 13..19>");
    }

    #[test]
    fn two_dollars_are_a_literal_one() {
        assert_eq!(drawn("$${a.b} ${c.d}"), "'${a.b} '<c.d 19..25>");
        assert_eq!(drawn("$$${a.b}"), "'$${a.b}'");
        assert_eq!(drawn("a $$ b"), "'a $$ b'");
    }

    #[test]
    fn what_is_no_path_is_refused_at_its_place() {
        assert_eq!(drawn("x ${a.b"), "a `${` is not finished at 13..15");
        assert_eq!(drawn("${}"), "`${}` is empty at 11..14");
        assert_eq!(drawn("${a}"), "`a` is not a dotted path at 11..15");
        assert_eq!(drawn("${ a.b }"), "` a.b ` is not a dotted path at 11..19");
        assert_eq!(drawn("${a..b}"), "`a..b` is not a dotted path at 11..18");
        assert_eq!(drawn("${a.b|c}"), "`a.b|c` is not a dotted path at 11..19");
    }

    #[test]
    fn a_text_is_a_plain_string_in_json_when_nothing_is_late() {
        let json = |text: &Text| serde_json::to_string(text).unwrap();
        assert_eq!(json(&Text::known("a")), r#""a""#);
        let late = Text::output("capture", "backup");
        assert_eq!(
            json(&late),
            r#"{"late":[{"output":{"step":"capture","name":"backup"}}]}"#
        );
        assert_eq!(serde_json::from_str::<Text>(&json(&late)).unwrap(), late);
    }
}
