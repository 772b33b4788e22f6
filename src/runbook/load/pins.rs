//! Pins: who the sites and stores of an inventory are.

use super::{named, text, words};
use crate::runbook::{Pins, Said, SitePin, Sites, StorePin};
use crate::text::{Diagnostic, Diagnostics, Node, Span, codes, quote};

/// Reads a document that has been held against the schema.
pub(super) fn read(node: &Node, found: &mut Diagnostics) -> Pins {
    let mut pins = Pins::default();
    let Some(spec) = node.get("spec") else {
        return pins;
    };
    for (key, node) in named(spec, "sites", found) {
        let pin = text(node, "uid").map(|uid| SitePin {
            uid,
            authorities: words(node, "authorities"),
            said: said(node),
        });
        pins.sites.extend(pin.map(|pin| (key.value.clone(), pin)));
    }
    for (key, node) in named(spec, "stores", found) {
        let pin = text(node, "id").map(|id| StorePin { id, said: said(node) });
        pins.stores.extend(pin.map(|pin| (key.value.clone(), pin)));
    }
    pins
}

fn said(node: &Node) -> Said {
    Said {
        by: text(node, "by").unwrap_or_default(),
        at: text(node, "at").unwrap_or_default(),
        reason: text(node, "reason"),
    }
}

/// A pin of something that the inventory does not have protects nothing, and its owner thinks that it does.
pub(super) fn check(node: &Node, pins: &Pins, sites: &Sites, found: &mut Diagnostics) {
    let mut missing = |kind: &str, name: &str, known: Vec<&str>| {
        let span = place(node, kind, name);
        let message = format!(
            "{} is pinned and is not among the {kind} of the inventory",
            quote(name)
        );
        let unknown = Diagnostic::error(codes::IDLE_PIN, message, span, "pins nothing");
        found.push(unknown.meant(name, &known));
    };
    let known = || sites.sites.keys().map(String::as_str).collect();
    let idle = pins.sites.keys().filter(|name| !sites.sites.contains_key(*name));
    idle.for_each(|name| missing("sites", name, known()));
    let known = || sites.stores.keys().map(String::as_str).collect();
    let idle = pins
        .stores
        .keys()
        .filter(|name| !sites.stores.contains_key(*name));
    idle.for_each(|name| missing("stores", name, known()));
}

fn place(node: &Node, kind: &str, name: &str) -> Span {
    let entries = node.get("spec").and_then(|spec| spec.get(kind));
    let key = entries.and_then(|entries| entries.entry(name));
    key.map_or(node.span, |(key, _)| key.span)
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use crate::runbook::{Loaded, Pins, Said, SitePin, StorePin};
    use crate::text::Sources;

    const SITES: &str = "apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { kubernetes: { context: east } }
  stores:
    vault: { directory: vault }
";

    fn pins() -> Pins {
        let said = |reason: Option<&str>| Said {
            by: "anna@desk".into(),
            at: "2026-11-26T11:00:00Z".into(),
            reason: reason.map(str::to_owned),
        };
        Pins {
            sites: [(
                "east".to_owned(),
                SitePin {
                    uid: "5a3c".into(),
                    authorities: vec!["sha256:00ff".into()],
                    said: said(None),
                },
            )]
            .into(),
            stores: [(
                "vault".to_owned(),
                StorePin {
                    id: "2k4w".into(),
                    said: said(Some("made anew: \"the disk\" died")),
                },
            )]
            .into(),
        }
    }

    fn loaded(pins: &str) -> (Loaded, String) {
        let mut sources = Sources::default();
        let ids = [
            sources.add("sites.yaml".to_owned(), SITES.to_owned()),
            sources.add("sites.pins.yaml".to_owned(), pins.to_owned()),
        ];
        let loaded = load(&sources, &ids, &[]);
        let said = loaded.diagnostics.render(&sources, false);
        (loaded, said)
    }

    #[test]
    fn what_is_written_is_read_again_and_a_person_can_read_it_too() {
        let text = pins().to_yaml("acme", "sites.yaml");
        insta::assert_snapshot!(text, @r#"
        # Who the sites and stores of sites.yaml are. Written by `lifeboat sites pin`; look it through and
        # commit it beside the inventory. What is somebody else is refused before anything is sent to it.
        apiVersion: lifeboat.dev/v1alpha1
        kind: Pins
        metadata: { name: "acme" }
        spec:
          sites:
            "east":
              uid: "5a3c"
              authorities: ["sha256:00ff"]
              by: "anna@desk"
              at: "2026-11-26T11:00:00Z"
          stores:
            "vault":
              id: "2k4w"
              by: "anna@desk"
              at: "2026-11-26T11:00:00Z"
              reason: "made anew: \"the disk\" died"
        "#);
        let (loaded, said) = loaded(&text);
        assert_eq!(loaded.sites.unwrap().pins, pins(), "{said}");
    }

    #[test]
    fn a_pin_that_pins_nothing_is_an_error_with_the_name_that_was_meant() {
        let text = pins()
            .to_yaml("acme", "sites.yaml")
            .replace("\"east\"", "\"eats\"");
        let (_, said) = loaded(&text);
        assert!(said.contains("error[L039]"), "{said}");
        assert!(said.contains("did you mean `east`?"), "{said}");
    }

    #[test]
    fn a_pin_without_an_authority_is_refused() {
        let text = pins()
            .to_yaml("acme", "sites.yaml")
            .replace("[\"sha256:00ff\"]", "[]");
        let (_, said) = loaded(&text);
        assert!(said.contains("authorities"), "{said}");
    }
}
