//! Whether a tree fits a JSON Schema: every mistake at once, each at its place.
//!
//! Knows the part of JSON Schema that `schemars` writes for plain structs, maps, lists, options and
//! externally tagged enums; it is not a validator for schemas of others. A keyword that it does not
//! know is passed over: serde has the last word in [`super::from_node`].
//!
//! ## Why not a validator crate
//!
//! They say `"x" is not of type "integer"` at `/spec/steps/3`; a person needs the line, the key that was
//! probably meant, and one message rather than one per branch of an `anyOf`.
//!
//! ## Why unknown keys are refused where the schema does not say so
//!
//! serde ignores them unless told otherwise, and a mistyped key that is ignored is a setting that
//! silently does not hold. So a map with named properties is closed unless its schema opens it.

use serde_json::Value as Json;

use super::bind::is_reported;
use super::{Diagnostic, Diagnostics, Key, Node, NodeValue, Span, closest, codes, quote};

pub(crate) mod choice;
pub(crate) mod scalar;

/// Knows formats that a schema only names, such as `role`.
pub trait Hooks {
    /// Looks at a string of this format; what is wrong goes to `found`. What is returned takes its place.
    fn scalar(&self, format: &str, text: &str, span: Span, found: &mut Diagnostics) -> Option<String> {
        let _ = (format, text, span, found);
        None
    }
}

/// No formats but those that every document knows.
impl Hooks for () {}

/// A schema with what its formats mean.
#[derive(Clone, Copy)]
pub struct Conform<'a> {
    root: &'a Json,
    hooks: &'a dyn Hooks,
}

impl std::fmt::Debug for Conform<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conform").finish_non_exhaustive()
    }
}

impl<'a> Conform<'a> {
    /// `root` is a whole schema: `$ref`s point into it.
    pub const fn new(root: &'a Json, hooks: &'a dyn Hooks) -> Self {
        Self { root, hooks }
    }

    /// Checks a tree. `owner` is the key it stands under: where a missing key is reported.
    pub fn check(&self, node: &mut Node, owner: Span, found: &mut Diagnostics) {
        self.visit(self.root, node, owner, found);
    }

    fn visit(&self, schema: &Json, node: &mut Node, owner: Span, found: &mut Diagnostics) {
        if is_reported(node) || found.is_full() {
            return;
        }
        let schema = self.follow(schema);
        // What says its type has no alternatives; asking costs more than all the rest.
        if keyword(schema, "type").is_none() {
            if let Some(alternatives) = alternatives(schema) {
                return self.visit_one_of(alternatives, node, owner, found);
            }
            for part in keyword(schema, "allOf")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
            {
                self.visit(part, node, owner, found);
            }
        }
        if matches!(node.value, NodeValue::Late(_)) {
            return visit_late(schema, node, found);
        }
        if !has_type(schema, node) {
            return found.push(wrong_type(schema, node));
        }
        match &mut node.value {
            NodeValue::Mapping(entries) => self.visit_map(schema, entries, owner, found),
            NodeValue::Sequence(list) => self.visit_list(schema, list, node.span, found),
            _ => self.visit_scalar(schema, node, found),
        }
    }

    /// The schema that a `$ref` points to, itself if it is none.
    fn follow<'s>(&'s self, schema: &'s Json) -> &'s Json {
        let mut schema = schema;
        // A chain of references is as long as newtypes are deep; a circle of nothing else does not end.
        for _ in 0..16 {
            let Some(pointer) = keyword(schema, "$ref").and_then(Json::as_str) else {
                break;
            };
            // `pointer()` would copy every name; all of ours point to a definition.
            let name = pointer.strip_prefix("#/$defs/");
            let target = name.and_then(|name| keyword(keyword(self.root, "$defs")?, name));
            schema = target.unwrap_or(&Json::Bool(true));
        }
        schema
    }

    fn visit_map(&self, schema: &Json, entries: &mut [(Key, Node)], owner: Span, found: &mut Diagnostics) {
        let properties = keyword(schema, "properties");
        let others = keyword(schema, "additionalProperties");
        let open = others.is_some_and(|others| *others != Json::Bool(false))
            || (others.is_none() && properties.is_none());
        let mut meant = Vec::new();
        for (key, value) in entries.iter_mut() {
            match (properties.and_then(|known| keyword(known, &key.value)), others) {
                (Some(schema), _) => self.visit(schema, value, key.span, found),
                (None, Some(schema)) if open => self.visit(schema, value, key.span, found),
                (None, _) if open || found.is_full() => {}
                (None, _) => {
                    let known = properties
                        .and_then(Json::as_object)
                        .into_iter()
                        .flat_map(|known| known.keys());
                    let known: Vec<&str> = known.map(String::as_str).collect();
                    meant.extend(closest(&key.value, known.iter().copied()));
                    found.push(unknown_key(key, &known));
                }
            }
        }
        let required = keyword(schema, "required").and_then(Json::as_array);
        for name in required.into_iter().flatten().filter_map(Json::as_str) {
            // A mistyped key is one mistake, not two.
            if !meant.contains(&name) && !entries.iter().any(|(key, _)| key.value == name) {
                found.push(missing_key(name, owner));
            }
        }
        scalar::check_length(schema, &scalar::KEYS, entries.len(), owner, found);
    }

    fn visit_list(&self, schema: &Json, list: &mut [Node], span: Span, found: &mut Diagnostics) {
        if let Some(items) = keyword(schema, "items") {
            for item in list.iter_mut() {
                let place = item.span;
                self.visit(items, item, place, found);
            }
        }
        scalar::check_length(schema, &scalar::ITEMS, list.len(), span, found);
    }
}

/// What stands under a key of a schema. There are a handful of them: looking through all is several times
/// faster than hashing the one, and ten thousand steps look for a million.
fn keyword<'s>(schema: &'s Json, name: &str) -> Option<&'s Json> {
    let mut entries = schema.as_object()?.iter();
    entries.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn alternatives(schema: &Json) -> Option<&Vec<Json>> {
    let list = keyword(schema, "oneOf").or_else(|| keyword(schema, "anyOf"))?;
    list.as_array()
}

fn visit_late(schema: &Json, node: &Node, found: &mut Diagnostics) {
    if format(schema) != Some("text") {
        let message = "this must be known when planning";
        let diagnostic = Diagnostic::error(codes::LATE_VALUE, message, node.span, "known only while running");
        found.push(diagnostic.help("use an input, a role or a value of a site instead"));
    }
}

pub(crate) fn format(schema: &Json) -> Option<&str> {
    keyword(schema, "format")?.as_str()
}

/// The types that a schema allows; none: all.
pub(crate) fn types(schema: &Json) -> Vec<&str> {
    match keyword(schema, "type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(schema: &Json, node: &Node) -> bool {
    let fits = |wanted: &str| match node.value {
        NodeValue::Null => wanted == "null",
        NodeValue::Bool(_) => wanted == "boolean",
        NodeValue::Integer(_) => wanted == "integer" || wanted == "number",
        NodeValue::Float(_) => wanted == "number",
        NodeValue::String(_) | NodeValue::Late(_) => wanted == "string",
        NodeValue::Sequence(_) => wanted == "array",
        NodeValue::Mapping(_) => wanted == "object",
    };
    match keyword(schema, "type") {
        Some(Json::String(one)) => fits(one),
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).any(fits),
        _ => true,
    }
}

fn wrong_type(schema: &Json, node: &Node) -> Diagnostic {
    let allowed = types(schema);
    let wanted: Vec<&str> = allowed
        .iter()
        .filter(|name| **name != "null")
        .map(|name| noun(name))
        .collect();
    let wanted = wanted.join(" or ");
    if let (Some("duration"), NodeValue::Integer(number)) = (format(schema), &node.value) {
        let diagnostic = Diagnostic::error(
            codes::BAD_DURATION,
            format!("{number} of what?"),
            node.span,
            "no unit",
        );
        return diagnostic.help(format!("write it like {number}s or {number}m"));
    }
    let message = format!("expected {wanted}, found {}", node.noun());
    let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message, node.span, format!("not {wanted}"));
    let scalar = matches!(
        node.value,
        NodeValue::Bool(_) | NodeValue::Integer(_) | NodeValue::Float(_)
    );
    if scalar && allowed.contains(&"string") {
        return diagnostic.help("write it between quotes");
    }
    match &node.value {
        NodeValue::String(text) if allowed.contains(&"boolean") => {
            diagnostic.near(yes_or_no(text), ["true", "false"])
        }
        NodeValue::String(text) if allowed == ["array"] => diagnostic.help(format!("write it as [{text}]")),
        _ => diagnostic,
    }
}

/// What other readers of YAML take for a boolean.
fn yes_or_no(text: &str) -> &str {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "on" => "true",
        "no" | "n" | "off" => "false",
        _ => text,
    }
}

/// What a person calls a type of JSON Schema.
pub(crate) fn noun(name: &str) -> &'static str {
    match name {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a map",
        _ => "nothing",
    }
}

fn unknown_key(key: &Key, known: &[&str]) -> Diagnostic {
    let message = format!("the key {} means nothing here", quote(&key.value));
    Diagnostic::error(codes::UNKNOWN_KEY, message, key.span, "unknown key").meant(&key.value, known)
}

/// That a key is missing from what stands under `owner`.
pub(crate) fn missing_key(name: &str, owner: Span) -> Diagnostic {
    let message = format!("the key {} is missing", quote(name));
    Diagnostic::error(
        codes::MISSING_KEY,
        message,
        owner,
        format!("needs {}", quote(name)),
    )
}

#[cfg(test)]
mod tests;
