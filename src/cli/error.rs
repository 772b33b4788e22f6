//! An error as a command shows it: a heading, details, and what a person can do.

use super::Exit;
use crate::effect::{ErrorKind, WorldError};
use crate::text::{Diagnostics, Sources};

/// Why a command ended without doing what it says.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// After `error: `; a lowercase fragment. Empty where `details` already says everything.
    pub message: String,
    /// Further lines, as they are.
    pub details: Vec<String>,
    /// After `hint: `; each names a command where there is one.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with a heading only.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Wrong input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, message)
    }

    /// Refused before anything was changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Adds a line.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Adds what a person can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what the world's own error says that a person can do.
    #[must_use]
    pub fn hints_of(mut self, error: &WorldError) -> Self {
        self.hints.extend_from_slice(&error.hints);
        self
    }

    /// All diagnostics, drawn.
    pub fn diagnostics(found: &Diagnostics, sources: &Sources, exit: Exit, colour: bool) -> Self {
        Self {
            exit,
            message: String::new(),
            details: vec![found.render(sources, colour)],
            hints: Vec::new(),
        }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.message.is_empty() {
            writeln!(f, "error: {}", self.message)?;
        }
        for line in &self.details {
            writeln!(f, "{}", line.trim_end())?;
        }
        self.hints.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
    }
}

impl From<WorldError> for CommandError {
    fn from(error: WorldError) -> Self {
        let exit = match error.kind {
            ErrorKind::Internal => Exit::Broken,
            ErrorKind::WrongTarget | ErrorKind::WrongIdentity => Exit::Refused,
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
            details: error.causes,
            hints: error.hints,
        }
    }
}
