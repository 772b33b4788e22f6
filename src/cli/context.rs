//! What commands begin with: documents read from files, and the world that they name.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Colour, CommandError, Exit, Settings};
use crate::plan::Request;
use crate::runbook::{self, Mode, Runbook, Sites};
use crate::step::KINDS;
use crate::text::{Diagnostics, Sources};

/// The files of a runbook's folder.
const RUNBOOK_FILE: &str = "runbook.yaml";
const SITES_FILE: &str = "sites.yaml";

/// Everything that was read, with the sources for diagnostics.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) sources: Sources,
    pub(super) runbook: Runbook,
    pub(super) sites: Sites,
    pub(super) found: Diagnostics,
    /// Absolute, for a later resume.
    pub(super) runbook_file: PathBuf,
    /// Absolute; where no separate file was read: the runbook's own.
    pub(super) sites_file: PathBuf,
}

/// The runbook file of a path: itself, or `runbook.yaml` in that folder.
pub(super) fn runbook_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(RUNBOOK_FILE) } else { path.to_owned() }
}

/// The site inventory for a runbook: as given, else `sites.yaml` beside it.
fn sites_file(runbook: &Path, settings: &Settings) -> Option<PathBuf> {
    settings.sites.clone().or_else(|| {
        let beside = runbook.parent().unwrap_or(Path::new("")).join(SITES_FILE);
        beside.is_file().then_some(beside)
    })
}

/// Reads one file.
#[expect(clippy::disallowed_methods, reason = "the command line reads the files that it is given")]
pub(super) fn read(path: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        match error.kind() {
            std::io::ErrorKind::NotFound => CommandError::input(format!("{shown} does not exist"))
                .hint("give a runbook file, or a folder that holds runbook.yaml"),
            _ => CommandError::input(format!("{shown} cannot be read: {error}")),
        }
    })
}

/// Reads and checks the documents of a runbook; errors are drawn, all of them at once.
pub(super) fn load(path: &Path, settings: &Settings) -> Result<Documents, CommandError> {
    let loaded = load_all(path, settings)?;
    if loaded.found.has_errors() {
        return Err(CommandError::diagnostics(&loaded.found, &loaded.sources, Exit::BadInput, colour(settings)));
    }
    let (Some(runbook), Some(sites)) = (loaded.runbook, loaded.sites) else {
        return Err(CommandError::input(format!("{} holds no site inventory", path.display()))
            .hint("write sites.yaml beside the runbook, or give one with --sites"));
    };
    Ok(Documents {
        sources: loaded.sources_of,
        runbook,
        sites,
        found: loaded.found,
        runbook_file: loaded.runbook_file,
        sites_file: loaded.sites_file,
    })
}
