//! `lifeboat fence`: API servers that refuse older epochs, and what plans and runs say of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::world::{self, Connected};
use super::{CommandError, Exit, Settings, block_on, context, mirrors, output};
use crate::plan::{Part, Plan};
use crate::report;
use crate::run::{self, Run};
use crate::runbook::Sites;
use crate::world::fence::{self, Known, NAMESPACE, Standing};
use crate::world::port::Cluster;

/// Fences: API servers that refuse whoever acts for an older epoch.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Install(Install),
    Status(Status),
    Remove(Remove),
}

/// Have a site's API server refuse older epochs, for every verb
///
/// Makes a namespace for the accounts, roles, and two admission policies, and waits until a
/// witness is refused. Needs the rights of a cluster administrator, once; and Kubernetes 1.30. To repeat it mends
/// what is missing and leaves epochs alone.
#[derive(Debug, clap::Args)]
pub(super) struct Install {
    /// The site
    #[arg(long, value_name = "SITE")]
    site: String,
    /// Where the accounts are
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
    /// Print what it would make, as JSON manifests, and do nothing
    #[arg(long)]
    show: bool,
}

/// Try whether older epochs are refused; writes nothing
///
/// The trial asks for the token of an older epoch's account and has the server judge a write (dryRun=All).
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Only this site [default: all]
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
}

/// Take away everything that install and runs made for the fence
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The site
    #[arg(long, value_name = "SITE")]
    site: String,
    /// Also while a run holds a group: its process goes on unfenced, or halts
    #[arg(long, requires = "reason")]
    force: bool,
    /// Why
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
}

impl Command {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        let (sites, _) = context::inventory(settings)?;
        block_on(async {
            match self {
                Self::Install(arguments) => install(&arguments, &sites).await,
                Self::Status(arguments) => status(&arguments, &sites).await,
                Self::Remove(arguments) => remove(&arguments, &sites).await,
            }
        })
    }
}

/// The world with only this site in it, as whoever the inventory says.
async fn at(site: &str, sites: &Sites) -> Result<(Connected, Arc<dyn Cluster>), CommandError> {
    if !sites.sites.contains_key(site) {
        let known: Vec<&str> = sites.sites.keys().map(String::as_str).collect();
        return Err(CommandError::input(format!("the inventory has no site `{site}`"))
            .hint(format!("known here: {}", known.join(", "))));
    }
    let mut only = sites.clone();
    only.sites.retain(|name, _| name == site);
    let world = world::connect(&only).await?;
    let base = world.fences.base(site);
    let base = base.ok_or_else(|| {
        CommandError::refused(format!(
            "{site} is in lifeboat's own memory: it has no API server to fence"
        ))
    })?;
    Ok((world, base))
}

async fn install(arguments: &Install, sites: &Sites) -> Result<Exit, CommandError> {
    let (site, namespace) = (&arguments.site, &arguments.namespace);
    if !crate::text::is_name(namespace) {
        return Err(CommandError::input(format!(
            "`{namespace}` is no name of a namespace"
        )));
    }
    if arguments.show {
        output::json(&fence::manifests(namespace))?;
        return Ok(Exit::Done);
    }
    let (world, base) = at(site, sites).await?;
    output::note(&format!("At {site}, these are made, or mended:"));
    for title in fence::titles(namespace) {
        output::note(&format!("  {title}"));
    }
    for line in fence::install(&base, site, namespace).await? {
        output::line(&line);
    }
    output::line(&format!(
        "{site}: {}; a witness was refused just now.",
        Standing::ENFORCED
    ));
    warn_of_decoration(&world, site).await?;
    Ok(Exit::Done)
}

/// Whoever has that credential is not kept out, and must know.
async fn warn_of_decoration(world: &Connected, site: &str) -> Result<(), CommandError> {
    if world.fences.is_decoration(site).await? {
        output::note(&format!(
            "warning: the inventory's own identity at {site} may delete everything there, so against whoever has that credential the fence is decoration"
        ));
        output::note(
            "hint: lifeboat's own processes are kept apart by it all the same, by the accounts of their epochs",
        );
    }
    Ok(())
}

async fn status(arguments: &Status, sites: &Sites) -> Result<Exit, CommandError> {
    if let Some(site) = &arguments.site {
        at(site, sites).await?;
    }
    let world = world::connect(sites).await?;
    let wanted = |name: &&str| arguments.site.as_deref().is_none_or(|site| site == *name);
    let names: Vec<&str> = world.fences.sites().filter(wanted).collect();
    let (mut rows, mut bad, mut fenced) = (Vec::new(), false, BTreeSet::new());
    for name in &names {
        for (group, standing) in at_site(&world, name).await {
            if !matches!(standing, Standing::Advisory(_)) {
                fenced.insert(*name);
            }
            bad |= matches!(standing, Standing::Broken(_) | Standing::Unknown(_));
            rows.push(row(name, group.as_deref().unwrap_or("-"), &standing));
        }
    }
    if !rows.is_empty() {
        output::text(&report::columns(&rows));
    }
    for name in fenced {
        if let Err(error) = warn_of_decoration(&world, name).await {
            output::note(&format!(
                "warning: whether {name}'s own identity is kept out is not known: {}",
                error.message
            ));
        }
    }
    Ok(if bad { Exit::Failed } else { Exit::Done })
}

/// Each group of a site, or the site alone where it has none.
async fn at_site(world: &Connected, site: &str) -> Vec<(Option<String>, Standing)> {
    let groups = match world.fences.base(site) {
        Some(base) => fence::groups(&base, site).await,
        None => Ok(None),
    };
    let mut names: Vec<Option<String>> = match groups {
        Ok(groups) => groups.into_iter().flatten().map(|(name, _)| Some(name)).collect(),
        Err(error) => return vec![(None, Standing::Unknown(error.message))],
    };
    if names.is_empty() {
        names.push(None);
    }
    let mut all = Vec::new();
    for name in names {
        let found = world.fences.standing([site], name.as_deref()).await;
        all.extend(found.into_values().map(|standing| (name.clone(), standing)));
    }
    all
}

fn row(site: &str, group: &str, standing: &Standing) -> Vec<String> {
    let more = match standing {
        Standing::Enforced { refused, known } => {
            let who = known.as_ref().map(told).unwrap_or_default();
            format!("{who}{refused} was refused just now")
        }
        Standing::Advisory(_) | Standing::Broken(_) | Standing::Unknown(_) => String::new(),
    };
    vec![site.to_owned(), group.to_owned(), standing.to_string(), more]
}

fn told(known: &Known) -> String {
    match &known.holder {
        Some(holder) => format!("epoch {} ({holder}); ", known.epoch),
        None => format!("epoch {}; ", known.epoch),
    }
}

async fn remove(arguments: &Remove, sites: &Sites) -> Result<Exit, CommandError> {
    let site = &arguments.site;
    let (world, base) = at(site, sites).await?;
    let held = held(&world, fence::groups(&base, site).await?.unwrap_or_default()).await;
    if !held.is_empty() && !arguments.force {
        let error = CommandError::refused(format!("the fence at {site} is in use"));
        let error = held
            .iter()
            .fold(error, |error, line| error.detail(format!("  {line}")));
        return Err(error
            .detail("Nothing was changed.")
            .hint("let the run end, or end it: lifeboat abort, and then lifeboat resume")
            .hint(format!(
                "if it must be: lifeboat fence remove --site {site} --force --reason \"…\""
            )));
    }
    for line in held {
        let reason = arguments.reason.as_deref().unwrap_or_default();
        output::note(&format!("warning: {line}; removed all the same: {reason}"));
    }
    let gone = fence::uninstall(&base, site, NAMESPACE).await?;
    for title in &gone {
        output::line(&format!("removed  {title}"));
    }
    if gone.is_empty() {
        output::line(&format!("{site}: there is no fence."));
    }
    Ok(Exit::Done)
}

/// Groups that a run holds, or of which nobody can tell.
async fn held(world: &Connected, groups: BTreeMap<String, Known>) -> Vec<String> {
    let mut held = Vec::new();
    for (group, known) in groups {
        let Some(fleet) = &world.fleet else {
            let who = told(&known);
            held.push(format!(
                "{group}: {who}whether that run goes on is not known, for the inventory names no mirrors of the journal"
            ));
            continue;
        };
        let (holder, silent) = run::holder(fleet, &group).await;
        match holder {
            Some(claim) => held.push(format!(
                "{group}: {} is carried by {} on {}, epoch {}",
                claim.run, claim.operator.name, claim.operator.host, claim.epoch
            )),
            None if !silent.is_empty() => {
                held.push(format!(
                    "{group}: whether a run holds it is not known: {}",
                    silent.join("; ")
                ));
            }
            None => {}
        }
    }
    held
}

/// Of real sites that a run would hold an epoch at; none where it holds none.
pub(super) async fn looked(world: &Connected, plan: &Plan) -> BTreeMap<String, Standing> {
    if !mirrors::holds_the_group(plan.mode) {
        return BTreeMap::new();
    }
    let acted_at = sites_of(plan);
    let sites = world.fences.sites().filter(|site| acted_at.contains(*site));
    if world.fleet.is_none() {
        let why = "without mirrors of the journal a run has no epoch";
        return sites
            .map(|site| (site.to_owned(), Standing::Advisory(why.to_owned())))
            .collect();
    }
    let (answered, silent): (Vec<&str>, Vec<&str>) = sites.partition(|site| plan.sites.contains_key(*site));
    let mut all = world.fences.standing(answered, Some(&plan.runbook.name)).await;
    for site in silent {
        let why = "it did not answer when the plan was made".to_owned();
        all.insert(site.to_owned(), Standing::Unknown(why));
    }
    all
}

/// Sites that the plan's steps act at. One at which nothing is done is not asked, and need not answer.
fn sites_of(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.steps.iter().filter(|step| step.part == Part::Done);
    let effects = steps.flat_map(|step| step.effects.iter().chain(&step.undo));
    effects
        .filter_map(|effect| effect.meaning().site().map(str::to_owned))
        .collect()
}

/// Site → who acts there instead of the inventory's own identity.
pub(super) fn deputies(looked: &BTreeMap<String, Standing>) -> BTreeMap<String, String> {
    let fenced = looked
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Enforced { .. }));
    fenced
        .map(|(site, _)| (site.clone(), "the account of its epoch".to_owned()))
        .collect()
}

/// Says how fences stand when a run begins. Gives back the highest epoch that any of the sites knows.
pub(super) async fn say(world: &Connected, plan: &Plan) -> u64 {
    let looked = looked(world, plan).await;
    for (site, standing) in &looked {
        output::note(&format!("{site}: fence: {standing}"));
    }
    looked.values().map(Standing::epoch).max().unwrap_or(0)
}

/// A run that claims an epoch above what sites know, and raises their fences as soon as it holds it.
pub(super) fn raised(run: Run, world: &Connected, above: u64) -> Run {
    let plan = &run.engine.beginning().plan;
    if !mirrors::holds_the_group(plan.mode) {
        return run;
    }
    let silent = |site: &str| !plan.sites.contains_key(site);
    let fence = world
        .fences
        .raising(sites_of(plan).iter().map(String::as_str), silent);
    run.above(above).fenced(fence)
}
