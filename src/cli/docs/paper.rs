//! `lifeboat docs plan` and `docs card`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{prose, write};
use crate::cli::context::Documents;
use crate::cli::{CommandError, Exit, Settings, context, launch, output, runs};
use crate::report::{self, Pages, Paper, Past, Record, Summary};
use crate::step::{self, Bound, KINDS};

/// For which services, and where to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Runbook files, or folders that hold runbook.yaml
    #[arg(required = true, value_name = "RUNBOOK")]
    runbooks: Vec<PathBuf>,
    /// Where to write it [default: docs in the state folder]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print it as Markdown instead
    #[arg(long, group = "form")]
    markdown: bool,
    /// Print it as HTML instead
    #[arg(long, group = "form")]
    html: bool,
}

/// Which paper.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Plan,
    Card,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Card => "card",
        }
    }

    fn pages(self, paper: &Paper<'_>) -> Pages {
        match self {
            Self::Plan => report::plan(paper),
            Self::Card => report::card(paper),
        }
    }
}

pub(super) fn run(arguments: &Arguments, kind: Kind, settings: &Settings) -> Result<Exit, CommandError> {
    let pasts = Pasts::read(settings);
    let mut all: Vec<(String, Pages)> = Vec::new();
    for path in &arguments.runbooks {
        let (name, pages) = one(path, kind, &pasts, settings)?;
        if all.iter().any(|(known, _)| *known == name) {
            return Err(CommandError::input(format!(
                "two of these runbooks are called {name}"
            )));
        }
        all.push((name, pages));
    }
    if arguments.markdown {
        for (_, pages) in &all {
            output::text(&pages.markdown);
        }
    } else if arguments.html {
        for (_, pages) in &all {
            output::text(&pages.html);
        }
    } else {
        let folder = arguments
            .out
            .clone()
            .unwrap_or_else(|| settings.state.join("docs"));
        tell(&write_all(&folder, kind, &all)?, &all);
    }
    Ok(Exit::Done)
}

/// The papers of one runbook.
fn one(path: &Path, kind: Kind, pasts: &Pasts, settings: &Settings) -> Result<(String, Pages), CommandError> {
    let mut documents = context::load(path, settings)?;
    let bound = bound(&mut documents);
    let runbook = &documents.runbook;
    let paper = Paper {
        runbook,
        sites: &documents.sites,
        bound: &bound,
        prose: &prose::read(&file_of(path), runbook),
        past: pasts.of(&runbook.name.value),
        path: &path.display().to_string(),
        now: crate::cli::now(),
        zone: &settings.zone(),
    };
    Ok((runbook.name.value.clone(), kind.pages(&paper)))
}

/// The steps as a paper tells them: where a value has to be given, its name stands in its place. A step that
/// takes no such name is told with a sample.
fn bound(documents: &mut Documents) -> Bound {
    let sampled = documents.bound.take().unwrap_or_default();
    let runbook = &documents.runbook;
    let inputs = runbook.shown_inputs();
    if inputs == runbook.sample_inputs() {
        return sampled;
    }
    let roles = runbook.sites_by_role();
    let (mut bound, _) = step::bind(runbook, &documents.sites, &roles, &inputs, KINDS);
    for (step, sample) in bound.steps.iter_mut().zip(sampled.steps) {
        if step.is_none() {
            *step = sample;
        }
    }
    bound
}

fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(context::RUNBOOK_FILE)
    } else {
        path.to_owned()
    }
}

fn write_all(folder: &Path, kind: Kind, all: &[(String, Pages)]) -> Result<Vec<PathBuf>, CommandError> {
    let word = kind.word();
    let papers = all.iter().flat_map(|(name, pages)| {
        [
            (format!("{name}-{word}.html"), write::marked(&pages.html)),
            (
                format!("{name}-{word}.md"),
                write::marked_markdown(&pages.markdown),
            ),
        ]
    });
    let papers: Vec<(String, String)> = papers.collect();
    write::papers(folder, &papers)
}

/// One line for each service, and what is missing.
fn tell(paths: &[PathBuf], all: &[(String, Pages)]) {
    for (pair, (name, pages)) in paths.chunks(2).zip(all) {
        let files: Vec<String> = pair.iter().map(|path| path.display().to_string()).collect();
        let missing = match pages.gaps.len() {
            0 => "nothing is missing".to_owned(),
            1 => "1 thing is missing".to_owned(),
            n => format!("{n} things are missing"),
        };
        output::line(&format!("{name}: {}, {missing}.", pages.readiness.state.word()));
        for file in &files {
            output::line(&format!("  {file}"));
        }
        if all.len() == 1 {
            for gap in &pages.gaps {
                output::line(&format!("  missing  {gap}"));
            }
        }
    }
}

/// Runs of all services, by the names of their runbooks.
pub(in crate::cli) struct Pasts {
    by_name: BTreeMap<String, Past>,
    nothing: Past,
}

/// Runs that are read at most, the newest: as many as a service a day of twenty has in three months.
const RUNS_MAX: usize = 2_000;

impl Pasts {
    /// Reads every run of this machine's state folder.
    pub(in crate::cli) fn read(settings: &Settings) -> Self {
        let folder = runs::folder(settings);
        let place = folder.display().to_string();
        let mut by_name: BTreeMap<String, Past> = BTreeMap::new();
        let mut unreadable = Vec::new();
        let names = runs::list(settings);
        for name in names.iter().rev().take(RUNS_MAX) {
            match read(&folder.join(name)) {
                Ok((summary, record)) => {
                    let past = by_name.entry(summary.subject.name.clone()).or_default();
                    past.runs.push(summary);
                    past.records.extend(record);
                }
                Err(error) => unreadable.push(format!("{name}: {}", error.message)),
            }
        }
        let nothing = Past {
            place,
            unreadable,
            ..Past::default()
        };
        for past in by_name.values_mut() {
            past.place.clone_from(&nothing.place);
            past.unreadable.clone_from(&nothing.unreadable);
        }
        Self { by_name, nothing }
    }

    /// Runs that could not be read, and why.
    pub(in crate::cli) fn unreadable(&self) -> &[String] {
        &self.nothing.unreadable
    }

    /// What is known of one service.
    pub(in crate::cli) fn of(&self, runbook: &str) -> &Past {
        self.by_name.get(runbook).unwrap_or(&self.nothing)
    }
}

fn read(folder: &Path) -> Result<(Summary, Option<Record>), CommandError> {
    let history = runs::history(folder)?;
    let record = Record::of(&history.entries);
    Ok((launch::summary(&history)?, record))
}
