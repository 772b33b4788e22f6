//! What it costs: planning, memory, carrying a run, starting. Numbers to look at; no test asserts them.
//!
//! | what | target |
//! |---|---|
//! | check and plan 10,000 steps, the offline part | 100 ms, 100 MB |
//! | one step of a chain of 1,000 that do nothing, journal synced to disk | 5 ms |
//! | a fan-out of 1,000 | 3 s |
//! | `lifeboat --version` | 20 ms |
//! | continuity plans of 100 services, 2,000 steps | 2 s |
//!
//! Of the instructions of checking and planning once, as callgrind counts them, 46 % are the YAML parser's and 9 %
//! the making of a tree from its events; 11 % bind the steps and hold them against their schemas, which a plan
//! with today's roles does not do again; 15 % are the rest of planning.
//!
//! `make bench` runs all of them; `cargo bench --no-default-features --bench bench -- plan` some.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement that cannot go on should say where, and prints what it measured"
)]

mod document;
mod memory;
mod papers;
mod planning;
mod running;
mod starting;

use criterion::Criterion;

/// The binary's.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(memory::CHILD) {
        return memory::plan_once();
    }
    let mut criterion = Criterion::default().configure_from_args();
    planning::measure(&mut criterion);
    memory::measure();
    running::measure(&mut criterion);
    starting::measure(&mut criterion);
    papers::measure(&mut criterion);
    criterion.final_summary();
}
