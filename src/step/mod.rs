//! Step kinds: parameters and observations in, effects out. No clock, no client, no async.
//!
//! Adding a kind is one file (params / queries / script / tests) and one line in [`KINDS`].

mod kind;

pub use kind::{Kind, Observed, Ready, Refusal, Scene, Script, StepKind};

/// Every step kind. Parsing, JSON schema, `explain`, documentation, rights, confinement and the
/// crash suite all read this list.
pub const KINDS: &[Kind] = &[];
