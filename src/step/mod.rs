//! Step kinds: parameters and observations in, effects out. No clock, no client, no async.
//!
//! Adding a kind is one file (params / queries / script / tests) and one line in [`KINDS`].

mod accept;
mod apply;
mod approve;
mod backup;
mod bind;
mod check;
mod compare;
mod copy;
mod delete;
mod dns;
mod exec;
mod explain;
mod fence;
mod hands;
mod http;
mod inside;
mod job;
mod kind;
mod lint;
mod manual;
mod names;
mod notify;
mod params;
mod pause;
mod probe;
mod restore;
mod scale;
mod schema;
mod select;
mod sql;
mod target;
#[cfg(test)]
mod testing;
mod traffic;
mod unfence;
mod velero;
mod wait;
mod which;

pub use bind::{Bound, bind};
pub use check::{check, kind_names};
pub use explain::explain;
pub use hands::{Hand, Place};
pub use kind::{Kind, Observed, Ready, Refusal, Scene, Script, StepKind};
pub use schema::schema;

/// Every step kind. Parsing, JSON schema, `explain`, documentation, rights, confinement and the
/// crash suite all read this list.
pub const KINDS: &[Kind] = &[
    Kind::of::<accept::Accept>(),
    Kind::of::<apply::Apply>(),
    Kind::of::<approve::Approve>(),
    Kind::of::<backup::Backup>(),
    Kind::of::<compare::Compare>(),
    Kind::of::<copy::Copy>(),
    Kind::of::<delete::Delete>(),
    Kind::of::<dns::Dns>(),
    Kind::of::<exec::Exec>(),
    Kind::of::<fence::Fence>(),
    Kind::of::<http::Http>(),
    Kind::of::<job::Job>(),
    Kind::of::<manual::Manual>(),
    Kind::of::<notify::Notify>(),
    Kind::of::<pause::Pause>(),
    Kind::of::<probe::Probe>(),
    Kind::of::<restore::Restore>(),
    Kind::of::<scale::Scale>(),
    Kind::of::<sql::Sql>(),
    Kind::of::<traffic::Traffic>(),
    Kind::of::<unfence::Unfence>(),
    Kind::of::<velero::Velero>(),
    Kind::of::<wait::Wait>(),
];
