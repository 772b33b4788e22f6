//! How a command ends, for shells and CI. Documented in the README; never renumbered.

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done: recovered, every objective met (or the command did what it says).
    Done = 0,
    /// Something went wrong in lifeboat or its machine.
    Broken = 1,
    /// What was given is wrong: a runbook, a site inventory, arguments.
    BadInput = 2,
    /// The run failed: it did not recover. Of backups: a store did not answer, a backup is not whole, or
    /// two differ. Of readiness: not ready, or never proven.
    Failed = 3,
    /// The run is paused and waits for a person, or for a mirror of its journal; `lifeboat resume` goes on.
    Paused = 4,
    /// Refused before anything was changed: the world has changed, or it cannot be confined.
    Refused = 5,
    /// Something that a drill made is still there.
    NotTornDown = 6,
    /// Recovered, but an objective was missed or could not be measured, or a step failed on the way. Of
    /// readiness: something needs attention.
    Missed = 7,
    /// A person stopped it.
    Stopped = 8,
    /// Another process carries the run now; this one has done nothing more.
    Elsewhere = 9,
    /// The journal could not be written: no such folder, a full disk, a failing one. Nothing was begun after that.
    Unwritten = 10,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
