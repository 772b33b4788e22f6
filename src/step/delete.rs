//! `delete`: one object.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::target::Target;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{self, Effect, Query, Seen};
use crate::objects::ObjectId;

/// The kind.
#[derive(Debug)]
pub(super) struct Delete;

/// Which object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// The object, as `<kind>/<name>`.
    object: Target,
    /// Its namespace.
    namespace: Option<NamespaceName>,
    /// For a custom kind: its apiVersion.
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    /// Whether an object that is not there is fine.
    #[serde(default)]
    missing_ok: bool,
}

impl StepKind for Delete {
    const NAME: &'static str = "delete";
    const SUMMARY: &'static str = "Delete one object and wait until it is gone. Cannot be undone.";
    const EXAMPLE: &'static str = include_str!("../../examples/delete.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let id = ObjectId {
            api_version: "batch/v1".to_owned(),
            kind: "CronJob".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "nightly".to_owned(),
        };
        vec![Effect::Delete(effect::Delete {
            site: "west".to_owned(),
            id,
            missing_ok: false,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        params.object.check(params.api_version.as_deref(), params.space())
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        vec![params.question()]
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let there = !matches!(seen.get(&params.question())?, Seen::Object(None));
        if !there && !params.missing_ok {
            return Err(Refusal::no(
                format!("{} is not there on {}", params.id(), params.site.0),
                "write `missing_ok: true` if that is fine",
            ));
        }
        let effect = effect::Delete {
            site: params.site.0.clone(),
            id: params.id(),
            missing_ok: params.missing_ok,
        };
        Ok(Script {
            effects: vec![Effect::Delete(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, params.space());
        let missing = if params.missing_ok {
            " --ignore-not-found"
        } else {
            ""
        };
        vec![
            Hand::say(format!(
                "This cannot be undone. Look at {} first, and keep what you see.",
                params.id()
            )),
            Hand::run(format!("{kubectl} get {} -o yaml", params.object.word())),
            Hand::run(format!(
                "{kubectl} delete {}{missing} --wait --timeout={}",
                params.object.word(),
                place.timeout()
            )),
        ]
    }
}

impl Params {
    fn space(&self) -> Option<&str> {
        self.namespace.as_ref().map(|name| name.0.as_str())
    }

    fn id(&self) -> ObjectId {
        self.object.id(self.api_version.as_deref(), self.space())
    }

    fn question(&self) -> Query {
        Query::Object {
            site: self.site.0.clone(),
            id: self.id(),
        }
    }
}
