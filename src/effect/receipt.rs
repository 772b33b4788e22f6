//! Doing and having done: the two ports, and what comes back through them.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, Query, Seen, WorldError};
use crate::objects::Roster;

/// May look. The planner gets this and nothing more.
pub trait Observer: Send + Sync {
    /// Answers one question. The variant of the answer follows from the question.
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>>;
}

/// May act. Only the driver gets this.
pub trait Actor: Observer {
    /// Performs one effect once: no retries, no deadline of its own (the engine has both).
    ///
    /// Dropping the future stops as soon as possible; what was sent stays sent.
    fn perform<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>>;

    /// After a lost reply or a crash: looks whether this very attempt was carried out. Reads only.
    fn resolve<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>>;
}

/// Where an attempt tells what it is waiting for. Not durable, never decides anything.
pub type Progress = std::sync::Arc<dyn Fn(String) + Send + Sync>;

/// Which attempt of which effect of which run.
#[derive(Clone)]
pub struct Attempt {
    /// The run.
    pub run: String,
    /// The step's name.
    pub step: String,
    /// Index among the step's effects.
    pub effect: u32,
    /// From 1.
    pub number: u32,
    /// Same for every attempt of the same effect of the same run: stamped on what it makes.
    pub key: String,
    /// Where to say what it waits for.
    pub progress: Progress,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}#{} attempt {}",
            self.run, self.step, self.effect, self.number
        )
    }
}

/// What a look after a lost reply found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// It was carried out, by us.
    Done(Box<Receipt>),
    /// It was not carried out and cannot be any more by that request.
    NotDone,
    /// Nobody can tell: a person decides.
    CannotTell(String),
}

/// Proof of one performed effect. Never holds a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Receipt {
    /// One fragment for people: `31 created, 2 skipped`.
    pub summary: String,
    /// Values for `${steps.<step>.<name>}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Objects that this effect made, by uid: one side of the ledger.
    #[serde(skip_serializing_if = "Roster::is_empty")]
    pub created: Roster,
    /// Objects that this effect deleted, by uid: the other side.
    #[serde(skip_serializing_if = "Roster::is_empty")]
    pub deleted: Roster,
    /// What was deliberately not done, each with its reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// What a look found, a line each; bounded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// What people should know although it worked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// For backups and restores: the moment whose state the data holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent_at: Option<Timestamp>,
}

impl Receipt {
    /// The output in which a hold says what was seen: that nothing runs, and that nothing can begin. A question that
    /// is only asked where this was not proved looks for it.
    pub const PROOF: &str = "proof";
}
