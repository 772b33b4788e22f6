//! `lifeboat resume`: go on where a run stopped.

use std::path::{Path, PathBuf};

use super::context::Origin;
use super::{CommandError, Exit, Settings, context, doctor, launch, mirrors, output, runs, world};
use crate::effect::{Query, Seen};
use crate::plan::Plan;
use crate::run::{Beginning, Event, Head, History, Run, RunError, Timekeeper};
use crate::runbook::Sites;

/// Go on with a run that was paused, killed, or lost its machine, from its journal
///
/// What is done is not repeated; what was begun and has no outcome is looked after first. Where this
/// machine has no journal of the run, it is taken from the mirrors that the inventory names.
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

pub(super) fn run(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(resume(arguments, settings))
}

async fn resume(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (folder, name) = locate(&arguments, settings).await?;
    let origin = runs::origin(&folder)?;
    let mut settings = settings.clone();
    settings.sites = settings.sites.or_else(|| origin.sites.clone());
    let world = world::connect(&sites(&origin, &settings)?).await?;
    let history = runs::history(&folder)?;
    if let Some(plan) = launch::plan_of(&history) {
        same_sites(plan, &world).await?;
    }
    doctor::mirrors_are_fit(&world.mirrors, &settings).await?;
    let held = level(&history, &folder, &world).await?;
    let run = match Run::resume(&folder, &super::operator(), Timekeeper::resume) {
        Ok(run) => run,
        Err(RunError::Ended(_)) => return ended(&folder, &world, held, &settings).await,
        Err(error) => return Err(launch::run_error(&error)),
    };
    // Whoever brought this journal up has cut the end off already.
    if let Some(torn) = &history.torn {
        output::note(&format!(
            "{name}: {} bytes were being written when it stopped; nobody was told of them, and they are cut off.",
            torn.bytes
        ));
    }
    let run = match &world.fleet {
        Some(fleet) => run.mirrored(fleet.clone(), held),
        None => run,
    };
    launch::carry(run, &folder, world, &arguments.options, &settings).await
}

/// The run's folder; where this machine has no whole journal in it, one is taken from the mirrors.
async fn locate(arguments: &Arguments, settings: &Settings) -> Result<(PathBuf, String), CommandError> {
    let here = runs::here(&arguments.run, settings)?;
    if let Some((folder, name)) = &here
        && runs::history(folder).is_ok()
    {
        return Ok((folder.clone(), name.clone()));
    }
    match mirrors::find(&arguments.run, settings).await? {
        Some(elsewhere) => elsewhere.take_back(&arguments.without, settings),
        None => here.map_or_else(|| runs::find(&arguments.run, settings), Ok),
    }
}

/// Of the documents that a run came from, only the inventory is needed.
fn sites(origin: &Origin, settings: &Settings) -> Result<Sites, CommandError> {
    match &settings.sites {
        Some(_) => context::inventory(settings).map(|(sites, _)| sites),
        None => context::load(&origin.runbook, settings).map(|documents| documents.sites),
    }
}

async fn level(
    history: &History,
    folder: &Path,
    world: &world::Connected,
) -> Result<Vec<Option<Head>>, CommandError> {
    match (&world.fleet, beginning(history)) {
        (Some(fleet), Some(begun)) => mirrors::level(fleet, folder, &begun.plan, &begun.run).await,
        _ => Ok(Vec::new()),
    }
}

fn beginning(history: &History) -> Option<&Beginning> {
    match &history.entries.first()?.event {
        Event::Began(begun) => Some(begun),
        _ => None,
    }
}

/// Nothing is left to do but to give mirrors what they lack.
async fn ended(
    folder: &Path,
    world: &world::Connected,
    held: Vec<Option<Head>>,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    // Another process may have ended it since the first look.
    let history = runs::history(folder)?;
    output::text(&launch::closing(folder, &history, settings)?);
    if let Some(fleet) = &world.fleet {
        let lags = Run::bring_mirrors_up(folder, &super::operator(), fleet, &held)
            .await
            .map_err(|error| mirrors::journal_error(&error))?;
        launch::late(&lags, &launch::summary(&history)?.run.0);
    }
    launch::exit_of(&history)
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
