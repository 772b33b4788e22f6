//! `notify`: tell people or machines that something has happened.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::params::ReceiverName;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, InDrill, Manner, Tell};
use crate::runbook::ReceiverEndpoint;
use crate::text::Text;

/// The kind.
#[derive(Debug)]
pub(super) struct Notify;

/// Who is told, and what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Who, as the inventory names them under `notify`. Their addresses and keys are not in the runbook.
    to: ReceiverName,
    /// What is said, which may hold `${steps.…}`. It is also in the plan and in the report.
    #[schemars(length(min = 1))]
    text: Text,
    /// What a drill does with it.
    #[serde(default)]
    in_drill: InDrill,
}

impl StepKind for Notify {
    const NAME: &'static str = "notify";
    const SUMMARY: &'static str = "Tell people or machines what has happened; never fails, and waits for 10 s at most.";
    const EXAMPLE: &'static str = include_str!("../../examples/notify.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::Tell(Tell {
            receiver: "on-call".to_owned(),
            text: Text::known("The shop is served by west now."),
            in_drill: InDrill::default(),
            manner: Manner::default(),
        })]
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Tell {
            receiver: params.to.0.clone(),
            text: params.text.clone(),
            in_drill: params.in_drill,
            manner: Manner::Real,
        };
        Ok(Script {
            effects: vec![Effect::Tell(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let name = &params.to.0;
        let receiver = place.sites.notify.get(name);
        let how = match receiver.map(|receiver| &receiver.endpoint) {
            Some(ReceiverEndpoint::Slack { .. }) => " in their Slack channel",
            Some(ReceiverEndpoint::Webhook { .. }) => " by telephone: their webhook takes signed messages only",
            Some(ReceiverEndpoint::Embedded) | None => "",
        };
        vec![Hand::say(format!(
            "Tell {name}{how}: \u{201c}{}\u{201d}",
            in_words(&params.text)
        ))]
    }
}
