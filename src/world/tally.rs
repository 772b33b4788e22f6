//! Counts the requests that a piece of work sends to API servers.
//!
//! ## Why
//!
//! Pages of a listing and the parts of a discovery are requests too, and only the client knows how many
//! there were. So it counts for whoever asks, beside its answers: a number in every answer of the port
//! would be for one reader among many. What is counted follows the future, not the thread, so two pieces
//! of work at the same time do not count each other's.

use std::cell::Cell;

tokio::task_local! {
    static SENT: Cell<u64>;
}

/// One request is being sent.
pub(super) fn sent() {
    // Nobody may be counting.
    let _ = SENT.try_with(|count| count.set(count.get() + 1));
}

/// What this work gives, and how many requests it sent. Only of the work itself: tasks that it spawns do
/// not count.
pub(super) async fn counted<T>(work: impl Future<Output = T>) -> (T, u64) {
    let counting = async {
        let done = work.await;
        (done, SENT.with(Cell::get))
    };
    SENT.scope(Cell::new(0), counting).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_pieces_of_work_at_the_same_time_do_not_count_each_other() {
        let work = |times: u64| async move {
            for _ in 0..times {
                sent();
                tokio::task::yield_now().await;
            }
        };
        let (one, other) = tokio::join!(counted(work(3)), counted(work(5)));
        assert_eq!((one.1, other.1), (3, 5));
        sent();
    }
}
