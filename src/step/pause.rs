//! `pause`: let time pass.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{self, Effect};
use crate::text::Millis;

/// The kind.
#[derive(Debug)]
pub(super) struct Pause;

/// How long and what for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// How long.
    r#for: Millis,
    /// What the time is for; it stands in the report.
    reason: String,
}

impl StepKind for Pause {
    const NAME: &'static str = "pause";
    const SUMMARY: &'static str = "Let a fixed time pass, for caches to warm or replicas to settle.";
    const EXAMPLE: &'static str = include_str!("../../examples/pause.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::Pause(effect::Pause {
            for_ms: 2_000,
            reason: "caches to warm".to_owned(),
            after_change: false,
        })]
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = effect::Pause {
            for_ms: params.r#for.0,
            reason: params.reason.clone(),
            after_change: false,
        };
        Ok(Script {
            effects: vec![Effect::Pause(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, _: &Place<'_>) -> Vec<Hand> {
        vec![Hand::say(format!("Wait {} for {}.", params.r#for, params.reason))]
    }
}
