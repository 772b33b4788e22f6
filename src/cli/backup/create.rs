//! `lifeboat backup create`: one backup, as a run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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
    /// Only these kinds, as plural.group
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Namespaces that a pattern means and that are left out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude_namespaces: Vec<String>,
    /// Only objects with all of these labels
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    labels: Vec<String>,
    /// Objects outside of namespaces: what the others name, everything, or nothing
    #[arg(long, value_name = "WHAT", default_value = "related")]
    cluster: Cluster,
    /// Lock all that is written, by an S3 bucket's object lock: such as compliance:30d, governance:12h
    #[arg(long, value_name = "MODE:TIME")]
    lock: Option<String>,
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
    for (name, words) in [
        ("exclude", &arguments.exclude),
        ("kinds", &arguments.kinds),
        ("excludeNamespaces", &arguments.exclude_namespaces),
    ] {
        if !words.is_empty() {
            step[name] = json!(words);
        }
    }
    if !arguments.labels.is_empty() {
        step["labels"] = json!([{"matchLabels": labels(&arguments.labels)?}]);
    }
    if arguments.cluster != Cluster::Related {
        step["cluster"] = json!(arguments.cluster.word());
    }
    if let Some(text) = &arguments.lock {
        step["lock"] = lock(text)?;
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

/// `tier=web` and so on, as a selector has them.
fn labels(all: &[String]) -> Result<BTreeMap<&str, &str>, CommandError> {
    let error = |text: &str| {
        CommandError::input(format!("--labels {text} has no value")).hint("say both: --labels tier=web")
    };
    let pairs = all
        .iter()
        .map(|text| text.split_once('=').ok_or_else(|| error(text)));
    pairs.collect()
}

/// `compliance:30d`, as a step has it.
fn lock(text: &str) -> Result<Value, CommandError> {
    let error =
        || CommandError::input(format!("--lock {text} has no time")).hint("say both: --lock compliance:30d");
    let (mode, time) = text.split_once(':').ok_or_else(error)?;
    Ok(json!({"mode": mode, "for": time}))
}
