//! Pure knowledge of Kubernetes objects: identity, what to strip, how to map, what a drill confines,
//! in which order to restore. Objects travel as JSON, so that fields unknown to this binary survive.
//!
//! Nothing here talks to a server; the same functions serve planning, restoring and the simulator.

mod identity;
mod kinds;

pub use identity::{ApiKind, Made, ObjectId};
pub use kinds::builtin;
