//! Performs [`CopyPrefix`].
//!
//! ## Why
//!
//! - Everything is compared before anything is written: an object that differs and must not be
//!   replaced is an error that leaves the target as it was.
//! - What makes a backup count (its manifest, then the proof that it was verified) is written after
//!   everything else, so that a half copied backup is never taken for a whole one.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::World;
use super::pace::{Work, all};
use super::pods::named;
use crate::effect::{Attempt, CopyPrefix, ErrorKind, Receipt, WorldError};
use crate::world::port::{PutMode, Store, Stored};

/// Objects in flight: enough to hide a store's latency, few enough for a narrow line.
const IN_FLIGHT: usize = 4;

/// What a comparison found at the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Equal,
    Different,
}

struct Copy<'a> {
    from: Arc<dyn Store>,
    to: Arc<dyn Store>,
    effect: &'a CopyPrefix,
    attempt: &'a Attempt,
}

impl World {
    pub(super) async fn copy(&self, effect: &CopyPrefix, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let to = self.store(&effect.to)?;
        let copy = Copy {
            from: self.store(&effect.from)?,
            to: match &effect.sandbox {
                Some(suffix) => to.sibling(suffix),
                None => to,
            },
            effect,
            attempt,
        };
        copy.run().await
    }
}

impl Copy<'_> {
    async fn run(&self) -> Result<Receipt, WorldError> {
        let entries = self.from.list(&self.effect.prefix).await?;
        let found = self.compare(&entries).await?;
        self.refuse_differences(&found)?;
        let mut missing: Vec<&Stored> = found
            .iter()
            .filter(|(_, there)| *there != There::Equal)
            .map(|(entry, _)| *entry)
            .collect();
        missing.sort_by_key(|entry| (weight(&entry.key), entry.key.clone()));
        let mut bytes = 0;
        for group in missing.chunk_by(|a, b| weight(&a.key) == weight(&b.key)) {
            let mut work: Vec<Work<'_, u64>> = Vec::with_capacity(group.len());
            for entry in group {
                work.push(Box::pin(self.copy_one(entry)));
            }
            bytes += all(IN_FLIGHT, work).await?.iter().sum::<u64>();
        }
        let equal = entries.len() - missing.len();
        Ok(Receipt {
            summary: format!(
                "{} copied ({bytes} bytes), {equal} already there and equal",
                missing.len()
            ),
            ..Receipt::default()
        })
    }

    async fn compare<'e>(&self, entries: &'e [Stored]) -> Result<Vec<(&'e Stored, There)>, WorldError> {
        let there = self.to.list(&self.effect.prefix).await?;
        let there: BTreeSet<&str> = there.iter().map(|one| one.key.as_str()).collect();
        let mut work: Vec<Work<'_, (&Stored, There)>> = Vec::with_capacity(entries.len());
        for entry in entries {
            let is_there = there.contains(entry.key.as_str());
            work.push(Box::pin(async move {
                Ok((entry, self.compare_one(entry, is_there).await?))
            }));
        }
        all(IN_FLIGHT, work).await
    }

    /// Compares bytes, never sizes: of a sealed store they say nothing.
    async fn compare_one(&self, entry: &Stored, is_there: bool) -> Result<There, WorldError> {
        if !is_there {
            return Ok(There::Nothing);
        }
        (self.attempt.progress)(format!("comparing {}", entry.key));
        let ours = digest(self.from.get(&entry.key).await?).await?;
        let theirs = digest(self.to.get(&entry.key).await?).await?;
        Ok(if ours == theirs {
            There::Equal
        } else {
            There::Different
        })
    }

    fn refuse_differences(&self, found: &[(&Stored, There)]) -> Result<(), WorldError> {
        let differ = found.iter().filter(|(_, there)| *there == There::Different);
        let names: Vec<String> = differ.map(|(entry, _)| entry.key.clone()).collect();
        if names.is_empty() || self.effect.overwrite {
            return Ok(());
        }
        let message = format!(
            "another content is already there under {}; nothing was written",
            named(&names)
        );
        let error = WorldError::new(ErrorKind::Rejected, self.to.address(), message);
        Err(error.hint("if the copy may replace them, write `overwrite: true` at the step"))
    }

    /// Writes one object and reads it back.
    async fn copy_one(&self, entry: &Stored) -> Result<u64, WorldError> {
        (self.attempt.progress)(format!("copying {} ({} bytes)", entry.key, entry.size));
        let (body, read) = digesting(self.from.get(&entry.key).await?);
        let mode = if self.effect.overwrite {
            PutMode::Replace
        } else {
            PutMode::Create
        };
        let size = self.to.put(&entry.key, body, mode).await?;
        let wanted = read
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
            .finalize();
        let written = digest(self.to.get(&entry.key).await?).await?;
        if wanted.as_slice() == written.as_slice() {
            return Ok(size);
        }
        let message = format!("{} reads back differently from what was written", entry.key);
        Err(WorldError::new(ErrorKind::Damaged, self.to.address(), message))
    }
}

/// The order of groups: data, then what lists it, then what says that it counts.
fn weight(key: &str) -> u8 {
    match key.rsplit('/').next().unwrap_or(key) {
        "velero-backup.json" => 1,
        "manifest.json" => 2,
        "verified.json" => 3,
        _ => 0,
    }
}

async fn digest(mut body: BoxStream<'static, Result<Bytes, WorldError>>) -> Result<Vec<u8>, WorldError> {
    let mut digest = Sha256::new();
    while let Some(bytes) = body.try_next().await? {
        digest.update(&bytes);
    }
    Ok(digest.finalize().to_vec())
}

type Running = Arc<std::sync::Mutex<Sha256>>;

/// The same stream, and the digest of what has passed.
fn digesting(
    body: BoxStream<'static, Result<Bytes, WorldError>>,
) -> (BoxStream<'static, Result<Bytes, WorldError>>, Running) {
    let digest = Running::default();
    let passing = digest.clone();
    let body = body.inspect_ok(move |bytes| {
        let mut digest = passing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        digest.update(bytes);
    });
    (body.boxed(), digest)
}
