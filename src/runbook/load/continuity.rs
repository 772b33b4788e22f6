//! What people have to know, as the runbook says it.

use std::collections::BTreeMap;

use super::service::NOTHING;
use super::{list, millis, spanned, text, words};
use crate::runbook::{Activation, Approval, Contact, Continuity, Escalation};
use crate::text::{Diagnostic, Diagnostics, Node, NodeValue, Period, Spanned, codes, quote};

/// Role of a person → names.
type People = BTreeMap<String, Vec<String>>;

/// Reads what has been held against the schema, and looks whether everybody who is named can be reached.
pub(super) fn read(spec: &Node, people: &People, found: &mut Diagnostics) -> Continuity {
    let node = spec.get("continuity").unwrap_or(&NOTHING);
    let contacts: BTreeMap<String, Contact> = node
        .get("contacts")
        .map_or(&[] as &[_], Node::entries)
        .iter()
        .map(|(key, node)| (key.value.clone(), contact(node)))
        .collect();
    let activation = node.get("activation").unwrap_or(&NOTHING);
    check_roles(activation, people, found);
    let escalation = list(node, "escalation").iter();
    let escalation = escalation
        .filter_map(|one| escalation_of(one, people, &contacts, found))
        .collect();
    Continuity {
        approved: node.get("approved").and_then(approval),
        proof_ms: node.get("proof").and_then(|node| period(node, found)),
        activation: Activation {
            criteria: words(activation, "criteria"),
            by: words(activation, "by"),
            decide_within_ms: millis(activation, "decide_within"),
        },
        deactivation: words(node, "deactivation"),
        escalation,
        copies: words(node, "copies"),
        contacts,
    }
}

fn approval(node: &Node) -> Option<Approval> {
    Some(Approval {
        by: text(node, "by")?,
        on: text(node, "on")?,
    })
}

fn contact(node: &Node) -> Contact {
    Contact {
        name: text(node, "name"),
        phone: text(node, "phone"),
        mail: text(node, "mail"),
        note: text(node, "note"),
        vendor: matches!(
            node.get("vendor").map(|node| &node.value),
            Some(NodeValue::Bool(true))
        ),
    }
}

fn period(node: &Node, found: &mut Diagnostics) -> Option<u64> {
    match node.as_str()?.parse::<Period>() {
        Ok(period) => Some(period.0),
        Err(why) => {
            found.push(Diagnostic::error(
                codes::BAD_DURATION,
                why,
                node.span,
                "not a time",
            ));
            None
        }
    }
}

fn check_roles(activation: &Node, people: &People, found: &mut Diagnostics) {
    for role in list(activation, "by") {
        let Some(name) = role.as_str() else { continue };
        if !people.contains_key(name) {
            let message = format!(
                "{} may declare a failover, and no person has this role",
                quote(name)
            );
            let known: Vec<&str> = people.keys().map(String::as_str).collect();
            let unknown = Diagnostic::warning(codes::UNKNOWN_PERSON, message, role.span, "not in `people`");
            found.push(unknown.meant(name, &known));
        }
    }
}

fn escalation_of(
    node: &Node,
    people: &People,
    contacts: &BTreeMap<String, Contact>,
    found: &mut Diagnostics,
) -> Option<Escalation> {
    let Spanned { value: tell, span } = spanned(node, "tell")?;
    if !people.contains_key(&tell) && !contacts.contains_key(&tell) {
        let message = format!("{} is to be told, and nobody knows who that is", quote(&tell));
        let known: Vec<&str> = people.keys().chain(contacts.keys()).map(String::as_str).collect();
        let unknown = Diagnostic::warning(
            codes::UNKNOWN_PERSON,
            message,
            span,
            "neither a role nor a contact",
        );
        found.push(unknown.meant(&tell, &known));
    }
    Some(Escalation {
        after_ms: millis(node, "after")?,
        tell,
        why: text(node, "why"),
    })
}

#[cfg(test)]
mod tests {
    use crate::runbook::load::tests::{SHOP, load_text};

    #[test]
    fn what_people_have_to_know_is_read_and_who_cannot_be_reached_is_said() {
        let text = SHOP.replace(
            "  inputs:",
            "  continuity:
    approved: { by: 'Carla Diaz, VP of IT', on: '2026-11-02' }
    proof: 30d
    contacts: { anna: { phone: '+49 30 5550 101' }, provider-a: { name: Provider A, vendor: true } }
    activation: { criteria: [The shop is down.], by: [incident-comander], decide_within: 10m }
    deactivation: [Customers order at east again.]
    escalation: [{ after: 15m, tell: provider-a }, { after: 20m, tell: bem }]
    copies: [Printed, in the safe.]
  inputs:",
        );
        let (loaded, sources) = load_text(&text);
        let said = loaded.diagnostics.render(&sources, false);
        let continuity = loaded.runbook.unwrap().continuity;
        assert_eq!(continuity.proof_ms(), 30 * 24 * 60 * 60 * 1000);
        assert_eq!(continuity.activation.decide_within_ms, Some(600_000));
        assert!(continuity.contacts["provider-a"].vendor && !continuity.contacts["anna"].vendor);
        assert_eq!(continuity.escalation.len(), 2);
        insta::assert_snapshot!(said, @"
        warning[L105]: `incident-comander` may declare a failover, and no person has this role
          --> shop/runbook.yaml:31:55
           |
        31 |     activation: { criteria: [The shop is down.], by: [incident-comander], decide_within: 10m }
           |                                                       ^^^^^^^^^^^^^^^^^ not in `people`
           |
           = help: did you mean `incident-commander`?

        warning[L105]: `bem` is to be told, and nobody knows who that is
          --> shop/runbook.yaml:33:72
           |
        33 |     escalation: [{ after: 15m, tell: provider-a }, { after: 20m, tell: bem }]
           |                                                                        ^^^ neither a role nor a contact
           |
           = help: known here: incident-commander, anna, provider-a

        2 warnings in 1 file.
        ");
    }
}
