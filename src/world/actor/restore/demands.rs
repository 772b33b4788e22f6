//! What the objects of a restore ask of their target, gathered while planning: names that must be there,
//! and amounts that must fit. A few hundred bytes for an object with pods, a sum for the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::judge::Judged;
use crate::effect::Fate;
use crate::objects::{
    Amounts, ApiKind, Defaults, Handle, Limits, Names, ObjectId, Quota, Usage, add_amounts, wants,
};
use crate::world::actor::marks::text;

/// Who needs something: the first few, and how many.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    pub(super) first: Vec<String>,
    pub(super) count: u64,
    /// One of them is a pod itself, which the server would refuse at once.
    pub(super) refused: bool,
}

/// Names in a sentence; more would hide the sentence.
const NAMED: usize = 3;

impl Users {
    pub(super) fn note(&mut self, id: &ObjectId) {
        if self.first.len() < NAMED {
            self.first.push(id.to_string());
        }
        self.count += 1;
        self.refused |= is_pod(id);
    }

    pub(super) fn more(&self) -> u64 {
        self.count.saturating_sub(self.first.len() as u64)
    }
}

fn is_pod(id: &ObjectId) -> bool {
    id.kind == "Pod" && id.group().is_empty()
}

/// One object with pods, or one claim.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) id: ObjectId,
    pub(super) kind: ApiKind,
    /// What counts of it.
    pub(super) now: Slim,
    /// What counts of what is there under its name.
    pub(super) before: Option<Slim>,
}

/// The part of an object that quotas and limits look at, as JSON: as a tree of values it takes five KiB, and a
/// restore of 50,000 objects has 5,000 of them.
#[derive(Debug)]
pub(super) struct Slim(Box<str>);

impl Slim {
    fn of(part: &Value) -> Self {
        Self(part.to_string().into())
    }

    /// The part as a tree again.
    pub(super) fn value(&self) -> Value {
        // What was written from a value can be read.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Load {
    /// How much more than before it is.
    pub(super) fn usage(&self, defaults: &Defaults) -> Usage {
        let before = self.before.as_ref().map(Slim::value);
        growth(&self.kind, &self.now.value(), before.as_ref(), defaults)
    }

    /// The server would refuse it itself, and not only its pods.
    pub(super) fn is_refused(&self) -> bool {
        self.before.is_none() && (is_pod(&self.id) || self.id.kind == "PersistentVolumeClaim")
    }
}

/// How much more an object asks for than what was there before.
fn growth(kind: &ApiKind, now: &Value, before: Option<&Value>, defaults: &Defaults) -> Usage {
    let mut usage = Usage::of(kind, now, defaults);
    if let Some(before) = before {
        let before = Usage::of(kind, before, defaults);
        add_amounts(&mut usage.own, &before.own, true);
        add_amounts(&mut usage.pods, &before.pods, true);
    }
    usage
}

/// What is asked of one namespace.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// It is there already.
    pub(super) there: bool,
    /// Objects of which only the number counts.
    pub(super) own: Amounts,
    pub(super) loads: Vec<Load>,
    /// Quotas and limits that the restore makes or changes.
    pub(super) quotas: BTreeMap<String, Quota>,
    pub(super) limits: BTreeMap<String, Vec<Limits>>,
}

/// All that is asked.
#[derive(Debug, Default)]
pub(super) struct Demands {
    pub(super) wants: BTreeMap<Handle, Users>,
    pub(super) rooms: BTreeMap<String, Room>,
}

impl Demands {
    /// One prepared object, of the kind that the site serves.
    pub(super) fn note(
        &mut self,
        kind: Option<&ApiKind>,
        id: &ObjectId,
        object: &Value,
        judged: &Judged,
        names: &mut Names,
    ) {
        if !matches!(judged.fate, Fate::Create | Fate::Update | Fate::Replace) {
            return;
        }
        for want in wants(object, names) {
            self.wants.entry(want).or_default().note(id);
        }
        let (Some(kind), Some(namespace)) = (kind, &id.namespace) else {
            return;
        };
        let room = self.rooms.entry(namespace.clone()).or_default();
        let now = slim(object);
        let before = judged.object.as_ref().map(slim);
        match kind.resource().as_str() {
            "resourcequotas" => drop(room.quotas.insert(id.name.clone(), Quota::of(object))),
            "limitranges" => drop(room.limits.insert(id.name.clone(), Limits::all_of(object))),
            _ if now.get("spec").is_some() => room.loads.push(Load {
                id: id.clone(),
                kind: kind.clone(),
                now: Slim::of(&now),
                before: before.as_ref().map(Slim::of),
            }),
            _ => {
                let usage = growth(kind, &now, before.as_ref(), &Defaults::default());
                add_amounts(&mut room.own, &usage.own, false);
            }
        }
    }

    /// These namespaces are there already.
    pub(super) fn found(&mut self, there: &BTreeSet<String>) {
        for (name, room) in &mut self.rooms {
            room.there = there.contains(name);
        }
    }
}

/// The part of an object that quotas and limits look at. What has no pods and is no claim keeps no spec.
fn slim(object: &Value) -> Value {
    let part = |value: &Value, names: &[&str]| -> Value {
        let fields = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), value.get(name)?.clone())));
        Value::Object(fields.collect())
    };
    let mut slim = part(object, &["apiVersion", "kind"]);
    let pods = |spec: &Value| {
        let containers = |at: &str| -> Value {
            let all = spec.get(at).and_then(Value::as_array).into_iter().flatten();
            all.map(|one| part(one, &["resources", "restartPolicy"]))
                .collect()
        };
        let mut slim = part(spec, &["overhead", "resources"]);
        slim["containers"] = containers("containers");
        slim["initContainers"] = containers("initContainers");
        slim
    };
    let Some(spec) = object.get("spec") else {
        return slim;
    };
    match text(object, "/kind") {
        "Pod" => slim["spec"] = pods(spec),
        "Service" => slim["spec"] = part(spec, &["type", "ports", "allocateLoadBalancerNodePorts"]),
        "PersistentVolumeClaim" => slim["spec"] = part(spec, &["resources", "storageClassName"]),
        "CronJob" => {
            if let Some(template) = spec.pointer("/jobTemplate/spec/template/spec") {
                slim["spec"] =
                    json!({ "jobTemplate": { "spec": { "template": { "spec": pods(template) } } } });
            }
        }
        _ => {
            if let Some(template) = spec.pointer("/template/spec") {
                slim["spec"] = part(spec, &["replicas", "parallelism", "completions", "suspend"]);
                slim["spec"]["template"] = json!({ "spec": pods(template) });
            }
        }
    }
    slim
}
