//! Adapters: everything that touches the real world, or pretends to.
//!
//! [`port`] is what a cluster, a store and the network must be able to do. `actor` performs effects
//! with these ports, the same way for real and for embedded ones, so that what the simulator proves
//! is the code that runs in an incident. `kube`, `s3` and `http` are the real ports, each behind a
//! feature; `directory` is a store in a folder; `sim` is a cluster in memory.

mod actor;
pub mod directory;
pub mod port;
pub mod sim;

pub use actor::{Clock, World};
