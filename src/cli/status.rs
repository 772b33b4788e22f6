//! `lifeboat status`: where a run stands.

use super::{CommandError, Exit, Settings, output, runs, watch};
use crate::report::{self, Ending, Summary};
use crate::run::{self, Incidents, Journal};

/// Show where a run stands: what runs, who is waited for, what is next; without a run: list them
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Stay and show what happens, from this or any other machine, until the run has ended; with --plain a line for
    /// each change
    #[arg(long, requires = "run", conflicts_with = "json")]
    watch: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    match &arguments.run {
        Some(run) if arguments.watch => watch::run(run, settings),
        Some(run) => one(run, arguments.json, settings),
        None => all(arguments.json, settings),
    }
}

fn one(run: &str, json: bool, settings: &Settings) -> Result<Exit, CommandError> {
    let runs::Opened {
        folder,
        history,
        mirrored,
        ..
    } = runs::open(run, settings)?;
    let summary = super::launch::summary(&history)?;
    if json {
        output::json(&summary)?;
    } else {
        let screen = report::status(
            &history.entries,
            super::now(),
            &settings.zone(),
            settings.columns(),
        );
        output::text(&screen.map_err(|error| CommandError::new(Exit::Broken, error.to_string()))?);
        if !mirrored && !Journal::is_held(&folder) && summary.ending() == Ending::Open {
            output::line(&format!(
                "No process carries it now. Go on with: lifeboat resume {}",
                summary.run
            ));
        }
    }
    Ok(Exit::Done)
}

fn all(json: bool, settings: &Settings) -> Result<Exit, CommandError> {
    let mut summaries: Vec<Summary> = Vec::new();
    let names = runs::list(settings);
    for name in &names {
        let folder = runs::folder(settings).join(name);
        match runs::history(&folder).and_then(|history| super::launch::summary(&history)) {
            Ok(summary) => summaries.push(summary),
            Err(error) => output::note(error.to_string().trim_end()),
        }
    }
    let elsewhere = elsewhere(&names, settings);
    if json {
        output::json(&summaries)?;
    } else if names.is_empty() && elsewhere.is_empty() {
        output::line(&format!("No runs in {}.", runs::folder(settings).display()));
    } else if !summaries.is_empty() {
        output::text(&report::run_list(&summaries, &settings.zone()));
    }
    if !json {
        incidents(settings);
    }
    if !json && !elsewhere.is_empty() {
        output::line(&format!(
            "In mirrors and not on this machine: {}.",
            elsewhere.join(", ")
        ));
    }
    Ok(Exit::Done)
}

/// Incidents that this machine knows to stand.
fn incidents(settings: &Settings) {
    let here = Incidents::of(&settings.state);
    let groups = here.groups().unwrap_or_else(|error| {
        output::note(&format!("what was declared cannot be read: {error}"));
        Vec::new()
    });
    for group in groups {
        match here.read(&group).map(|notices| run::standing(&notices)) {
            Ok(Some(incident)) => output::line(&report::standing_line(&group, &incident, super::now())),
            Ok(None) => {}
            Err(error) => output::note(&format!("what was declared of {group} cannot be read: {error}")),
        }
    }
}

/// Runs that only mirrors know. That no mirror answers must not hide what is known here.
fn elsewhere(here: &[String], settings: &Settings) -> Vec<String> {
    let listed = super::block_on(super::mirrors::list(settings)).unwrap_or_else(|error| {
        output::note(error.to_string().trim_end());
        None
    });
    let names = listed.unwrap_or_default().into_iter().map(|(_, run)| run.0);
    names.filter(|name| !here.contains(name)).collect()
}
