//! `scale`: set the size of workloads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::params::{LabelSelector, NamespaceName, Role};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{self, Effect, Query, Seen, WorkloadSeen};
use crate::objects::ObjectId;

/// The kind.
#[derive(Debug)]
pub(super) struct Scale;

/// Which workloads, and how large.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// Where the workloads are.
    namespace: NamespaceName,
    /// What kind of workload.
    #[serde(default)]
    kind: Workload,
    /// One workload by name; or use `selector`.
    name: Option<String>,
    /// All workloads with these labels; or use `name`.
    selector: Option<LabelSelector>,
    /// The wanted number of replicas.
    replicas: u32,
}

/// Kinds that have a size.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
enum Workload {
    #[default]
    Deployment,
    StatefulSet,
    ReplicaSet,
}

impl Workload {
    const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
        }
    }
}

impl StepKind for Scale {
    const NAME: &'static str = "scale";
    const SUMMARY: &'static str =
        "Set the replica count of workloads; down to 0 it waits until none is left.";
    const EXAMPLE: &'static str = include_str!("../../examples/scale.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let id = ObjectId {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web".to_owned(),
        };
        vec![Effect::Scale(effect::Scale {
            site: "west".to_owned(),
            id,
            from: 3,
            to: 0,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        match (&params.name, &params.selector) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("say which workloads: by `name` or by `selector`, not both".into()),
        }
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        vec![params.question()]
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let Seen::Workloads(found) = seen.get(&params.question())? else {
            return Err(params.nothing());
        };
        if found.is_empty() {
            return Err(params.nothing());
        }
        let changed: Vec<_> = found
            .iter()
            .filter(|one| one.replicas != params.replicas)
            .collect();
        Ok(Script {
            effects: found
                .iter()
                .map(|one| params.step(one, one.replicas, params.replicas))
                .collect(),
            undo: changed
                .iter()
                .rev()
                .map(|one| params.step(one, params.replicas, one.replicas))
                .collect(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let kind = params.kind.word().to_lowercase();
        let labels = params.selector.iter().flat_map(|labels| &labels.0);
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let which = match &params.name {
            Some(name) => crate::text::shell_word(name),
            None => format!("-l {}", crate::text::shell_word(&labels.join(","))),
        };
        let mut hands = vec![
            Hand::say("Write down the sizes as they are, to be able to go back:"),
            Hand::run(format!("{kubectl} get {kind} {which}")),
            Hand::run(format!(
                "{kubectl} scale {kind} {which} --replicas={}",
                params.replicas
            )),
        ];
        if params.replicas == 0 {
            hands.push(Hand::say(format!(
                "Look until none of their pods is left, for at most {}:",
                place.timeout()
            )));
            hands.push(Hand::run(format!("{kubectl} get pods")));
        }
        hands
    }
}

impl Params {
    fn question(&self) -> Query {
        Query::Workloads {
            site: self.site.0.clone(),
            namespace: self.namespace.0.clone(),
            kind: self.kind.word().to_owned(),
            name: self.name.clone(),
            selector: self.selector.iter().flat_map(|labels| labels.0.clone()).collect(),
        }
    }

    fn step(&self, workload: &WorkloadSeen, from: u32, to: u32) -> Effect {
        Effect::Scale(effect::Scale {
            site: self.site.0.clone(),
            id: workload.id.clone(),
            from,
            to,
        })
    }

    fn nothing(&self) -> Refusal {
        Refusal::no(
            format!(
                "no {} in {} on {} fits",
                self.kind.word(),
                self.namespace.0,
                self.site.0
            ),
            "compare the name or the labels with what runs there",
        )
    }
}
