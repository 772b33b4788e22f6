//! `lifeboat check`: is it a runbook?

use std::path::PathBuf;

use super::{CommandError, Exit, Settings, context, output};
use crate::text::Severity;

/// Find every mistake in a runbook and its site inventory, at once, without a network
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Runbook files, or folders that hold runbook.yaml
    #[arg(required = true, value_name = "RUNBOOK")]
    runbooks: Vec<PathBuf>,
    /// Diagnostics as JSON, for editors and CI
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let mut exit = Exit::Done;
    for path in &arguments.runbooks {
        let checked = context::check(path, settings)?;
        if checked.found.has_errors() {
            exit = Exit::BadInput;
        }
        if arguments.json {
            output::json(&checked.found.to_json(&checked.sources))?;
        } else if checked.found.is_empty() {
            output::line(&format!("{}: no mistakes found.", path.display()));
        } else {
            output::text(&checked.found.render(&checked.sources, settings.colour_out()));
            let warned = checked.found.count(Severity::Error) == 0;
            if warned {
                output::line(&format!("{}: no mistakes found.", path.display()));
            }
        }
    }
    Ok(exit)
}
