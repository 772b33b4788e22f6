//! `lifeboat plan`: what would happen, and nothing happens.

use std::path::{Path, PathBuf};

use super::planning::{self, Subject};
use super::preflight::{self, Before};
use super::{CommandError, Exit, Settings, history, output, rehearse};
use crate::plan::{Digest, Look, Plan};
use crate::report::{self, PlanView};
use crate::runbook::Mode;

/// Show what a run would do; reads the sites and writes nothing
///
/// The plan is a value: save it with --save, have it approved by its digest, and `lifeboat run` performs
/// exactly that, or refuses because the world has changed.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// What for: drill, switchover, failover, failback or protect
    #[arg(long, value_parser = mode, default_value = "drill")]
    mode: Mode,
    /// Write the plan to a file, for `lifeboat run`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Below the plan, every object of its restores: what becomes of it and why
    #[arg(long, group = "form")]
    objects: bool,
    /// Ask each site, below the plan, whether it would take every object (dryRun=All); changes nothing
    #[arg(long, conflicts_with_all = ["json", "mermaid", "svg"])]
    rehearse: bool,
    /// The plan as JSON
    #[arg(long, group = "form")]
    json: bool,
    /// The plan as a Mermaid flowchart
    #[arg(long, group = "form")]
    mermaid: bool,
    /// The plan as a drawing
    #[arg(long, group = "form")]
    svg: bool,
}

pub(super) fn mode(word: &str) -> Result<Mode, String> {
    Mode::of_word(word).ok_or_else(|| {
        let words: Vec<_> = Mode::ALL.iter().map(|mode| mode.word()).collect();
        format!("one of {}", words.join(", "))
    })
}

pub(super) fn run(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(show(arguments, settings))
}

async fn show(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let planned = planning::plan(&arguments.subject, arguments.mode, Look::Closely, settings);
    let planned = output::patiently("planning", planned).await?;
    let plan = &planned.plan;
    if let Some(file) = &arguments.save {
        save(plan, &planned.documents.origin, file)?;
    }
    if arguments.json {
        output::json(plan)?;
    } else if arguments.mermaid {
        output::text(&report::mermaid(plan));
    } else if arguments.svg {
        output::text(&report::svg_graph(plan));
    } else {
        let command = match &arguments.save {
            Some(file) => format!("lifeboat run {}", file.display()),
            None => direct(&arguments.subject.runbook, plan),
        };
        let before = preflight::look(plan, &planned.world, &planned.documents.sites);
        let before = output::patiently("looking at everything once more", before).await;
        output::text(&drawing(plan, &command, &before, settings));
        if arguments.objects {
            output::text(&report::plan_objects(plan, settings.columns()));
        }
        if arguments.rehearse {
            return rehearse::show(plan, &*planned.world.rehearser, settings).await;
        }
    }
    Ok(Exit::Done)
}

/// The command that plans the same again and runs it. A drill's digest holds its random id, so it is
/// not compared.
fn direct(runbook: &Path, plan: &Plan) -> String {
    let digest = match plan.sandbox {
        Some(_) => String::new(),
        None => format!(" --plan {}", Digest::of(plan).short()),
    };
    format!("lifeboat {} {}{digest}", plan.mode, runbook.display())
}

/// The plan for a terminal.
pub(super) fn drawing(plan: &Plan, command: &str, before: &Before, settings: &Settings) -> String {
    let view = PlanView {
        now: super::now(),
        estimates: &history::of(plan, settings),
        command,
        fences: &before.fences,
        preflight: &before.checks,
        columns: settings.columns(),
    };
    report::plan_text(plan, &view)
}

/// A saved plan: the plan and where its documents are.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Saved {
    pub(super) origin: super::context::Origin,
    pub(super) digest: Digest,
    pub(super) plan: Plan,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line writes the file that it is asked for"
)]
fn save(plan: &Plan, origin: &super::context::Origin, file: &Path) -> Result<(), CommandError> {
    let saved = Saved {
        origin: origin.clone(),
        digest: Digest::of(plan),
        plan: plan.clone(),
    };
    let broken = |why: String| CommandError::new(Exit::Broken, format!("cannot save the plan: {why}"));
    let text = serde_json::to_string_pretty(&saved).map_err(|error| broken(error.to_string()))?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| broken(format!("{}: {error}", folder.display())))?;
    }
    std::fs::write(file, text).map_err(|error| broken(format!("{}: {error}", file.display())))
}
