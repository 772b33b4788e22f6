//! A runbook's steps, each as far as it could be read.

use super::{list, millis, spanned, take, text, words};
use crate::runbook::{Mode, OnFailure, Policy, Runbook, Step};
use crate::text::{Diagnostic, Diagnostics, Key, Node, NodeValue, Spanned, closest, codes, from_node, quote};

/// Keys of a step that do not say what it does.
const COMMON: [&str; 10] = [
    "name",
    "description",
    "needs",
    "finally",
    "modes",
    "timeout",
    "retry",
    "on_failure",
    "drill",
    "ungraceful",
];

/// Reads the steps, which have been held against the schema.
pub(super) fn read(nodes: Vec<Node>, kinds: &[&str], found: &mut Diagnostics) -> Vec<Step> {
    if let Some(first_too_many) = nodes.get(Runbook::STEPS_MAX) {
        let message = format!("{} steps are more than {}", nodes.len(), Runbook::STEPS_MAX);
        let span = first_too_many.span;
        found.push(Diagnostic::error(
            codes::TOO_MANY_STEPS,
            message,
            span,
            "not read from here on",
        ));
    }
    let maps = nodes
        .into_iter()
        .filter(|node| matches!(node.value, NodeValue::Mapping(_)));
    maps.take(Runbook::STEPS_MAX)
        .map(|node| step(node, kinds, found))
        .collect()
}

fn step(mut node: Node, kinds: &[&str], found: &mut Diagnostics) -> Step {
    // A step without a name was reported; nothing can refer to the empty one.
    let name = spanned(&node, "name").unwrap_or_else(|| Spanned::new(String::new(), node.span));
    let kind = kind(&node, &name, kinds, found);
    let params = take(&mut node, &kind.value).unwrap_or(Node {
        value: NodeValue::Null,
        span: name.span,
    });
    let node = &node;
    let need = |one: &Node| Some(Spanned::new(one.as_str()?.to_owned(), one.span));
    Step {
        description: text(node, "description"),
        needs: list(node, "needs").iter().filter_map(need).collect(),
        finally: matches!(
            node.get("finally").map(|one| &one.value),
            Some(NodeValue::Bool(true))
        ),
        modes: modes(node),
        kind,
        params,
        policy: policy(node),
        drill: word(node, "drill").unwrap_or_default(),
        ungraceful: word(node, "ungraceful").unwrap_or_default(),
        name,
    }
}

fn modes(node: &Node) -> Vec<Mode> {
    if node.get("modes").is_none() {
        return Mode::DEFAULT.to_vec();
    }
    let mut modes: Vec<Mode> = words(node, "modes")
        .iter()
        .filter_map(|word| Mode::of_word(word))
        .collect();
    modes.sort_unstable();
    modes.dedup();
    modes
}

fn policy(node: &Node) -> Policy {
    let retry = node.get("retry");
    let attempts = retry.and_then(|retry| super::integer(retry, "attempts"));
    Policy {
        timeout_ms: millis(node, "timeout").unwrap_or(Policy::TIMEOUT_MS),
        attempts: attempts
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(Policy::ATTEMPTS),
        backoff_ms: retry
            .and_then(|retry| millis(retry, "backoff"))
            .unwrap_or(Policy::BACKOFF_MS),
        on_failure: word::<OnFailure>(node, "on_failure").unwrap_or_default(),
    }
}

/// A word of an enum; one that is none of its words was reported.
fn word<T: serde::de::DeserializeOwned>(node: &Node, key: &str) -> Option<T> {
    from_node(node.get(key)?).ok()
}

/// The key that says what a step does; an empty one where none does.
fn kind(node: &Node, name: &Spanned<String>, kinds: &[&str], found: &mut Diagnostics) -> Spanned<String> {
    let keys = node.entries().iter().map(|(key, _)| key);
    let others = keys.filter(|key| !COMMON.contains(&key.value.as_str()));
    let (known, mut unknown): (Vec<&Key>, Vec<&Key>) =
        others.partition(|key| kinds.contains(&key.value.as_str()));
    if let [first, second, ..] = known.as_slice() {
        found.push(several_kinds(name, first, second));
    }
    // One key that means nothing is a kind that does not exist, unless it looks like a common key.
    let all = || COMMON.iter().chain(kinds).copied();
    let mistyped = |key: &Key| closest(&key.value, all()).is_some_and(|meant| COMMON.contains(&meant));
    let guess = unknown.iter().position(|key| known.is_empty() && !mistyped(key));
    let guess = guess.map(|at| unknown.remove(at));
    for key in &unknown {
        found.push(unknown_key(key, kinds));
    }
    match (known.first(), guess) {
        (Some(key), _) => (*key).clone(),
        (None, Some(key)) => {
            found.push(unknown_kind(key, kinds));
            key.clone()
        }
        (None, None) => {
            found.push(missing_kind(name, kinds));
            Spanned::new(String::new(), name.span)
        }
    }
}

fn several_kinds(name: &Spanned<String>, first: &Key, second: &Key) -> Diagnostic {
    let message = format!("the step {} does two things", quote(&name.value));
    let diagnostic = Diagnostic::error(codes::NO_KIND, message, second.span, "the second");
    diagnostic.and(first.span, "the first").help("make it two steps")
}

fn missing_kind(name: &Spanned<String>, kinds: &[&str]) -> Diagnostic {
    let message = format!("the step {} does nothing", quote(&name.value));
    let diagnostic = Diagnostic::error(codes::NO_KIND, message, name.span, "no key says what it does");
    diagnostic.help(format!("one of these keys has to be there: {}", kinds.join(", ")))
}

fn unknown_kind(key: &Key, kinds: &[&str]) -> Diagnostic {
    let message = format!("no kind of step is called {}", quote(&key.value));
    let diagnostic = Diagnostic::error(codes::UNKNOWN_KIND, message, key.span, "unknown kind of step");
    diagnostic.meant(&key.value, kinds)
}

fn unknown_key(key: &Key, kinds: &[&str]) -> Diagnostic {
    let message = format!("the key {} means nothing here", quote(&key.value));
    let known: Vec<&str> = COMMON.iter().chain(kinds).copied().collect();
    let diagnostic = Diagnostic::error(codes::UNKNOWN_KEY, message, key.span, "unknown key");
    diagnostic.meant(&key.value, &known)
}

#[cfg(test)]
mod tests {
    use super::COMMON;
    use crate::runbook::form::StepForm;

    #[test]
    fn the_common_keys_are_those_of_the_schema() {
        let schema = schemars::schema_for!(StepForm).to_value();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, COMMON);
    }
}
