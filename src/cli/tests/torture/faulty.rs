//! Mirrors as a mistaken lifeboat would use them: one layer for the mutants that are about mirrors.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::mutant::Mutant;
use super::wire::WiredShelf;
use crate::effect::{ErrorKind, WorldError};
use crate::run::Shelf;

pub(super) struct FaultyShelf {
    pub(super) inner: Arc<WiredShelf>,
    pub(super) mutant: Mutant,
    /// Keys of which the store said that something is there.
    pub(super) refused: Mutex<BTreeSet<String>>,
}

impl FaultyShelf {
    /// What is ours looks like somebody else's.
    fn disguised(bytes: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(bytes);
        let mut first: Value = match text.lines().next().map(serde_json::from_str) {
            Some(Ok(first)) => first,
            _ => match serde_json::from_slice(bytes) {
                Ok(whole) => whole,
                Err(_) => return bytes.clone(),
            },
        };
        if first.get("nonce").is_some() {
            first["nonce"] = json!("somebody else's");
        } else {
            first["event"] =
                json!({ "resumed": { "operator": { "name": "ben", "host": "nowhere", "pid": 1 } } });
        }
        format!("{first}\n").into()
    }
}

impl Shelf for FaultyShelf {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    fn create<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), WorldError>> {
        let (inner, owned) = (self.inner.clone(), key.to_owned());
        Box::pin(async move {
            if self.mutant == Mutant::MirrorNotAwaited {
                drop(tokio::spawn(async move { inner.create(&owned, bytes).await }));
                return Ok(());
            }
            let answer = self.inner.create(key, bytes).await;
            let conflict = matches!(&answer, Err(error) if error.kind == ErrorKind::Conflict);
            let lost = matches!(&answer, Err(error) if error.kind == ErrorKind::LostReply);
            if conflict && self.mutant == Mutant::ForeignIsOurs {
                return Ok(());
            }
            if conflict || lost {
                self.refused.lock().unwrap().insert(key.to_owned());
            }
            answer
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes, WorldError>> {
        async move {
            let bytes = self.inner.read(key).await?;
            let refused = self.refused.lock().unwrap().contains(key);
            Ok(if refused && self.mutant == Mutant::OursIsForeign {
                Self::disguised(&bytes)
            } else {
                bytes
            })
        }
        .boxed()
    }

    fn keys<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        self.inner.keys(prefix)
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, WorldError>> {
        self.inner.folders(prefix)
    }
}
