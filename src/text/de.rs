//! From a node to a typed value, with the place of what did not fit.

use serde::de::DeserializeOwned;

use super::{Diagnostic, Node};

/// Reads a typed value.
///
/// # Errors
///
/// The first thing that did not fit, at its place. [`super::Conform`] finds all of them beforehand.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    let _ = node;
    Err(Diagnostic::error("L000", "not written yet", node.span, ""))
}
