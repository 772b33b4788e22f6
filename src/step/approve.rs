//! `approve`: a person says yes before it goes on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::params::Person;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
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
            unless_proved: Vec::new(),
        })]
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Ask {
            question: params.question.clone(),
            by: params.by.iter().map(|role| role.0.clone()).collect(),
            expected: Expected::Approval,
            unless_proved: Vec::new(),
        };
        Ok(Script {
            effects: vec![Effect::Ask(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let roles: Vec<&str> = params.by.iter().map(|role| role.0.as_str()).collect();
        vec![
            Hand::say(format!(
                "Ask {}: \u{201c}{}\u{201d}",
                place.people(&roles),
                in_words(&params.question)
            )),
            Hand::say("Go on only after a yes. Write down who said it, when, and why."),
        ]
    }
}
