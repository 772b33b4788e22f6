//! Make a site's objects from a backup.

use serde::{Deserialize, Serialize};

use super::{
    Class, ClusterScoped, Confinement, Line, Meaning, Permission, Query, Sandbox, Selection, Shown, Symbol,
};
use crate::objects::{Changes, Named, Risk, glob, is_glob};
use crate::text::Text;

/// Which backup is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupName {
    /// The newest that is verified and holds all the wanted namespaces. Only in queries: a plan
    /// names the backup.
    LatestVerified,
    /// The newest usable one, verified or not. Only in queries.
    Latest,
    /// Exactly this one.
    Named(String),
}

/// What to do with an object that is already there and differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// Leave it.
    Keep,
    /// Apply the backup's version over it.
    Update,
    /// The same; where the server does not take the change in place, delete the object and make it
    /// again. Never a claim, never what is cluster-scoped.
    Replace,
    /// The same; and at the end delete what is in the restored namespaces and not in the backup.
    Prune,
}

impl Existing {
    /// Whether objects may be deleted.
    pub const fn deletes(self) -> bool {
        matches!(self, Self::Replace | Self::Prune)
    }
}

/// Objects that are pruned at most where the runbook does not say: a person can read so many names, and
/// a wrong backup or namespace shows in more.
pub const PRUNE_MAX: u32 = 10;

/// A risk that a runbook takes, for objects that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Allowance {
    /// Which one.
    pub risk: Risk,
    /// Objects as they are named in the backup, `Kind/name` or `Kind/namespace/name`, each letter exactly
    /// or with `*`.
    pub objects: Vec<String>,
    /// A person's reason.
    pub because: String,
}

impl Allowance {
    /// Whether it is about this risk of this object.
    pub fn covers(&self, risk: Risk, object: &str) -> bool {
        self.risk == risk && self.objects.iter().any(|one| glob(one, object))
    }
}

/// So many namespaces are named in a line; the rest is a number.
const PLACES_NAMED: usize = 8;

/// Restores objects in waves that follow from the objects themselves. The whole archive is compared
/// with its manifest before the first write.
///
/// Outputs: `backup` (its name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreObjects {
    /// The site to write.
    pub site: String,
    /// The store to read.
    pub store: String,
    /// The backup's name, perhaps made by an earlier step of the same run.
    pub backup: Text,
    /// What of it.
    pub selection: Selection,
    /// Objects that are already there.
    pub existing: Existing,
    /// Set in a drill: namespace at the site → namespace of the drill. It comes after `changes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<(String, String)>,
    /// Set in a drill: nothing cluster-scoped, CronJobs suspended, nothing that draws production's
    /// traffic, and an object that is already there is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confined: bool,
    /// Objects that `prune` deletes at most; `None`: [`PRUNE_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_max: Option<u32>,
    /// Kinds (`plural.group`) whose status is restored too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// What the plan showed of objects that may be deleted; `None`: nothing could be shown, because the
    /// backup is still to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// Objects that come before others, beyond what they name themselves; namespaces as in the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Before>,
    /// Which objects outside of namespaces. A plan that does not say it is of a time when there were none.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub cluster: ClusterScoped,
    /// Risks that are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowance>,
    /// What is changed on the way, in a drill too.
    #[serde(default, skip_serializing_if = "Changes::is_empty")]
    pub changes: Box<Changes>,
}

/// An object that comes before another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Before {
    /// What comes first.
    pub first: Named,
    /// What comes then.
    pub then: Named,
}

const fn none() -> ClusterScoped {
    ClusterScoped::None
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(cluster: &ClusterScoped) -> bool {
    *cluster == ClusterScoped::None
}

impl RestoreObjects {
    /// Objects that `prune` deletes at most.
    pub fn prune_limit(&self) -> usize {
        self.prune_max.unwrap_or(PRUNE_MAX) as usize
    }

    /// Whether the plan showed that this object goes because it is not in the backup.
    pub fn may_prune(&self, uid: &str) -> bool {
        self.shown.as_ref().is_some_and(|shown| has(&shown.prune, uid))
    }

    /// Whether this object may be deleted to be made again. Where nothing could be shown, the runbook's
    /// word is all there is: the object is in the backup, and was to be as it is there.
    pub fn may_replace(&self, uid: &str) -> bool {
        self.shown.as_ref().is_none_or(|shown| has(&shown.replace, uid))
    }

    /// The namespaces at the site, as a fragment for people.
    fn places(&self) -> String {
        let all = &self.selection.namespaces;
        let named = all
            .iter()
            .take(PLACES_NAMED)
            .map(|name| self.target_namespace(name));
        let named = named.collect::<Vec<_>>().join(", ");
        match all.len().saturating_sub(PLACES_NAMED) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    /// The namespaces at the site that are restored, as the failover has them.
    pub fn mapped_namespaces(&self) -> impl Iterator<Item = &str> {
        let all = self.selection.namespaces.iter();
        all.map(|name| self.changes.map.namespace(name))
    }

    /// The namespace that is written for a namespace of the backup.
    pub fn target_namespace<'a>(&'a self, name: &'a str) -> &'a str {
        let mapped = self.changes.map.namespace(name);
        let mut drill = self.namespaces.iter();
        drill
            .find(|(from, _)| from == mapped)
            .map_or(mapped, |(_, to)| to)
    }
}

/// Whether it is among sorted ones.
fn has(sorted: &[String], uid: &str) -> bool {
    sorted.binary_search_by(|one| one.as_str().cmp(uid)).is_ok()
}

impl Meaning for RestoreObjects {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn destructive(&self) -> bool {
        self.existing.deletes()
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let mut what = format!("{} from {} into {}", self.backup, self.store, self.places());
        match self.cluster {
            ClusterScoped::None | ClusterScoped::Related => {}
            ClusterScoped::All => what.push_str(", with everything outside of namespaces"),
        }
        match self.existing {
            Existing::Keep | Existing::Update => {}
            Existing::Replace => what.push_str(", replacing what differs"),
            Existing::Prune => what.push_str(", replacing what differs and deleting what is not in it"),
        }
        if !self.status.is_empty() {
            what.push_str(", with the status of ");
            what.push_str(&self.status.join(", "));
        }
        if !self.changes.is_empty() {
            what.push_str(", changed on the way (");
            what.push_str(&self.changes.words());
            what.push(')');
        }
        let symbol = if self.existing.deletes() {
            Symbol::Destructive
        } else {
            Symbol::Create
        };
        Line::new(symbol, &self.site, "restore", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let delete = self.existing.deletes().then_some("delete");
        let verbs: Vec<&str> = ["get", "list", "create", "patch"]
            .into_iter()
            .chain(delete)
            .collect();
        Permission::everything(&self.site, &verbs)
    }

    fn preview(&self) -> Option<Query> {
        let asked = Self {
            shown: None,
            ..self.clone()
        };
        Some(Query::Restore(Box::new(asked)))
    }

    fn late(&mut self) -> Vec<&mut Text> {
        vec![&mut self.backup]
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        if self.site != sandbox.site {
            return sandbox.elsewhere(&self.site);
        }
        if let Some(pattern) = self.selection.namespaces.iter().find(|name| is_glob(name)) {
            return Confinement::Refused {
                why: format!(
                    "which namespaces `{pattern}` stands for is not known before the backup is read"
                ),
                hint: "name the namespaces, or restore a backup of lifeboat's, which says what it holds"
                    .into(),
            };
        }
        self.confined = true;
        self.cluster = ClusterScoped::None;
        self.namespaces = sandbox.namespaces.clone().into_iter().collect();
        let mut notes: Vec<String> = sandbox
            .namespaces
            .iter()
            .map(|(from, to)| format!("{from} becomes {to}"))
            .collect();
        if self.existing.deletes() {
            self.existing = Existing::Keep;
            notes.push("nothing is replaced or pruned: the drill's namespaces are new".into());
        }
        notes.push("nothing cluster-scoped, CronJobs suspended, no LoadBalancer, NodePort or Ingress".into());
        Confinement::Confined(notes)
    }
}
