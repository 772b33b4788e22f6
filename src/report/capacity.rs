//! Whether the pods that a plan brings find room on the nodes of their site: lines of the preflight list.
//!
//! ## Why
//!
//! - **Never `fail`.** A pod without a node waits and is not refused, and whether something adds nodes cannot be seen
//!   from here for sure: a cloud's own autoscaler leaves no trace in the cluster.
//! - **What is not known is not counted as nothing.** A backup that an earlier step of the run makes, nodes that may not
//!   be listed, nodes that are only played: the line says so, and is `not checkable`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::forecast::seen;
use super::preflight::{About, Asked, Check, Fitness, check};
use super::units::{bytes, count};
use crate::effect::{Effect, ErrorKind, Fate, Query, Seen, WorldError};
use crate::objects::{Coming, Defaults, Nodes, ObjectId, Portion, Shortage};
use crate::plan::{Part, Plan};

/// What a plan brings to one site, as far as it knows; the rest is asked.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// Pods of which the plan knows.
    pub coming: Coming,
    /// What is not known, each a fragment.
    pub unknown: Vec<String>,
    /// Objects that have to be looked at to know it.
    looks: Vec<Look>,
    /// Namespaces that are let go.
    held: BTreeSet<String>,
}

/// A workload that is there or not, and what it will be.
#[derive(Clone, Debug)]
struct Look {
    id: ObjectId,
    will: Will,
}

#[derive(Clone, Debug)]
enum Will {
    /// As given.
    Be(Box<Value>),
    /// Of this size.
    Have(u32),
}

/// What a plan brings, by site. A site to which nothing comes is not in it.
pub fn brought(plan: &Plan) -> BTreeMap<String, Brought> {
    let mut sites: BTreeMap<String, Brought> = BTreeMap::new();
    let steps = plan.steps.iter().filter(|step| step.part == Part::Done);
    let mut restored = BTreeSet::new();
    for step in steps {
        for effect in &step.effects {
            let Some(site) = effect.meaning().site() else {
                continue;
            };
            let one = sites.entry(site.to_owned()).or_default();
            match effect {
                Effect::RestoreObjects(_) => one.restore(&step.name, seen(plan, effect), site, &mut restored),
                Effect::Apply(apply) => one.looks.push(Look {
                    id: apply.id(),
                    will: Will::Be(Box::new(apply.object.clone())),
                }),
                Effect::Scale(scale) if scale.to > scale.from => one.looks.push(Look {
                    id: scale.id.clone(),
                    will: Will::Have(scale.to),
                }),
                Effect::WakeControllers(wake) => one.held.extend(wake.namespaces.iter().cloned()),
                _ => {}
            }
        }
    }
    for (site, one) in &mut sites {
        // What the restore brings is counted with the size that the backup gives it.
        one.looks
            .retain(|look| !restored.contains(&(site.clone(), look.id.clone())));
    }
    sites.retain(|_, one| !one.is_nothing());
    sites
}

impl Brought {
    fn restore(
        &mut self,
        step: &str,
        seen: Option<&Seen>,
        site: &str,
        restored: &mut BTreeSet<(String, ObjectId)>,
    ) {
        match seen {
            Some(Seen::Restore(preview)) if preview.backup.is_some() => {
                self.coming.join(&preview.coming);
                let made = preview
                    .fates
                    .iter()
                    .filter(|one| matches!(one.fate, Fate::Create | Fate::Update | Fate::Replace));
                restored.extend(made.map(|one| (site.to_owned(), one.id)));
            }
            Some(Seen::Restore(_)) => self.unknown.push(format!(
                "what step {step} brings is known when an earlier step has made its backup"
            )),
            _ => self
                .unknown
                .push(format!("what step {step} brings could not be looked at")),
        }
    }

    fn is_nothing(&self) -> bool {
        self.coming.is_nothing() && self.unknown.is_empty() && self.looks.is_empty() && self.held.is_empty()
    }

    /// Whether something comes, or may come.
    pub fn matters(&self) -> bool {
        !self.coming.is_nothing() || !self.unknown.is_empty()
    }

    /// What has to be asked of the site: its objects, and in the end its nodes.
    pub fn questions(&self, site: &str) -> Vec<Query> {
        let looks = self.looks.iter().map(|look| Query::Object {
            site: site.to_owned(),
            id: look.id.clone(),
        });
        let capacity = Query::Capacity {
            site: site.to_owned(),
            held: self.held.iter().cloned().collect(),
        };
        looks.chain([capacity]).collect()
    }

    /// Takes the answers in, in the order of [`Self::questions`]; what the nodes have left.
    ///
    /// # Errors
    ///
    /// The nodes could not be looked at.
    pub fn settle(&mut self, answers: Vec<Result<Seen, WorldError>>) -> Result<Nodes, WorldError> {
        let mut nodes = Err(WorldError::new(ErrorKind::Internal, "", "nobody was asked"));
        let looks = std::mem::take(&mut self.looks);
        let mut looks = looks.into_iter();
        for answer in answers {
            match answer {
                Ok(Seen::Capacity(found)) => {
                    self.coming.join(&found.1);
                    nodes = Ok(found.0);
                }
                Ok(Seen::Object(found)) => self.look(looks.next(), found.as_ref()),
                Ok(Seen::Unanswered(error)) | Err(error) => match looks.next() {
                    Some(look) => self.unknown.push(format!("{} could not be looked at", look.id)),
                    None => nodes = Err(error),
                },
                Ok(_) => {}
            }
        }
        nodes
    }

    fn look(&mut self, look: Option<Look>, found: Option<&Value>) {
        let Some(Look { id, will }) = look else { return };
        let none = Defaults::default();
        match (will, found) {
            (Will::Be(object), found) => self.coming.note(&id, &object, found, &none),
            (Will::Have(size), Some(found)) => {
                let mut then = found.clone();
                then["spec"]["replicas"] = size.into();
                self.coming.note(&id, &then, Some(found), &none);
            }
            (Will::Have(_), None) => self.unknown.push(format!("{id} is not there yet")),
        }
    }
}

/// One line for each site to which pods come.
pub(super) fn of_capacity(asked: &Asked) -> Vec<Check> {
    let lines = asked.capacity.iter().map(|(site, (brought, nodes))| {
        if matches!(asked.sites.get(site), Some(Err(_))) {
            let said = format!("{}, and the site does not answer", comes(&brought.coming));
            return one(site, Fitness::NotCheckable, said);
        }
        match nodes {
            Ok(nodes) => at_site(site, brought, nodes),
            Err(error) => one(
                site,
                Fitness::NotCheckable,
                format!(
                    "{}; nodes and pods of all namespaces cannot be looked at: {}",
                    comes(&brought.coming),
                    error.message
                ),
            )
            .todo("have `list` on nodes and pods granted, cluster-wide; or look: kubectl describe nodes"),
        }
    });
    lines.collect()
}

fn one(site: &str, fitness: Fitness, said: String) -> Check {
    check(About::Capacity, site, fitness, said)
}

fn at_site(site: &str, brought: &Brought, nodes: &Nodes) -> Check {
    let coming = &brought.coming;
    let comes = comes(coming);
    let open = nodes.open.len() as u64;
    if nodes.all == 0 {
        let said = format!("{comes}, and the API server names no node: whether there is room is not known");
        return one(site, Fitness::NotCheckable, said);
    }
    if nodes.played > 0 && nodes.played == open {
        let said = format!(
            "{comes}; every node that takes pods is only played (kwok), and holds whatever it is told"
        );
        return one(site, Fitness::NotCheckable, said);
    }
    let short = nodes.short_of(coming);
    let grows = grows(nodes);
    if open == 0 && coming.pods > 0 {
        let said = format!("{comes}, and no node takes a pod now ({}){grows}", closed(nodes));
        return one(site, Fitness::Warn, said).todo("uncordon or add nodes");
    }
    if !short.is_empty() {
        let said: Vec<String> = short.iter().map(shortage).collect();
        let said = format!(
            "{comes}; {}; {}{}{grows}",
            free(nodes),
            said.join(", "),
            others(brought, nodes)
        );
        return one(site, Fitness::Warn, said)
            .todo("add nodes, or have less come up: what finds no room stays Pending");
    }
    let said = format!("{comes}; {}{}", free(nodes), others(brought, nodes));
    let fitness = if brought.unknown.is_empty() {
        Fitness::Ok
    } else {
        Fitness::NotCheckable
    };
    one(site, fitness, said)
}

/// `5 pods come (cpu 2500m, memory 4.0 GiB)`.
fn comes(coming: &Coming) -> String {
    let what = match (coming.pods, coming.asks == Portion::default()) {
        (0, _) => return "no pod is known to come".to_owned(),
        (_, true) => String::new(),
        (_, false) => format!(" ({})", portion(coming.asks)),
    };
    let verb = if coming.pods == 1 { "comes" } else { "come" };
    format!("{} {verb}{what}", number(coming.pods, "pod"))
}

fn portion(one: Portion) -> String {
    format!("cpu {}, memory {}", one.cpu, bytes(one.memory.whole()))
}

/// `free on 3 of 5 nodes (others: 1 cordoned, 1 not ready): cpu 9, memory 30.0 GiB, 300 pods`.
fn free(nodes: &Nodes) -> String {
    let left = nodes.left();
    let place = match (nodes.open.len() as u64, nodes.all) {
        (open, all) if open == all => count(nodes.open.len(), "node"),
        (open, all) => format!("{open} of {} (others: {})", number(all, "node"), closed(nodes)),
    };
    format!(
        "free on {place}: {}, {}",
        portion(left.share),
        number(left.pods, "pod")
    )
}

fn number(n: u64, noun: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), noun)
}

fn closed(nodes: &Nodes) -> String {
    let why = nodes.closed.iter().map(|(why, count)| format!("{count} {why}"));
    why.collect::<Vec<_>>().join(", ")
}

fn grows(nodes: &Nodes) -> String {
    match nodes.growers.as_slice() {
        [] => String::new(),
        all => format!(
            "; {} is there and may add nodes, nobody knows how many",
            all.join(" and ")
        ),
    }
}

fn shortage(short: &Shortage) -> String {
    match short {
        Shortage::Pods => "too little room for pods".to_owned(),
        Shortage::Cpu => "too little cpu".to_owned(),
        Shortage::Memory => "too little memory".to_owned(),
        Shortage::One(who, asks) => format!("no node has room for one pod of {who} ({})", portion(*asks)),
    }
}

/// What the numbers leave out.
fn others(brought: &Brought, nodes: &Nodes) -> String {
    let (silent, daemons, waiting) = (brought.coming.silent, brought.coming.daemons, nodes.waiting);
    let mut said = Vec::new();
    if silent > 0 {
        said.push(format!("{silent} of those that come ask for nothing"));
    }
    if daemons > 0 {
        said.push(format!(
            "{} besides, a pod on each node, not counted",
            number(daemons, "DaemonSet")
        ));
    }
    if waiting > 0 {
        said.push(format!(
            "{} without a node already, counted first",
            number(waiting, "pod")
        ));
    }
    if nodes.played > 0 {
        said.push(format!("{} only played by kwok", number(nodes.played, "node")));
    }
    said.extend(brought.unknown.iter().cloned());
    super::lines::each(said, |one| format!("; {one}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::preflight::{preflight_text, worst};
    use crate::report::sample;

    fn node(name: &str, cpu: &str, memory: &str) -> Value {
        json!({ "metadata": { "name": name }, "status": {
            "allocatable": { "cpu": cpu, "memory": memory, "pods": "110" },
            "conditions": [{ "type": "Ready", "status": "True" }] } })
    }

    fn deployment(replicas: u64, requests: &Value) -> Value {
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": replicas, "template": { "spec": {
            "containers": [{ "name": "c", "resources": { "requests": requests } }] } } } })
    }

    /// Of a failover whose restore brings five pods.
    fn plan() -> Plan {
        let mut plan = sample::failover();
        for sighting in &mut plan.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                let preview = std::sync::Arc::make_mut(preview);
                let web = sample::object("Deployment", Some("shop"), "web");
                let asks = json!({ "cpu": "500m", "memory": "1Gi" });
                preview
                    .coming
                    .bring(&web, 4, &deployment(4, &asks), &Defaults::default());
                let db = sample::object("Deployment", Some("shop"), "db");
                preview
                    .coming
                    .bring(&db, 1, &deployment(1, &json!({})), &Defaults::default());
            }
        }
        plan
    }

    fn text(plan: &Plan, answer: &Result<Nodes, WorldError>) -> String {
        let mut asked = Asked::default();
        for (site, mut brought) in brought(plan) {
            let nodes = answer
                .clone()
                .map(|nodes| Seen::Capacity(Box::new((nodes, Coming::default()))));
            let silence = brought.questions(&site).len() - 1;
            let mut answers: Vec<_> = (0..silence).map(|_| Ok(Seen::Object(None))).collect();
            answers.push(nodes);
            let nodes = brought.settle(answers);
            asked.capacity.insert(site, (brought, nodes));
        }
        let checks = of_capacity(&asked);
        assert!(
            worst(&checks) < Fitness::Fail,
            "a pod without a node waits: {checks:?}"
        );
        preflight_text(&checks, 100)
    }

    fn nodes(all: &[Value]) -> Nodes {
        Nodes::of(all, [])
    }

    #[test]
    fn what_fits_says_how_much_is_left_and_what_was_not_counted() {
        let cordoned = json!({ "metadata": { "name": "c" }, "spec": { "unschedulable": true }, "status": {
            "conditions": [{ "type": "Ready", "status": "True" }] } });
        let found = nodes(&[node("a", "4", "8Gi"), node("b", "4", "8Gi"), cordoned]);
        insta::assert_snapshot!(text(&plan(), &Ok(found)), @"
        ok  capacity west  5 pods come (cpu 2, memory 4.0 GiB); free on 2 of 3 nodes (others: 1
                           cordoned): cpu 8, memory 16.0 GiB, 220 pods; 1 of those that come ask for
                           nothing
        ");
    }

    #[test]
    fn what_does_not_fit_is_a_warning_with_numbers() {
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&[node("a", "1", "16Gi")]))), @"
        warn  capacity west  5 pods come (cpu 2, memory 4.0 GiB); free on 1 node: cpu 1, memory 16.0
                             GiB, 110 pods; too little cpu; 1 of those that come ask for nothing
                             to do: add nodes, or have less come up: what finds no room stays Pending
        ");
        let small = [node("a", "400m", "16Gi"), node("b", "4", "512Mi")];
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&small))), @"
        warn  capacity west  5 pods come (cpu 2, memory 4.0 GiB); free on 2 nodes: cpu 4400m, memory
                             16.5 GiB, 220 pods; no node has room for one pod of Deployment shop/web
                             (cpu 500m, memory 1.0 GiB); 1 of those that come ask for nothing
                             to do: add nodes, or have less come up: what finds no room stays Pending
        ");
        let mut karpenter = node("a", "1", "1Gi");
        karpenter["metadata"]["labels"] = json!({ "karpenter.sh/nodepool": "default" });
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&[karpenter]))), @"
        warn  capacity west  5 pods come (cpu 2, memory 4.0 GiB); free on 1 node: cpu 1, memory 1.0 GiB,
                             110 pods; too little cpu, too little memory; 1 of those that come ask for
                             nothing; Karpenter is there and may add nodes, nobody knows how many
                             to do: add nodes, or have less come up: what finds no room stays Pending
        ");
        let mut tainted = node("a", "64", "256Gi");
        tainted["spec"]["taints"] = json!([{ "key": "gpu", "effect": "NoSchedule" }]);
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&[tainted]))), @"
        warn  capacity west  5 pods come (cpu 2, memory 4.0 GiB), and no node takes a pod now (1
                             tainted)
                             to do: uncordon or add nodes
        ");
    }

    #[test]
    fn what_nobody_can_know_is_not_checkable() {
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&[]))), @"
        not checkable  capacity west  5 pods come (cpu 2, memory 4.0 GiB), and the API server names no
                                      node: whether there is room is not known
        ");
        let mut played = node("a", "64", "256Gi");
        played["status"]["nodeInfo"] = json!({ "kubeletVersion": "kwok-v0.7.0" });
        insta::assert_snapshot!(text(&plan(), &Ok(nodes(&[played]))), @"
        not checkable  capacity west  5 pods come (cpu 2, memory 4.0 GiB); every node that takes pods is
                                      only played (kwok), and holds whatever it is told
        ");
        let message = "nodes is forbidden: User \"lifeboat\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        let refused = WorldError::new(ErrorKind::Forbidden, "west", message);
        insta::assert_snapshot!(text(&plan(), &Err(refused)), @r#"
        not checkable  capacity west  5 pods come (cpu 2, memory 4.0 GiB); nodes and pods of all
                                      namespaces cannot be looked at: nodes is forbidden: User
                                      "lifeboat" cannot list resource "nodes" in API group "" at the
                                      cluster scope
                                      to do: have `list` on nodes and pods granted, cluster-wide; or
                                             look: kubectl describe nodes
        "#);
        let mut later = plan();
        for sighting in &mut later.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                *preview = std::sync::Arc::default();
            }
        }
        insta::assert_snapshot!(text(&later, &Ok(nodes(&[node("a", "4", "8Gi")]))), @"
        not checkable  capacity west  no pod is known to come; free on 1 node: cpu 4, memory 8.0 GiB,
                                      110 pods; what step restore brings is known when an earlier step
                                      has made its backup
        ");
    }

    #[test]
    fn a_plan_that_brings_nothing_has_no_such_line() {
        let mut plan = sample::failover();
        plan.steps.retain(|step| step.kind != "restore");
        let brought = brought(&plan);
        assert!(brought.values().all(|one| !one.matters()), "{brought:?}");
    }

    #[test]
    fn what_is_scaled_up_comes_and_what_a_restore_brings_is_not_counted_twice() {
        let web = sample::object("Deployment", Some("shop"), "web");
        let asks = json!({ "cpu": "1" });
        let mut one = Brought::default();
        one.looks.push(Look {
            id: web.clone(),
            will: Will::Have(5),
        });
        let there = deployment(2, &asks);
        let answers = vec![Ok(Seen::Object(Some(there))), Ok(Seen::Capacity(Box::default()))];
        assert!(one.settle(answers).is_ok());
        assert_eq!(
            (one.coming.pods, one.coming.asks.cpu.to_string()),
            (3, "3".to_owned())
        );
        let mut plan = plan();
        let scale = crate::effect::Scale {
            site: "west".into(),
            id: web.clone(),
            from: 0,
            to: 3,
        };
        plan.steps
            .push(sample::step("scale", "scale", &[], vec![Effect::Scale(scale)]));
        assert_eq!(brought(&plan)["west"].looks.len(), 1);
        for sighting in &mut plan.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                let fate = crate::effect::FateOf {
                    fate: Fate::Create,
                    id: web.clone(),
                    why: String::new(),
                    takes_from: Vec::new(),
                };
                std::sync::Arc::make_mut(preview).fates = [fate].into_iter().collect();
            }
        }
        assert_eq!(brought(&plan)["west"].looks.len(), 0);
    }
}
