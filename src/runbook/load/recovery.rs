//! A name for what the recovery depends on, so that a new telephone number voids no proof.

use std::fmt::Write as _;

use crate::text::{Node, NodeValue, sha256_hex};

/// Keys of `spec` without which a recovery would be another one. What is not among them is for people.
const KEYS: [&str; 4] = ["roles", "inputs", "people", "steps"];

/// One more, which only counts where it is: older runbooks have none, and their proofs stay good.
const SINCE: &str = "approvals";

/// A key of steps and inputs that only people read.
const WORDS: &str = "description";

/// How deep steps and inputs lie below `steps` and `inputs`.
const DEPTH: usize = 1;

/// Hex SHA-256. Comments, order of keys in the file's text and layout do not count; order of steps does.
pub(super) fn digest(spec: &Node) -> String {
    let mut text = String::new();
    for key in KEYS {
        text.push_str(key);
        if let Some(node) = spec.get(key) {
            write(node, 0, &mut text);
        }
    }
    if let Some(node) = spec.get(SINCE) {
        text.push_str(SINCE);
        write(node, 0, &mut text);
    }
    sha256_hex(text.as_bytes())
}

/// Every value with its kind and, where it has a length, with that: no two trees have the same text.
fn write(node: &Node, depth: usize, out: &mut String) {
    match &node.value {
        NodeValue::Null => out.push('n'),
        NodeValue::Bool(value) => out.push(if *value { 't' } else { 'f' }),
        NodeValue::Integer(value) => number('i', *value, out),
        NodeValue::Float(value) => number('d', value.to_bits(), out),
        NodeValue::String(text) => string(text, out),
        // Only planning makes these.
        NodeValue::Late(text) => string(&text.to_string(), out),
        NodeValue::Sequence(list) => {
            let _ = write!(out, "l{}:", list.len());
            for one in list {
                write(one, depth + 1, out);
            }
        }
        NodeValue::Mapping(entries) => {
            let mut sorted: Vec<_> = entries
                .iter()
                .filter(|(key, _)| depth != DEPTH || key.value != WORDS)
                .collect();
            sorted.sort_by(|one, other| one.0.value.cmp(&other.0.value));
            let _ = write!(out, "m{}:", sorted.len());
            for (key, value) in sorted {
                string(&key.value, out);
                write(value, depth + 1, out);
            }
        }
    }
}

fn number(kind: char, value: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "{kind}{value};");
}

fn string(text: &str, out: &mut String) {
    let _ = write!(out, "s{}:{text}", text.len());
}

#[cfg(test)]
mod tests {
    use crate::runbook::load::tests::{SHOP, load_text};

    /// The recovery digest of the shop with something else in its text.
    fn recovery_of(from: &str, to: &str) -> String {
        let text = SHOP.replace(from, to);
        assert!(from.is_empty() || text != SHOP, "{from}");
        let (loaded, _) = load_text(&text);
        loaded.runbook.unwrap().recovery
    }

    #[test]
    fn a_proof_is_voided_by_another_recovery_and_not_by_another_telephone_number() {
        let shop = recovery_of("", "");
        for (from, to) in [
            ("title: Online shop", "title: The shop  # a comment"),
            ("on-call@acme.example", "pager@acme.example"),
            ("description: The shop answers.", "description: It answers."),
            (
                "roles: {",
                "continuity: { contacts: { anna: { phone: '+49 30 5550 101' } } }\n  roles: {",
            ),
            ("{ site: standby, from: vault,", "{ from: vault, site: standby,"),
            (
                "  steps:\n",
                "  schedule: [{ mode: drill, cron: '0 2 * * *' }]\n  steps:\n",
            ),
        ] {
            assert_eq!(recovery_of(from, to), shop, "{from}");
        }
        for (from, to) in [
            ("replicas: 0 }", "replicas: 1 }"),
            ("needs: [stop-active]", "needs: [capture]"),
            ("standby: west", "standby: toy"),
            ("attempts: 5", "attempts: 4"),
            ("default: 3", "default: 4"),
            ("[anna, ben]", "[anna]"),
        ] {
            assert_ne!(recovery_of(from, to), shop, "{from}");
        }
    }
}
