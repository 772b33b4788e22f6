//! What a kind's effects mean: asked of effects such as it gives, so that it cannot be out of date.

use std::collections::{BTreeMap, BTreeSet};

use super::wrap;
use crate::effect::{Class, Confinement, Effect, Meaning, Permission, Sandbox};

/// Class, rights and confinement of each effect.
pub(super) fn effects(effects: &[Effect]) -> String {
    effects.iter().map(effect).collect::<Vec<_>>().join("\n")
}

fn effect(effect: &Effect) -> String {
    let meaning = effect.meaning();
    let line = meaning.line();
    let mut out = wrap(
        &format!("{} {}: {}", line.symbol.glyph(), line.verb, line.what),
        2,
    );
    out.push_str(&said("Class", class(meaning.class())));
    if meaning.destructive() {
        out.push_str(&said(
            "",
            "Destructive: lifeboat cannot give back what it takes away.",
        ));
    }
    out.push_str(&said("Rights", &rights(meaning)));
    out.push_str(&said("In a drill", &in_a_drill(effect)));
    out
}

fn said(what: &str, text: &str) -> String {
    let text = if what.is_empty() {
        text.to_owned()
    } else {
        format!("{what}: {text}")
    };
    format!("\n{}", wrap(&text, 4))
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::Read => "read; changes nothing, and is repeated as often as needed.",
        Class::Converge => "converge; may be repeated: the second time changes nothing.",
        Class::Guarded => "guarded; the target refuses a second time, and a lost reply is looked after.",
        Class::Once => "once; never repeated by itself, and after a lost reply a person decides.",
    }
}

/// Verbs by resource: `get, patch deployments.apps in shop`.
fn rights(meaning: &dyn Meaning) -> String {
    let mut verbs: BTreeMap<(String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    for Permission {
        group,
        resource,
        namespace,
        verb,
        ..
    } in meaning.permissions()
    {
        let what = match (group.as_str(), resource.as_str()) {
            ("*", "*") => "of every kind that is chosen".to_owned(),
            ("", resource) => resource.to_owned(),
            (group, resource) => format!("{resource}.{group}"),
        };
        verbs.entry((what, namespace)).or_default().insert(verb);
    }
    if verbs.is_empty() {
        return "none at a Kubernetes site.".to_owned();
    }
    let each = verbs.into_iter().map(|((what, namespace), verbs)| {
        let verbs: Vec<_> = verbs.into_iter().collect();
        let place = namespace.map_or_else(String::new, |namespace| format!(" in {namespace}"));
        format!("{} {what}{place}", verbs.join(", "))
    });
    format!("{}.", each.collect::<Vec<_>>().join("; "))
}

/// Drawn inside the walls of a sample drill.
fn in_a_drill(effect: &Effect) -> String {
    let sandbox = Sandbox {
        id: "4k2w".to_owned(),
        site: "west".to_owned(),
        namespaces: BTreeMap::from([("shop".to_owned(), "shop-drill-4k2w".to_owned())]),
    };
    match effect.clone().meaning_mut().confine(&sandbox) {
        Confinement::Untouched => "as it is.".to_owned(),
        Confinement::Confined(notes) => format!("{}.", notes.join("; ")),
        Confinement::Skipped(why) => format!("not done: {why}."),
        Confinement::Refused { why, .. } => format!("refused: {why}."),
    }
}
