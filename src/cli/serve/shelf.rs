//! The runbooks that are served: found, read, and read again when they change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::context::{self, Documents, RUNBOOK_FILE};
use crate::cli::{CommandError, Settings};
use crate::serve::Schedules;

/// One runbook.
pub(super) struct Served {
    pub(super) path: PathBuf,
    pub(super) documents: Documents,
    /// Why it cannot be read now; `documents` is what it said before.
    pub(super) broken: Option<String>,
}

/// All runbooks, by the names of their services.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) served: BTreeMap<String, Served>,
    /// Files that could never be read.
    pub(super) unread: BTreeMap<PathBuf, String>,
}

impl Shelf {
    /// Reads all of them; the first that cannot be read is an error: somebody sits there and can mend it.
    pub(super) fn open(paths: &[PathBuf], settings: &Settings) -> Result<Self, CommandError> {
        let mut shelf = Self::default();
        for path in expand(paths)? {
            let documents = context::load(&path, settings)?;
            shelf.put(path, documents)?;
        }
        Ok(shelf)
    }

    fn put(&mut self, path: PathBuf, documents: Documents) -> Result<(), CommandError> {
        let name = documents.runbook.name.value.clone();
        if let Some(other) = self.served.get(&name)
            && other.path != path
        {
            return Err(CommandError::input(format!(
                "{} and {} are both called {name}",
                other.path.display(),
                path.display()
            )));
        }
        let broken = None;
        self.served.insert(
            name,
            Served {
                path,
                documents,
                broken,
            },
        );
        Ok(())
    }

    /// Reads them again. What cannot be read now stays as it was; what is gone from a folder is gone.
    pub(super) fn renew(&mut self, paths: &[PathBuf], settings: &Settings) {
        let Ok(paths) = expand(paths) else { return };
        self.unread.clear();
        self.served.retain(|_, served| paths.contains(&served.path));
        for path in paths {
            match context::load(&path, settings) {
                Ok(documents) => {
                    // Another name is another service.
                    let name = &documents.runbook.name.value;
                    self.served
                        .retain(|known, served| served.path != path || known == name);
                    if let Err(error) = self.put(path.clone(), documents) {
                        self.unread.insert(path, error.message);
                    }
                }
                Err(error) => self.cannot_be_read(path, super::work::fragment(&error)),
            }
        }
    }

    fn cannot_be_read(&mut self, path: PathBuf, why: String) {
        match self.served.values_mut().find(|served| served.path == path) {
            Some(served) => served.broken = Some(why),
            None => drop(self.unread.insert(path, why)),
        }
    }

    /// All lines of all schedules.
    pub(super) fn schedules(&self) -> Schedules {
        let each = self.served.iter().flat_map(|(service, served)| {
            let lines = served.documents.runbook.schedule.iter();
            lines.map(move |line| (format!("{service}/{}", line.name.value), line.clone()))
        });
        each.collect()
    }
}

/// Files and folders with a runbook, and in folders without one, those folders that have one.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() || path.join(RUNBOOK_FILE).is_file() {
            all.push(path.clone());
            continue;
        }
        let within = within(path)
            .map_err(|error| CommandError::input(format!("{} cannot be read: {error}", path.display())))?;
        if within.is_empty() {
            return Err(
                CommandError::input(format!("{} holds no runbook", path.display()))
                    .hint("give runbook files, folders that hold runbook.yaml, or a folder of such folders"),
            );
        }
        all.extend(within);
    }
    Ok(all)
}

fn within(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join(RUNBOOK_FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
