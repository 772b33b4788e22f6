//! Where an object sends requests: the selector of a Service, or the weights of an `HTTPRoute`. What a switch makes
//! of that, in stages, and by what one state is told from another.
//!
//! ## Why
//!
//! - **All rules of a route are one state.** A switch moves every rule that has both the wanted backend and another
//!   one; a route of which half the paths were moved would be neither here nor there. Rules without the wanted
//!   backend are nobody's business here, and so is everything else in the object.
//! - **A stage never takes anything away** from the backend that is to get more: where it has more already, the rule
//!   stays as it is.
//! - **Whole percents.** Weights are written so that they add up to 100 and read as what the runbook says. What the
//!   other backends share among themselves is rounded, by less than one percent each.
//! - **A weight that is not written is 1**, says the Gateway API. What goes back is not written again either.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::json::{list, text};

/// Annotation on an object whose requests a run has sent elsewhere: who did it, and what was there before, as JSON
/// of [`Turned`]. It is written and taken away together with the change itself, so the one is never there without the
/// other.
pub const TRAFFIC_BEFORE: &str = "lifeboat.dev/traffic-before";

/// The API group of routes.
pub const ROUTE_GROUP: &str = "gateway.networking.k8s.io";

/// The weights of a stage add up to this.
const WHOLE: u32 = 100;

/// How an object sends requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// To the pods with all of these labels.
    Selector(BTreeMap<String, String>),
    /// To backends by weight: one list for each rule that the switch is about, in the route's order.
    Weights(Vec<Vec<Share>>),
}

/// One backend of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its name, mostly of a Service.
    pub name: String,
    /// As it is written; `None`: it is not, which means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

/// What is to become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A Service gets exactly this selector, in one go.
    Selector(BTreeMap<String, String>),
    /// A backend of an `HTTPRoute` gets so many percent, one after the other.
    Backend {
        /// Its name.
        to: String,
        /// Percents, each larger than the one before.
        stages: Vec<u8>,
    },
}

/// The annotation [`TRAFFIC_BEFORE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// Run and step, as `run/step`.
    pub by: String,
    /// What was there before the first change.
    pub before: Split,
}

impl Share {
    fn parts(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}

impl Split {
    /// Whether requests go the same way.
    pub fn same(&self, other: &Self) -> bool {
        let alike = |a: &Share, b: &Share| a.name == b.name && a.parts() == b.parts();
        let rule =
            |a: &Vec<Share>, b: &Vec<Share>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b));
        match (self, other) {
            (Self::Selector(a), Self::Selector(b)) => a == b,
            (Self::Weights(a), Self::Weights(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| rule(a, b))
            }
            _ => false,
        }
    }
}

impl Turned {
    /// Reads it off an object; `None` where there is none, or none that lifeboat wrote.
    pub fn of(object: &Value) -> Option<Self> {
        let written = object.get("metadata")?.get("annotations")?.get(TRAFFIC_BEFORE)?;
        serde_json::from_str(written.as_str()?).ok()
    }
}

impl Switch {
    /// How an object sends requests now.
    ///
    /// # Errors
    ///
    /// Why it cannot be switched, as a fragment that begins with `it`.
    pub fn read(&self, object: &Value) -> Result<Split, String> {
        match self {
            Self::Selector(_) => selector(object),
            Self::Backend { to, .. } => {
                let rules: Vec<Vec<Share>> = rules(object, to).map(|(_, shares)| shares).collect();
                if rules.is_empty() {
                    return Err(format!(
                        "it has no rule that sends requests to {to} and to another backend"
                    ));
                }
                Ok(Split::Weights(rules))
            }
        }
    }

    /// What it goes through from there, the last one being what is wanted; empty: it is there already.
    pub fn stages(&self, before: &Split) -> Vec<Split> {
        match (self, before) {
            (Self::Selector(to), before) => {
                let wanted = Split::Selector(to.clone());
                Vec::from_iter((!wanted.same(before)).then_some(wanted))
            }
            (Self::Backend { to, stages }, Split::Weights(rules)) => {
                let mut all: Vec<Split> = Vec::new();
                for percent in stages {
                    let rules = rules.iter().map(|rule| raised(rule, to, (*percent).into()));
                    let next = Split::Weights(rules.collect());
                    if !next.same(all.last().unwrap_or(before)) {
                        all.push(next);
                    }
                }
                all
            }
            (Self::Backend { .. }, Split::Selector(_)) => Vec::new(),
        }
    }

    /// The part of a merge patch that has an object send requests like this, from how it is.
    pub fn patch(&self, object: &Value, split: &Split) -> Value {
        match (self, split) {
            (_, Split::Selector(labels)) => {
                let gone = object.pointer("/spec/selector").and_then(Value::as_object);
                let gone = gone.into_iter().flatten().map(|(key, _)| (key, Value::Null));
                // What a merge patch does not name stays, and a selector is wanted as a whole.
                let mut all: Map<String, Value> = gone.map(|(key, null)| (key.clone(), null)).collect();
                all.extend(
                    labels
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone().into())),
                );
                json!({ "spec": { "selector": all } })
            }
            (Self::Backend { to, .. }, Split::Weights(wanted)) => {
                let mut whole = object.pointer("/spec/rules").cloned().unwrap_or_default();
                for ((at, _), shares) in rules(object, to).zip(wanted) {
                    weigh(&mut whole[at], shares);
                }
                json!({ "spec": { "rules": whole } })
            }
            (Self::Selector(_), Split::Weights(_)) => json!({}),
        }
    }

    /// Who wrote last where requests go, by the server's own record: `kubectl-edit at 2026-11-22T23:00:00Z`.
    pub fn last_writer(&self, object: &Value) -> Option<String> {
        let field = match self {
            Self::Selector(_) => "/f:spec/f:selector",
            Self::Backend { .. } => "/f:spec/f:rules",
        };
        let has = |entry: &&Value| {
            entry
                .pointer("/fieldsV1")
                .is_some_and(|set| set.pointer(field).is_some())
        };
        let time = |entry: &Value| text(entry, "/time").unwrap_or_default().to_owned();
        let entries = list(object, "/metadata/managedFields").filter(has);
        let last = entries.max_by_key(|entry| time(entry))?;
        let manager = text(last, "/manager").filter(|name| !name.is_empty())?;
        Some(match time(last).as_str() {
            "" => manager.to_owned(),
            at => format!("{manager} at {at}"),
        })
    }
}

fn selector(object: &Value) -> Result<Split, String> {
    let labels = object.pointer("/spec/selector").and_then(Value::as_object);
    let labels: BTreeMap<String, String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    if labels.is_empty() {
        return Err("it has no selector: somebody else says where its requests go".into());
    }
    Ok(Split::Selector(labels))
}

/// The rules that have this backend and another one: where each stands, and its backends.
fn rules<'a>(object: &'a Value, to: &'a str) -> impl Iterator<Item = (usize, Vec<Share>)> + 'a {
    let rules = list(object, "/spec/rules").enumerate();
    rules.filter_map(move |(at, rule)| {
        let shares: Vec<Share> = list(rule, "/backendRefs").map(share).collect();
        let wanted = shares.iter().filter(|share| share.name == to).count();
        (wanted > 0 && wanted < shares.len()).then_some((at, shares))
    })
}

fn share(backend: &Value) -> Share {
    let weight = backend.get("weight").and_then(Value::as_u64);
    Share {
        name: text(backend, "/name").unwrap_or_default().to_owned(),
        // The API takes none above a million.
        weight: weight.map(|weight| u32::try_from(weight).unwrap_or(u32::MAX)),
    }
}

/// A rule in which a backend has so many percent, if it does not have more already.
fn raised(rule: &[Share], to: &str, percent: u32) -> Vec<Share> {
    let total = |wanted: bool| -> u64 {
        let those = rule.iter().filter(|share| (share.name == to) == wanted);
        those.map(|share| u64::from(share.parts())).sum()
    };
    let (own, others) = (total(true), total(false));
    if own > 0 && own * u64::from(WHOLE) >= u64::from(percent) * (own + others) {
        return rule.to_vec();
    }
    let group = |wanted: bool, whole: u32| {
        let those = rule.iter().filter(|share| (share.name == to) == wanted);
        dealt(&those.map(Share::parts).collect::<Vec<_>>(), whole, wanted)
    };
    let mut own = group(true, percent).into_iter();
    let mut others = group(false, WHOLE.saturating_sub(percent)).into_iter();
    let next = |share: &Share| Share {
        name: share.name.clone(),
        weight: if share.name == to {
            own.next()
        } else {
            others.next()
        },
    };
    rule.iter().map(next).collect()
}

/// A number dealt out in these proportions, in whole parts whose sum it is: what is left over by rounding goes to
/// the largest remainders. Where nobody has anything, everybody gets the same (`fill`), or nothing.
fn dealt(parts: &[u32], whole: u32, fill: bool) -> Vec<u32> {
    let sum: u64 = parts.iter().map(|part| u64::from(*part)).sum();
    if sum == 0 {
        let ones = vec![1; parts.len()];
        return if fill && !parts.is_empty() {
            dealt(&ones, whole, false)
        } else {
            parts.to_vec()
        };
    }
    let exact = |part: &u32| u64::from(*part) * u64::from(whole);
    let mut given: Vec<u64> = parts.iter().map(|part| exact(part) / sum).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(exact(&parts[at]) % sum));
    let left = u64::from(whole).saturating_sub(given.iter().sum());
    for at in order.into_iter().cycle().take(usize::try_from(left).unwrap_or(0)) {
        given[at] += 1;
    }
    given
        .into_iter()
        .map(|part| u32::try_from(part).unwrap_or(u32::MAX))
        .collect()
}

/// Writes the weights of a rule.
fn weigh(rule: &mut Value, shares: &[Share]) {
    let backends = rule.get_mut("backendRefs").and_then(Value::as_array_mut);
    for (backend, share) in backends.into_iter().flatten().zip(shares) {
        match (share.weight, backend.as_object_mut()) {
            (Some(weight), Some(fields)) => _ = fields.insert("weight".to_owned(), weight.into()),
            (None, Some(fields)) => _ = fields.remove("weight"),
            (_, None) => {}
        }
    }
}

/// `app=web, track=green`; `web-east 90, web-west 10`, and by rule where rules differ.
impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = match self {
            Self::Selector(labels) => {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                return f.write_str(&labels.join(", "));
            }
            Self::Weights(rules) => rules,
        };
        let one = |share: &Share| format!("{} {}", share.name, share.parts());
        let said: Vec<String> = rules
            .iter()
            .map(|rule| rule.iter().map(one).collect::<Vec<_>>().join(", "))
            .collect();
        match said.split_first() {
            Some((first, rest)) if rest.iter().all(|rule| rule == first) => f.write_str(first),
            _ => {
                let named = said
                    .iter()
                    .zip(1..)
                    .map(|(rule, at)| format!("rule {at}: {rule}"));
                f.write_str(&named.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_west(stages: &[u8]) -> Switch {
        Switch::Backend {
            to: "west".into(),
            stages: stages.to_vec(),
        }
    }

    /// A route of rules, each `name` or `name weight` by backend.
    fn route(rules: &[&[&str]]) -> Value {
        let backend = |text: &&str| match text.split_once(' ') {
            Some((name, weight)) => {
                json!({ "name": name, "port": 80, "weight": weight.parse::<u32>().unwrap() })
            }
            None => json!({ "name": text, "port": 80 }),
        };
        let rule = |backends: &&[&str]| {
            let backends: Vec<Value> = backends.iter().map(backend).collect();
            json!({ "matches": [{ "path": { "value": "/" } }], "backendRefs": backends })
        };
        json!({ "spec": { "hostnames": ["shop.example"], "rules": rules.iter().map(rule).collect::<Vec<_>>() } })
    }

    fn shown(switch: &Switch, object: &Value) -> Vec<String> {
        let before = switch.read(object).unwrap();
        let stages = switch.stages(&before);
        stages.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn weights_become_the_percents_of_the_runbook() {
        let object = route(&[&["east 1", "west 0"]]);
        assert_eq!(
            shown(&to_west(&[10, 50, 100]), &object),
            ["east 90, west 10", "east 50, west 50", "east 0, west 100"]
        );
        // As a fresh route has it: no weights, so one half each.
        let object = route(&[&["east", "west"]]);
        assert_eq!(shown(&to_west(&[10, 50, 100]), &object), ["east 0, west 100"]);
        assert_eq!(shown(&to_west(&[60]), &object), ["east 40, west 60"]);
    }

    #[test]
    fn others_keep_their_proportions_and_the_sum_is_whole() {
        let object = route(&[&["a 1", "b 1", "c 1", "west 0"]]);
        assert_eq!(
            shown(&to_west(&[20, 99]), &object),
            ["a 27, b 27, c 26, west 20", "a 1, b 0, c 0, west 99"]
        );
        assert_eq!(dealt(&[0, 0], 100, true), [50, 50]);
        assert_eq!(dealt(&[0, 0], 100, false), [0, 0]);
        assert_eq!(dealt(&[3, 1], 100, false), [75, 25]);
    }

    #[test]
    fn nothing_is_taken_from_the_backend_that_is_to_get_more() {
        let object = route(&[&["east 70", "west 30"]]);
        assert_eq!(
            shown(&to_west(&[10, 50, 100]), &object),
            ["east 50, west 50", "east 0, west 100"]
        );
        let there = route(&[&["east 0", "west 1"]]);
        assert_eq!(shown(&to_west(&[10, 100]), &there), <[String; 0]>::default());
        let halves = route(&[&["east 70", "west 30"], &["east 100", "west 0"]]);
        assert_eq!(
            shown(&to_west(&[10, 100]), &halves),
            [
                "rule 1: east 70, west 30; rule 2: east 90, west 10",
                "east 0, west 100"
            ]
        );
    }

    #[test]
    fn rules_without_a_choice_are_left_alone() {
        let object = route(&[&["west"], &["east 100", "west 0"], &["other"]]);
        let switch = to_west(&[100]);
        let stages = switch.stages(&switch.read(&object).unwrap());
        assert_eq!(stages.len(), 1);
        let patched = switch.patch(&object, &stages[0]);
        let mut wanted = object["spec"]["rules"].clone();
        wanted[1]["backendRefs"][0]["weight"] = 0.into();
        wanted[1]["backendRefs"][1]["weight"] = 100.into();
        assert_eq!(patched, json!({ "spec": { "rules": wanted } }));
        let none = to_west(&[100]).read(&route(&[&["west"], &["east"]]));
        assert_eq!(
            none.unwrap_err(),
            "it has no rule that sends requests to west and to another backend"
        );
    }

    #[test]
    fn what_goes_back_is_written_as_it_was() {
        let object = route(&[&["east", "west 0"]]);
        let switch = to_west(&[100]);
        let before = switch.read(&object).unwrap();
        let mut moved = object.clone();
        moved["spec"]["rules"] = switch.patch(&object, &switch.stages(&before)[0])["spec"]["rules"].clone();
        assert_ne!(moved, object);
        let back = switch.patch(&moved, &before);
        assert_eq!(back["spec"]["rules"], object["spec"]["rules"]);
        // A server that writes the default by itself has not changed anything.
        let written = switch.read(&route(&[&["east 1", "west 0"]])).unwrap();
        assert!(written.same(&before) && written != before);
    }

    #[test]
    fn a_selector_is_replaced_as_a_whole() {
        let switch = Switch::Selector(BTreeMap::from([("app".to_owned(), "web".to_owned())]));
        let object = json!({ "spec": { "selector": { "app": "web", "track": "blue" } } });
        let before = switch.read(&object).unwrap();
        assert_eq!(before.to_string(), "app=web, track=blue");
        let stages = switch.stages(&before);
        assert_eq!(
            switch.patch(&object, &stages[0]),
            json!({ "spec": { "selector": { "app": "web", "track": null } } })
        );
        assert_eq!(switch.stages(&stages[0]), []);
        let none = switch.read(&json!({ "spec": { "externalName": "db.example" } }));
        assert!(none.unwrap_err().starts_with("it has no selector"));
    }

    #[test]
    fn who_wrote_last_is_taken_from_the_servers_record() {
        let entry = |manager: &str, field: &str, time: &str| json!({ "manager": manager, "time": time, "fieldsV1": { "f:spec": { field: {} } } });
        let object = json!({ "metadata": { "managedFields": [
            entry("kubectl-edit", "f:rules", "2026-11-22T23:05:00Z"),
            entry("lifeboat", "f:rules", "2026-11-22T23:00:00Z"),
            entry("argocd-controller", "f:hostnames", "2026-11-22T23:09:00Z"),
        ] } });
        let switch = to_west(&[100]);
        assert_eq!(
            switch.last_writer(&object).unwrap(),
            "kubectl-edit at 2026-11-22T23:05:00Z"
        );
        assert_eq!(switch.last_writer(&json!({})), None);
    }

    #[test]
    fn the_mark_reads_back_and_a_foreign_one_is_none() {
        let turned = Turned {
            by: "shop-f-1/switch".into(),
            before: Split::Weights(vec![vec![Share {
                name: "east".into(),
                weight: None,
            }]]),
        };
        let text = serde_json::to_string(&turned).unwrap();
        let object = json!({ "metadata": { "annotations": { TRAFFIC_BEFORE: text } } });
        assert_eq!(Turned::of(&object), Some(turned));
        let foreign = json!({ "metadata": { "annotations": { TRAFFIC_BEFORE: "blue" } } });
        assert_eq!(Turned::of(&foreign), None);
    }
}
