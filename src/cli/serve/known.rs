//! Runs of this machine as the server remembers them: a run that has ended is read once.

use std::collections::BTreeMap;

use crate::cli::{Settings, launch, mirrors, runs};
use crate::report::Summary;
use crate::run::Journal;

/// Runs by name. One that cannot be read is there with the reason.
#[derive(Default)]
pub(super) struct Known {
    runs: BTreeMap<String, Result<Summary, String>>,
}

impl Known {
    /// Reads what is new, and what has not ended.
    pub(super) fn refresh(&mut self, settings: &Settings) {
        let folder = runs::folder(settings);
        let names = runs::list(settings);
        self.runs.retain(|name, _| names.contains(name));
        for name in names {
            if matches!(self.runs.get(&name), Some(Ok(run)) if run.is_over()) {
                continue;
            }
            let read = runs::history(&folder.join(&name)).and_then(|history| launch::summary(&history));
            self.runs.insert(name, read.map_err(|error| error.message));
        }
    }

    /// Runs of a service.
    pub(super) fn of(&self, service: &str) -> impl Iterator<Item = &Summary> {
        let readable = self.runs.values().filter_map(|run| run.as_ref().ok());
        readable.filter(move |run| run.subject.name == service)
    }

    /// The run of this name.
    pub(super) fn run(&self, name: &str) -> Option<&Summary> {
        self.runs.get(name)?.as_ref().ok()
    }

    /// Runs that cannot be read, and why.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        let each = self.runs.iter();
        each.filter_map(|(name, run)| Some((name.as_str(), run.as_ref().err()?.as_str())))
    }

    /// A run of an incident that cannot be read: whether it has ended is not known.
    pub(super) fn unreadable_incident(&self, service: &str) -> Option<(&str, &str)> {
        let modes = crate::runbook::Mode::ALL.into_iter();
        let prefixes: Vec<String> = modes
            .filter(|mode| mirrors::holds_the_group(*mode))
            .map(|mode| format!("{service}-{}-", mode.letter()))
            .collect();
        self.unreadable()
            .find(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// A run of the service that some process carries now.
    pub(super) fn carried(&self, service: &str, settings: &Settings) -> Option<&Summary> {
        let folder = runs::folder(settings);
        self.of(service)
            .find(|run| !run.is_over() && Journal::is_held(&folder.join(&run.run.0)))
    }
}
