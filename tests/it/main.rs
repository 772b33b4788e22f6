//! The one integration-test binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests read files, and a test that cannot go on should say where"
)]

mod archive;
mod backups;
mod cli;
mod docs;
mod lab;
mod layers;
mod machine;
mod mirrors;
mod objects;
mod pins;
