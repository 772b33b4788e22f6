//! Has the world changed since the plan was shown?

use std::collections::BTreeSet;

use super::{Plan, Sighting, observe};
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

impl Change {
    /// Somebody answered then and does not now: whether anything has changed is not known.
    pub const fn is_silence(&self) -> bool {
        matches!(self.now, Seen::Unanswered(_))
    }
}

/// Asks everything again that the plan was made from. An empty list: the plan still holds.
pub async fn changes(plan: &Plan, observer: &dyn Observer) -> Vec<Change> {
    compare(plan.sightings.iter().collect(), observer).await
}

/// Asks again what decides about the plan's steps, and not how much there is of what they copy: that changes by
/// itself at a site that serves customers.
pub async fn contradictions(plan: &Plan, observer: &dyn Observer) -> Vec<Change> {
    let decides = |query: &Query| !matches!(query, Query::Inventory { .. } | Query::Prefix { .. });
    let sightings = plan.sightings.iter();
    let deciding = sightings.filter(|sighting| matters(&sighting.query) && decides(&sighting.query));
    compare(deciding.collect(), observer).await
}

async fn compare(sightings: Vec<&Sighting>, observer: &dyn Observer) -> Vec<Change> {
    let queries: BTreeSet<Query> = sightings.iter().map(|sighting| sighting.query.clone()).collect();
    let mut seen = Observed::default();
    observe::ask(observer, queries, &mut seen).await;
    sightings
        .into_iter()
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

/// Whether an answer is what it was. Parts that an older lifeboat did not look at are no change, and silence is
/// silence in whichever words it comes: a dead site refuses connections at one moment and times out at the next. How
/// many pods come is none either: it changes when an autoscaler gives what is there another size.
fn same(then: &Seen, now: &Seen) -> bool {
    match (then, now) {
        (Seen::Unanswered(_), Seen::Unanswered(_)) => true,
        // A preview names every object of a backup, so it is copied only where a part of it does not count.
        (Seen::Restore(then), Seen::Restore(now)) if then.work.is_none() || then.coming != now.coming => {
            let mut now = RestorePreview::clone(now);
            now.coming.clone_from(&then.coming);
            if then.work.is_none() {
                (now.lacks, now.work) = (Vec::new(), None);
            }
            **then == now
        }
        _ => then == now,
    }
}
