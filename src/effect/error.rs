//! What went wrong out there. The *kind* alone decides what the engine does next.

use serde::{Deserialize, Serialize};

/// What kind of trouble; the only part of an error on which code may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// No answer at all, and surely nothing was sent: refused connection, name not found.
    Unreachable,
    /// The request may have been carried out: the reply was lost, or the time was up.
    LostReply,
    /// The target asks for patience: 429, 503, `SlowDown`.
    Busy,
    /// The caller is not known (401).
    Unauthenticated,
    /// The caller may not (403).
    Forbidden,
    /// What it needs is not there (404).
    NotFound,
    /// Somebody else changed or made it (409, 412).
    Conflict,
    /// The target understood and said no (400, 422, admission).
    Rejected,
    /// The condition was not reached in its time: not ready, wrong answer.
    NotYet,
    /// What was read is not what was written: checksum, signature, truncated.
    Damaged,
    /// It is not the cluster or store that the plan was made for.
    WrongTarget,
    /// It answered, or would be trusted, and is not the one whose identity is pinned.
    WrongIdentity,
    /// A newer epoch holds the recovery group, and the target refuses this one.
    Overtaken,
    /// A person said no.
    Declined,
    /// A fault of lifeboat itself or of its machine.
    Internal,
}

impl ErrorKind {
    /// Whether doing the same again, later, can help. Says nothing about whether it is safe: that
    /// is the effect's class.
    pub const fn passing(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::LostReply | Self::Busy | Self::NotYet | Self::Conflict
        )
    }
}

/// An error of the world, as data: it goes into the journal as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{target}: {message}")]
pub struct WorldError {
    /// Decides.
    pub kind: ErrorKind,
    /// Which site, store or address.
    pub target: String,
    /// What happened, as a lowercase fragment; the server's own words where it spoke.
    pub message: String,
    /// Deeper causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What a person can do, each naming a command where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// How long the target asked us to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl WorldError {
    /// An error without causes or hints.
    pub fn new(kind: ErrorKind, target: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.into(),
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            retry_after_ms: None,
        }
    }

    /// Adds what a person can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the chain of causes of another error.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }
}
