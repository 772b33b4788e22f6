//! Pure knowledge of Kubernetes objects: identity, what to strip, how to map, what a drill confines,
//! in which order to restore. Objects travel as JSON, so that fields unknown to this binary survive.
//!
//! Nothing here talks to a server; the same functions serve planning, restoring and the simulator.
//!
//! A captured object on its way to a target: [`left_out_of_restore`] → [`strip()`] → [`Changer`] →
//! in a drill [`rename()`] and [`confine()`] → [`restore_order`] over all of them → [`difference`] against what is
//! there.

mod answers;
mod capacity;
mod change;
mod compare;
mod confine;
mod declared;
mod diff;
mod hold;
mod hooks;
mod identity;
mod json;
mod kinds;
mod labels;
#[cfg(test)]
mod laws;
mod managers;
mod names;
mod needers;
mod node;
mod order;
mod outline;
mod outside;
mod owners;
mod pattern;
mod quantity;
mod quota;
mod references;
mod related;
mod rename;
mod risk;
mod roster;
mod select;
mod service;
mod strip;
mod traffic;
mod usage;
mod velero;
mod wake;
mod walls;
mod wants;

pub use answers::{ServiceName, converts, must_answer, ready_addresses};
pub use capacity::{Coming, Left, Nodes, Portion, Shortage};
pub use change::{
    Changed as ChangedObject, Changer, Changes, Fragment, Mapping, Match, Patch, Rule, When, modifiers,
};
pub use compare::{difference, sighting};
pub use confine::{Confined, confine};
pub use declared::{AFTER, Named, Places, Then, Wish};
pub use diff::{Changed, Difference, Objects, canonical};
pub use hold::{
    HELD_BY, HOLD_LABEL, HOLD_POLICY, has_controller, hold_kinds, hold_objects, hold_witness, is_held,
    is_our_hold, is_static_pod, refused_by_hold,
};
pub use hooks::names_veleros_hook;
pub use identity::{ApiKind, Made, ObjectId};
pub use kinds::builtin;
pub use labels::{LabelOperator, LabelRequirement, LabelSelector};
pub use managers::{Loser, losers};
pub use names::{Names, Texts};
pub use needers::Needers;
pub use order::{Order, outline_order, restore_order};
pub use outline::{Handle, Outline};
pub use owners::{names_owner, owners, take_owners};
pub use pattern::{glob, is_glob, is_namespace_pattern, is_resource};
pub use quantity::Quantity;
pub use quota::{Excess, Limits, Quota};
pub use related::{Candidates, Gist, RELATED, Related};
pub use rename::{Namespaces, mentions, rename};
pub use risk::{Danger, Risk, Subject, risks, subjects};
pub use roster::{ObjectIds, Roster};
pub use select::{DRILL_LABEL, comes_again, kind_left_out, left_out_of_backup, left_out_of_restore};
pub use strip::strip;
pub use traffic::{ROUTE_GROUP, Share, Split, Switch, TRAFFIC_BEFORE, Turned};
pub use usage::{Amounts, Defaults, Demand, Usage, add as add_amounts, pod_spec, replicas};
pub use velero::{VELERO_API, VeleroEnd, VeleroPhase, velero_kinds};
pub use wake::{WOKEN, pods_had, pods_wanted, wakeable};
pub use walls::{WALL_NAME, drill_namespace, wall};
pub use wants::{DEFAULT_CLASS, wants};

/// kubectl's own copy of what it last applied, as an annotation.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
