//! The one integration-test binary.

mod archive;
mod cli;
mod lab;
mod layers;
mod objects;
