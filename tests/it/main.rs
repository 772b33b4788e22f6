//! The one integration-test binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests read files, and a test that cannot go on should say where"
)]

/// A number that the environment asks for; `make torture` does.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

mod archive;
mod backups;
#[path = "../bundle.rs"]
mod bundle;
mod cli;
mod docs;
mod incident;
mod lab;
mod layers;
#[cfg(feature = "http")]
mod login;
mod machine;
mod mirrors;
#[cfg(feature = "http")]
mod notify;
mod objects;
mod pins;
mod playbooks;
mod serve;
