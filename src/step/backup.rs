//! `backup`: read a site's objects into a store.
//!
//! ## Why it has no hooks
//!
//! What has to happen before and after (scale an application down and up again, run a command in a
//! database's pod, ask an address) is a step of the runbook before and after this one: `scale`, `exec`,
//! `job`, `probe`, with `needs`, `timeout` and `on_failure` of its own, and `finally` for what has to be put
//! back however the backup went. There it has a place in the plan, rights, a journal entry and a resume; a
//! second mechanism inside of this one would have none of them. `examples/backup-quiesced.yaml` has all of
//! it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::{Role, StoreName};
use super::select::{Cluster, KindName, Labels, NamespacePattern, check_labels, kinds, selectors, sorted};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{BackupObjects, Effect, Lock, Selection};
use crate::text::Period;

/// Ten years, as long as books are kept. A slip of the finger in a lock cannot be undone.
const LOCK_MAX: Period = Period(3653 * 24 * 60 * 60 * 1000);

/// The kind.
#[derive(Debug)]
pub(super) struct Backup;

/// Where from, what, and where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site to read.
    site: Role,
    /// Namespaces to read, each with everything in it: names, or patterns such as `shop-*` and `*`. One
    /// that stands for no namespace is an error.
    #[schemars(length(min = 1))]
    namespaces: Vec<NamespacePattern>,
    /// The store to write to, in Velero's layout.
    to: StoreName,
    /// Kinds to leave out, as `plural.group`, such as `events` or `coupons.shop.example.com`.
    #[serde(default)]
    exclude: Vec<KindName>,
    /// Namespaces to leave out of those: names or patterns.
    #[serde(default)]
    exclude_namespaces: Vec<NamespacePattern>,
    /// Only these kinds, as `plural.group`; without it: all. A backup of some kinds is no backup of its
    /// namespaces: `latest` and `latest-verified` pass it over.
    #[serde(default)]
    kinds: Vec<KindName>,
    /// Only objects that one of these label selectors matches; without it: all. As with `kinds`, such
    /// a backup has to be named to be restored.
    #[serde(default)]
    labels: Vec<Labels>,
    /// Which objects outside of namespaces. `related`: what captured objects name (roles of their service
    /// accounts, classes, volumes, definitions of custom kinds); `all`: everything that the cluster has;
    /// `none`.
    #[serde(default)]
    cluster: Cluster,
    /// Locks everything that the backup writes, on an S3 bucket that was made with object lock. A locked
    /// backup is not deleted and not pruned before its time. What the server says of the lock is checked
    /// after writing; that it enforces it is for you to try.
    lock: Option<Lock>,
}

impl Params {
    fn selection(&self) -> Selection {
        let names = |all: &[NamespacePattern]| sorted(all.iter().map(|one| one.0.clone()));
        Selection {
            namespaces: names(&self.namespaces),
            exclude: kinds(&self.exclude),
            exclude_namespaces: names(&self.exclude_namespaces),
            kinds: kinds(&self.kinds),
            labels: selectors(&self.labels),
            cluster: self.cluster.meant(),
        }
    }
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
            selection: Selection {
                namespaces: vec!["shop".to_owned()],
                ..Selection::default()
            },
            lock: None,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        check_labels(&params.labels)?;
        match params.lock {
            Some(lock) if lock.period.0 < 1000 => {
                Err("a lock for less than a second keeps nothing".to_owned())
            }
            Some(lock) if lock.period > LOCK_MAX => Err(format!(
                "a lock for {} is longer than ten years, and may be for ever",
                lock.period
            )),
            _ => Ok(()),
        }
    }

    fn script(params: &Params, scene: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = BackupObjects {
            site: params.site.0.clone(),
            store: params.to.0.clone(),
            name_prefix: scene.runbook.to_owned(),
            selection: params.selection(),
            lock: params.lock,
        };
        Ok(Script {
            effects: vec![Effect::BackupObjects(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let mut hands = vec![Hand::say(
            "Write every object of the namespaces to files, and take them to the store. This is no verified backup: look into the files.",
        )];
        for namespace in &params.namespaces {
            let kubectl = place.kubectl(&params.site.0, Some(&namespace.0));
            let folder = crate::text::shell_word(&format!("by-hand/{}", namespace.0));
            hands.push(Hand::run(format!(
                "mkdir -p {folder} && for kind in $({kubectl} api-resources --namespaced --verbs=list -o name); do {kubectl} get \"$kind\" -o yaml > {folder}/\"$kind\".yaml; done"
            )));
        }
        let to = place.store_root(&params.to.0);
        hands.push(match place.store_tool(&params.to.0) {
            Some(tool) => Hand::run(format!(
                "{tool} cp --recursive by-hand {}",
                crate::text::shell_word(&format!("{to}by-hand"))
            )),
            None => Hand::run(format!("cp -R by-hand {}", crate::text::shell_word(&to))),
        });
        if place.unseal(&params.to.0).is_some() {
            hands.push(Hand::say("The store is sealed: encrypt the files with `age` for its recipients before they leave this machine."));
        }
        hands
    }
}
