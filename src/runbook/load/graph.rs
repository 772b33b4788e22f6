//! Who needs whom: names, arrows that lead nowhere, and circles.
//!
//! ## Why not petgraph's Tarjan
//!
//! It recurses once per step, and a chain of 10,000 steps is a valid runbook; Kosaraju's algorithm finds
//! the same components without a stack.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::runbook::Step;
use crate::text::{Diagnostic, Diagnostics, Span, Spanned, codes, quote};

/// How many circles are drawn in one round.
const CYCLES_MAX: usize = 20;

/// How many arrows of one circle are drawn.
const ARROWS_MAX: usize = 12;

/// For how many needs that lead nowhere a name is looked for that was meant: nobody mistypes more before
/// checking, and each is compared with every step.
const MEANT_MAX: usize = 20;

/// How many names are compared for it: enough for every runbook of a person, and a file of nothing but
/// mistakes has to end.
const COMPARED_MAX: usize = 2_000;

/// How often circles are looked for: each time in the graph without the arrows of those that were found,
/// so that a person who mends what is drawn does not meet the next ones.
const ROUNDS_MAX: usize = 5;

/// With more arrows than this circles are looked for once: ten times what 10,000 steps of a person have,
/// and a file of nothing but arrows has to be refused in a moment.
const ARROWS_AGAIN_MAX: usize = 100_000;

/// Step by name. Only looked up, never iterated over: its order cannot be seen.
type Names<'a> = HashMap<&'a str, usize>;

/// From a step to one that it needs, and where that is written.
type Arrows = BTreeMap<(usize, usize), Span>;

/// Checks names and needs.
pub(super) fn check(steps: &[Step], found: &mut Diagnostics) {
    let names = names(steps, found);
    let mut arrows = arrows(steps, &names, found);
    for _ in 0..ROUNDS_MAX {
        let cycles = cycles(steps.len(), &arrows);
        if cycles.is_empty() {
            break;
        }
        for cycle in cycles {
            found.push(draw(&cycle, steps, &arrows));
            for arrow in around(&cycle) {
                arrows.remove(&arrow);
            }
        }
        if arrows.len() > ARROWS_AGAIN_MAX {
            break;
        }
    }
}

fn names<'a>(steps: &'a [Step], found: &mut Diagnostics) -> Names<'a> {
    let mut names = Names::new();
    for (index, step) in steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.name.value.is_empty())
    {
        let name = step.name.value.as_str();
        match names.get(name) {
            None => _ = names.insert(name, index),
            Some(first) => {
                let message = format!("two steps are called {}", quote(name));
                let again = Diagnostic::error(codes::DUPLICATE_STEP, message, step.name.span, "the second");
                found.push(again.and(steps[*first].name.span, "the first"));
            }
        }
    }
    names
}

fn arrows(steps: &[Step], names: &Names<'_>, found: &mut Diagnostics) -> Arrows {
    let mut arrows = Arrows::new();
    let mut dangling_count = 0;
    for (index, step) in steps.iter().enumerate() {
        if found.is_full() {
            break;
        }
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for need in &step.needs {
            if let Some(before) = seen.insert(&need.value, need.span) {
                let message = format!(
                    "step {} needs {} twice",
                    quote(&step.name.value),
                    quote(&need.value)
                );
                let again = Diagnostic::error(codes::DUPLICATE_NEED, message, need.span, "again");
                found.push(again.and(before, "already here"));
            } else if need.value == step.name.value {
                let message = format!("step {} needs itself", quote(&need.value));
                found.push(Diagnostic::error(
                    codes::SELF_NEED,
                    message,
                    need.span,
                    "this is the step itself",
                ));
            } else if let Some(target) = names.get(need.value.as_str()) {
                arrows.insert((index, *target), need.span);
                if steps[*target].finally && !step.finally {
                    found.push(needs_the_end(&step.name.value, need));
                }
            } else {
                dangling_count += 1;
                let compared = if dangling_count <= MEANT_MAX {
                    COMPARED_MAX
                } else {
                    0
                };
                let others = steps.iter().map(|one| one.name.value.as_str());
                let others = others.filter(|name| *name != step.name.value);
                found.push(dangling(&step.name.value, need).near(&need.value, others.take(compared)));
            }
        }
    }
    arrows
}

fn dangling(step: &str, need: &Spanned<String>) -> Diagnostic {
    let message = format!(
        "step {} needs {}, which does not exist",
        quote(step),
        quote(&need.value)
    );
    Diagnostic::error(codes::UNKNOWN_NEED, message, need.span, "no step has this name")
}

fn needs_the_end(step: &str, need: &Spanned<String>) -> Diagnostic {
    let message = format!(
        "step {} needs {}, which runs at the end",
        quote(step),
        quote(&need.value)
    );
    Diagnostic::error(codes::NEEDS_FINALLY, message, need.span, "this step is `finally`")
}

/// One circle for each set of steps that all wait for each other, the earliest step first.
fn cycles(steps: usize, arrows: &Arrows) -> Vec<Vec<usize>> {
    // Where every step stands after what it needs, as people write them, there is no way back.
    if arrows.keys().all(|(from, to)| to < from) {
        return Vec::new();
    }
    let mut graph: DiGraph<(), (), usize> = DiGraph::with_capacity(steps, arrows.len());
    (0..steps).for_each(|_| _ = graph.add_node(()));
    for (from, to) in arrows.keys() {
        graph.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
    }
    let components = kosaraju_scc(&graph)
        .into_iter()
        .filter(|component| component.len() > 1);
    let mut cycles: Vec<Vec<usize>> = components
        .filter_map(|component| shortest(&component.iter().map(|node| node.index()).collect(), arrows))
        .collect();
    cycles.sort_unstable();
    cycles.truncate(CYCLES_MAX);
    cycles
}

/// The shortest circle through the earliest of steps that all wait for each other.
fn shortest(component: &BTreeSet<usize>, arrows: &Arrows) -> Option<Vec<usize>> {
    let start = *component.first()?;
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for (_, next) in arrows.range((at, 0)..(at + 1, 0)).map(|(arrow, _)| *arrow) {
            if next == start {
                return Some(path(start, at, &came_from));
            }
            if component.contains(&next) && !came_from.contains_key(&next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

fn path(start: usize, end: usize, came_from: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut path = vec![end];
    let mut at = end;
    while at != start {
        let Some(before) = came_from.get(&at) else { break };
        at = *before;
        path.push(at);
    }
    path.reverse();
    path
}

/// The arrows of a circle, the one from its last to its first step at the end.
fn around(cycle: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let next = cycle.iter().cycle().skip(1);
    cycle.iter().copied().zip(next.copied())
}

fn draw(cycle: &[usize], steps: &[Step], arrows: &Arrows) -> Diagnostic {
    let name = |index: usize| steps[index].name.value.as_str();
    let mut drawn = around(cycle).filter_map(|arrow| {
        let label = format!("{} needs {}", name(arrow.0), name(arrow.1));
        arrows.get(&arrow).map(|span| (*span, label))
    });
    let message = "steps wait for each other, so none can start";
    let (span, label) = drawn.next().unwrap_or_default();
    let mut diagnostic = Diagnostic::error(codes::CYCLE, message, span, label);
    for (span, label) in drawn.take(ARROWS_MAX - 1) {
        diagnostic = diagnostic.and(span, label);
    }
    let help = match cycle.len() {
        2 => "one of the two arrows has to go".to_owned(),
        count => format!("one of the {count} arrows has to go"),
    };
    diagnostic.help(help)
}
