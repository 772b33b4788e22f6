//! How long a plan should take and how much data it would lose, as far as anybody knows.
//!
//! ## Why
//!
//! A forecast is `ok` only when all of it is known: a path with one step that never ran has no
//! expected duration, only a lower bound, and a backup that nobody verified promises nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::graph::{Shape, needs};
use super::units::{age, between_ms, count, duration};
use crate::effect::{BackupSeen, Effect, Seen};
use crate::plan::{Part, Plan};

/// What earlier runs say of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Half of its runs took at most this long, in milliseconds.
    pub p50_ms: u64,
    /// Where that is known from: `3 drills`.
    pub source: String,
}

/// Step name → what earlier runs say of it. A step that is not in it is unknown.
pub type Estimates = BTreeMap<String, Expected>;

/// The way through a plan that decides how long health takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Performed steps on it, by index.
    pub(crate) steps: Vec<usize>,
    /// Whether it ends at a step that proves health.
    pub(crate) proves_health: bool,
    /// The sum of what is known, in milliseconds.
    pub(crate) known_ms: u64,
    /// Steps that health waits for, on this path or another, of which nothing is known.
    pub(crate) unknown: Vec<usize>,
}

/// One verdict about the future. `Good` needs every part of it to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    Good,
    Bad,
    Unknown,
    Unproved,
    NoObjective,
    Nothing,
}

impl Outlook {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad => "too long",
            Self::Unknown => "unknown",
            Self::Unproved => "unproved",
            Self::NoObjective => "no objective",
            Self::Nothing => "",
        }
    }
}

impl Path {
    /// The longest way to health by what is known; where nothing is, the one with most steps.
    pub(crate) fn of(plan: &Plan, shape: &Shape, estimates: &Estimates) -> Self {
        let done = |at: usize| plan.steps[at].part == Part::Done;
        let known = |at: usize| estimates.get(&plan.steps[at].name).map(|one| one.p50_ms);
        let mut best: Vec<(u64, usize)> = Vec::new();
        let mut from: Vec<Option<usize>> = Vec::new();
        for at in 0..plan.steps.len() {
            let before = shape.needs[at].iter().copied().max_by_key(|need| best[*need]);
            let (ms, steps) = before.map_or((0, 0), |need| best[need]);
            let own = if done(at) {
                (known(at).unwrap_or(0), 1)
            } else {
                (0, 0)
            };
            best.push((ms + own.0, steps + own.1));
            from.push(before);
        }
        let targets = targets(plan);
        let end = targets.iter().copied().max_by_key(|at| best[*at]);
        let mut steps: Vec<_> = std::iter::successors(end, |at| from[*at])
            .filter(|at| done(*at))
            .collect();
        steps.reverse();
        let unknown = before_all(plan, &targets)
            .into_iter()
            .filter(|at| done(*at) && known(*at).is_none());
        Self {
            steps,
            proves_health: end.is_some_and(|at| plan.steps[at].proves_health),
            known_ms: end.map_or(0, |at| best[at].0),
            unknown: unknown.collect(),
        }
    }

    /// The expected time, if all of it is known.
    pub(crate) fn expected_ms(&self) -> Option<u64> {
        (self.unknown.is_empty() && !self.steps.is_empty()).then_some(self.known_ms)
    }

    /// `expected 41 s, RTO 30 m` and whether that is good.
    pub(crate) fn outlook(&self, rto_ms: Option<u64>) -> (String, Outlook) {
        let rto = rto_ms.map_or_else(|| "no RTO".to_owned(), |ms| format!("RTO {}", duration(ms)));
        if !self.proves_health {
            let of = rto_ms.map_or("a recovery time".to_owned(), |_| format!("the {rto}"));
            return (
                format!("no step proves health, so nothing measures {of}"),
                Outlook::Unproved,
            );
        }
        match (self.expected_ms(), rto_ms) {
            (Some(ms), Some(target)) if ms <= target => {
                (format!("expected {}, {rto}", duration(ms)), Outlook::Good)
            }
            (Some(ms), Some(_)) => (format!("expected {}, {rto}", duration(ms)), Outlook::Bad),
            (Some(ms), None) => (format!("expected {}", duration(ms)), Outlook::NoObjective),
            (None, Some(target)) if self.known_ms > target => (
                format!("expected more than {}, {rto}", duration(self.known_ms)),
                Outlook::Bad,
            ),
            (None, _) => (
                format!("expected time unknown ({}), {rto}", self.missing()),
                Outlook::Unknown,
            ),
        }
    }

    fn missing(&self) -> String {
        let known = match self.known_ms {
            0 => String::new(),
            ms => format!("at least {}; ", duration(ms)),
        };
        format!("{known}no history of {}", count(self.unknown.len(), "step"))
    }
}

/// Steps whose success proves health; if there are none, all that somebody waits for health by.
fn targets(plan: &Plan) -> Vec<usize> {
    let all = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.part == Part::Done);
    let proving: Vec<_> = all
        .clone()
        .filter(|(_, step)| step.proves_health)
        .map(|(at, _)| at)
        .collect();
    if proving.is_empty() {
        all.filter(|(_, step)| !step.last).map(|(at, _)| at).collect()
    } else {
        proving
    }
}

/// These steps and every step that they wait for, in order.
fn before_all(plan: &Plan, targets: &[usize]) -> Vec<usize> {
    let mut wanted = vec![false; plan.steps.len()];
    for target in targets {
        wanted[*target] = true;
    }
    for at in (0..plan.steps.len())
        .rev()
        .filter(|at| wanted[*at])
        .collect::<Vec<_>>()
    {
        mark(plan, at, &mut wanted);
    }
    (0..wanted.len()).filter(|at| wanted[*at]).collect()
}

fn mark(plan: &Plan, at: usize, wanted: &mut [bool]) {
    let mut open = vec![at];
    while let Some(at) = open.pop() {
        for need in needs(&plan.steps[at]).into_iter().filter(|need| *need < at) {
            if !std::mem::replace(&mut wanted[need], true) {
                open.push(need);
            }
        }
    }
}

/// What would be lost, per restore of the plan, and whether that is good.
pub(crate) fn data_loss(plan: &Plan, now: Timestamp) -> Vec<(String, Outlook)> {
    let restores: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.part == Part::Done)
        .flat_map(|step| &step.effects)
        .collect();
    let restores: Vec<_> = restores
        .into_iter()
        .filter(|effect| matches!(effect, Effect::RestoreObjects(_)))
        .collect();
    if restores.is_empty() {
        return vec![("no step of this mode restores data".to_owned(), Outlook::Nothing)];
    }
    let mut lines: Vec<_> = restores
        .iter()
        .map(|effect| match seen(plan, effect) {
            Some(Seen::Restore(preview)) => match &preview.backup {
                Some(backup) => backup_line(backup, plan.objectives.rpo_ms, now),
                None => (
                    "the backup is still to be made by an earlier step".to_owned(),
                    Outlook::Unknown,
                ),
            },
            Some(Seen::Unanswered(error)) => (
                format!("the backup could not be looked at: {error}"),
                Outlook::Unknown,
            ),
            _ => ("the backup was not looked at".to_owned(), Outlook::Unknown),
        })
        .collect();
    lines.dedup();
    lines
}

/// The answer to an effect's preview, if it was asked.
pub(crate) fn seen<'a>(plan: &'a Plan, effect: &Effect) -> Option<&'a Seen> {
    let query = effect.meaning().preview()?;
    plan.sightings
        .iter()
        .find(|sighting| sighting.query == query)
        .map(|sighting| &sighting.seen)
}

fn backup_line(backup: &BackupSeen, rpo_ms: Option<u64>, now: Timestamp) -> (String, Outlook) {
    let Some(old_ms) = between_ms(backup.consistent_at, now) else {
        let text = format!(
            "backup {} is dated in the future: the clocks disagree",
            backup.name
        );
        return (text, Outlook::Unknown);
    };
    let verified = match backup.verified_at {
        None => "never verified".to_owned(),
        Some(at) => between_ms(at, now)
            .map_or_else(|| "verified".to_owned(), |ms| format!("verified {} ago", age(ms))),
    };
    let rpo = rpo_ms.map_or_else(|| "no RPO".to_owned(), |ms| format!("RPO {}", duration(ms)));
    let errors = match backup.errors.len() {
        0 => String::new(),
        n => format!("; its writer reported {}", count(n, "error")),
    };
    let outlook = match rpo_ms {
        Some(target) if old_ms > target => Outlook::Bad,
        _ if backup.verified_at.is_none() || !backup.errors.is_empty() => Outlook::Unproved,
        Some(_) => Outlook::Good,
        None => Outlook::NoObjective,
    };
    (
        format!(
            "backup {} is {} old, {verified}{errors}; {rpo}",
            backup.name,
            age(old_ms)
        ),
        outlook,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn estimates(names: &[&str]) -> Estimates {
        let one = |name: &&str| {
            (
                (*name).to_owned(),
                Expected {
                    p50_ms: 10_000,
                    source: "3 drills".into(),
                },
            )
        };
        names.iter().map(one).collect()
    }

    fn outlook(names: &[&str]) -> (String, Outlook) {
        let plan = sample::failover();
        Path::of(&plan, &Shape::of(&plan), &estimates(names)).outlook(plan.objectives.rto_ms)
    }

    #[test]
    fn one_step_without_history_makes_the_whole_forecast_unknown() {
        let all = ["stop-active", "restore", "web-up", "answers"];
        assert_eq!(
            outlook(&all),
            ("expected 40 s, RTO 30 m".to_owned(), Outlook::Good)
        );
        let (text, word) = outlook(&all[1..]);
        assert_eq!(
            text,
            "expected time unknown (at least 30 s; no history of 1 step), RTO 30 m"
        );
        assert_eq!(word, Outlook::Unknown);
    }

    #[test]
    fn what_runs_after_health_is_proved_does_not_count() {
        let plan = sample::drill();
        let path = Path::of(&plan, &Shape::of(&plan), &Estimates::new());
        let names: Vec<_> = path
            .steps
            .iter()
            .map(|at| plan.steps[*at].name.as_str())
            .collect();
        assert_eq!(names, ["drill:open", "restore", "web-up", "answers"]);
    }

    #[test]
    fn a_known_part_that_is_already_too_long_is_said() {
        let mut slow = estimates(&["restore"]);
        slow.get_mut("restore").unwrap().p50_ms = 2_000_000;
        let plan = sample::failover();
        let path = Path::of(&plan, &Shape::of(&plan), &slow);
        assert_eq!(path.outlook(Some(1_800_000)).1, Outlook::Bad);
    }

    #[test]
    fn a_backup_is_good_only_if_young_and_verified_and_complete() {
        let now = sample::now();
        let backup = sample::backup();
        let word = |backup: &BackupSeen, rpo| backup_line(backup, rpo, now).1;
        assert_eq!(word(&backup, Some(900_000)), Outlook::Good);
        assert_eq!(word(&backup, Some(600_000)), Outlook::Bad);
        assert_eq!(word(&backup, None), Outlook::NoObjective);
        let unverified = BackupSeen {
            verified_at: None,
            ..backup.clone()
        };
        assert_eq!(word(&unverified, Some(900_000)), Outlook::Unproved);
        let broken = BackupSeen {
            errors: vec!["timeout".into()],
            ..backup.clone()
        };
        assert_eq!(word(&broken, Some(900_000)), Outlook::Unproved);
        let early = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(backup_line(&backup, Some(900_000), early).1, Outlook::Unknown);
    }

    #[test]
    fn a_restore_that_nobody_previewed_loses_an_unknown_amount() {
        let mut plan = sample::failover();
        plan.sightings.clear();
        assert_eq!(
            data_loss(&plan, sample::now()),
            [("the backup was not looked at".to_owned(), Outlook::Unknown)]
        );
    }
}
