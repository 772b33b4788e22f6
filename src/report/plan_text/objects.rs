//! Every object of a plan's restores with its fate and why, by kind: for whoever wants to see all of them.

use std::collections::BTreeMap;

use crate::effect::{Effect, FateOf, Fates, Seen};
use crate::plan::{Part, Plan};
use crate::report::forecast::seen;
use crate::report::lines::{clean, hang, pad, text};
use crate::report::units::count;

use super::PlanView;

/// `conflict`: the longest word of a fate.
const WORD: usize = 8;

/// The listing, with a line break at its end.
pub fn plan_objects(plan: &Plan, columns: usize) -> String {
    let columns = columns.max(PlanView::NARROWEST);
    let mut out = Vec::new();
    for step in plan.steps.iter().filter(|step| step.part == Part::Done) {
        for effect in &step.effects {
            let (Effect::RestoreObjects(restore), Some(Seen::Restore(preview))) =
                (effect, seen(plan, effect))
            else {
                continue;
            };
            let head = match &preview.backup {
                None => "not known until the backup is made".to_owned(),
                Some(_) => format!("{} of {}", count(preview.fates.len(), "object"), restore.backup),
            };
            let head = format!("{} on {}: {head}", step.name, restore.site);
            out.push(hang("Objects of ", &clean(&head), columns));
            out.push(String::new());
            for (kind, mut fates) in by_kind(&preview.fates) {
                out.push(format!("  {}", clean(&kind)));
                fates.sort_by(|a, b| (&a.id.namespace, &a.id.name).cmp(&(&b.id.namespace, &b.id.name)));
                out.extend(fates.iter().map(|one| line(one, columns)));
            }
        }
    }
    if out.is_empty() {
        out.push("No step of this plan restores objects.".to_owned());
    }
    text(&out)
}

/// `Deployment.apps`, so that kinds of the same name in two groups are told apart.
fn by_kind(fates: &Fates) -> BTreeMap<String, Vec<FateOf>> {
    let mut kinds: BTreeMap<String, Vec<FateOf>> = BTreeMap::new();
    for one in fates.iter() {
        let name = match one.id.group() {
            "" => one.id.kind.clone(),
            group => format!("{}.{group}", one.id.kind),
        };
        kinds.entry(name).or_default().push(one);
    }
    kinds
}

fn line(one: &FateOf, columns: usize) -> String {
    let name = match &one.id.namespace {
        Some(namespace) => format!("{namespace}/{}", one.id.name),
        None => one.id.name.clone(),
    };
    let reason = one.reason();
    // What the word says already is not said again.
    let why = reason.strip_prefix(one.word()).unwrap_or(&reason);
    let text = match why.trim_start_matches("; ") {
        "" => name,
        why => format!("{name}: {why}"),
    };
    hang(
        &format!("    {}  ", pad(one.word(), WORD)),
        &clean(&text),
        columns,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Fate;
    use crate::objects::ObjectId;
    use crate::report::sample;

    #[test]
    fn every_object_is_named_with_its_word_and_reason() {
        let mut plan = sample::failover();
        for sighting in &mut plan.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                std::sync::Arc::make_mut(preview).fates = [
                    (Fate::Keep, "Service", "v1", "equal", vec![]),
                    (Fate::Keep, "ConfigMap", "v1", "differs at data.a, and is left as it is", vec![]),
                    (Fate::Create, "ConfigMap", "v1", "", vec![]),
                    (Fate::Update, "Deployment", "apps/v1", "differs at spec.replicas", vec!["helm (spec.replicas)"]),
                    (Fate::Keep, "Secret", "v1", "equal; owner Deployment web is neither there nor restored: the reference is left out", vec![]),
                ]
                .into_iter()
                .enumerate()
                .map(|(at, (fate, kind, version, why, from))| FateOf {
                    fate,
                    id: ObjectId {
                        api_version: version.into(),
                        kind: kind.into(),
                        namespace: Some("shop".into()),
                        name: format!("o{at}"),
                    },
                    why: why.into(),
                    takes_from: from.into_iter().map(str::to_owned).collect(),
                })
                .collect();
            }
        }
        insta::assert_snapshot!(plan_objects(&plan, 80), @r"
        Objects of restore on west: 5 objects of shop-2026-11-22T2300

          ConfigMap
            keep      shop/o1: differs at data.a, and is left as it is
            create    shop/o2
          Deployment.apps
            conflict  shop/o3: differs at spec.replicas; takes from helm (spec.replicas)
          Secret
            equal     shop/o4: owner Deployment web is neither there nor restored: the
                      reference is left out
          Service
            equal     shop/o0
        ");
    }
}
