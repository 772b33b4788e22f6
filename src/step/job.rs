//! `job`: run a Kubernetes Job to its end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::{Observed, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, RunJob};

/// The kind.
#[derive(Debug)]
pub(super) struct Job;

/// What to run and as whom.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// Where.
    namespace: NamespaceName,
    /// The image.
    image: String,
    /// The command as a list of arguments; there is no shell. Without it: the image's own.
    #[serde(default)]
    command: Vec<String>,
    /// Environment variables. Never secrets: those come by `env_from_secret`.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Secrets of the namespace whose keys become environment variables.
    #[serde(default)]
    env_from_secret: Vec<String>,
    /// The service account; without it: the namespace's default.
    service_account: Option<String>,
}

impl StepKind for Job {
    const NAME: &'static str = "job";
    const SUMMARY: &'static str = "Run a Kubernetes Job once, to its end.";
    const EXAMPLE: &'static str = include_str!("../../examples/job.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::RunJob(RunJob {
            site: "west".to_owned(),
            namespace: "shop".to_owned(),
            name: "warm-cache".to_owned(),
            image: "registry.example.com/shop/tools:1.4.2".to_owned(),
            command: Vec::new(),
            env: Vec::new(),
            env_from_secret: Vec::new(),
            service_account: None,
        })]
    }

    fn script(params: &Params, scene: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = RunJob {
            site: params.site.0.clone(),
            namespace: params.namespace.0.clone(),
            name: scene.step.to_owned(),
            image: params.image.clone(),
            command: params.command.clone(),
            env: params.env.clone().into_iter().collect(),
            env_from_secret: params.env_from_secret.clone(),
            service_account: params.service_account.clone(),
        };
        Ok(Script {
            effects: vec![Effect::RunJob(effect)],
            undo: Vec::new(),
        })
    }
}
