//! Carrying a run from a terminal: begin or go on, show it, take Ctrl-C and answers, report.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::context::Origin;
use super::world::Connected;
use super::{
    CommandError, Exit, Settings, declare, doctor, fence, keyboard, mirrors, output, runs, screen, sites,
};
use crate::plan::{Digest, Plan};
use crate::report::{self, Ending, Reached, Summary};
use crate::run::{
    Beginning, Ended, Entry, Event, Fleet, History, JournalError, Kept, Lag, Order, Placed, QuestionPolicy,
    Run, RunError, RunId, Timekeeper, Wanted, What, Wiring, short_id,
};

/// How a run is carried.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Options {
    /// Steps in flight at most
    #[arg(long, value_name = "N", default_value_t = Options::CONCURRENCY, value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: u32,
    /// What to do when only a person can move it on [default: ask at a terminal, else pause]
    #[arg(long, value_name = "WHAT")]
    questions: Option<Questions>,
    /// What has to stand in the journal of how the run began.
    #[arg(skip)]
    remarks: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Questions {
    /// Stay and wait for `lifeboat approve` from another terminal, or for an answer here
    Wait,
    /// Pause durably and leave
    Pause,
}

impl Options {
    /// Steps in flight where nobody says how many: more than the waves of most runbooks are wide.
    pub(super) const CONCURRENCY: u32 = 8;

    /// For commands that offer no choice.
    pub(super) const fn unattended() -> Self {
        Self {
            concurrency: Self::CONCURRENCY,
            questions: Some(Questions::Pause),
            remarks: Vec::new(),
        }
    }

    /// Adds what has to stand in the journal.
    pub(super) fn remark(&mut self, remark: Option<String>) {
        self.remarks.extend(remark);
    }

    fn policy(&self) -> QuestionPolicy {
        match self.questions {
            Some(Questions::Wait) => QuestionPolicy::Wait,
            None if std::io::stdin().is_terminal() => QuestionPolicy::Wait,
            Some(Questions::Pause) | None => QuestionPolicy::Pause,
        }
    }
}

/// Begins a run and carries it.
pub(super) async fn begin(
    plan: Plan,
    origin: &Origin,
    world: Connected,
    options: &Options,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let mut beginning = beginning(plan, options.concurrency);
    let incident = declare::for_plan(&beginning.plan, world.fleet.as_ref(), settings).await;
    beginning.declared = incident.map(|incident| incident.declared);
    let (mut run, folder) = prepare(beginning, origin, &world, settings).await?;
    remark(&mut run, &options.remarks)?;
    Box::pin(carry(run, &folder, world, options, settings)).await
}

/// A run that has begun, durably, with its folder. Nothing of it is done yet.
pub(super) async fn prepare(
    beginning: Beginning,
    origin: &Origin,
    world: &Connected,
    settings: &Settings,
) -> Result<(Run, PathBuf), CommandError> {
    let strangers = sites::refuse_strangers(world, &beginning.plan);
    output::patiently("asking sites and stores who they are", strangers).await?;
    let fences = fence::say(world, &beginning.plan);
    let above = output::patiently("trying fences", fences).await;
    if world.fleet.is_some() {
        let fit = doctor::mirrors_are_fit(&world.mirrors, settings);
        output::patiently("trying the mirrors of the journal", fit).await?;
    }
    let runs = runs::folder(settings);
    let folder = runs.join(&beginning.run.0);
    let declared = beginning.declared.clone();
    let run = set_out(beginning, world.fleet.as_ref(), &runs, Timekeeper::begin()).await?;
    runs::remember(&folder, origin)?;
    if let Some(declared) = &declared {
        let begun = run.engine.beginning();
        let name = (begun.plan.runbook.name.as_str(), &begun.run);
        declare::take_up(declared, name, world.fleet.as_ref(), settings).await;
    }
    Ok((fence::raised(run, world, above), folder))
}

/// Writes down what was said when the run began; it is recorded before anything else is done.
fn remark(run: &mut Run, remarks: &[String]) -> Result<(), CommandError> {
    let now_ms = run.engine.elapsed_ms();
    for remark in remarks {
        let order = Order {
            by: run.engine.beginning().operator.name.clone(),
            reason: remark.clone(),
            what: What::Note,
            seen: None,
            from: None,
        };
        let noted = run.engine.obey(&order, now_ms);
        noted.map_err(|refused| CommandError::new(Exit::Broken, refused.to_string()))?;
    }
    Ok(())
}

/// A run whose beginning is durable here. It is carried only if it may be, and as far as its mirrors hold it.
pub(super) async fn set_out(
    mut beginning: Beginning,
    fleet: Option<&Fleet>,
    runs: &Path,
    clock: Timekeeper,
) -> Result<Run, CommandError> {
    let begin = |beginning| Run::begin(runs, beginning, clock).map_err(|error| begin_error(&error));
    let Some(fleet) = fleet else {
        return begin(beginning);
    };
    let wanted = mirrors::wanted(&beginning, &beginning.operator, false);
    mirrors::may_be_carried(fleet, &wanted).await?;
    mirrors::ready(fleet, &beginning.plan, &beginning.run).await?;
    beginning.journal = Some(mirrors::places(fleet));
    let nothing = vec![Kept::NOTHING; fleet.shelves.len()];
    let run = begin(beginning)?.mirrored(fleet.clone(), nothing);
    Ok(claiming(run, wanted))
}

/// A run that claims what it wants first. Where that is a group which others want too, its plan has to hold then: it
/// was made before.
pub(super) fn claiming(run: Run, wanted: Wanted) -> Run {
    let shared = mirrors::holds_the_group(run.engine.plan().mode);
    let run = run.claiming(wanted);
    if shared { run.judged() } else { run }
}

/// The first line of a journal.
pub(super) fn beginning(plan: Plan, concurrency: u32) -> Beginning {
    let id = plan
        .sandbox
        .as_ref()
        .map_or_else(short_id, |sandbox| sandbox.id.clone());
    beginning_named(plan, concurrency, &id)
}

/// The same for a run whose id follows from something else.
pub(super) fn beginning_named(plan: Plan, concurrency: u32, id: &str) -> Beginning {
    Beginning {
        format: Beginning::FORMAT,
        tool: crate::TOOL.to_owned(),
        run: RunId::new(&plan.runbook.name, plan.mode, id),
        digest: Digest::of(&plan),
        operator: super::operator(),
        concurrency,
        journal: None,
        declared: None,
        plan,
    }
}

/// Carries a run to its end or to a pause, then reports.
pub(super) async fn carry(
    run: Run,
    folder: &Path,
    world: Connected,
    options: &Options,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    if !world.embedded.is_empty() {
        output::note(&format!(
            "Embedded sites: {}. They are in this process's memory, not real clusters, and end with it.",
            world.embedded.join(", ")
        ));
    }
    let (place, orders) = mpsc::unbounded_channel();
    let policy = options.policy();
    let questions = keyboard::Keyboard::new(place.clone(), policy).knows(&run.entries);
    let screen = screen::open(&run.entries, &journals(folder, &world), questions, settings);
    let interrupts = tokio::spawn(interrupts(place));
    let fleet = world.fleet.clone();
    let wiring = Wiring {
        actor: world.actor,
        orders,
        watch: screen.watch(),
        questions: policy,
        inbox: true,
    };
    let ended = Box::pin(run.drive(wiring)).await;
    interrupts.abort();
    let lags = screen.close().await;
    let history = runs::history(folder)?;
    tell(folder, &history, settings)?;
    declare::end(&summary(&history)?, fleet.as_ref(), settings).await;
    late(&lags, &summary(&history)?.run.0);
    match ended {
        Ok(Ended::Interrupted) => Ok(Exit::Paused),
        Ok(Ended::Finished(_) | Ended::Paused(_)) => exit_of(&history),
        Err(error) => Err(run_error(&error)),
    }
}

/// Every place that the journal is in.
fn journals(folder: &Path, world: &Connected) -> String {
    let mirrors = world.fleet.iter().flat_map(|fleet| &fleet.shelves);
    let here = folder.join("journal.jsonl").display().to_string();
    std::iter::once(here)
        .chain(mirrors.map(|shelf| shelf.address()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Says which mirrors do not hold the whole journal.
pub(super) fn late(lags: &[Lag], run: &str) {
    for lag in lags {
        let what = match lag.records {
            1 => "record".to_owned(),
            many => format!("{many} records"),
        };
        output::note(&format!(
            "warning: mirror {} lacks the last {what} of the journal: {}",
            lag.mirror, lag.why.message
        ));
    }
    if !lags.is_empty() {
        output::note(&format!(
            "hint: `lifeboat resume {run}` brings mirrors up, also after the run's end"
        ));
    }
}

/// Says how the run stands. A report that cannot be written, for want of space, must hide neither that nor
/// the exit code: the journal has all of it, and a report can be made from it later.
fn tell(folder: &Path, history: &History, settings: &Settings) -> Result<(), CommandError> {
    match write_reports(folder, history, settings) {
        Ok(()) => output::text(&closing(folder, history, settings)?),
        Err(error) => {
            output::text(&closing_of(history, settings)?);
            let again = format!(
                "the journal is whole; write the report again: lifeboat report {}",
                summary(history)?.run
            );
            output::note(error.hint(again).to_string().trim_end());
        }
    }
    Ok(())
}

/// Every Ctrl-C (or SIGTERM) is an order: the first pauses or tears down, the second leaves at once.
async fn interrupts(place: mpsc::UnboundedSender<Placed>) {
    let who = super::operator().name;
    while super::interrupted().await {
        let order = Order {
            by: who.clone(),
            reason: "Ctrl-C".to_owned(),
            what: What::Interrupt,
            seen: None,
            from: None,
        };
        output::note("Interrupted: finishing safely. Once more leaves at once; `lifeboat resume` goes on.");
        if place.send(Placed { order, reply: None }).is_err() {
            return;
        }
    }
}

/// The plan that a journal begins with.
pub(super) fn plan_of(history: &History) -> Option<&Plan> {
    history
        .entries
        .first()
        .and_then(|entry: &Entry| match &entry.event {
            Event::Began(beginning) => Some(&beginning.plan),
            _ => None,
        })
}

/// What is known of a run.
pub(super) fn summary(history: &History) -> Result<Summary, CommandError> {
    let mut summary =
        Summary::of(&history.entries).map_err(|error| CommandError::new(Exit::Broken, error.to_string()))?;
    if let Some(torn) = &history.torn {
        summary.problems.push(format!(
            "the last {} bytes are torn: nobody was told of them",
            torn.bytes
        ));
    }
    Ok(summary)
}

/// What people wrote of a run in `notes.md` beside its journal, if they did.
#[expect(clippy::disallowed_methods, reason = "notes are a file")]
pub(super) fn notes(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("notes.md")).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

/// Writes `report.json`, `report.md` and `report.html` beside the journal.
#[expect(clippy::disallowed_methods, reason = "reports are files")]
pub(super) fn write_reports(
    folder: &Path,
    history: &History,
    settings: &Settings,
) -> Result<(), CommandError> {
    let summary = summary(history)?;
    let broken = |why: String| CommandError::new(Exit::Broken, format!("cannot write the report: {why}"));
    write_json(&folder.join("report.json"), &summary)
        .map_err(|error| broken(format!("report.json: {error}")))?;
    let notes = notes(folder);
    let notes = notes.as_deref();
    let files = [
        ("report.md", report::markdown(&summary, notes, &settings.zone())),
        ("report.html", report::html(&summary, notes, &settings.zone())),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).map_err(|error| broken(format!("{name}: {error}")))?;
    }
    Ok(())
}

/// Not as one text: of a restore it names every object.
fn write_json(path: &Path, summary: &Summary) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    serde_json::to_writer_pretty(&mut file, summary)?;
    file.write_all(b"\n")?;
    file.flush()
}

/// The block that ends a run on a terminal.
pub(super) fn closing(folder: &Path, history: &History, settings: &Settings) -> Result<String, CommandError> {
    let summary = summary(history)?;
    let file = folder.join("report.html");
    let again = format!("lifeboat report {}", summary.run);
    let places = report::Where {
        report: Some(&file.display().to_string()),
        again: &again,
    };
    Ok(report::closing(
        &summary,
        &settings.zone(),
        &places,
        settings.columns(),
    ))
}

/// The same where no report was written.
pub(super) fn closing_of(history: &History, settings: &Settings) -> Result<String, CommandError> {
    let summary = summary(history)?;
    let places = report::Where {
        report: None,
        again: "",
    };
    Ok(report::closing(
        &summary,
        &settings.zone(),
        &places,
        settings.columns(),
    ))
}

/// The exit code of a run as its journal tells it. An objective that was not measured counts as missed;
/// where nobody has decided one, there is none to miss.
pub(super) fn exit_of(history: &History) -> Result<Exit, CommandError> {
    let summary = summary(history)?;
    let short = |measure: &report::Measure| match measure.reached {
        Reached::Missed => true,
        Reached::NotMeasured => measure.target_ms.is_some(),
        Reached::Met | Reached::NoTarget | Reached::NotApplicable => false,
    };
    Ok(match summary.ending() {
        Ending::Recovered if short(&summary.rto) || short(&summary.rpo) => Exit::Missed,
        Ending::Recovered => Exit::Done,
        Ending::RecoveredWithFailures => Exit::Missed,
        Ending::Failed | Ending::Undone => Exit::Failed,
        Ending::Stopped => Exit::Stopped,
        Ending::NotTornDown => Exit::NotTornDown,
        Ending::Paused | Ending::Open => Exit::Paused,
    })
}

/// Why a run cannot be carried.
pub(super) fn run_error(error: &RunError) -> CommandError {
    match error {
        RunError::Unreleased(_) => {
            return CommandError::new(Exit::Paused, error.to_string())
                .detail("Nothing more was begun; what was under way has ended.")
                .hint("when the mirrors answer again, `lifeboat resume` goes on")
                .hint("in an emergency take the mirror out of `journal` in the inventory, then resume");
        }
        RunError::Denied(denied) => return mirrors::denied_error(denied),
        RunError::Overtaken(why) => {
            return CommandError::new(Exit::Elsewhere, error.to_string())
                .detail("Nothing more was begun here.")
                .hints_of(why);
        }
        RunError::NotFenced(why) => {
            return CommandError::new(Exit::Paused, error.to_string())
                .detail("Nothing was begun.")
                .hints_of(why)
                .hint("then `lifeboat resume` goes on");
        }
        RunError::Stale(changes) => {
            let error = CommandError::refused(error.to_string());
            return changes
                .iter()
                .fold(error, |error, change| {
                    error.detail(format!("  {}", report::change_line(change)))
                })
                .detail("Nothing was begun, and the run has ended.")
                .hint("plan again, and look at what is different: lifeboat plan <runbook> --mode <mode>");
        }
        RunError::Superseded(_) => {
            return CommandError::new(Exit::Elsewhere, error.to_string())
                .detail("Nothing more was begun here.")
                .hint("`lifeboat status` with the inventory's mirrors shows how it goes on");
        }
        _ => {}
    }
    let error = CommandError::new(broken(error), error.to_string());
    error.hint("nothing more was begun; `lifeboat status` shows what is known, `lifeboat resume` goes on")
}

/// A disk that does not take the journal has a code of its own: whoever is woken by it looks at the disk first.
const fn broken(error: &RunError) -> Exit {
    match error {
        RunError::Journal(
            JournalError::Io { .. } | JournalError::Inbox(_) | JournalError::Poisoned { .. },
        ) => Exit::Unwritten,
        _ => Exit::Broken,
    }
}

/// Why a run cannot begin.
fn begin_error(error: &RunError) -> CommandError {
    if let RunError::Journal(JournalError::Exists { folder }) = error {
        return CommandError::refused(format!("{} is there: this plan was begun before", folder.display()))
            .detail("Nothing was changed.")
            .hint("a drill's plan holds the names of one sandbox; make another plan, or go on with `lifeboat resume`");
    }
    CommandError::new(broken(error), error.to_string())
        .detail("Nothing was begun.")
        .hint("a run needs a folder for its journal: --state <folder>")
}
