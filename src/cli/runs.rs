//! Runs on this machine: where they are and what they are called.

use std::path::{Path, PathBuf};

use super::context::{Origin, RUNBOOK_FILE};
use super::{CommandError, Exit, Settings, output};
use crate::run::{History, Journal};

/// Where a run's documents are.
const ORIGIN_FILE: &str = "origin.json";

/// The folder of all runs.
pub(super) fn folder(settings: &Settings) -> PathBuf {
    settings.state.join("runs")
}

/// Names of all runs, the newest last.
pub(super) fn list(settings: &Settings) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(settings)) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("journal.jsonl").is_file())
        .filter_map(|entry| {
            let made = std::fs::metadata(entry.path().join(ORIGIN_FILE))
                .and_then(|meta| meta.modified())
                .ok();
            Some((made, entry.file_name().into_string().ok()?))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

/// The folder and whole name of a run: its name, or an unmistakable beginning or end of it.
pub(super) fn find(name: &str, settings: &Settings) -> Result<(PathBuf, String), CommandError> {
    here(name, settings)?.ok_or_else(|| unknown(name, settings))
}

fn unknown(name: &str, settings: &Settings) -> CommandError {
    CommandError::input(format!("no run `{name}` in {}", folder(settings).display()))
        .hint("lifeboat status lists them; --state says where they are kept")
        .hint("a run of another machine is found in the mirrors of an inventory: --sites <file>")
}

/// As [`find`]; `None`: this machine has no such run.
pub(super) fn here(name: &str, settings: &Settings) -> Result<Option<(PathBuf, String)>, CommandError> {
    let all = list(settings);
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let chosen = choose(name, &names)?.and_then(|at| all.get(at));
    Ok(chosen.map(|run| (folder(settings).join(run), run.clone())))
}

/// Which of several runs a name means: its whole name, or an unmistakable beginning or end of it.
pub(super) fn choose(name: &str, all: &[&str]) -> Result<Option<usize>, CommandError> {
    if let Some(exact) = all.iter().position(|run| *run == name) {
        return Ok(Some(exact));
    }
    let near = |run: &&str| !name.is_empty() && (run.starts_with(name) || run.ends_with(name));
    let fits: Vec<usize> = (0..all.len())
        .filter(|at| all.get(*at).is_some_and(near))
        .collect();
    match fits.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<&str> = several.iter().filter_map(|at| all.get(*at).copied()).collect();
            Err(CommandError::input(format!(
                "`{name}` may mean {}",
                names.join(", ")
            )))
        }
    }
}

/// A run to be looked at.
pub(super) struct Opened {
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) history: History,
    /// It was read from a mirror: this machine has no journal of it, or none that is whole.
    pub(super) mirrored: bool,
}

/// The journal of a run: this machine's, or what mirrors of the inventory hold.
pub(super) fn open(name: &str, settings: &Settings) -> Result<Opened, CommandError> {
    let trouble = match here(name, settings)? {
        None => None,
        Some((folder, name)) => match history(&folder) {
            Ok(history) => {
                return Ok(Opened {
                    folder,
                    name,
                    history,
                    mirrored: false,
                });
            }
            Err(error) => Some(error),
        },
    };
    let elsewhere = super::block_on(super::mirrors::find(name, settings))?;
    let Some(elsewhere) = elsewhere else {
        return Err(trouble.unwrap_or_else(|| unknown(name, settings)));
    };
    if let Some(error) = trouble {
        output::note(error.to_string().trim_end());
    }
    elsewhere.say();
    Ok(Opened {
        folder: folder(settings).join(&elsewhere.run.0),
        name: elsewhere.run.0.clone(),
        history: elsewhere.found.history,
        mirrored: true,
    })
}

/// What a run's journal holds.
pub(super) fn history(folder: &Path) -> Result<History, CommandError> {
    Journal::read(folder).map_err(|error| CommandError::new(Exit::Broken, error.to_string()))
}

/// Keeps where a run's documents are. Not part of the run: it only saves typing. A runbook that is in no
/// file becomes one here, so that `resume` finds it, and so that a person may keep it.
#[expect(
    clippy::disallowed_methods,
    reason = "notes beside the journal, for later commands"
)]
pub(super) fn remember(folder: &Path, origin: &Origin) -> Result<(), CommandError> {
    let broken = |file: &str, why: String| {
        let message = format!("cannot write {}: {why}", folder.join(file).display());
        CommandError::new(Exit::Unwritten, message).detail("Nothing was begun.")
    };
    let write = |file: &str, text: &str| {
        std::fs::write(folder.join(file), text).map_err(|error| broken(file, error.to_string()))
    };
    let mut origin = origin.clone();
    if let Some(text) = &origin.generated {
        write(RUNBOOK_FILE, text)?;
        origin.runbook = super::context::absolute(&folder.join(RUNBOOK_FILE));
    }
    let text =
        serde_json::to_string_pretty(&origin).map_err(|error| broken(ORIGIN_FILE, error.to_string()))?;
    write(ORIGIN_FILE, &text)
}

/// Where a run's documents are.
pub(super) fn origin(folder: &Path) -> Result<Origin, CommandError> {
    let text = super::context::read(&folder.join(ORIGIN_FILE))?;
    serde_json::from_str(&text).map_err(|error| {
        CommandError::new(Exit::Broken, format!("{}/origin.json: {error}", folder.display()))
    })
}
