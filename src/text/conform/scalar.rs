//! Words, numbers, lengths and formats.

use serde_json::Value as Json;

use super::super::{
    Diagnostic, Diagnostics, DomainName, Millis, Node, NodeValue, Span, codes, is_name, quote,
};
use super::{Conform, choice, keyword};

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
        // One look at each keyword there is, rather than one search for each that there could be.
        let mut format = None;
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "const" | "enum" => check_word(schema, text, span, found),
                "minLength" | "maxLength" => check_keyword(keyword, value, text, span, found),
                "format" => format = value.as_str(),
                _ => {}
            }
        }
        match format? {
            "duration" => check_duration(text, span, found),
            "name" => check_name(text, span, found),
            "domain" => check_domain(text, span, found),
            "ip" => check_ip(text, span, found),
            format => return self.hooks.scalar(format, text, span, found),
        }
        None
    }
}

fn check_word(schema: &Json, text: &str, span: Span, found: &mut Diagnostics) {
    let words = choice::words(schema).unwrap_or_default();
    if !words.contains(&text) {
        found.push(choice::not_a_choice(text, span, &words));
    }
}

fn check_keyword(keyword: &str, bound: &Json, text: &str, span: Span, found: &mut Diagnostics) {
    let (length, Some(bound)) = (text.chars().count() as u64, bound.as_u64()) else {
        return;
    };
    if keyword == "minLength" && length < bound {
        found.push(too_short(bound, "character", span));
    } else if keyword == "maxLength" && length > bound {
        found.push(too_long(bound, "character", span));
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

fn check_domain(text: &str, span: Span, found: &mut Diagnostics) {
    if let Err(why) = text.parse::<DomainName>() {
        found.push(Diagnostic::error(
            codes::BAD_DOMAIN,
            why,
            span,
            "not a domain name",
        ));
    }
}

fn check_ip(text: &str, span: Span, found: &mut Diagnostics) {
    if text.parse::<std::net::IpAddr>().is_err() {
        let message = format!("{} is not an IP address", quote(text));
        let label = "neither IPv4 nor IPv6";
        found.push(Diagnostic::error(codes::BAD_ADDRESS, message, span, label));
    }
}

/// That a name is not a DNS label.
pub(crate) fn bad_name(text: &str, span: Span) -> Diagnostic {
    let message = format!("{} is not a name", quote(text));
    let diagnostic = Diagnostic::error(codes::BAD_NAME, message, span, "not a DNS label");
    diagnostic.help("use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters")
}

fn check_range(schema: &Json, value: i64, span: Span, found: &mut Diagnostics) {
    let bound = |name| keyword(schema, name).and_then(Json::as_i64);
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
    match keyword(schema, "format")?.as_str()? {
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
    let bound = |name: &str| keyword(schema, name).and_then(Json::as_u64);
    let length = length as u64;
    match (bound(of.least), bound(of.most)) {
        (Some(least), _) if length < least => found.push(too_short(least, of.noun, span)),
        (_, Some(most)) if length > most => found.push(too_long(most, of.noun, span)),
        _ => {}
    }
}

fn too_short(least: u64, noun: &str, span: Span) -> Diagnostic {
    let message = format!("at least {least} {noun} has to be here");
    Diagnostic::error(codes::OUT_OF_RANGE, message, span, "too short")
}

fn too_long(most: u64, noun: &str, span: Span) -> Diagnostic {
    let message = format!("longer than {most}, counted by the {noun}");
    Diagnostic::error(codes::OUT_OF_RANGE, message, span, "too long")
}
