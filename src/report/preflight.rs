//! The last look before anything is changed: one list of everything that a run rests on, each with a word and
//! with what to do.
//!
//! Pure. Most of it the plan knows already (what a restore's target lacks, how old a backup is); sites, stores and
//! rights are asked by the command line, and only in ways that change nothing.
//!
//! ## Why
//!
//! - **Four words.** What nobody could ask is `not checkable`, which is neither good nor bad and never left out.
//! - **`fail` is what will surely go wrong.** Everything else that deserves a thought is `warn`: in a disaster a
//!   person may want to go on with an old backup, and nobody wants to go on without the right to write.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::capacity::{Brought, of_capacity};
use super::forecast::{Outlook, data_loss, seen};
use super::lines::{clean, hang, pad, width};
use super::units::count;
use crate::effect::{Effect, Fate, Permission, Rehearsal, RestorePreview, Seen, SiteSeen, WorldError, Would};
use crate::objects::{Nodes, ObjectId, builtin};
use crate::plan::{Part, Plan, PlannedStep};

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fitness {
    /// As it should be.
    Ok,
    /// Nobody could find out.
    NotCheckable,
    /// Worth a thought before going on.
    Warn,
    /// The run would surely fail.
    Fail,
}

impl Fitness {
    /// The word that people see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotCheckable => "not checkable",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a line of the list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A cluster: does it answer, and who is it?
    Site,
    /// A store: does it answer?
    Store,
    /// A DNS server: would it make the change?
    Dns,
    /// Somebody who is told what happens: could they be?
    Receiver,
    /// What we may do at a site.
    Rights,
    /// What a restore's target has of what it needs: kinds, classes, room in quotas.
    Target,
    /// Whether pods that come find room on nodes.
    Capacity,
    /// How old the data is.
    Data,
}

impl About {
    /// The word that people see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Store => "store",
            Self::Dns => "dns",
            Self::Receiver => "notify",
            Self::Rights => "rights",
            Self::Target => "target",
            Self::Capacity => "capacity",
            Self::Data => "data",
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What it is about.
    pub about: About,
    /// Which site, store or step; empty: all of the plan.
    pub at: String,
    /// How it stands.
    pub fitness: Fitness,
    /// What was found, as a fragment.
    pub said: String,
    /// What to do; `None` where nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

/// What was asked for the list, besides what the plan knows.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Every site that has a role, and who it says it is.
    pub sites: BTreeMap<String, Result<SiteSeen, WorldError>>,
    /// Every store that the plan or the journal uses.
    pub stores: BTreeMap<String, Result<(), WorldError>>,
    /// Every domain name that the plan changes, by DNS server and name, and whether the server would do it.
    pub names: Vec<(String, String, Result<Rehearsal, WorldError>)>,
    /// Everybody whom the plan tells something, and whether they could be told.
    pub receivers: BTreeMap<String, Result<Rehearsal, WorldError>>,
    /// Sites and stores of which the inventory pins who they are.
    pub pinned: BTreeSet<String>,
    /// Sites in this process's own memory.
    pub embedded: BTreeSet<String>,
    /// What [`rights`] named, and whether we hold it.
    pub rights: Vec<(Permission, Result<bool, WorldError>)>,
    /// Sites at which the run acts as somebody else, and as whom.
    pub deputies: BTreeMap<String, String>,
    /// What comes to each site, and what its nodes have left.
    pub capacity: BTreeMap<String, (Brought, Result<Nodes, WorldError>)>,
}

/// Every right that a plan's steps need, each once.
///
/// A restore needs rights on whatever its backup holds; where that is known, it is asked kind by kind. Kinds whose
/// plural nobody here knows stay `*`.
pub fn rights(plan: &Plan) -> BTreeSet<Permission> {
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    let effects = done.flat_map(|step| step.effects.iter().chain(&step.undo));
    effects
        .flat_map(|effect| match preview(plan, effect) {
            Some(preview) => of_kinds(preview, &effect.meaning().permissions()),
            None => effect.meaning().permissions(),
        })
        .collect()
}

fn preview<'a>(plan: &'a Plan, effect: &Effect) -> Option<&'a RestorePreview> {
    match seen(plan, effect)? {
        Seen::Restore(preview) if preview.backup.is_some() => Some(preview),
        _ => None,
    }
}

fn of_kinds(preview: &RestorePreview, wanted: &[Permission]) -> Vec<Permission> {
    let touched = |fate: Fate| !matches!(fate, Fate::Skip | Fate::Refuse);
    let fates = preview.fates.iter().filter(|one| touched(one.fate));
    let kinds: BTreeSet<(String, Option<String>)> =
        fates.map(|one| (plural(&one.id), one.id.namespace)).collect();
    let split = |right: &Permission| {
        kinds
            .iter()
            .map(|(kind, namespace)| {
                let (group, resource) = kind.split_once(' ').unwrap_or(("*", "*"));
                Permission {
                    group: group.to_owned(),
                    resource: resource.to_owned(),
                    namespace: namespace.clone(),
                    ..right.clone()
                }
            })
            .collect::<Vec<_>>()
    };
    wanted.iter().flat_map(split).collect()
}

/// Group and plural; only of built-in kinds is the plural known here.
fn plural(id: &ObjectId) -> String {
    match builtin(&id.kind).filter(|kind| kind.group == id.group()) {
        Some(kind) => format!("{} {}", kind.group, kind.plural),
        None => format!("{} *", id.group()),
    }
}

/// The whole list, in the order in which it is read.
pub fn preflight(plan: &Plan, asked: &Asked, now: Timestamp) -> Vec<Check> {
    let mut all: Vec<Check> = asked
        .sites
        .iter()
        .map(|(site, answer)| of_site(site, answer, asked))
        .collect();
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    let needed: BTreeSet<&str> = done.flat_map(PlannedStep::stores).collect();
    let stores = asked.stores.iter();
    all.extend(
        stores.map(|(store, answer)| of_store(store, answer, (asked, needed.contains(store.as_str())))),
    );
    all.extend(asked.names.iter().map(of_name));
    all.extend(
        asked
            .receivers
            .iter()
            .map(|(name, answer)| of_receiver(name, answer)),
    );
    all.extend(of_rights(asked));
    all.extend(of_targets(plan));
    all.extend(of_capacity(asked));
    all.extend(of_data(plan, now));
    all
}

pub(super) fn check(about: About, at: &str, fitness: Fitness, said: impl Into<String>) -> Check {
    Check {
        about,
        at: at.to_owned(),
        fitness,
        said: said.into(),
        todo: None,
    }
}

impl Check {
    pub(super) fn todo(mut self, what: impl Into<String>) -> Self {
        self.todo = Some(what.into());
        self
    }
}

fn of_site(site: &str, answer: &Result<SiteSeen, WorldError>, asked: &Asked) -> Check {
    let one = |fitness, said: String| check(About::Site, site, fitness, said);
    match answer {
        Ok(_) if asked.embedded.contains(site) => one(
            Fitness::Ok,
            "embedded in this process: nothing about it is real".to_owned(),
        ),
        Ok(seen) if asked.pinned.contains(site) => one(
            Fitness::Ok,
            format!(
                "Kubernetes {} at {}, identity {} as pinned",
                seen.version,
                seen.server,
                short(&seen.uid)
            ),
        ),
        Ok(seen) => one(
            Fitness::Warn,
            format!(
                "Kubernetes {} at {}, identity {}, which nobody pinned",
                seen.version,
                seen.server,
                short(&seen.uid)
            ),
        )
        .todo(format!("compare, then: lifeboat sites pin {site}")),
        Err(error) => one(
            Fitness::Warn,
            format!("does not answer: {}. That is not the same as down", error.message),
        )
        .todo("find out whether it still serves: it may write while nobody can see it"),
    }
}

/// `0f0c1d…91`, as people compare it.
fn short(uid: &str) -> String {
    const HEAD: usize = 6;
    const TAIL: usize = 2;
    match (
        uid.get(..HEAD),
        uid.len().checked_sub(TAIL).and_then(|at| uid.get(at..)),
    ) {
        (Some(head), Some(tail)) if uid.len() > HEAD + TAIL + 1 => format!("{head}…{tail}"),
        _ => uid.to_owned(),
    }
}

/// A run does without a mirror of its journal, as far as the inventory lets it; without the data it does nothing.
fn of_store(store: &str, answer: &Result<(), WorldError>, (asked, needed): (&Asked, bool)) -> Check {
    let silent = if needed { Fitness::Fail } else { Fitness::Warn };
    match answer {
        Ok(()) if asked.pinned.contains(store) => {
            check(About::Store, store, Fitness::Ok, "answers, as pinned")
        }
        Ok(()) => check(About::Store, store, Fitness::Ok, "answers"),
        Err(error) => check(
            About::Store,
            store,
            silent,
            format!("does not answer: {}", error.message),
        )
        .todo("lifeboat doctor says what it does"),
    }
}

fn of_name((server, name, answer): &(String, String, Result<Rehearsal, WorldError>)) -> Check {
    let one = |fitness, said: String| check(About::Dns, server, fitness, said);
    match answer {
        Ok(Rehearsal::Whole {
            answer: Would::Accept,
            open,
        }) => one(
            Fitness::Ok,
            format!("takes the key, and {name} is as planned; {open}"),
        ),
        Ok(Rehearsal::Whole {
            answer: Would::Refuse(why),
            ..
        }) => one(Fitness::Fail, format!("would not change {name}: {why}"))
            .todo("have it let this key change the name, or plan again"),
        Ok(Rehearsal::Whole {
            answer: Would::Unknown(why),
            ..
        }) => one(Fitness::NotCheckable, why.clone()),
        Ok(Rehearsal::Asked(_) | Rehearsal::Not(_)) => {
            one(Fitness::NotCheckable, format!("{name} was not asked about"))
        }
        Err(error) => {
            let bad = one(Fitness::Fail, error.message.clone());
            error
                .hints
                .iter()
                .take(1)
                .fold(bad, |bad, hint| bad.todo(hint.as_str()))
        }
    }
}

/// Never worse than `warn`: a recovery goes on without telling anybody.
fn of_receiver(name: &str, answer: &Result<Rehearsal, WorldError>) -> Check {
    let one = |fitness, said: &str| check(About::Receiver, name, fitness, said);
    let bad = |why: &str| {
        one(Fitness::Warn, why).todo("mend its address or key, or go on: it would be told nothing")
    };
    match answer {
        Ok(Rehearsal::Whole { answer, open }) => match answer {
            Would::Accept => one(Fitness::Ok, open),
            Would::Refuse(why) => bad(why),
            Would::Unknown(why) => one(Fitness::NotCheckable, why),
        },
        Ok(Rehearsal::Asked(_) | Rehearsal::Not(_)) => one(Fitness::NotCheckable, "it was not asked"),
        Err(error) => bad(&error.message),
    }
}

/// What is needed, and whether it is held.
type Right = (Permission, Result<bool, WorldError>);

fn of_rights(asked: &Asked) -> Vec<Check> {
    let mut sites: BTreeMap<&str, Vec<&Right>> = BTreeMap::new();
    for one in &asked.rights {
        sites.entry(&one.0.site).or_default().push(one);
    }
    let silent = |site: &str| matches!(asked.sites.get(site), Some(Err(_)));
    sites
        .into_iter()
        .map(|(site, all)| match asked.deputies.get(site) {
            _ if silent(site) => check(
                About::Rights,
                site,
                Fitness::NotCheckable,
                format!(
                    "{} needed, and the site does not answer",
                    count(all.len(), "right")
                ),
            ),
            Some(who) => check(
                About::Rights,
                site,
                Fitness::NotCheckable,
                format!("the run acts as {who}, which it becomes when it holds its epoch"),
            )
            .todo("a drill proves it: lifeboat drill <runbook>"),
            None => at_site(site, &all),
        })
        .collect()
}

fn at_site(site: &str, all: &[&(Permission, Result<bool, WorldError>)]) -> Check {
    let refused: Vec<&Permission> = all
        .iter()
        .filter(|(right, held)| *held == Ok(false) && right.resource != "*")
        .map(|(right, _)| right)
        .collect();
    // A `*` that is refused says nothing about the kinds that are really meant.
    let open = all.iter().filter(|(right, held)| match held {
        Ok(held) => !held && right.resource == "*",
        Err(_) => true,
    });
    let (open, error) = (
        open.clone().count(),
        open.clone().find_map(|(_, held)| held.as_ref().err()),
    );
    if !refused.is_empty() {
        let said = format!("{} of {} refused: {}", refused.len(), all.len(), named(&refused));
        return check(About::Rights, site, Fitness::Fail, said).todo(
            "have them granted, then look again; `lifeboat explain <kind>` says what each kind of step needs",
        );
    }
    let granted = format!("{} of {} granted", all.len() - open, all.len());
    match (open, error) {
        (0, _) => check(About::Rights, site, Fitness::Ok, granted),
        (_, Some(error)) => check(
            About::Rights,
            site,
            Fitness::NotCheckable,
            format!("{granted}; the others cannot be asked: {}", error.message),
        ),
        (_, None) => check(
            About::Rights,
            site,
            Fitness::NotCheckable,
            format!("{granted}; for {open} it is known only later which kinds are meant"),
        )
        .todo("a drill proves it: lifeboat drill <runbook>"),
    }
}

/// The first of them; the rest is a number.
fn named(rights: &[&Permission]) -> String {
    const NAMED: usize = 3;
    let one = |right: &&&Permission| {
        let group = match right.group.as_str() {
            "" => String::new(),
            group => format!(".{group}"),
        };
        let place = right
            .namespace
            .as_ref()
            .map_or_else(String::new, |name| format!(" in {name}"));
        format!("{} {}{group}{place}", right.verb, right.resource)
    };
    let first: Vec<String> = rights.iter().take(NAMED).map(|right| one(&right)).collect();
    match rights.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// What each restore's target lacks, as the plan found it.
fn of_targets(plan: &Plan) -> Vec<Check> {
    let done = plan.steps.iter().filter(|step| step.part == Part::Done);
    let restores = done.flat_map(|step| {
        let effects = step
            .effects
            .iter()
            .filter(|effect| matches!(effect, Effect::RestoreObjects(_)));
        effects.map(|effect| (step.name.as_str(), seen(plan, effect)))
    });
    restores.flat_map(|(step, seen)| of_target(step, seen)).collect()
}

fn of_target(step: &str, seen: Option<&Seen>) -> Vec<Check> {
    let unknown = |why: &str| vec![check(About::Target, step, Fitness::NotCheckable, why)];
    match seen {
        Some(Seen::Restore(preview)) if preview.backup.is_none() => {
            unknown("its backup is made by an earlier step of this run")
        }
        Some(Seen::Restore(preview)) if preview.lacks.is_empty() => vec![check(
            About::Target,
            step,
            Fitness::Ok,
            format!(
                "kinds, classes and room in quotas are there for {}",
                count(preview.fates.len(), "object")
            ),
        )],
        Some(Seen::Restore(preview)) => preview
            .lacks
            .iter()
            .map(|lack| {
                let fitness = if lack.refuses {
                    Fitness::Fail
                } else {
                    Fitness::Warn
                };
                check(About::Target, step, fitness, lack.sentence()).todo(lack.hint.clone())
            })
            .collect(),
        Some(Seen::Unanswered(error)) => unknown(&format!("it could not be looked at: {}", error.message)),
        _ => unknown("it was not looked at"),
    }
}

fn of_data(plan: &Plan, now: Timestamp) -> Vec<Check> {
    let one = |(said, outlook): (String, Outlook)| match outlook {
        Outlook::Good | Outlook::NoObjective => Some(check(About::Data, "", Fitness::Ok, said)),
        Outlook::Bad => Some(
            check(
                About::Data,
                "",
                Fitness::Warn,
                format!("older than the objective: {said}"),
            )
            .todo("look for a newer one: lifeboat backups; or accept the loss"),
        ),
        Outlook::Unproved => Some(
            check(About::Data, "", Fitness::Warn, said)
                .todo("lifeboat backup verify reads it back and compares"),
        ),
        Outlook::Unknown => Some(check(About::Data, "", Fitness::NotCheckable, said)),
        Outlook::Nothing => None,
    };
    data_loss(plan, now).into_iter().filter_map(one).collect()
}

/// The worst word of the list.
pub fn worst(checks: &[Check]) -> Fitness {
    checks
        .iter()
        .map(|check| check.fitness)
        .max()
        .unwrap_or(Fitness::Ok)
}

/// The list in lines; what to do stands under what it is for.
pub(super) fn lines(checks: &[Check], columns: usize) -> Vec<String> {
    let widest = |text: fn(&Check) -> String| checks.iter().map(|one| width(&text(one))).max().unwrap_or(0);
    let word = widest(|one| one.fitness.word().to_owned());
    let name = widest(subject).min(18);
    let mut out = Vec::new();
    for one in checks {
        let label = format!(
            "    {}  {}  ",
            pad(one.fitness.word(), word),
            pad(&subject(one), name)
        );
        out.push(hang(&label, &clean(&one.said), columns));
        if let Some(todo) = &one.todo {
            let label = format!("{}to do: ", " ".repeat(8 + word + name));
            out.push(hang(&label, &clean(todo), columns));
        }
    }
    out
}

fn subject(one: &Check) -> String {
    clean(format!("{} {}", one.about.word(), one.at).trim_end())
}

/// The same list alone, with a line break at its end.
pub fn preflight_text(checks: &[Check], columns: usize) -> String {
    super::lines::text(&lines(checks, columns))
}

#[cfg(test)]
mod tests;
