//! Adapters: everything that touches the real world, or pretends to.
//!
//! [`port`] is what a cluster, a store and the network must be able to do. [`World`] performs effects
//! with these ports, the same way for real and for embedded ones, so that what the simulator proves
//! is the code that runs in an incident. `kube`, `s3`, `http` and `dns` are the real ports, each behind a
//! feature, and [`connect`] makes them; [`directory`] is a store in a folder; [`sim`] is a cluster in
//! memory; [`fence`] has API servers refuse older epochs; `sealed` encrypts what any store holds; [`notify`] tells
//! people and machines over the network that it is given; `chaos` breaks requests on purpose.

mod actor;
#[cfg(feature = "http")]
pub mod chaos;
pub mod connect;
pub mod directory;
#[cfg(feature = "dns")]
pub mod dns;
pub mod doctor;
mod dry;
pub mod fence;
mod gate;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "kube")]
pub mod kube;
#[cfg(test)]
#[cfg(any(feature = "kube", feature = "s3", feature = "http", feature = "dns"))]
mod lab;
mod manifests;
pub mod notify;
pub mod pinned;
pub mod port;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "seal")]
pub mod sealed;
mod secret;
mod shelf;
pub mod sim;
mod tally;
#[cfg(test)]
#[cfg(any(feature = "kube", feature = "s3", feature = "http"))]
mod testserver;
#[cfg(any(feature = "kube", feature = "s3", feature = "http"))]
mod transport;

pub use actor::{Begun, Clock, Gone, Keeper, Lost, Obituary, Older, Remains, Understudy, World, library};
pub use manifests::manifests;
pub use shelf::StoreShelf;
