//! The order that people declared for one restore: from the step and from annotations of its objects.

use std::collections::BTreeSet;

use serde_json::Value;

use super::index::Index;
use crate::effect::RestoreObjects;
use crate::objects::{AFTER, Named, Order, Places, Then, Wish};
use crate::world::actor::pods::named;

/// What the step declares, with namespaces as at the target.
pub(super) fn of_effect(effect: &RestoreObjects) -> Vec<Wish> {
    let rules = effect.order.iter();
    rules
        .map(|rule| Wish {
            first: at_target(rule.first.clone(), effect),
            then: Then::Named(at_target(rule.then.clone(), effect)),
        })
        .collect()
}

/// What an object declares by its annotation, and what of that cannot be understood.
pub(super) fn of_object(object: &Value, at: usize, effect: &RestoreObjects) -> (Vec<Wish>, Vec<String>) {
    let (mut wishes, mut nonsense) = (Vec::new(), Vec::new());
    for one in Named::after(object) {
        match one {
            Ok(first) => wishes.push(Wish {
                first: at_target(first, effect),
                then: Then::At(at),
            }),
            Err(why) => nonsense.push(format!("{AFTER}: {why}")),
        }
    }
    (wishes, nonsense)
}

fn at_target(mut named: Named, effect: &RestoreObjects) -> Named {
    if let Some(namespace) = &mut named.namespace {
        *namespace = effect.target_namespace(namespace).to_owned();
    }
    named
}

/// Pairs of positions; what is not there is said.
pub(super) fn pairs(wishes: &[Wish], index: &mut Index) -> Vec<(usize, usize)> {
    let text = |number| index.names.text(number);
    let all = index.entries.iter().enumerate().map(|(at, entry)| {
        let handle = entry.handle;
        (at, text(handle.kind), text(handle.namespace), text(handle.name))
    });
    let places = Places::of(wishes, all);
    let home = |at: usize| index.id(at).namespace.unwrap_or_default();
    let (mut pairs, mut said, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for wish in wishes {
        match (places.pairs(wish, home), &wish.then) {
            (Ok(found), _) => pairs.extend(found),
            (Err(why), Then::Named(then)) => {
                said.push(format!("order: {} before {then}: {why}", wish.first));
            }
            (Err(why), Then::At(at)) => notes.push((*at, format!("{AFTER}: {why}"))),
        }
    }
    index.said.extend(said);
    for (at, note) in notes {
        index.notes.entry(at).or_default().push(note);
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Circles that a declared order is a part of.
pub(super) fn say_circles(pairs: &[(usize, usize)], order: &Order, index: &mut Index) {
    if pairs.is_empty() {
        return;
    }
    for tangle in &order.tangles {
        let members: BTreeSet<usize> = tangle.iter().copied().collect();
        let within = |(first, then): &&(usize, usize)| members.contains(first) && members.contains(then);
        if pairs.iter().any(|pair| within(&pair)) {
            let names: Vec<String> = tangle.iter().map(|at| index.id(*at).to_string()).collect();
            let said = "the declared order makes a circle, and is kept only in part among";
            index.said.push(format!("{said}: {}", named(&names)));
        }
    }
}
