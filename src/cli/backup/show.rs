//! `lifeboat backup show`: what one backup holds.

use super::{Named, at};
use crate::cli::{CommandError, Exit, Settings, context, now, output, world};
use crate::report;

/// Show what a backup holds: kinds with counts, what was left out and by which rule, where it is from
///
/// Reads its small files and not its archive: whether it is whole is for `lifeboat backup verify` to say.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    backup: Named,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let contents = crate::cli::block_on(async {
        let library = world::library(&sites, None).await?;
        let (store, name) = at(&library, &arguments.backup)?;
        Ok(library.show(store, name).await?)
    })?;
    if arguments.json {
        output::json(&contents)?;
    } else {
        let page = report::backup_contents(&contents, now(), &settings.zone(), settings.columns());
        output::text(&page);
    }
    Ok(Exit::Done)
}
