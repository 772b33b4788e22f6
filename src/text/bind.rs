//! Puts values in for `${…}`: what is known when planning becomes part of the tree, the rest stays
//! late. What was put in is never looked at again: a value cannot bring in another `${…}`.

use super::{
    Diagnostic, Diagnostics, Key, Node, NodeValue, Piece, Reference, Spanned, Template, TemplatePiece, Text,
    codes, quote,
};

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// Known when planning: text, a whole number or a boolean.
    Early(serde_json::Value),
    /// Known only while running.
    Late(Piece),
}

/// Knows what references stand for.
pub trait Resolve {
    /// What this one stands for.
    ///
    /// # Errors
    ///
    /// Why it stands for nothing, at its place.
    fn resolve(&self, reference: &Spanned<Reference>) -> Result<Resolved, Diagnostic>;
}

/// The same tree with values in place of references.
///
/// A string that is one reference and nothing else takes the value's type, so that
/// `replicas: "${inputs.replicas}"` becomes a whole number. A reference that stands for nothing is
/// reported and leaves a node that [`super::Conform`] passes over, so that nothing is said twice. Keys
/// are never bound.
pub fn bind(node: &Node, with: &dyn Resolve, found: &mut Diagnostics) -> Node {
    let value = match &node.value {
        NodeValue::String(text) if holds_reference(text) => bind_text(text, node, with, found),
        NodeValue::Sequence(list) => {
            NodeValue::Sequence(list.iter().map(|one| bind(one, with, found)).collect())
        }
        NodeValue::Mapping(entries) => {
            let bound = entries.iter().map(|(key, value)| {
                refuse_in_key(key, found);
                (key.clone(), bind(value, with, found))
            });
            NodeValue::Mapping(bound.collect())
        }
        other => other.clone(),
    };
    Node {
        value,
        span: node.span,
    }
}

/// Whether `${` is in a text. Most have no `$`, and looking for one letter is the faster question.
fn holds_reference(text: &str) -> bool {
    text.contains('$') && text.contains("${")
}

fn bind_text(text: &str, node: &Node, with: &dyn Resolve, found: &mut Diagnostics) -> NodeValue {
    let template = match Template::parse(text, node.span) {
        Ok(template) => template,
        Err(diagnostic) => {
            found.push(diagnostic);
            return REPORTED;
        }
    };
    resolve_all(template, with, found).map_or(REPORTED, join)
}

/// What stands for a value that has been reported as wrong: a text of no pieces, which nothing else
/// makes.
const REPORTED: NodeValue = NodeValue::Late(Text::EMPTY);

/// Whether this value was reported as wrong already.
pub(super) fn is_reported(node: &Node) -> bool {
    matches!(&node.value, NodeValue::Late(text) if text.pieces().is_empty())
}

/// Every piece's value, or nothing if one of them was refused. All that are refused are reported.
fn resolve_all(template: Template, with: &dyn Resolve, found: &mut Diagnostics) -> Option<Vec<Resolved>> {
    let mut values = Vec::new();
    let mut refused = false;
    for piece in template.pieces {
        match piece {
            TemplatePiece::Literal(text) => values.push(Resolved::Early(text.into())),
            TemplatePiece::Reference(reference) => match with.resolve(&reference) {
                Ok(value) => values.push(value),
                Err(diagnostic) => {
                    found.push(diagnostic);
                    refused = true;
                }
            },
        }
    }
    (!refused).then_some(values)
}

fn join(mut pieces: Vec<Resolved>) -> NodeValue {
    if let [Resolved::Early(value)] = pieces.as_mut_slice() {
        return alone(value.take());
    }
    let pieces = pieces.into_iter().map(|piece| match piece {
        Resolved::Early(serde_json::Value::String(text)) => Piece::Literal(text),
        Resolved::Early(value) => Piece::Literal(value.to_string()),
        Resolved::Late(piece) => piece,
    });
    let text = Text::new(pieces.collect());
    match text.as_known() {
        Some(known) => NodeValue::String(known),
        None => NodeValue::Late(text),
    }
}

/// A value that is a whole string's only piece keeps its type.
fn alone(value: serde_json::Value) -> NodeValue {
    match value {
        serde_json::Value::Null => NodeValue::Null,
        serde_json::Value::Bool(value) => NodeValue::Bool(value),
        serde_json::Value::String(text) => NodeValue::String(text),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => NodeValue::Integer(whole),
            None => NodeValue::Float(number.as_f64().unwrap_or_default()),
        },
        // Nothing that can be referred to is a collection.
        other => NodeValue::String(other.to_string()),
    }
}

fn refuse_in_key(key: &Key, found: &mut Diagnostics) {
    if holds_reference(&key.value) {
        let message = format!("the key {} holds `${{`", quote(&key.value));
        let diagnostic = Diagnostic::error(
            codes::BAD_KEY,
            message,
            key.span,
            "a value can never become a key",
        );
        found.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Sources, yaml};

    struct Known;

    impl Resolve for Known {
        fn resolve(&self, reference: &Spanned<Reference>) -> Result<Resolved, Diagnostic> {
            match reference.value.0[1].as_str() {
                "number" => Ok(Resolved::Early(3.into())),
                "text" => Ok(Resolved::Early("${x.y}".into())),
                "yes" => Ok(Resolved::Early(true.into())),
                "late" => Ok(Resolved::Late(Piece::Namespace("shop".into()))),
                _ => Err(Diagnostic::error(
                    "L008",
                    format!("no {reference}"),
                    reference.span,
                    "",
                )),
            }
        }
    }

    fn bound(text: &str) -> (NodeValue, Vec<String>) {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text);
        let mut found = Diagnostics::default();
        let nodes = yaml::load(&sources, id, &mut found);
        let node = bind(&nodes[0], &Known, &mut found);
        let messages = found
            .iter()
            .map(|one| format!("{}@{}", one.message, one.span().start));
        (node.value, messages.collect())
    }

    #[test]
    fn a_lone_reference_takes_the_values_type() {
        assert_eq!(bound("'${i.number}'").0, NodeValue::Integer(3));
        assert_eq!(bound("${i.yes}").0, NodeValue::Bool(true));
        assert_eq!(bound("n ${i.number}").0, NodeValue::String("n 3".into()));
        assert_eq!(bound("$${i.number}").0, NodeValue::String("${i.number}".into()));
    }

    #[test]
    fn a_late_piece_makes_the_whole_string_late() {
        let (value, _) = bound("a ${i.late} ${i.number}");
        let NodeValue::Late(text) = value else {
            panic!("{value:?}")
        };
        assert_eq!(text.to_string(), "a ${namespaces.shop} 3");
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(bound("'${i.text}'").0, NodeValue::String("${x.y}".into()));
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let (_, messages) = bound("[\"${a.b} ${c.d}\", '${', {'${i.number}': 1}]");
        let expected = [
            "no a.b@2",
            "no c.d@9",
            "a `${` is not finished@19",
            "the key `${i.number}` holds `${`@25",
        ];
        assert_eq!(messages, expected);
    }
}
