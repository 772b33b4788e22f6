//! Chosen objects of a stored archive, one after the other, without ever holding all of it.
//!
//! ## Why
//!
//! A thread reads a few objects, gives them back and ends; nothing of it waits for whoever takes the
//! objects. A thread that did would stop the clock of the embedded world, which stands still while a
//! thread works.

use futures::stream::{self, Stream};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::archive::{ArchiveError, Archived, Reader, Summary};
use crate::effect::{ErrorKind, WorldError};
use crate::world::actor::bytes::{Incoming, open};
use crate::world::port::Store;

/// An object and which one of the archive it is, counted from 0. The same archive always counts alike.
pub(super) type Met = (usize, Archived);

/// Objects as they arrive.
pub(super) fn arriving(met: Receiver<Met>) -> impl Stream<Item = Met> {
    stream::unfold(met, |mut met| async move { Some((met.recv().await?, met)) })
}

/// Objects that are read at once, and may wait to be taken: parsing them takes a millisecond, so to
/// hand them over costs nothing.
const BATCH: usize = 64;

/// Bytes after which a batch ends early: objects of a megabyte are rare and allowed.
const BATCH_BYTES: u64 = 1024 * 1024;

/// Reads an archive once and hands the chosen objects to `take`. Gives back what the whole archive held
/// and what `take` made of it.
///
/// # Errors
///
/// What `take` says; else the store's; `Damaged` where the archive cannot be read to its end.
pub(super) async fn stream<T, F: Future<Output = Result<T, WorldError>>>(
    store: &dyn Store,
    archive: &str,
    chosen: impl Fn(usize, &Archived) -> bool + Send + 'static,
    take: impl FnOnce(Receiver<Met>) -> F,
) -> Result<(Summary, T), WorldError> {
    let (body, pump) = open(store, archive).await?;
    let (sender, receiver) = mpsc::channel(BATCH);
    let read = async {
        // To make a reader already reads.
        let reader = tokio::task::spawn_blocking(move || Reader::new(body)).await?;
        let pass = Pass {
            reader,
            chosen,
            next: 0,
        };
        pass.run(sender).await
    };
    let (pumped, read, taken) = tokio::join!(pump, read, take(receiver));
    let taken = taken?;
    pumped?;
    let refuse = |kind, why: String| WorldError::new(kind, store.address(), format!("{archive}: {why}"));
    match read {
        Ok(Ok(summary)) => Ok((summary, taken)),
        Ok(Err(error)) => Err(refuse(ErrorKind::Damaged, error.to_string()).caused_by(&error)),
        Err(error) => Err(refuse(ErrorKind::Internal, error.to_string())),
    }
}

/// A reader on its way through an archive.
struct Pass<C> {
    reader: Reader<Incoming>,
    chosen: C,
    next: usize,
}

impl<C: Fn(usize, &Archived) -> bool + Send + 'static> Pass<C> {
    async fn run(
        mut self,
        sender: Sender<Met>,
    ) -> Result<Result<Summary, ArchiveError>, tokio::task::JoinError> {
        loop {
            let (pass, batch) = tokio::task::spawn_blocking(move || {
                let batch = self.batch();
                (self, batch)
            })
            .await?;
            self = pass;
            let (batch, ended) = match batch {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error)),
            };
            for met in batch {
                // Whoever takes no more has an error of its own to tell.
                if sender.send(met).await.is_err() {
                    return Ok(Ok(Summary::default()));
                }
            }
            if ended {
                return Ok(Ok(self.reader.summary().clone()));
            }
        }
    }

    /// The next chosen objects, and whether they are the last.
    fn batch(&mut self) -> Result<(Vec<Met>, bool), ArchiveError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some(archived) = self.reader.next().transpose()? else {
                return Ok((batch, true));
            };
            bytes += archived.size;
            if (self.chosen)(self.next, &archived) {
                batch.push((self.next, archived));
            }
            self.next += 1;
        }
        Ok((batch, false))
    }
}
