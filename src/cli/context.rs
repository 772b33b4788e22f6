//! What commands begin with: documents read from files, and what was given on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CommandError, Exit, Settings};
use crate::runbook::{self, Pins, Runbook, Sites};
use crate::step::{self, Bound, KINDS};
use crate::text::{Diagnostics, SourceId, Sources};

/// The files of a runbook's folder.
pub(super) const RUNBOOK_FILE: &str = "runbook.yaml";
pub(super) const SITES_FILE: &str = "sites.yaml";

/// Everything that was read and what is wrong with it.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) sources: Sources,
    pub(super) found: Diagnostics,
    pub(super) runbook: Option<Runbook>,
    pub(super) sites: Option<Sites>,
    pub(super) bound: Option<Bound>,
    pub(super) origin: Origin,
}

/// Which files a run came from, so that a later command finds them again. Absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Origin {
    pub(super) runbook: PathBuf,
    pub(super) sites: Option<PathBuf>,
    /// The text of a runbook that is in no file: it was made from a command line. A run keeps it in its
    /// folder.
    #[serde(skip)]
    pub(super) generated: Option<String>,
}

/// Documents without a mistake.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) sources: Sources,
    pub(super) runbook: Runbook,
    pub(super) sites: Sites,
    /// The steps as they were read to be checked.
    pub(super) bound: Option<Bound>,
    pub(super) origin: Origin,
}

/// Reads one file.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line reads the files that it is given"
)]
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

/// Reads the documents of a runbook and finds every mistake in them.
pub(super) fn check(path: &Path, settings: &Settings) -> Result<Checked, CommandError> {
    let runbook = if path.is_dir() {
        path.join(RUNBOOK_FILE)
    } else {
        path.to_owned()
    };
    let sites = settings.sites.clone().or_else(|| beside(&runbook));
    let text = read(&runbook)?;
    let checked = check_text(&runbook.display().to_string(), text, sites.as_deref())?;
    Ok(Checked {
        origin: Origin {
            runbook: absolute(&runbook),
            ..checked.origin
        },
        ..checked
    })
}

/// The same of a runbook that is already read.
fn check_text(name: &str, text: String, sites: Option<&Path>) -> Result<Checked, CommandError> {
    let mut sources = Sources::default();
    let mut ids = vec![sources.add(name.to_owned(), text)];
    if let Some(sites) = sites {
        ids.push(sources.add(sites.display().to_string(), read(sites)?));
        ids.extend(pins_beside(&mut sources, sites)?);
    }
    let (loaded, bound) = step::check(runbook::load(&sources, &ids, &step::kind_names(KINDS)), KINDS);
    Ok(Checked {
        sources,
        found: loaded.diagnostics,
        runbook: loaded.runbook,
        sites: loaded.sites,
        bound,
        origin: Origin {
            runbook: PathBuf::from(name),
            sites: sites.map(absolute),
            generated: None,
        },
    })
}

/// The site inventory beside a runbook.
fn beside(runbook: &Path) -> Option<PathBuf> {
    let file = runbook.parent().unwrap_or(Path::new("")).join(SITES_FILE);
    file.is_file().then_some(file)
}

/// The pins of an inventory, where somebody wrote any.
fn pins_beside(sources: &mut Sources, inventory: &Path) -> Result<Option<SourceId>, CommandError> {
    let file = Pins::beside(inventory);
    // Only what is surely not there is no pin: a file that cannot be read must not unpin anything.
    if !file.try_exists().unwrap_or(true) {
        return Ok(None);
    }
    Ok(Some(sources.add(file.display().to_string(), read(&file)?)))
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The inventory alone, for commands that need no runbook: from `--sites`, else `sites.yaml` here.
pub(super) fn inventory(settings: &Settings) -> Result<(Sites, PathBuf), CommandError> {
    let here = PathBuf::from(SITES_FILE);
    let file = match &settings.sites {
        Some(file) => file.clone(),
        None if here.is_file() => here,
        None => {
            return Err(CommandError::input("no site inventory is given")
                .hint("name the file that lists the stores: --sites <file>, or LIFEBOAT_SITES"));
        }
    };
    let mut sources = Sources::default();
    let mut ids = vec![sources.add(file.display().to_string(), read(&file)?)];
    ids.extend(pins_beside(&mut sources, &file)?);
    let loaded = runbook::load(&sources, &ids, &step::kind_names(KINDS));
    if loaded.diagnostics.has_errors() {
        return Err(CommandError::diagnostics(
            &loaded.diagnostics,
            &sources,
            Exit::BadInput,
            settings.colour_err(),
        ));
    }
    let sites = loaded.sites.ok_or_else(|| {
        CommandError::input(format!("{} holds no inventory of sites", file.display()))
            .hint("it begins with `kind: Sites`")
    })?;
    Ok((sites, absolute(&file)))
}

/// Documents without a mistake; otherwise all of them, drawn.
pub(super) fn load(path: &Path, settings: &Settings) -> Result<Documents, CommandError> {
    faultless(check(path, settings)?, path, settings)
}

/// The documents of a runbook that was made from a command line.
pub(super) fn generated(text: &str, settings: &Settings) -> Result<Documents, CommandError> {
    let name = "generated runbook";
    let (_, file) = inventory(settings)?;
    let checked = check_text(name, text.to_owned(), Some(&file))?;
    let mut documents = faultless(checked, Path::new(name), settings)?;
    documents.origin.generated = Some(text.to_owned());
    Ok(documents)
}

fn faultless(checked: Checked, path: &Path, settings: &Settings) -> Result<Documents, CommandError> {
    if checked.found.has_errors() {
        return Err(CommandError::diagnostics(
            &checked.found,
            &checked.sources,
            Exit::BadInput,
            settings.colour_err(),
        ));
    }
    match (checked.runbook, checked.sites) {
        (Some(runbook), Some(sites)) => Ok(Documents {
            sources: checked.sources,
            runbook,
            sites,
            bound: checked.bound,
            origin: checked.origin,
        }),
        (None, _) => Err(CommandError::input(format!(
            "{} holds no runbook",
            path.display()
        ))),
        (Some(_), None) => Err(
            CommandError::input(format!("{} has no site inventory", path.display()))
                .hint("write sites.yaml beside it, or give one with --sites"),
        ),
    }
}

/// `--input name=value`, as text; the planner knows the types.
pub(super) fn inputs(given: &[String]) -> Result<BTreeMap<String, String>, CommandError> {
    let pair = |one: &String| {
        let (name, value) = one.split_once('=').ok_or_else(|| {
            CommandError::input(format!("`{one}` is not an input; write --input name=value"))
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}
