//! A part of a store as a place for journals: what [`crate::run`] asks for, by a [`Store`].
//!
//! Everything lies under `metadata/lifeboat-journal/`: inside of the prefix for which the store's rights were
//! given, and where Velero looks away.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::port::{PutMode, Store};
use crate::effect::{ErrorKind, WorldError};
use crate::run::{OBJECT_MAX, Shelf};

/// Velero refuses a store with folders that it does not know; this one it knows and does not read.
const ROOT: &str = "metadata/lifeboat-journal/";

/// A store that holds journals.
#[derive(Clone)]
pub struct StoreShelf {
    name: String,
    store: Arc<dyn Store>,
}

impl StoreShelf {
    /// The part of the store called `name`.
    pub fn new(name: &str, store: Arc<dyn Store>) -> Self {
        Self {
            name: name.to_owned(),
            store,
        }
    }
}

impl Shelf for StoreShelf {
    fn name(&self) -> &str {
        &self.name
    }

    fn address(&self) -> String {
        let address = self.store.address();
        format!("{}/{ROOT}", address.trim_end_matches('/'))
    }

    fn create<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), WorldError>> {
        Box::pin(async move {
            let body = stream::once(async { Ok(bytes) }).boxed();
            self.store.put(&whole(key), body, PutMode::Create).await?;
            Ok(())
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes, WorldError>> {
        Box::pin(async move {
            let body = self.store.get(&whole(key)).await?;
            let all = body.try_fold(BytesMut::new(), |mut all, piece| async move {
                if all.len() + piece.len() > OBJECT_MAX {
                    let message = format!("{key} is larger than any record of a journal");
                    return Err(WorldError::new(ErrorKind::Damaged, &self.name, message));
                }
                all.extend_from_slice(&piece);
                Ok(all)
            });
            Ok(all.await?.freeze())
        })
    }

    fn keys<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        Box::pin(async move {
            let listed = self.store.list(&whole(prefix)).await?;
            let own = |key: &str| key.strip_prefix(ROOT).map(str::to_owned);
            Ok(listed.iter().filter_map(|entry| own(&entry.key)).collect())
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        Box::pin(async move { self.store.folders(&whole(prefix)).await })
    }
}

fn whole(key: &str) -> String {
    format!("{ROOT}{key}")
}
