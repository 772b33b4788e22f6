//! Whether the side that served was proved to have stopped, and which risks people took in their own names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Act, Deed, Fold};
use crate::effect::{Effect, Hazard, Receipt};
use crate::plan::PlannedStep;
use crate::run::Answer;

/// A risk that a person took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenRisk {
    /// Which.
    pub risk: Hazard,
    /// The step that asked.
    pub step: String,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The same on the run's clock.
    pub at_ms: u64,
}

/// A fence of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fencing {
    /// The step.
    pub step: String,
    /// The site whose namespaces it holds.
    pub site: String,
    /// What was seen; `None`: nothing proves that the site has stopped.
    pub proof: Option<String>,
}

impl TakenRisk {
    /// `split-brain, by anna (incident-commander): both halls are dark`.
    pub fn words(&self) -> String {
        let role = self
            .role
            .as_deref()
            .map_or_else(String::new, |role| format!(" ({role})"));
        format!("{}, by {}{role}: {}", self.risk, self.by, self.reason)
    }
}

impl Fencing {
    /// `east: proved: 0 pods run …`.
    pub fn words(&self) -> String {
        match &self.proof {
            Some(proof) => format!("{}: proved: {proof}", self.site),
            None => format!("{}: not proved: nothing shows that it has stopped", self.site),
        }
    }
}

/// Risks that were taken, in order.
pub(super) fn taken(fold: &Fold) -> Vec<TakenRisk> {
    let taken = |act: &Act| {
        let step = act
            .step
            .clone()
            .filter(|_| act.deed == Deed::Answered(Answer::Yes))?;
        let risk = fold.begun.plan.step(&step).and_then(PlannedStep::risk)?.0;
        Some(TakenRisk {
            risk,
            step,
            by: act.by.clone(),
            role: act.role.clone(),
            reason: act.reason.clone(),
            at: act.at,
            at_ms: act.at_ms,
        })
    };
    fold.acts.iter().filter_map(taken).collect()
}

/// Fences of the plan; in a drill there are none, because it stops nobody.
pub(super) fn fences(fold: &Fold) -> Vec<Fencing> {
    let plan = &fold.begun.plan;
    if plan.sandbox.is_some() {
        return Vec::new();
    }
    let fence = |step: &PlannedStep| {
        let site = step.effects.iter().find_map(|effect| match effect {
            Effect::HoldNamespaces(hold) => Some(hold.site.clone()),
            _ => None,
        });
        // One that was left out has no effects any more.
        let site = site.or_else(|| {
            plan.roles
                .get(crate::runbook::ACTIVE)
                .cloned()
                .filter(|_| step.kind == "fence")
        });
        site.map(|site| Fencing {
            step: step.name.clone(),
            site,
            proof: fold.output(&step.name, Receipt::PROOF),
        })
    };
    plan.steps.iter().filter_map(fence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Ask, Expected, HoldNamespaces};
    use crate::plan::Plan;
    use crate::report::outcome::Summary;
    use crate::report::sample::{self, Tape};
    use crate::run::Event;
    use crate::text::Text;

    fn plan() -> Plan {
        let hold = Effect::HoldNamespaces(HoldNamespaces {
            site: "east".into(),
            namespaces: vec!["shop".into()],
        });
        let risk = Effect::Ask(Ask {
            question: Text::known("both may write?"),
            by: vec!["incident-commander".into()],
            expected: Expected::Acceptance(Hazard::SplitBrain),
            unless_proved: vec!["stop-active".into()],
        });
        let mut plan = sample::failover();
        plan.steps = vec![
            sample::step("stop-active", "fence", &[], vec![hold]),
            sample::step("risk", "accept", &[0], vec![risk]),
        ];
        plan
    }

    fn words(tape: &Tape) -> (Vec<String>, Vec<String>) {
        let summary = Summary::of(&tape.entries).unwrap();
        let fences = summary.fences.iter().map(Fencing::words).collect();
        (fences, summary.risks.iter().map(TakenRisk::words).collect())
    }

    #[test]
    fn a_proof_is_told_in_the_words_of_its_receipt() {
        let mut tape = Tape::begin(plan(), "shop-f-1");
        let proof = Receipt {
            outputs: [(Receipt::PROOF.to_owned(), "0 pods run in shop".to_owned())].into(),
            ..sample::said("0 pods run in shop")
        };
        tape.ok(0, 1_000, 0, proof);
        tape.skip(
            1_000,
            1,
            "not asked: stop-active proved: 0 pods run in shop",
            true,
        );
        assert_eq!(
            words(&tape),
            (vec!["east: proved: 0 pods run in shop".to_owned()], vec![])
        );
    }

    #[test]
    fn a_risk_is_told_with_who_took_it_and_why_and_a_refused_one_is_none() {
        for (answer, taken) in [
            (
                Answer::Yes,
                vec!["split-brain, by anna (incident-commander): both halls are dark".to_owned()],
            ),
            (Answer::No, vec![]),
        ] {
            let mut tape = Tape::begin(plan(), "shop-f-1");
            tape.skip(
                0,
                0,
                "east is unreachable (connection refused); that is not the same as down",
                true,
            );
            tape.intend(0, 1, 1);
            tape.push(
                9_000,
                Event::Answered {
                    step: 1,
                    answer,
                    by: "anna".into(),
                    role: Some("incident-commander".into()),
                    reason: "both halls are dark".into(),
                    from: None,
                    plan: None,
                },
            );
            let unproved = "east: not proved: nothing shows that it has stopped".to_owned();
            assert_eq!(words(&tape), (vec![unproved], taken));
        }
    }
}
