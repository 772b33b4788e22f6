//! `lifeboat readiness`: could it be recovered now, and who says so?

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context::{self, Documents};
use super::docs::Pasts;
use super::{CommandError, Exit, Settings, output, runs, world};
use crate::effect::{Observer, Query, Seen};
use crate::report::{self, Readiness, Ready, Stock};
use crate::runbook::Mode;
use crate::step::Place;

/// Say for each service whether it could be recovered now: ready, needs attention, not ready, never proven
///
/// From the runs on this machine and from what the stores hold; no cluster is asked, and nothing is written.
/// The exit code is that of the worst: 0 all ready, 7 something needs attention, 3 not ready or never proven.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Runbook files, or folders that hold runbook.yaml [default: those of the runs on this machine]
    #[arg(value_name = "RUNBOOK")]
    runbooks: Vec<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Ask no store either: nothing is said about backups
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let paths = if arguments.runbooks.is_empty() {
        known(settings)?
    } else {
        arguments.runbooks.clone()
    };
    let pasts = Pasts::read(settings);
    let mut all = Vec::new();
    for path in &paths {
        let documents = context::load(path, settings)?;
        let stocks = if arguments.offline {
            Vec::new()
        } else {
            super::block_on(stocks(&documents))?
        };
        let runs = &pasts.of(&documents.runbook.name.value).runs;
        all.push(report::readiness(&documents.runbook, runs, &stocks, super::now()));
    }
    all.sort_by(|one, other| {
        (one.tier.unwrap_or(u8::MAX), &one.service).cmp(&(other.tier.unwrap_or(u8::MAX), &other.service))
    });
    if arguments.json {
        output::json(&all)?;
    } else {
        output::text(&report::readiness_table(&all, settings.columns()));
        for why in pasts.unreadable() {
            output::note(&format!("a run could not be read: {why}"));
        }
    }
    Ok(exit(&all))
}

/// The worst decides.
fn exit(all: &[Readiness]) -> Exit {
    match all.iter().map(|one| one.state).max() {
        None | Some(Ready::Ready) => Exit::Done,
        Some(Ready::NeedsAttention) => Exit::Missed,
        Some(Ready::NotReady | Ready::NeverProven) => Exit::Failed,
    }
}

/// The runbooks that runs on this machine came from, as far as they are still there. Those that were made
/// from a command line are no services.
fn known(settings: &Settings) -> Result<Vec<PathBuf>, CommandError> {
    let folder = runs::folder(settings);
    let kept = context::absolute(&folder);
    let origins = runs::list(settings)
        .into_iter()
        .filter_map(|run| runs::origin(&folder.join(run)).ok());
    let found: BTreeSet<PathBuf> = origins
        .map(|origin| origin.runbook)
        .filter(|file| !file.starts_with(&kept) && file.is_file())
        .collect();
    if found.is_empty() {
        return Err(CommandError::input(format!(
            "no runbook is known from the runs in {}",
            folder.display()
        ))
        .hint("name them: lifeboat readiness <runbook>..."));
    }
    Ok(found.into_iter().collect())
}

/// What the stores say of the backups that a recovery would restore.
pub(super) async fn stocks(documents: &Documents) -> Result<Vec<Stock>, CommandError> {
    let questions = questions(documents);
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let observer = world::shelves(&documents.sites).await?;
    let mut stocks = Vec::new();
    for (step, query) in questions {
        let Query::Backup { store, .. } = &query else {
            continue;
        };
        stocks.push(Stock {
            step,
            store: store.clone(),
            found: answer(&*observer, &query).await,
        });
    }
    Ok(stocks)
}

async fn answer(observer: &dyn Observer, query: &Query) -> Result<Option<crate::effect::BackupSeen>, String> {
    match observer.read(query).await {
        Ok(Seen::Backup(found)) => Ok(found),
        Ok(Seen::Unanswered(error)) | Err(error) => Err(error.message),
        Ok(_) => Err("it answered something else".to_owned()),
    }
}

/// Step → what it would ask a store when a recovery is planned.
fn questions(documents: &Documents) -> Vec<(String, Query)> {
    let runbook = &documents.runbook;
    let Some(bound) = &documents.bound else {
        return Vec::new();
    };
    let backups = BTreeMap::new();
    let mut found = Vec::new();
    for (step, ready) in runbook.steps.iter().zip(&bound.steps) {
        let recovers = step.modes.iter().any(|mode| *mode != Mode::Protect);
        let Some(ready) = ready.as_ref().filter(|_| recovers) else {
            continue;
        };
        let place = Place {
            runbook,
            sites: &documents.sites,
            step: &step.name.value,
            timeout_ms: step.policy.timeout_ms,
        };
        let queries = ready.queries(&place.scene(&backups)).into_iter();
        let queries = queries.filter(|query| matches!(query, Query::Backup { .. }));
        found.extend(queries.map(|query| (step.name.value.clone(), query)));
    }
    found
}
