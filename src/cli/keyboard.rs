//! Answers typed at the terminal in which a run is carried.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, IsTerminal as _};

use tokio::sync::{mpsc, oneshot};

use super::output;
use crate::effect::{Effect, Expected};
use crate::plan::Plan;
use crate::run::{Answer, Entry, Event, Order, Phase, Placed, QuestionPolicy, What};
use crate::text::Piece;

/// Asks people and passes their answers on.
pub(super) struct Keyboard {
    place: mpsc::UnboundedSender<Placed>,
    asks: bool,
    plan: Option<Plan>,
    /// Steps that ask.
    open: BTreeSet<String>,
    /// Outputs of steps, which questions may be about.
    outputs: BTreeMap<String, BTreeMap<String, String>>,
    reading: bool,
}

impl Keyboard {
    /// Asks only where somebody sits at the terminal and the run waits for people.
    pub(super) fn new(place: mpsc::UnboundedSender<Placed>, policy: QuestionPolicy) -> Self {
        let asks = policy == QuestionPolicy::Wait && std::io::stdin().is_terminal();
        Self {
            place,
            asks,
            plan: None,
            open: BTreeSet::new(),
            outputs: BTreeMap::new(),
            reading: false,
        }
    }

    /// Knows the plan of a run that was begun earlier.
    pub(super) fn knows(mut self, entries: &[Entry]) -> Self {
        for entry in entries {
            if let Some(question) = self.heard(entry) {
                output::note(&question);
            }
        }
        self
    }

    /// Whether an answer is being typed, perhaps.
    pub(super) fn is_asking(&self) -> bool {
        !self.open.is_empty()
    }

    /// Something happened: perhaps a question, with how to answer it.
    pub(super) fn heard(&mut self, entry: &Entry) -> Option<String> {
        match &entry.event {
            Event::Began(beginning) => self.plan = Some(beginning.plan.clone()),
            Event::Intended {
                step,
                phase: Phase::Forward,
                effect,
                ..
            } => return self.ask(*step, *effect),
            Event::Performed { step, receipt, .. } => {
                let name = &self.plan.as_ref()?.steps.get(*step as usize)?.name;
                let outputs = self.outputs.entry(name.clone()).or_default();
                outputs.extend(receipt.outputs.clone());
            }
            Event::Answered { step, .. } | Event::Ended { step, .. } => {
                let plan = self.plan.as_ref()?;
                self.open.remove(&plan.steps.get(*step as usize)?.name);
            }
            _ => {}
        }
        None
    }

    fn ask(&mut self, step: u32, effect: u32) -> Option<String> {
        let planned = self.plan.as_ref()?.steps.get(step as usize)?;
        let Effect::Ask(ask) = planned.effects.get(effect as usize)? else {
            return None;
        };
        if !self.asks {
            return None;
        }
        let name = planned.name.clone();
        let (yes, no) = match ask.expected {
            Expected::Approval => ("go on", "stop here"),
            Expected::Work => ("it is done", "it could not be done"),
            Expected::Acceptance(_) => ("I answer for it", "I do not"),
        };
        let mut text = ask.question.clone();
        text.bind(|piece| match piece {
            Piece::Output { step, name } => self.outputs.get(step)?.get(name).cloned(),
            Piece::Literal(_) | Piece::Namespace(_) => None,
        });
        let question = format!(
            "\n{text}\nType: {name} yes <your name> <reason>   ({yes})\n  or: {name} no <your name> <reason>    ({no})"
        );
        self.open.insert(name);
        self.read();
        Some(question)
    }

    /// Reads lines in a thread of its own: a terminal cannot be waited for otherwise. It ends with the
    /// process.
    fn read(&mut self) {
        let (false, Some(plan)) = (self.reading, self.plan.clone()) else {
            return;
        };
        self.reading = true;
        let place = self.place.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if !line.trim().is_empty() && !pass_on(&line, &plan, &place) {
                    return;
                }
            }
        });
    }
}

/// `go yes anna orders work` becomes an order. `false`: nobody listens any more.
fn pass_on(line: &str, plan: &Plan, place: &mpsc::UnboundedSender<Placed>) -> bool {
    let Some(order) = parse(line, |step| only_role(plan, step)) else {
        output::note("Not understood. Type: <step> yes|no <your name> <reason>");
        return true;
    };
    let (reply, answer) = oneshot::channel();
    if place
        .send(Placed {
            order,
            reply: Some(reply),
        })
        .is_err()
    {
        return false;
    }
    if let Ok(Err(refused)) = answer.blocking_recv() {
        output::note(&format!("Refused: {refused}"));
    }
    true
}

/// The role that may answer, where there is one: whoever answers does so in it. With several, a person
/// names it: `lifeboat approve --role`.
fn only_role(plan: &Plan, step: &str) -> Option<String> {
    plan.step(step)?.effects.iter().find_map(|effect| match effect {
        Effect::Ask(ask) if ask.by.len() == 1 => ask.by.first().cloned(),
        _ => None,
    })
}

fn parse(line: &str, role_of: impl Fn(&str) -> Option<String>) -> Option<Order> {
    let mut words = line.split_whitespace();
    let step = words.next()?.to_owned();
    let answer = match words.next()? {
        "yes" => Answer::Yes,
        "no" => Answer::No,
        _ => return None,
    };
    let by = words.next()?.to_owned();
    let reason = words.collect::<Vec<_>>().join(" ");
    let role = role_of(&step);
    (!reason.is_empty()).then_some(Order {
        by,
        reason,
        what: What::Answer { step, answer, role },
        seen: None,
        from: Some(super::operator()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_a_step_a_word_a_name_and_a_reason() {
        let role_of = |step: &str| (step == "go").then(|| "incident-commander".to_owned());
        let order = parse("go yes anna orders work", role_of).unwrap();
        assert_eq!(
            (order.by.as_str(), order.reason.as_str()),
            ("anna", "orders work")
        );
        let role = Some("incident-commander".to_owned());
        assert_eq!(
            order.what,
            What::Answer {
                step: "go".into(),
                answer: Answer::Yes,
                role
            }
        );
        for unclear in ["", "go", "go maybe anna why", "go yes", "go yes anna"] {
            assert_eq!(parse(unclear, role_of), None, "{unclear}");
        }
    }
}
