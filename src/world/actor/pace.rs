//! How waiting is done: look, say what is missing, rest, look again. How many things are done at
//! once. And the effect that only waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::World;
use crate::effect::{Attempt, ErrorKind, Pause, Receipt, WorldError};
use crate::text::Millis;

/// Before the second look: much is done in a moment, and a recovery is measured to the tenth of a second.
const FIRST_REST_MS: u64 = 100;

/// Between two looks at most; each rest is twice the one before. People notice a second; an API server
/// does not notice two requests a second.
const REST_MAX_MS: u64 = 500;

/// What one look found.
pub(super) enum Look<T> {
    /// It is so.
    Done(T),
    /// It is not so yet; a fragment for people says what is missing.
    Waiting(String),
}

/// One request or a few, about to be sent.
pub(super) type Work<'a, T> = BoxFuture<'a, Result<T, WorldError>>;

/// Does all of it, at most so many at the same time; the answers are in the order of the work.
///
/// # Errors
///
/// The first; what was not begun by then is not begun.
pub(super) async fn all<T: Send>(at_once: usize, work: Vec<Work<'_, T>>) -> Result<Vec<T>, WorldError> {
    stream::iter(work).buffered(at_once).try_collect().await
}

/// Looks until it is so. Trouble that passes by itself is told and does not end the waiting: that is
/// for the step's deadline.
///
/// # Errors
///
/// Trouble that does not pass.
pub(super) async fn until<'a, T>(
    attempt: &Attempt,
    look: impl Fn() -> Work<'a, Look<T>> + Send,
) -> Result<T, WorldError> {
    let mut said = String::new();
    let mut usual_ms = FIRST_REST_MS;
    loop {
        let (now, rest_ms) = match look().await {
            Ok(Look::Done(found)) => return Ok(found),
            Ok(Look::Waiting(missing)) => (missing, usual_ms),
            Err(error) if passes(error.kind) => {
                let rest_ms = error.retry_after_ms.unwrap_or(0).max(REST_MAX_MS);
                (format!("{error}; looking again"), rest_ms)
            }
            Err(error) => return Err(error),
        };
        if now != said {
            (attempt.progress)(now.clone());
            said = now;
        }
        rest(rest_ms).await;
        usual_ms = (usual_ms * 2).min(REST_MAX_MS);
    }
}

/// The same for a limited time: then what was missing comes back.
///
/// # Errors
///
/// As [`until`].
pub(super) async fn until_limit<'a, T>(
    attempt: &Attempt,
    limit_ms: u64,
    look: impl Fn() -> Work<'a, Look<T>> + Send,
) -> Result<Result<T, String>, WorldError> {
    let last = Arc::new(Mutex::new(String::from("it did not answer")));
    let (told, progress) = (last.clone(), attempt.progress.clone());
    let listening = Attempt {
        progress: Arc::new(move |words: String| {
            told.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&words);
            progress(words);
        }),
        ..attempt.clone()
    };
    let limit = Duration::from_millis(limit_ms);
    match tokio::time::timeout(limit, until(&listening, look)).await {
        Ok(found) => found.map(Ok),
        Err(_) => Ok(Err(last.lock().unwrap_or_else(PoisonError::into_inner).clone())),
    }
}

/// Trouble of a reading that a later reading may not have.
const fn passes(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unreachable | ErrorKind::LostReply | ErrorKind::Busy
    )
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "the actor waits for the world; all its waiting is here"
)]
pub(super) async fn rest(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

impl World {
    pub(super) async fn pause(&self, effect: &Pause, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let length = Millis(effect.for_ms);
        (attempt.progress)(format!("waiting {length} for {}", effect.reason));
        rest(effect.for_ms).await;
        Ok(Receipt {
            summary: format!("waited {length}"),
            ..Receipt::default()
        })
    }
}
