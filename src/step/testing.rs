//! Three small step kinds for the tests of this layer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{FilePath, LabelSelector, NamespaceName, Person, Role, StoreName};
use super::{Hand, Kind, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::text::{Millis, Text};

pub(super) fn kinds() -> Vec<Kind> {
    vec![Kind::of::<Restore>(), Kind::of::<Wait>(), Kind::of::<Ask>()]
}

pub(super) fn names() -> Vec<&'static str> {
    kinds().iter().map(|kind| kind.name).collect()
}

pub(super) struct Restore;

/// Where a backup goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only some are looked at")]
pub(super) struct RestoreParams {
    /// Where to.
    site: Role,
    /// Where from.
    from: StoreName,
    /// Which backup: `latest-verified`, a name, or one that an earlier step made.
    #[serde(default = "latest")]
    backup: Text,
    /// Which namespaces.
    namespaces: Vec<NamespaceName>,
    /// Labels that objects must have.
    #[serde(default)]
    selector: LabelSelector,
    /// More settings, from a file.
    settings: Option<FilePath>,
    /// What happens with objects that are there.
    #[serde(default)]
    existing: Existing,
}

fn latest() -> Text {
    Text::known("latest-verified")
}

/// What happens with objects that are there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Existing {
    /// They stay as they are.
    #[default]
    Keep,
    /// They become what the backup says.
    Replace,
}

impl StepKind for Restore {
    const NAME: &'static str = "restore";
    const SUMMARY: &'static str = "Make a site's objects from a backup.";
    const OUTPUTS: &'static [&'static str] = &["backup", "restored"];
    const EXAMPLE: &'static str = "restore: { site: standby, from: vault, namespaces: [shop] }\n";
    type Params = RestoreParams;

    fn specimen() -> Vec<crate::effect::Effect> {
        Vec::new()
    }

    fn script(_: &Self::Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        Ok(Script::default())
    }

    fn by_hand(_: &Self::Params, _: &Place<'_>) -> Vec<Hand> {
        Vec::new()
    }
}

pub(super) struct Wait;

/// What is waited for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only some are looked at")]
pub(super) struct WaitParams {
    /// Where.
    site: Role,
    /// How many have to be ready.
    #[serde(default = "one")]
    replicas: u32,
    /// How long it has to stay so.
    steady: Option<Millis>,
    /// What to look at.
    condition: Option<Condition>,
    /// Extra headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Whether a missing object is an error.
    strict: Option<bool>,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only the schema is looked at")]
pub(super) enum Condition {
    /// Enough replicas are ready.
    Available,
    /// A field has a value.
    Field {
        /// Its path.
        path: String,
        /// Its value.
        value: Text,
    },
}

impl StepKind for Wait {
    const NAME: &'static str = "wait";
    const SUMMARY: &'static str = "Wait until something is so.";
    const PROVES_HEALTH: bool = true;
    const EXAMPLE: &'static str = "wait: { site: standby }\n";
    type Params = WaitParams;

    fn specimen() -> Vec<crate::effect::Effect> {
        Vec::new()
    }

    fn script(params: &Self::Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        // Something that a test can see.
        let WaitParams { site, replicas, .. } = params;
        Err(Refusal::no(format!("{} {replicas}", site.0), ""))
    }

    fn by_hand(_: &Self::Params, _: &Place<'_>) -> Vec<Hand> {
        Vec::new()
    }
}

pub(super) struct Ask;

/// What is asked of whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is looked at")]
pub(super) struct AskParams {
    /// Who may answer.
    by: Vec<Person>,
    /// What is asked.
    question: Text,
}

impl StepKind for Ask {
    const NAME: &'static str = "approve";
    const SUMMARY: &'static str = "Ask a person.";
    const EXAMPLE: &'static str = "approve: { by: [incident-commander], question: Go on? }\n";
    type Params = AskParams;

    fn specimen() -> Vec<crate::effect::Effect> {
        Vec::new()
    }

    fn script(_: &Self::Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        Ok(Script::default())
    }

    fn by_hand(_: &Self::Params, _: &Place<'_>) -> Vec<Hand> {
        Vec::new()
    }
}
