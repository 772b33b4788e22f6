//! `job`: run a Kubernetes Job to its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
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

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let word = crate::text::shell_word;
        let mut create = format!(
            "{kubectl} create job {} --image={}",
            place.step,
            word(&params.image)
        );
        if !params.command.is_empty() {
            let command: Vec<String> = params.command.iter().map(|part| word(part)).collect();
            let _ = write!(create, " -- {}", command.join(" "));
        }
        let mut hands = Vec::new();
        let needs = params.needs_of_pod();
        if needs.is_empty() {
            hands.push(Hand::run(create));
        } else {
            hands.push(Hand::say(format!(
                "`kubectl create job` knows nothing of {}. Write the Job to a file, add them, and create it from there:",
                needs.join(", ")
            )));
            hands.push(Hand::run(format!(
                "{} > job.yaml",
                create.replacen("create job", "create job --dry-run=client -o yaml", 1)
            )));
            hands.push(Hand::run(format!("{kubectl} create -f job.yaml")));
        }
        hands.push(Hand::run(format!(
            "{kubectl} wait --for=condition=complete job/{} --timeout={}",
            place.step,
            place.timeout()
        )));
        hands.push(Hand::run(format!("{kubectl} logs job/{}", place.step)));
        hands
    }
}

impl Params {
    /// What the pod needs beyond image and command, in words.
    fn needs_of_pod(&self) -> Vec<String> {
        let variables = self
            .env
            .iter()
            .map(|(name, value)| format!("the variable {name}={value}"));
        let secrets = self
            .env_from_secret
            .iter()
            .map(|name| format!("the variables from Secret {name}"));
        let account = self
            .service_account
            .iter()
            .map(|name| format!("the service account {name}"));
        variables.chain(secrets).chain(account).collect()
    }
}
