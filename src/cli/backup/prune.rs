//! `lifeboat backup prune`: old backups go, by rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::delete::take_away;
use crate::archive::retention::{Aged, Decision, Rules, Unit, decide};
use crate::cli::{CommandError, Exit, Settings, context, now, output, world};
use crate::report::{self, Pruning};
use crate::runbook::Sites;
use crate::text::Period;
use crate::world::library::{Card, Library, State, Verdict, Writer};
use crate::world::{Gone, Keeper};

/// Delete old backups by rules; without --yes it only shows which, and why each of the others is kept
///
/// Backups are decided about by recovery unit: one cluster's same namespaces, and the same part of them.
/// The newest verified one of each unit is always kept, and is read to its end before any other of its unit
/// goes. What the store says is locked is kept and not tried, whatever the rules say. Not touched are Velero's
/// (their TTL decides) and whatever is not verified. Days and ISO weeks are UTC's. Exit code 3 if something
/// that should go did not.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The store [default: the only one of the inventory]
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Keep the newest N
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: u32,
    /// Keep the newest of each of N days that have one
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: u32,
    /// Keep the newest of each of N weeks
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_weekly: u32,
    /// Keep the newest of each of N months
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: u32,
    /// Keep the newest of each of N years
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_yearly: u32,
    /// Keep everything that is not older, such as 90d
    #[arg(long, value_name = "TIME")]
    within: Option<Period>,
    /// Only backups of exactly these namespaces
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Delete what may go
    #[arg(long)]
    yes: bool,
    /// Why; it is kept in the store
    #[arg(long, value_name = "WHY", default_value = "retention")]
    reason: String,
    /// The decisions as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn rules(&self) -> Result<Rules, CommandError> {
        let rules = Rules {
            last: self.keep_last,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within_ms: self.within.map(|within| within.0),
        };
        if rules.is_empty() {
            return Err(CommandError::input("no rule says what to keep").hint(
                "say it: --keep-last, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly, --within",
            ));
        }
        Ok(rules)
    }
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let rules = arguments.rules()?;
    let (sites, _) = context::inventory(settings)?;
    crate::cli::block_on(prune(arguments, &rules, &sites, settings))
}

async fn prune(
    arguments: &Arguments,
    rules: &Rules,
    sites: &Sites,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let library = world::library(sites, None).await?;
    let store = super::store(&library, "--store", arguments.store.as_deref())?;
    let cards = library.list(store).await?;
    let (aged, left) = sort_out(&cards, &arguments.namespaces);
    let mut decisions = decide(&aged, rules, now());
    keep_locked(&mut decisions, &cards);
    if !arguments.json {
        let pruning = Pruning {
            store,
            decisions: &decisions,
            left: &left,
            performs: arguments.yes,
        };
        let page = report::backup_prune(&pruning, &cards, now(), settings.columns());
        output::text(&page);
    }
    let (mut gone, mut spared) = (Vec::new(), Vec::new());
    if arguments.yes {
        let keeper = world::keeper(sites).await?;
        (gone, spared) = delete_all(&library, &keeper, store, &decisions, &arguments.reason).await?;
    }
    if arguments.json {
        output::json(&json!({
            "store": store, "decisions": decisions, "left": left, "deleted": gone, "spared": spared,
        }))?;
    } else {
        for one in &gone {
            output::text(&report::backup_gone(store, one, settings.columns()));
        }
    }
    for why in &spared {
        output::note(&format!("error: {why}"));
    }
    let all_went = spared.is_empty() && gone.iter().all(|one| one.remains.is_empty());
    Ok(if all_went { Exit::Done } else { Exit::Failed })
}

/// What is decided about, and what is left alone, each with the reason.
fn sort_out(cards: &[Card], namespaces: &[String]) -> (Vec<Aged>, BTreeMap<String, String>) {
    let wanted: BTreeSet<&String> = namespaces.iter().collect();
    let (mut aged, mut left) = (Vec::new(), BTreeMap::new());
    for card in cards {
        match age(card) {
            Ok(one) if wanted.is_empty() || one.unit.namespaces.iter().collect::<BTreeSet<_>>() == wanted => {
                aged.push(one);
            }
            // Not asked about.
            Ok(_) => {}
            Err(why) if card.locked == Some(true) => {
                left.insert(card.name.clone(), format!("{why}; {}", report::backup_lock(card)));
            }
            Err(why) => {
                left.insert(card.name.clone(), why);
            }
        }
    }
    (aged, left)
}

/// What is locked is not tried, and counts as kept: a delete would fail, or only hide it.
fn keep_locked(decisions: &mut [Decision], cards: &[Card]) {
    for one in decisions {
        let card = cards.iter().find(|card| card.name == one.name);
        let locked = card.filter(|card| card.locked == Some(true));
        one.kept_by.extend(locked.map(report::backup_lock));
    }
}

fn age(card: &Card) -> Result<Aged, String> {
    let unit = card.origin.as_ref().zip(card.namespaces.as_ref());
    if let Some(note) = card.going.first() {
        // It keeps no other from going. Whoever began may still be at it, so it is nobody else's to end.
        return Err(format!(
            "being deleted {}; if nobody is at it any more: lifeboat backup delete",
            note.words()
        ));
    }
    match (&card.state, card.writer, card.consistent_at, unit) {
        (_, Writer::Velero, _, _) => Err("Velero's: its TTL decides".to_owned()),
        (State::Verified { .. }, _, Some(consistent_at), Some((origin, namespaces))) => {
            let mut namespaces = namespaces.clone();
            namespaces.sort();
            Ok(Aged {
                name: card.name.clone(),
                unit: Unit {
                    uid: origin.uid.clone(),
                    namespaces,
                    narrowed: card.narrowed.clone(),
                },
                consistent_at,
            })
        }
        _ => Err("not verified: a person decides".to_owned()),
    }
}

/// Unit by unit, the oldest first. Of a unit whose newest backup is not whole any more, nothing goes.
async fn delete_all(
    library: &Library,
    keeper: &Keeper,
    store: &str,
    decisions: &[Decision],
    reason: &str,
) -> Result<(Vec<Gone>, Vec<String>), CommandError> {
    let mut units: BTreeMap<&Unit, Vec<&Decision>> = BTreeMap::new();
    for one in decisions {
        units.entry(&one.unit).or_default().push(one);
    }
    let (mut gone, mut spared) = (Vec::new(), Vec::new());
    for newest_first in units.values() {
        let may_go: Vec<_> = newest_first.iter().filter(|one| one.kept_by.is_empty()).collect();
        let (Some(newest), false) = (newest_first.first(), may_go.is_empty()) else {
            continue;
        };
        let found = library.verify(store, &newest.name).await?;
        if found.verdict != Verdict::Whole {
            let wrong = found.wrong.join("; ");
            spared.push(format!(
                "{} is not whole any more ({wrong}), so nothing that it would replace was deleted",
                newest.name
            ));
            continue;
        }
        for one in may_go.into_iter().rev() {
            match take_away(keeper, store, &one.name, reason, Some(&newest.name)).await {
                Ok(one) => gone.push(one),
                // Somebody else is deleting here, and what was decided rests on what is not so any more.
                Err(error) if error.exit == Exit::Refused => spared.push(error.message),
                Err(error) => return Err(error),
            }
        }
    }
    Ok((gone, spared))
}
