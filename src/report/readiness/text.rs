//! Readiness for a terminal: a line for each service, and below it why it is not simply ready.

use std::fmt::Write as _;

use super::{Readiness, Ready};
use crate::report::lines::{clean, hang};
use crate::report::outcome::Measure;
use crate::report::table::table;
use crate::report::units::{age, between_ms, duration};

/// The table with a line that counts, and a line break at its end.
pub fn readiness_table(all: &[Readiness], columns: usize) -> String {
    let head = ["SERVICE", "STATE", "LAST PROOF", "RTO", "RPO"]
        .map(str::to_owned)
        .to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(all.iter().map(row)).collect();
    let mut lines = table(&rows).into_iter();
    let mut out = lines.next().unwrap_or_default() + "\n";
    for (line, one) in lines.zip(all) {
        let _ = writeln!(out, "{line}");
        for reason in &one.because {
            let _ = writeln!(out, "{}", hang("    ", &clean(&reason.text), columns));
        }
    }
    out + &counts(all) + "\n"
}

fn row(one: &Readiness) -> Vec<String> {
    let proof = one.proof.as_ref();
    let last = proof.map_or_else(
        || "–".to_owned(),
        |proof| match between_ms(proof.at, one.at) {
            Some(ms) => format!("{}, {} ago", proof.mode, age(ms)),
            None => format!("{}, in the future", proof.mode),
        },
    );
    vec![
        clean(&one.service),
        one.state.word().to_owned(),
        last,
        against(proof.map(|proof| &proof.rto), one.objectives.rto_ms),
        against(proof.map(|proof| &proof.rpo), one.objectives.rpo_ms),
    ]
}

/// `19 s / 30 m`: measured against what is promised today.
fn against(measure: Option<&Measure>, target_ms: Option<u64>) -> String {
    let text = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), duration);
    format!(
        "{} / {}",
        text(measure.and_then(|one| one.measured_ms)),
        text(target_ms)
    )
}

/// `1 ready, 2 never proven.`
fn counts(all: &[Readiness]) -> String {
    let states = [
        Ready::Ready,
        Ready::NeedsAttention,
        Ready::NotReady,
        Ready::NeverProven,
    ];
    let count = |state: Ready| all.iter().filter(|one| one.state == state).count();
    let parts = states.into_iter().filter(|state| count(*state) > 0);
    let parts: Vec<String> = parts
        .map(|state| format!("{} {}", count(state), state.word()))
        .collect();
    format!("{}.", parts.join(", "))
}
