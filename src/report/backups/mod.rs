//! Backups on a terminal: pure drawings of what [`crate::world::library`] found.
//!
//! ## Why
//!
//! - A name is never cut: it is what a person copies into the next command.
//! - What is not known is said, as `–` in a column and as `not known` elsewhere: an empty cell would be
//!   read as "no".

mod diff;
mod gone;
mod list;
mod show;
mod verify;

pub use diff::backup_diff;
pub use gone::{Pruning, backup_gone, backup_line, backup_prune, backup_recovered};
pub use list::{StoreCards, backup_list, lock as backup_lock};
pub use show::backup_contents;
pub use verify::backup_verification;

use jiff::Timestamp;

use super::lines::{clean, hang};
use super::units::{age, between_ms};

/// Columns of the word before a fact.
const LABEL: usize = 12;

/// `  Archive     12.1 KiB, SHA-256 …`: a word and what it is, wrapped.
fn fact(label: &str, what: &str, columns: usize) -> String {
    hang(&format!("  {label:<LABEL$}"), &clean(what), columns)
}

/// `12 m 7 s`; a moment that is still to come is named as what it is.
fn old(at: Timestamp, now: Timestamp) -> String {
    between_ms(at, now).map_or_else(|| "in the future".to_owned(), age)
}

/// `shop, bank`, or all of them.
fn namespaces(names: &[String]) -> String {
    match names {
        [] => "all namespaces".to_owned(),
        names => names.join(", "),
    }
}

/// The same, and by which words it is only a part of them: `shop (only configmaps)`.
fn scope(names: &[String], narrowed: &[String]) -> String {
    match narrowed {
        [] => namespaces(names),
        narrowed => format!("{} ({})", namespaces(names), narrowed.join(", ")),
    }
}
