//! Asks what the preflight list needs besides the plan, in ways that change nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::future::join_all;

use super::fence;
use super::world::Connected;
use crate::effect::{Effect, ErrorKind, Permission, Query, Seen, SiteSeen, WorldError};
use crate::plan::Plan;
use crate::report::{self, Asked, Check};
use crate::runbook::Sites;

/// Access reviews in flight at most, as with every other question of a plan.
const IN_FLIGHT: usize = 8;

/// Rights that are asked at most, a few seconds' worth; a plan that needs more says how many were not asked.
const RIGHTS_MAX: usize = 400;

/// What a person is shown before anything is changed, besides the plan itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Everything that the plan rests on.
    pub(super) checks: Vec<Check>,
    /// Site → whether its API server refuses older epochs.
    pub(super) fences: BTreeMap<String, String>,
}

/// Looks at everything that a plan rests on.
pub(super) async fn look(plan: &Plan, world: &Connected, sites: &Sites) -> Before {
    let standing = fence::looked(world, plan).await;
    let mut asked = Asked {
        pinned: sites
            .pins
            .sites
            .keys()
            .chain(sites.pins.stores.keys())
            .cloned()
            .collect(),
        embedded: world.embedded.iter().cloned().collect(),
        deputies: fence::deputies(&standing),
        ..Asked::default()
    };
    let named: BTreeSet<&String> = plan.roles.values().collect();
    let of_site = |site: &String| {
        let site = site.clone();
        async move { (site.clone(), who(world, site).await) }
    };
    asked.sites = join_all(named.into_iter().map(of_site))
        .await
        .into_iter()
        .collect();
    let mirrors = world.mirrors.iter().map(|(name, _)| name.as_str());
    let stores: BTreeSet<&str> = plan.stores().chain(mirrors).collect();
    let of_store = |store: &str| {
        let store = store.to_owned();
        async move {
            let query = Query::Store { store: store.clone() };
            (store, world.actor.read(&query).await.map(|_| ()))
        }
    };
    asked.stores = join_all(stores.into_iter().map(of_store))
        .await
        .into_iter()
        .collect();
    asked.names = join_all(plan.swaps().map(async |swap| {
        let effect = Effect::SwapRecords(swap.clone());
        let answer = world.rehearser.rehearse(&effect).await;
        (swap.server.clone(), swap.name.to_string(), answer)
    }))
    .await;
    let told: BTreeMap<&str, &Effect> = plan.notices().collect();
    let told = told.into_iter().map(|(name, effect)| async {
        let answer = world.rehearser.rehearse(effect).await;
        (name.to_owned(), answer)
    });
    asked.receivers = join_all(told).await.into_iter().collect();
    rights(&mut asked, plan, world).await;
    capacity(&mut asked, plan, world).await;
    let words = standing.into_iter().map(|(site, one)| (site, one.to_string()));
    Before {
        checks: report::preflight(plan, &asked, super::now()),
        fences: words.collect(),
    }
}

async fn who(world: &Connected, site: String) -> Result<SiteSeen, WorldError> {
    match world.actor.read(&Query::Site { site: site.clone() }).await? {
        Seen::Site(seen) => Ok(seen),
        Seen::Unanswered(error) => Err(error),
        _ => Err(WorldError::new(
            ErrorKind::Internal,
            site,
            "it was asked who it is, and answered something else",
        )),
    }
}

/// What comes to each site, and what its nodes have left. A site that does not answer is not asked.
async fn capacity(asked: &mut Asked, plan: &Plan, world: &Connected) {
    for (site, mut brought) in report::brought(plan) {
        let mut answers = Vec::new();
        if matches!(asked.sites.get(&site), Some(Ok(_))) {
            let questions = futures::stream::iter(brought.questions(&site));
            let ask = |query: Query| async move { world.actor.read(&query).await };
            answers = questions.map(ask).buffered(IN_FLIGHT).collect().await;
        }
        let nodes = brought.settle(answers);
        if brought.matters() {
            asked.capacity.insert(site, (brought, nodes));
        }
    }
}

/// A site that does not answer, or at which somebody else acts, is not asked.
///
/// What is wanted in several namespaces is asked for all namespaces first: whoever may do it everywhere, which is the
/// usual case, is asked once and not fifty times.
async fn rights(asked: &mut Asked, plan: &Plan, world: &Connected) {
    let mut kinds: BTreeMap<Permission, Vec<Permission>> = BTreeMap::new();
    for right in report::rights(plan) {
        let everywhere = Permission {
            namespace: None,
            ..right.clone()
        };
        kinds.entry(everywhere).or_default().push(right);
    }
    let first = kinds.iter().map(|(everywhere, each)| match each.as_slice() {
        [one] => one.clone(),
        _ => everywhere.clone(),
    });
    let answers = ask(first.collect(), RIGHTS_MAX, asked, world).await;
    let (mut known, mut open) = (Vec::new(), Vec::new());
    let room = RIGHTS_MAX.saturating_sub(answers.len());
    for (each, (_, held)) in kinds.into_values().zip(answers) {
        if each.len() > 1 && held == Ok(false) {
            open.extend(each);
        } else {
            known.extend(each.into_iter().map(|right| (right, held.clone())));
        }
    }
    known.extend(ask(open, room, asked, world).await);
    known.sort_by(|(one, _), (other, _)| one.cmp(other));
    asked.rights = known;
}

/// Asks about the first `most` of some rights; in their order.
async fn ask(
    rights: Vec<Permission>,
    most: usize,
    asked: &Asked,
    world: &Connected,
) -> Vec<(Permission, Result<bool, WorldError>)> {
    let askable =
        |site: &String| matches!(asked.sites.get(site), Some(Ok(_))) && !asked.deputies.contains_key(site);
    let one = |(at, right): (usize, Permission)| {
        let ask = askable(&right.site) && at < most;
        async move {
            let held = if ask {
                world.rehearser.may(&right).await
            } else {
                let why = format!("lifeboat asks about {RIGHTS_MAX} at most");
                Err(WorldError::new(ErrorKind::NotYet, &right.site, why))
            };
            (right, held)
        }
    };
    let answers = futures::stream::iter(rights.into_iter().enumerate().map(one));
    answers.buffered(IN_FLIGHT).collect().await
}
