//! Where journals of runs are kept besides this machine: which stores, and whether they can serve.

use super::{list, text};
use crate::runbook::{JournalPlaces, Release, Site, Sites, Store};
use crate::text::{Diagnostic, Diagnostics, Node, Span, codes, quote};

/// Reads the part of an inventory whose sites and stores are read.
pub(super) fn read(node: &Node, sites: &Sites, found: &mut Diagnostics) -> JournalPlaces {
    let mut mirrors: Vec<String> = Vec::new();
    for one in list(node, "mirrors") {
        let Some(name) = one.as_str() else { continue };
        if let Some(wrong) = wrong(name, one.span, &mirrors, sites) {
            found.push(wrong);
        }
        mirrors.push(name.to_owned());
    }
    let release = text(node, "release").and_then(|word| serde_json::from_value(word.into()).ok());
    let places = JournalPlaces {
        mirrors,
        release: release.unwrap_or_default(),
    };
    doubts(&places, node, sites, found);
    places
}

/// Why a store cannot be a mirror.
fn wrong(name: &str, span: Span, before: &[String], sites: &Sites) -> Option<Diagnostic> {
    let Some(store) = sites.stores.get(name) else {
        let message = format!(
            "the journal is to be mirrored in {}, which is no store",
            quote(name)
        );
        let known: Vec<&str> = sites.stores.keys().map(String::as_str).collect();
        let unknown = Diagnostic::error(codes::UNKNOWN_STORE, message, span, "no store has this name");
        return Some(unknown.meant(name, &known));
    };
    if before.iter().any(|other| other == name) {
        let message = format!("{} is named twice", quote(name));
        return Some(
            Diagnostic::error(codes::BAD_MIRROR, message, span, "a second time")
                .help("one store holds one copy, however often it is named"),
        );
    }
    let blind = store.seal.as_ref().is_some_and(|seal| seal.identities.is_none());
    blind.then(|| {
        let message = format!("this machine cannot read what it writes into {}", quote(name));
        Diagnostic::error(codes::BAD_MIRROR, message, span, "sealed, without identities")
            .help("after a lost reply a record is read back, and so it is when a run is adopted")
            .help("name a file of identities at the store: `seal: { identities: … }`")
    })
}

/// What a person should know of the choice.
fn doubts(places: &JournalPlaces, node: &Node, sites: &Sites, found: &mut Diagnostics) {
    let at = |key: &str| node.get(key).map_or(node.span, |value| value.span);
    if places.release == Release::Majority && places.mirrors.len() == 2 {
        let message = "the majority of two mirrors is both";
        found.push(
            Diagnostic::warning(
                codes::MAJORITY_OF_TWO,
                message,
                at("release"),
                "stops while one is away",
            )
            .help("add a third mirror, or let one of them do: `release: local+1`"),
        );
    }
    let stores: Vec<&Store> = places
        .mirrors
        .iter()
        .filter_map(|name| sites.stores.get(name))
        .collect();
    let lost = |site: &&Site| !stores.is_empty() && stores.iter().all(|store| falls_with(store, site));
    if let Some(site) = sites.sites.values().find(lost) {
        let message = format!(
            "the disaster that takes {} takes every mirror",
            quote(&site.name.value)
        );
        found.push(
            Diagnostic::warning(
                codes::MIRRORS_WITH_SITE,
                message,
                at("mirrors"),
                "all in one failure domain",
            )
            .help("add a mirror whose failureDomain is another one"),
        );
    }
}

/// Whether a store lies inside of what fails with a site.
fn falls_with(store: &Store, site: &Site) -> bool {
    !site.failure_domain.is_empty() && store.failure_domain.starts_with(&site.failure_domain)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, rendered};
    use crate::runbook::{JournalPlaces, Release};

    const HEAD: &str = "apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { kubernetes: { context: east }, failureDomain: [acme, east] }
    west: { kubernetes: { context: west }, failureDomain: [acme, west] }
  stores:
    vault: { s3: { bucket: acme-vault }, failureDomain: [acme, west, rack-1] }
    second: { s3: { bucket: acme-second }, failureDomain: [acme, south] }
    usb: { directory: ./usb }
    blind: { directory: ./blind, seal: { recipients: [age1a, age1b] } }
";

    fn places(journal: &str) -> Option<JournalPlaces> {
        let (loaded, sources) = load_text(&format!("{HEAD}  journal: {journal}\n"));
        let said = loaded.diagnostics.render(&sources, false);
        assert!(loaded.diagnostics.iter().next().is_none(), "{said}");
        loaded.sites.unwrap().journal
    }

    #[test]
    fn one_mirror_has_to_hold_a_record_where_nothing_else_is_said() {
        let read = places("{ mirrors: [vault, second] }").unwrap();
        assert_eq!(read.mirrors, ["vault", "second"]);
        assert_eq!(read.release, Release::LocalAndOne);
        let read = places("{ mirrors: [vault, second, usb], release: majority }").unwrap();
        assert_eq!(read.release, Release::Majority);
        assert_eq!(
            places("{ mirrors: [usb], release: local }").unwrap().release,
            Release::Local
        );
    }

    #[test]
    fn what_cannot_serve_is_said_where_it_stands() {
        let text = format!("{HEAD}  journal: {{ mirrors: [vualt, second, second, blind], release: both }}\n");
        insta::assert_snapshot!(rendered(&text), @r"
        error[L028]: the journal is to be mirrored in `vualt`, which is no store
          --> shop/runbook.yaml:13:24
           |
        13 |   journal: { mirrors: [vualt, second, second, blind], release: both }
           |                        ^^^^^ no store has this name
           |
           = help: did you mean `vault`?

        error[L037]: `second` is named twice
          --> shop/runbook.yaml:13:39
           |
        13 |   journal: { mirrors: [vualt, second, second, blind], release: both }
           |                                       ^^^^^^ a second time
           |
           = help: one store holds one copy, however often it is named

        error[L037]: this machine cannot read what it writes into `blind`
          --> shop/runbook.yaml:13:47
           |
        13 |   journal: { mirrors: [vualt, second, second, blind], release: both }
           |                                               ^^^^^ sealed, without identities
           |
           = help: after a lost reply a record is read back, and so it is when a run is adopted
           = help: name a file of identities at the store: `seal: { identities: … }`

        error[L013]: `both` is not one of local, local+1, majority
          --> shop/runbook.yaml:13:64
           |
        13 |   journal: { mirrors: [vualt, second, second, blind], release: both }
           |                                                                ^^^^ not one of them

        4 errors in 1 file.
        ");
    }

    #[test]
    fn what_a_disaster_takes_at_once_is_said() {
        let text = format!("{HEAD}  journal: {{ mirrors: [vault] }}\n");
        insta::assert_snapshot!(rendered(&text), @r"
        warning[L108]: the disaster that takes `west` takes every mirror
          --> shop/runbook.yaml:13:23
           |
        13 |   journal: { mirrors: [vault] }
           |                       ^^^^^^^ all in one failure domain
           |
           = help: add a mirror whose failureDomain is another one

        1 warning in 1 file.
        ");
        let text = format!("{HEAD}  journal: {{ mirrors: [vault, usb], release: majority }}\n");
        insta::assert_snapshot!(rendered(&text), @r"
        warning[L107]: the majority of two mirrors is both
          --> shop/runbook.yaml:13:46
           |
        13 |   journal: { mirrors: [vault, usb], release: majority }
           |                                              ^^^^^^^^ stops while one is away
           |
           = help: add a third mirror, or let one of them do: `release: local+1`

        1 warning in 1 file.
        ");
        let text = format!("{HEAD}  journal: {{ mirrors: [] }}\n");
        insta::assert_snapshot!(rendered(&text), @r"
        error[L014]: at least 1 entry has to be here
          --> shop/runbook.yaml:13:23
           |
        13 |   journal: { mirrors: [] }
           |                       ^^ too short

        1 error in 1 file.
        ");
    }
}
