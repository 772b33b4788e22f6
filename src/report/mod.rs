//! Everything that a person sees of a plan and of a run: pure readings of [`crate::plan::Plan`] and
//! of the journal's entries.
//!
//! Nothing here reads a clock, a file or the world: `now`, the time zone and the width of the
//! terminal are arguments, and texts come back as strings or go to an `impl Write`. A report asked
//! for a year later is the report of that night.

mod backups;
mod capacity;
mod continuity;
mod decision;
mod doctor;
mod document;
mod draw;
mod drift;
mod evidence;
mod forecast;
mod graph;
mod history;
mod incident;
mod late;
mod lines;
mod list;
mod outcome;
mod plan_text;
mod preflight;
mod readiness;
mod rehearsal;
#[cfg(test)]
mod sample;
mod table;
mod terminal;
mod units;
mod words;

pub use backups::{
    Pruning, StoreCards, backup_contents, backup_diff, backup_gone, backup_line, backup_list, backup_lock,
    backup_prune, backup_recovered, backup_verification,
};
pub use capacity::{Brought, brought};
pub use continuity::{PARTS, Pages, Paper, Part, Past, Prose, card, plan};
pub use decision::{DecisionView, decision_card};
pub use doctor::doctor;
pub(crate) use document::{Block, Document, Look, Marked, Section, Table};
pub use document::{html, markdown};
pub(crate) use draw::Tone;
pub use draw::{mermaid, svg_graph};
pub use drift::change_line;
pub use evidence::{
    BundleError, Examined, Exhibit, File, Files, Manifest, Signed, Signing, Trusted, bundle, examine,
};
pub use forecast::{Estimates, Expected};
pub use history::{Record, estimates};
pub use incident::{declared, declared_when, instant, standing_line};
pub(crate) use list::ending_word;
pub use list::{run_line, run_list};
pub use outcome::{
    Act, AttemptReport, AttemptResult, Deed, EffectReport, Ending, Fencing, Ledger, Left, Measure,
    NoBeginning, Reached, State, StepReport, StepState, Summary, TakenRisk, Waited,
};
pub use plan_text::{PlanView, plan_objects, plan_text};
pub use preflight::{About, Asked, Check, Fitness, preflight, preflight_text, rights, worst};
pub use readiness::{Proof, Readiness, Ready, Reason, Stock, Why, readiness, readiness_table};
pub use rehearsal::{Answered, rehearsal};
pub use table::columns;
pub use terminal::{Interactive, Live, LiveOptions, NoSuchStep, Plain, Where, closing, explain, status};
pub(crate) use units::{age, between_ms, duration, moment};
