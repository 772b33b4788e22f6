//! What people may order, and which event that is.

use serde::{Deserialize, Serialize};

use super::state::Stage;
use super::{Engine, IllegalEvent, check, decide};
use crate::effect::{Ask, Expected};
use crate::run::{Answer, Event, Finding, Operator, Outcome};

/// A person's word: who, why, what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The person's name.
    pub by: String,
    /// Why; not empty.
    pub reason: String,
    /// What.
    pub what: What,
    /// The beginning of the digest of the plan that the person has seen; refused if the run has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// From which account, as far as its machine knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Operator>,
}

/// What a person may order. Steps are named as in the runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Nothing new starts; what is in flight ends; the process leaves. It can be resumed.
    Pause,
    /// End the run; `last` steps still run. It cannot be resumed.
    Stop,
    /// Ctrl-C: `Stop` where the plan cleans up after itself, else `Pause`.
    Interrupt,
    /// Answer a question.
    Answer {
        /// Which step asks.
        step: String,
        /// What.
        answer: Answer,
        /// In which of the roles that may answer.
        role: Option<String>,
    },
    /// Try a step again that failed, or of which nobody knows whether it worked.
    Retry {
        /// Which step.
        step: String,
    },
    /// Go on without a step.
    Skip {
        /// Which step.
        step: String,
    },
    /// A person did it by hand.
    MarkDone {
        /// Which step.
        step: String,
    },
    /// A person looked, and says what became of an effect of which nobody knows it.
    Decide {
        /// Which step.
        step: String,
        /// What was found.
        finding: Finding,
    },
    /// Try it again, of which nobody knows whether it worked: and only then.
    DecideRetry {
        /// Which step.
        step: String,
    },
    /// Write the reason into the journal, and do nothing.
    Note,
}

/// Why an order is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// As a fragment.
    pub message: String,
    /// What can be done instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<IllegalEvent> for Refused {
    fn from(illegal: IllegalEvent) -> Self {
        Self::new(illegal.to_string())
    }
}

impl Refused {
    pub(in crate::run) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Engine {
    /// The event that an order is, in the present state.
    ///
    /// # Errors
    ///
    /// Why it cannot be followed now.
    pub fn order(&self, order: &Order) -> Result<Event, Refused> {
        if order.by.trim().is_empty() || order.reason.trim().is_empty() {
            return Err(Refused::new("an order needs a name and a reason")
                .hint("give them with `--as <name> --reason <why>`"));
        }
        self.is_of_this_plan(order)?;
        let event = self.translate(order)?;
        self.check(&event)?;
        Ok(event)
    }

    /// Follows an order: its event is the next to be recorded by [`Engine::commands`].
    ///
    /// # Errors
    ///
    /// As [`Engine::order`].
    pub fn obey(&mut self, order: &Order, now_ms: u64) -> Result<(), Refused> {
        let event = self.order(order)?;
        self.note(event, now_ms)?;
        Ok(())
    }

    fn translate(&self, order: &Order) -> Result<Event, Refused> {
        let (by, reason) = (order.by.clone(), order.reason.clone());
        Ok(match &order.what {
            What::Stop => Event::Stopping { by, reason },
            What::Interrupt if self.has_last => Event::Stopping { by, reason },
            What::Pause | What::Interrupt => Event::Paused { by, reason },
            What::Answer { step, answer, role } => {
                return self.answer(order, step, *answer, role.as_deref());
            }
            What::Retry { step } => Event::RetryOrdered {
                step: self.step_named(step)?,
                by,
                reason,
            },
            What::Skip { step } => Event::Ended {
                step: self.step_to_pass(step)?,
                outcome: Outcome::Skipped {
                    why: format!("by {by}: {reason}"),
                    releases: true,
                },
            },
            What::MarkDone { step } => Event::Ended {
                step: self.step_to_pass(step)?,
                outcome: Outcome::MarkedDone { by, reason },
            },
            What::Decide { step, finding } => Event::Decided {
                step: self.in_doubt(step)?,
                finding: *finding,
                by,
                reason,
            },
            What::DecideRetry { step } => Event::RetryOrdered {
                step: self.in_doubt(step)?,
                by,
                reason,
            },
            What::Note => Event::Noted { by, text: reason },
        })
    }

    fn is_of_this_plan(&self, order: &Order) -> Result<(), Refused> {
        let digest = &self.beginning.digest;
        match order.seen.as_deref() {
            Some(seen) if seen.is_empty() || !digest.as_str().starts_with(seen) => {
                Err(Refused::new(format!(
                    "the plan of this run has digest {}, and {seen} was given",
                    digest.short()
                ))
                .hint("look at what it does: lifeboat status, lifeboat explain <run> <step>"))
            }
            _ => Ok(()),
        }
    }

    /// A step of which nobody knows whether it worked.
    fn in_doubt(&self, name: &str) -> Result<u32, Refused> {
        let step = self.step_named(name)?;
        let stage = &self.state.track(step).stage;
        if *stage == Stage::Unknown {
            return Ok(step);
        }
        let what = check::name(stage);
        let refused = Refused::new(format!("{name} is not in doubt: {what}"));
        Err(match stage {
            Stage::Ended(Outcome::Failed | Outcome::UndoFailed) => {
                refused.hint("of a step that failed: lifeboat retry, skip or mark-done")
            }
            Stage::Asking => refused.hint("answer it: lifeboat approve or reject"),
            _ => refused.hint("lifeboat status says what it waits for"),
        })
    }

    fn answer(
        &self,
        order: &Order,
        name: &str,
        answer: Answer,
        role: Option<&str>,
    ) -> Result<Event, Refused> {
        let step = self.step_named(name)?;
        let track = self.state.track(step);
        let effect = super::state::effect_of(self.planned(step), track.trial);
        if track.stage == Stage::Asking
            && let Some(ask) = effect.and_then(decide::question)
        {
            if !ask.by.is_empty() {
                self.may_answer(ask, &order.by, name, role)?;
            }
            let is_work = ask.expected == Expected::Work;
            if !is_work && answer == Answer::Yes {
                self.has_other_eyes(ask, order)?;
            }
        }
        Ok(Event::Answered {
            step,
            answer,
            by: order.by.clone(),
            role: role.map(str::to_owned),
            reason: order.reason.clone(),
            from: order.from.clone(),
            plan: Some(self.beginning.digest.clone()),
        })
    }

    /// A role that may answer, and one of those whom the runbook names for it. A role without names is
    /// for anybody who takes it.
    fn may_answer(&self, ask: &Ask, by: &str, step: &str, role: Option<&str>) -> Result<(), Refused> {
        let Some(role) = role.filter(|role| ask.by.iter().any(|may| may == role)) else {
            let may = ask.by.join(" or ");
            return Err(Refused::new(format!("only {may} may answer {step}"))
                .hint(format!("say in which role with `--role {}`", ask.by[0])));
        };
        let people = self.beginning.plan.runbook.people.get(role);
        match people {
            Some(names) if !names.is_empty() && !names.iter().any(|name| name == by.trim()) => {
                Err(Refused::new(format!("{by} is not {role}: {}", names.join(", ")))
                    .hint("the runbook names them under `people`, and the plan keeps their names"))
            }
            _ => Ok(()),
        }
    }

    /// Separation of duties, where the runbook asks for it: whoever began or took up the run may stop it by a
    /// no, and may neither approve it nor take a risk in it. Names are what people say, so the account that gave the answer counts as well.
    fn has_other_eyes(&self, ask: &Ask, order: &Order) -> Result<(), Refused> {
        let subject = &self.beginning.plan.runbook;
        if !subject.approvals.not_initiator {
            return Ok(());
        }
        let carriers = || std::iter::once(&self.beginning.operator).chain(&self.state.carriers);
        let same = |one: &str, other: &str| one.trim().eq_ignore_ascii_case(other.trim());
        let named = carriers().find(|carrier| same(&carrier.name, &order.by));
        let account = carriers().find(|carrier| {
            let from = order.from.as_ref();
            from.is_some_and(|from| from.name == carrier.name && from.host == carrier.host)
        });
        let because = match (named, account) {
            (None, None) => return Ok(()),
            (Some(_), _) => format!("{} carries this run", order.by.trim()),
            (None, Some(carrier)) => format!(
                "this answer comes from the account that carries the run ({} on {})",
                carrier.name, carrier.host
            ),
        };
        let refused = Refused::new(format!(
            "{because}, and by the runbook another person has to approve it"
        ));
        let others: Vec<String> = ask
            .by
            .iter()
            .flat_map(|role| {
                subject
                    .people
                    .get(role)
                    .into_iter()
                    .flatten()
                    .map(move |name| (role, name))
            })
            .filter(|(_, name)| !carriers().any(|carrier| same(&carrier.name, name)))
            .map(|(role, name)| format!("{name} ({role})"))
            .collect();
        Err(if others.is_empty() {
            refused.hint("somebody else has to say it, from an account of their own: lifeboat approve")
        } else {
            refused.hint(format!(
                "these may, from an account of their own: {}",
                others.join(", ")
            ))
        })
    }

    /// A step that a person may pass by. A risk is taken by whoever may take it, in his own name and role, or it is
    /// not taken: no other order leads past it.
    fn step_to_pass(&self, name: &str) -> Result<u32, Refused> {
        let step = self.step_named(name)?;
        match self.planned(step).risk() {
            None => Ok(step),
            Some((hazard, by)) => {
                let message =
                    format!("{name} is a risk ({hazard}): it is taken by answering for it, or not at all");
                let role = by.first().map_or("<role>", String::as_str);
                let hint = format!(
                    "answer with `lifeboat approve <run> {name} --role {role} --as <name> --reason \"…\"`"
                );
                Err(Refused::new(message).hint(hint))
            }
        }
    }

    fn step_named(&self, name: &str) -> Result<u32, Refused> {
        let steps = &self.beginning.plan.steps;
        let found = (0u32..).zip(steps).find(|(_, planned)| planned.name == name);
        found.map(|(index, _)| index).ok_or_else(|| {
            let names = steps.iter().map(|planned| planned.name.as_str());
            let refused = Refused::new(format!("the plan has no step {name}"));
            match crate::text::closest(name, names) {
                Some(near) => refused.hint(format!("did you mean {near}?")),
                None => refused,
            }
        })
    }
}
