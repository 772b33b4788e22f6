//! What of a site or of a backup is meant: which namespaces, kinds and labels.
//!
//! Pure: a backup asks it about what a site has, a restore about what an archive has, so both mean the
//! same by the same words. What no backup holds at all is in `objects::select`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::objects::{LabelSelector, glob, is_glob, kind_left_out};
use crate::text::closest;

/// What of a site is meant. Sorted lists, so that equal selections are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// Namespaces by name, or with `*`; none: nothing namespaced.
    pub namespaces: Vec<String>,
    /// Kinds to leave out, as `plural.group`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Namespaces to leave out of those, by name or with `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_namespaces: Vec<String>,
    /// Only these kinds, as `plural.group`; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only objects that one of these selectors matches; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelSelector>,
    /// Which objects outside of namespaces.
    #[serde(default, skip_serializing_if = "ClusterScoped::is_related")]
    pub cluster: ClusterScoped,
}

/// Which objects outside of namespaces are meant. The chosen namespaces themselves always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterScoped {
    /// Those that the chosen namespaced objects name.
    #[default]
    Related,
    /// All that the cluster has.
    All,
    /// None.
    None,
}

impl ClusterScoped {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_related(&self) -> bool {
        *self == Self::Related
    }

    /// The word in a runbook.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// Why a selection cannot be what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// A lowercase fragment.
    pub what: String,
    /// What was probably meant.
    pub meant: Option<String>,
}

impl Selection {
    /// Whether a namespace is meant.
    pub fn takes_namespace(&self, name: &str) -> bool {
        let among = |patterns: &[String]| patterns.iter().any(|one| glob(one, name));
        among(&self.namespaces) && !among(&self.exclude_namespaces)
    }

    /// Whether a restore means a namespace. A pattern does not stand for one of Kubernetes itself
    /// (`kube-system` …): every cluster has its own, and a person who wants to write into them says so.
    pub fn restores_namespace(&self, name: &str) -> bool {
        let named = || self.namespaces.iter().any(|one| one == name);
        self.takes_namespace(name) && (!name.starts_with("kube-") || named())
    }

    /// Those of the namespaces that are patterns.
    pub fn patterns(&self) -> Vec<String> {
        let patterns = self.namespaces.iter().filter(|one| is_glob(one));
        patterns.cloned().collect()
    }

    /// The same selection with the names that its patterns stand for, of these namespaces. A pattern that
    /// stands for none of them stays, so that it is missed later.
    #[must_use]
    pub fn pinned(&self, there: &[&str]) -> Self {
        let mut names = BTreeSet::new();
        for pattern in &self.namespaces {
            let stands_for =
                |name: &&&str| is_glob(pattern) && glob(pattern, name) && self.restores_namespace(name);
            let meant: Vec<String> = there
                .iter()
                .filter(stands_for)
                .map(|name| (*name).to_owned())
                .collect();
            if meant.is_empty() {
                names.insert(pattern.clone());
            }
            names.extend(meant);
        }
        Self {
            namespaces: names.into_iter().collect(),
            ..self.clone()
        }
    }

    /// Why a kind (`plural.group`) is not meant; `None`: it is.
    pub fn leaves_kind_out(&self, resource: &str) -> Option<&'static str> {
        let among = |kinds: &[String]| kinds.iter().any(|one| one == resource);
        if among(&self.exclude) {
            Some("the step leaves this kind out")
        } else if !self.kinds.is_empty() && !among(&self.kinds) {
            Some("it is not among the step's `kinds`")
        } else {
            None
        }
    }

    /// Whether an object has the labels that are asked for.
    pub fn takes_labels(&self, object: &Value) -> bool {
        self.labels.is_empty() || self.labels.iter().any(|one| one.matches(object))
    }

    /// Those of the namespaces that are meant, sorted.
    ///
    /// # Errors
    ///
    /// A name or a pattern that stands for none of them is a mistake, and not an empty backup.
    pub fn choose_namespaces<'a>(&self, there: &[&'a str]) -> Result<Vec<&'a str>, Mismatch> {
        for pattern in &self.namespaces {
            if !there.iter().any(|name| glob(pattern, name)) {
                return Err(no_namespace(pattern, there));
            }
        }
        let mut chosen: Vec<&str> = there.to_vec();
        chosen.retain(|name| self.takes_namespace(name));
        chosen.sort_unstable();
        if chosen.is_empty() && !self.namespaces.is_empty() {
            return Err(Mismatch {
                what: "`excludeNamespaces` leaves no namespace".into(),
                meant: None,
            });
        }
        Ok(chosen)
    }

    /// Whether every kind that is named is served, or one that no backup holds anyway.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub fn check_kinds(&self, served: &[String]) -> Result<(), Mismatch> {
        let known = |kind: &&String| served.contains(kind) || kind_left_out(kind).is_some();
        let Some(unknown) = self.kinds.iter().chain(&self.exclude).find(|kind| !known(kind)) else {
            return Ok(());
        };
        Err(Mismatch {
            what: format!("there is no kind {unknown}"),
            meant: kind_meant(unknown, served),
        })
    }

    /// By which of its words only a part of the namespaces is meant, in words. What the step leaves out
    /// by name (`exclude`) is left out on purpose and does not count.
    pub fn narrowed(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.kinds.is_empty() {
            words.push(format!("only {}", self.kinds.join(", ")));
        }
        if !self.labels.is_empty() {
            words.push(format!("only objects with the labels {}", self.label_words()));
        }
        words
    }

    /// The selectors in one line.
    pub fn label_words(&self) -> String {
        let words: Vec<String> = self.labels.iter().map(ToString::to_string).collect();
        words.join(" or ")
    }

    /// All of it, as a fragment for people: `namespaces shop, only secrets`.
    pub fn words(&self) -> String {
        let mut words = vec![format!("namespaces {}", self.namespaces.join(", "))];
        if !self.exclude_namespaces.is_empty() {
            words.push(format!("without {}", self.exclude_namespaces.join(", ")));
        }
        words.extend(self.narrowed());
        if self.cluster != ClusterScoped::Related {
            words.push(format!("cluster-scoped: {}", self.cluster.word()));
        }
        words.join(", ")
    }
}

fn no_namespace(pattern: &str, there: &[&str]) -> Mismatch {
    if is_glob(pattern) {
        return Mismatch {
            what: format!("no namespace is like {pattern}"),
            meant: None,
        };
    }
    Mismatch {
        what: format!("there is no namespace {pattern}"),
        meant: closest(pattern, there.iter().copied()).map(str::to_owned),
    }
}

/// `deployments` and `deployments.app` both mean `deployments.apps`: the plural is what people know.
fn kind_meant(written: &str, served: &[String]) -> Option<String> {
    let plural = |resource: &str| resource.split('.').next().unwrap_or_default().to_owned();
    let same = served.iter().find(|one| plural(one) == plural(written));
    same.map(String::as_str)
        .or_else(|| closest(written, served.iter().map(String::as_str)))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selection(value: Value) -> Selection {
        serde_json::from_value(value).unwrap()
    }

    const THERE: [&str; 4] = ["shop-us", "bank", "shop-eu", "shop"];

    #[test]
    fn namespaces_are_chosen_by_name_and_by_pattern() {
        let chosen = |value: Value| selection(value).choose_namespaces(&THERE).unwrap().join(" ");
        assert_eq!(chosen(json!({"namespaces": ["shop"]})), "shop");
        assert_eq!(chosen(json!({"namespaces": ["shop-*"]})), "shop-eu shop-us");
        assert_eq!(chosen(json!({"namespaces": ["*"]})), "bank shop shop-eu shop-us");
        assert_eq!(
            chosen(json!({"namespaces": ["shop", "shop*"], "excludeNamespaces": ["*-us"]})),
            "shop shop-eu"
        );
    }

    #[test]
    fn what_stands_for_nothing_is_a_mistake() {
        let wrong = |value: Value| selection(value).choose_namespaces(&THERE).unwrap_err();
        let typo = wrong(json!({"namespaces": ["shop", "shpo"]}));
        assert_eq!(typo.what, "there is no namespace shpo");
        assert_eq!(typo.meant.as_deref(), Some("shop"));
        assert_eq!(
            wrong(json!({"namespaces": ["*", "web-*"]})).what,
            "no namespace is like web-*"
        );
        assert_eq!(
            wrong(json!({"namespaces": ["shop"], "excludeNamespaces": ["s*"]})).what,
            "`excludeNamespaces` leaves no namespace"
        );
    }

    #[test]
    fn a_restore_by_pattern_leaves_the_namespaces_of_kubernetes_alone() {
        let all = selection(json!({"namespaces": ["*"], "excludeNamespaces": ["tmp-*"]}));
        let there = ["shop", "kube-system", "tmp-1", "default"];
        assert!(all.takes_namespace("kube-system"), "a backup does");
        assert_eq!(all.pinned(&there).namespaces, ["default", "shop"]);
        let named = selection(json!({"namespaces": ["kube-system", "s*", "web-*"]}));
        assert!(named.restores_namespace("kube-system"));
        let pinned = named.pinned(&there).namespaces;
        assert_eq!(
            pinned,
            ["kube-system", "shop", "web-*"],
            "what stands for nothing is kept"
        );
    }

    #[test]
    fn a_kind_is_chosen_unless_something_leaves_it_out() {
        let only = selection(json!({"namespaces": ["*"], "kinds": ["secrets", "pods"], "exclude": ["pods"]}));
        assert_eq!(only.leaves_kind_out("secrets"), None);
        assert_eq!(
            only.leaves_kind_out("pods"),
            Some("the step leaves this kind out")
        );
        assert_eq!(
            only.leaves_kind_out("services"),
            Some("it is not among the step's `kinds`")
        );
    }

    #[test]
    fn an_unknown_kind_is_named_with_what_was_meant() {
        let served = ["deployments.apps", "pods", "coupons.shop.example.com"].map(str::to_owned);
        let check =
            |kind: &str| selection(json!({"namespaces": ["*"], "kinds": [kind]})).check_kinds(&served);
        for known in ["pods", "events", "leases.coordination.k8s.io"] {
            assert_eq!(check(known), Ok(()), "{known}");
        }
        for (written, meant) in [
            ("deployments", Some("deployments.apps")),
            ("pod", Some("pods")),
            ("coupons.shop.exmaple.com", Some("coupons.shop.example.com")),
            ("zzz", None),
        ] {
            assert_eq!(check(written).unwrap_err().meant.as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn one_selector_of_several_is_enough() {
        let either = selection(json!({"namespaces": ["*"], "labels": [
            {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db", "tier": "data"}},
        ]}));
        let has = |labels: Value| either.takes_labels(&json!({"metadata": {"labels": labels}}));
        assert!(has(json!({"app": "web"})));
        assert!(has(json!({"app": "db", "tier": "data"})));
        assert!(!has(json!({"app": "db"})));
        insta::assert_snapshot!(either.words(), @"namespaces *, only objects with the labels app=web or app=db,tier=data");
    }

    #[test]
    fn a_selection_of_before_reads_and_writes_as_it_did() {
        let old = r#"{"namespaces":["shop"],"exclude":["events"]}"#;
        let read: Selection = serde_json::from_str(old).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
    }
}
