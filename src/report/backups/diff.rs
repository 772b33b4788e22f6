//! `lifeboat backup diff`: what came, went and changed.

use std::collections::BTreeMap;

use crate::objects::{Changed, Difference, ObjectId};
use crate::report::lines::{clean, ends, hang, text};

/// Places of one object: more are in `--json`.
const NAMED: usize = 8;

/// The page, with a line break at its end. `before` and `after` name the two sides; what is not compared
/// comes as reason → how many, of the two sides together.
pub fn backup_diff(
    found: &Difference,
    before: &str,
    after: &str,
    not_compared: &BTreeMap<String, u64>,
    columns: usize,
) -> String {
    let sides = format!("{} → {}", clean(before), clean(after));
    let counts = format!(
        "{} added, {} removed, {} changed, {} equal",
        found.added.len(),
        found.removed.len(),
        found.changed.len(),
        found.equal
    );
    let mut out = vec![ends(&sides, &counts, columns)];
    out.extend(found.added.iter().map(|id| line('+', id)));
    out.extend(found.removed.iter().map(|id| line('-', id)));
    for changed in &found.changed {
        out.push(line('~', &changed.object));
        out.extend(places(changed, columns));
    }
    if found.is_empty() {
        out.push("  No object differs.".to_owned());
    }
    if !not_compared.is_empty() {
        out.push("  Not compared (on both sides together)".to_owned());
        for (why, count) in not_compared {
            out.push(hang("    ", &clean(&format!("{count}: {why}")), columns));
        }
    }
    text(&out)
}

fn line(mark: char, id: &ObjectId) -> String {
    clean(&format!("  {mark} {id}"))
}

fn places(changed: &Changed, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = changed
        .paths
        .iter()
        .take(NAMED)
        .map(|path| hang("      ", &clean(path), columns))
        .collect();
    if changed.paths.len() > NAMED {
        lines.push(format!("      and {} more places", changed.paths.len() - NAMED));
    }
    lines
}
