//! What a runbook says apart from its steps.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{
    continuity, graph, integer, millis, named, recovery, schedule, spanned, steps, take, text, words,
};
use crate::runbook::{Approvals, Input, InputKind, Objectives, Owner, Runbook};
use crate::text::{Diagnostic, Diagnostics, Key, Node, NodeValue, Spanned, codes, quote};

/// A node that says nothing: what stands for a part that is missing.
pub(super) const NOTHING: Node = Node {
    value: NodeValue::Null,
    span: crate::text::Span::NOWHERE,
};

/// Reads a document that has been held against the schema. The digest is left empty.
pub(super) fn read(mut node: Node, folder: &Path, kinds: &[&str], found: &mut Diagnostics) -> Runbook {
    let mut spec = take(&mut node, "spec").unwrap_or(NOTHING);
    let recovery = recovery::digest(&spec);
    let steps = match take(&mut spec, "steps").map(|steps| steps.value) {
        Some(NodeValue::Sequence(steps)) => steps,
        _ => Vec::new(),
    };
    let (node, spec) = (&node, &spec);
    let name = node
        .get("metadata")
        .and_then(|metadata| spanned(metadata, "name"));
    let name = name.unwrap_or_else(|| Spanned::new(String::new(), node.span));
    let steps = steps::read(steps, kinds, found);
    graph::check(&steps, found);
    let people = people(spec, found);
    let inputs = inputs(spec, found);
    let schedule = schedule::read(spec, folder, (&steps, &inputs), found);
    let continuity = continuity::read(spec, &people, found);
    schedule::doubt(spec, &schedule, continuity.proof_ms(), found);
    Runbook {
        title: text(spec, "title").unwrap_or_else(|| name.value.clone()),
        name,
        summary: text(spec, "summary"),
        tier: integer(spec, "tier").and_then(|tier| u8::try_from(tier).ok()),
        owner: spec.get("owner").and_then(owner),
        objectives: objectives(spec.get("objectives").unwrap_or(&NOTHING)),
        roles: roles(spec, found),
        inputs,
        approvals: Approvals {
            not_initiator: spec
                .get("approvals")
                .and_then(|node| node.get("not_initiator"))
                .is_some_and(|node| matches!(node.value, NodeValue::Bool(true))),
        },
        continuity,
        people,
        schedule,
        steps,
        recovery,
        digest: String::new(),
        folder: folder.to_owned(),
    }
}

fn owner(node: &Node) -> Option<Owner> {
    Some(Owner {
        team: text(node, "team")?,
        contact: text(node, "contact"),
    })
}

fn objectives(node: &Node) -> Objectives {
    Objectives {
        rto_ms: millis(node, "rto"),
        rpo_ms: millis(node, "rpo"),
    }
}

fn roles(spec: &Node, found: &mut Diagnostics) -> BTreeMap<String, Spanned<String>> {
    let role = |(key, node): (&Key, &Node)| {
        let site = Spanned::new(node.as_str()?.to_owned(), node.span);
        Some((key.value.clone(), site))
    };
    named(spec, "roles", found).into_iter().filter_map(role).collect()
}

fn people(spec: &Node, found: &mut Diagnostics) -> BTreeMap<String, Vec<String>> {
    let people = spec.get("people").unwrap_or(&NOTHING);
    let role = |(key, _): (&Key, &Node)| (key.value.clone(), words(people, &key.value));
    named(spec, "people", found).into_iter().map(role).collect()
}

fn inputs(spec: &Node, found: &mut Diagnostics) -> BTreeMap<String, Input> {
    let mut inputs = BTreeMap::new();
    for (key, node) in named(spec, "inputs", found) {
        let Some(input) = input(key, node) else { continue };
        check_fallbacks(key, &input, node, found);
        inputs.insert(key.value.clone(), input);
    }
    inputs
}

fn input(key: &Key, node: &Node) -> Option<Input> {
    Some(Input {
        kind: InputKind::of_word(node.get("type")?.as_str()?)?,
        default: node.get("default").and_then(scalar),
        unattended: node.get("unattended").and_then(scalar),
        minimum: integer(node, "minimum"),
        maximum: integer(node, "maximum"),
        choices: words(node, "choices"),
        description: text(node, "description"),
        span: key.span,
    })
}

fn scalar(node: &Node) -> Option<Value> {
    match &node.value {
        NodeValue::Bool(value) => Some((*value).into()),
        NodeValue::Integer(value) => Some((*value).into()),
        NodeValue::String(value) => Some(value.as_str().into()),
        _ => None,
    }
}

fn check_fallbacks(key: &Key, input: &Input, node: &Node, found: &mut Diagnostics) {
    let fallbacks = [
        ("default", "default", &input.default),
        ("unattended", "unattended value", &input.unattended),
    ];
    for (name, noun, value) in fallbacks {
        let Some((value, place)) = value.as_ref().zip(node.get(name)) else {
            continue;
        };
        if let Err(why) = input.admits(value) {
            let message = format!("the {noun} of the input {} {why}", quote(&key.value));
            found.push(Diagnostic::error(codes::BAD_INPUT, message, place.span, why));
        }
    }
}
