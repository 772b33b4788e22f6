//! `lifeboat adopt`: take a run over from another machine.

use super::resume::{self, Going};
use super::{CommandError, Exit, Settings, block_on, launch};

/// Take a run over from a machine that is gone, with the inventory and the credentials of its stores
///
/// Raises the epoch, takes the journal from its mirrors, looks after what was begun and has no outcome, and
/// goes on. If the other process still lives, it begins nothing more: it loses the run at its next record.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,
    /// Accept that this mirror (or `machine`, the lost one's disk) cannot be read, and that what only it
    /// holds may be done again
    #[arg(long, value_name = "MIRROR")]
    without: Vec<String>,
    #[command(flatten)]
    options: launch::Options,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let going = Going {
        run: &arguments.run,
        without: &arguments.without,
        options: &arguments.options,
        adopt: true,
    };
    block_on(resume::go(going, settings))
}
