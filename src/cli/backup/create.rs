//! `lifeboat backup create`: one backup, as a run.

use serde_json::json;

use crate::cli::generated::{self, Cluster, OneStep};
use crate::cli::{CommandError, Exit, Settings, context, launch, planning, world};
use crate::plan::Look;
use crate::runbook::Mode;

/// The role of the site that a single backup reads.
const SOURCE: &str = "source";

/// Make a backup of a site's namespaces: read, written, read back, and only then called verified
///
/// It is a run of a runbook with one step, and has its journal and report: `lifeboat status` shows it, and
/// `lifeboat resume` goes on with it. --print-runbook prints the runbook and does nothing.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The site to read
    #[arg(long, value_name = "SITE")]
    site: String,
    /// Namespaces to read, each with everything in it
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    namespaces: Vec<String>,
    /// The store to write to
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Kinds to leave out, as plural.group
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Objects outside of namespaces: what the others name, everything, or nothing
    #[arg(long, value_name = "WHAT", default_value = "related")]
    cluster: Cluster,
    /// What the backup's name begins with [default: its namespaces]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print the runbook that this is, and do nothing
    #[arg(long)]
    print_runbook: bool,
    #[command(flatten)]
    options: launch::Options,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    crate::cli::block_on(create(arguments, settings))
}

async fn create(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    super::known("site", &arguments.site, sites.sites.keys().map(String::as_str))?;
    super::known("store", &arguments.to, sites.stores.keys().map(String::as_str))?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => generated::name("", &arguments.namespaces),
    };
    let mut step = json!({"site": SOURCE, "namespaces": arguments.namespaces, "to": arguments.to});
    if !arguments.exclude.is_empty() {
        step["exclude"] = json!(arguments.exclude);
    }
    if arguments.cluster != Cluster::Related {
        step["cluster"] = json!(arguments.cluster.word());
    }
    let runbook = OneStep {
        name: &name,
        title: format!("Backup of {}", arguments.namespaces.join(", ")),
        role: (SOURCE, &arguments.site),
        mode: Mode::Protect,
        step: ("backup", step),
        on_failure: "stop",
    };
    let Some(documents) = runbook.documents(arguments.print_runbook, settings)? else {
        return Ok(Exit::Done);
    };
    let world = world::connect(&documents.sites).await?;
    let plan = planning::of(
        &documents,
        &[],
        (Mode::Protect, Look::Briefly),
        &*world.actor,
        settings,
    )
    .await?;
    launch::begin(plan, &documents.origin, world, &arguments.options, settings).await
}
