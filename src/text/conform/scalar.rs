//! Words, numbers, lengths and formats.

use serde_json::Value as Json;

use super::super::{Diagnostic, Diagnostics, Millis, Node, NodeValue, Span, codes, is_name, quote};
use super::{Conform, choice};

impl Conform<'_> {
    pub(super) fn visit_scalar(&self, schema: &Json, node: &mut Node, found: &mut Diagnostics) {
        let span = node.span;
        match &node.value {
            NodeValue::String(text) => {
                if let Some(replaced) = self.visit_string(schema, text, span, found) {
                    node.value = NodeValue::String(replaced);
                }
            }
            NodeValue::Integer(value) => check_range(schema, *value, span, found),
            _ => {}
        }
    }

    fn visit_string(&self, schema: &Json, text: &str, span: Span, found: &mut Diagnostics) -> Option<String> {
        if let Some(words) = choice::words(schema) {
            if !words.contains(&text) {
                found.push(choice::not_a_choice(text, span, &words));
            }
            return None;
        }
        check_length(schema, &CHARACTERS, text.chars().count(), span, found);
        match schema.get("format").and_then(Json::as_str)? {
            "duration" => check_duration(text, span, found),
            "name" => check_name(text, span, found),
            format => return self.hooks.scalar(format, text, span, found),
        }
        None
    }
}

fn check_duration(text: &str, span: Span, found: &mut Diagnostics) {
    if let Err(why) = text.parse::<Millis>() {
        let message = format!("{} is not a duration", quote(text));
        let diagnostic = Diagnostic::error(codes::BAD_DURATION, message, span, "not a duration");
        // The parser's own words end in how to write it.
        let help = why.split_once("; ").map_or("", |(_, help)| help);
        found.push(diagnostic.help(if help.is_empty() {
            "durations are positive"
        } else {
            help
        }));
    }
}

fn check_name(text: &str, span: Span, found: &mut Diagnostics) {
    if !is_name(text) {
        found.push(bad_name(text, span));
    }
}

/// That a name is not a DNS label.
pub(crate) fn bad_name(text: &str, span: Span) -> Diagnostic {
    let message = format!("{} is not a name", quote(text));
    let diagnostic = Diagnostic::error(codes::BAD_NAME, message, span, "not a DNS label");
    diagnostic.help("use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters")
}

fn check_range(schema: &Json, value: i64, span: Span, found: &mut Diagnostics) {
    let bound = |name| schema.get(name).and_then(Json::as_i64);
    let (least, most) = (bound("minimum"), bound("maximum").or_else(|| widest(schema)));
    let message = match (least, most) {
        (Some(least), _) if value < least => format!("{value} is too small: at least {least}"),
        (_, Some(most)) if value > most => format!("{value} is too large: at most {most}"),
        _ => return,
    };
    found.push(Diagnostic::error(
        codes::OUT_OF_RANGE,
        message,
        span,
        "out of range",
    ));
}

/// The largest number of a format; `schemars` writes a maximum for 8 and 16 bits only.
fn widest(schema: &Json) -> Option<i64> {
    match schema.get("format")?.as_str()? {
        "uint32" => Some(i64::from(u32::MAX)),
        "int32" => Some(i64::from(i32::MAX)),
        _ => None,
    }
}

/// What a length is counted in.
pub(super) struct Length {
    least: &'static str,
    most: &'static str,
    noun: &'static str,
}

const CHARACTERS: Length = Length {
    least: "minLength",
    most: "maxLength",
    noun: "character",
};
pub(super) const ITEMS: Length = Length {
    least: "minItems",
    most: "maxItems",
    noun: "entry",
};
pub(super) const KEYS: Length = Length {
    least: "minProperties",
    most: "maxProperties",
    noun: "key",
};

pub(super) fn check_length(schema: &Json, of: &Length, length: usize, span: Span, found: &mut Diagnostics) {
    let bound = |name: &str| schema.get(name).and_then(Json::as_u64);
    let (length, noun) = (length as u64, of.noun);
    let (message, label) = match (bound(of.least), bound(of.most)) {
        (Some(least), _) if length < least => {
            (format!("at least {least} {noun} has to be here"), "too short")
        }
        (_, Some(most)) if length > most => {
            (format!("longer than {most}, counted by the {noun}"), "too long")
        }
        _ => return,
    };
    found.push(Diagnostic::error(codes::OUT_OF_RANGE, message, span, label));
}
