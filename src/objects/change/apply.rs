//! Everything that a restore changes, made ready, and put over one object after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::guard::guard;
use super::mapping::{Changes, Mapping};
use super::patch::{Outcome, Ready};
use super::rule::Rule;
use super::when::Test;
use super::{classes, hosts, places, registry};
use crate::objects::json::{group_kind, name, text};
use crate::objects::rename::{mentions, rename};

/// Changes objects, and counts what of it was needed.
pub struct Changer {
    map: Mapping,
    /// How many objects used the entries of `storageClasses`, `registries` and `hosts`.
    classes: Counts,
    registries: Counts,
    hosts: Counts,
    rules: Vec<Counted>,
}

type Counts = BTreeMap<String, AtomicUsize>;

/// A rule and how often it was used.
struct Counted {
    name: String,
    /// A rule of a plan has been checked before; one that was written by hand into a plan was not.
    ready: Result<(Test, Ready), String>,
    met: AtomicUsize,
    untouched: AtomicUsize,
}

/// An object and what was changed of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// As it would be in the failover; as it was before all rules where it is refused.
    pub object: Value,
    /// What was changed, each a fragment for people.
    pub notes: Vec<String>,
    /// What a person has to know of it.
    pub doubts: Vec<String>,
    /// Why it must not be made.
    pub refused: Option<String>,
}

/// Which entries of a map one object used.
#[derive(Default)]
pub(super) struct Used {
    keys: Vec<String>,
    notes: Vec<String>,
}

impl Used {
    pub(super) fn note(&mut self, key: &str, note: String) {
        if !self.keys.iter().any(|one| one == key) {
            self.keys.push(key.to_owned());
        }
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    #[cfg(test)]
    pub(super) fn notes(self) -> Vec<String> {
        self.notes
    }
}

impl Changer {
    /// Makes the patterns and patches ready.
    pub fn new(changes: &Changes) -> Self {
        let counts = |names: &BTreeMap<String, String>| {
            let zero = |name: &String| (name.clone(), AtomicUsize::new(0));
            names.keys().map(zero).collect()
        };
        Self {
            classes: counts(&changes.map.storage_classes),
            registries: counts(&changes.map.registries),
            hosts: counts(&changes.map.hosts),
            map: changes.map.clone(),
            rules: changes.rules.iter().map(Counted::new).collect(),
        }
    }

    /// The name of an object that is not restored, where it would be.
    pub fn name_of(&self, object: Value) -> Value {
        rename(object, &self.map.namespaces)
    }

    /// Changes a stripped object of the backup. `resource` is its kind as `plural.group`. The same object
    /// gives the same answer every time.
    pub fn apply(&self, resource: &str, object: Value) -> Changed {
        let place = namespace_of(&object).map(str::to_owned);
        let mut object = rename(object, &self.map.namespaces);
        let mut notes = self.map_names(&mut object);
        let doubts = self.doubts(&object);
        let due: Vec<_> = self
            .rules
            .iter()
            .filter(|rule| rule.takes(resource, place.as_deref(), &object))
            .collect();
        let (object, refused) = match patched(&due, &object, &mut notes) {
            Ok(Some(patched)) => (patched, None),
            Ok(None) => (object, None),
            Err(why) => (object, Some(why)),
        };
        Changed {
            object,
            notes,
            doubts,
            refused,
        }
    }

    fn map_names(&self, object: &mut Value) -> Vec<String> {
        let mut notes = Vec::new();
        let mut map = |map: MapNames, names, counts: &Counts| {
            let mut used = Used::default();
            map(object, names, &mut used);
            for key in &used.keys {
                if let Some(count) = counts.get(key) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            notes.append(&mut used.notes);
        };
        map(classes::map, &self.map.storage_classes, &self.classes);
        map(registry::map, &self.map.registries, &self.registries);
        map(hosts::map, &self.map.hosts, &self.hosts);
        notes
    }

    /// Whole names of services in configuration are not changed, and go on pointing where they did.
    fn doubts(&self, object: &Value) -> Vec<String> {
        mentions(object, &self.map.namespaces)
            .into_iter()
            .map(|(place, namespace)| format!("{place} names a service of {namespace}, and still does"))
            .collect()
    }

    /// How often each entry and each rule was used so far, each a line for people.
    pub fn uses(&self) -> Vec<String> {
        self.lines().into_iter().map(|(line, _)| line).collect()
    }

    /// Those of them that were never used: perhaps mistyped.
    pub fn unused(&self) -> Vec<String> {
        let lines = self.lines().into_iter().filter(|(_, count)| *count == 0);
        lines.map(|(line, _)| line).collect()
    }

    fn lines(&self) -> Vec<(String, usize)> {
        let mut lines = Vec::new();
        for (what, names, counts) in [
            ("storage class", &self.map.storage_classes, &self.classes),
            ("registry", &self.map.registries, &self.registries),
            ("host", &self.map.hosts, &self.hosts),
        ] {
            for (from, to) in names {
                let count = counts.get(from).map_or(0, |count| count.load(Ordering::Relaxed));
                let met = match count {
                    0 => "no object names it".to_owned(),
                    _ => objects(count),
                };
                lines.push((format!("{what} {from} becomes {to}: {met}"), count));
            }
        }
        lines.extend(self.rules.iter().map(Counted::line));
        lines
    }
}

type MapNames = fn(&mut Value, &BTreeMap<String, String>, &mut Used);

/// The namespace that an object of a backup is in, or is.
fn namespace_of(object: &Value) -> Option<&str> {
    if group_kind(object) == ("", "Namespace") {
        return Some(name(object));
    }
    text(object, "/metadata/namespace").filter(|namespace| !namespace.is_empty())
}

/// `None`: no rule is due. `Err`: the first that does not go, and why.
fn patched(due: &[&Counted], object: &Value, notes: &mut Vec<String>) -> Result<Option<Value>, String> {
    if due.is_empty() {
        return Ok(None);
    }
    let mut object = object.clone();
    for rule in due {
        let before = object.clone();
        let note = rule
            .apply(&mut object)
            .map_err(|why| format!("{}: {why}", rule.name))?;
        guard(&before, &object).map_err(|why| format!("{}: {why}", rule.name))?;
        notes.push(match note {
            Outcome::Untouched(place) => format!("{}: left as it is by its test of {place}", rule.name),
            Outcome::Patched => match places::changed(&before, &object) {
                Some(places) => format!("{}: {places}", rule.name),
                None => format!("{}: changes nothing", rule.name),
            },
        });
    }
    Ok(Some(object))
}

impl Counted {
    fn new(rule: &Rule) -> Self {
        let ready = Test::of(&rule.when).and_then(|test| Ok((test, Ready::of(&rule.patch)?)));
        Self {
            name: rule.name.clone(),
            ready,
            met: AtomicUsize::new(0),
            untouched: AtomicUsize::new(0),
        }
    }

    /// A rule that cannot be read means everything: nothing may be restored past it.
    fn takes(&self, resource: &str, namespace: Option<&str>, object: &Value) -> bool {
        match &self.ready {
            Ok((test, _)) => test.takes(resource, namespace, object),
            Err(_) => true,
        }
    }

    fn apply(&self, object: &mut Value) -> Result<Outcome, String> {
        self.met.fetch_add(1, Ordering::Relaxed);
        let (_, patch) = self.ready.as_ref().map_err(Clone::clone)?;
        let outcome = patch.apply(object)?;
        if let Outcome::Untouched(_) = outcome {
            self.untouched.fetch_add(1, Ordering::Relaxed);
        }
        Ok(outcome)
    }

    fn line(&self) -> (String, usize) {
        let (met, untouched) = (
            self.met.load(Ordering::Relaxed),
            self.untouched.load(Ordering::Relaxed),
        );
        let words = match (met, untouched) {
            (0, _) => "no object fits its conditions".to_owned(),
            (_, 0) => objects(met),
            _ => format!("{}, {untouched} left as they are by its test", objects(met)),
        };
        (format!("{}: {words}", self.name), met)
    }
}

fn objects(count: usize) -> String {
    if count == 1 {
        "1 object".into()
    } else {
        format!("{count} objects")
    }
}

impl std::fmt::Debug for Changer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::{Confined, confine};

    fn changes(value: Value) -> Changes {
        serde_json::from_value(value).unwrap()
    }

    fn web() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
               "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "web", "image": "a.example/web:1"}]}}}})
    }

    fn rule(patch: &Value) -> Value {
        json!({"rules": [{"name": "change 1", "when": {"kinds": ["deployments.apps"]}, "patch": patch}]})
    }

    #[test]
    fn names_come_first_and_conditions_look_between() {
        let changer = Changer::new(&changes(json!({
            "map": {"namespaces": {"shop": "shop-eu"}, "registries": {"a.example": "b.example", "c.example": "d.example"}},
            "rules": [
                {"name": "change 1", "when": {"namespaces": ["shop"], "matches": [{"path": "/spec/template/spec/containers/0/image", "value": "b.example/web:1"}]},
                 "patch": {"merge": [{"spec": {"replicas": 1}}]}},
                {"name": "change 2", "when": {"matches": [{"path": "/spec/replicas", "value": 3}]},
                 "patch": {"json": [{"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "remove", "path": "/spec/replicas"}]}},
                {"name": "change 3", "when": {"matches": [{"path": "/spec/replicas", "value": 1}]}, "patch": {"merge": [{"spec": null}]}},
            ],
        })));
        let after = changer.apply("deployments.apps", web());
        assert_eq!(after.object["metadata"]["namespace"], "shop-eu");
        assert_eq!(after.object["spec"]["replicas"], 1);
        assert_eq!(after.refused, None);
        insta::assert_snapshot!(after.notes.join("\n"), @"
        image a.example/web:1 becomes b.example/web:1
        change 1: spec.replicas
        change 2: left as it is by its test of /spec/replicas
        ");
        insta::assert_snapshot!(changer.uses().join("\n"), @"
        registry a.example becomes b.example: 1 object
        registry c.example becomes d.example: no object names it
        change 1: 1 object
        change 2: 1 object, 1 left as they are by its test
        change 3: no object fits its conditions
        ");
        assert_eq!(changer.unused().len(), 2);
    }

    #[test]
    fn a_patch_that_does_not_go_refuses_its_object_and_changes_nothing() {
        for patch in [
            json!({"json": [{"op": "remove", "path": "/spec/paused"}]}),
            json!({"merge": [{"metadata": {"name": "other"}}]}),
            json!({"merge": [{"status": {}}]}),
            json!({"strategic": [{"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}]}),
            json!({"json": [{"op": "unknown", "path": "/spec/paused"}]}),
        ] {
            let changer = Changer::new(&changes(rule(&patch)));
            let after = changer.apply("deployments.apps", web());
            assert_eq!(after.object, web(), "{patch}");
            let why = after.refused.expect("refused");
            assert!(why.starts_with("change 1: "), "{why}");
        }
    }

    #[test]
    fn no_patch_breaks_out_of_a_drill() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}});
        let drill = BTreeMap::from([("shop".to_owned(), "shop-drill-4k2".to_owned())]);
        let in_drill = |object: Value, resource: &str, patch: Value| {
            let rules = json!({"rules": [{"name": "change 1", "when": {}, "patch": {"merge": [patch]}}]});
            let after = Changer::new(&changes(rules)).apply(resource, object);
            assert_eq!(after.refused, None);
            confine(rename(after.object, &drill), true, &drill)
        };
        let kept = |confined: Confined| match confined {
            Confined::Keep { object, .. } => object,
            Confined::Skip(why) => panic!("{why}"),
        };
        let open = json!({"spec": {"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]},
                          "metadata": {"finalizers": ["a/b"], "annotations": {"external-dns.alpha.kubernetes.io/hostname": "shop.example.com"}}});
        let inside = kept(in_drill(service, "services", open));
        assert_eq!(inside["spec"], json!({"type": "ClusterIP"}));
        assert_eq!(inside["metadata"]["namespace"], "shop-drill-4k2");
        assert!(
            !inside["metadata"].to_string().contains("example.com"),
            "{inside}"
        );
        assert_eq!(inside["metadata"].get("finalizers"), None);
        let node = json!({"spec": {"template": {"spec": {"hostNetwork": true}}}});
        assert!(matches!(
            in_drill(web(), "deployments.apps", node),
            Confined::Skip(_)
        ));
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "web", "namespace": "shop"}});
        let accounts = json!({"subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
                                           {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}]});
        let inside = kept(in_drill(
            binding,
            "rolebindings.rbac.authorization.k8s.io",
            accounts,
        ));
        assert_eq!(
            inside["subjects"],
            json!([{"kind": "ServiceAccount", "name": "web", "namespace": "shop-drill-4k2"}]),
            "a namespace that a patch writes follows into the drill"
        );
    }

    #[test]
    fn services_that_configuration_names_are_pointed_out() {
        let map = changes(json!({"map": {"namespaces": {"shop": "shop-eu"}}}));
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "namespace": "shop"},
                              "data": {"db": "db.shop.svc:5432"}});
        let after = Changer::new(&map).apply("configmaps", settings);
        assert_eq!(after.doubts, ["data.db names a service of shop, and still does"]);
    }
}
