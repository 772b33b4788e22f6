//! `velero`: have a Velero make a backup or restore one, and wait for the true end of it.
//!
//! For who runs Velero: `backup` and `restore` need none, read and write the same layout, and can be drilled.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map as Fields, Value, json};

use super::hands::in_words;
use super::params::{LabelSelector, NamespaceName, Role, StoreName};
use super::select::{KindName, NamespacePattern};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{DriveVelero, Effect, Query, Seen, VeleroWork};
use crate::objects::{ObjectId, VELERO_API};
use crate::text::{Millis, Text, shell_word};

/// The kind.
#[derive(Debug)]
pub(super) struct Velero;

/// What a Velero is to do, and which.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site that it runs at.
    site: Role,
    /// Where it runs and keeps its objects.
    #[serde(default = "usual")]
    namespace: NamespaceName,
    /// Make a backup; or use `restore`.
    backup: Option<Backup>,
    /// Restore one; or use `backup`.
    restore: Option<Restore>,
    /// How long a server may take to begin. If none has by then, and none is at something else, the step fails and
    /// takes its object back. How long the work may take is the step's `timeout`.
    #[serde(default = "two_minutes")]
    taken_up_within: Millis,
    /// The store of the inventory that is Velero's own bucket and prefix: where not everything went well, its
    /// messages are read there. Without it only their number is known.
    store: Option<StoreName>,
}

/// A backup that is to be made. Its name becomes the output `backup`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Backup {
    /// Namespaces by name, or with `*`.
    #[schemars(length(min = 1))]
    namespaces: Vec<NamespacePattern>,
    /// Kinds to leave out, as `plural.group`.
    #[serde(default)]
    exclude: Vec<KindName>,
    /// Only objects with these labels.
    #[serde(default)]
    selector: LabelSelector,
    /// The `BackupStorageLocation`; without it: Velero's default one.
    location: Option<String>,
    /// How long Velero keeps it; without it: as Velero is set up.
    ttl: Option<Millis>,
    /// Further fields of `spec`, in Velero's own words.
    #[serde(default)]
    spec: Fields<String, Value>,
}

/// A backup that is to be restored.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Restore {
    /// Its name at that Velero, which may be `${steps.<step>.backup}`; or use `schedule`.
    backup: Option<Text>,
    /// The newest good backup of this schedule, which Velero chooses; or use `backup`.
    schedule: Option<String>,
    /// Only these namespaces, by name or with `*`; without it: all of the backup.
    #[serde(default)]
    namespaces: Vec<NamespacePattern>,
    /// Name in the backup: name at the site.
    #[serde(default)]
    map: BTreeMap<String, NamespaceName>,
    /// Kinds to leave out, as `plural.group`.
    #[serde(default)]
    exclude: Vec<KindName>,
    /// What happens with objects that are there.
    #[serde(default)]
    existing: Existing,
    /// Further fields of `spec`, in Velero's own words.
    #[serde(default)]
    spec: Fields<String, Value>,
}

/// Velero's policy for objects that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Existing {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are patched to what the backup says, as far as Velero can.
    Update,
}

fn usual() -> NamespaceName {
    NamespaceName("velero".to_owned())
}

/// An idle Velero begins within seconds; a minute more for one that has just been started and reads its store.
const fn two_minutes() -> Millis {
    Millis(120_000)
}

impl StepKind for Velero {
    const NAME: &'static str = "velero";
    const SUMMARY: &'static str =
        "Have a Velero make a backup or restore one; succeeds only if Velero says that all of it was done.";
    const OUTPUTS: &'static [&'static str] = &["backup"];
    const TAKES_OVER: bool = true;
    const TAKES_OVER_WITH: Option<&'static str> = Some("restore");
    const EXAMPLE: &'static str = include_str!("../../examples/velero.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let spec = json!({ "includedNamespaces": ["shop"] });
        let backup = DriveVelero {
            site: "west".to_owned(),
            namespace: usual().0,
            name: "capture".to_owned(),
            work: VeleroWork::Backup { spec: spec.clone() },
            taken_up_within_ms: two_minutes().0,
            store: None,
        };
        let restore = DriveVelero {
            name: "restore".to_owned(),
            work: VeleroWork::Restore {
                backup: Some(Text::known("shop-nightly")),
                spec,
            },
            ..backup.clone()
        };
        vec![Effect::DriveVelero(backup), Effect::DriveVelero(restore)]
    }

    fn check(params: &Params) -> Result<(), String> {
        match (&params.backup, &params.restore) {
            (Some(_), None) => {}
            (None, Some(restore)) => restore.check()?,
            _ => return Err("say what Velero is to do: `backup` or `restore`, not both".into()),
        }
        let (own, more) = params.fields();
        match more.keys().find(|key| own.contains_key(*key)) {
            Some(key) => Err(format!(
                "`spec.{key}` is set by this step: say it outside of `spec`"
            )),
            None => Ok(()),
        }
    }

    /// A step that is cut off before this cannot take its object back.
    fn needs_ms(params: &Params) -> u64 {
        params.taken_up_within.0
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        params.question().into_iter().collect()
    }

    fn script(params: &Params, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        if let Some(question) = params.question()
            && !matches!(seen.get(&question)?, Seen::Object(Some(_)))
        {
            return Err(params.unknown_backup());
        }
        let effect = DriveVelero {
            site: params.site.0.clone(),
            namespace: params.namespace.0.clone(),
            name: scene.step.to_owned(),
            work: params.work(),
            taken_up_within_ms: params.taken_up_within.0,
            store: params.store.as_ref().map(|store| store.0.clone()),
        };
        Ok(Script {
            effects: vec![Effect::DriveVelero(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let (mut own, more) = params.fields();
        own.extend(more);
        if let Some(backup) = params.named() {
            own.insert("backupName".to_owned(), in_words(backup).into());
        }
        let kind = params.work().kind();
        let name = format!("{}-by-hand", place.step);
        let object = json!({
            "apiVersion": VELERO_API, "kind": kind,
            "metadata": { "name": name, "namespace": params.namespace.0 }, "spec": own,
        });
        let plural = format!("{}s.velero.io", kind.to_lowercase());
        vec![
            Hand::run(format!(
                "echo {} | {kubectl} create -f -",
                shell_word(&object.to_string())
            )),
            Hand::say(format!(
                "Look until the phase is one that stays, for at most {}. If it stays empty or `New`, no Velero runs there.",
                place.timeout()
            )),
            Hand::run(format!(
                "{kubectl} get {plural} {} -o jsonpath='{{.status.phase}} {{.status.errors}} {{.status.failureReason}}{{\"\\n\"}}'",
                shell_word(&name)
            )),
            Hand::say(format!(
                "It has worked only if it is `Completed`. What went wrong otherwise, `velero {} describe {name} --details` says.",
                kind.to_lowercase()
            )),
        ]
    }
}

impl Restore {
    fn check(&self) -> Result<(), String> {
        match (&self.backup, &self.schedule) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("say what is restored: a `backup` or the newest one of a `schedule`, not both".into()),
        }
    }
}

impl Params {
    fn named(&self) -> Option<&Text> {
        self.restore.as_ref()?.backup.as_ref()
    }

    /// Does that Velero know the backup? One that is made in this run nobody can know yet.
    fn question(&self) -> Option<Query> {
        let name = self.named()?.as_known()?;
        Some(Query::Object {
            site: self.site.0.clone(),
            id: ObjectId {
                api_version: VELERO_API.to_owned(),
                kind: "Backup".to_owned(),
                namespace: Some(self.namespace.0.clone()),
                name,
            },
        })
    }

    fn unknown_backup(&self) -> Refusal {
        let name = self.named().map_or_else(String::new, ToString::to_string);
        Refusal::no(
            format!(
                "the Velero of {} on {} knows no backup {name}",
                self.namespace.0, self.site.0
            ),
            "it looks into its store once a minute: `velero backup get` shows what it knows, `velero backup-location get` whether it reaches the store",
        )
    }

    fn work(&self) -> VeleroWork {
        let (mut spec, more) = self.fields();
        spec.extend(more);
        let spec = Value::Object(spec);
        match &self.restore {
            Some(restore) => VeleroWork::Restore {
                backup: restore.backup.clone(),
                spec,
            },
            None => VeleroWork::Backup { spec },
        }
    }

    /// The fields of `spec` that this step sets, and those that are given in Velero's words.
    fn fields(&self) -> (Fields<String, Value>, Fields<String, Value>) {
        match (&self.backup, &self.restore) {
            (Some(backup), _) => (backup.fields(), backup.spec.clone()),
            (None, Some(restore)) => (restore.fields(), restore.spec.clone()),
            (None, None) => (Fields::new(), Fields::new()),
        }
    }
}

impl Backup {
    fn fields(&self) -> Fields<String, Value> {
        let mut all = Fields::new();
        all.insert("includedNamespaces".into(), namespaces(&self.namespaces));
        exclude(&self.exclude, &mut all);
        if !self.selector.0.is_empty() {
            all.insert("labelSelector".into(), json!({ "matchLabels": self.selector.0 }));
        }
        if let Some(location) = &self.location {
            all.insert("storageLocation".into(), location.clone().into());
        }
        if let Some(ttl) = &self.ttl {
            all.insert("ttl".into(), ttl.to_string().into());
        }
        all
    }
}

impl Restore {
    fn fields(&self) -> Fields<String, Value> {
        let mut all = Fields::new();
        if let Some(schedule) = &self.schedule {
            all.insert("scheduleName".into(), schedule.clone().into());
        }
        if !self.namespaces.is_empty() {
            all.insert("includedNamespaces".into(), namespaces(&self.namespaces));
        }
        if !self.map.is_empty() {
            let map = self.map.iter();
            let map: BTreeMap<&String, &String> = map.map(|(from, to)| (from, &to.0)).collect();
            all.insert("namespaceMapping".into(), json!(map));
        }
        exclude(&self.exclude, &mut all);
        if self.existing == Existing::Update {
            all.insert("existingResourcePolicy".into(), "update".into());
        }
        all
    }
}

fn namespaces(names: &[NamespacePattern]) -> Value {
    names.iter().map(|name| name.0.clone()).collect()
}

fn exclude(kinds: &[KindName], all: &mut Fields<String, Value>) {
    if !kinds.is_empty() {
        let kinds = kinds.iter().map(|kind| kind.0.clone());
        all.insert("excludedResources".into(), kinds.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(more: &Value) -> Params {
        let mut all = json!({ "site": "west" });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn it_does_one_thing_and_says_nothing_twice() {
        let good = [
            json!({ "backup": { "namespaces": ["shop"] } }),
            json!({ "backup": { "namespaces": ["shop"], "spec": { "snapshotMoveData": true } } }),
            json!({ "restore": { "backup": "nightly" } }),
            json!({ "restore": { "schedule": "nightly" } }),
        ];
        for one in good {
            assert_eq!(Velero::check(&params(&one)), Ok(()), "{one}");
        }
        let bad = [
            (json!({}), "`backup` or `restore`"),
            (
                json!({ "backup": { "namespaces": ["a"] }, "restore": { "backup": "b" } }),
                "not both",
            ),
            (json!({ "restore": {} }), "say what is restored"),
            (
                json!({ "restore": { "backup": "a", "schedule": "b" } }),
                "not both",
            ),
            (
                json!({ "backup": { "namespaces": ["a"], "ttl": "1h", "spec": { "ttl": "2h" } } }),
                "`spec.ttl` is set by this step",
            ),
        ];
        for (one, why) in bad {
            let said = Velero::check(&params(&one)).unwrap_err();
            assert!(said.contains(why), "{one}: {said}");
        }
    }

    #[test]
    fn what_is_written_becomes_veleros_own_spec() {
        let backup = json!({ "backup": { "namespaces": ["shop", "pay-*"], "exclude": ["events"],
            "selector": { "app": "web" }, "location": "second", "ttl": "720h",
            "spec": { "defaultVolumesToFsBackup": true } } });
        let VeleroWork::Backup { spec } = params(&backup).work() else {
            panic!("a backup")
        };
        assert_eq!(
            spec,
            json!({ "includedNamespaces": ["shop", "pay-*"], "excludedResources": ["events"],
                "labelSelector": { "matchLabels": { "app": "web" } }, "storageLocation": "second", "ttl": "720h",
                "defaultVolumesToFsBackup": true })
        );
        let restore = json!({ "restore": { "backup": "nightly", "namespaces": ["shop"], "map": { "shop": "shop-2" },
            "existing": "update", "spec": { "preserveNodePorts": true } } });
        let VeleroWork::Restore { backup, spec } = params(&restore).work() else {
            panic!("a restore")
        };
        assert_eq!(backup, Some(Text::known("nightly")));
        assert_eq!(
            spec,
            json!({ "includedNamespaces": ["shop"], "namespaceMapping": { "shop": "shop-2" },
                "existingResourcePolicy": "update", "preserveNodePorts": true })
        );
    }
}
