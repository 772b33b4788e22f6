//! What has changed between the plan that was shown and now, in one line each.

use std::collections::BTreeSet;

use super::units::count;
use crate::effect::{Fate, FateOf, NameSeen, Query, RestorePreview, Seen, WorkloadSeen};
use crate::plan::Change;
use crate::text::Millis;

/// One change: where, what, and from what to what.
pub fn change_line(change: &Change) -> String {
    let (place, what) = subject(&change.query);
    format!("{place}  {what}: {}", difference(&change.then, &change.now))
}

fn subject(query: &Query) -> (&str, String) {
    match query {
        Query::Site { site } => (site, "cluster".to_owned()),
        Query::Store { store } => (store, "store".to_owned()),
        Query::Object { site, id } => (site, id.to_string()),
        Query::Namespaces { site, names } => (site, format!("namespaces {}", names.join(", "))),
        Query::Workloads {
            site,
            namespace,
            kind,
            name,
            ..
        } => {
            let name = name.as_deref().unwrap_or("by label");
            (site, format!("{kind} {namespace}/{name}"))
        }
        Query::Backup { store, .. } => (store, "backup".to_owned()),
        Query::Inventory { site, selection } | Query::Chosen { site, selection } => {
            (site, format!("objects in {}", selection.namespaces.join(", ")))
        }
        Query::Restore(effect) => (&effect.site, format!("restore of {}", effect.backup)),
        Query::Name { server, name } => (server, name.to_string()),
        Query::Capacity { site, .. } => (site, "nodes".to_owned()),
        Query::Manifests { path } => ("", path.display().to_string()),
        Query::Prefix { store, prefix } => (store, format!("objects under `{prefix}`")),
    }
}

fn difference(then: &Seen, now: &Seen) -> String {
    match (then, now) {
        (_, Seen::Unanswered(error)) => format!("does not answer now: {}", error.message),
        (Seen::Unanswered(_), _) => "did not answer then, and does now".to_owned(),
        (Seen::Site(then), Seen::Site(now)) if then.uid != now.uid => {
            format!("another cluster: identity {} → {}", then.uid, now.uid)
        }
        (Seen::Site(then), Seen::Site(now)) => format!(
            "{} at {} → {} at {}",
            then.version, then.server, now.version, now.server
        ),
        (Seen::Namespaces(then), Seen::Namespaces(now)) => {
            format!("there were [{}], there are [{}]", then.join(", "), now.join(", "))
        }
        (Seen::Workloads(then), Seen::Workloads(now)) => format!("{} → {}", sizes(then), sizes(now)),
        (Seen::Name(Some(then)), Seen::Name(Some(now))) => format!(
            "{}, kept for {} → {}, kept for {}",
            then.records,
            kept(then),
            now.records,
            kept(now)
        ),
        (Seen::Counts(then), Seen::Counts(now)) => format!("{} → {}", then.count, now.count),
        (Seen::Restore(then), Seen::Restore(now)) => restore(then, now),
        (Seen::Object(None), Seen::Object(Some(_))) => "was not there, and is now".to_owned(),
        (Seen::Object(Some(_)), Seen::Object(None)) => "was there, and is gone".to_owned(),
        _ => "is not what it was".to_owned(),
    }
}

/// How long caches may keep an answer.
fn kept(name: &NameSeen) -> String {
    let seconds = name.records.ttl_s().unwrap_or(name.absent_s);
    Millis::of_seconds(seconds).to_string()
}

fn sizes(workloads: &[WorkloadSeen]) -> String {
    let each: Vec<_> = workloads
        .iter()
        .map(|one| format!("{} {}", one.id, one.replicas))
        .collect();
    if each.is_empty() {
        "none".to_owned()
    } else {
        each.join(", ")
    }
}

/// Names the first object whose fate is another one; counts alone may hide a change.
fn restore(then: &RestorePreview, now: &RestorePreview) -> String {
    let name = |preview: &RestorePreview| {
        preview
            .backup
            .as_ref()
            .map_or_else(|| "none".to_owned(), |one| one.name.clone())
    };
    if name(then) != name(now) {
        return format!("backup {} → {}", name(then), name(now));
    }
    let before: BTreeSet<FateOf> = then.fates.iter().collect();
    let changed: Vec<_> = now.fates.iter().filter(|one| !before.contains(one)).collect();
    match changed.as_slice() {
        [] if then.said != now.said => now.said.join("; "),
        [] if then.shown != now.shown => {
            "objects that would be deleted are others of the same name".to_owned()
        }
        [] if then.backup != now.backup => "the backup itself is not what it was".to_owned(),
        [] => format!(
            "{} fewer",
            count(then.fates.len().saturating_sub(now.fates.len()), "object")
        ),
        [first, rest @ ..] => {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(", and {} more", rest.len())
            };
            format!("{} would be {}{more}", first.id, word(first.fate))
        }
    }
}

const fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Create => "created",
        Fate::Update => "updated",
        Fate::Keep => "kept",
        Fate::Skip => "skipped",
        Fate::Refuse => "refused",
        Fate::Replace => "replaced",
        Fate::Prune => "pruned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Records;

    fn name(address: &str, ttl_s: u32) -> Seen {
        Seen::Name(Some(NameSeen {
            zone: "acme.example".parse().unwrap(),
            records: Records::addresses(&[address.parse().unwrap()], ttl_s),
            absent_s: 900,
        }))
    }

    #[test]
    fn a_name_that_leads_elsewhere_now_is_said_with_both_places() {
        let change = Change {
            query: Query::Name {
                server: "corp".into(),
                name: "shop.acme.example".parse().unwrap(),
            },
            then: name("192.0.2.10", 300),
            now: name("203.0.113.9", 60),
        };
        assert_eq!(
            change_line(&change),
            "corp  shop.acme.example: A 192.0.2.10, kept for 5m → A 203.0.113.9, kept for 1m"
        );
    }
}
