//! What a step kind is.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::hands::{Hand, Place};
use crate::effect::{Effect, Query, Seen, WorldError};
use crate::text::{Diagnostic, Node, codes, from_node};

/// What a kind of step means.
pub trait StepKind: Send + Sync + 'static {
    /// The key in a runbook.
    const NAME: &'static str;
    /// One sentence for `lifeboat explain`.
    const SUMMARY: &'static str;
    /// Names that later steps may refer to as `${steps.<step>.<name>}`.
    const OUTPUTS: &'static [&'static str] = &[];
    /// Whether its success shows that the service is healthy: what RTO is measured to.
    const PROVES_HEALTH: bool = false;
    /// Whether it makes the standby the side that serves: it restores there for production, or sends customers
    /// there. Nothing may do so before the active side is fenced, or a person accepts that both may write. If it
    /// names a site, only `site: standby` counts; if it names none, it does not count where it uses values of sites
    /// (`${sites.active.address}`) and none of them is the standby's.
    const TAKES_OVER: bool = false;
    /// It takes over only where this parameter is written; `None`: always.
    const TAKES_OVER_WITH: Option<&'static str> = None;
    /// A small runbook that uses it: the text of `examples/<name>.yaml`.
    const EXAMPLE: &'static str;

    /// Effects such as it gives, for `explain`: their class, rights and confinement are those of the real
    /// ones. On site `west`, in namespace `shop`.
    fn specimen() -> Vec<Effect>;

    /// Its parameters. The doc comments are what `explain` and editors show.
    type Params: DeserializeOwned + schemars::JsonSchema + Send + Sync + 'static;

    /// What the types cannot say: which parameters belong together. Which site a role has must not matter:
    /// a step that names sites by their roles only is not looked at again for a failback.
    ///
    /// # Errors
    ///
    /// A lowercase fragment, shown at the parameters' place.
    fn check(params: &Self::Params) -> Result<(), String> {
        let _ = params;
        Ok(())
    }

    /// How long it may take by its own parameters while all goes as told, in milliseconds. A timeout that is not longer
    /// is refused: it would cut the step off in the middle.
    fn needs_ms(params: &Self::Params) -> u64 {
        let _ = params;
        0
    }

    /// What it must know before it can say what it would do.
    fn queries(params: &Self::Params, scene: &Scene<'_>) -> Vec<Query> {
        let _ = (params, scene);
        Vec::new()
    }

    /// What it would do.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] where what was seen does not allow it.
    fn script(params: &Self::Params, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal>;

    /// How a person does the same without lifeboat: what to do and what to see, in sentences, and commands of
    /// tools that every operator has. For the continuity plan, which is read when lifeboat may be gone.
    fn by_hand(params: &Self::Params, place: &Place<'_>) -> Vec<Hand>;
}

/// Where a step stands: the part of the runbook that its meaning depends on. Roles, inputs and site
/// values are already put into the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The runbook's name.
    pub runbook: &'a str,
    /// The runbook's folder: relative paths start here.
    pub folder: &'a std::path::Path,
    /// The step's name.
    pub step: &'a str,
    /// Backups that steps before this one make in the same run: store → step.
    pub backups: &'a BTreeMap<String, String>,
}

/// What the world answered.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    answers: BTreeMap<Query, Seen>,
}

impl Observed {
    /// Keeps one answer.
    pub fn insert(&mut self, query: Query, seen: Seen) {
        self.answers.insert(query, seen);
    }

    /// Keeps many answers: faster than one by one, the more so if they are nearly in order.
    pub fn extend(&mut self, answers: Vec<(Query, Seen)>) {
        self.answers.append(&mut answers.into_iter().collect());
    }

    /// The answer to a question.
    ///
    /// # Errors
    ///
    /// The world's own error where it did not answer, or a plain one where nobody asked.
    pub fn get(&self, query: &Query) -> Result<&Seen, Refusal> {
        match self.answer(query) {
            Some(Seen::Unanswered(error)) => Err(Refusal::Unanswered(error.clone())),
            Some(seen) => Ok(seen),
            None => Err(Refusal::no(
                "this was never looked at",
                "report this as a bug in lifeboat",
            )),
        }
    }

    /// What was answered to a question, silence included; `None` where nobody asked.
    pub fn answer(&self, query: &Query) -> Option<&Seen> {
        self.answers.get(query)
    }

    /// All questions and answers, in order, to keep.
    pub fn into_answers(self) -> impl Iterator<Item = (Query, Seen)> {
        self.answers.into_iter()
    }

    /// All questions and answers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Query, &Seen)> {
        self.answers.iter()
    }
}

/// What a step would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// In this order.
    pub effects: Vec<Effect>,
    /// To take it back, in this order; empty where nothing can.
    pub undo: Vec<Effect>,
}

/// Why a step cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The place that it needs did not answer. Not the same as: it is down.
    Unanswered(WorldError),
    /// What was seen does not allow it.
    No {
        /// A lowercase fragment.
        why: String,
        /// What can be done.
        hint: String,
    },
}

impl Refusal {
    /// Shorthand for [`Refusal::No`].
    pub fn no(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::No {
            why: why.into(),
            hint: hint.into(),
        }
    }
}

/// A step kind as a value: one entry of [`super::KINDS`].
#[derive(Clone, Copy)]
pub struct Kind {
    /// The key in a runbook.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Names that later steps may refer to.
    pub outputs: &'static [&'static str],
    /// Whether its success shows health.
    pub proves_health: bool,
    /// Whether it makes the standby the side that serves.
    pub takes_over: bool,
    /// Only with this parameter.
    pub takes_over_with: Option<&'static str>,
    /// A small runbook that uses it.
    pub example: &'static str,
    /// Effects such as it gives.
    pub specimen: fn() -> Vec<Effect>,
    schema: fn() -> schemars::Schema,
    read: fn(&Node) -> Result<Box<dyn Ready>, Diagnostic>,
}

impl Kind {
    /// The entry of a kind.
    pub const fn of<K: StepKind>() -> Self {
        Self {
            name: K::NAME,
            summary: K::SUMMARY,
            outputs: K::OUTPUTS,
            proves_health: K::PROVES_HEALTH,
            takes_over: K::TAKES_OVER,
            takes_over_with: K::TAKES_OVER_WITH,
            example: K::EXAMPLE,
            specimen: K::specimen,
            schema: || schemars::schema_for!(K::Params),
            read: |node| {
                let params = from_node::<K::Params>(node)?;
                K::check(&params).map_err(|why| {
                    Diagnostic::error(codes::REFUSED_VALUE, why, node.span, "does not go together")
                })?;
                Ok(Box::new(With::<K> { params }))
            },
        }
    }

    /// JSON Schema of its parameters.
    pub fn schema(&self) -> schemars::Schema {
        (self.schema)()
    }

    /// Reads parameters that have been checked against the schema.
    ///
    /// # Errors
    ///
    /// What serde found that the schema could not say.
    pub fn read(&self, node: &Node) -> Result<Box<dyn Ready>, Diagnostic> {
        (self.read)(node)
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A step kind with its parameters, its type forgotten.
pub trait Ready: Send + Sync {
    /// See [`StepKind::needs_ms`].
    fn needs_ms(&self) -> u64;

    /// See [`StepKind::queries`].
    fn queries(&self, scene: &Scene<'_>) -> Vec<Query>;

    /// See [`StepKind::script`].
    ///
    /// # Errors
    ///
    /// As there.
    fn script(&self, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal>;

    /// See [`StepKind::by_hand`].
    fn by_hand(&self, place: &Place<'_>) -> Vec<Hand>;
}

struct With<K: StepKind> {
    params: K::Params,
}

impl<K: StepKind> Ready for With<K> {
    fn needs_ms(&self) -> u64 {
        K::needs_ms(&self.params)
    }

    fn queries(&self, scene: &Scene<'_>) -> Vec<Query> {
        K::queries(&self.params, scene)
    }

    fn script(&self, scene: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        K::script(&self.params, scene, seen)
    }

    fn by_hand(&self, place: &Place<'_>) -> Vec<Hand> {
        K::by_hand(&self.params, place)
    }
}
