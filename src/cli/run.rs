//! `lifeboat run`: exactly the plan that was saved.

use std::path::PathBuf;

use super::plan::Saved;
use super::preflight::{self, Before};
use super::start::{self, Consent};
use super::{CommandError, Exit, Settings, context, launch, output, world};
use crate::plan::{self, Change, Digest, Plan};

/// Perform a saved plan, exactly as it was shown, or refuse because the world has changed
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file that `lifeboat plan --save` wrote
    #[arg(value_name = "PLAN")]
    file: PathBuf,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    options: launch::Options,
}

pub(super) fn run(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(perform(arguments, settings))
}

async fn perform(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let saved = read(&arguments.file)?;
    let mut settings = settings.clone();
    settings.sites = settings.sites.or_else(|| saved.origin.sites.clone());
    let documents = context::load(&saved.origin.runbook, &settings)?;
    let world = world::connect(&documents.sites).await?;
    let changes = plan::changes(&saved.plan, &*world.actor).await;
    if !changes.is_empty() {
        return Err(stale(&arguments.file, &changes));
    }
    let mut options = arguments.options.clone();
    let before = if start::asks(&saved.plan) {
        let before = preflight::look(&saved.plan, &world, &documents.sites);
        output::patiently("looking at everything once more", before).await
    } else {
        Before::default()
    };
    let remark = start::decide(&saved.plan, &before, (&world, &arguments.consent), &settings).await?;
    options.remark(remark);
    launch::begin(saved.plan, &documents.origin, world, &options, &settings).await
}

/// Reads a saved plan; a file that was edited is not the plan that was shown.
fn read(file: &std::path::Path) -> Result<Saved, CommandError> {
    let text = context::read(file)?;
    let not_a_plan = |why: String| {
        CommandError::input(format!("{} is not a saved plan: {why}", file.display()))
            .hint("make one: lifeboat plan <runbook> --mode <mode> --save <file>")
    };
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| not_a_plan(error.to_string()))?;
    let format = value.pointer("/plan/format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(Plan::FORMAT)) {
        return Err(not_a_plan(format!(
            "it has format {format:?}, and this lifeboat knows {}",
            Plan::FORMAT
        )));
    }
    let saved: Saved = serde_json::from_value(value).map_err(|error| not_a_plan(error.to_string()))?;
    let digest = Digest::of(&saved.plan);
    if digest != saved.digest {
        return Err(
            CommandError::refused(format!("{} was changed after it was saved", file.display()))
                .detail(format!(
                    "  it says digest {}, and its plan has {}",
                    saved.digest.short(),
                    digest.short()
                ))
                .detail("Nothing was changed."),
        );
    }
    Ok(saved)
}

fn stale(file: &std::path::Path, changes: &[Change]) -> CommandError {
    let message = format!("the world has changed since {} was made", file.display());
    let mut error = CommandError::refused(message);
    for change in changes {
        error = error.detail(format!("  {}", crate::report::change_line(change)));
    }
    error
        .detail("Nothing was changed.")
        .hint("look again: lifeboat plan <runbook> --mode <mode> --save <file>")
}
