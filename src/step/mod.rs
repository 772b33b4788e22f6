//! Step kinds: parameters and observations in, effects out. No clock, no client, no async.
//!
//! Adding a kind is one file (params / queries / script / tests) and one line in [`KINDS`].

mod bind;
mod explain;
mod kind;
mod lint;
mod names;
mod params;
mod schema;
#[cfg(test)]
mod testing;

pub use bind::bind;
pub use explain::explain;
pub use kind::{Kind, Observed, Ready, Refusal, Scene, Script, StepKind};
pub use params::{FilePath, LabelSelector, NamespaceName, Person, Role, StoreName};
pub use schema::schema;

/// Every step kind. Parsing, JSON schema, `explain`, documentation, rights, confinement and the
/// crash suite all read this list.
pub const KINDS: &[Kind] = &[];
