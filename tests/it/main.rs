//! The one integration-test binary.

mod archive;
mod lab;
mod layers;
mod objects;
