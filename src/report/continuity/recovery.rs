//! Recovery: in which order, how long, and how each step is done, by lifeboat and by hand.

use super::sequence::{arrows, sources};
use super::{Desk, modes, people, purpose};
use crate::report::document::{Block, Figure, Marked, Section, Table};
use crate::report::draw::{Tone, mermaid_of, svg_of};
use crate::report::units::{duration, moment};
use crate::runbook::{InDrill, OnFailure, Step, Ungraceful};
use crate::step::Hand;

/// More boxes than this are not looked at, and make a page that nobody prints.
const DRAWN: usize = 200;

/// 4.
pub(super) fn section(desk: &mut Desk<'_>) -> Section {
    let mut blocks = vec![Block::Heading("4.1 Sequence of recovery".to_owned())];
    blocks.extend(sequence(desk));
    blocks.push(Block::Heading("4.2 Recovery procedures".to_owned()));
    blocks.extend(procedures(desk));
    blocks.extend(people::escalation(desk));
    Section::new("recovery", "4 Recovery", blocks)
}

fn sequence(desk: &mut Desk<'_>) -> Vec<Block> {
    let count = desk.sequence.steps.len();
    let mut blocks = vec![Block::Paragraph(format!(
        "A {} has {count} steps in {} waves. Steps of one wave do not wait for each other.",
        desk.sequence.mode,
        desk.sequence.shape.waves()
    ))];
    blocks.push(critical(desk));
    if count > DRAWN {
        blocks.push(Block::Paragraph(format!(
            "{count} steps are too many to draw; the table has all of them."
        )));
    } else {
        let picture = desk.sequence.picture(desk.runbook());
        blocks.push(Block::Figure(Figure {
            label: "The steps and what each waits for",
            svg: svg_of(&picture, false),
            fence: "mermaid",
            text: mermaid_of(&picture),
            legend: None,
        }));
    }
    blocks.push(Block::Table(waves(desk)));
    blocks.push(source(desk));
    blocks
}

/// How long it takes, as far as anybody has measured it.
fn critical(desk: &mut Desk<'_>) -> Block {
    let runbook = desk.runbook();
    let critical = desk.sequence.critical(runbook);
    let way = arrows(runbook, &desk.sequence, &critical.path);
    let rto = runbook.objectives.rto_ms;
    let goal = rto.map_or_else(String::new, |ms| format!(" The objective is {}.", duration(ms)));
    let known = duration(critical.known_ms);
    if critical.unknown.is_empty() && !critical.path.is_empty() {
        let late = rto.is_some_and(|rto| critical.known_ms > rto);
        let tone = if late { Tone::Bad } else { Tone::Good };
        return Block::Notice(Marked::new(
            format!("Expected time to a healthy service: {known}, by way of {way}.{goal}"),
            tone,
        ));
    }
    let unknown = arrows(runbook, &desk.sequence, &critical.unknown).replace(" → ", ", ");
    let least = match critical.known_ms {
        0 => String::new(),
        _ => format!(" The steps that are known take {known}."),
    };
    let text = format!("How long it takes: nobody has measured {unknown} yet.{least}{goal}");
    desk.missing("4.1 Sequence of recovery", text)
}

fn waves(desk: &Desk<'_>) -> Table {
    let mut rows = Vec::new();
    for (wave, steps) in desk.sequence.waves().iter().enumerate() {
        for at in steps {
            let step = &desk.runbook().steps[desk.sequence.steps[*at]];
            let span = desk.sequence.spans[*at].as_ref();
            rows.push(vec![
                Marked::plain((wave + 1).to_string()),
                Marked::plain(step.name.value.clone()),
                Marked::plain(purpose(step)),
                Marked::plain(desk.place_of(step)),
                span.map_or_else(
                    || Marked::new("unknown", Tone::Doubt),
                    |span| Marked::plain(duration(span.p50_ms)),
                ),
                Marked::plain(duration(step.policy.timeout_ms)),
                Marked::plain(span.map_or_else(String::new, |span| {
                    let day = moment(span.newest, desk.paper.zone);
                    let day = day.get(..10).unwrap_or_default();
                    format!(
                        "{}, newest {day}, longest {}",
                        span.source,
                        duration(span.longest_ms)
                    )
                })),
            ]);
        }
    }
    Table {
        caption: "Steps in order",
        head: &[
            "Wave",
            "Step",
            "What for",
            "Where",
            "Expected",
            "At most",
            "Measured in",
        ],
        rows,
    }
}

fn source(desk: &Desk<'_>) -> Block {
    let past = &desk.paper.past;
    let read = moment(desk.paper.now, desk.paper.zone);
    let sources = sources(&desk.sequence);
    Block::Source(if sources.is_empty() {
        format!(
            "No run in {} measured these steps; read {read}. \u{201c}At most\u{201d} is from the runbook.",
            past.place
        )
    } else {
        format!(
            "Expected: half of the runs took at most this long. Measured in {}, from the journals in {}, read {read}. \u{201c}At most\u{201d} is from the runbook.",
            sources.join(" and "),
            past.place
        )
    })
}

/// 4.2: every step of the runbook, in the order of the recovery; those of other modes behind them.
fn procedures(desk: &mut Desk<'_>) -> Vec<Block> {
    let own = desk.sequence.steps.clone();
    let others = (0..desk.runbook().steps.len()).filter(|at| !own.contains(at));
    let all: Vec<usize> = own.iter().copied().chain(others).collect();
    let mut blocks = vec![Block::Paragraph(
        "lifeboat does these steps by itself and asks people where it says so. By hand they are done in the same order: a step begins when all that it waits for has ended well. Write down when each began and ended, and what you saw."
            .to_owned(),
    )];
    for (number, at) in all.into_iter().enumerate() {
        blocks.extend(procedure(desk, number + 1, at));
    }
    blocks
}

fn procedure(desk: &mut Desk<'_>, number: usize, at: usize) -> Vec<Block> {
    let step = &desk.runbook().steps[at];
    let name = &step.name.value;
    let mut blocks = vec![
        Block::Heading(format!("Step {number}: {name}{}", other(desk, step))),
        Block::Paragraph(purpose(step)),
        Block::Facts(facts(desk, step)),
        Block::Paragraph("By hand:".to_owned()),
    ];
    let hands = desk.by_hand(at);
    if hands.is_empty() {
        let text = format!("How {name} is done by hand.");
        blocks.push(desk.missing("4.2 Procedures", text));
    }
    blocks.extend(written(hands));
    if let Some(text) = desk.paper.prose.steps.get(name) {
        blocks.push(Block::Prose(text.clone()));
    }
    blocks
}

/// What a step that takes no part in the recovery is part of.
fn other(desk: &Desk<'_>, step: &Step) -> String {
    if step.modes.contains(&desk.sequence.mode) {
        return String::new();
    }
    format!(" (only in {})", modes(step))
}

/// Sentences, and commands that follow each other together.
fn written(hands: Vec<Hand>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for hand in hands {
        match (hand, blocks.last_mut()) {
            (Hand::Run(command), Some(Block::Commands(commands))) => commands.push(command),
            (Hand::Run(command), _) => blocks.push(Block::Commands(vec![command])),
            (Hand::Say(text), _) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                blocks.extend(lines.map(|line| Block::Paragraph(line.trim().to_owned())));
            }
        }
    }
    blocks
}

fn facts(desk: &Desk<'_>, step: &Step) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Kind", step.kind.value.clone())];
    let place = desk.place_of(step);
    if !place.is_empty() {
        facts.push(("Where", place));
    }
    let needs = waits(desk, step);
    if !needs.is_empty() {
        facts.push(("Waits for", needs.join(", ")));
    }
    facts.push(("Part of", modes(step)));
    let asked = people::asked(step);
    if !asked.is_empty() {
        let who: Vec<String> = asked.iter().map(|role| people::people_of(desk, role)).collect();
        facts.push(("Asks", who.join(" or ")));
    }
    facts.push(("Given up after", duration(step.policy.timeout_ms)));
    facts.push(("Tries of each change", step.policy.attempts.to_string()));
    facts.push(("If it fails", failure(step).to_owned()));
    if step.ungraceful == Ungraceful::Skip {
        facts.push((
            "If its site is silent",
            "left out, and said; silent is not the same as down".to_owned(),
        ));
    }
    facts.push(("In a drill", in_drill(step).to_owned()));
    facts
}

/// Steps that it needs; those that take no part in the recovery are bridged.
fn waits(desk: &Desk<'_>, step: &Step) -> Vec<String> {
    let mode = desk.sequence.mode;
    let part = |name: &str| {
        desk.runbook()
            .steps
            .iter()
            .any(|one| one.name.value == name && one.modes.contains(&mode))
    };
    let one = |name: &String| {
        let note = if part(name) {
            String::new()
        } else {
            format!(" (not in a {mode})")
        };
        format!("{name}{note}")
    };
    step.needs.iter().map(|need| one(&need.value)).collect()
}

const fn failure(step: &Step) -> &'static str {
    match step.policy.on_failure {
        OnFailure::Pause => "nothing new starts, and a person decides",
        OnFailure::Stop => "the run ends as failed",
        OnFailure::Undo => "what was done is undone, newest first",
        OnFailure::Continue => "it goes on, and the report says so",
    }
}

const fn in_drill(step: &Step) -> &'static str {
    match step.drill {
        InDrill::Confine => "kept inside the drill's own namespaces, or left out",
        InDrill::Skip => "left out",
        InDrill::AsIs => "as in production: it only looks",
    }
}
