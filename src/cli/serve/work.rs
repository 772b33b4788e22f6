//! One due time's work, and one interrupted run's: looked at, planned, begun, carried. Each is a task that tells
//! the desk what happens and asks it before a run begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::incident::{self, Standing};
use super::known::Known;
use crate::cli::context::{self, Documents};
use crate::cli::resume::{self, Taken, Which};
use crate::cli::world::{self, Connected};
use crate::cli::{CommandError, Settings, launch, planning, runs};
use crate::effect::{Attempt, Effect, ErrorKind, HttpExpect, Probe, Target};
use crate::plan::Look;
use crate::run::{
    Ended, Entry, Lag, Order, Placed, QuestionPolicy, Run, RunId, Watch, What, Wiring, waits_for_login,
};
use crate::runbook::{Answers, Mode, Scheduled};
use crate::serve::Ready;
use crate::text::{Piece, Text};

/// Who gives orders to runs here, in their journals.
pub(super) const SERVER: &str = "lifeboat serve";

/// How often a drill is looked after: would an incident need what it uses?
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A page that needs longer to say whether something may begin says that it may not.
const CHECK_MS: u64 = 10_000;

/// What a task tells the desk. `line` is `<service>/<name of the line>`.
pub(super) enum News {
    /// Everything is ready, and the run begins if the answer is yes.
    Begins {
        line: String,
        ready: Ready,
        run: String,
        answer: oneshot::Sender<bool>,
    },
    /// It has begun.
    Begun {
        line: String,
        due: Timestamp,
        run: String,
    },
    /// It is left out.
    Skip { line: String, ready: Ready, why: String },
    /// It cannot begin now, and perhaps later.
    Held { line: String, why: String },
    /// A run is being carried; orders to it go here.
    Carried {
        service: String,
        run: String,
        orders: mpsc::UnboundedSender<Placed>,
    },
    /// The task is over.
    Over { service: String },
}

/// What a task is given.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) service: String,
    pub(super) line: String,
    pub(super) runbook: PathBuf,
    pub(super) settings: Settings,
    pub(super) news: mpsc::UnboundedSender<News>,
}

impl Job {
    fn tell(&self, news: News) {
        // The desk listens for as long as it lives; when it is gone, nobody is left to be told.
        let _ = self.news.send(news);
    }

    fn held(&self, why: impl Into<String>) {
        self.tell(News::Held {
            line: self.line.clone(),
            why: why.into(),
        });
    }
}

/// Begins what is due, if nothing speaks against it, and carries it to its end.
pub(super) async fn due(job: Job, said: Scheduled, ready: Ready) {
    match Box::pin(begin(&job, &said, &ready)).await {
        Ok(Some(begun)) => Box::pin(carry(&job, begun)).await,
        Ok(None) => {}
        Err(error) => job.held(fragment(&error)),
    }
    job.tell(News::Over {
        service: job.service.clone(),
    });
}

/// Goes on with a run that was interrupted.
pub(super) async fn again(job: Job, run: String) {
    let which = Which::unattended(&run);
    match Box::pin(resume::take_up(&which, false, &job.settings)).await {
        Ok(Taken::Up(taken)) => {
            let begun = Begun {
                run: taken.run,
                folder: taken.folder,
                world: taken.world,
                settings: taken.settings,
            };
            Box::pin(carry(&job, begun)).await;
        }
        Ok(Taken::Ended(_)) => {}
        Err(error) => job.held(format!("{run} cannot be gone on with: {}", fragment(&error))),
    }
    job.tell(News::Over {
        service: job.service.clone(),
    });
}

/// A run that has begun.
struct Begun {
    run: Run,
    folder: PathBuf,
    world: Connected,
    settings: Settings,
}

async fn begin(job: &Job, said: &Scheduled, ready: &Ready) -> Result<Option<Begun>, CommandError> {
    let documents = context::load(&job.runbook, &job.settings)?;
    let world = world::connect(&documents.sites).await?;
    match obstacle(job, said, &documents, &world).await {
        Some(Obstacle::Skip(why)) => {
            job.tell(News::Skip {
                line: job.line.clone(),
                ready: ready.clone(),
                why,
            });
            return Ok(None);
        }
        Some(Obstacle::Wait(why)) => {
            job.held(why);
            return Ok(None);
        }
        None => {}
    }
    let how = (said.mode, Look::Briefly, ready.id.as_str());
    let plan = planning::named(&documents, &[], how, &*world.actor, &job.settings).await?;
    let mut beginning = launch::beginning_named(plan, launch::Options::CONCURRENCY, &ready.id);
    beginning.operator.name = format!("{SERVER}, {}", said.name.value);
    let run = beginning.run.0.clone();
    let (answer, asked) = oneshot::channel();
    job.tell(News::Begins {
        line: job.line.clone(),
        ready: ready.clone(),
        run: run.clone(),
        answer,
    });
    if !asked.await.unwrap_or(false) {
        return Ok(None);
    }
    let prepared = Box::pin(launch::prepare(
        beginning,
        &documents.origin,
        &world,
        &job.settings,
    ))
    .await;
    let (begun, folder) = prepared?;
    job.tell(News::Begun {
        line: job.line.clone(),
        due: ready.due,
        run,
    });
    Ok(Some(Begun {
        run: begun,
        folder,
        world,
        settings: job.settings.clone(),
    }))
}

enum Obstacle {
    Skip(String),
    Wait(String),
}

/// What speaks against beginning now. What only people can change comes first.
async fn obstacle(job: &Job, said: &Scheduled, documents: &Documents, world: &Connected) -> Option<Obstacle> {
    let mut known = Known::default();
    known.refresh(&job.settings);
    match at(job, said.mode, documents, world, &known).await {
        Standing::Calm => {}
        Standing::Incident(why) | Standing::Moved(why) => return Some(Obstacle::Skip(why)),
        Standing::Unknown(why) => return Some(Obstacle::Wait(why)),
    }
    if let Some(window) = said.blocked_at(crate::cli::now()) {
        return Some(Obstacle::Skip(format!("blocked: {}", window.reason)));
    }
    if let Some(why) = said.unless.as_deref().and_then(flag) {
        return Some(Obstacle::Skip(why));
    }
    if let Some(answers) = &said.only_if
        && let Err(why) = answers_well(answers, world).await
    {
        return Some(Obstacle::Skip(why));
    }
    let other = known.carried(&job.service, &job.settings)?;
    Some(Obstacle::Wait(format!(
        "{} {} is under way",
        other.mode, other.run
    )))
}

async fn at(job: &Job, mode: Mode, documents: &Documents, world: &Connected, known: &Known) -> Standing {
    let fleet = world.fleet.as_ref();
    let stands = match incident::incidents(known, &job.service) {
        Ok(runs) => incident::standing(&documents.runbook, &runs, fleet).await,
        Err(why) => Standing::Unknown(why),
    };
    // A drill takes what the recovery is about to need. A backup of the side that is about to be left may be the last.
    if stands == Standing::Calm && mode == Mode::Drill {
        return incident::declared(&documents.runbook.name.value, fleet, &job.settings).await;
    }
    stands
}

/// Why a flag holds it up: its file is there, or nobody can say that it is not.
#[expect(
    clippy::disallowed_methods,
    reason = "the flag is a file that people put there"
)]
fn flag(file: &Path) -> Option<String> {
    let shown = file.display();
    match std::fs::read_to_string(file) {
        Ok(text) => match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(reason) => Some(format!("{shown} is there: {reason}")),
            None => Some(format!("{shown} is there")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        // It is there, whatever is in it; or it cannot be seen, which is no leave either.
        Err(error) => Some(format!("whether {shown} is there cannot be seen: {error}")),
    }
}

/// Asks once, by the same code as a `probe` step.
async fn answers_well(answers: &Answers, world: &Connected) -> Result<(), String> {
    let effect = Effect::Probe(Probe {
        target: Target::Http {
            url: Text::new(vec![Piece::Literal(answers.url.clone())]),
            expect: HttpExpect {
                status: answers.status,
                body: answers.body.clone(),
            },
        },
        successes: 1,
        interval_ms: CHECK_MS,
        look_timeout_ms: CHECK_MS,
    });
    let attempt = Attempt {
        run: SERVER.to_owned(),
        step: "only_if".to_owned(),
        effect: 0,
        number: 1,
        key: String::new(),
        progress: Arc::new(|_| {}),
    };
    let looked = tokio::time::timeout(
        Duration::from_millis(CHECK_MS),
        world.actor.perform(&effect, &attempt),
    );
    match looked.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind == ErrorKind::NotYet => Err(format!(
            "{} did not answer as expected: {}",
            answers.url, error.message
        )),
        Ok(Err(error)) => Err(format!("{} did not answer: {}", answers.url, error.message)),
        Err(_) => Err(format!(
            "{} did not answer within {} s",
            answers.url,
            CHECK_MS / 1000
        )),
    }
}

/// Drives a run to its end or to a pause, and writes its report.
async fn carry(job: &Job, begun: Begun) {
    let (place, orders) = mpsc::unbounded_channel();
    let run = begun.run.engine.beginning().run.clone();
    let mode = begun.run.engine.beginning().plan.mode;
    job.tell(News::Carried {
        service: job.service.clone(),
        run: run.0.clone(),
        orders: place.clone(),
    });
    let wiring = Wiring {
        actor: begun.world.actor.clone(),
        orders,
        watch: Arc::new(Quiet(run.clone())),
        questions: QuestionPolicy::Pause,
        inbox: true,
    };
    let after = tokio::spawn(give_way(job.clone(), mode, begun.world.clone(), place));
    let ended = Box::pin(begun.run.drive(wiring)).await;
    after.abort();
    if let Ok(Ended::Paused(hold)) = &ended
        && waits_for_login(&hold.by, &hold.reason)
    {
        // Tried again in a while: nobody has to say so.
        job.tell(News::Held {
            line: run.0.clone(),
            why: hold.reason.clone(),
        });
    }
    tell_end(
        &run,
        &begun.folder,
        &begun.settings,
        ended.map_err(|error| launch::run_error(&error)),
    );
}

/// Says in the log how a run ended, and writes its report.
fn tell_end(run: &RunId, folder: &Path, settings: &Settings, ended: Result<Ended, CommandError>) {
    match ended {
        Ok(Ended::Paused(hold)) => super::say(&format!("{run}: paused by {}: {}", hold.by, hold.reason)),
        Ok(Ended::Interrupted) => super::say(&format!("{run}: left where it was")),
        Ok(Ended::Finished(_)) => {}
        Err(error) => super::say(&format!("{run}: {}", fragment(&error))),
    }
    let told = runs::history(folder).and_then(|history| {
        let summary = launch::summary(&history)?;
        if summary.is_over() {
            super::say(&format!("{run}: {}", crate::report::run_line(&summary)));
        }
        launch::write_reports(folder, &history, settings)
    });
    if let Err(error) = told {
        super::say(&format!("{run}: {}", fragment(&error)));
    }
}

/// Ends a drill as soon as an incident needs the site: it is stopped, and torn down. A backup goes on: it may be
/// the last that there will be of that side.
async fn give_way(job: Job, mode: Mode, world: Connected, place: mpsc::UnboundedSender<Placed>) {
    if mode != Mode::Drill {
        return;
    }
    let mut known = Known::default();
    loop {
        pause(LOOK_EVERY).await;
        known.refresh(&job.settings);
        let Ok(documents) = context::load(&job.runbook, &job.settings) else {
            continue;
        };
        if let Standing::Incident(why) = at(&job, mode, &documents, &world, &known).await {
            super::say(&format!(
                "{}: {why}, and goes before a drill: it is stopped and torn down",
                job.service
            ));
            let order = Order {
                by: SERVER.to_owned(),
                reason: format!("{why}, and goes before a drill"),
                what: What::Stop,
                seen: None,
                from: None,
            };
            let _ = place.send(Placed { order, reply: None });
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "looking after a run, outside of it")]
async fn pause(for_this: Duration) {
    tokio::time::sleep(for_this).await;
}

/// Nobody watches but for what mirrors lack.
struct Quiet(RunId);

impl Watch for Quiet {
    fn recorded(&self, _: &Entry) {}

    fn progress(&self, _: u32, _: &str) {}

    fn left_behind(&self, lag: &Lag) {
        launch::late(std::slice::from_ref(lag), &self.0.0);
    }
}

/// An error in one line.
pub(super) fn fragment(error: &CommandError) -> String {
    if !error.message.is_empty() {
        return error.message.clone();
    }
    let lines = error.details.iter().flat_map(|detail| detail.lines());
    let first = lines.map(str::trim).find(|line| !line.is_empty());
    first.unwrap_or("it was refused").to_owned()
}
