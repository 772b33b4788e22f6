//! Text that people write: where it stands, what is wrong with it, and what stands in it.
//!
//! This layer knows files, spans, YAML and `${…}`; it does not know what a runbook is.
//!
//! ## Why two YAML crates
//!
//! `serde_yaml` was given and is abandoned; its maintained fork (`yaml_serde`, used under the old
//! name) keeps a parser that needs 40 s for a 200 KB file of `[[[[…` and has no spans. So YAML is
//! *read* by `serde-saphyr` (spans on every value and key, budgets on everything; the Kubernetes
//! client uses it too), only in `yaml`, and *written* by `serde_yaml`, also only in `yaml`.

mod de;
mod diagnostic;
mod duration;
mod hash;
mod node;
mod source;
mod template;

pub use de::from_node;
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity, closest};
pub use duration::Millis;
pub use hash::{hex, sha256_hex};
pub use node::{Key, Node, NodeValue};
pub use source::{Position, Source, SourceId, Sources, Span, Spanned};
pub use template::{Piece, Reference, Template, TemplatePiece, Text};
