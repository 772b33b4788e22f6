//! `exec`: run a command in a container that is there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role};
use super::target::Target;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, RunCommand};
use crate::objects::{ObjectId, builtin};

/// Kinds that a command can be run in: a pod, and what finds its pods by a selector.
const RUNNING: [&str; 5] = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];

/// The kind.
#[derive(Debug)]
pub(super) struct Exec;

/// What to run, and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// Where.
    namespace: NamespaceName,
    /// `pod/db-0`, or a workload such as `deployment/web`: then its first pod, by name, that is ready.
    #[serde(rename = "in")]
    inside: Target,
    /// Which container; without it: the pod's first, or the one that its annotation
    /// `kubectl.kubernetes.io/default-container` names.
    container: Option<String>,
    /// The program and its arguments; there is no shell. Never secrets: the plan and the report show it.
    #[schemars(length(min = 1))]
    command: Vec<String>,
    /// Running it twice is the same as running it once, so it may be tried again by itself after a lost
    /// connection. Without it, a person decides then: whether it ran cannot be asked.
    #[serde(default)]
    repeatable: bool,
}

impl Params {
    fn id(&self) -> ObjectId {
        self.inside.id(None, Some(&self.namespace.0))
    }
}

impl StepKind for Exec {
    const NAME: &'static str = "exec";
    const SUMMARY: &'static str = "Run a command in a container that is there, and wait for its end.";
    const OUTPUTS: &'static [&'static str] = &["stdout"];
    const EXAMPLE: &'static str = include_str!("../../examples/exec.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let of = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "db-0".to_owned(),
        };
        vec![Effect::RunCommand(RunCommand {
            site: "west".to_owned(),
            of,
            container: None,
            command: vec!["pg_ctl".to_owned(), "promote".to_owned()],
            repeatable: false,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        let id = params.id();
        if builtin(&id.kind).is_none() || !RUNNING.contains(&id.kind.as_str()) {
            return Err(format!(
                "no command runs in a {}; name a pod, or a workload that has pods: {}",
                id.kind,
                RUNNING.join(", ")
            ));
        }
        match params.command.first() {
            Some(program) if program.trim().is_empty() => Err("the program has no name".into()),
            _ => Ok(()),
        }
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = RunCommand {
            site: params.site.0.clone(),
            of: params.id(),
            container: params.container.clone(),
            command: params.command.clone(),
            repeatable: params.repeatable,
        };
        Ok(Script {
            effects: vec![Effect::RunCommand(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let word = crate::text::shell_word;
        let id = params.id();
        let container = params
            .container
            .as_ref()
            .map(|name| format!(" -c {}", word(name)));
        let command: Vec<String> = params.command.iter().map(|part| word(part)).collect();
        vec![
            Hand::run(format!(
                "{kubectl} exec {}/{}{} -- {}",
                id.kind.to_lowercase(),
                word(&id.name),
                container.unwrap_or_default(),
                command.join(" ")
            )),
            Hand::say("It has worked if the exit code is 0: `echo $?` shows it."),
        ]
    }
}
