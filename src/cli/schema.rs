//! `lifeboat schema`: what editors check against.

use super::{CommandError, Exit, Settings, output};
use crate::step::{self, KINDS};

/// Print the JSON Schema of runbooks and site inventories, for editors
///
/// With the YAML language server, put this on a runbook's first line:
/// # yaml-language-server: $schema=lifeboat.schema.json
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: Arguments, _: &Settings) -> Result<Exit, CommandError> {
    output::json(&step::schema(KINDS))?;
    Ok(Exit::Done)
}
