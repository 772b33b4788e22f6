//! `lifeboat simulate`: the whole run in memory, hours in moments.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::context::{self, Documents};
use super::planning::{self, Subject};
use super::{CommandError, Exit, Settings, launch, output, runs, world};
use crate::effect::{Actor, Effect};
use crate::plan::{Look, Plan};
use crate::run::{
    Answer, Ended, Entry, Event, History, Order, Phase, Placed, QuestionPolicy, Run, Timekeeper, Watch, What,
    Wiring,
};
use crate::runbook::Mode;
use crate::world::sim::{Embedded, FaultPlan};

/// Carry out a run in memory, on virtual time: no cluster, no store, no waiting
///
/// Where a recovery needs a backup, one is made first in the same simulated world, by the runbook's own
/// `protect` steps. Questions are answered as --answer says.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// What for: drill, switchover, failover, failback or protect
    #[arg(long, value_parser = super::plan::mode, default_value = "drill")]
    mode: Mode,
    /// What goes wrong and when, as JSON
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// What people say when they are asked
    #[arg(long, value_name = "yes|no", default_value = "yes")]
    answer: Said,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Said {
    Yes,
    No,
}

pub(super) fn run(arguments: Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let documents = context::load(&arguments.subject.runbook, settings)?;
    super::block_on_virtual_time(simulate(arguments, documents, settings))
}

async fn simulate(
    arguments: Arguments,
    documents: Documents,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let inside = world::simulated(&documents.sites)?;
    let world = Arc::new(inside.world());
    let settings = Settings {
        state: settings.state.join("simulated"),
        ..settings.clone()
    };
    let prepares = documents
        .runbook
        .steps
        .iter()
        .any(|step| step.modes.contains(&Mode::Protect));
    if arguments.mode != Mode::Protect && prepares {
        let plan = planning::of(
            &documents,
            &arguments.subject.inputs,
            (Mode::Protect, Look::Closely),
            &*world,
            &settings,
        )
        .await?;
        let history = carry(plan, world.clone(), &inside, arguments.answer, &settings).await?;
        if launch::exit_of(&history)? != Exit::Done {
            output::text(&launch::closing_of(&history, &settings)?);
            return launch::exit_of(&history);
        }
    }
    if let Some(file) = &arguments.faults {
        inside.script(faults(file)?);
    }
    let plan = planning::of(
        &documents,
        &arguments.subject.inputs,
        (arguments.mode, Look::Closely),
        &*world,
        &settings,
    )
    .await?;
    let history = carry(plan, world, &inside, arguments.answer, &settings).await?;
    output::line(
        "Simulated in memory, on virtual time: nothing real was touched, so nothing real is proved.",
    );
    output::text(&launch::closing_of(&history, &settings)?);
    launch::exit_of(&history)
}

fn faults(file: &std::path::Path) -> Result<FaultPlan, CommandError> {
    serde_json::from_str(&context::read(file)?)
        .map_err(|error| CommandError::input(format!("{} is not a list of faults: {error}", file.display())))
}

async fn carry(
    plan: Plan,
    actor: Arc<dyn Actor>,
    inside: &Embedded,
    said: Said,
    settings: &Settings,
) -> Result<History, CommandError> {
    let beginning = launch::beginning(plan, 8);
    let folder = runs::folder(settings).join(&beginning.run.0);
    let clock = Timekeeper::simulated(inside.clock().now());
    let (place, orders) = mpsc::unbounded_channel();
    let people = Arc::new(People {
        plan: beginning.plan.clone(),
        place,
        said,
    });
    let run =
        Run::begin(&runs::folder(settings), beginning, clock).map_err(|error| launch::run_error(&error))?;
    let wiring = Wiring {
        actor,
        orders,
        watch: people,
        questions: QuestionPolicy::Wait,
        inbox: false,
    };
    match run.drive(wiring).await {
        Ok(Ended::Finished(_) | Ended::Paused(_) | Ended::Interrupted) => runs::history(&folder),
        Err(error) => Err(launch::run_error(&error)),
    }
}

/// People who always say the same.
struct People {
    plan: Plan,
    place: mpsc::UnboundedSender<Placed>,
    said: Said,
}

impl Watch for People {
    fn recorded(&self, entry: &Entry) {
        let Event::Intended {
            step,
            phase: Phase::Forward,
            effect,
            ..
        } = &entry.event
        else {
            return;
        };
        let Some(planned) = self.plan.steps.get(*step as usize) else {
            return;
        };
        let Some(Effect::Ask(ask)) = planned.effects.get(*effect as usize) else {
            return;
        };
        let answer = match self.said {
            Said::Yes => Answer::Yes,
            Said::No => Answer::No,
        };
        let role = ask.by.first().cloned();
        let named = role.iter().filter_map(|role| self.plan.runbook.people.get(role));
        let order = Order {
            // Only whom the runbook names may answer; where it names nobody, anybody may.
            by: named
                .flatten()
                .next()
                .cloned()
                .unwrap_or_else(|| "simulation".into()),
            reason: "simulated, as told by --answer".into(),
            what: What::Answer {
                step: planned.name.clone(),
                answer,
                role,
            },
            seen: None,
            from: None,
        };
        let _ = self.place.send(Placed { order, reply: None });
    }

    fn progress(&self, _: u32, _: &str) {}
}
