//! `oneOf` and `anyOf`: options, words, and enums as serde writes them.

use serde_json::Value as Json;

use super::super::{Diagnostic, Diagnostics, Node, NodeValue, Span, codes, quote};
use super::{Conform, keyword, noun, types};

/// One variant of an externally tagged enum.
struct Variant<'s> {
    name: &'s str,
    /// Schema of the value under its name; `None`: it is a word of its own.
    content: Option<&'s Json>,
}

impl Conform<'_> {
    pub(super) fn visit_one_of(
        &self,
        alternatives: &[Json],
        node: &mut Node,
        owner: Span,
        found: &mut Diagnostics,
    ) {
        let followed = alternatives.iter().map(|one| self.follow(one));
        let (nulls, others): (Vec<_>, Vec<_>) = followed.partition(|one| types(one) == ["null"]);
        if !nulls.is_empty() && node.value == NodeValue::Null {
            return;
        }
        if let [only] = others.as_slice() {
            return self.visit(only, node, owner, found);
        }
        match variants(&others) {
            Some(variants) => self.visit_variant(&variants, node, owner, found),
            None => self.visit_best(&others, node, owner, found),
        }
    }

    fn visit_variant(&self, variants: &[Variant<'_>], node: &mut Node, owner: Span, found: &mut Diagnostics) {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        let span = node.span;
        match &mut node.value {
            NodeValue::String(word) => match variants.iter().find(|variant| variant.name == word) {
                Some(Variant { content: None, .. }) => {}
                Some(_) => found.push(needs_value(word, span)),
                None => found.push(not_a_choice(word, span, &names)),
            },
            NodeValue::Mapping(entries) => match entries.as_mut_slice() {
                [(key, value)] => match variants.iter().find(|variant| variant.name == key.value) {
                    Some(variant) => match variant.content {
                        Some(content) => self.visit(content, value, key.span, found),
                        None => found.push(needs_no_value(&key.value, key.span)),
                    },
                    None => found.push(not_a_choice(&key.value, key.span, &names)),
                },
                [] => found.push(one_of(owner, &names)),
                [.., (key, _)] => found.push(one_of(key.span, &names)),
            },
            NodeValue::Late(_) => super::visit_late(&Json::Null, node, found),
            _ => {
                let message = format!("expected one of {}, found {}", names.join(", "), node.noun());
                found.push(Diagnostic::error(
                    codes::WRONG_TYPE,
                    message,
                    span,
                    "not one of them",
                ));
            }
        }
    }

    /// The alternative with the fewest mistakes is the one that was meant; its mistakes are reported.
    fn visit_best(&self, alternatives: &[&Json], node: &mut Node, owner: Span, found: &mut Diagnostics) {
        let mut best: Option<(usize, Node, Diagnostics)> = None;
        let fitting = alternatives.iter().filter(|one| super::has_type(one, node));
        for alternative in fitting {
            let (mut tried, mut mistakes) = (node.clone(), Diagnostics::default());
            self.visit(alternative, &mut tried, owner, &mut mistakes);
            if best.as_ref().is_none_or(|(fewest, ..)| mistakes.len() < *fewest) {
                best = Some((mistakes.len(), tried, mistakes));
            }
        }
        if let Some((_, tried, mistakes)) = best {
            *node = tried;
            found.extend(mistakes);
            return;
        }
        let wanted = alternatives.iter().flat_map(|one| types(one)).map(noun);
        let wanted = wanted.collect::<Vec<_>>().join(" or ");
        let message = format!("expected {wanted}, found {}", node.noun());
        found.push(Diagnostic::error(
            codes::WRONG_TYPE,
            message,
            node.span,
            "does not fit",
        ));
    }
}

/// The variants of an externally tagged enum, if that is what these alternatives are.
fn variants<'s>(alternatives: &[&'s Json]) -> Option<Vec<Variant<'s>>> {
    let mut variants = Vec::new();
    for alternative in alternatives {
        if let Some(words) = words(alternative) {
            variants.extend(words.into_iter().map(|name| Variant { name, content: None }));
            continue;
        }
        let required = keyword(alternative, "required")?.as_array()?;
        let properties = keyword(alternative, "properties")?.as_object()?;
        let ([name], 1) = (required.as_slice(), properties.len()) else {
            return None;
        };
        let name = name.as_str()?;
        variants.push(Variant {
            name,
            content: Some(properties.get(name)?),
        });
    }
    Some(variants)
}

/// The words that a schema allows, if words are all that it allows.
pub(crate) fn words(schema: &Json) -> Option<Vec<&str>> {
    match (keyword(schema, "const"), keyword(schema, "enum")) {
        (Some(word), _) => Some(vec![word.as_str()?]),
        (None, Some(list)) => list
            .as_array()?
            .iter()
            .filter(|one| !one.is_null())
            .map(Json::as_str)
            .collect(),
        (None, None) => None,
    }
}

pub(super) fn not_a_choice(word: &str, span: Span, names: &[&str]) -> Diagnostic {
    let message = format!("{} is not one of {}", quote(word), names.join(", "));
    let diagnostic = Diagnostic::error(codes::NOT_A_CHOICE, message, span, "not one of them");
    diagnostic.near(word, names.iter().copied())
}

fn needs_value(word: &str, span: Span) -> Diagnostic {
    let message = format!("{} needs a value", quote(word));
    let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message, span, "a word alone says too little");
    diagnostic.help(format!("write it as {{ {word}: … }}"))
}

fn needs_no_value(word: &str, span: Span) -> Diagnostic {
    let message = format!("{} takes no value", quote(word));
    Diagnostic::error(codes::WRONG_TYPE, message, span, "write the word alone")
}

/// That exactly one key of several has to be there.
pub(crate) fn one_of(span: Span, names: &[&str]) -> Diagnostic {
    let message = format!("exactly one of {} has to be here", names.join(", "));
    Diagnostic::error(codes::ONE_OF, message, span, "not exactly one")
}
