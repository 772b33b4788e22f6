//! Asks what the preflight list needs besides the plan, in ways that change nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::future::join_all;

use super::fence;
use super::world::Connected;
use crate::effect::{Effect, Query, Seen, SiteSeen, WorldError};
use crate::plan::Plan;
use crate::report::{self, Asked, Check, Other};
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
    asked.others = others(plan, world).await;
    rights(&mut asked, plan, world).await;
    let words = standing.into_iter().map(|(site, one)| (site, one.to_string()));
    Before {
        checks: report::preflight(plan, &asked, super::now()),
        fences: words.collect(),
    }
}

/// Every domain name that is changed, and everybody who is told something, each once.
async fn others(plan: &Plan, world: &Connected) -> Vec<Other> {
    let names = plan.swaps().map(|swap| async {
        let effect = Effect::SwapRecords(swap.clone());
        Other::name(swap, world.rehearser.rehearse(&effect).await)
    });
    let mut all = join_all(names).await;
    let told: BTreeMap<&str, &Effect> = plan.notices().collect();
    let told = told.into_iter().map(|(name, effect)| async move {
        Other::receiver(name, world.rehearser.rehearse(effect).await)
    });
    all.extend(join_all(told).await);
    all
}

async fn who(world: &Connected, site: String) -> Result<SiteSeen, WorldError> {
    match world.actor.read(&Query::Site { site: site.clone() }).await? {
        Seen::Site(seen) => Ok(seen),
        Seen::Unanswered(error) => Err(error),
        _ => Err(WorldError::new(
            crate::effect::ErrorKind::Internal,
            site,
            "it was asked who it is, and answered something else",
        )),
    }
}

/// A site that does not answer, or at which somebody else acts, is not asked.
async fn rights(asked: &mut Asked, plan: &Plan, world: &Connected) {
    let wanted = report::rights(plan);
    let askable =
        |site: &String| matches!(asked.sites.get(site), Some(Ok(_))) && !asked.deputies.contains_key(site);
    let one = |(at, right): (usize, crate::effect::Permission)| {
        let ask = askable(&right.site) && at < RIGHTS_MAX;
        async move {
            let held = if ask {
                world.rehearser.may(&right).await
            } else {
                let why = format!("lifeboat asks about {RIGHTS_MAX} at most");
                Err(WorldError::new(
                    crate::effect::ErrorKind::NotYet,
                    &right.site,
                    why,
                ))
            };
            (right, held)
        }
    };
    let answers = futures::stream::iter(wanted.into_iter().enumerate().map(one));
    asked.rights = answers.buffered(IN_FLIGHT).collect().await;
}
