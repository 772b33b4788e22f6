//! What a step kind takes and gives, for a terminal of 80 columns.

mod effects;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Kind;
use crate::text::{format, noun, types, words};

/// Columns.
const WIDTH: usize = 80;

/// How much a field of a field is moved to the right.
const INDENT: usize = 2;

/// Fields with types, whether they are mandatory, defaults and meaning; outputs; an example.
pub fn explain(kind: &Kind) -> String {
    let schema = kind.schema().to_value();
    let page = Page { root: &schema };
    let mut out = format!("{}\n\n", wrap(&format!("{}: {}", kind.name, kind.summary), 0));
    out.push_str("Fields\n");
    out.push_str(&page.fields(&schema, INDENT, 0));
    if !kind.outputs.is_empty() {
        out.push_str("\nOutputs\n");
        for name in kind.outputs {
            let _ = writeln!(out, "  ${{steps.<step>.{name}}}");
        }
    }
    let specimen = (kind.specimen)();
    if !specimen.is_empty() {
        out.push_str("\nEffects\n");
        out.push_str(&effects::effects(&specimen));
        out.push('\n');
    }
    out.push_str("\nExample\n");
    for line in kind.example.trim().lines() {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
    out
}

struct Page<'a> {
    root: &'a Value,
}

impl<'a> Page<'a> {
    fn follow(&self, schema: &'a Value) -> &'a Value {
        let pointer = schema.get("$ref").and_then(Value::as_str);
        let target = pointer.and_then(|pointer| self.root.pointer(pointer.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// What is left of an option without its `null`.
    fn meant(&self, schema: &'a Value) -> &'a Value {
        let some: Vec<_> = alternatives(schema)
            .iter()
            .filter(|one| types(one) != ["null"])
            .collect();
        match some.as_slice() {
            [only] => self.follow(only),
            _ => self.follow(schema),
        }
    }

    fn fields(&self, schema: &'a Value, indent: usize, depth: usize) -> String {
        let nothing = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let mut out = String::new();
        for (name, property) in properties.unwrap_or(&nothing) {
            let mandatory = required.is_some_and(|list| list.iter().any(|one| one == name));
            out.push_str(&self.field(name, property, mandatory, indent, depth));
        }
        out
    }

    fn field(&self, name: &str, property: &'a Value, mandatory: bool, indent: usize, depth: usize) -> String {
        let meant = self.meant(property);
        let duty = match (mandatory, property.get("default")) {
            (true, _) => ", mandatory".to_owned(),
            (false, Some(default)) if says_something(default) => format!(", default {}", plain(default)),
            _ => String::new(),
        };
        let pad = " ".repeat(indent);
        let mut out = format!("{pad}{name}: {}{duty}\n", self.describe(meant));
        let doc = property.get("description").or_else(|| meant.get("description"));
        if let Some(doc) = doc.and_then(Value::as_str) {
            out.push_str(&wrap(doc, indent + 2 * INDENT));
            out.push('\n');
        }
        out.push_str(&self.inside(meant, indent + 2 * INDENT, depth + 1));
        out
    }

    /// What stands inside a map, a list's entries or the variants of an enum.
    fn inside(&self, schema: &'a Value, indent: usize, depth: usize) -> String {
        // A type that holds itself would never end.
        const DEPTH_MAX: usize = 4;
        if depth > DEPTH_MAX {
            return String::new();
        }
        if let Some(items) = schema.get("items") {
            return self.inside(self.meant(items), indent, depth);
        }
        let mut out = self.fields(schema, indent, depth);
        for variant in alternatives(schema) {
            let variant = self.follow(variant);
            match words(variant) {
                Some(words) => out.push_str(&word_lines(&words, variant, indent)),
                None => out.push_str(&self.fields(variant, indent, depth)),
            }
        }
        out
    }

    fn describe(&self, schema: &'a Value) -> String {
        if let Some(words) = words(schema) {
            return format!("one of {}", words.join(", "));
        }
        if !alternatives(schema).is_empty() {
            return "one of these".into();
        }
        if let Some(
            format @ ("role" | "store" | "duration" | "text" | "path" | "namespace" | "person" | "domain"),
        ) = format(schema)
        {
            return format.to_owned();
        }
        let names: Vec<&str> = types(schema).into_iter().filter(|name| *name != "null").collect();
        let inner = |key: &str| schema.get(key).map(|inner| self.describe(self.meant(inner)));
        match names.as_slice() {
            [] => "anything".into(),
            ["array"] => format!("list of {}", inner("items").map_or("anything".into(), many)),
            ["object"] if schema.get("additionalProperties").is_some_and(Value::is_object) => {
                format!("map to {}", inner("additionalProperties").unwrap_or_default())
            }
            names => {
                let nouns: Vec<&str> = names.iter().map(|name| bare(noun(name))).collect();
                format!("{}{}", nouns.join(" or "), range(schema))
            }
        }
    }
}

fn alternatives(schema: &Value) -> &[Value] {
    let list = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word_lines(words: &[&str], variant: &Value, indent: usize) -> String {
    let doc = variant.get("description").and_then(Value::as_str);
    let line = match doc {
        Some(doc) => wrap(&format!("{}: {doc}", words.join(", ")), indent),
        None => wrap(&words.join(", "), indent),
    };
    line + "\n"
}

/// `namespaces` for `namespace`; a description of several words stays.
fn many(what: String) -> String {
    if what.contains(' ') { what } else { what + "s" }
}

/// `string` for `a string`.
fn bare(noun: &'static str) -> &'static str {
    noun.strip_prefix("a ").unwrap_or(noun)
}

fn range(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

/// Whether a default is worth a word: that a list may be empty goes without saying.
fn says_something(default: &Value) -> bool {
    match default {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Breaks text into lines of at most [`WIDTH`] columns, each moved to the right.
fn wrap(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{pad}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
