//! lifeboat: the drill is the failover is the plan.
//!
//! One YAML runbook is compiled into a graph of steps and run against Kubernetes and object storage.
//! The same text, unchanged, is the scheduled drill, the failover in an incident, and the continuity
//! document.
//!
//! # Seven sentences
//!
//! 1. **A step kind never touches the world.** It turns typed parameters and observations into
//!    *effects*, which are data ([`step`], [`effect`]).
//! 2. **Planning reads, running writes, and the types know which.** The planner is given an
//!    [`effect::Observer`]; only the driver has an [`effect::Actor`]. A dry run cannot write because
//!    nothing in it can.
//! 3. **The plan is the contract**: immutable, serialised, hashed; what was shown is what is
//!    performed; a stale plan is refused ([`plan`]).
//! 4. **The journal is the run**: state is a fold over events; intent is durable before the effect,
//!    outcome before any dependent; resume is replay ([`run`]).
//! 5. **The engine decides, drivers carry.** Retries, timeouts, concurrency and failure policy are
//!    pure code in one place.
//! 6. **Every output is a reading of the journal**: terminal, JSON, report ([`report`]).
//! 7. **A drill is a plan, not a flag**: the scope rewrites effects once, when planning, and refuses
//!    what cannot be confined.
//!
//! # The flow
//!
//! ```text
//! YAML ──text──▶ nodes with spans ──runbook──▶ Runbook + Sites          (+ all diagnostics)
//!      ──step──▶ queries ──Observer──▶ answers ──step──▶ effects
//!      ──plan──▶ Plan: confined for a drill, linted, hashed, shown
//!      ──run───▶ engine (pure) ⇄ driver (async) ──▶ events ──▶ journal ──▶ report
//!                                    └─ Actor ──▶ world: Kubernetes, object stores, DNS, HTTP, people
//! ```
//!
//! # Layers
//!
//! `text` < `objects` < `archive` < `effect` < `runbook` < `step` < `plan` < `run` < `world` <
//! `report` < `serve` < `cli`: a module uses only what stands to its left. A test reads the `use crate::` lines
//! and holds this against the same list.
//!
//! # Glossary
//!
//! - **site**: a Kubernetes cluster; **store**: an object store or a folder; **role**: what a site is
//!   for a service today (`active`, `standby`).
//! - **runbook**: the document a person writes; **plan**: what it means in today's world; **run**: a
//!   plan being carried out; **journal**: what is known of a run.
//! - **effect**: one change to the world, as data; **receipt**: proof that it was performed.
//! - **drill**: the recovery rehearsed inside a **sandbox**: namespaces of its own, closed to the
//!   outside, always torn down; **ledger**: what it created against what it deleted, by uid.
//!   Of a schedule: what became of each **due time**: fired, skipped or missed.
//! - **switchover**: planned, the active side is stopped first; **failover**: in an incident, the
//!   active side may be gone; **failback**: back again, roles swapped; **protect**: backups and copies.
//! - **epoch fence**: what `lifeboat fence install` makes; an API server refuses whoever acts for an older run
//!   ([`world::fence`]). **hold**: an API server refuses every new pod of a namespace, whoever asks; what a step of
//!   the kind `fence` does to the side that served ([`effect::HoldNamespaces`]), and `unfence` takes off. The one keeps
//!   out old runs of lifeboat, the other keeps a site stopped. **proof**: what was seen of a hold, or `not proved`.
//! - **RTO**, **RPO**: recovery time and recovery point objective: how long, and how much data.
//! - **consistent point**: the moment whose state a backup holds.

#![forbid(unsafe_code)]

pub mod archive;
pub mod cli;
pub mod effect;
pub mod objects;
pub mod plan;
pub mod report;
pub mod run;
pub mod runbook;
pub mod serve;
pub mod step;
pub mod text;
pub mod world;

/// The binary's allocator, see `src/main.rs`: a fifth of thousands of simulated incidents is memory.
#[cfg(all(test, not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What this binary calls itself in plans, journals and reports.
pub const TOOL: &str = concat!("lifeboat ", env!("CARGO_PKG_VERSION"));
