//! `backup`: read a site's objects into a store.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{NamespaceName, Role, StoreName};
use super::{Observed, Refusal, Scene, Script, StepKind};
use crate::effect::{BackupObjects, Effect, Selection};

/// The kind.
#[derive(Debug)]
pub(super) struct Backup;

/// Where from, what, and where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site to read.
    site: Role,
    /// Namespaces to read, each with everything in it.
    #[schemars(length(min = 1))]
    namespaces: Vec<NamespaceName>,
    /// The store to write to, in Velero's layout.
    to: StoreName,
    /// Kinds to leave out, as `plural.group`, such as `events` or `coupons.shop.example.com`.
    #[serde(default)]
    exclude: Vec<String>,
}

impl StepKind for Backup {
    const NAME: &'static str = "backup";
    const SUMMARY: &'static str = "Read a site's objects into a store, complete and read back, or say no.";
    const OUTPUTS: &'static [&'static str] = &["backup"];
    const EXAMPLE: &'static str = include_str!("../../examples/backup.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::BackupObjects(BackupObjects {
            site: "west".to_owned(),
            store: "vault".to_owned(),
            name_prefix: "shop".to_owned(),
            selection: selection(&[NamespaceName("shop".to_owned())], &[]),
        })]
    }

    fn script(params: &Params, scene: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = BackupObjects {
            site: params.site.0.clone(),
            store: params.to.0.clone(),
            name_prefix: scene.runbook.to_owned(),
            selection: selection(&params.namespaces, &params.exclude),
        };
        Ok(Script {
            effects: vec![Effect::BackupObjects(effect)],
            undo: Vec::new(),
        })
    }
}

/// Sorted and without repetitions, so that equal selections are equal values.
pub(super) fn selection(namespaces: &[NamespaceName], exclude: &[String]) -> Selection {
    let mut selection = Selection {
        namespaces: namespaces.iter().map(|name| name.0.clone()).collect(),
        exclude: exclude.to_vec(),
    };
    selection.namespaces.sort();
    selection.namespaces.dedup();
    selection.exclude.sort();
    selection.exclude.dedup();
    selection
}
