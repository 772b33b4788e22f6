//! What keeps the objects of a backup from being deleted: several locks as one.
//!
//! ## Why two ways to add them up
//!
//! A backup is protected as long as the *first* of the objects that it needs; it can be deleted when the
//! *last* lock of any of its objects has ended. Both are asked of the store, object by object: that
//! something was written with a lock does not say that the store kept it.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::effect::{ErrorKind, Lock, WorldError};
use crate::world::port::{Locked, Retention, Store};

/// Objects asked for at the same time.
const IN_FLIGHT: usize = 8;

/// The locks of these objects, in any order.
async fn locks(store: &dyn Store, keys: &[String]) -> Result<Vec<(String, Locked)>, WorldError> {
    let asked = keys.iter().map(|key| async move {
        match store.locked(key).await {
            // Somebody has deleted it since it was listed.
            Err(error) if error.kind == ErrorKind::NotFound => Ok((key.clone(), Locked::No)),
            lock => Ok((key.clone(), lock?)),
        }
    });
    stream::iter(asked.collect::<Vec<_>>())
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

/// How a backup that needs all of these objects is kept.
pub(super) async fn weakest(store: &dyn Store, keys: &[String], now: Timestamp) -> Locked {
    let found = match locks(store, keys).await {
        Ok(found) => found,
        Err(error) => return Locked::Unknown(error.message),
    };
    let rank = |lock: &Locked| match lock {
        Locked::No => (0, None),
        Locked::Until(retention) if retention.until <= now => (0, None),
        Locked::Unknown(_) => (1, None),
        Locked::Until(retention) => (2, Some(retention.until)),
        Locked::Held => (3, None),
    };
    let weakest = found.into_iter().map(|(_, lock)| lock).min_by_key(rank);
    weakest.filter(|lock| rank(lock).0 > 0).unwrap_or(Locked::No)
}

/// Why some of these objects cannot be deleted now: key and words, sorted. What is not known stops too: a
/// bucket whose objects can be locked keeps versions, so it would not refuse and would only hide them.
pub(super) async fn kept(
    store: &dyn Store,
    keys: &[String],
    now: Timestamp,
) -> Result<Vec<(String, String)>, WorldError> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (key, lock) in locks(store, keys).await? {
        match lock {
            Locked::Until(retention) if retention.until > now => {
                kept.push((key, format!("locked until {retention}")));
            }
            Locked::Held => kept.push((key, "locked by a legal hold".to_owned())),
            Locked::Unknown(why) => kept.push((key, format!("whether it is locked is not known: {why}"))),
            Locked::Until(_) | Locked::No => {}
        }
    }
    kept.sort();
    Ok(kept)
}

/// Until when a backup of this moment has to be kept. Stores know whole seconds only.
pub(super) fn retention(lock: &Lock, from: Timestamp) -> Result<Retention, WorldError> {
    let wrong = || {
        WorldError::new(
            ErrorKind::Rejected,
            "lock",
            "it would end after the last day of the calendar",
        )
    };
    let period = i64::try_from(lock.period.0 / 1000).map_err(|_| wrong())?;
    let second = from
        .as_second()
        .checked_add(1)
        .and_then(|second| second.checked_add(period));
    let until = second
        .and_then(|second| Timestamp::from_second(second).ok())
        .ok_or_else(wrong)?;
    Ok(Retention {
        mode: lock.mode,
        until,
    })
}

/// Asks the store whether it keeps all of these objects as it was told to.
///
/// # Errors
///
/// `Damaged`: it does not, by its own words.
pub(super) async fn confirm(
    store: &dyn Store,
    keys: &[String],
    wanted: &Retention,
) -> Result<(), WorldError> {
    for (key, lock) in locks(store, keys).await? {
        let why = match lock {
            Locked::Until(found) if found.mode == wanted.mode && found.until >= wanted.until => continue,
            Locked::Until(found) => format!("only until {found}"),
            Locked::Held => "by a legal hold, which can be lifted".to_owned(),
            Locked::No => "not at all".to_owned(),
            Locked::Unknown(why) => format!("nobody knows how: {why}"),
        };
        let message = format!(
            "{key} was written with a lock until {wanted}, and the store says that it keeps it: {why}"
        );
        return Err(WorldError::new(ErrorKind::Damaged, store.address(), message));
    }
    Ok(())
}
