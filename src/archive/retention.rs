//! Which backups are kept and which may go. Pure: backups, rules and the time come in, decisions go out.
//!
//! ## Why
//!
//! - Each recovery unit (one cluster's same namespaces) is decided by itself: a backup of one service must
//!   not push out that of another.
//! - Only verified backups are decided about. One that nobody has read back must not take the place of
//!   one that is known to be whole, nor be thrown away before anybody has looked.
//! - A rule counts periods that have a backup, not calendar time: after a month without backups "7 daily"
//!   still means the newest seven days of which there is one. So nothing is lost by standing still, and
//!   pruning twice is pruning once.
//! - Days and weeks are UTC's, as names of backups are: wherever it is asked, the answer is the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// What a backup recovers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unit {
    /// The cluster's identity.
    pub uid: String,
    /// Its namespaces, sorted.
    pub namespaces: Vec<String>,
    /// By which words only a part of them; empty: the whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<String>,
}

/// One verified backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its name.
    pub name: String,
    /// What it recovers.
    pub unit: Unit,
    /// The moment whose state it holds.
    pub consistent_at: Timestamp,
}

/// How many of what are kept. A backup that any rule keeps is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The newest so many.
    pub last: u32,
    /// The newest of each of so many days.
    pub daily: u32,
    /// The newest of each of so many ISO weeks.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
    /// The newest of each of so many years.
    pub yearly: u32,
    /// Everything that is not older than this, in milliseconds.
    pub within_ms: Option<u64>,
}

/// What becomes of one backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Its name.
    pub name: String,
    /// What it recovers.
    pub unit: Unit,
    /// The moment whose state it holds.
    pub consistent_at: Timestamp,
    /// What keeps it, in words: `daily 2026-11-23`. Empty: it may go.
    pub kept_by: Vec<String>,
}

impl Rules {
    /// No rule at all: then all but the newest would go, which nobody can have meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Decides about all, unit by unit, in each the newest first.
pub fn decide(backups: &[Aged], rules: &Rules, now: Timestamp) -> Vec<Decision> {
    let mut units: BTreeMap<&Unit, Vec<&Aged>> = BTreeMap::new();
    for backup in backups {
        units.entry(&backup.unit).or_default().push(backup);
    }
    let mut decisions = Vec::with_capacity(backups.len());
    for mut unit in units.into_values() {
        unit.sort_by(|a, b| (b.consistent_at, &b.name).cmp(&(a.consistent_at, &a.name)));
        decisions.extend(decide_unit(&unit, rules, now));
    }
    decisions
}

/// `newest_first`: backups of one unit.
fn decide_unit(newest_first: &[&Aged], rules: &Rules, now: Timestamp) -> Vec<Decision> {
    let mut kept_by: Vec<Vec<String>> = vec![Vec::new(); newest_first.len()];
    for (at, (backup, kept_by)) in newest_first.iter().zip(&mut kept_by).enumerate() {
        if at == 0 {
            kept_by.push("newest".to_owned());
        }
        if at < size(rules.last) {
            kept_by.push(format!("last {} of {}", at + 1, rules.last));
        }
        if rules
            .within_ms
            .is_some_and(|within| is_within(backup.consistent_at, within, now))
        {
            kept_by.push("within".to_owned());
        }
    }
    for (count, word, period) in periods(rules) {
        let mut last = None;
        let mut used = 0;
        for (backup, kept_by) in newest_first.iter().zip(&mut kept_by) {
            let here = Some(period(backup.consistent_at));
            if here == last {
                continue;
            }
            if used == size(count) {
                break;
            }
            used += 1;
            kept_by.push(format!("{word} {}", here.as_deref().unwrap_or_default()));
            last = here;
        }
    }
    newest_first
        .iter()
        .zip(kept_by)
        .map(|(backup, kept_by)| Decision {
            name: backup.name.clone(),
            unit: backup.unit.clone(),
            consistent_at: backup.consistent_at,
            kept_by,
        })
        .collect()
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// One of the future counts: a clock was wrong, and that is no reason to delete anything.
fn is_within(at: Timestamp, within_ms: u64, now: Timestamp) -> bool {
    u64::try_from(now.duration_since(at).as_millis()).map_or(true, |age_ms| age_ms <= within_ms)
}

/// How many, the rule's word, and which period a moment is in.
type Period = (u32, &'static str, fn(Timestamp) -> String);

fn periods(rules: &Rules) -> [Period; 4] {
    [
        (rules.daily, "daily", |at| written(at, "%Y-%m-%d")),
        (rules.weekly, "weekly", |at| written(at, "%G-W%V")),
        (rules.monthly, "monthly", |at| written(at, "%Y-%m")),
        (rules.yearly, "yearly", |at| written(at, "%Y")),
    ]
}

fn written(at: Timestamp, form: &str) -> String {
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn unit(name: &str) -> Unit {
        Unit {
            uid: "u".into(),
            namespaces: vec![name.into()],
            narrowed: Vec::new(),
        }
    }

    fn at(name: &str, unit_name: &str, time: &str) -> Aged {
        Aged {
            name: name.into(),
            unit: unit(unit_name),
            consistent_at: time.parse().unwrap(),
        }
    }

    fn drawn(decisions: &[Decision]) -> String {
        let line = |one: &Decision| {
            let why = match one.kept_by.as_slice() {
                [] => "goes".to_owned(),
                rules => rules.join(", "),
            };
            format!("{} {}: {why}", one.unit.namespaces[0], one.name)
        };
        decisions.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    const NOW: &str = "2026-11-23T12:00:00Z";

    #[test]
    fn each_rule_keeps_the_newest_of_its_periods_and_says_so() {
        let backups = [
            at("g", "shop", "2026-11-23T11:00:00Z"),
            at("f", "shop", "2026-11-23T01:00:00Z"),
            at("e", "shop", "2026-11-22T23:59:59Z"),
            at("d", "shop", "2026-11-10T00:00:00Z"),
            at("c", "shop", "2026-10-31T00:00:00Z"),
            at("b", "shop", "2025-12-29T00:00:00Z"),
            at("a", "shop", "2024-01-01T00:00:00Z"),
            at("z", "bank", "2020-01-01T00:00:00Z"),
        ];
        let rules = Rules {
            last: 1,
            daily: 2,
            weekly: 2,
            monthly: 2,
            yearly: 2,
            within_ms: None,
        };
        insta::assert_snapshot!(drawn(&decide(&backups, &rules, NOW.parse().unwrap())), @"
        bank z: newest, last 1 of 1, daily 2020-01-01, weekly 2020-W01, monthly 2020-01, yearly 2020
        shop g: newest, last 1 of 1, daily 2026-11-23, weekly 2026-W48, monthly 2026-11, yearly 2026
        shop f: goes
        shop e: daily 2026-11-22, weekly 2026-W47
        shop d: goes
        shop c: monthly 2026-10
        shop b: yearly 2025
        shop a: goes
        ");
    }

    #[test]
    fn weeks_are_isos_and_a_future_backup_is_never_too_old() {
        let backups = [
            at("c", "shop", "2027-01-03T00:00:00Z"),
            at("b", "shop", "2026-12-28T00:00:00Z"),
            at("a", "shop", "2026-12-27T00:00:00Z"),
        ];
        let weekly = Rules {
            weekly: 5,
            ..Rules::default()
        };
        insta::assert_snapshot!(drawn(&decide(&backups, &weekly, NOW.parse().unwrap())), @"
        shop c: newest, weekly 2026-W53
        shop b: goes
        shop a: weekly 2026-W52
        ");
        let within = Rules {
            within_ms: Some(1),
            ..Rules::default()
        };
        assert!(
            decide(&backups, &within, NOW.parse().unwrap())
                .iter()
                .all(|one| !one.kept_by.is_empty())
        );
    }

    fn backups() -> impl Strategy<Value = Vec<Aged>> {
        let one = (0_i64..4_000, 0_u8..3);
        prop::collection::vec(one, 0..60).prop_map(|all| {
            let aged = |(at, (hours, unit_name)): (usize, (i64, u8))| Aged {
                name: format!("b-{at}"),
                unit: unit(&unit_name.to_string()),
                // Six hours apart at least, over almost three years.
                consistent_at: Timestamp::from_second(1_700_000_000 + hours * 6 * 3600).unwrap(),
            };
            all.into_iter().enumerate().map(aged).collect()
        })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let within = prop::option::of(0_u64..100_000_000_000);
        (0_u32..5, 0_u32..9, 0_u32..6, 0_u32..14, 0_u32..4, within).prop_map(
            |(last, daily, weekly, monthly, yearly, within_ms)| Rules {
                last,
                daily,
                weekly,
                monthly,
                yearly,
                within_ms,
            },
        )
    }

    fn kept(backups: &[Aged], rules: &Rules) -> BTreeSet<String> {
        let now = Timestamp::from_second(1_786_000_000).unwrap();
        let kept = |one: Decision| (!one.kept_by.is_empty()).then_some(one.name);
        decide(backups, rules, now).into_iter().filter_map(kept).collect()
    }

    proptest! {
        #[test]
        fn keeping_more_never_deletes_more(backups in backups(), rules in rules(), more in rules()) {
            let more = Rules {
                last: rules.last + more.last,
                daily: rules.daily + more.daily,
                weekly: rules.weekly + more.weekly,
                monthly: rules.monthly + more.monthly,
                yearly: rules.yearly + more.yearly,
                within_ms: match (rules.within_ms, more.within_ms) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                },
            };
            prop_assert!(kept(&backups, &rules).is_subset(&kept(&backups, &more)));
        }

        #[test]
        fn the_newest_of_every_unit_is_kept(backups in backups(), rules in rules()) {
            let kept = kept(&backups, &rules);
            for backup in &backups {
                let newest = backups.iter().filter(|one| one.unit == backup.unit)
                    .max_by_key(|one| (one.consistent_at, &one.name)).unwrap();
                prop_assert!(kept.contains(&newest.name));
            }
        }

        #[test]
        fn pruning_twice_is_pruning_once(backups in backups(), rules in rules()) {
            let once = kept(&backups, &rules);
            let left: Vec<Aged> = backups.into_iter().filter(|one| once.contains(&one.name)).collect();
            prop_assert_eq!(kept(&left, &rules), once);
        }

        #[test]
        fn a_single_rule_keeps_no_more_than_it_says(backups in backups(), daily in 1_u32..9) {
            let rules = Rules { daily, ..Rules::default() };
            let kept = kept(&backups, &rules);
            for name in ["0", "1", "2"] {
                let of_unit = backups.iter().filter(|one| one.unit == unit(name) && kept.contains(&one.name));
                prop_assert!(of_unit.count() <= size(daily));
            }
        }
    }
}
