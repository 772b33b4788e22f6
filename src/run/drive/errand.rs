//! One errand: asks the actor, keeps to the deadline, survives a panic.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;

use super::Watch;
use crate::effect::{Actor, Attempt};
use crate::run::{Errand, ErrandKind, Sight, Ticket, Timekeeper};

/// What the effect said last of what it waits for.
type LastWords = Arc<Mutex<Option<String>>>;

pub(super) async fn carry(
    actor: Arc<dyn Actor>,
    watch: Arc<dyn Watch>,
    run: String,
    errand: Errand,
    clock: Timekeeper,
) -> (Ticket, Sight) {
    let last_words = LastWords::default();
    let attempt = attempt(run, &errand, watch, last_words.clone());
    let work = AssertUnwindSafe(ask(&*actor, &errand, &attempt)).catch_unwind();
    let done = match errand.deadline_ms {
        Some(deadline_ms) => tokio::time::timeout_at(clock.instant(deadline_ms), work).await,
        None => Ok(work.await),
    };
    let sight = match done {
        Ok(Ok(sight)) => sight,
        Ok(Err(panic)) => Sight::Panicked(panic_words(&*panic)),
        Err(_) => Sight::TimedOut(last_words.lock().unwrap_or_else(PoisonError::into_inner).take()),
    };
    (errand.ticket, sight)
}

async fn ask(actor: &dyn Actor, errand: &Errand, attempt: &Attempt) -> Sight {
    match errand.kind {
        ErrandKind::Perform => Sight::Performed(actor.perform(&errand.effect, attempt).await),
        ErrandKind::Resolve => Sight::Resolved(actor.resolve(&errand.effect, attempt).await),
    }
}

fn attempt(run: String, errand: &Errand, watch: Arc<dyn Watch>, last_words: LastWords) -> Attempt {
    let step = errand.ticket.step;
    Attempt {
        run,
        step: errand.step.clone(),
        effect: errand.ticket.effect,
        number: errand.ticket.attempt,
        key: errand.key.clone(),
        progress: Arc::new(move |words| {
            watch.progress(step, &words);
            *last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        }),
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}
