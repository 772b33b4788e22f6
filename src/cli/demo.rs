//! `lifeboat demo`: a complete drill for who has only this binary.

use std::path::{Path, PathBuf};

use super::{CommandError, Exit, Settings, context, launch, output, plan, planning, preflight, world};
use crate::plan::Look;
use crate::runbook::Mode;

/// Drill a sample shop on embedded sites: no cluster, no network, nothing to set up
///
/// The sites are in this process's memory and the store is a folder; everything else is what runs in an
/// incident: the runbook, the planner, the engine, the journal, backup and restore, the report.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// The playbook as it is in the repository.
const FILES: [(&str, &str); 4] = [
    ("runbook.yaml", include_str!("../../playbooks/shop/runbook.yaml")),
    ("sites.yaml", include_str!("../../playbooks/shop/sites.yaml")),
    (
        "platform.yaml",
        include_str!("../../playbooks/shop/platform.yaml"),
    ),
    ("app.yaml", include_str!("../../playbooks/shop/app.yaml")),
];

pub(super) fn run(_: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let folder = settings.state.join("demo").join("shop");
    lay_out(&folder)?;
    let settings = Settings {
        sites: Some(folder.join("sites.yaml")),
        ..settings.clone()
    };
    super::block_on(demonstrate(folder, settings))
}

#[expect(clippy::disallowed_methods, reason = "the demonstration's files")]
fn lay_out(folder: &Path) -> Result<(), CommandError> {
    let broken = |error: std::io::Error| {
        CommandError::new(
            Exit::Broken,
            format!("cannot write {}: {error}", folder.display()),
        )
    };
    std::fs::create_dir_all(folder.join("vault")).map_err(broken)?;
    FILES
        .iter()
        .try_for_each(|(name, text)| std::fs::write(folder.join(name), text).map_err(broken))
}

async fn demonstrate(folder: PathBuf, settings: Settings) -> Result<Exit, CommandError> {
    output::note(&format!(
        "The playbook: {}. Sites: two embedded ones. Store: a folder beside it.\n",
        folder.display()
    ));
    let documents = context::load(&folder, &settings)?;
    let world = world::connect(&documents.sites).await?;
    output::note("1. Protect: a backup of the active site, read back and compared.\n");
    let backup = planning::of(
        &documents,
        &[],
        (Mode::Protect, Look::Closely),
        &*world.actor,
        &settings,
    )
    .await?;
    let exit = launch::begin(
        backup,
        &documents.origin,
        world.clone(),
        &launch::Options::unattended(),
        &settings,
    )
    .await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    output::note("\n2. Plan: what a drill would do. Nothing is changed.\n");
    let drill = planning::of(
        &documents,
        &[],
        (Mode::Drill, Look::Closely),
        &*world.actor,
        &settings,
    )
    .await?;
    let before = preflight::look(&drill, &world, &documents.sites).await;
    output::text(&plan::drawing(&drill, "lifeboat demo", &before, &settings));
    output::note("\n3. Drill: restore on the standby inside walls, prove health, tear down.\n");
    launch::begin(
        drill,
        &documents.origin,
        world,
        &launch::Options::unattended(),
        &settings,
    )
    .await
}
