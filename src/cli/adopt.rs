//! `lifeboat adopt`: take a run over from another machine.

use super::resume::{self, Which};
use super::{CommandError, Exit, Settings, block_on};

/// Take a run over from a machine that is gone, with the inventory and the credentials of its stores
///
/// Raises the epoch, takes the journal from its mirrors, looks after what was begun and has no outcome, and
/// goes on. If the other process still lives, it begins nothing more: it loses the run at its next record.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: Which,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    block_on(resume::go(&arguments.run, true, settings))
}
