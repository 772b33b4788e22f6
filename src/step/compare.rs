//! `compare`: what differs between a backup and another one, or what a site has now.
//!
//! ## Why
//!
//! - Whoever chooses a point in time wants to see what became different since, before he relies on it. So the
//!   comparison is a step, and its counts can stand in the question that follows it.
//! - It fails only where the runbook says what may differ. What is suspicious, lifeboat does not know.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{Role, StoreName};
use super::select::{AllowedName, NamespacePattern, sorted};
use super::which::Which;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{CompareObjects, Effect, OtherSide, Query};
use crate::text::{Text, shell_word};

/// The kind.
#[derive(Debug)]
pub(super) struct Compare;

/// Which backup, and with what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The store of the backup.
    from: StoreName,
    /// `latest-verified`, `latest`, or the name of one backup.
    backup: Text,
    /// What it is compared with.
    with: With,
    /// Only what is in these namespaces, names or patterns such as `shop-*`, and what a backup holds outside of
    /// all namespaces. Backups that lack one of them are not meant.
    #[schemars(length(min = 1))]
    namespaces: Vec<NamespacePattern>,
    /// Objects that may differ, as `Kind/name` or `Kind/namespace/name`, with `*` for any letters; if another one
    /// does, the step fails. An empty list: nothing may differ. Without it, the step tells what differs and
    /// never fails because of it.
    expected: Option<Vec<AllowedName>>,
}

/// The other side: `backup` or `site`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// `latest-verified`, `latest`, or the name of another backup.
    backup: Option<Text>,
    /// The store of the other backup; without it, the same.
    from: Option<StoreName>,
    /// The role of a site: what it has now.
    site: Option<Role>,
}

impl StepKind for Compare {
    const NAME: &'static str = "compare";
    const SUMMARY: &'static str = "Tell what differs, object by object, between a backup and another one or what a site has now. Changes nothing.";
    const OUTPUTS: &'static [&'static str] = &["added", "removed", "changed", "equal", "differences"];
    const EXAMPLE: &'static str = include_str!("../../examples/compare.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::CompareObjects(CompareObjects {
            store: "vault".to_owned(),
            backup: Text::known("shop-2026-11-22t231407z"),
            with: OtherSide::Backup {
                store: "vault".to_owned(),
                backup: Text::known("shop-2026-11-23t031407z"),
            },
            namespaces: vec!["shop".to_owned()],
            expected: None,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        match (&params.with.backup, &params.with.site, &params.with.from) {
            (Some(_), None, _) | (None, Some(_), None) => Ok(()),
            (None, Some(_), Some(_)) => Err("a site is in no store: `from` goes with `backup`".into()),
            _ => Err("say what it is compared with: `with` names either `backup` or `site`".into()),
        }
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        let sides = params.other().into_iter().chain([params.which()]);
        sides.filter_map(|side| side.question()).collect()
    }

    fn script(params: &Params, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let effect = CompareObjects {
            store: params.from.0.clone(),
            backup: params.which().find(scene, seen)?.name(),
            with: params.side(scene, seen)?,
            namespaces: params.namespaces(),
            expected: params.expected(),
        };
        Ok(Script {
            effects: vec![Effect::CompareObjects(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let mut hands = params.which().by_hand(place, "before");
        match (params.other(), &params.with.site) {
            (Some(other), _) => hands.extend(with_backup(&other, place)),
            (None, Some(site)) => hands.extend(with_site(params, &site.0, place)),
            (None, None) => {}
        }
        if let Some(expected) = params.expected() {
            hands.push(Hand::say(match expected.as_slice() {
                [] => "Nothing may differ.".to_owned(),
                some => format!("Only these may differ: {}.", some.join(", ")),
            }));
        }
        hands.push(Hand::say(
            "Write down how many objects came, went and changed. Values may be passwords: keep them out of the notes.",
        ));
        hands
    }
}

/// What a cluster writes by itself is taken out of the files first, so that it is no difference.
fn with_backup(other: &Which<'_>, place: &Place<'_>) -> Vec<Hand> {
    let mut hands = other.by_hand(place, "after");
    hands.push(Hand::say(
        "Take out what the cluster writes by itself, and see which files came, went and differ; pods and what else is made again by controllers does not count:",
    ));
    hands.push(Hand::run(
        r#"find before after -name '*.json' ! -path '*-preferredversion/*' | while read -r file; do jq -S 'del(.metadata["uid","resourceVersion","creationTimestamp","generation","managedFields"], .status)' "$file" > "$file.plain"; done"#,
    ));
    hands.push(Hand::run(
        "diff -rq --exclude='*.json' before/resources after/resources",
    ));
    hands
}

/// What kubectl is asked about is what the files hold: objects that came are seen by their names.
fn with_site(params: &Params, site: &str, place: &Place<'_>) -> Vec<Hand> {
    let kubectl = place.kubectl(site, None);
    let mut hands = vec![Hand::say(
        "See what would be different at the site; kubectl changes nothing, and hides the values of Secrets:",
    )];
    for namespace in &params.namespaces {
        hands.push(Hand::run(format!(
            "find before/resources -path {} ! -path '*-preferredversion/*' -exec cat {{}} + | {kubectl} diff -f -",
            shell_word(&format!("*/namespaces/{}/*.json", namespace.0))
        )));
    }
    hands.push(Hand::say(
        "That shows nothing of objects that are only at the site: compare the names of each kind.",
    ));
    hands
}

impl Params {
    fn namespaces(&self) -> Vec<String> {
        sorted(self.namespaces.iter().map(|name| name.0.clone()))
    }

    fn expected(&self) -> Option<Vec<String>> {
        let expected = self.expected.as_ref()?;
        Some(sorted(expected.iter().map(|name| name.0.clone())))
    }

    fn which(&self) -> Which<'_> {
        Which {
            store: &self.from.0,
            backup: &self.backup,
            namespaces: self.namespaces(),
        }
    }

    /// The other backup, if it is one.
    fn other(&self) -> Option<Which<'_>> {
        Some(Which {
            store: self.with.from.as_ref().map_or(&self.from.0, |store| &store.0),
            backup: self.with.backup.as_ref()?,
            namespaces: self.namespaces(),
        })
    }

    fn side(&self, scene: &Scene<'_>, seen: &Observed) -> Result<OtherSide, Refusal> {
        if let Some(site) = &self.with.site {
            return Ok(OtherSide::Site(site.0.clone()));
        }
        let Some(other) = self.other() else {
            return Err(Refusal::no(
                "it says nothing to compare with",
                "lifeboat explain compare",
            ));
        };
        Ok(OtherSide::Backup {
            store: other.store.to_owned(),
            backup: other.find(scene, seen)?.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::runbook::load;
    use crate::step::{KINDS, check, kind_names};
    use crate::text::Sources;

    /// What `check` says of a comparison that is written so.
    fn checked(with: &str) -> String {
        let mut sources = Sources::default();
        let example = include_str!("../../examples/compare.yaml");
        let text = example.replacen("with: { site: active }", with, 1);
        assert_ne!(text, example);
        let id = sources.add("compare.yaml", text);
        let loaded = load(&sources, &[id], &kind_names(KINDS));
        check(loaded, KINDS).0.diagnostics.render(&sources, false)
    }

    #[test]
    fn the_other_side_is_a_backup_or_a_site() {
        for (with, wanted) in [
            ("with: {}", "`with` names either `backup` or `site`"),
            (
                "with: { site: active, backup: latest }",
                "`with` names either `backup` or `site`",
            ),
            (
                "with: { site: active, from: usb }",
                "a site is in no store: `from` goes with `backup`",
            ),
            ("with: { site: activ }", "there is no role `activ`"),
            ("with: { backup: latest, from: usbb }", "there is no store `usbb`"),
        ] {
            let said = checked(with);
            assert!(said.contains(wanted), "{with}: {said}");
        }
        assert_eq!(checked("with: { backup: latest, from: usb }"), "");
    }

    #[test]
    fn what_may_differ_is_named_as_it_is_elsewhere() {
        let said = checked("with: { site: active }, expected: [deployment/web]");
        assert!(said.contains("`deployment/web` names no object"), "{said}");
        for good in ["[]", "[Deployment/web, 'Deployment/shop/*']", "['*']"] {
            assert_eq!(
                checked(&format!("with: {{ site: active }}, expected: {good}")),
                ""
            );
        }
    }
}
