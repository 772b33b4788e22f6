//! Answers typed at the terminal in which a run is carried.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};

use tokio::sync::{mpsc, oneshot};

use super::output;
use crate::effect::{Effect, Expected};
use crate::plan::Plan;
use crate::run::{Answer, Entry, Event, Order, Phase, Placed, QuestionPolicy, What};

/// Asks people and passes their answers on.
pub(super) struct Keyboard {
    place: mpsc::UnboundedSender<Placed>,
    asks: bool,
    plan: Option<Plan>,
    /// Open questions: step → roles that may answer.
    open: BTreeMap<String, Vec<String>>,
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
            open: BTreeMap::new(),
            reading: false,
        }
    }

    /// Knows the plan of a run that was begun earlier.
    pub(super) fn knows(mut self, entries: &[Entry]) -> Self {
        for entry in entries {
            self.heard(entry);
        }
        self
    }

    /// Something happened: perhaps a question.
    pub(super) fn heard(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Began(beginning) => self.plan = Some(beginning.plan.clone()),
            Event::Intended {
                step,
                phase: Phase::Forward,
                effect,
                ..
            } => self.ask(*step, *effect),
            Event::Answered { step, .. } | Event::Ended { step, .. } => {
                if let Some(name) = self.name(*step) {
                    self.open.remove(&name);
                }
            }
            _ => {}
        }
    }

    fn name(&self, step: u32) -> Option<String> {
        let plan = self.plan.as_ref()?;
        plan.steps.get(step as usize).map(|step| step.name.clone())
    }

    fn ask(&mut self, step: u32, effect: u32) {
        let Some(planned) = self.plan.as_ref().and_then(|plan| plan.steps.get(step as usize)) else {
            return;
        };
        let Some(Effect::Ask(ask)) = planned.effects.get(effect as usize) else {
            return;
        };
        if !self.asks {
            return;
        }
        let name = planned.name.clone();
        let (yes, no) = match ask.expected {
            Expected::Approval => ("yes", "no"),
            Expected::Work => ("yes, it is done", "no, it could not be done"),
        };
        output::note(&format!("\n{}", ask.question));
        output::note(&format!(
            "Answer `{name} yes <your name> <reason>` ({yes}) or `{name} no …` ({no}):"
        ));
        self.open.insert(name, ask.by.clone());
        self.read();
    }

    /// Reads lines in a thread of its own: a terminal cannot be waited for otherwise. It ends with the
    /// process.
    fn read(&mut self) {
        if std::mem::replace(&mut self.reading, true) {
            return;
        }
        let place = self.place.clone();
        let roles = self.open.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if !line.trim().is_empty() && !pass_on(&line, &roles, &place) {
                    return;
                }
            }
        });
    }
}

/// `go yes anna orders work` becomes an order. `false`: nobody listens any more.
fn pass_on(line: &str, roles: &BTreeMap<String, Vec<String>>, place: &mpsc::UnboundedSender<Placed>) -> bool {
    let Some(order) = parse(line, roles) else {
        output::note("Not understood. Write: <step> yes|no <your name> <reason>");
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

fn parse(line: &str, roles: &BTreeMap<String, Vec<String>>) -> Option<Order> {
    let mut words = line.split_whitespace();
    let step = words.next()?.to_owned();
    let answer = match words.next()? {
        "yes" => Answer::Yes,
        "no" => Answer::No,
        _ => return None,
    };
    let by = words.next()?.to_owned();
    let reason = words.collect::<Vec<_>>().join(" ");
    // One role that may answer: whoever answers does so in it. With several, `lifeboat approve --role`.
    let role = roles.get(&step).and_then(|roles| match roles.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    });
    (!reason.is_empty()).then_some(Order {
        by,
        reason,
        what: What::Answer { step, answer, role },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_a_step_a_word_a_name_and_a_reason() {
        let roles = BTreeMap::from([("go".to_owned(), vec!["incident-commander".to_owned()])]);
        let order = parse("go yes anna orders work", &roles).unwrap();
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
            assert_eq!(parse(unclear, &roles), None, "{unclear}");
        }
    }
}
