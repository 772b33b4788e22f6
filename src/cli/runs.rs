//! Runs on this machine: where they are and what they are called.

use std::path::{Path, PathBuf};

use super::context::Origin;
use super::{CommandError, Exit, Settings};
use crate::run::{History, Journal};

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
            let made = std::fs::metadata(entry.path().join("origin.json"))
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
    let all = list(settings);
    let exact = all.iter().find(|run| *run == name);
    let near: Vec<&String> = all
        .iter()
        .filter(|run| !name.is_empty() && (run.starts_with(name) || run.ends_with(name)))
        .collect();
    match (exact, near.as_slice()) {
        (Some(run), _) => Ok((folder(settings).join(run), run.clone())),
        (None, [run]) => Ok((folder(settings).join(run), (*run).clone())),
        (None, []) => Err(
            CommandError::input(format!("no run `{name}` in {}", folder(settings).display()))
                .hint("lifeboat status lists them; --state says where they are kept"),
        ),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|run| run.as_str()).collect();
            Err(CommandError::input(format!(
                "`{name}` may mean {}",
                names.join(", ")
            )))
        }
    }
}

/// What a run's journal holds.
pub(super) fn history(folder: &Path) -> Result<History, CommandError> {
    Journal::read(folder).map_err(|error| CommandError::new(Exit::Broken, error.to_string()))
}

/// Keeps where a run's documents are. Not part of the run: it only saves typing.
#[expect(
    clippy::disallowed_methods,
    reason = "a note beside the journal, for later commands"
)]
pub(super) fn remember(folder: &Path, origin: &Origin) -> Result<(), CommandError> {
    let broken = |why: String| CommandError::new(Exit::Broken, format!("cannot write origin.json: {why}"));
    let text = serde_json::to_string_pretty(origin).map_err(|error| broken(error.to_string()))?;
    std::fs::write(folder.join("origin.json"), text).map_err(|error| broken(error.to_string()))
}

/// Where a run's documents are.
pub(super) fn origin(folder: &Path) -> Result<Origin, CommandError> {
    let text = super::context::read(&folder.join("origin.json"))?;
    serde_json::from_str(&text).map_err(|error| {
        CommandError::new(Exit::Broken, format!("{}/origin.json: {error}", folder.display()))
    })
}
