//! Text that people write: where it stands, what is wrong with it, and what stands in it.
//!
//! This layer knows files, spans, YAML and `${…}`; it does not know what a runbook is.
//!
//! ## Why two YAML crates
//!
//! `serde_yaml` was given and is abandoned; its maintained fork (`yaml_serde`, used under the old
//! name) keeps a parser that needs 40 s for a 200 KB file of `[[[[…` and has no spans. So YAML is
//! *read* by `serde-saphyr` (the Kubernetes client uses it too), by way of the parser that it exports:
//! limits on everything, and a place for every event. It is *written* by `serde_yaml`. Both only in
//! [`yaml`].

mod bind;
pub mod codes;
mod conform;
mod de;
mod diagnostic;
mod domain;
mod duration;
mod hash;
mod list;
mod name;
mod nearest;
mod node;
mod render;
mod shell;
mod source;
mod template;
mod url;
pub mod yaml;

pub use bind::{Resolve, Resolved, bind};
pub(crate) use conform::choice::{one_of, words};
pub(crate) use conform::scalar::bad_name;
pub use conform::{Conform, Hooks};
pub(crate) use conform::{format, noun, types};
pub use de::from_node;
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use domain::DomainName;
pub use duration::{Millis, Period};
pub use hash::{HashRead, Hashing, hex, sha256_hex, sha256_hex_of};
pub use list::each;
pub use name::is_name;
pub use nearest::{closest, quote};
pub use node::{Key, Node, NodeValue};
pub use shell::shell_word;
pub use source::{Position, Source, SourceId, Sources, Span, Spanned};
pub use template::{Piece, Reference, Template, TemplatePiece, Text};
pub use url::is_private;
