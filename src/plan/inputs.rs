//! Values of inputs: given ones checked against their types, others by default.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::runbook::{Input, InputKind, Runbook};
use crate::text::{Diagnostic, Diagnostics, closest};

/// Every input's value.
///
/// # Errors
///
/// Unknown names, wrong types, values out of bounds, and inputs without a value: all of them.
pub(super) fn complete(
    runbook: &Runbook,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Diagnostics> {
    let mut found = Diagnostics::default();
    let mut values = BTreeMap::new();
    for name in given.keys().filter(|name| !runbook.inputs.contains_key(*name)) {
        let known = runbook.inputs.keys().map(String::as_str);
        let hint = closest(name, known).map_or_else(
            || "lifeboat explain shows what a runbook takes".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("runbook `{}` has no input `{name}`", runbook.name.value);
        found.push(Diagnostic::error("P001", message, runbook.name.span, "this runbook").help(hint));
    }
    for (name, input) in &runbook.inputs {
        match value(name, input, given.get(name)) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    if found.has_errors() {
        Err(found)
    } else {
        Ok(values)
    }
}

fn value(name: &str, input: &Input, given: Option<&Value>) -> Result<Value, Diagnostic> {
    let Some(value) = given.or(input.default.as_ref()) else {
        let message = format!("input `{name}` has no value and no default");
        return Err(Diagnostic::error("P002", message, input.span, "this input")
            .help(format!("give one: --input {name}=…")));
    };
    match wrong(input, value) {
        None => Ok(value.clone()),
        Some(why) => {
            let message = format!("input `{name}` cannot be {value}: {why}");
            Err(Diagnostic::error("P003", message, input.span, "declared here"))
        }
    }
}

/// What is wrong with a value, if anything.
fn wrong(input: &Input, value: &Value) -> Option<String> {
    let fits = match input.kind {
        InputKind::Integer => value.is_i64() || value.is_u64(),
        InputKind::String => value.is_string(),
        InputKind::Boolean => value.is_boolean(),
    };
    if !fits {
        return Some(format!("it must be {}", noun(input.kind)));
    }
    let number = value.as_i64();
    if let (Some(least), Some(number)) = (input.minimum, number)
        && number < least
    {
        return Some(format!("it must be at least {least}"));
    }
    if let (Some(most), Some(number)) = (input.maximum, number)
        && number > most
    {
        return Some(format!("it must be at most {most}"));
    }
    let listed = value
        .as_str()
        .is_none_or(|text| input.choices.is_empty() || input.choices.iter().any(|one| one == text));
    (!listed).then(|| format!("it must be one of {}", input.choices.join(", ")))
}

const fn noun(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Integer => "a whole number",
        InputKind::String => "text",
        InputKind::Boolean => "true or false",
    }
}
