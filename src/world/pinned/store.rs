//! The identity of a store: an object with a random id, and a store that is asked for it first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stranger;
use crate::effect::{ErrorKind, WorldError};
use crate::run::short_id;
use crate::runbook::{Pins, StorePin};
use crate::world::doctor::Bench;
use crate::world::port::{Answer, Hidden, Locked, PutMode, Retention, Secrecy, Store, Stored};

/// Where a store's identity is: inside of the prefix for which rights were given, and where Velero looks away.
pub const IDENTITY_KEY: &str = "metadata/lifeboat-identity.json";

/// An identity has some two hundred bytes; more is no identity.
const IDENTITY_MAX: usize = 4 * 1024;

/// What the identity object holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreIdentity {
    /// Eighty random bits.
    pub id: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Who a store says that it is; `None`: it answers, and has no identity.
///
/// # Errors
///
/// The store's; `Damaged`: what is there is no identity.
pub async fn read_identity(store: &dyn Store) -> Result<Option<StoreIdentity>, WorldError> {
    let body = match store.get(IDENTITY_KEY).await {
        Ok(body) => body,
        Err(error) if error.kind == ErrorKind::NotFound => {
            // Not there, or no store there at all? A listing can tell.
            store.list(IDENTITY_KEY).await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let damaged = |why: String| {
        let message = format!("{IDENTITY_KEY} is not the identity of a store: {why}");
        WorldError::new(ErrorKind::Damaged, store.address(), message)
    };
    let all = body.try_fold(BytesMut::new(), |mut all, piece| {
        let room = all.len() + piece.len() <= IDENTITY_MAX;
        all.extend_from_slice(if room { &piece } else { b"\0" });
        async { Ok(all) }
    });
    let identity = serde_json::from_slice(&all.await?);
    identity.map(Some).map_err(|error| damaged(error.to_string()))
}

/// The identity of a store, which gets one if it has none.
///
/// # Errors
///
/// The store's.
pub async fn pin_store(store: &dyn Store, by: &str, at: Timestamp) -> Result<StoreIdentity, WorldError> {
    if let Some(identity) = read_identity(store).await? {
        return Ok(identity);
    }
    let identity = StoreIdentity {
        id: (0..4).map(|_| short_id()).collect(),
        by: by.to_owned(),
        at,
    };
    let bytes = serde_json::to_vec_pretty(&identity)
        .map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))?;
    let body = stream::iter([Ok(Bytes::from(bytes))]).boxed();
    // Somebody else may make it at the same moment, and a reply may be lost: what is there counts.
    match store.put(IDENTITY_KEY, body, PutMode::Create).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::LostReply) => {}
        Err(error) => return Err(error),
    }
    let kept = read_identity(store).await?;
    kept.ok_or_else(|| {
        let message = format!("{IDENTITY_KEY} was written and is not there");
        WorldError::new(ErrorKind::Damaged, store.address(), message)
    })
}

struct Proof {
    name: String,
    /// The store as it is pinned: its siblings have no identity of their own.
    store: Arc<dyn Store>,
    pin: StorePin,
    /// To say whose identity it is that was found.
    pins: Pins,
    proved: AtomicBool,
}

impl Proof {
    async fn given(&self) -> Result<(), WorldError> {
        if !self.proved.load(Ordering::Acquire) {
            self.compare().await?;
            self.proved.store(true, Ordering::Release);
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), WorldError> {
        let expected = &self.pin.id;
        let address = self.store.address();
        let found = match read_identity(&*self.store).await? {
            Some(found) if found.id == *expected => return Ok(()),
            Some(found) => found.id,
            None => {
                let message = format!(
                    "it is not the store that is pinned: expected identity {expected}, and {address} has none: it was emptied or made anew, or is another one"
                );
                return Err(stranger(&self.name, message, None));
            }
        };
        let message = format!(
            "it is not the store that is pinned: expected identity {expected}, found {found} at {address}"
        );
        let other = self.pins.stores.iter().find(|(_, pin)| pin.id == found);
        Err(stranger(
            &self.name,
            message,
            other.map(|(name, _)| name.as_str()),
        ))
    }
}

/// A store that proves itself before anything else is asked of it.
pub(super) struct PinnedStore {
    inner: Arc<dyn Store>,
    proof: Arc<Proof>,
}

impl PinnedStore {
    pub(super) fn new(name: &str, store: Arc<dyn Store>, pin: &StorePin, pins: &Pins) -> Self {
        Self {
            inner: store.clone(),
            proof: Arc::new(Proof {
                name: name.to_owned(),
                store,
                pin: pin.clone(),
                pins: pins.clone(),
                proved: AtomicBool::new(false),
            }),
        }
    }

    fn with(&self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Self {
            inner,
            proof: self.proof.clone(),
        })
    }
}

impl Store for PinnedStore {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn secrecy(&self) -> Secrecy {
        self.inner.secrecy()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.list(prefix).await
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.folders(prefix).await
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.get(key).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.put(key, body, mode).await
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.delete(key).await
        })
    }

    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.locked(key).await
        })
    }

    fn hidden<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Hidden>> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.hidden(prefix).await
        })
    }

    fn unhide<'a>(&'a self, key: &'a str, marker: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.proof.given().await?;
            self.inner.unhide(key, marker).await
        })
    }

    fn locking(&self, retention: Retention) -> Result<Arc<dyn Store>, WorldError> {
        Ok(self.with(self.inner.locking(retention)?))
    }

    // Trials write on ways of their own, so they are not offered before the proof.
    fn bench(&self) -> Option<&dyn Bench> {
        self.inner
            .bench()
            .filter(|_| self.proof.proved.load(Ordering::Acquire))
    }

    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        self.with(self.inner.sibling(suffix))
    }
}
