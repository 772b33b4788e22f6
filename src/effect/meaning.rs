//! What every effect must say of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Query;
use crate::objects::{ObjectId, builtin};
use crate::text::{Piece, Text};

/// What a repeat of an effect does; decides what may happen after a lost reply.
///
/// Declared in code, never by a runbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Changes nothing.
    Read,
    /// May be repeated: the second time changes nothing.
    Converge,
    /// The target refuses the second time: fixed name, precondition, create-if-absent.
    Guarded,
    /// Neither; a lost reply needs a probe or a person.
    Once,
}

/// The small alphabet in which plans are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symbol {
    /// `+`
    Create,
    /// `~`
    Change,
    /// `-`
    Delete,
    /// `!`
    Destructive,
    /// `.`
    Observe,
    /// `?`
    Person,
}

impl Symbol {
    /// The one character.
    pub const fn glyph(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Delete => '-',
            Self::Destructive => '!',
            Self::Observe => '.',
            Self::Person => '?',
        }
    }
}

/// One line of a plan: `! east  scale  Deployment shop/web 3 → 0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How it changes the world.
    pub symbol: Symbol,
    /// The site or store, or `people`, or empty.
    pub place: String,
    /// One word: `scale`, `restore`, `probe`.
    pub verb: String,
    /// The rest, as a fragment without a full stop.
    pub what: String,
}

impl Line {
    /// Shorthand.
    pub fn new(
        symbol: Symbol,
        place: impl Into<String>,
        verb: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            symbol,
            place: place.into(),
            verb: verb.into(),
            what: what.into(),
        }
    }
}

/// One right that an effect needs at a site: a row of a Role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// The site.
    pub site: String,
    /// API group; empty for core, `*` where the kinds are known only from a backup.
    pub group: String,
    /// Plural, with a subresource after `/` where needed; `*` as above.
    pub resource: String,
    /// `None`: cluster-wide.
    pub namespace: Option<String>,
    /// `get`, `list`, `patch` …
    pub verb: String,
}

/// The walls of one drill. Part of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// Short and random; in every name that the drill makes.
    pub id: String,
    /// The only site on which the drill may write.
    pub site: String,
    /// Production namespace → namespace of the drill.
    pub namespaces: BTreeMap<String, String>,
}

impl Permission {
    /// These verbs on the kind of one object, in its namespace.
    pub fn on(site: &str, id: &ObjectId, verbs: &[&str]) -> Vec<Self> {
        let resource = builtin(&id.kind).map_or_else(|| "*".to_owned(), |api| api.plural);
        verbs
            .iter()
            .map(|verb| Self {
                site: site.to_owned(),
                group: id.group().to_owned(),
                resource: resource.clone(),
                namespace: id.namespace.clone(),
                verb: (*verb).to_owned(),
            })
            .collect()
    }

    /// These verbs on whatever is there: the kinds are known only from a site or a backup.
    pub fn everything(site: &str, verbs: &[&str]) -> Vec<Self> {
        verbs
            .iter()
            .map(|verb| Self {
                site: site.to_owned(),
                group: "*".to_owned(),
                resource: "*".to_owned(),
                namespace: None,
                verb: (*verb).to_owned(),
            })
            .collect()
    }
}

impl Sandbox {
    /// The drill's namespace for an object, if the drill has one for it.
    pub fn inside(&self, id: &ObjectId) -> Option<&str> {
        self.namespaces.get(id.namespace.as_deref()?).map(String::as_str)
    }

    /// Whether an address names a namespace that the drill has one of its own for, so that it leads there.
    pub fn leads_inside(&self, address: &Text) -> bool {
        let ours =
            |piece: &Piece| matches!(piece, Piece::Namespace(name) if self.namespaces.contains_key(name));
        address.pieces().iter().any(ours)
    }

    /// What a drill makes of an effect on one object.
    pub fn place(&self, site: &str, id: &ObjectId) -> Confinement {
        if site != self.site {
            return self.elsewhere(site);
        }
        match (&id.namespace, self.inside(id)) {
            (Some(from), Some(to)) => Confinement::Confined(vec![format!("{from} becomes {to}")]),
            (Some(from), None) => Confinement::Refused {
                why: format!("namespace {from} is not part of this drill"),
                hint: "restore that namespace in the same runbook, or write `drill: skip` at this step"
                    .into(),
            },
            (None, _) => Confinement::Refused {
                why: format!("{id} is cluster-scoped: a drill keeps to namespaces of its own"),
                hint: "write `drill: skip` at this step".into(),
            },
        }
    }

    /// The same for an effect that names only a namespace, which is replaced.
    pub fn enter(&self, site: &str, namespace: &mut String) -> Confinement {
        let confinement = self.place(
            site,
            &ObjectId {
                namespace: Some(namespace.clone()),
                ..ObjectId::namespace("")
            },
        );
        if let (Confinement::Confined(_), Some(inside)) = (&confinement, self.namespaces.get(namespace)) {
            namespace.clone_from(inside);
        }
        confinement
    }

    /// The one answer to an effect on another site.
    pub fn elsewhere(&self, site: &str) -> Confinement {
        Confinement::Skipped(format!("it acts on {site}; a drill writes only on {}", self.site))
    }
}

/// What became of one effect when a drill drew its walls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confinement {
    /// Needs no wall: it changes nothing and looks only at where it may.
    Untouched,
    /// Rewritten; the notes say how, each a fragment for people.
    Confined(Vec<String>),
    /// Not done in a drill, and why.
    Skipped(String),
    /// Cannot be kept inside, so the drill may not start.
    Refused {
        /// What would get out.
        why: String,
        /// What the author can write instead.
        hint: String,
    },
}

/// The meaning of an effect, demanded by the compiler for every one of them.
pub trait Meaning {
    /// What a repeat does.
    fn class(&self) -> Class;

    /// Whether it takes something away that lifeboat cannot give back.
    fn destructive(&self) -> bool {
        false
    }

    /// The site that it touches, if it touches one.
    fn site(&self) -> Option<&str>;

    /// One line for plans, journals and reports.
    fn line(&self) -> Line;

    /// The rights it needs.
    fn permissions(&self) -> Vec<Permission>;

    /// Asked when planning, so that the plan can show what would happen and notice later that the
    /// world has changed. Never needed to *decide* what to do.
    fn preview(&self) -> Option<Query> {
        None
    }

    /// The parts that are known only while running.
    fn late(&mut self) -> Vec<&mut Text> {
        Vec::new()
    }

    /// Whether it is performed although a part never became known, which is then shown as it was written. For what
    /// must not fail.
    fn bears_gaps(&self) -> bool {
        false
    }

    /// Rewrites the effect so that it stays inside the walls, or says why it cannot.
    fn confine(&mut self, sandbox: &Sandbox) -> Confinement;
}
