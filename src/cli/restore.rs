//! `lifeboat restore`: one restore, as a run.

use std::str::FromStr;

use serde_json::{Value, json};

use super::changes::Changes;
use super::generated::{self, Cluster, OneStep};
use super::start::{self, Question};
use super::{
    CommandError, Exit, Settings, backup, context, launch, output, plan, planning, preflight, rehearse, world,
};
use crate::objects::Risk;
use crate::plan::{Digest, Look, Plan};
use crate::report;
use crate::runbook::{Mode, Sites};

/// The role of the site that a single restore writes.
const TARGET: &str = "target";

/// Restore a backup to a site: shows what would become of every object, and asks before it changes one
///
/// It is a run of a runbook with one step: with a plan, a journal and a report; `lifeboat resume` goes on
/// with it. The plan is shown first, and the target has to be typed, or given by --confirm.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The backup: its name, `latest-verified` or `latest`
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// The store that holds it [default: the only one of the inventory]
    #[arg(long, value_name = "STORE")]
    from: Option<String>,
    /// The site to write
    #[arg(long, value_name = "SITE")]
    to: String,
    /// Namespaces to restore, as names or patterns ("*") [default: those that the backup was made of]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Kinds to leave out, as plural.group
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Only these kinds, as plural.group
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Objects that are already there and differ: leave them; apply the backup's; also delete and make again
    /// what cannot be changed in place; also delete what the backup does not hold
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    existing: Existing,
    /// Refuse if --existing prune would delete more objects [default: 10]
    #[arg(long, value_name = "N")]
    prune_max: Option<u32>,
    /// Kinds whose status is restored too, as plural.group
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    status: Vec<String>,
    /// Objects outside of namespaces: what the others name and is missing, everything, or nothing
    #[arg(long, value_name = "WHAT", default_value = "related")]
    cluster: Cluster,
    /// A risk to take, for objects as Kind/name or Kind/namespace/name (`*`: any letters); without a name: for
    /// all of them. `lifeboat explain restore` lists the risks
    #[arg(long, value_name = "RISK[:NAME]")]
    allow: Vec<Allowed>,
    #[command(flatten)]
    changes: Changes,
    /// Refuse unless the plan has this digest (or begins with it)
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Below the plan, every object: what becomes of it and why
    #[arg(long)]
    objects: bool,
    /// Ask the site whether it would take every object (dryRun=All), and do nothing
    #[arg(long)]
    rehearse: bool,
    /// Print the runbook that this is, and do nothing
    #[arg(long)]
    print_runbook: bool,
    /// Name and role of the target, as they would be typed: "west target"
    #[arg(long, value_name = "TARGET")]
    confirm: Option<String>,
    #[command(flatten)]
    options: launch::Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Existing {
    Keep,
    Update,
    Replace,
    Prune,
}

impl Existing {
    const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Prune => "prune",
        }
    }
}

/// `--allow`: a risk, and the object that it is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    risk: Risk,
    object: String,
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names of roles have colons of their own.
        let (risk, object) = text.split_once(':').unwrap_or((text, "*"));
        let risk = Risk::of(risk).ok_or_else(|| {
            let known = Risk::ALL.map(Risk::word).join(", ");
            format!("there is no risk `{risk}`; the risks are {known}")
        })?;
        Ok(Self {
            risk,
            object: object.to_owned(),
        })
    }
}

/// What a person who types a command gives as reason. The command itself is in the run's record.
const TYPED: &str = "allowed on the command line";

/// Allowances as a runbook has them, one for each risk.
fn allow(all: &[Allowed]) -> Vec<Value> {
    let of = |risk: Risk| -> Vec<&str> {
        let named = all.iter().filter(|one| one.risk == risk);
        named.map(|one| one.object.as_str()).collect()
    };
    Risk::ALL
        .into_iter()
        .map(|risk| (risk, of(risk)))
        .filter(|(_, objects)| !objects.is_empty())
        .map(|(risk, objects)| json!({"risk": risk.word(), "objects": objects, "because": TYPED}))
        .collect()
}

impl Arguments {
    /// The command that performs exactly this plan, or refuses.
    fn again(&self, from: &str, plan: &Plan, target: &str) -> String {
        let mut words = vec![format!(
            "lifeboat restore {} --from {from} --to {}",
            self.backup, self.to
        )];
        for (option, names) in [
            ("--namespaces", &self.namespaces),
            ("--exclude", &self.exclude),
            ("--kinds", &self.kinds),
            ("--status", &self.status),
        ] {
            let names = names.join(",");
            if names.contains('*') {
                words.push(format!("{option} '{names}'"));
            } else if !names.is_empty() {
                words.push(format!("{option} {names}"));
            }
        }
        if self.existing != Existing::Keep {
            words.push(format!("--existing {}", self.existing.word()));
        }
        words.extend(self.prune_max.map(|most| format!("--prune-max {most}")));
        if self.cluster != Cluster::Related {
            words.push(format!("--cluster {}", self.cluster.word()));
        }
        for one in &self.allow {
            words.push(format!("--allow '{}:{}'", one.risk.word(), one.object));
        }
        words.extend(self.changes.words());
        words.push(format!(
            "--plan {} --confirm \"{target}\"",
            Digest::of(plan).short()
        ));
        words.join(" ")
    }
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(restore(arguments, settings))
}

async fn restore(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    backup::known("site", &arguments.to, sites.sites.keys().map(String::as_str))?;
    let (from, namespaces) = source(arguments, &sites).await?;
    let mut step = json!({
        "site": TARGET, "from": from, "backup": arguments.backup, "namespaces": namespaces,
        "existing": arguments.existing.word(),
    });
    for (name, kinds) in [
        ("exclude", &arguments.exclude),
        ("kinds", &arguments.kinds),
        ("status", &arguments.status),
    ] {
        if !kinds.is_empty() {
            step[name] = json!(kinds);
        }
    }
    if let Some(most) = arguments.prune_max {
        step["pruneMax"] = json!(most);
    }
    if arguments.cluster != Cluster::Related {
        step["cluster"] = json!(arguments.cluster.word());
    }
    if !arguments.allow.is_empty() {
        step["allow"] = allow(&arguments.allow).into();
    }
    arguments.changes.add_to(&mut step)?;
    let runbook = OneStep {
        name: &generated::name("restore-", &namespaces),
        title: format!("Restore of {} to {}", arguments.backup, arguments.to),
        role: (TARGET, &arguments.to),
        mode: Mode::Failover,
        step: ("restore", step),
        on_failure: "pause",
    };
    let Some(documents) = runbook.documents(arguments.print_runbook, settings)? else {
        return Ok(Exit::Done);
    };
    let world = world::connect(&documents.sites).await?;
    let plan = planning::of(
        &documents,
        &[],
        (Mode::Failover, Look::Closely),
        &*world.actor,
        settings,
    )
    .await?;
    start::expect_digest(&plan, arguments.plan.as_deref())?;
    let target = format!("{} {TARGET}", arguments.to);
    let command = arguments.again(&from, &plan, &target);
    let before = preflight::look(&plan, &world, &documents.sites).await;
    output::note(&plan::drawing(&plan, &command, &before, settings));
    if arguments.objects {
        output::note(&report::plan_objects(&plan, settings.columns()));
    }
    if arguments.rehearse {
        return rehearse::show(&plan, &*world.rehearser, settings).await;
    }
    start::typed(&Question {
        what: "a restore",
        ask: "Type the name and role of the target to go on",
        object: "the target",
        wanted: &target,
        given: arguments.confirm.as_deref(),
    })?;
    launch::begin(plan, &documents.origin, world, &arguments.options, settings).await
}

/// The store and the namespaces that are meant.
async fn source(arguments: &Arguments, sites: &Sites) -> Result<(String, Vec<String>), CommandError> {
    let library = world::library(sites, None).await?;
    let from = backup::store(&library, "--from", arguments.from.as_deref())?;
    if !arguments.namespaces.is_empty() {
        return Ok((from.to_owned(), arguments.namespaces.clone()));
    }
    let unnamed = |why: String| CommandError::input(why).hint("name the namespaces: --namespaces <a>,<b>");
    let name = arguments.backup.as_str();
    if matches!(name, "latest-verified" | "latest") {
        return Err(unnamed(format!("of which namespaces is `{name}` meant?")));
    }
    let card = library.show(from, name).await?.card;
    match card.namespaces {
        Some(names) if !names.is_empty() => Ok((from.to_owned(), names)),
        Some(_) => Ok((from.to_owned(), vec!["*".to_owned()])),
        None => Err(unnamed(format!("backup {name} does not say its namespaces"))),
    }
}
