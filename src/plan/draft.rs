//! What the planner begins with, and a step on its way to being planned.

use std::collections::BTreeMap;

use super::Part;
use crate::effect::Query;
use crate::runbook::{Mode, Runbook, Sites, Step};
use crate::step::{Bound, Kind, Script};

/// What to plan.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The runbook; it has been checked.
    pub runbook: &'a Runbook,
    /// Where things are.
    pub sites: &'a Sites,
    /// What for.
    pub mode: Mode,
    /// Values of inputs that were given; others have their defaults.
    pub inputs: &'a BTreeMap<String, String>,
    /// For a drill: short and never used before, lower-case letters and digits. It is in every name
    /// that the drill makes.
    pub id: &'a str,
    /// The step kinds: [`crate::step::KINDS`].
    pub kinds: &'a [Kind],
    /// The steps as checking these documents has read them, if they are still at hand. They are read again
    /// where this plan's roles or inputs are others.
    pub bound: Option<&'a Bound>,
    /// How closely to look at the world.
    pub look: Look,
}

/// How closely a plan looks at the world before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For a person who reads it, or for later: with what it would find, counted.
    Closely,
    /// For a plan that is shown to nobody and performed in the same breath: what decides is looked at, and
    /// what would only be counted is not. Reading a site twice in a row doubles its load for no one.
    Briefly,
}

impl Look {
    pub(super) fn at(self, query: Query) -> Query {
        match self {
            Self::Closely => query,
            Self::Briefly => query.briefly(),
        }
    }
}

/// A step on its way to being planned.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    pub(super) step: &'a Step,
    pub(super) kind: Kind,
    pub(super) script: Script,
    pub(super) part: Part,
    pub(super) notes: Vec<String>,
}
