//! Drawings: the graph of a plan or a run as Mermaid and as SVG, and the timeline of a run as SVG.

mod layout;
mod markup;
mod mermaid;
mod svg_graph;
mod svg_timeline;

pub(crate) use markup::{PALETTE, escape};
pub use mermaid::mermaid;
pub(crate) use mermaid::mermaid_of;
pub use svg_graph::svg_graph;
pub(crate) use svg_graph::{STYLE as GRAPH_STYLE, svg_of};
pub(crate) use svg_timeline::{STYLE as TIMELINE_STYLE, text_timeline, timeline};

use std::collections::BTreeMap;

use super::graph::Shape;
use super::lines::clean;
use super::outcome::{StepReport, StepState, Summary};
use super::plan_text::places;
use crate::effect::Symbol;
use crate::plan::{Part, Plan, PlannedStep};

/// What a colour says. It only repeats what a word beside it already says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Neutral,
    Good,
    Bad,
    Doubt,
    Muted,
}

impl Tone {
    /// Its CSS class.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Doubt => "doubt",
            Self::Muted => "muted",
        }
    }

    /// Of a step of a run.
    pub(crate) const fn of(state: StepState) -> Self {
        match state {
            StepState::Succeeded | StepState::MarkedDone => Self::Good,
            StepState::Failed | StepState::Continued | StepState::UndoFailed => Self::Bad,
            StepState::Unknown | StepState::Asking | StepState::Retrying => Self::Doubt,
            StepState::Pending | StepState::Skipped | StepState::Undone => Self::Muted,
            StepState::Running | StepState::Undoing => Self::Neutral,
        }
    }
}

/// One box of a drawing. Texts are harmless already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) tone: Tone,
}

/// A graph that is to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) shape: Shape,
}

impl Picture {
    /// The graph of a plan.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let title = format!("Plan of {}: {}, {}", plan.runbook.name, plan.mode, places(plan));
        Self {
            title: clean(&title),
            nodes: plan.steps.iter().map(planned_node).collect(),
            shape: Shape::of(plan),
        }
    }

    /// The graph of a run, each step as it stands.
    pub(crate) fn of_run(summary: &Summary) -> Self {
        let names = summary.steps.iter().map(|step| step.name.as_str());
        let index: BTreeMap<&str, usize> = names.zip(0..).collect();
        let steps: Vec<_> = summary
            .steps
            .iter()
            .map(|step| {
                (
                    step.needs
                        .iter()
                        .filter_map(|need| index.get(need.as_str()).copied())
                        .collect(),
                    step.last,
                )
            })
            .collect();
        Self {
            title: clean(&format!("Steps of {}", summary.run)),
            nodes: summary.steps.iter().map(run_node).collect(),
            shape: Shape::new(&steps),
        }
    }
}

fn planned_node(step: &PlannedStep) -> Node {
    let lines: Vec<_> = step
        .effects
        .iter()
        .map(|effect| effect.meaning().line())
        .collect();
    let symbols = lines.iter().map(|line| line.symbol);
    let tone = match (
        &step.part,
        symbols.clone().find(|symbol| *symbol == Symbol::Destructive),
    ) {
        (Part::Skipped(_), _) => Tone::Muted,
        (_, Some(_)) => Tone::Bad,
        _ if symbols.clone().any(|symbol| symbol == Symbol::Person) => Tone::Doubt,
        _ => Tone::Neutral,
    };
    let detail = match (&step.part, lines.first()) {
        (Part::Skipped(why), _) => format!("» not done: {why}"),
        (Part::Done, None) => "nothing to do".to_owned(),
        (Part::Done, Some(line)) => {
            let more = if lines.len() > 1 {
                format!(" (+{})", lines.len() - 1)
            } else {
                String::new()
            };
            format!(
                "{} {} {} {}{more}",
                line.symbol.glyph(),
                line.verb,
                line.place,
                line.what
            )
        }
    };
    Node {
        name: clean(&step.name),
        detail: clean(&detail),
        tone,
    }
}

fn run_node(step: &StepReport) -> Node {
    let mut parts = vec![step.state.word().to_owned()];
    parts.extend(step.took_ms().map(super::units::duration));
    parts.extend(
        step.effects
            .first()
            .map(|effect| format!("· {} {}", effect.line.verb, effect.line.what)),
    );
    Node {
        name: clean(&step.name),
        detail: clean(&parts.join(" ")),
        tone: Tone::of(step.state),
    }
}
