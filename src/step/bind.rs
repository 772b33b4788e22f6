//! From steps as they were written to step kinds with typed parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{InStep, Names};
use super::{Kind, Ready, lint};
use crate::runbook::{Runbook, Sites, Step};
use crate::text::{Conform, Diagnostics, bind as bind_text};

/// Reads every step's parameters: puts in what is known when planning, checks them against the kind's
/// schema, and the names in them against the runbook and the inventory.
///
/// `roles` are today's or swapped ones, `inputs` are the values of all inputs, or [`Runbook::sample_inputs`]. The result has one
/// entry per step, in order; a step that could not be read has none. The diagnostics include the doubts
/// of `lint`; those of several calls can be added up and settled.
pub fn bind(
    runbook: &Runbook,
    sites: &Sites,
    roles: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Value>,
    kinds: &[Kind],
) -> (Vec<Option<Box<dyn Ready>>>, Diagnostics) {
    let names = Names::new(runbook, sites, roles, inputs, kinds);
    // Making a schema costs more than checking a step against it.
    let schemas: BTreeMap<&str, Value> = kinds
        .iter()
        .map(|kind| (kind.name, kind.schema().to_value()))
        .collect();
    let mut found = Diagnostics::default();
    let bound = runbook.steps.iter().map(|step| {
        let kind = names.kinds.get(step.kind.value.as_str())?;
        read(&names, step, kind, schemas.get(kind.name)?, &mut found)
    });
    let bound = bound.collect();
    lint::check(&names, &mut found);
    found.settle();
    (bound, found)
}

fn read(
    names: &Names<'_>,
    step: &Step,
    kind: &Kind,
    schema: &Value,
    found: &mut Diagnostics,
) -> Option<Box<dyn Ready>> {
    let within = InStep { names, step };
    let mut mistakes = Diagnostics::default();
    let mut params = bind_text(&step.params, &within, &mut mistakes);
    Conform::new(schema, &within).check(&mut params, step.kind.span, &mut mistakes);
    let refused = mistakes.has_errors();
    found.extend(mistakes);
    if refused {
        return None;
    }
    kind.read(&params)
        .map_err(|diagnostic| found.push(diagnostic))
        .ok()
}

#[cfg(test)]
mod tests;
