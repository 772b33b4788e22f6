//! What may be asked of the world and done to it, as data.
//!
//! An [`Effect`] says what to do and nothing about how; a [`Query`] asks and cannot change. The
//! planner holds an [`Observer`], only the driver an [`Actor`]: so a dry run cannot write. What an
//! effect *means* (class, place, description, permissions, confinement in a drill) is in its own
//! file, by the one trait [`Meaning`], and the compiler demands all of it.

mod apply;
mod ask;
mod backup;
mod call;
mod command;
mod compare;
mod copy;
mod delete;
mod dns;
mod error;
mod fates;
mod hold;
mod job;
mod lack;
mod lock;
mod meaning;
mod pause;
mod probe;
mod query;
mod receipt;
mod records;
mod rehearsal;
mod restore;
mod sandbox;
mod scale;
mod seen;
mod selection;
mod shown;
mod sql;
mod tell;
mod traffic;
mod velero;
mod wait;
mod wake;

pub use apply::Apply;
pub use ask::{Ask, Expected, Hazard};
pub use backup::BackupObjects;
pub use call::{Body, CallHttp, Method};
pub use command::RunCommand;
pub use compare::{CompareObjects, OtherSide};
pub use copy::CopyPrefix;
pub use delete::Delete;
pub use dns::SwapRecords;
pub use error::{ErrorKind, WorldError};
pub use fates::Fates;
pub use hold::{HoldNamespaces, ReleaseNamespaces};
pub use job::RunJob;
pub use lack::{Lack, Work};
pub use lock::{Firmness, Lock};
pub use meaning::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
pub use pause::Pause;
pub use probe::{HttpExpect, Probe, Target};
pub use query::Query;
pub use receipt::{Actor, Attempt, Observer, Progress, Receipt, Resolution};
pub use records::{NameSeen, RecordKind, RecordSet, Records};
pub use rehearsal::{Rehearsal, Rehearsed, Rehearser, Would};
pub use restore::{Allowance, BackupName, Before, Existing, PRUNE_MAX, RestoreObjects};
pub use sandbox::{CloseSandbox, OpenSandbox};
pub use scale::Scale;
pub use seen::{
    BackupSeen, Counts, EQUAL, Fate, FateOf, RestorePreview, Seen, SiteSeen, Taken, WorkloadSeen,
};
pub use selection::{ClusterScoped, Mismatch, Selection};
pub use shown::Shown;
pub use sql::{CheckSql, SqlExpect};
pub use tell::{InDrill, Manner, Tell};
pub use traffic::{Guard, ReturnTraffic, ShiftTraffic};
pub use velero::{DriveVelero, VeleroWork};
pub use wait::{Await, Condition};
pub use wake::WakeControllers;

use serde::{Deserialize, Serialize};

/// One change to the world, as data.
///
/// Performing it twice is performing it once, or its [`Class`] says why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Make one object be as given (server-side apply).
    Apply(Apply),
    /// Ask a person.
    Ask(Ask),
    /// Wait until an object is in a condition. Reads only.
    Await(Await),
    /// Read a site's objects into a store.
    BackupObjects(BackupObjects),
    /// Send one HTTP request that may change something.
    CallHttp(CallHttp),
    /// Look at a value in a database. Reads only.
    CheckSql(CheckSql),
    /// Remove what a drill made.
    CloseSandbox(CloseSandbox),
    /// Compare a backup with another one, or with a site. Reads only.
    CompareObjects(CompareObjects),
    /// Copy objects from one store to another.
    CopyPrefix(CopyPrefix),
    /// Delete one object.
    Delete(Delete),
    /// Have a Velero make a backup or restore one.
    DriveVelero(DriveVelero),
    /// Stop everything in namespaces, and keep it stopped.
    HoldNamespaces(HoldNamespaces),
    /// Make the namespaces of a drill, closed to the outside.
    OpenSandbox(OpenSandbox),
    /// Let time pass.
    Pause(Pause),
    /// Look from outside whether something answers. Reads only.
    Probe(Probe),
    /// Let namespaces go that were held.
    ReleaseNamespaces(ReleaseNamespaces),
    /// Make a site's objects from a backup.
    RestoreObjects(RestoreObjects),
    /// Send requests where they went before.
    ReturnTraffic(ReturnTraffic),
    /// Run a command in a container that is there.
    RunCommand(RunCommand),
    /// Run a Kubernetes Job to its end.
    RunJob(RunJob),
    /// Set a workload's replica count.
    Scale(Scale),
    /// Send requests elsewhere.
    ShiftTraffic(ShiftTraffic),
    /// Let a domain name lead elsewhere.
    SwapRecords(SwapRecords),
    /// Tell people or machines what has happened.
    Tell(Tell),
    /// Have controllers look at what was held.
    WakeControllers(WakeControllers),
}

impl Effect {
    /// What this effect means. One line per effect; everything else asks through this.
    pub fn meaning(&self) -> &dyn Meaning {
        match self {
            Self::Apply(effect) => effect,
            Self::Ask(effect) => effect,
            Self::Await(effect) => effect,
            Self::BackupObjects(effect) => effect,
            Self::CallHttp(effect) => effect,
            Self::CheckSql(effect) => effect,
            Self::CloseSandbox(effect) => effect,
            Self::CompareObjects(effect) => effect,
            Self::CopyPrefix(effect) => effect,
            Self::Delete(effect) => effect,
            Self::DriveVelero(effect) => effect,
            Self::HoldNamespaces(effect) => effect,
            Self::OpenSandbox(effect) => effect,
            Self::Pause(effect) => effect,
            Self::Probe(effect) => effect,
            Self::ReleaseNamespaces(effect) => effect,
            Self::RestoreObjects(effect) => effect,
            Self::ReturnTraffic(effect) => effect,
            Self::RunCommand(effect) => effect,
            Self::RunJob(effect) => effect,
            Self::Scale(effect) => effect,
            Self::ShiftTraffic(effect) => effect,
            Self::SwapRecords(effect) => effect,
            Self::Tell(effect) => effect,
            Self::WakeControllers(effect) => effect,
        }
    }

    /// The same, to change it: confinement and late values.
    pub fn meaning_mut(&mut self) -> &mut dyn Meaning {
        match self {
            Self::Apply(effect) => effect,
            Self::Ask(effect) => effect,
            Self::Await(effect) => effect,
            Self::BackupObjects(effect) => effect,
            Self::CallHttp(effect) => effect,
            Self::CheckSql(effect) => effect,
            Self::CloseSandbox(effect) => effect,
            Self::CompareObjects(effect) => effect,
            Self::CopyPrefix(effect) => effect,
            Self::Delete(effect) => effect,
            Self::DriveVelero(effect) => effect,
            Self::HoldNamespaces(effect) => effect,
            Self::OpenSandbox(effect) => effect,
            Self::Pause(effect) => effect,
            Self::Probe(effect) => effect,
            Self::ReleaseNamespaces(effect) => effect,
            Self::RestoreObjects(effect) => effect,
            Self::ReturnTraffic(effect) => effect,
            Self::RunCommand(effect) => effect,
            Self::RunJob(effect) => effect,
            Self::Scale(effect) => effect,
            Self::ShiftTraffic(effect) => effect,
            Self::SwapRecords(effect) => effect,
            Self::Tell(effect) => effect,
            Self::WakeControllers(effect) => effect,
        }
    }
}
