//! A proxy that breaks requests on purpose, in front of a real API server or S3 server: so that people can see
//! for themselves what a run does when a reply is lost, and so that our own tests do.
//!
//! It is not a load balancer and not a recorder: HTTP/1.1 in the clear on this machine's own interface, one
//! [`Breakage`] at a time, requests held in memory.
//!
//! ## Why
//!
//! - What is hard in recovery is not the error but the doubt: a change that was carried out and whose reply
//!   never came. No mock shows what a real server holds afterwards, and no real server loses a reply when asked.
//! - It stands between and not inside: neither lifeboat nor the server knows of it, so what a test sees is what
//!   a broken network would do.
//! - **Loopback only**: it passes credentials on in the clear.
//! - **It is counted, not random**: the same breakage meets the same request again.

mod breakage;
mod relay;
#[cfg(test)]
mod tests;

pub use breakage::{Breakage, Fault, Pick, Which};
pub use relay::{Door, Met, Proxy, Told, Upstream};
