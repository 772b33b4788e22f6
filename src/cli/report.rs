//! `lifeboat report`: the report of a run, again and at any time.

use super::{CommandError, Exit, Settings, launch, output, runs};
use crate::report;

/// Write the report of a run again from its journal, and print where it is
///
/// What people write in notes.md beside the journal stands in it, too.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,
    /// Print it as JSON instead
    #[arg(long, group = "form")]
    json: bool,
    /// Print it as Markdown instead
    #[arg(long, group = "form")]
    markdown: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let runs::Opened { folder, history, .. } = runs::open(&arguments.run, settings)?;
    let summary = launch::summary(&history)?;
    if arguments.json {
        output::json(&summary)?;
    } else if arguments.markdown {
        output::text(&report::markdown(
            &summary,
            launch::notes(&folder).as_deref(),
            &settings.zone(),
        ));
    } else {
        // Of a run that only mirrors know, nothing is here yet.
        std::fs::create_dir_all(&folder).map_err(|error| {
            CommandError::new(
                Exit::Broken,
                format!("cannot create {}: {error}", folder.display()),
            )
        })?;
        launch::write_reports(&folder, &history, settings)?;
        output::text(&launch::closing(&folder, &history, settings)?);
    }
    Ok(Exit::Done)
}
