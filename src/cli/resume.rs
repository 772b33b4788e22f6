//! `lifeboat resume`: go on where a run stopped.

use super::{CommandError, Exit, Settings, context, launch, output, runs, world};
use crate::effect::{Query, Seen};
use crate::plan::Plan;
use crate::run::{Run, RunError, Timekeeper};

/// Go on with a run that was paused, killed, or lost its machine, from its journal
///
/// What is done is not repeated; what was begun and has no outcome is looked after first.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    options: launch::Options,
}

pub(super) fn run(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(resume(arguments, settings))
}

async fn resume(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (folder, name) = runs::find(&arguments.run, settings)?;
    let origin = runs::origin(&folder)?;
    let mut settings = settings.clone();
    settings.sites = settings.sites.or_else(|| origin.sites.clone());
    let documents = context::load(&origin.runbook, &settings)?;
    let world = world::connect(&documents.sites).await?;
    let history = runs::history(&folder)?;
    if let Some(plan) = launch::plan_of(&history) {
        same_sites(plan, &world).await?;
    }
    let run = match Run::resume(&folder, &super::operator(), Timekeeper::resume) {
        Ok(run) => run,
        Err(RunError::Ended(_)) => {
            // Another process may have ended it since the first look.
            let history = runs::history(&folder)?;
            output::text(&launch::closing(&folder, &history, &settings)?);
            return launch::exit_of(&history);
        }
        Err(error) => return Err(launch::run_error(&error)),
    };
    if let Some(torn) = &run.torn {
        output::note(&format!(
            "{name}: {} bytes were being written when it stopped; nobody was told of them, and they are cut off.",
            torn.bytes
        ));
    }
    launch::carry(run, &folder, world, &arguments.options, &settings).await
}

/// The clusters must be the ones that the plan was made for.
async fn same_sites(plan: &Plan, world: &world::Connected) -> Result<(), CommandError> {
    for (site, then) in &plan.sites {
        let query = Query::Site { site: site.clone() };
        match world.actor.read(&query).await {
            Ok(Seen::Site(now)) if now.uid != then.uid => {
                return Err(CommandError::refused(format!(
                    "`{site}` is not the cluster that the run was begun on"
                ))
                .detail(format!(
                    "  expected identity {}, found {} at {}",
                    then.uid, now.uid, now.server
                ))
                .detail("Nothing was sent."));
            }
            // A site that does not answer now may answer later; its steps say so themselves.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
