//! Deterministic simulation: incidents in which everything goes wrong that a simulator can let go wrong.
//!
//! Two or three machines with operators who begin, resume and adopt runs of one group; two sites; none to three
//! mirrors; requests that are lost before and after they arrive, or arrive ten minutes later; partitions, stale
//! listings, conflicts about nothing; disks that are full, torn, or fail to sync; kills and losses of power; sites with a
//! fence and without; people who read a plan for minutes before they say yes;
//! clocks that differ by years. `weather` draws the mixture, `incident` lets it happen, `oracle` judges.
//!
//! ```text
//! LIFEBOAT_SEED=17 cargo test --locked --no-default-features --lib torture::one_seed -- --nocapture --ignored
//! ```

mod chronicle;
mod dice;
mod disk;
mod faulty;
mod fence;
mod forgery;
mod incident;
mod mutant;
mod oracle;
mod process;
mod script;
mod starting;
mod weather;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};

use self::chronicle::{Happening, hash, sorted};
use self::mutant::Mutant;
use self::oracle::{Case, wrong};

/// In `make test`.
const SEEDS: u64 = 1_000;

fn incident(seed: u64, mutant: Option<Mutant>) -> Case {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(incident::happens(seed, mutant))
}

/// Everything that is wrong with one incident.
fn judged(case: &Case) -> Vec<String> {
    let mut found = wrong(case);
    for (run, journal) in &case.journals {
        if let Err(why) = incident::replays(journal) {
            found.push(format!("I7: {run}: {why}"));
        }
    }
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "what to repeat is named by who repeats it"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn repeat(seed: u64) -> String {
    format!(
        "LIFEBOAT_SEED={seed} cargo test --locked --no-default-features --lib torture::one_seed -- --nocapture --ignored"
    )
}

/// Counts of what was met, so that a simulation that meets nothing is seen.
#[derive(Default)]
struct Met {
    seeds: AtomicU64,
    effects: AtomicU64,
    faults: AtomicU64,
    processes: AtomicU64,
    runs: AtomicU64,
    requests: AtomicU64,
    late: AtomicU64,
}

impl Met {
    fn count(&self, case: &Case) {
        let add = |counter: &AtomicU64, count: usize| counter.fetch_add(count as u64, Ordering::Relaxed);
        let lines = |fits: fn(&Happening) -> bool| case.lines.iter().filter(|line| fits(&line.what)).count();
        add(&self.seeds, 1);
        add(
            &self.effects,
            lines(|what| matches!(what, Happening::Begun { .. })),
        );
        add(&self.faults, lines(|what| matches!(what, Happening::Fault(_))));
        add(&self.processes, lines(|what| matches!(what, Happening::Gone)));
        add(
            &self.requests,
            lines(|what| matches!(what, Happening::Arrived { .. })),
        );
        add(&self.runs, case.journals.len());
        let late = case.lines.iter().filter(|line| {
            matches!(&line.what, Happening::Arrived { sent_ms, committed: true, .. } if line.at_ms > sent_ms + oracle::IN_TIME_MS)
        });
        add(&self.late, late.count());
    }

    fn words(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} seeds: {} runs, {} processes, {} effects begun, {} changes arrived ({} of them late), {} faults",
            of(&self.seeds),
            of(&self.runs),
            of(&self.processes),
            of(&self.effects),
            of(&self.requests),
            of(&self.late),
            of(&self.faults)
        )
    }
}

/// Runs seeds on all processors; the first that breaks a rule is named with its command.
fn seeds(from: u64, count: u64) {
    let (next, met) = (AtomicU64::new(from), Met::default());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let broken = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count || broken.lock().unwrap().len() >= 10 {
                        return;
                    }
                    let case = std::panic::catch_unwind(|| incident(seed, None));
                    let found = match &case {
                        Ok(case) => {
                            met.count(case);
                            judged(case)
                        }
                        Err(_) => vec!["it panicked".to_owned()],
                    };
                    if !found.is_empty() {
                        broken.lock().unwrap().push((seed, found));
                    }
                }
            });
        }
    });
    println!("{}", met.words());
    let broken = broken.into_inner().unwrap();
    for (seed, found) in &broken {
        println!("seed {seed}: {}\n  {}", repeat(*seed), found.join("\n  "));
    }
    assert!(broken.is_empty(), "{} seeds break a rule", broken.len());
}

#[test]
fn no_seed_breaks_a_rule() {
    seeds(0, setting("LIFEBOAT_SEEDS").unwrap_or(SEEDS));
}

#[test]
#[ignore = "hours: make torture"]
fn a_million_seeds_break_no_rule() {
    seeds(
        setting("LIFEBOAT_FROM").unwrap_or(1_000_000),
        setting("LIFEBOAT_SEEDS").unwrap_or(1_000_000),
    );
}

#[test]
#[ignore = "for a person: LIFEBOAT_SEED=17"]
fn one_seed() {
    let seed = setting("LIFEBOAT_SEED").unwrap_or(0);
    let case = incident(seed, None);
    for line in &case.lines {
        println!("{:>9} {:<8} {:?}", line.at_ms, line.who, line.what);
    }
    for (run, journal) in &case.journals {
        let text = String::from_utf8_lossy(journal);
        println!("{run}");
        for line in text.lines().skip(1) {
            println!("  {line}");
        }
    }
    let found = judged(&case);
    println!("hash {}", hash(&case.lines, &case.journals));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_same_seed_is_the_same_incident() {
    for seed in 0..200 {
        let (one, two) = (incident(seed, None), incident(seed, None));
        let same = hash(&one.lines, &one.journals) == hash(&two.lines, &two.journals);
        assert!(same, "seed {seed}: {:?}", first_difference(&one, &two));
    }
}

fn first_difference(one: &Case, two: &Case) -> Option<(String, String)> {
    let (one, two) = (sorted(&one.lines), sorted(&two.lines));
    one.into_iter().zip(two).find(|(one, two)| one != two)
}

/// So many seeds a mutant may take to be found.
const MUTANT_SEEDS: u64 = 400;

#[test]
fn every_mutant_is_found() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let caught = (0..MUTANT_SEEDS).find_map(|seed| {
            let case = std::panic::catch_unwind(|| incident(seed, Some(mutant)));
            let found = case.map_or_else(|_| vec!["it panicked".to_owned()], |case| judged(&case));
            Some((seed, found.into_iter().next()?))
        });
        match caught {
            Some((seed, why)) => println!("{mutant:?}: seed {seed}: {why}"),
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "nobody finds {survivors:?}");
}
