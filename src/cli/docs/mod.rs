//! `lifeboat docs …`: papers for people: the continuity plan, the card, the report of a run.

mod paper;
mod prose;
mod write;

pub(super) use paper::Pasts;

use super::{CommandError, Exit, Settings, report};

/// Which paper to write.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write the continuity plan of a service: printable HTML and Markdown
    ///
    /// From the runbook, the inventory, earlier runs on this machine, and what people wrote: Markdown files in
    /// the folder `plan` beside runbook.yaml (of another file x.yaml: `x.plan`), such as plan/background.md, and
    /// `plan/steps/<step>.md` for a step. What is missing is listed, with the file or key where it belongs. No
    /// network is used, and no file is overwritten that lifeboat did not write.
    Plan(paper::Arguments),
    /// Write the card of a service: one page to be ticked off, for offline use
    Card(paper::Arguments),
    /// Write the report of a run; the same as `lifeboat report`
    Report(report::Arguments),
}

impl Command {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        match self {
            Self::Plan(arguments) => paper::run(&arguments, paper::Kind::Plan, settings),
            Self::Card(arguments) => paper::run(&arguments, paper::Kind::Card, settings),
            Self::Report(arguments) => report::run(&arguments, settings),
        }
    }
}
