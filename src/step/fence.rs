//! `fence`: stop a site's namespaces and hold them stopped.
//!
//! Not the fence of epochs, which `lifeboat fence install` makes and which refuses older runs: this step is made of
//! a hold, which refuses new pods, whoever asks for them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, HoldNamespaces, Query, Receipt, ReleaseNamespaces, Seen, WakeControllers};
use crate::objects::{HOLD_LABEL, ObjectId, hold_objects, is_held};
use crate::text::shell_word;

/// The kind.
#[derive(Debug)]
pub(super) struct Fence;

/// What is stopped.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    pub(super) site: Role,
    /// Whole namespaces: every pod in them is stopped, and no new one begins.
    pub(super) namespaces: Vec<NamespaceName>,
}

impl StepKind for Fence {
    const NAME: &'static str = "fence";
    const SUMMARY: &'static str = "Stop everything in namespaces and hold it stopped, against people, controllers and GitOps; succeeds only with proof.";
    const OUTPUTS: &'static [&'static str] = &[Receipt::PROOF];
    const EXAMPLE: &'static str = include_str!("../../examples/fence.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![hold("west", vec!["shop".to_owned()])]
    }

    fn check(params: &Params) -> Result<(), String> {
        params.check()
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        params.questions()
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let mut free = Vec::new();
        for (namespace, found) in params.look(seen)? {
            match found {
                None => return Err(params.missing(namespace)),
                Some(found) if is_held(found) => {}
                Some(_) => free.push(namespace.to_owned()),
            }
        }
        // What was held before by somebody else is not let go when this is taken back.
        let undo = (!free.is_empty()).then(|| release(&params.site.0, &free));
        Ok(Script {
            effects: vec![hold(&params.site.0, params.names())],
            undo: undo.unwrap_or_default(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, None);
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": hold_objects() });
        let mut hands = vec![
            Hand::say(
                "Have the API server refuse new pods in namespaces with the label, whoever asks for them:",
            ),
            Hand::run(format!(
                "echo {} | {kubectl} apply -f -",
                shell_word(&list.to_string())
            )),
        ];
        for namespace in params.names() {
            let name = shell_word(&namespace);
            let inside = place.kubectl(&params.site.0, Some(&namespace));
            hands.push(Hand::run(format!(
                "{kubectl} label namespace {name} {HOLD_LABEL}=true --overwrite"
            )));
            hands.push(Hand::say("Ask for a pod that is not made, until lifeboat-hold refuses it; then stop what runs, without force:"));
            hands.push(Hand::run(format!(
                "{inside} run witness --image=witness --dry-run=server"
            )));
            hands.push(Hand::run(format!(
                "{inside} delete pods --all --wait --timeout={}",
                place.timeout()
            )));
            hands.push(Hand::run(format!("{inside} get pods -o wide")));
        }
        hands.push(Hand::say(
            "It is proved when no pod runs and a new one is refused. A pod that stays, or a site that does not answer, proves nothing: unreachable is not the same as down.",
        ));
        hands
    }
}

impl Params {
    pub(super) fn names(&self) -> Vec<String> {
        self.namespaces.iter().map(|name| name.0.clone()).collect()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let mut names = self.names();
        names.sort_unstable();
        names.dedup();
        match (names.is_empty(), names.len() == self.namespaces.len()) {
            (true, _) => Err("name at least one namespace".into()),
            (_, false) => Err("a namespace is named twice".into()),
            _ => Ok(()),
        }
    }

    pub(super) fn questions(&self) -> Vec<Query> {
        self.namespaces
            .iter()
            .map(|name| self.question(&name.0))
            .collect()
    }

    fn question(&self, namespace: &str) -> Query {
        Query::Object {
            site: self.site.0.clone(),
            id: ObjectId::namespace(namespace),
        }
    }

    /// Each namespace as it was seen; `None`: it is not there.
    pub(super) fn look<'s>(
        &'s self,
        seen: &'s Observed,
    ) -> Result<Vec<(&'s str, Option<&'s serde_json::Value>)>, Refusal> {
        let look = |name: &'s NamespaceName| {
            let found = match seen.get(&self.question(&name.0))? {
                Seen::Object(found) => found.as_ref(),
                _ => None,
            };
            Ok((name.0.as_str(), found))
        };
        self.namespaces.iter().map(look).collect()
    }

    fn missing(&self, namespace: &str) -> Refusal {
        Refusal::no(
            format!("there is no namespace {namespace} on {}", self.site.0),
            "compare the name with what is there; one that is not there cannot be held",
        )
    }
}

pub(super) fn hold(site: &str, namespaces: Vec<String>) -> Effect {
    Effect::HoldNamespaces(HoldNamespaces {
        site: site.to_owned(),
        namespaces,
    })
}

/// What it takes to let namespaces go: the hold, and the controllers that it has put off.
pub(super) fn release(site: &str, namespaces: &[String]) -> Vec<Effect> {
    vec![
        Effect::ReleaseNamespaces(ReleaseNamespaces {
            site: site.to_owned(),
            namespaces: namespaces.to_vec(),
        }),
        Effect::WakeControllers(WakeControllers {
            site: site.to_owned(),
            namespaces: namespaces.to_vec(),
        }),
    ]
}
