//! The command line: one file per command, whose doc comments are its help.
//!
//! Data goes to standard output, everything else to standard error. How a command ends is in
//! [`Exit`].

mod error;
mod exit;

pub use error::CommandError;
pub use exit::Exit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  3  the run failed: it did not recover
  4  the run is paused and waits for a person
  5  refused before anything was changed
  6  something that a drill made is still there
  7  recovered, but an objective was missed or not measured, or a step failed on the way
  8  a person stopped it";

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Settings {
    /// The site inventory [default: sites.yaml beside the runbook]
    #[arg(long, global = true, value_name = "FILE", env = "LIFEBOAT_SITES")]
    sites: Option<PathBuf>,
    /// Where runs are kept
    #[arg(long, global = true, value_name = "FOLDER", env = "LIFEBOAT_STATE", default_value = ".lifeboat")]
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
    Run(run::Arguments),
    Resume(resume::Arguments),
    Status(status::Arguments),
    Explain(explain::Arguments),
    /// Answer a question of a run with yes; for a step done by hand: it is done
    Approve(order::Arguments),
    /// Answer a question of a run with no; for a step done by hand: it could not be done
    Reject(order::Arguments),
    /// Try a failed step again
    Retry(order::Arguments),
    /// Leave a step out and go on with what needs it
    Skip(order::Arguments),
    /// Say that a step was done by hand
    MarkDone(order::Arguments),
    Pause(order::RunArguments),
    Abort(order::RunArguments),
    Report(report::Arguments),
    Simulate(simulate::Arguments),
    Schema(schema::Arguments),
    Demo(demo::Arguments),
}
