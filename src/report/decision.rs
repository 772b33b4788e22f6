//! The decision card: what a person has to know before saying yes to a run that changes what customers use.
//!
//! One screen, in the order in which it is asked at three in the morning: which way, who answers, what is lost and
//! how that is known, how long, what will be done, from where there is no way back, who may still write at the old
//! side, and who may approve.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::forecast::{Estimates, Outlook, Path, data_loss, seen};
use super::graph::Shape;
use super::incident::declared_when;
use super::lines::{clean, ends, hang, text};
use super::plan_text::{PlanView, places};
use super::preflight::{About, Check, Fitness};
use super::units::{age, between_ms, count, duration};
use crate::effect::{Class, Effect, Seen};
use crate::plan::{Part, Plan, PlannedStep};
use crate::run::Incident;
use crate::runbook::{ACTIVE, Mode};

/// What is needed besides the plan to draw its card.
#[derive(Clone, Copy, Debug)]
pub struct DecisionView<'a> {
    /// What ages are counted to.
    pub now: Timestamp,
    /// What earlier runs say of its steps.
    pub estimates: &'a Estimates,
    /// The incident that the run would take up.
    pub incident: Option<&'a Incident>,
    /// The last look before anything is changed.
    pub preflight: &'a [Check],
    /// Site → whether its API server refuses older epochs; empty where no epoch is held.
    pub fences: &'a BTreeMap<String, String>,
    /// Columns of the terminal.
    pub columns: usize,
}

/// The card, with a line break at its end.
pub fn decision_card(plan: &Plan, view: &DecisionView<'_>) -> String {
    let columns = view.columns.max(PlanView::NARROWEST);
    let card = Card { plan, view, columns };
    let mut out = vec![card.heading()];
    out.extend(card.sites());
    out.extend(card.data());
    out.push(card.time());
    out.push(card.fact("Does", &card.deeds()));
    out.push(card.fact("No way back", &card.no_way_back()));
    out.extend(card.old_side());
    out.extend(card.fences());
    out.push(card.fact("May approve", &card.approvers()));
    out.extend(card.trouble());
    text(&out)
}

struct Card<'a> {
    plan: &'a Plan,
    view: &'a DecisionView<'a>,
    columns: usize,
}

impl<'a> Card<'a> {
    fn fact(&self, label: &str, text: &str) -> String {
        /// `No way back`, the longest label, and its margins.
        const LABEL: usize = 15;
        // A name of a site with its role may be longer.
        hang(
            &format!("  {label:<width$} ", width = LABEL - 3),
            &clean(text),
            self.columns,
        )
    }

    fn heading(&self) -> String {
        let plan = self.plan;
        let mode = plan.mode.word().to_uppercase();
        let left = format!("{mode}  {}: {}", clean(&plan.runbook.title), clean(&places(plan)));
        let right = match self.view.incident {
            Some(incident) => declared_when(&incident.declared, self.view.now),
            None if plan.mode == Mode::Failover => "no incident is declared".to_owned(),
            None => String::new(),
        };
        ends(&left, &right, self.columns)
    }

    /// Who answers, by role.
    fn sites(&self) -> Vec<String> {
        let checks = self.view.preflight.iter().filter(|one| one.about == About::Site);
        checks
            .map(|one| {
                let role = self.plan.roles.iter().find(|(_, site)| **site == one.at);
                let label = role.map_or_else(|| one.at.clone(), |(role, site)| format!("{site} {role}"));
                self.fact(&clean(&label), &format!("{}.", one.said))
            })
            .collect()
    }

    /// How much is lost, and how that is known.
    fn data(&self) -> Vec<String> {
        let mut out: Vec<String> = self.losses().iter().map(|text| self.fact("Data", text)).collect();
        if out.is_empty() {
            let known = data_loss(self.plan, self.view.now).into_iter().next();
            out.extend(known.map(|(text, _)| self.fact("Data", &format!("{text}."))));
        }
        out
    }

    /// One sentence for each restore of a backup that is there.
    fn losses(&self) -> Vec<String> {
        let restores = self.done().flat_map(|step| step.effects.iter());
        let restores = restores.filter(|effect| matches!(effect, Effect::RestoreObjects(_)));
        let backups = restores.filter_map(|effect| match seen(self.plan, effect) {
            Some(Seen::Restore(preview)) => preview.backup.as_ref(),
            _ => None,
        });
        let mut all: Vec<String> = backups
            .filter_map(|backup| {
                let old = match between_ms(backup.consistent_at, self.view.now)? {
                    0..1000 => "second".to_owned(),
                    ms => age(ms),
                };
                let rpo = self.plan.objectives.rpo_ms;
                let rpo = rpo.map_or_else(|| "no RPO".to_owned(), |ms| format!("RPO {}", duration(ms)));
                let proof = match backup.verified_at {
                    None => "and nobody has verified it".to_owned(),
                    Some(at) => between_ms(at, self.view.now).map_or_else(
                        || "which was verified".to_owned(),
                        |ms| format!("which was read back and compared {} ago", age(ms)),
                    ),
                };
                Some(format!(
                    "What was written in the last {old} is lost ({rpo}). Known from: the consistent point in the manifest of backup {}, {proof}.",
                    backup.name
                ))
            })
            .collect();
        all.dedup();
        all
    }

    fn time(&self) -> String {
        let shape = Shape::of(self.plan);
        let path = Path::of(self.plan, &shape, self.view.estimates);
        let (expected, outlook) = path.outlook(self.plan.objectives.rto_ms);
        let sources: std::collections::BTreeSet<&str> = path
            .steps
            .iter()
            .filter_map(|at| self.plan.steps.get(*at))
            .filter_map(|step| Some(self.view.estimates.get(&step.name)?.source.as_str()))
            .collect();
        let known = match outlook {
            Outlook::Good | Outlook::Bad if !sources.is_empty() => {
                let all: Vec<&str> = sources.into_iter().collect();
                format!(" Known from: {}.", all.join("; "))
            }
            _ => String::new(),
        };
        self.fact("Time", &format!("{expected}{}.{known}", self.left(outlook)))
    }

    /// What the declaration has used up of the objective.
    fn left(&self, outlook: Outlook) -> String {
        let used = self
            .view
            .incident
            .and_then(|incident| between_ms(incident.declared.at, self.view.now));
        let (Some(used), Some(rto)) = (used, self.plan.objectives.rto_ms) else {
            return String::new();
        };
        let late = if outlook == Outlook::Bad { ", too long" } else { "" };
        match rto.checked_sub(used) {
            Some(left) => format!("{late}, {} of it left", duration(left / 1000 * 1000)),
            None => format!("{late}, which is over"),
        }
    }

    fn done(&self) -> impl Iterator<Item = &'a PlannedStep> {
        self.plan.steps.iter().filter(|step| step.part == Part::Done)
    }

    /// `east: scale 1; west: restore 1, wait 1`.
    fn deeds(&self) -> String {
        let mut places: Vec<(String, Vec<(String, usize)>)> = Vec::new();
        for effect in self.done().flat_map(|step| &step.effects) {
            let line = effect.meaning().line();
            let at = places.iter().position(|(place, _)| *place == line.place);
            let at = at.unwrap_or_else(|| {
                places.push((line.place.clone(), Vec::new()));
                places.len() - 1
            });
            let verbs = &mut places[at].1;
            match verbs.iter_mut().find(|(verb, _)| *verb == line.verb) {
                Some((_, times)) => *times += 1,
                None => verbs.push((line.verb, 1)),
            }
        }
        let one = |(verb, times): &(String, usize)| match times {
            1 => verb.clone(),
            many => format!("{verb} ({many})"),
        };
        let place = |(place, verbs): &(String, Vec<(String, usize)>)| {
            let verbs: Vec<String> = verbs.iter().map(one).collect();
            match place.as_str() {
                "" => verbs.join(", "),
                place => format!("{place}: {}", verbs.join(", ")),
            }
        };
        match places.as_slice() {
            [] => "nothing".to_owned(),
            all => format!("{}.", all.iter().map(place).collect::<Vec<_>>().join("; ")),
        }
    }

    /// The first step that changes something and that lifeboat cannot take back.
    fn no_way_back(&self) -> String {
        let changes = |effect: &Effect| {
            !matches!(effect.meaning().class(), Class::Read) && !matches!(effect, Effect::Ask(_))
        };
        let step = self
            .done()
            .find(|step| step.undo.is_empty() && step.effects.iter().any(changes));
        match step {
            Some(step) => format!("after {}: from there on nothing undoes it.", step.name),
            None => "every step that changes something can be undone.".to_owned(),
        }
    }

    /// Whether anything shows that the old side has stopped.
    fn old_side(&self) -> Option<String> {
        let old = self.plan.roles.get(ACTIVE)?;
        let fencing = self.done().find(|step| step.kind == "fence");
        let accepted = self.done().find(|step| step.kind == "accept");
        let said = match (fencing, accepted) {
            (Some(step), _) => format!("step {} stops {old}, and says whether that is proved.", step.name),
            (None, Some(step)) => format!(
                "not proved. In step {} a named person accepts that both sides may write.",
                step.name
            ),
            (None, None) => format!(
                "not proved: no step of this plan shows that nothing writes at {old} any more, so both sides may write."
            ),
        };
        Some(self.fact(&format!("{old} stopped"), &said))
    }

    /// Whether an older run is kept out.
    fn fences(&self) -> Vec<String> {
        let words = self.view.fences.iter();
        words
            .map(|(site, word)| self.fact("Epoch fence", &format!("{site}: {word}.")))
            .collect()
    }

    /// Everybody whom a step of the plan asks.
    fn approvers(&self) -> String {
        let asks = self
            .done()
            .flat_map(|step| &step.effects)
            .filter_map(|effect| match effect {
                Effect::Ask(ask) => Some(&ask.by),
                _ => None,
            });
        let mut roles: Vec<&str> = Vec::new();
        let mut anybody = false;
        for by in asks {
            anybody |= by.is_empty();
            for role in by {
                if !roles.contains(&role.as_str()) {
                    roles.push(role);
                }
            }
        }
        let people = &self.plan.runbook.people;
        let mut all: Vec<String> = roles
            .iter()
            .map(|role| match people.get(*role).map(Vec::as_slice) {
                None | Some([]) => (*role).to_owned(),
                Some(names) => format!("{role} ({})", names.join(", ")),
            })
            .collect();
        if anybody {
            all.push("anybody who gives a name".to_owned());
        }
        let four_eyes = if self.plan.runbook.approvals.not_initiator {
            " Whoever starts the run may not approve it."
        } else {
            ""
        };
        match all.as_slice() {
            [] => "no step of this plan asks anybody: the run goes to its end by itself.".to_owned(),
            all => format!("{}.{four_eyes}", all.join("; ")),
        }
    }

    /// What the last look found that is not good, sites and data aside, which stand above.
    fn trouble(&self) -> Vec<String> {
        let of = |fitness| {
            self.view
                .preflight
                .iter()
                .filter(move |one| one.fitness == fitness)
        };
        let mut out: Vec<String> = of(Fitness::Fail)
            .map(|one| {
                let todo = one
                    .todo
                    .as_deref()
                    .map_or_else(String::new, |todo| format!(" To do: {todo}."));
                self.fact(
                    "FAILS",
                    &format!("{} {}: {}.{todo}", one.about.word(), one.at, one.said),
                )
            })
            .collect();
        let warnings = of(Fitness::Warn).count();
        let open = of(Fitness::NotCheckable).count();
        let mut parts = Vec::new();
        if warnings > 0 {
            parts.push(count(warnings, "warning"));
        }
        if open > 0 {
            parts.push(format!("{open} not checkable"));
        }
        if !parts.is_empty() {
            out.push(self.fact(
                "Preflight",
                &format!("{}; they stand above, each with what to do.", parts.join(", ")),
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{ErrorKind, WorldError};
    use crate::report::forecast::Expected;
    use crate::report::preflight::{Asked, preflight, rights};
    use crate::report::sample;
    use crate::run::Declaration;
    use jiff::SignedDuration;

    fn incident() -> Incident {
        let at = sample::now() - SignedDuration::from_secs(190);
        Incident {
            declared: Declaration {
                id: "4k2w".into(),
                at,
                recorded_at: at,
                by: "anna".into(),
                host: "laptop".into(),
                reason: "east is gone".into(),
                decide_within_ms: Some(600_000),
            },
            runs: Vec::new(),
        }
    }

    fn asked(plan: &Plan, east: bool) -> Asked {
        let mut asked = Asked {
            sites: plan
                .sites
                .iter()
                .map(|(site, seen)| (site.clone(), Ok(seen.clone())))
                .collect(),
            stores: [("vault".to_owned(), Ok(()))].into(),
            pinned: ["east", "west", "vault"].map(str::to_owned).into(),
            rights: rights(plan).into_iter().map(|right| (right, Ok(true))).collect(),
            ..Asked::default()
        };
        if !east {
            let gone = WorldError::new(ErrorKind::Unreachable, "east", "the TLS handshake timed out");
            asked.sites.insert("east".into(), Err(gone));
        }
        asked
    }

    fn drawn(plan: &Plan, asked: &Asked, incident: Option<&Incident>, estimates: &Estimates) -> String {
        let fences = [("west".to_owned(), "enforced by the API server".to_owned())].into();
        decision_card(
            plan,
            &DecisionView {
                now: sample::now(),
                estimates,
                incident,
                preflight: &preflight(plan, asked, sample::now()),
                fences: &fences,
                columns: 80,
            },
        )
    }

    fn known() -> Estimates {
        let one = |name: &str, p50_ms| {
            let source = "3 drills".to_owned();
            (name.to_owned(), Expected { p50_ms, source })
        };
        [
            one("stop-active", 3_000),
            one("restore", 6_000),
            one("web-up", 20_000),
            one("answers", 2_000),
        ]
        .into()
    }

    #[test]
    fn a_tired_person_reads_one_card() {
        let plan = sample::failover();
        insta::assert_snapshot!(drawn(&plan, &asked(&plan, false), Some(&incident()), &known()), @r"
        FAILOVER  Online shop: east → west                         declared 3 m 10 s ago
          east active  does not answer: the TLS handshake timed out. That is not the
                       same as down.
          west standby Kubernetes v1.37.2 at https://west.acme.example:6443, identity
                       0f0c1d…91 as pinned.
          Data         What was written in the last 12 m 7 s is lost (RPO 15 m). Known
                       from: the consistent point in the manifest of backup
                       shop-2026-11-22T2300, which was read back and compared 10 m 57 s
                       ago.
          Time         expected 31 s, RTO 30 m, 26 m 50 s of it left. Known from: 3
                       drills.
          Does         east: scale; west: restore, wait; probe; people: approve.
          No way back  after restore: from there on nothing undoes it.
          east stopped not proved: no step of this plan shows that nothing writes at
                       east any more, so both sides may write.
          Epoch fence  west: enforced by the API server.
          May approve  incident-commander.
          Preflight    1 warning, 1 not checkable; they stand above, each with what to
                       do.
        ");
    }

    #[test]
    fn without_a_declaration_or_history_the_card_says_so() {
        let mut plan = sample::failover();
        plan.runbook.approvals.not_initiator = true;
        let mut asked = asked(&plan, true);
        for (right, held) in &mut asked.rights {
            *held = Ok(right.verb != "patch");
        }
        insta::assert_snapshot!(drawn(&plan, &asked, None, &Estimates::new()), @r"
        FAILOVER  Online shop: east → west                       no incident is declared
          east active  Kubernetes v1.37.2 at https://east.acme.example:6443, identity
                       77ab2c…20 as pinned.
          west standby Kubernetes v1.37.2 at https://west.acme.example:6443, identity
                       0f0c1d…91 as pinned.
          Data         What was written in the last 12 m 7 s is lost (RPO 15 m). Known
                       from: the consistent point in the manifest of backup
                       shop-2026-11-22T2300, which was read back and compared 10 m 57 s
                       ago.
          Time         expected time unknown (no history of 4 steps), RTO 30 m.
          Does         east: scale; west: restore, wait; probe; people: approve.
          No way back  after restore: from there on nothing undoes it.
          east stopped not proved: no step of this plan shows that nothing writes at
                       east any more, so both sides may write.
          Epoch fence  west: enforced by the API server.
          May approve  incident-commander. Whoever starts the run may not approve it.
          FAILS        rights east: 1 of 3 refused: patch deployments/scale.apps in
                       shop. To do: have them granted, then look again; `lifeboat
                       explain <kind>` says what each kind of step needs.
          FAILS        rights west: 1 of 5 refused: patch configmaps in shop. To do:
                       have them granted, then look again; `lifeboat explain <kind>`
                       says what each kind of step needs.
        ");
    }
}
