//! `lifeboat backup verify`: is it what was written?

use super::{Named, at};
use crate::cli::{CommandError, Exit, Settings, context, now, output, world};
use crate::report;
use crate::world::library::Verdict;

/// Read all of a backup and compare it with its manifest, object by object, from the store alone
///
/// Where it is whole and nothing proves it yet, the proof is written, and `latest-verified` may mean it from
/// then on. Exit codes: 0 whole; 3 something is wrong, and it is named; 7 nothing wrong was found and it is
/// still not verified, because nobody recorded checksums (Velero's backups).
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    backup: Named,
    /// Only look: write no proof
    #[arg(long)]
    no_proof: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let (found, written) = crate::cli::block_on(async {
        let library = world::library(&sites, None).await?;
        let (store, name) = at(&library, &arguments.backup)?;
        let found = library.verify(store, name).await?;
        let missing = found.verdict == Verdict::Whole && found.proved_at.is_none();
        let written = if missing && !arguments.no_proof {
            Some(world::keeper(&sites).await?.prove(store, &found).await?)
        } else {
            None
        };
        Ok((found, written))
    })?;
    if arguments.json {
        let mut value = serde_json::json!(found);
        value["provedNow"] = serde_json::json!(written);
        output::json(&value)?;
    } else {
        let page = report::backup_verification(&found, written, now(), &settings.zone(), settings.columns());
        output::text(&page);
    }
    Ok(match found.verdict {
        Verdict::Whole => Exit::Done,
        Verdict::Wrong => Exit::Failed,
        Verdict::NotProvable => Exit::Missed,
    })
}
