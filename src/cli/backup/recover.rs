//! `lifeboat backup recover`: a backup from under delete markers.

use super::{Named, at};
use crate::cli::{CommandError, Exit, Settings, context, output, world};
use crate::report;

/// Bring a backup back that was deleted in a bucket that keeps versions
///
/// The delete markers are taken off its objects, the manifest's last. It is not verified then: the proof of an
/// earlier day is not brought back, and `lifeboat backup verify` makes a new one. `lifeboat backups` names what
/// lies under delete markers.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    backup: Named,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    crate::cli::block_on(async {
        let keeper = world::keeper(&sites).await?;
        let library = keeper.library();
        let (store, name) = at(&library, &arguments.backup)?;
        let objects = keeper.recover(store, name).await?;
        output::text(&report::backup_recovered(
            store,
            name,
            objects,
            settings.columns(),
        ));
        Ok(Exit::Done)
    })
}
