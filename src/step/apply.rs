//! `apply`: make objects be as written in files.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::params::{FilePath, NamespaceName, Role};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{self, Effect, Query, Seen};
use crate::objects::{ObjectId, builtin};

/// The kind.
#[derive(Debug)]
pub(super) struct Apply;

/// Which files, and where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// A YAML file of Kubernetes objects, or a folder of such files, beside the runbook. The plan
    /// holds their content, so that later edits do not change what was approved.
    manifests: FilePath,
    /// For objects that name no namespace.
    namespace: Option<NamespaceName>,
    /// Take over fields that another manager owns. Off: that is a conflict and an error.
    #[serde(default)]
    force: bool,
}

impl StepKind for Apply {
    const NAME: &'static str = "apply";
    const SUMMARY: &'static str = "Make objects be as written in files, by server-side apply.";
    const EXAMPLE: &'static str = include_str!("../../examples/apply.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "banner", "namespace": "shop" },
        });
        vec![Effect::Apply(effect::Apply {
            site: "west".to_owned(),
            object,
            force: false,
        })]
    }

    fn queries(params: &Params, scene: &Scene<'_>) -> Vec<Query> {
        vec![params.question(scene)]
    }

    fn script(params: &Params, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let Seen::Manifests(objects) = seen.get(&params.question(scene)).map_err(unreadable)? else {
            return Err(params.nothing());
        };
        if objects.is_empty() {
            return Err(params.nothing());
        }
        let effects = objects
            .iter()
            .map(|object| params.step(object))
            .collect::<Result<_, _>>()?;
        Ok(Script {
            effects,
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(
            &params.site.0,
            params.namespace.as_ref().map(|name| name.0.as_str()),
        );
        let force = if params.force { " --force-conflicts" } else { "" };
        let files = crate::text::shell_word(&params.manifests.0.display().to_string());
        vec![
            Hand::say("In the runbook's folder, which holds the files:"),
            Hand::run(format!(
                "{kubectl} apply --server-side --field-manager=lifeboat{force} -f {files}"
            )),
        ]
    }
}

/// A file that cannot be read is the author's to mend; it is no silence of a site.
pub(super) fn unreadable(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Unanswered(error) => {
            let causes = error.causes.join("; ");
            let why = if causes.is_empty() {
                error.message
            } else {
                format!("{}: {causes}", error.message)
            };
            Refusal::no(why, "write the path relative to the runbook's own folder")
        }
        no @ Refusal::No { .. } => no,
    }
}

impl Params {
    fn question(&self, scene: &Scene<'_>) -> Query {
        Query::Manifests {
            path: scene.folder.join(&self.manifests.0),
        }
    }

    fn step(&self, object: &Value) -> Result<Effect, Refusal> {
        let mut object = object.clone();
        let id = ObjectId::of(&object).ok_or_else(|| {
            Refusal::no(
                format!(
                    "an object in {} lacks apiVersion, kind or metadata.name",
                    self.manifests.0.display()
                ),
                "complete it",
            )
        })?;
        let namespaced = builtin(&id.kind).is_none_or(|api| api.namespaced);
        if let (None, true, Some(namespace)) = (&id.namespace, namespaced, &self.namespace) {
            object["metadata"]["namespace"] = Value::String(namespace.0.clone());
        }
        Ok(Effect::Apply(effect::Apply {
            site: self.site.0.clone(),
            object,
            force: self.force,
        }))
    }

    fn nothing(&self) -> Refusal {
        Refusal::no(
            format!("{} holds no objects", self.manifests.0.display()),
            "write the path relative to the runbook's own folder",
        )
    }
}
