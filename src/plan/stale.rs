//! Has the world changed since the plan was shown?

use std::collections::BTreeSet;

use super::{Plan, observe};
use crate::effect::{Observer, Query, RestorePreview, Seen};
use crate::step::Observed;

/// Whether a change of this answer makes a plan stale. A newer backup does not: the plan names the
/// one that was shown, and says how old it is.
pub(super) const fn matters(query: &Query) -> bool {
    !matches!(query, Query::Backup { .. } | Query::Manifests { .. })
}

/// One answer that is not what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What was asked.
    pub query: Query,
    /// What the plan was made from.
    pub then: Seen,
    /// What is answered now.
    pub now: Seen,
}

/// Asks everything again that the plan was made from. An empty list: the plan still holds.
pub async fn changes(plan: &Plan, observer: &dyn Observer) -> Vec<Change> {
    let queries: BTreeSet<Query> = plan
        .sightings
        .iter()
        .map(|sighting| sighting.query.clone())
        .collect();
    let mut seen = Observed::default();
    observe::ask(observer, queries, &mut seen).await;
    plan.sightings
        .iter()
        .filter_map(|sighting| {
            let now = seen.answer(&sighting.query)?;
            (!same(&sighting.seen, now)).then(|| Change {
                query: sighting.query.clone(),
                then: sighting.seen.clone(),
                now: now.clone(),
            })
        })
        .collect()
}

/// Whether an answer is what it was. Parts that an older lifeboat did not look at are no change.
fn same(then: &Seen, now: &Seen) -> bool {
    match (then, now) {
        (Seen::Restore(then), Seen::Restore(now)) if then.work.is_none() => {
            let now = RestorePreview {
                lacks: Vec::new(),
                work: None,
                ..RestorePreview::clone(now)
            };
            **then == now
        }
        _ => then == now,
    }
}
