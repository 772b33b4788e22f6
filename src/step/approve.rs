//! `approve`: a person says yes before it goes on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::Person;
use super::{Observed, Refusal, Scene, Script, StepKind};
use crate::effect::{Ask, Effect, Expected};
use crate::text::Text;

/// The kind.
#[derive(Debug)]
pub(super) struct Approve;

/// Who is asked, and what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Roles of people who may answer, as named under `people`. Without it: anybody who gives a name.
    #[serde(default)]
    by: Vec<Person>,
    /// The question, so that yes means go on.
    question: Text,
}

impl StepKind for Approve {
    const NAME: &'static str = "approve";
    const SUMMARY: &'static str = "Ask a person, and go on only after a yes with a name and a reason.";
    const EXAMPLE: &'static str = include_str!("../../examples/approve.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let question = Text::known("Send customers to west?");
        vec![Effect::Ask(Ask {
            question,
            by: vec!["incident-commander".to_owned()],
            expected: Expected::Approval,
        })]
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Ask {
            question: params.question.clone(),
            by: params.by.iter().map(|role| role.0.clone()).collect(),
            expected: Expected::Approval,
        };
        Ok(Script {
            effects: vec![Effect::Ask(effect)],
            undo: Vec::new(),
        })
    }
}
