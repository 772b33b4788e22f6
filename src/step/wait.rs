//! `wait`: until an object is in a condition.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::target::Target;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Await, Condition, Effect};
use crate::objects::ObjectId;

/// The kind.
#[derive(Debug)]
pub(super) struct Wait;

/// What to wait for. The step's `timeout` says how long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// The object, as `<kind>/<name>`.
    r#for: Target,
    /// Its namespace.
    namespace: Option<NamespaceName>,
    /// For a custom kind: its apiVersion.
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    /// `available` (a workload serves its whole size), `exists`, `gone`, `complete` (a Job), or the
    /// type of a condition in its status, such as `Ready`.
    condition: String,
    /// With `available`: at least this many ready replicas instead of its whole size.
    replicas: Option<u32>,
}

impl StepKind for Wait {
    const NAME: &'static str = "wait";
    const SUMMARY: &'static str = "Wait until an object is in a condition; says meanwhile what is missing.";
    const PROVES_HEALTH: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/wait.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let id = ObjectId {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web".to_owned(),
        };
        let condition = Condition::Available { replicas: None };
        vec![Effect::Await(Await {
            site: "west".to_owned(),
            id,
            condition,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        if params.replicas.is_some() && params.condition != "available" {
            return Err("`replicas` goes with `condition: available` only".into());
        }
        params.r#for.check(params.api_version.as_deref(), params.space())
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Await {
            site: params.site.0.clone(),
            id: params.r#for.id(params.api_version.as_deref(), params.space()),
            condition: params.wanted(),
        };
        Ok(Script {
            effects: vec![Effect::Await(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, params.space());
        let (object, timeout) = (params.r#for.word(), place.timeout());
        let until = |what: &str| Hand::run(format!("{kubectl} wait {what} {object} --timeout={timeout}"));
        match params.wanted() {
            Condition::Available { replicas } => {
                let enough =
                    replicas.map_or_else(String::new, |n| format!(" At least {n} have to be ready."));
                vec![
                    Hand::run(format!("{kubectl} rollout status {object} --timeout={timeout}")),
                    Hand::say(format!(
                        "It is done when every replica is there and ready.{enough}"
                    )),
                ]
            }
            Condition::Exists => vec![
                Hand::run(format!("{kubectl} get {object}")),
                Hand::say(format!(
                    "It is done when the object is there; look again for at most {timeout}."
                )),
            ],
            Condition::Gone => vec![
                until("--for=delete"),
                Hand::say("It is done when the object is gone."),
            ],
            Condition::Complete => vec![
                until("--for=condition=complete"),
                Hand::say("It is done when the Job has completed."),
            ],
            Condition::Status(kind) => {
                let condition = crate::text::shell_word(&format!("--for=condition={kind}"));
                vec![
                    until(&condition),
                    Hand::say(format!("It is done when the condition {kind} is true.")),
                ]
            }
        }
    }
}

impl Params {
    fn space(&self) -> Option<&str> {
        self.namespace.as_ref().map(|name| name.0.as_str())
    }

    fn wanted(&self) -> Condition {
        match self.condition.as_str() {
            "available" => Condition::Available {
                replicas: self.replicas,
            },
            "exists" => Condition::Exists,
            "gone" => Condition::Gone,
            "complete" => Condition::Complete,
            other => Condition::Status(other.to_owned()),
        }
    }
}
