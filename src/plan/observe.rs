//! Asking the world: every question once, many at a time, and an error is an answer too.

use std::collections::BTreeSet;

use futures::StreamExt as _;

use crate::effect::{Observer, Query, Seen};
use crate::step::Observed;

/// Questions in flight at most: enough to hide a slow site, few enough not to be one's own outage.
const IN_FLIGHT: usize = 8;

/// Asks all questions and keeps the answers. A question that nobody answered is kept as
/// [`Seen::Unanswered`]: silence is never taken for absence.
pub(super) async fn ask(observer: &dyn Observer, queries: BTreeSet<Query>, seen: &mut Observed) {
    let answers: Vec<(Query, Seen)> = futures::stream::iter(queries)
        .map(|query| async move {
            let answer = observer.read(&query).await.unwrap_or_else(Seen::Unanswered);
            (query, answer)
        })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    seen.extend(answers);
}
