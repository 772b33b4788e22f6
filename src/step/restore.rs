//! `restore`: make a site's objects from a backup.
//!
//! ## Why cluster-scoped objects are restored as `related` by default
//!
//! An application without its priority class is refused, and without its storage class it waits for ever:
//! a restore that leaves them out says "done" over something that does not run. What keeps the default safe:
//! only what is missing is made, and what is there is never changed, because others use it too; what gives
//! power needs an allowance by name; and a drill makes nothing outside of its namespaces. `all` is for a
//! cluster that is built again from nothing, and is never meant by accident.

mod change;
mod hand;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apply::unreadable;
use super::params::{FilePath, Role, StoreName};
use super::select::{
    Allow, Cluster, KindName, Labels, NamespacePattern, allowances, check_labels, kinds, selectors, sorted,
};
use super::which::{Meant, Which};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{
    BackupSeen, Before, ClusterScoped, Effect, Existing, Query, RestoreObjects, Seen, Selection,
};
use crate::objects::{self, Changes, Named, modifiers};
use crate::text::Text;
use change::{Change, Map};

/// The kind.
#[derive(Debug)]
pub(super) struct Restore;

/// Which backup, what of it, and where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site to write.
    site: Role,
    /// The store to read from.
    from: StoreName,
    /// `latest-verified`, `latest`, or the name of one backup. Where an earlier step of the same run
    /// makes a backup in this store, `latest-verified` is that one.
    #[serde(default = "latest_verified")]
    backup: Text,
    /// Namespaces to restore, each with everything in it: names, or patterns such as `shop-*` and `*`. A
    /// pattern never stands for a namespace `kube-…`: those have to be named. By a pattern, `latest` and
    /// `latest-verified` mean a backup that was made by the same pattern or of `*`.
    #[schemars(length(min = 1))]
    namespaces: Vec<NamespacePattern>,
    /// Namespaces to leave out of those: names or patterns.
    #[serde(default, rename = "excludeNamespaces")]
    exclude_namespaces: Vec<NamespacePattern>,
    /// Kinds to leave out, as `plural.group`.
    #[serde(default)]
    exclude: Vec<KindName>,
    /// Objects that are already there and differ: `keep` leaves them, `update` applies the backup's,
    /// `replace` also deletes and makes again what cannot be changed in place (never a claim), `prune`
    /// also deletes what the backup does not hold.
    #[serde(default)]
    existing: OnExisting,
    /// Objects that `prune` deletes at most (10 where it is not said); with more the restore is refused.
    #[serde(default, rename = "pruneMax")]
    prune_max: Option<u32>,
    /// Only these kinds, as `plural.group`; without it: all. Namespaces and the definitions of custom kinds
    /// come along.
    #[serde(default)]
    kinds: Vec<KindName>,
    /// Only objects that one of these label selectors matches; without it: all. Namespaces and the
    /// definitions of custom kinds come along.
    #[serde(default)]
    labels: Vec<Labels>,
    /// Kinds whose status is restored too, as `plural.group`: only what no controller would write again.
    #[serde(default)]
    status: Vec<KindName>,
    /// Objects that come before others, beyond what they name themselves; what comes after an object that
    /// could not be made is not made either. The annotation `lifeboat.dev/restore-after` on an object
    /// says the same: `ConfigMap/settings, Job/migrate`.
    #[serde(default)]
    order: Vec<Rule>,
    /// Which objects outside of namespaces. `related`, the default: what the restored objects name (classes,
    /// roles of their accounts, webhooks and API services that their services answer), and only what is
    /// missing: what is there is used by others too and stays as it is. `all`: everything that the backup
    /// holds, and what is there is treated by `existing`. `none`. Namespaces and the definitions of custom
    /// kinds that are needed come along in any case. Never restored: what every cluster makes or has for
    /// itself (nodes, leases, events, `system:` roles, `system-` priorities …), and persistent volumes,
    /// because volume data is not copied and two clusters must not write to one disk. In a drill: none.
    #[serde(default)]
    cluster: Cluster,
    /// Objects that give somebody power are refused unless they are named here, with the risk and a reason.
    #[serde(default)]
    allow: Vec<Allow>,
    /// Names that mean something else at the site.
    #[serde(default)]
    map: Map,
    /// A file beside the runbook with Velero's resource modifiers: the ConfigMap as it is, or the rules in it
    /// (`version: v1`). They come after `map` and before `change`. The plan holds their content.
    modifiers: Option<FilePath>,
    /// Patches, in this order, after `map`. A patch never changes what an object is. In a drill the walls
    /// come after it, and have the last word.
    #[serde(default)]
    change: Vec<Change>,
}

/// One object before another one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// What comes first.
    first: ObjectName,
    /// What comes then.
    then: ObjectName,
}

/// `<kind>/<name>`, such as `ConfigMap/settings`: in every restored namespace, or where the object is
/// cluster-scoped. `<kind>/<namespace>/<name>`: in this namespace of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct ObjectName(Named);

impl TryFrom<String> for ObjectName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Named::try_from(text).map(Self)
    }
}

impl Rule {
    fn meant(&self) -> Before {
        Before {
            first: self.first.0.clone(),
            then: self.then.0.clone(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.first == self.then {
            return Err(format!("`order`: {} cannot come before itself", self.first.0));
        }
        Ok(())
    }
}

/// What to do with an object that is already there and differs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum OnExisting {
    #[default]
    Keep,
    Update,
    Replace,
    Prune,
}

fn latest_verified() -> Text {
    Text::known("latest-verified")
}

impl StepKind for Restore {
    const NAME: &'static str = "restore";
    const SUMMARY: &'static str =
        "Make a site's objects from a backup, in the order that the objects themselves ask for.";
    const OUTPUTS: &'static [&'static str] = &["backup"];
    const TAKES_OVER: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/restore.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::RestoreObjects(RestoreObjects {
            site: "west".to_owned(),
            store: "vault".to_owned(),
            backup: latest_verified(),
            selection: Selection {
                namespaces: vec!["shop".to_owned()],
                ..Selection::default()
            },
            existing: Existing::Keep,
            namespaces: Vec::new(),
            confined: false,
            prune_max: None,
            status: Vec::new(),
            shown: None,
            order: Vec::new(),
            cluster: ClusterScoped::Related,
            allow: Vec::new(),
            changes: Box::default(),
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        check_labels(&params.labels)?;
        params.order.iter().try_for_each(Rule::check)?;
        change::check(&params.map, &params.change, &params.selection().namespaces)
    }

    fn queries(params: &Params, scene: &Scene<'_>) -> Vec<Query> {
        let question = params.which().question();
        question.into_iter().chain(params.file(scene)).collect()
    }

    fn script(params: &Params, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let (backup, selection) = params.chosen(scene, seen)?;
        let changes = params.changes(scene, seen, &selection.namespaces)?;
        let effect = RestoreObjects {
            site: params.site.0.clone(),
            store: params.from.0.clone(),
            backup,
            selection,
            existing: match params.existing {
                OnExisting::Keep => Existing::Keep,
                OnExisting::Update => Existing::Update,
                OnExisting::Replace => Existing::Replace,
                OnExisting::Prune => Existing::Prune,
            },
            namespaces: Vec::new(),
            confined: false,
            prune_max: params.prune_max,
            status: kinds(&params.status),
            shown: None,
            order: params.order.iter().map(Rule::meant).collect(),
            cluster: params.cluster.meant(),
            allow: allowances(&params.allow),
            changes: Box::new(changes),
        };
        Ok(Script {
            effects: vec![Effect::RestoreObjects(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        hand::by_hand(params, place)
    }
}

impl Params {
    fn selection(&self) -> Selection {
        let names = |all: &[NamespacePattern]| sorted(all.iter().map(|one| one.0.clone()));
        Selection {
            namespaces: names(&self.namespaces),
            exclude_namespaces: names(&self.exclude_namespaces),
            exclude: kinds(&self.exclude),
            kinds: kinds(&self.kinds),
            labels: selectors(&self.labels),
            ..Selection::default()
        }
    }

    fn which(&self) -> Which<'_> {
        Which {
            store: &self.from.0,
            backup: &self.backup,
            namespaces: self.selection().namespaces,
        }
    }

    /// What to ask for the modifiers.
    fn file(&self, scene: &Scene<'_>) -> Option<Query> {
        self.modifiers.as_ref().map(|file| Query::Manifests {
            path: scene.folder.join(&file.0),
        })
    }

    fn changes(&self, scene: &Scene<'_>, seen: &Observed, restored: &[String]) -> Result<Changes, Refusal> {
        let no = |why| Refusal::no(why, "lifeboat explain restore");
        let rules = self.rules(scene, seen)?;
        change::changes(&self.map, rules, &self.change, restored).map_err(no)
    }

    /// Velero's.
    fn rules(&self, scene: &Scene<'_>, seen: &Observed) -> Result<Vec<objects::Rule>, Refusal> {
        let (Some(query), Some(file)) = (self.file(scene), &self.modifiers) else {
            return Ok(Vec::new());
        };
        let Seen::Manifests(documents) = seen.get(&query).map_err(unreadable)? else {
            return Ok(Vec::new());
        };
        let name = file.0.file_name().unwrap_or(file.0.as_os_str()).to_string_lossy();
        modifiers(documents, &name).map_err(|why| {
            Refusal::no(
                why,
                "mend the file; Velero's documentation calls it resource modifiers",
            )
        })
    }

    /// The name that the plan pins, and of which namespaces: where the backup says what it holds, the plan
    /// has their names and no pattern.
    fn chosen(&self, scene: &Scene<'_>, seen: &Observed) -> Result<(Text, Selection), Refusal> {
        let meant = self.which().find(scene, seen)?;
        let selection = match &meant {
            Meant::Later(_) => self.selection(),
            Meant::There(found) => self.pinned(found),
        };
        Ok((meant.name(), selection))
    }

    fn pinned(&self, found: &BackupSeen) -> Selection {
        let names = found.objects.keys().map(String::as_str);
        let there: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        self.selection().pinned(&there)
    }
}
