//! From steps as they were written to step kinds with typed parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{InStep, Names};
use super::{Kind, Ready, lint};
use crate::runbook::{Runbook, Sites, Step};
use crate::text::{
    Conform, Diagnostic, Diagnostics, Millis, Node, NodeValue, bind as bind_text, codes, quote,
};

/// The steps of a runbook, read with some roles and inputs.
#[derive(Default)]
pub struct Bound {
    roles: BTreeMap<String, String>,
    inputs: BTreeMap<String, Value>,
    /// One entry per step of the runbook, in order; a step that could not be read has none.
    pub steps: Vec<Option<Box<dyn Ready>>>,
}

impl Bound {
    /// Whether reading the same documents with these would give the same steps again.
    pub fn is_with(&self, roles: &BTreeMap<String, String>, inputs: &BTreeMap<String, Value>) -> bool {
        self.roles == *roles && self.inputs == *inputs
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} steps bound", self.steps.len())
    }
}

/// Reads every step's parameters: puts in what is known when planning, checks them against the kind's
/// schema, and the names in them against the runbook and the inventory.
///
/// `roles` are today's or swapped ones, `inputs` are the values of all inputs, or [`Runbook::sample_inputs`].
/// The diagnostics include the doubts of `lint`; those of several calls can be added up and settled.
pub fn bind(
    runbook: &Runbook,
    sites: &Sites,
    roles: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Value>,
    kinds: &[Kind],
) -> (Bound, Diagnostics) {
    let names = Names::new(runbook, sites, roles, inputs, kinds);
    let schemas = schemas(kinds);
    let mut found = Diagnostics::default();
    let steps = runbook.steps.iter();
    let steps = steps.map(|step| read(&names, step, &schemas, &mut found));
    let bound = Bound {
        steps: steps.collect(),
        roles: roles.clone(),
        inputs: inputs.clone(),
    };
    lint::check(&names, &mut found);
    found.settle();
    (bound, found)
}

/// What is wrong with the steps when the same roles have other sites. Once all steps were bound with some
/// roles, only those can be wrong with others that use a site's name or value as text: whether there is a
/// role was looked at then.
pub(super) fn bind_other_sites(
    runbook: &Runbook,
    sites: &Sites,
    roles: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Value>,
    kinds: &[Kind],
) -> Diagnostics {
    let names = Names::new(runbook, sites, roles, inputs, kinds);
    let schemas = schemas(kinds);
    let mut found = Diagnostics::default();
    for step in runbook.steps.iter().filter(|step| uses_a_site(&step.params)) {
        read(&names, step, &schemas, &mut found);
    }
    found
}

/// Whether a text in it changes with the sites of roles.
fn uses_a_site(node: &Node) -> bool {
    match &node.value {
        NodeValue::String(text) => text.contains("${roles.") || text.contains("${sites."),
        NodeValue::Sequence(list) => list.iter().any(uses_a_site),
        NodeValue::Mapping(entries) => entries.iter().any(|(_, node)| uses_a_site(node)),
        _ => false,
    }
}

/// Schemas by kind: making one costs more than checking a step against it.
fn schemas(kinds: &[Kind]) -> BTreeMap<&'static str, Value> {
    let schemas = kinds.iter().map(|kind| (kind.name, kind.schema().to_value()));
    schemas.collect()
}

fn read(
    names: &Names<'_>,
    step: &Step,
    schemas: &BTreeMap<&str, Value>,
    found: &mut Diagnostics,
) -> Option<Box<dyn Ready>> {
    if found.is_full() {
        return None;
    }
    let kind = names.kinds.get(step.kind.value.as_str())?;
    let schema = schemas.get(kind.name)?;
    let within = InStep { names, step };
    let mut mistakes = Diagnostics::default();
    let mut params = bind_text(&step.params, &within, &mut mistakes);
    Conform::new(schema, &within).check(&mut params, step.kind.span, &mut mistakes);
    let refused = mistakes.has_errors();
    found.extend(mistakes);
    if refused {
        return None;
    }
    let ready = kind
        .read(&params)
        .map_err(|diagnostic| found.push(diagnostic))
        .ok()?;
    let needs_ms = ready.needs_ms();
    if needs_ms >= step.policy.timeout_ms {
        found.push(too_short(step, needs_ms));
        return None;
    }
    Some(ready)
}

fn too_short(step: &Step, needs_ms: u64) -> Diagnostic {
    let message = format!(
        "step {} needs more than {}, and has {}",
        quote(&step.name.value),
        Millis(needs_ms),
        Millis(step.policy.timeout_ms)
    );
    let diagnostic = Diagnostic::error(codes::REFUSED_VALUE, message, step.name.span, "this step");
    diagnostic.help(format!(
        "write a `timeout` at it that leaves room, such as `timeout: {}`",
        Millis(needs_ms.saturating_mul(2))
    ))
}

#[cfg(test)]
mod tests;
