//! What the planner begins with, and a step on its way to being planned.

use std::collections::BTreeMap;

use super::Part;
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
