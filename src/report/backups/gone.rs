//! Backups that go: the card before, the outcome after, and the table of `lifeboat backup prune`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::list::{about, state};
use super::{old, scope};
use crate::archive::retention::{Decision, Unit};
use crate::report::lines::{clean, ends, hang, pad, text, width};
use crate::report::table::table;
use crate::report::units::{bytes, count};
use crate::world::Gone;
use crate::world::library::Card;

/// One backup in two lines, without a line break at its end.
pub fn backup_line(card: &Card, now: Timestamp, columns: usize) -> String {
    let age = card.consistent_at.map_or_else(
        || "age not known".to_owned(),
        |at| format!("{} old", old(at, now)),
    );
    let head = format!(
        "Backup {}: {age}, {}, {}",
        clean(&card.name),
        bytes(card.bytes),
        state(&card.state, now)
    );
    format!(
        "{}\n{}",
        hang("", &head, columns),
        hang("  ", &about(card), columns)
    )
}

/// What became of a backup that was to go, with a line break at its end.
pub fn backup_gone(store: &str, gone: &Gone, columns: usize) -> String {
    let name = clean(&gone.name);
    let store = clean(store);
    let head = if gone.untouched {
        format!("{name} was NOT deleted: store {store} refused, and it counts as before.")
    } else if gone.remains.is_empty() {
        let objects = usize::try_from(gone.deleted).unwrap_or(usize::MAX);
        format!("{name} is deleted from {store}: {}.", count(objects, "object"))
    } else {
        format!("{name} counts no longer, and some of it is still in {store}:")
    };
    let mut out = vec![hang("", &head, columns)];
    for one in &gone.remains {
        out.push(hang("  ", &clean(&format!("{}: {}", one.key, one.why)), columns));
    }
    out.extend(older(gone, &store).map(|line| hang("  ", &line, columns)));
    text(&out)
}

/// What is still there, where the store keeps versions.
fn older(gone: &Gone, store: &str) -> Option<String> {
    if let Some(why) = &gone.older.unknown {
        let why = clean(why);
        return Some(format!(
            "Whether the store keeps older versions of it is not known: {why}"
        ));
    }
    if gone.older.versions == 0 {
        return None;
    }
    let versions = usize::try_from(gone.older.versions).unwrap_or(usize::MAX);
    Some(format!(
        "The bucket keeps versions: {} of it ({}) are still there, and are paid for until a rule of the bucket ends them. To bring it back until then: lifeboat backup recover {} --store {store}",
        count(versions, "object"),
        bytes(gone.older.bytes),
        clean(&gone.name)
    ))
}

/// A backup that is there again, with a line break at its end.
pub fn backup_recovered(store: &str, name: &str, objects: u64, columns: usize) -> String {
    let (name, store) = (clean(name), clean(store));
    let objects = count(usize::try_from(objects).unwrap_or(usize::MAX), "object");
    let line = format!(
        "{name} is back in {store}: {objects}. It is not verified; next: lifeboat backup verify {name} --store {store}"
    );
    text(&[hang("", &line, columns)])
}

/// What rules decided about the backups of a store.
#[derive(Clone, Copy, Debug)]
pub struct Pruning<'a> {
    /// The store.
    pub store: &'a str,
    /// Unit by unit, the newest first.
    pub decisions: &'a [Decision],
    /// Name → why rules do not decide about it.
    pub left: &'a BTreeMap<String, String>,
    /// Whether it is done, and not only shown.
    pub performs: bool,
}

/// The table, with a line break at its end.
pub fn backup_prune(pruning: &Pruning<'_>, cards: &[Card], now: Timestamp, columns: usize) -> String {
    let size = |name: &str| {
        cards
            .iter()
            .find(|card| card.name == name)
            .map_or(0, |card| card.bytes)
    };
    let (mut rows, mut reasons) = (Vec::new(), Vec::new());
    for one in pruning.decisions {
        let (word, why) = match one.kept_by.as_slice() {
            [] => ("delete", "no rule keeps it".to_owned()),
            rules => ("keep", rules.join(", ")),
        };
        rows.push(vec![
            word.to_owned(),
            clean(&one.name),
            old(one.consistent_at, now),
        ]);
        reasons.push(why);
    }
    for (name, why) in pruning.left {
        rows.push(vec!["left".to_owned(), clean(name)]);
        reasons.push(clean(why));
    }
    let lines = table(&rows);
    let wide = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let mut out = vec![ends("Prune", &format!("store {}", clean(pruning.store)), columns)];
    let mut unit: Option<&Unit> = None;
    for (at, (line, why)) in lines.iter().zip(&reasons).enumerate() {
        let here = pruning.decisions.get(at).map(|one| &one.unit);
        if at == 0 || here != unit {
            out.push(here.map_or_else(
                || "  not decided by rules".to_owned(),
                |unit| heading(unit, cards),
            ));
            unit = here;
        }
        out.push(hang(&format!("    {}  ", pad(line, wide)), why, columns));
    }
    let going: Vec<&Decision> = pruning
        .decisions
        .iter()
        .filter(|one| one.kept_by.is_empty())
        .collect();
    let freed: u64 = going.iter().map(|one| size(&one.name)).sum();
    out.push(format!(
        "{} kept, {} to delete ({}), {} left.",
        pruning.decisions.len() - going.len(),
        going.len(),
        bytes(freed),
        pruning.left.len()
    ));
    if !pruning.performs {
        out.push("Nothing was deleted. To do it: the same command with --yes".to_owned());
    }
    text(&out)
}

/// `shop of east`.
fn heading(unit: &Unit, cards: &[Card]) -> String {
    let site = cards
        .iter()
        .filter_map(|card| card.origin.as_ref())
        .find(|origin| origin.uid == unit.uid)
        .map_or_else(|| unit.uid.clone(), |origin| origin.site.clone());
    clean(&format!(
        "  {} of {site}",
        scope(&unit.namespaces, &unit.narrowed)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backup_has_its_reason_and_no_line_is_too_long() {
        let unit = Unit {
            uid: "u".into(),
            namespaces: vec!["shop".into()],
            narrowed: Vec::new(),
        };
        let one = |name: &str, at: &str, kept_by: &[&str]| Decision {
            name: name.into(),
            unit: unit.clone(),
            consistent_at: at.parse().unwrap(),
            kept_by: kept_by.iter().map(|&rule| rule.to_owned()).collect(),
        };
        let rules = [
            "newest",
            "last 1 of 1",
            "daily 2026-11-22",
            "weekly 2026-W47",
            "monthly 2026-11",
        ];
        let decisions = [
            one("shop-2026-11-22t220000z", "2026-11-22T22:00:00Z", &rules),
            one("shop-2026-11-22t210000z", "2026-11-22T21:00:00Z", &[]),
        ];
        let left = BTreeMap::from([("nightly".to_owned(), "Velero's: its TTL decides".to_owned())]);
        let pruning = Pruning {
            store: "vault",
            decisions: &decisions,
            left: &left,
            performs: false,
        };
        let now = "2026-11-23T01:51:00Z".parse().unwrap();
        let drawn = backup_prune(&pruning, &[], now, 80);
        assert!(drawn.lines().all(|line| width(line) <= 80), "{drawn}");
        insta::assert_snapshot!(drawn, @"
        Prune                                                                store vault
          shop of u
            keep    shop-2026-11-22t220000z  3 h 51 m  newest, last 1 of 1, daily
                                                       2026-11-22, weekly 2026-W47,
                                                       monthly 2026-11
            delete  shop-2026-11-22t210000z  4 h 51 m  no rule keeps it
          not decided by rules
            left    nightly                            Velero's: its TTL decides
        1 kept, 1 to delete (0 B), 1 left.
        Nothing was deleted. To do it: the same command with --yes
        ");
    }
}
