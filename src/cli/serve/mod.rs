//! `lifeboat serve`: what schedules say, done when it is due.

mod desk;
#[cfg(feature = "page")]
mod door;
mod incident;
mod known;
mod shelf;
mod work;

use std::path::PathBuf;

use super::{CommandError, Exit, Settings, output};

/// Run drills and protections when their schedules say so, and show how every service stands
///
/// From `schedule` of the runbooks. One run at a time for each service; each due time ends once, as fired,
/// skipped or missed, in serve/ledger.jsonl of the state folder. A run that was interrupted goes on at the next
/// start. Nothing begins while a switchover, failover or failback of the service has not ended, nor after one until
/// the runbook says where the service is; a drill that is under way then is stopped and torn down. Ends with
/// Ctrl-C or SIGTERM: what is under way is paused, and nothing new begins.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Runbook files, folders that hold runbook.yaml, or folders of such folders
    #[arg(required = true, value_name = "RUNBOOK")]
    runbooks: Vec<PathBuf>,
    /// Where to serve the overview page, /metrics and /healthz; whoever reaches it may read everything on it
    #[cfg(feature = "page")]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    listen: String,
    /// Services at most that are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    at_once: u32,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    clock_is_set()?;
    let mut settings = settings.clone();
    settings.state = super::context::absolute(&settings.state);
    let desk = desk::Desk::open(arguments, &settings)?;
    super::block_on(async {
        #[cfg(feature = "page")]
        let _door = door::open(&arguments.listen, desk.window(), &settings).await?;
        Box::pin(desk.serve()).await
    })
}

/// This lifeboat was not there before: 2026-01-01. A machine without a battery wakes up in 1970, and would then
/// call every due time of half a century missed.
const FLOOR_S: i64 = 1_767_225_600;

fn clock_is_set() -> Result<(), CommandError> {
    let now = super::now();
    if now.as_second() >= FLOOR_S {
        return Ok(());
    }
    Err(
        CommandError::refused(format!("the clock says {now:.0}, which was before this lifeboat"))
            .detail("Nothing was begun.")
            .hint("set the clock, or have the service start after time synchronisation (time-sync.target)"),
    )
}

/// A line of the log.
fn say(text: &str) {
    output::note(&format!("{:.0} {text}", super::now()));
}
