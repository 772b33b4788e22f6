//! `accept`: a named person takes a named risk, where nothing has proved that there is none.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::params::{Person, Proved};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Ask, Effect, Expected, Hazard};
use crate::text::Text;

/// The kind.
#[derive(Debug)]
pub(super) struct Accept;

/// Which risk, and who may take it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What may happen.
    risk: Hazard,
    /// Roles of people who may take it, as named under `people`; at least one.
    by: Vec<Person>,
    /// Steps of the kind `fence`. If each of them has given its proof in the same run, nobody is asked.
    #[serde(default)]
    unless_proved: Vec<Proved>,
    /// The question, so that yes means to answer for it. Without it: what the risk is.
    question: Option<Text>,
}

impl StepKind for Accept {
    const NAME: &'static str = "accept";
    const SUMMARY: &'static str = "Have a person take a risk in his own name, with a reason, unless a fence has proved that there is none.";
    const EXAMPLE: &'static str = include_str!("../../examples/accept.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::Ask(Ask {
            question: Text::known(Hazard::SplitBrain.question()),
            by: vec!["incident-commander".to_owned()],
            expected: Expected::Acceptance(Hazard::SplitBrain),
            unless_proved: vec!["stop-active".to_owned()],
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        if params.by.is_empty() {
            return Err("say who may take the risk: `by` names at least one role".into());
        }
        Ok(())
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Ask {
            question: params.question(),
            by: params.by.iter().map(|role| role.0.clone()).collect(),
            expected: Expected::Acceptance(params.risk),
            unless_proved: params.unless_proved.iter().map(|step| step.0.clone()).collect(),
        };
        Ok(Script {
            effects: vec![Effect::Ask(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let roles: Vec<&str> = params.by.iter().map(|role| role.0.as_str()).collect();
        let ask = format!(
            "ask {}: \u{201c}{}\u{201d} ({})",
            place.people(&roles),
            in_words(&params.question()),
            params.risk
        );
        let steps: Vec<&str> = params.unless_proved.iter().map(|step| step.0.as_str()).collect();
        vec![
            Hand::say(if steps.is_empty() {
                format!("A{}", ask.trim_start_matches('a'))
            } else {
                format!("Unless {} has proved it, {ask}", steps.join(" and "))
            }),
            Hand::say("Go on only after a yes. Write down who takes the risk, in which role, when, and why."),
        ]
    }
}

impl Params {
    fn question(&self) -> Text {
        let usual = || Text::known(self.risk.question());
        self.question.clone().unwrap_or_else(usual)
    }
}
