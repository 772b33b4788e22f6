//! Data to standard output, everything else to standard error. A closed pipe ends quietly.

use std::io::Write as _;

use serde::Serialize;

use super::{CommandError, Exit};

/// Text as it is. Under test nobody reads it.
pub(super) fn text(text: &str) {
    if cfg!(test) {
        return;
    }
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: that is the reader's choice, not an error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line.
pub(super) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// A value, indented for people and still for programs.
pub(super) fn json(value: &impl Serialize) -> Result<(), CommandError> {
    let shown = serde_json::to_string_pretty(value)
        .map_err(|error| CommandError::new(Exit::Broken, format!("cannot write JSON: {error}")))?;
    line(&shown);
    Ok(())
}

/// Nothing is silent for longer than ten seconds: a tired person would take it for hanging.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(9);

/// Waits for something, and says so while it lasts.
pub(super) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let began = tokio::time::Instant::now();
    let mut ticks = tokio::time::interval_at(began + SILENCE, SILENCE);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => note(&format!("Still {what}, for {} s.", began.elapsed().as_secs())),
        }
    }
}

/// What is not data. Under test nobody reads it.
pub(super) fn note(text: &str) {
    if cfg!(test) {
        return;
    }
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}
