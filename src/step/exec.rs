//! `exec`: run a command in a container that is there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::inside;
use super::params::{NamespaceName, Role};
use super::target::Target;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, RunCommand};
use crate::objects::ObjectId;
use crate::text::shell_word;

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
        vec![Effect::RunCommand(RunCommand {
            site: "west".to_owned(),
            of: inside::specimen(),
            container: None,
            command: vec!["pg_ctl".to_owned(), "promote".to_owned()],
            repeatable: false,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        inside::check(&params.id(), "command")?;
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
        let exec = inside::exec(&kubectl, &params.id(), params.container.as_deref());
        let command: Vec<String> = params.command.iter().map(|part| shell_word(part)).collect();
        vec![
            Hand::run(format!("{exec} -- {}", command.join(" "))),
            Hand::say("It has worked if the exit code is 0: `echo $?` shows it."),
        ]
    }
}
