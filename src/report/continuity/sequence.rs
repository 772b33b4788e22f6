//! In which order a recovery goes, and how long that takes as far as anybody has measured it.

use std::collections::BTreeMap;

use super::{kind_of, main_mode};
use crate::effect::Symbol;
use crate::plan::order;
use crate::report::draw::{Node, Picture, Tone};
use crate::report::graph::Shape;
use crate::report::history::{Record, Span, spans};
use crate::report::lines::clean;
use crate::report::units::duration;
use crate::runbook::{Mode, Runbook, Step};

/// The steps of the recovery that a plan is about.
pub(super) struct Sequence {
    pub(super) mode: Mode,
    /// Indices into the runbook's steps, each after everything that it needs.
    pub(super) steps: Vec<usize>,
    pub(super) shape: Shape,
    /// Of each of `steps`, what earlier runs say.
    pub(super) spans: Vec<Option<Span>>,
}

/// The way through the steps that decides how long health takes.
pub(super) struct Critical {
    /// Positions in the sequence.
    pub(super) path: Vec<usize>,
    /// The sum of what is known, in milliseconds.
    pub(super) known_ms: u64,
    /// Positions of which nothing is known.
    pub(super) unknown: Vec<usize>,
}

impl Sequence {
    pub(super) fn of(runbook: &Runbook, records: &[Record]) -> Self {
        let mode = main_mode(runbook);
        let order = order(&runbook.steps, |step| step.modes.contains(&mode));
        let index = |need: &u32| usize::try_from(*need).unwrap_or(usize::MAX);
        let needs: Vec<(Vec<usize>, bool)> = order
            .needs
            .iter()
            .map(|needs| (needs.iter().map(index).collect(), false))
            .collect();
        let known = spans(records, mode);
        let span = |at: &usize| {
            let step = &runbook.steps[*at];
            known
                .get(&(step.name.value.clone(), step.kind.value.clone()))
                .cloned()
        };
        Self {
            mode,
            shape: Shape::new(&needs),
            spans: order.steps.iter().map(span).collect(),
            steps: order.steps,
        }
    }

    /// Positions by wave.
    pub(super) fn waves(&self) -> Vec<Vec<usize>> {
        let mut waves = vec![Vec::new(); self.shape.waves()];
        for (at, wave) in self.shape.wave.iter().enumerate() {
            waves[*wave].push(at);
        }
        waves
    }

    /// The longest way to a step that proves health; without one, to the last step.
    pub(super) fn critical(&self, runbook: &Runbook) -> Critical {
        let mut best: Vec<(u64, usize)> = Vec::with_capacity(self.steps.len());
        let mut from: Vec<Option<usize>> = Vec::with_capacity(self.steps.len());
        for at in 0..self.steps.len() {
            let before = self.shape.needs[at]
                .iter()
                .copied()
                .max_by_key(|need| best[*need]);
            let (ms, steps) = before.map_or((0, 0), |need| best[need]);
            best.push((ms + self.known_ms(at), steps + 1));
            from.push(before);
        }
        let proving =
            |at: &usize| kind_of(&runbook.steps[self.steps[*at]]).is_some_and(|kind| kind.proves_health);
        let mut ends: Vec<usize> = (0..self.steps.len()).filter(proving).collect();
        if ends.is_empty() {
            ends = (0..self.steps.len()).collect();
        }
        let end = ends.into_iter().max_by_key(|at| best[*at]);
        let mut path: Vec<usize> = std::iter::successors(end, |at| from[*at]).collect();
        path.reverse();
        Critical {
            known_ms: end.map_or(0, |at| best[at].0),
            unknown: path
                .iter()
                .copied()
                .filter(|at| self.spans[*at].is_none())
                .collect(),
            path,
        }
    }

    fn known_ms(&self, at: usize) -> u64 {
        self.spans[at].as_ref().map_or(0, |span| span.p50_ms)
    }

    /// The graph.
    pub(super) fn picture(&self, runbook: &Runbook) -> Picture {
        let node =
            |(at, index): (usize, &usize)| node(&runbook.steps[*index], self.spans[at].as_ref(), runbook);
        Picture {
            title: clean(&format!("{} of {}", self.mode, runbook.name.value)),
            nodes: self.steps.iter().enumerate().map(node).collect(),
            shape: self.shape.clone(),
        }
    }
}

fn node(step: &Step, span: Option<&Span>, runbook: &Runbook) -> Node {
    let (tone, word) = character(step);
    let role = step.params.get("site").and_then(|node| node.as_str());
    let site = role
        .and_then(|role| runbook.roles.get(role))
        .map(|site| site.value.clone());
    let time = span.map_or_else(|| "time unknown".to_owned(), |span| duration(span.p50_ms));
    let parts = [
        Some(step.kind.value.clone()),
        site,
        word.map(str::to_owned),
        Some(time),
    ];
    let detail: Vec<String> = parts.into_iter().flatten().collect();
    Node {
        name: clean(&step.name.value),
        detail: clean(&detail.join(" · ")),
        tone,
    }
}

/// What stands out about a step, as a colour and as the word that the colour repeats.
fn character(step: &Step) -> (Tone, Option<&'static str>) {
    let Some(kind) = kind_of(step) else {
        return (Tone::Neutral, None);
    };
    let effects = (kind.specimen)();
    let has = |symbol: Symbol| {
        effects
            .iter()
            .any(|effect| effect.meaning().line().symbol == symbol)
    };
    if has(Symbol::Person) {
        (Tone::Doubt, Some("a person"))
    } else if has(Symbol::Destructive) || has(Symbol::Delete) {
        (Tone::Bad, Some("takes away"))
    } else if kind.proves_health {
        (Tone::Good, Some("proves health"))
    } else {
        (Tone::Neutral, None)
    }
}

/// Names of the steps at these positions: `a → b`.
pub(super) fn arrows(runbook: &Runbook, sequence: &Sequence, path: &[usize]) -> String {
    let names: Vec<&str> = path
        .iter()
        .map(|at| runbook.steps[sequence.steps[*at]].name.value.as_str())
        .collect();
    names.join(" → ")
}

/// Where the known durations come from: `3 drills` → how many steps.
pub(super) fn sources(sequence: &Sequence) -> Vec<String> {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for span in sequence.spans.iter().flatten() {
        *all.entry(&span.source).or_default() += 1;
    }
    all.into_keys().map(str::to_owned).collect()
}
