//! The command line: one file per command, whose doc comments are its help.
//!
//! Data goes to standard output, everything else to standard error. How a command ends is in
//! [`Exit`].

mod adopt;
mod backup;
mod changes;
#[cfg(feature = "http")]
mod chaos_proxy;
mod check;
mod context;
mod declare;
mod demo;
mod docs;
mod doctor;
mod error;
mod evidence;
mod exit;
mod explain;
mod fence;
mod generated;
mod history;
mod keyboard;
mod launch;
mod mirrors;
mod order;
mod output;
mod plan;
mod planning;
mod preflight;
mod readiness;
mod rehearse;
mod report;
mod restore;
mod resume;
mod run;
mod runs;
mod schema;
mod screen;
mod serve;
mod simulate;
mod sites;
mod start;
mod status;
#[cfg(test)]
mod tests;
mod watch;
mod world;

pub use error::CommandError;
pub use exit::Exit;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use crate::report::PlanView;
use crate::run::{Operator, What};
use crate::runbook::Mode;

/// The drill is the failover is the plan.
///
/// One YAML runbook is the scheduled drill, the failover in an incident, and the continuity document.
/// `plan` reads and writes nothing; `drill` rehearses on the standby inside walls and removes every
/// trace; `failover` is the same runbook for real.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, max_term_width = 100, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done: recovered, every objective met (or the command did what it says)
  1  something went wrong in lifeboat or on this machine
  2  bad input: a runbook, a site inventory, arguments
  3  the run failed: it did not recover; a store did not answer, a backup is not whole, two differ;
     a service is not ready or was never proven; evidence was changed
  4  the run is paused and waits for a person, or for a mirror of its journal
  5  refused before anything was changed
  6  something that a drill made is still there
  7  recovered, but an objective was missed or not measured, or a step failed on the way;
     a service needs attention; nobody vouches for evidence
  8  a person stopped it
  9  another process has taken the run over; this one has done nothing more
  10 the journal could not be written (a full or failing disk); nothing was begun after that";

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Settings {
    /// The site inventory [default: sites.yaml beside the runbook, or here where there is none]
    #[arg(long, global = true, value_name = "FILE", env = "LIFEBOAT_SITES")]
    sites: Option<PathBuf>,
    /// Where runs are kept
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "LIFEBOAT_STATE",
        default_value = ".lifeboat"
    )]
    state: PathBuf,
    /// One line per event, nothing redrawn: for logs and bad connections
    #[arg(long, global = true)]
    plain: bool,
    /// Colour only repeats what a word already says
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Plan(plan::Arguments),
    /// Rehearse the recovery on the standby, inside walls, and remove every trace
    ///
    /// Restores into namespaces of its own, with default-deny egress, measures RTO and RPO, tears
    /// everything down whatever happens, and writes a report.
    Drill(start::Arguments),
    /// Planned: stop the active side, move to the standby, lose nothing
    Switchover(start::Arguments),
    /// In an incident: move to the standby; the active side may be gone
    Failover(start::Arguments),
    /// Back again: the same recovery with the roles of active and standby swapped
    Failback(start::Arguments),
    /// Make the backups and copies that recovery needs
    Protect(start::Arguments),
    Declare(declare::Arguments),
    Run(run::Arguments),
    Resume(resume::Arguments),
    Adopt(adopt::Arguments),
    Status(status::Arguments),
    Explain(explain::Arguments),
    /// Answer a question of a run with yes; for a step done by hand: it is done
    ///
    /// An answer carries name, role and reason, the account that gave it, and the digest of the plan that it is
    /// about. Where the runbook says `approvals: { not_initiator: true }`, whoever began or took up the run may
    /// neither approve it nor take a risk in it.
    Approve(order::AnswerArguments),
    /// Answer a question of a run with no; for a step done by hand: it could not be done
    Reject(order::AnswerArguments),
    /// Try a failed step again
    ///
    /// A restore finds what its earlier attempts made and sends changes only for what failed and for what
    /// was not begun.
    Retry(order::Arguments),
    /// Leave a step out and go on with what needs it
    Skip(order::Arguments),
    /// Say that a step was done by hand
    MarkDone(order::Arguments),
    /// Say what became of a step of which nobody knows whether it worked, after you have looked
    Decide(order::DecideArguments),
    /// Write something into a run's journal, for the report; it changes nothing
    Note(order::NoteArguments),
    /// Pause a run durably: what is in flight ends, nothing new starts
    Pause(order::RunArguments),
    /// End a run for good; a drill is still torn down
    Abort(order::RunArguments),
    Report(report::Arguments),
    /// Write papers for people: the continuity plan, the card of a service, the report of a run
    #[command(subcommand)]
    Docs(docs::Command),
    Readiness(readiness::Arguments),
    Serve(serve::Arguments),
    /// Make and check bundles of evidence for auditors
    #[command(subcommand)]
    Evidence(evidence::Command),
    Backups(backup::list::Arguments),
    /// Look at single backups, compare them, and take old ones away; needs an inventory and no runbook
    #[command(subcommand)]
    Backup(backup::Command),
    Restore(restore::Arguments),
    /// Pin who sites and stores are, and compare
    #[command(subcommand)]
    Sites(sites::Command),
    /// Have API servers refuse whoever acts for an older epoch
    #[command(subcommand)]
    Fence(fence::Command),
    Simulate(simulate::Arguments),
    Schema(schema::Arguments),
    Doctor(doctor::Arguments),
    #[cfg(feature = "http")]
    ChaosProxy(chaos_proxy::Arguments),
    Demo(demo::Arguments),
}

impl Command {
    fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        match self {
            Self::Check(arguments) => check::run(&arguments, settings),
            Self::Plan(arguments) => plan::run(arguments, settings),
            Self::Drill(arguments) => start::run(arguments, Mode::Drill, settings),
            Self::Switchover(arguments) => start::run(arguments, Mode::Switchover, settings),
            Self::Failover(arguments) => start::run(arguments, Mode::Failover, settings),
            Self::Failback(arguments) => start::run(arguments, Mode::Failback, settings),
            Self::Protect(arguments) => start::run(arguments, Mode::Protect, settings),
            Self::Declare(arguments) => declare::run(&arguments, settings),
            Self::Run(arguments) => run::run(arguments, settings),
            Self::Resume(arguments) => resume::run(&arguments, settings),
            Self::Adopt(arguments) => adopt::run(&arguments, settings),
            Self::Status(arguments) => status::run(&arguments, settings),
            Self::Explain(arguments) => explain::run(&arguments, settings),
            Self::Approve(arguments) => order::answer(arguments, order::yes, settings),
            Self::Reject(arguments) => order::answer(arguments, order::no, settings),
            Self::Retry(arguments) => order::step(arguments, |step, _| What::Retry { step }, settings),
            Self::Skip(arguments) => order::step(arguments, |step, _| What::Skip { step }, settings),
            Self::MarkDone(arguments) => order::step(arguments, |step, _| What::MarkDone { step }, settings),
            Self::Decide(arguments) => order::decide(arguments, settings),
            Self::Note(arguments) => order::note(arguments, settings),
            Self::Pause(arguments) => order::whole(arguments, What::Pause, settings),
            Self::Abort(arguments) => order::whole(arguments, What::Stop, settings),
            Self::Report(arguments) => report::run(&arguments, settings),
            Self::Docs(command) => command.run(settings),
            Self::Readiness(arguments) => readiness::run(&arguments, settings),
            Self::Serve(arguments) => serve::run(&arguments, settings),
            Self::Evidence(command) => command.run(settings),
            Self::Backups(arguments) => backup::list::run(&arguments, settings),
            Self::Backup(command) => command.run(settings),
            Self::Restore(arguments) => restore::run(&arguments, settings),
            Self::Sites(command) => command.run(settings),
            Self::Fence(command) => command.run(settings),
            Self::Simulate(arguments) => simulate::run(arguments, settings),
            Self::Schema(arguments) => schema::run(arguments, settings),
            Self::Doctor(arguments) => doctor::run(&arguments, settings),
            #[cfg(feature = "http")]
            Self::ChaosProxy(arguments) => chaos_proxy::run(&arguments, settings),
            Self::Demo(arguments) => demo::run(arguments, settings),
        }
    }
}

/// Reads the command line, does what it says, and says how it ended.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    log();
    match line.command.run(&line.settings) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::note(error.to_string().trim_end());
            error.exit.into()
        }
    }
}

/// Diagnostics of lifeboat itself, for developers: `RUST_LOG=lifeboat=debug`. Off otherwise: what people
/// must know is never in a log.
fn log() {
    let off = tracing_subscriber::filter::LevelFilter::OFF.into();
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(off)
        .from_env_lossy();
    // Fails only where somebody has set one already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Runs a command's work on real time.
fn block_on<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    runtime(tokio::runtime::Builder::new_multi_thread().enable_all())?.block_on(work)
}

/// Runs it on virtual time, which passes as soon as everybody waits.
fn block_on_virtual_time<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    runtime(
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true),
    )?
    .block_on(work)
}

fn runtime(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, CommandError> {
    builder
        .build()
        .map_err(|error| CommandError::new(Exit::Broken, format!("cannot start: {error}")))
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where time comes in"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Who runs this, as far as the machine knows.
#[expect(clippy::disallowed_methods, reason = "the machine's name is in a file")]
fn operator() -> Operator {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    Operator {
        name: environment("USER")
            .or_else(|| environment("LOGNAME"))
            .unwrap_or_else(|| "unknown".to_owned()),
        host: environment("HOSTNAME")
            .or_else(|| host.ok().map(|name| name.trim().to_owned()))
            .unwrap_or_else(|| "unknown".to_owned()),
        pid: std::process::id(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Waits for Ctrl-C or SIGTERM; `false` where neither can be heard.
async fn interrupted() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = terminate.recv() => heard.is_some(),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.is_ok()
    }
}

impl Settings {
    /// The local time zone.
    #[expect(clippy::unused_self, reason = "a setting, though today only the system's")]
    fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    fn colour_out(&self) -> bool {
        self.coloured(std::io::stdout().is_terminal())
    }

    fn colour_err(&self) -> bool {
        self.coloured(std::io::stderr().is_terminal())
    }

    /// `NO_COLOR` (no-color.org) is what `auto` listens to.
    fn coloured(&self, terminal: bool) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && environment("NO_COLOR").is_none(),
        }
    }

    /// Whether lines may be redrawn.
    fn redraws(&self) -> bool {
        !self.plain && std::io::stderr().is_terminal() && environment("TERM").as_deref() != Some("dumb")
    }

    /// The same for what goes to standard output.
    fn redraws_out(&self) -> bool {
        !self.plain && std::io::stdout().is_terminal() && environment("TERM").as_deref() != Some("dumb")
    }

    /// Columns of the terminal.
    #[expect(clippy::unused_self, reason = "a setting, though today only the system's")]
    fn columns(&self) -> usize {
        let told = environment("COLUMNS").and_then(|columns| columns.parse().ok());
        let seen = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        told.or_else(seen).unwrap_or(PlanView::USUAL)
    }
}
