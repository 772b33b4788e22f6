//! Data to standard output, everything else to standard error. A closed pipe ends quietly.

use std::io::Write as _;

use serde::Serialize;

use super::{CommandError, Exit};

/// Text as it is.
pub(super) fn text(text: &str) {
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

/// What is not data. Under test nobody reads it.
pub(super) fn note(text: &str) {
    if cfg!(test) {
        return;
    }
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}
