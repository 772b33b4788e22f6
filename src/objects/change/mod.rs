//! What a restore changes of an object on its way: names that mean something else at the target
//! ([`Mapping`]), and patches that people wrote ([`Rule`]).
//!
//! Comes after [`super::strip()`] and before a drill's own [`super::rename()`] and [`super::confine()`].
//! Not here: reading Velero's rules from a file is, asking for the file is not.
//!
//! ## Why
//!
//! - First the mapping, then the rules. All conditions look at the object as it is between the two, so
//!   no rule depends on what another one did: so does Velero.
//! - A drill renames namespaces and confines *after* all of this. A patch sees the very object that it
//!   would see in the failover, a namespace that it writes follows into the drill, and what it adds
//!   cannot get past the drill's walls.
//! - A patch that cannot be applied refuses its object, and with it the restore. Velero restores the
//!   object unpatched and notes an error; but what a patch was to prevent has happened by then.
//! - A patch whose `test` fails leaves the object as it is, as Velero has it: that is how people write
//!   conditions in JSON Patch.
//! - A patch never changes what an object is (API version, kind, name, namespace), nor what the server
//!   keeps of it: the order, the comparison with what is there, and pruning go by those.

mod apply;
mod classes;
mod fragment;
mod guard;
mod hosts;
mod keys;
mod mapping;
mod patch;
mod places;
mod registry;
mod rule;
mod strategic;
mod velero;
mod when;

pub use apply::{Changed, Changer};
pub use fragment::Fragment;
pub use mapping::{Changes, Mapping};
pub use rule::{Match, Patch, Rule, When};
pub use velero::modifiers;
