//! `lifeboat resume`: go on where a run stopped.

use std::path::{Path, PathBuf};

use super::context::Origin;
use super::sites::refuse_strangers;
use super::{
    CommandError, Exit, Settings, context, declare, doctor, fence, launch, mirrors, output, runs, world,
};
use crate::effect::{Query, Seen};
use crate::plan::Plan;
use crate::run::{Fleet, History, Kept, Operator, Run, RunError, Timekeeper, last_epoch};
use crate::runbook::Sites;

/// Go on with a run that was paused, killed, or lost its machine, from its journal
///
/// What is done is not repeated; what was begun and has no outcome is looked after first. Where this
/// machine has no journal of the run, it is taken from the mirrors that the inventory names.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: Which,
}

// No doc comment: clap would show it instead of the command's own.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
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

impl Which {
    /// A run of this machine that nobody asks about.
    pub(super) fn unattended(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            without: Vec::new(),
            options: launch::Options::unattended(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(go(&arguments.run, false, settings))
}

/// Goes on with a run; `adopt`: it may be taken from another machine.
pub(super) async fn go(which: &Which, adopt: bool, settings: &Settings) -> Result<Exit, CommandError> {
    match Box::pin(take_up(which, adopt, settings)).await? {
        Taken::Up(taken) => {
            let TakenUp {
                run,
                folder,
                world,
                settings,
            } = *taken;
            Box::pin(launch::carry(run, &folder, world, &which.options, &settings)).await
        }
        Taken::Ended(exit) => Ok(exit),
    }
}

/// A run of which something is left to do, or how it had ended.
pub(super) enum Taken {
    Up(Box<TakenUp>),
    Ended(Exit),
}

/// A run that this process may carry from here on.
pub(super) struct TakenUp {
    pub(super) run: Run,
    pub(super) folder: PathBuf,
    pub(super) world: world::Connected,
    pub(super) settings: Settings,
}

/// Takes a run up, and brings its mirrors up where it has ended.
pub(super) async fn take_up(which: &Which, adopt: bool, settings: &Settings) -> Result<Taken, CommandError> {
    let (folder, name) = locate(which, adopt, settings).await?;
    let origin = runs::origin(&folder)?;
    let mut settings = settings.clone();
    settings.sites = settings.sites.or_else(|| origin.sites.clone());
    let world = world::connect(&sites(&origin, &settings)?).await?;
    let history = runs::history(&folder)?;
    if let Some(plan) = launch::plan_of(&history) {
        refuse_strangers(&world, plan).await?;
        same_sites(plan, &world).await?;
    }
    doctor::mirrors_are_fit(&world.mirrors, &settings).await?;
    let who = super::operator();
    let held = level(&history, &folder, world.fleet.as_ref(), (&who, adopt)).await?;
    let run = match Run::resume(&folder, &who, Timekeeper::resume) {
        Ok(run) => run,
        Err(RunError::Ended(_)) => {
            return ended(&folder, &world, held, &settings).await.map(Taken::Ended);
        }
        Err(error) => return Err(launch::run_error(&error)),
    };
    // Whoever brought this journal up has cut the end off already.
    if let Some(torn) = &history.torn {
        output::note(&format!(
            "{name}: {} bytes were being written when it stopped; nobody was told of them, and they are cut off.",
            torn.bytes
        ));
    }
    let above = fence::say(&world, &run.engine.beginning().plan).await;
    let run = bound(run, world.fleet.as_ref(), held, (&who, adopt));
    let run = fence::raised(run, &world, above);
    Ok(Taken::Up(Box::new(TakenUp {
        run,
        folder,
        world,
        settings,
    })))
}

/// The run's folder; where this machine has no whole journal in it, one is taken from the mirrors.
async fn locate(which: &Which, adopt: bool, settings: &Settings) -> Result<(PathBuf, String), CommandError> {
    let here = runs::here(&which.run, settings)?;
    if let Some((folder, name)) = &here
        && runs::history(folder).is_ok()
    {
        return Ok((folder.clone(), name.clone()));
    }
    match mirrors::find(&which.run, settings).await? {
        Some(elsewhere) => {
            elsewhere.may_be_carried(adopt).await?;
            elsewhere.take_back(&which.without, settings)
        }
        None => here.map_or_else(|| runs::find(&which.run, settings), Ok),
    }
}

/// Of the documents that a run came from, only the inventory is needed.
fn sites(origin: &Origin, settings: &Settings) -> Result<Sites, CommandError> {
    match &settings.sites {
        Some(_) => context::inventory(settings).map(|(sites, _)| sites),
        None => context::load(&origin.runbook, settings).map(|documents| documents.sites),
    }
}

/// Brings this machine and the mirrors to one story, if the run may be carried here. What each mirror holds.
pub(super) async fn level(
    history: &History,
    folder: &Path,
    fleet: Option<&Fleet>,
    (who, adopt): (&Operator, bool),
) -> Result<Vec<Kept>, CommandError> {
    let (Some(fleet), Some(begun)) = (fleet, mirrors::beginning(history)) else {
        return Ok(Vec::new());
    };
    // A run that has ended is nobody's any more. One that never held its group has done nothing: it may try, and
    // if it may not go on, it is ended.
    if !mirrors::has_ended(history) && last_epoch(&history.entries).is_some() {
        mirrors::may_be_carried(fleet, &mirrors::wanted(begun, who, adopt)).await?;
    }
    mirrors::level(fleet, folder, begun, adopt).await
}

/// The run with its mirrors, claimed before anything else is done.
pub(super) fn bound(
    run: Run,
    fleet: Option<&Fleet>,
    held: Vec<Kept>,
    (who, adopt): (&Operator, bool),
) -> Run {
    let Some(fleet) = fleet else { return run };
    let wanted = mirrors::wanted(run.engine.beginning(), who, adopt);
    launch::claiming(run.mirrored(fleet.clone(), held), wanted)
}

/// Nothing is left to do but to give mirrors what they lack.
async fn ended(
    folder: &Path,
    world: &world::Connected,
    held: Vec<Kept>,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    // Another process may have ended it since the first look.
    let history = runs::history(folder)?;
    output::text(&launch::closing(folder, &history, settings)?);
    declare::end(&launch::summary(&history)?, world.fleet.as_ref(), settings).await;
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
