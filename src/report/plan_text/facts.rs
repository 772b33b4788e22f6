//! Under the table of a plan: how long, how much data, what cannot be taken back, which rights.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanView;
use crate::effect::Class;
use crate::plan::{Part, Plan, PlannedStep};
use crate::report::forecast::{Outlook, Path, data_loss};
use crate::report::graph::Shape;
use crate::report::lines::{clean, hang, width};
use crate::report::units::count;

/// `  Critical path  `: the widest label and its margins.
const LABEL: usize = 17;
/// A longer path is shown by its two ends.
const PATH_SHOWN: usize = 8;
/// More names than this say less than their number.
const NAMES_SHOWN: usize = 8;

/// All facts, each on one or more lines.
pub(super) fn facts(plan: &Plan, shape: &Shape, view: &PlanView<'_>, columns: usize) -> Vec<String> {
    let path = Path::of(plan, shape, view.estimates);
    let (expected, outlook) = path.outlook(plan.objectives.rto_ms);
    let mut out = vec![
        fact("Critical path", &route(plan, &path), Outlook::Nothing, columns),
        fact("", &expected, outlook, columns),
    ];
    for (at, (text, outlook)) in data_loss(plan, view.now).into_iter().enumerate() {
        let label = if at == 0 { "Data loss" } else { "" };
        out.push(fact(label, &clean(&text), outlook, columns));
    }
    out.push(fact("Destructive", &destructive(plan), Outlook::Nothing, columns));
    out.push(fact("Undo", &undo(plan), Outlook::Nothing, columns));
    let unasked = if view.preflight.is_empty() {
        permissions(plan)
    } else {
        Vec::new()
    };
    for (at, text) in unasked.iter().enumerate() {
        let label = if at == 0 { "Permissions" } else { "" };
        out.push(fact(label, text, Outlook::Nothing, columns));
    }
    for (at, (site, word)) in view.fences.iter().enumerate() {
        let label = if at == 0 { "Fence" } else { "" };
        let text = format!("{}: {}", clean(site), clean(word));
        out.push(fact(label, &text, Outlook::Nothing, columns));
    }
    out
}

/// One fact, its verdict at the right edge of its last line.
fn fact(label: &str, text: &str, outlook: Outlook, columns: usize) -> String {
    let word = outlook.word();
    let label = format!("  {label:<width$}", width = LABEL - 2);
    if word.is_empty() {
        return hang(&label, text, columns);
    }
    let body = hang(&label, text, columns - width(word) - 2);
    let last = body.lines().last().map_or(0, width);
    format!("{body}{}{word}", " ".repeat(columns - last - width(word)))
}

fn route(plan: &Plan, path: &Path) -> String {
    let names: Vec<_> = path.steps.iter().map(|at| clean(&plan.steps[*at].name)).collect();
    if names.is_empty() {
        return "no step is done".to_owned();
    }
    if names.len() <= PATH_SHOWN {
        return names.join(" → ");
    }
    let half = PATH_SHOWN / 2;
    let (head, tail) = (&names[..half], &names[names.len() - half..]);
    let between = format!("… {} more …", names.len() - PATH_SHOWN);
    format!("{} → {between} → {}", head.join(" → "), tail.join(" → "))
}

fn destructive(plan: &Plan) -> String {
    let effects = done(plan).flat_map(|step| &step.effects);
    match effects.filter(|effect| effect.meaning().destructive()).count() {
        0 => "nothing".to_owned(),
        n => format!("{n} (marked !)"),
    }
}

fn done(plan: &Plan) -> impl Iterator<Item = &PlannedStep> {
    plan.steps.iter().filter(|step| step.part == Part::Done)
}

/// Which steps that change something can be undone.
fn undo(plan: &Plan) -> String {
    let changes = |step: &&PlannedStep| {
        step.effects
            .iter()
            .any(|effect| changes(effect.meaning().class(), effect))
    };
    let (can, cannot): (Vec<_>, Vec<_>) = done(plan).filter(changes).partition(|step| !step.undo.is_empty());
    if plan.sandbox.is_some() {
        return "the drill's namespaces are removed at the end, with all that is in them".to_owned();
    }
    match (can.is_empty(), cannot.is_empty()) {
        (true, true) => "nothing is changed".to_owned(),
        (false, true) => format!("yes for {}", names(&can)),
        (true, false) => format!("no for {}", names(&cannot)),
        (false, false) => format!("yes for {}; no for {}", names(&can), names(&cannot)),
    }
}

/// A question is guarded, not repeatable, and still changes nothing.
const fn changes(class: Class, effect: &crate::effect::Effect) -> bool {
    !matches!(class, Class::Read) && !matches!(effect, crate::effect::Effect::Ask(_))
}

fn names(steps: &[&PlannedStep]) -> String {
    let shown: Vec<_> = steps
        .iter()
        .take(NAMES_SHOWN)
        .map(|step| clean(&step.name))
        .collect();
    match steps.len().saturating_sub(NAMES_SHOWN) {
        0 => shown.join(", "),
        more => format!("{}, … {more} more", shown.join(", ")),
    }
}

/// Group, plural and namespace: one rule of a Role, whatever its verbs.
type Rules = BTreeSet<(String, String, Option<String>)>;

/// How many rules each site must grant. Whether it does is not in the plan.
fn permissions(plan: &Plan) -> Vec<String> {
    let mut sites: BTreeMap<String, Rules> = BTreeMap::new();
    let effects = done(plan).flat_map(|step| step.effects.iter().chain(&step.undo));
    for right in effects.flat_map(|effect| effect.meaning().permissions()) {
        let rule = (right.group, right.resource, right.namespace);
        sites.entry(right.site).or_default().insert(rule);
    }
    if sites.is_empty() {
        return vec!["none".to_owned()];
    }
    let line = |(site, rules): (&String, &Rules)| {
        let wide = rules.iter().any(|(_, resource, _)| resource == "*");
        let wide = if wide {
            ", one of which covers every kind"
        } else {
            ""
        };
        let answered = plan.sites.contains_key(site);
        let silent = if answered {
            ""
        } else {
            "; this site did not answer"
        };
        format!(
            "{}: needs {}{wide}; not checked here{silent}",
            clean(site),
            count(rules.len(), "rule")
        )
    };
    sites.iter().map(line).collect()
}
