//! Asking a site whether it would take what an effect sends, without doing it: the third port, beside
//! looking and acting.
//!
//! ## Why a port of its own
//!
//! To ask "would you?" sends the whole object and runs the server's admission. That is more than looking,
//! which a planner may do, and less than acting. Whoever holds only a [`Rehearser`] can change nothing.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Effect, Permission, WorldError};
use crate::objects::ObjectId;

/// May ask "would you take this?" and "may I?", and nothing more.
pub trait Rehearser: Send + Sync {
    /// Asks about everything that an effect sends.
    fn rehearse<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Rehearsal, WorldError>>;

    /// Asks a site whether we hold a right there, as its server judges it.
    fn may<'a>(&'a self, right: &'a Permission) -> BoxFuture<'a, Result<bool, WorldError>>;
}

/// What a server said about one effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehearsal {
    /// Object by object, in the order of sending.
    Asked(Vec<Rehearsed>),
    /// The effect as a whole.
    Whole {
        /// The answer.
        answer: Would,
        /// What it does not show, as a fragment.
        open: String,
    },
    /// Nothing of it was asked, and why.
    Not(String),
}

/// What a server said about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The object.
    pub id: ObjectId,
    /// `create`, `apply`, `patch scale of`, `delete`.
    pub request: String,
    /// The answer.
    pub answer: Would,
}

/// Whether the server would do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Would {
    /// It would, as things are now.
    Accept,
    /// It would not, in its words.
    Refuse(String),
    /// It cannot be asked now, and why.
    Unknown(String),
}
