//! `lifeboat backups` and `lifeboat backup …`: look at backups, and take old ones away. Without a runbook:
//! the inventory is enough.
//!
//! ## Why
//!
//! A command that only looks holds a [`Library`], which cannot write.

mod create;
mod delete;
mod diff;
pub(super) mod list;
mod prune;
mod recover;
mod show;
mod verify;

use super::{CommandError, Exit, Settings};
use crate::text::closest;
use crate::world::library::Library;

/// What to do with backups.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Create(create::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Verify(verify::Arguments),
    Diff(diff::Arguments),
    Delete(delete::Arguments),
    Prune(prune::Arguments),
    Recover(recover::Arguments),
}

impl Command {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        match self {
            Self::Create(arguments) => create::run(&arguments, settings),
            Self::List(arguments) => list::run(&arguments, settings),
            Self::Show(arguments) => show::run(&arguments, settings),
            Self::Verify(arguments) => verify::run(&arguments, settings),
            Self::Diff(arguments) => diff::run(&arguments, settings),
            Self::Delete(arguments) => delete::run(&arguments, settings),
            Self::Prune(arguments) => prune::run(&arguments, settings),
            Self::Recover(arguments) => recover::run(&arguments, settings),
        }
    }
}

/// One backup by its name.
#[derive(Clone, Debug, clap::Args)]
struct Named {
    /// The backup, as `lifeboat backups` names it
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// The store that holds it [default: the only one of the inventory]
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

/// The store and the name that are meant.
fn at<'a>(library: &'a Library, named: &'a Named) -> Result<(&'a str, &'a str), CommandError> {
    Ok((store(library, "--store", named.store.as_deref())?, &named.backup))
}

/// The store that is meant; the only one need not be named.
pub(super) fn store<'a>(
    library: &'a Library,
    option: &str,
    given: Option<&'a str>,
) -> Result<&'a str, CommandError> {
    let stores = library.stores();
    match (given, stores.as_slice()) {
        (Some(store), _) => known("store", store, stores),
        (None, [only]) => Ok(only),
        (None, _) => Err(CommandError::input("which store is meant?")
            .hint(format!("name it with {option}: {}", stores.join(", ")))),
    }
}

/// A name that the inventory has.
pub(super) fn known<'a>(
    what: &str,
    given: &'a str,
    there: impl IntoIterator<Item = &'a str>,
) -> Result<&'a str, CommandError> {
    let there: Vec<&str> = there.into_iter().collect();
    if there.contains(&given) {
        return Ok(given);
    }
    let error = CommandError::input(format!("the inventory has no {what} `{given}`"));
    Err(match closest(given, there.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("{what}s: {}", there.join(", "))),
    })
}
