//! An objective as a bar: how much of what was allowed was used.

use super::Objective;

/// How long the objective's part of a bar is, of 100: the rest shows what went beyond it.
const TARGET: u64 = 70;

/// Lengths of 100: what was used, and where the objective lies. `None` where one of both is missing:
/// a bar would claim something.
pub(super) fn lengths(objective: &Objective) -> Option<(u64, u64)> {
    let (measured, target) = (objective.measure.measured_ms?, objective.measure.target_ms?);
    let used = measured.saturating_mul(TARGET).checked_div(target)?;
    Some((used.clamp(1, 100), TARGET))
}

/// The same in characters, with the objective as `|`.
pub(super) fn text(objective: &Objective) -> Option<String> {
    const CELLS: u64 = 40;
    let (used, target) = lengths(objective)?;
    let cell = |at: u64| {
        let filled = at < (used * CELLS / 100).max(1);
        match (at == target * CELLS / 100, filled) {
            (true, _) => '|',
            (false, true) => '#',
            (false, false) => '.',
        }
    };
    Some((0..CELLS).map(cell).collect())
}
