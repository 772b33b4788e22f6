//! The JSON Schema of both documents, for editors: completion, documentation, red underlines.
//!
//! It says what can be said of one document alone; names, needs and references are checked by `check`.
//! What `check` accepts, this accepts: a `${…}` may stand for a number, a boolean or a word.

use serde_json::{Map, Value, json};

use super::Kind;
use crate::runbook::form::{PinsForm, RunbookForm, SitesForm, StepForm};

/// The dialect, and the address under which editors know this schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const ID: &str = "https://lifeboat.dev/schema/v1alpha1.json";

/// A number with a unit, or a reference.
const DURATION: &str = "[0-9] *[a-zA-Z]|\\$\\{";
/// A DNS label.
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// The schema of a runbook or an inventory of sites.
pub fn schema(kinds: &[Kind]) -> Value {
    let mut defs = Map::new();
    add(
        &mut defs,
        "Runbook",
        schemars::schema_for!(RunbookForm).to_value(),
    );
    add(&mut defs, "Sites", schemars::schema_for!(SitesForm).to_value());
    add(&mut defs, "Pins", schemars::schema_for!(PinsForm).to_value());
    add(&mut defs, "Step", schemars::schema_for!(StepForm).to_value());
    for kind in kinds {
        let mut params = kind.schema().to_value();
        allow_references(&mut params);
        add(&mut defs, kind.name, params);
    }
    if let Some(step) = defs.get_mut("Runbook.StepForm") {
        *step = json!({"$ref": "#/$defs/Step"});
    }
    if let Some(step) = defs.get_mut("Step") {
        add_kinds(step, kinds);
    }
    json!({
        "$schema": DIALECT,
        "$id": ID,
        "title": "lifeboat runbook, sites or pins",
        "oneOf": [{"$ref": "#/$defs/Runbook"}, {"$ref": "#/$defs/Sites"}, {"$ref": "#/$defs/Pins"}],
        "$defs": defs,
    })
}

/// Adds a schema and its own definitions under names that begin with its own.
fn add(defs: &mut Map<String, Value>, name: &str, mut schema: Value) {
    close(&mut schema);
    spell_out(&mut schema);
    rename(&mut schema, name);
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        // The name of a type of ours says nothing to a person.
        object.remove("title");
        let own = object.remove("$defs");
        for (inner, schema) in own.as_ref().and_then(Value::as_object).into_iter().flatten() {
            defs.insert(format!("{name}.{inner}"), schema.clone());
        }
    }
    defs.insert(name.to_owned(), schema);
}

/// Points `$ref`s to where the definitions will be.
fn rename(schema: &mut Value, name: &str) {
    each(schema, &mut |schema| {
        if let Some(Value::String(pointer)) = schema.get_mut("$ref") {
            *pointer = pointer.replacen("#/$defs/", &format!("#/$defs/{name}."), 1);
        }
    });
}

/// Refuses unknown keys wherever keys are named, as [`crate::text::Conform`] does.
fn close(schema: &mut Value) {
    each(schema, &mut |schema| {
        let open = |object: &&mut Map<String, Value>| {
            object.contains_key("properties") && !object.contains_key("additionalProperties")
        };
        if let Some(object) = schema.as_object_mut().filter(open) {
            object.insert("additionalProperties".into(), false.into());
        }
    });
}

/// Puts patterns in place of our formats that editors would take for others of the same name: theirs of
/// a duration is `PT15M`.
fn spell_out(schema: &mut Value) {
    each(schema, &mut |schema| {
        let pattern = match schema.get("format").and_then(Value::as_str) {
            Some("duration") => DURATION,
            Some("name") => NAME,
            _ => return,
        };
        if let Some(object) = schema.as_object_mut() {
            object.remove("format");
            object.insert("pattern".into(), pattern.into());
        }
    });
}

/// Lets `${…}` stand where a number, a boolean or one of some words is meant.
fn allow_references(schema: &mut Value) {
    let reference = json!({"type": "string", "pattern": "\\$\\{"});
    each(schema, &mut |schema| {
        if takes_reference(schema) {
            let meant = schema.take();
            *schema = json!({"anyOf": [meant, reference]});
        }
    });
}

fn takes_reference(schema: &Value) -> bool {
    let scalar = |name: &str| ["integer", "number", "boolean"].contains(&name);
    let typed = match schema.get("type") {
        Some(Value::String(one)) => scalar(one),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).any(scalar),
        _ => false,
    };
    let alternatives = schema.get("oneOf").and_then(Value::as_array);
    let a_word = |one: &Value| one.get("const").is_some_and(Value::is_string);
    typed
        || schema.get("enum").is_some_and(Value::is_array)
        || alternatives.is_some_and(|list| list.iter().any(a_word))
}

/// Adds the kinds to the schema of a step: exactly one of them has to be there.
fn add_kinds(step: &mut Value, kinds: &[Kind]) {
    let Some(step) = step.as_object_mut() else {
        return;
    };
    step.insert("additionalProperties".into(), false.into());
    if let Some(Value::Object(properties)) = step.get_mut("properties") {
        for kind in kinds {
            let pointer = format!("#/$defs/{}", kind.name);
            let property = json!({"$ref": pointer, "description": kind.summary});
            properties.insert(kind.name.into(), property);
        }
    }
    if !kinds.is_empty() {
        let one_of = kinds
            .iter()
            .map(|kind| json!({"required": [kind.name]}))
            .collect();
        step.insert("oneOf".into(), one_of);
    }
}

/// Calls `change` with every schema inside this one and then with itself.
fn each(schema: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    for inner in children(schema) {
        each(inner, change);
    }
    change(schema);
}

/// The schemas directly inside a schema. Names of properties and defaults are none, whatever they look
/// like.
fn children(schema: &mut Value) -> Vec<&mut Value> {
    let mut inner = Vec::new();
    for (key, value) in schema.as_object_mut().into_iter().flatten() {
        match (key.as_str(), value) {
            ("items" | "additionalProperties", value) => inner.push(value),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => inner.extend(list),
            ("properties" | "$defs" | "patternProperties", Value::Object(named)) => {
                inner.extend(named.values_mut());
            }
            _ => {}
        }
    }
    inner
}

#[cfg(test)]
mod tests;
