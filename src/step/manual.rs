//! `manual`: a person does something by hand.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::params::Person;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Ask, Effect, Expected};
use crate::text::Text;

/// The kind.
#[derive(Debug)]
pub(super) struct Manual;

/// Who does what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Roles of people who may do it, as named under `people`. Without it: anybody who gives a name.
    #[serde(default)]
    by: Vec<Person>,
    /// What to do, complete enough for somebody who has never done it.
    instructions: Text,
}

impl StepKind for Manual {
    const NAME: &'static str = "manual";
    const SUMMARY: &'static str = "Have a person do something by hand and say that it is done.";
    const EXAMPLE: &'static str = include_str!("../../examples/manual.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let question = Text::known("Call the bank.");
        vec![Effect::Ask(Ask {
            question,
            by: vec!["incident-commander".to_owned()],
            expected: Expected::Work,
            unless_proved: Vec::new(),
        })]
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Ask {
            question: params.instructions.clone(),
            by: params.by.iter().map(|role| role.0.clone()).collect(),
            expected: Expected::Work,
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
            Hand::say(format!("To be done by {}:", place.people(&roles))),
            Hand::say(in_words(&params.instructions)),
        ]
    }
}
