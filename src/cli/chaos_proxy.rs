//! `lifeboat chaos-proxy`: break requests between lifeboat and a real server, to see what a run does then.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use super::{CommandError, Exit, Settings, block_on, interrupted, output};
use crate::world::chaos::{Breakage, Door, Fault, Met, Pick, Proxy, Upstream, Which};

/// Break requests on purpose between lifeboat and an API server or an S3 server
///
/// Prints its own address and then a line of JSON for every request. Lead a context of a copy of the
/// kubeconfig (`server:`) or a store (`endpoint:`) there, start a rehearsal, and see what it does. It listens on
/// this machine only, speaks HTTP/1.1 in the clear, and ends with Ctrl-C. A server that asks for certificates of
/// its clients, and commands in pods, do not work through it.
///
/// Faults: drop-reply (carried out, no reply), refuse (not carried out, no reply), truncate (carried out, half a
/// reply), stall (carried out, nothing comes), `reply-<status>` (carried out, answered so), `answer-<status>` (not
/// carried out, answered so), `hold-<seconds>s` (no reply, and delivered later).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The real server
    #[arg(long, value_name = "URL")]
    to: String,
    /// Who vouches for it, as PEM [default: the authorities of this machine]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where to listen; port 0: any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// What happens to a request; without it everything is passed on
    #[arg(long, value_name = "FAULT")]
    fault: Option<Fault>,
    /// The first request that is broken, counted from 1 among those that fit
    #[arg(long, value_name = "N", default_value_t = 1, requires = "fault", value_parser = clap::value_parser!(u64).range(1..))]
    nth: u64,
    /// How many are broken from there on [default: all]
    #[arg(long, value_name = "N", requires = "fault")]
    times: Option<u64>,
    /// Which requests are counted
    #[arg(long, value_enum, default_value_t = Count::Changes, requires = "fault")]
    count: Count,
    /// Only requests of this method
    #[arg(long, value_name = "METHOD", requires = "fault")]
    method: Option<String>,
    /// Only requests whose path and query hold this text
    #[arg(long, value_name = "TEXT", requires = "fault")]
    path: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Count {
    /// Those that may change something
    Changes,
    /// Those that only look
    Looks,
    /// All
    All,
}

pub(super) fn run(arguments: &Arguments, _: &Settings) -> Result<Exit, CommandError> {
    let upstream = Upstream::new(&arguments.to, arguments.ca.as_deref())
        .map_err(|error| CommandError::input(error.to_string()))?;
    let proxy = Proxy::new(upstream, arguments.breakage(), Arc::new(tell));
    block_on(async {
        let door = Door::open(&arguments.listen)
            .await
            .map_err(|error| CommandError::input(error.to_string()))?;
        if let Some(address) = door.address() {
            output::line(&format!("http://{address}"));
        }
        tokio::select! {
            never = proxy.serve(door) => match never {},
            _ = interrupted() => Ok(Exit::Done),
        }
    })
}

fn tell(met: &Met) {
    // A request that cannot be written as JSON does not exist.
    if let Ok(line) = serde_json::to_string(met) {
        output::line(&line);
    }
}

impl Arguments {
    fn breakage(&self) -> Option<Breakage> {
        Some(Breakage {
            fault: self.fault?,
            pick: Pick {
                which: match self.count {
                    Count::Changes => Which::Changes,
                    Count::Looks => Which::Looks,
                    Count::All => Which::All,
                },
                method: self.method.clone(),
                holds: self.path.clone(),
            },
            nth: self.nth,
            times: self.times,
        })
    }
}
