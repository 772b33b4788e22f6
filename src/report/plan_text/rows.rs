//! The table of a plan: one row per effect, under the name of its step, in waves.

use std::collections::BTreeMap;

use crate::effect::{Counts, Effect, FateOf, Line, RestorePreview, Seen, Taken, Work, WorkloadSeen};
use crate::objects::comes_again;
use crate::plan::{Part, Plan, PlannedStep};
use crate::report::forecast::{Estimates, seen};
use crate::report::graph::Shape;
use crate::report::lines::{clean, hang, pad, width};
use crate::report::units::{bytes, count, duration};

/// A step with more harmless effects than this shows the first ones and a number: a selector may
/// find a hundred workloads. Destructive effects are always shown, each of them.
const EFFECTS_SHOWN: usize = 8;
/// Objects that are named under a restore; the rest is a number.
const OBJECTS_SHOWN: usize = 5;
/// Where names begin: `  wave 12  `.
const LEFT: usize = 11;

/// Widths of the columns.
struct Grid {
    name: usize,
    place: usize,
    verb: usize,
    columns: usize,
}

impl Grid {
    fn of(plan: &Plan, columns: usize) -> Self {
        let lines: Vec<_> = plan
            .steps
            .iter()
            .flat_map(|step| &step.effects)
            .map(line)
            .collect();
        let widest =
            |texts: &mut dyn Iterator<Item = usize>, least, most| texts.max().unwrap_or(0).clamp(least, most);
        Self {
            name: widest(
                &mut plan.steps.iter().map(|step| width(&clean(&step.name))),
                8,
                16,
            ),
            place: widest(&mut lines.iter().map(|line| width(&line.place)), 0, 8),
            verb: widest(&mut lines.iter().map(|line| width(&line.verb)), 4, 9),
            columns,
        }
    }

    /// Where the place of an effect begins.
    const fn indent(&self) -> usize {
        LEFT + 2 + self.name + 2
    }

    /// A line under an effect.
    fn under(&self, label: &str, text: &str) -> String {
        let label = format!("{}{label}", " ".repeat(self.indent()));
        hang(&label, text, self.columns)
    }
}

/// All rows, then the steps that take no part.
pub(super) fn rows(plan: &Plan, shape: &Shape, estimates: &Estimates, columns: usize) -> Vec<String> {
    let grid = Grid::of(plan, columns);
    let mut waves: Vec<Vec<&PlannedStep>> = vec![Vec::new(); shape.waves()];
    for (step, wave) in plan.steps.iter().zip(&shape.wave) {
        waves[*wave].push(step);
    }
    let mut out = Vec::new();
    for (wave, steps) in waves.into_iter().enumerate() {
        let mut label = if steps.iter().all(|step| step.last) {
            "  at end".to_owned()
        } else {
            format!("  wave {}", wave + 1)
        };
        for step in steps {
            out.extend(step_rows(
                plan,
                step,
                &grid,
                &std::mem::take(&mut label),
                estimates,
            ));
        }
    }
    for left in &plan.left_out {
        let text = format!("not in this mode: {} ({})", clean(&left.step), clean(&left.why));
        out.push(hang("  ", &text, columns));
    }
    out
}

fn step_rows(
    plan: &Plan,
    step: &PlannedStep,
    grid: &Grid,
    label: &str,
    estimates: &Estimates,
) -> Vec<String> {
    let mut out = match &step.part {
        Part::Done => effect_rows(plan, step, grid, label, estimates),
        Part::Skipped(why) => named(grid, label, '»', &step.name, &format!("not done: {}", clean(why))),
    };
    if !step.notes.is_empty() {
        let notes: Vec<_> = step.notes.iter().map(|note| clean(note)).collect();
        out.push(grid.under("confined: ", &notes.join("; ")));
    }
    out
}

fn effect_rows(
    plan: &Plan,
    step: &PlannedStep,
    grid: &Grid,
    label: &str,
    estimates: &Estimates,
) -> Vec<String> {
    if step.effects.is_empty() {
        return named(grid, label, ' ', &step.name, "nothing to do");
    }
    let mut out = Vec::new();
    let (shown, hidden) = shown(&step.effects);
    for (at, effect) in shown.into_iter().enumerate() {
        let line = line(effect);
        let text = format!(
            "{}  {}  {}",
            pad(&line.place, grid.place),
            pad(&line.verb, grid.verb),
            line.what
        );
        let (label, name) = if at == 0 {
            (label, step.name.as_str())
        } else {
            ("", "")
        };
        out.extend(named(grid, label, line.symbol.glyph(), name, &text));
        out.extend(
            preview(plan, effect)
                .into_iter()
                .map(|text| grid.under("", &text)),
        );
    }
    if hidden > 0 {
        out.push(grid.under(
            "",
            &format!("… and {hidden} more that take nothing away; --json shows them"),
        ));
    }
    if let Some(known) = estimates.get(&step.name) {
        let text = format!("p50 {} ({})", duration(known.p50_ms), clean(&known.source));
        append(&mut out, &text, grid);
    }
    out
}

/// Puts a short text at the right edge of the last line, or on a line of its own.
fn append(rows: &mut Vec<String>, text: &str, grid: &Grid) {
    let used = rows.last().and_then(|row| row.lines().last()).map_or(0, width);
    match rows.last_mut() {
        Some(row) if used + 2 + width(text) <= grid.columns => {
            row.push_str(&" ".repeat(grid.columns - used - width(text)));
            row.push_str(text);
        }
        _ => rows.push(grid.under("", text)),
    }
}

/// The effects to show, and how many are not: destructive ones are never among those.
fn shown(effects: &[Effect]) -> (Vec<&Effect>, usize) {
    let mut harmless = 0;
    let keep = |effect: &&Effect| {
        harmless += usize::from(!effect.meaning().destructive());
        effect.meaning().destructive() || harmless <= EFFECTS_SHOWN
    };
    let shown: Vec<_> = effects.iter().filter(keep).collect();
    let hidden = effects.len() - shown.len();
    (shown, hidden)
}

/// A row with its symbol and name. A name that is wider than its column gets a line of its own.
fn named(grid: &Grid, label: &str, symbol: char, name: &str, text: &str) -> Vec<String> {
    let name = clean(name);
    let head = format!("{}{symbol} ", pad(label, LEFT));
    if width(&name) <= grid.name {
        return vec![hang(
            &format!("{head}{}  ", pad(&name, grid.name)),
            text,
            grid.columns,
        )];
    }
    vec![hang(&head, &name, grid.columns), grid.under("", text)]
}

/// An effect's line, harmless.
fn line(effect: &Effect) -> Line {
    let line = effect.meaning().line();
    Line {
        place: clean(&line.place),
        verb: clean(&line.verb),
        what: clean(&line.what),
        ..line
    }
}

/// What was seen of an effect's target when planning, each a line.
fn preview(plan: &Plan, effect: &Effect) -> Vec<String> {
    if effect.meaning().preview().is_none() {
        return Vec::new();
    }
    match seen(plan, effect) {
        None => vec!["unknown: this was not looked at".to_owned()],
        Some(Seen::Unanswered(error)) => vec![format!("unknown: {}", clean(&error.to_string()))],
        Some(Seen::Restore(preview)) => restore(preview),
        Some(Seen::Object(object)) => vec![object_line(effect, object.is_some()).to_owned()],
        Some(Seen::Namespaces(names)) => namespaces(names),
        Some(Seen::Counts(counts)) => counts_lines(counts),
        Some(Seen::Manifests(objects)) => vec![count(objects.len(), "object")],
        Some(Seen::Workloads(workloads)) => workloads.iter().map(workload_line).collect(),
        Some(Seen::Site(_) | Seen::Store | Seen::Backup(_) | Seen::Capacity(_) | Seen::Name(_)) => Vec::new(),
    }
}

fn restore(preview: &RestorePreview) -> Vec<String> {
    if preview.backup.is_none() {
        return vec!["unknown until the backup is made".to_owned()];
    }
    let counts: Vec<_> = WORDS
        .iter()
        .map(|(word, always)| (word, preview.words(word), *always))
        .filter(|(_, count, always)| *always || *count > 0)
        .map(|(word, count, _)| format!("{word} {count}"))
        .collect();
    let mut out = vec![counts.join(", ")];
    out.extend(preview.changes.iter().map(|line| clean(line)));
    out.extend(preview.work.as_ref().map(work));
    for word in ["refuse", "prune", "replace", "conflict", "keep", "skip", "update"] {
        out.extend(objects(preview, word));
    }
    // What gives power is shown, each of it.
    out.extend(preview.taken.iter().map(allowed));
    out
}

/// Words of fates in the order of interest, and whether they are said also of no object.
const WORDS: [(&str, bool); 9] = [
    ("create", true),
    ("update", true),
    ("conflict", false),
    ("replace", false),
    ("prune", false),
    ("equal", true),
    ("keep", false),
    ("skip", false),
    ("refuse", true),
];

/// How much work it is, as far as that is known beforehand.
fn work(work: &Work) -> String {
    let sent = match work.writes {
        0 => "nothing is sent".to_owned(),
        _ => format!("{} of objects", bytes(work.bytes)),
    };
    let count = format!("{} to look and {} to change, {sent}", work.reads, work.writes);
    match work.waits {
        0 => format!("{} requests: {count}", work.requests()),
        waits => format!(
            "at least {} requests: {count}; waiting for {waits} of them costs more",
            work.requests()
        ),
    }
}

fn allowed(taken: &Taken) -> String {
    let (id, why, because) = (taken.id.to_string(), &taken.why, &taken.because);
    format!(
        "allow {} ({}): {}, because: {}",
        clean(&id),
        taken.risk.word(),
        clean(why),
        clean(because)
    )
}

/// The objects of a fate that people want to see by name.
fn objects(preview: &RestorePreview, word: &str) -> Vec<String> {
    let all = preview.fates.iter().filter(|one| one.word() == word);
    // Nobody misses those by name.
    let (again, all): (Vec<_>, Vec<_>) = all.partition(|one| word == "skip" && comes_again(&one.why));
    let one = |object: &FateOf| match object.reason().as_str() {
        "" => format!("{word} {}", clean(&object.id.to_string())),
        why => format!("{word} {}: {}", clean(&object.id.to_string()), clean(why)),
    };
    // What may be deleted is shown, each of it.
    let shown = match word {
        "prune" | "replace" => all.len(),
        _ => OBJECTS_SHOWN,
    };
    let mut out: Vec<_> = all.iter().take(shown).map(one).collect();
    if all.len() > shown {
        out.push(format!(
            "{word} … and {} more; --objects shows them",
            all.len() - shown
        ));
    }
    if !again.is_empty() {
        out.push(format!("{word} what controllers make again: {}", kinds(&again)));
    }
    out
}

/// `3 Pod, 1 ReplicaSet`
fn kinds(objects: &[FateOf]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for object in objects {
        *counts.entry(&object.id.kind).or_default() += 1;
    }
    let each = counts
        .iter()
        .map(|(kind, count)| format!("{count} {}", clean(kind)));
    each.collect::<Vec<_>>().join(", ")
}

const fn object_line(effect: &Effect, is_there: bool) -> &'static str {
    match (effect, is_there) {
        (Effect::Delete(_), true) => "it is there",
        (Effect::Delete(_), false) => "it is not there",
        (_, true) => "it is there and is changed where it differs",
        (_, false) => "it is not there and is created",
    }
}

fn namespaces(existing: &[String]) -> Vec<String> {
    if existing.is_empty() {
        return Vec::new();
    }
    vec![format!("exists already: {}", clean(&existing.join(", ")))]
}

fn counts_lines(counts: &Counts) -> Vec<String> {
    let number = count(usize::try_from(counts.count).unwrap_or(usize::MAX), "object");
    let line = match counts.bytes {
        Some(size) => format!("{number}, {}", bytes(size)),
        None => format!("{number}, size unknown"),
    };
    let notes = counts.notes.iter().map(|note| format!("note: {}", clean(note)));
    std::iter::once(line).chain(notes).collect()
}

fn workload_line(workload: &WorkloadSeen) -> String {
    format!(
        "{} has {}",
        clean(&workload.id.to_string()),
        count(workload.replicas as usize, "replica")
    )
}
