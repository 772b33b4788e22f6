//! Small plans and a readable form of events, for the tests of the engine, the journal and the driver.

use std::collections::BTreeMap;

use super::{Beginning, Engine, Event, Operator, Outcome, Phase, RunId};
use crate::effect::{
    Ask, Class, Delete, Effect, ErrorKind, Expected, Hazard, Pause, Receipt, Scale, WorldError,
};
use crate::objects::ObjectId;
use crate::plan::{Digest, Part, Plan, PlannedStep, Subject};
use crate::runbook::{Mode, Objectives, OnFailure, Policy};
use crate::text::Text;

/// The site of effects that the tests take for effects of class `once`: no real effect has it today.
const ONCE: &str = "once";

/// An effect of a class.
pub(super) fn effect(class: Class) -> Effect {
    let id = ObjectId::namespace("shop");
    match class {
        Class::Read => Effect::Pause(Pause {
            for_ms: 1000,
            reason: "a test".into(),
            after_change: false,
        }),
        Class::Converge => scale("west"),
        Class::Guarded => Effect::Delete(Delete {
            site: "west".into(),
            id,
            missing_ok: false,
        }),
        Class::Once => scale(ONCE),
    }
}

fn scale(site: &str) -> Effect {
    Effect::Scale(Scale {
        site: site.into(),
        id: ObjectId::namespace("shop"),
        from: 3,
        to: 0,
    })
}

/// A question that the commander answers.
pub(super) fn ask() -> Effect {
    Effect::Ask(Ask {
        question: Text::known("go?"),
        by: vec!["commander".into()],
        expected: Expected::Approval,
        unless_proved: Vec::new(),
    })
}

/// A risk that the commander takes, unless these steps have proved that there is none.
pub(super) fn accept(unless_proved: &[&str]) -> Effect {
    Effect::Ask(Ask {
        question: Text::known("both may write?"),
        by: vec!["commander".into()],
        expected: Expected::Acceptance(Hazard::SplitBrain),
        unless_proved: unless_proved.iter().map(|step| (*step).to_owned()).collect(),
    })
}

/// What a fence gives back.
pub(super) fn proof() -> Receipt {
    Receipt {
        outputs: [(Receipt::PROOF.to_owned(), "0 pods run".to_owned())].into(),
        ..Receipt::default()
    }
}

/// As the effect says, but with a `once`.
pub(super) fn class_of(effect: &Effect) -> Class {
    match effect {
        Effect::Scale(scale) if scale.site == ONCE => Class::Once,
        other => other.meaning().class(),
    }
}

/// A step with one effect that may be repeated, which needs nothing.
pub(super) fn step(name: &str) -> PlannedStep {
    PlannedStep {
        name: name.into(),
        kind: "test".into(),
        description: None,
        needs: Vec::new(),
        part: Part::Done,
        policy: Policy {
            attempts: 1,
            ..Policy::default()
        },
        last: false,
        proves_health: false,
        effects: vec![effect(Class::Converge)],
        undo: Vec::new(),
        notes: Vec::new(),
    }
}

impl PlannedStep {
    pub(super) fn needing(mut self, needs: &[u32]) -> Self {
        self.needs = needs.to_vec();
        self
    }

    pub(super) fn doing(mut self, effects: Vec<Effect>) -> Self {
        self.effects = effects;
        self
    }

    pub(super) fn undoing(mut self, effects: Vec<Effect>) -> Self {
        self.undo = effects;
        self
    }

    pub(super) fn then(mut self, on_failure: OnFailure) -> Self {
        self.policy.on_failure = on_failure;
        self
    }

    pub(super) fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = attempts;
        self
    }

    /// Removes what a drill made.
    pub(super) fn last(mut self) -> Self {
        self.last = true;
        self.kind = PlannedStep::TEAR_DOWN.to_owned();
        self
    }

    /// Runs at the end because its runbook says so.
    pub(super) fn finally(mut self) -> Self {
        self.last = true;
        self
    }

    pub(super) fn left_out(mut self) -> Self {
        self.part = Part::Skipped("not in a test".into());
        self
    }
}

/// A plan of these steps.
pub(super) fn plan(steps: Vec<PlannedStep>) -> Plan {
    Plan {
        format: Plan::FORMAT,
        tool: "lifeboat test".into(),
        runbook: Subject {
            name: "shop".into(),
            title: "Shop".into(),
            summary: None,
            tier: None,
            owner: None,
            people: [("commander".to_owned(), vec!["anna".to_owned(), "ben".to_owned()])].into(),
            digest: String::new(),
            recovery: None,
            approvals: crate::runbook::Approvals::default(),
        },
        mode: Mode::Failover,
        roles: BTreeMap::new(),
        inputs: BTreeMap::new(),
        objectives: Objectives::default(),
        sites: BTreeMap::new(),
        sandbox: None,
        steps,
        left_out: Vec::new(),
        sightings: Vec::new(),
        warnings: Vec::new(),
    }
}

/// How a run of these steps begins.
pub(super) fn beginning(steps: Vec<PlannedStep>, concurrency: u32) -> Beginning {
    let plan = plan(steps);
    Beginning {
        format: Beginning::FORMAT,
        tool: "lifeboat test".into(),
        run: RunId::new("shop", Mode::Failover, "test"),
        digest: Digest::of(&plan),
        operator: operator(),
        concurrency,
        journal: None,
        declared: None,
        plan,
    }
}

pub(super) fn operator() -> Operator {
    Operator {
        name: "anna".into(),
        host: "laptop".into(),
        pid: 1,
    }
}

/// An error that says what kind it is.
pub(super) fn trouble(kind: ErrorKind) -> WorldError {
    WorldError::new(kind, "west", format!("{kind:?}"))
}

/// One event in a few words: `start a`, `ok a`, `end a succeeded`. Second effects, attempts and
/// directions show only where they are not the first.
pub(super) fn words(engine: &Engine, event: &Event) -> String {
    let name = |step: &u32| engine.plan().steps[*step as usize].name.clone();
    let at = |step: &u32, phase: &Phase, effect: &u32, attempt: &u32| {
        let undo = if *phase == Phase::Undo { " undo" } else { "" };
        let effect = if *effect > 0 {
            format!(" effect {}", effect + 1)
        } else {
            String::new()
        };
        let attempt = if *attempt > 1 {
            format!(" attempt {attempt}")
        } else {
            String::new()
        };
        format!("{}{undo}{effect}{attempt}", name(step))
    };
    match event {
        Event::Began(_) => "began".into(),
        Event::Resumed { .. } => "resumed".into(),
        Event::Claimed { epoch } => format!("claimed epoch {epoch}"),
        Event::FencesRaised { fences } => raised(fences),
        Event::MirrorBehind { mirror, error } => format!("mirror {mirror} behind: {}", error.message),
        Event::MirrorCaughtUp { mirror } => format!("mirror {mirror} caught up"),
        Event::Intended {
            step,
            phase,
            effect,
            attempt,
        } => format!("start {}", at(step, phase, effect, attempt)),
        Event::Performed {
            step,
            phase,
            effect,
            attempt,
            ..
        } => format!("ok {}", at(step, phase, effect, attempt)),
        Event::Failed {
            step,
            phase,
            effect,
            attempt,
            error,
            retry_at_ms,
        } => {
            let retry = retry_at_ms.map_or_else(String::new, |at| format!(", again at {at}"));
            format!(
                "failed {}: {:?}{retry}",
                at(step, phase, effect, attempt),
                error.kind
            )
        }
        Event::Unknown {
            step,
            phase,
            effect,
            attempt,
            ..
        } => format!("unknown {}", at(step, phase, effect, attempt)),
        Event::Answered { step, answer, by, .. } => format!("answered {} {answer:?} by {by}", name(step)),
        Event::Ended { step, outcome } => format!("end {} {}", name(step), outcome_words(outcome)),
        Event::Decided {
            step, finding, by, ..
        } => format!("decided {} {finding:?} by {by}", name(step)),
        Event::Noted { by, text } => format!("noted by {by}: {text}"),
        Event::RetryOrdered { step, by, .. } => format!("retry {} by {by}", name(step)),
        Event::Paused { by, reason } => format!("paused by {by}: {reason}"),
        Event::Stopping { by, .. } => format!("stopping by {by}"),
        Event::Unwinding { step } => format!("unwinding because of {}", name(step)),
        Event::Finished { verdict } => format!("finished {verdict:?}"),
    }
}

fn raised(fences: &BTreeMap<String, String>) -> String {
    let fences: Vec<String> = fences
        .iter()
        .map(|(site, word)| format!("{site} {word}"))
        .collect();
    format!("fences {}", fences.join(", "))
}

fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped { why, releases: true } => format!("skipped ({why})"),
        Outcome::Skipped { why, .. } => format!("cut off ({why})"),
        Outcome::MarkedDone { by, .. } => format!("marked done by {by}"),
        other => format!("{other:?}"),
    }
}
