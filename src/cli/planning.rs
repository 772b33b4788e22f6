//! Planning as the commands share it: options, the world, and a refusal that is drawn.

use std::path::PathBuf;

use super::context::{self, Documents};
use super::{CommandError, Exit, Settings, world};
use crate::effect::Observer;
use crate::plan::{self, Look, Plan, Request};
use crate::run::short_id;
use crate::runbook::Mode;
use crate::step::KINDS;

/// What to plan.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Subject {
    /// A runbook file, or a folder that holds runbook.yaml
    #[arg(value_name = "RUNBOOK")]
    pub(super) runbook: PathBuf,
    /// An input's value; repeat for more
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(super) inputs: Vec<String>,
}

/// A plan with what it came from.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) documents: Documents,
    pub(super) world: world::Connected,
}

/// Loads, connects, looks, plans. Writes nothing anywhere.
pub(super) async fn plan(
    subject: &Subject,
    mode: Mode,
    look: Look,
    settings: &Settings,
) -> Result<Planned, CommandError> {
    let documents = context::load(&subject.runbook, settings)?;
    let world = world::connect(&documents.sites).await?;
    let plan = of(&documents, &subject.inputs, (mode, look), &*world.actor, settings).await?;
    Ok(Planned {
        plan,
        documents,
        world,
    })
}

/// Plans documents in a world that is there already.
pub(super) async fn of(
    documents: &Documents,
    inputs: &[String],
    (mode, look): (Mode, Look),
    observer: &dyn Observer,
    settings: &Settings,
) -> Result<Plan, CommandError> {
    named(documents, inputs, (mode, look, &short_id()), observer, settings).await
}

/// The same for a run whose id follows from something else.
pub(super) async fn named(
    documents: &Documents,
    inputs: &[String],
    (mode, look, id): (Mode, Look, &str),
    observer: &dyn Observer,
    settings: &Settings,
) -> Result<Plan, CommandError> {
    let inputs = context::inputs(inputs)?;
    let request = Request {
        runbook: &documents.runbook,
        sites: &documents.sites,
        mode,
        inputs: &inputs,
        id,
        kinds: KINDS,
        bound: documents.bound.as_ref(),
        look,
    };
    plan::compile(&request, observer).await.map_err(|found| {
        CommandError::diagnostics(&found, &documents.sources, Exit::Refused, settings.colour_err())
            .detail("Nothing was changed.")
    })
}
