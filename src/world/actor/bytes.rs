//! Between a store's streams and code that reads and writes as files do.
//!
//! ## Why
//!
//! The archive's reader and writer are plain [`std::io`] code: pure, and as fast as gzip. They run
//! on a thread of their own, joined to the store by a short channel, so that nothing holds a whole
//! archive. A writer that stops early must never look like one that finished: a store would keep half
//! an archive. So the end of a body is said, not inferred.
//!
//! What is read is copied into small pieces on its way to that thread. A store's own pieces have up to half a
//! megabyte, and with an allocator that gives each thread a heap of its own (who uses the library chooses one) a large
//! block that another thread frees stays until the thread that made it asks for one again: of an archive of 22 MB,
//! 22 MB stayed; of its small copies, 1.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{PutMode, Store};

/// Pieces between the two sides: enough that neither waits for every single one.
const PIECES: usize = 8;

/// Below this, a piece costs more to hand over than to fill.
const PIECE: usize = 64 * 1024;

/// Bytes of a piece that is read, and how many of them may wait: a quarter of a megabyte in all.
const READ_PIECE: usize = 16 * 1024;
const READ_PIECES: usize = 16;

/// All bytes of an object that has to be small.
pub(super) async fn read_all(store: &dyn Store, key: &str, limit: usize) -> Result<Vec<u8>, WorldError> {
    let mut body = store.get(key).await?;
    let mut all = Vec::new();
    while let Some(piece) = body.try_next().await? {
        if all.len() + piece.len() > limit {
            let message = format!("{key} has more than {limit} bytes");
            return Err(WorldError::new(ErrorKind::Damaged, store.address(), message));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// The same; `None` where there is no such object.
pub(super) async fn read_if_there(
    store: &dyn Store,
    key: &str,
    limit: usize,
) -> Result<Option<Vec<u8>>, WorldError> {
    there(read_all(store, key, limit).await)
}

/// `None` where there is no such object.
pub(super) fn there<T>(answer: Result<T, WorldError>) -> Result<Option<T>, WorldError> {
    match answer {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// Writes an object that is already in memory.
pub(super) async fn write(store: &dyn Store, key: &str, bytes: Vec<u8>) -> Result<(), WorldError> {
    let body = stream::iter([Ok(Bytes::from(bytes))]).boxed();
    store.put(key, body, PutMode::Create).await?;
    Ok(())
}

/// Reads an object as a file, on a thread that may block.
///
/// # Errors
///
/// The store's, also where `work` has made something else of it. A `work` that stops early is fine.
pub(super) async fn reading<T: Send + 'static>(
    store: &dyn Store,
    key: &str,
    work: impl FnOnce(Incoming) -> T + Send + 'static,
) -> Result<T, WorldError> {
    let (incoming, pump) = open(store, key).await?;
    let (pumped, worked) = tokio::join!(pump, tokio::task::spawn_blocking(move || work(incoming)));
    pumped?;
    worked.map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))
}

/// An object as a file, and the pump that fills it: it has to run while somebody reads. It ends with the
/// store's error, or well, also where nobody reads on.
pub(super) async fn open(
    store: &dyn Store,
    key: &str,
) -> Result<(Incoming, BoxFuture<'static, Result<(), WorldError>>), WorldError> {
    let mut body = store.get(key).await?;
    let (sender, receiver) = mpsc::channel(READ_PIECES);
    let incoming = Incoming {
        receiver,
        piece: Bytes::new(),
    };
    let pump = async move {
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                // Where nobody reads on, it does not matter.
                Err(error) => return sender.send(None).await.map_or(Ok(()), |()| Err(error)),
            };
            for small in piece.chunks(READ_PIECE) {
                if sender.send(Some(Bytes::copy_from_slice(small))).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    };
    Ok((incoming, Box::pin(pump)))
}

/// A store's body as a file.
pub(super) struct Incoming {
    /// `None`: the body broke.
    receiver: Receiver<Option<Bytes>>,
    piece: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Some(piece)) => self.piece = piece,
                Some(None) => return Err(io::Error::other("the store stopped in the middle")),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Writes a new object from what `work` writes, on a thread that may block.
///
/// # Errors
///
/// `Conflict` where the object is already there; what `work` or the store says. Then nothing is kept.
pub(super) async fn writing<T: Send + 'static>(
    store: &dyn Store,
    key: &str,
    work: impl FnOnce(Outgoing) -> Result<(Outgoing, T), WorldError> + Send + 'static,
) -> Result<T, WorldError> {
    let (pieces, body) = body(store);
    let outgoing = Outgoing {
        sender: pieces.sender,
        buffer: BytesMut::with_capacity(PIECE),
    };
    let thread = tokio::task::spawn_blocking(move || {
        let (outgoing, made) = work(outgoing)?;
        outgoing.end();
        Ok(made)
    });
    let (put, worked) = tokio::join!(store.put(key, body, PutMode::Create), thread);
    let made =
        worked.map_err(|error| WorldError::new(ErrorKind::Internal, store.address(), error.to_string()))?;
    // If the store refused, the worker could not go on, and its words are not the cause.
    match (put, made) {
        (Ok(_), made) => made,
        (Err(error), Ok(_)) => Err(error),
        (Err(store_says), Err(worker_says)) if worker_says.causes.iter().any(|one| one == CLOSED) => {
            Err(store_says)
        }
        (Err(_), Err(worker_says)) => Err(worker_says),
    }
}

/// A body that is made piece by piece between other things. The store's `put` of it has to be awaited at
/// the same time: it takes the pieces.
pub(super) fn body(store: &dyn Store) -> (Pieces, BoxStream<'static, Result<Bytes, WorldError>>) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Pieces { sender }, body_of(receiver, store.address()))
}

/// Where the pieces of a body go. Dropped without [`Pieces::end`], the body breaks.
pub(super) struct Pieces {
    sender: Sender<Part>,
}

impl Pieces {
    /// Hands over the next bytes. `false`: nobody takes them any more; the store says why.
    pub(super) async fn send(&self, bytes: Vec<u8>) -> bool {
        bytes.is_empty() || self.sender.send(Part::Bytes(bytes.into())).await.is_ok()
    }

    /// Says that this was all.
    pub(super) async fn end(self) -> bool {
        self.sender.send(Part::End).await.is_ok()
    }
}

/// What a worker is told when nobody takes its bytes any more.
const CLOSED: &str = "the store takes no more bytes";

enum Part {
    Bytes(Bytes),
    End,
}

/// A file whose bytes become a store's body.
pub(super) struct Outgoing {
    sender: Sender<Part>,
    buffer: BytesMut,
}

impl Outgoing {
    fn send(&mut self) -> io::Result<()> {
        let part = Part::Bytes(self.buffer.split().freeze());
        self.sender
            .blocking_send(part)
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, CLOSED))
    }

    /// Says that this was all. Dropped without it, the body breaks.
    fn end(mut self) {
        // A store that is gone says so itself.
        let _ = self.send();
        let _ = self.sender.blocking_send(Part::End);
    }
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn body_of(receiver: Receiver<Part>, target: String) -> BoxStream<'static, Result<Bytes, WorldError>> {
    let target = Arc::new(target);
    stream::unfold(Some(receiver), move |receiver| {
        let target = target.clone();
        async move {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Part::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Part::End) => None,
                None => {
                    let message = "what was to be written broke off";
                    let error = WorldError::new(ErrorKind::Internal, target.as_str(), message);
                    Some((Err(error), None))
                }
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::sim::{Embedded, Fault, FaultError, FaultPlan};

    fn stage() -> Embedded {
        Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_store("vault")
    }

    fn broken() -> WorldError {
        WorldError::new(ErrorKind::Internal, "worker", "out of paper")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_comes_back_in_full() {
        let world = stage();
        let store = world.store("vault").expect("a store");
        let size = writing(store, "k", |mut sink| {
            let bytes: Vec<u8> = (0..PIECE * 20)
                .map(|at| u8::try_from(at % 251).unwrap_or(0))
                .collect();
            bytes
                .chunks(1000)
                .for_each(|chunk| sink.write_all(chunk).expect("taken"));
            Ok((sink, bytes.len()))
        });
        let size = size.await.expect("written");
        let read = reading(store, "k", |mut body| {
            let mut all = Vec::new();
            body.read_to_end(&mut all).map(|_| all)
        });
        let read = read.await.expect("read").expect("whole");
        assert_eq!(read.len(), size);
        assert!(
            read.iter()
                .enumerate()
                .all(|(at, byte)| usize::from(*byte) == at % 251)
        );
        assert_eq!(
            read_all(store, "k", 1000).await.expect_err("too long").kind,
            ErrorKind::Damaged
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_gives_up_leaves_nothing() {
        let world = stage();
        let store = world.store("vault").expect("a store");
        let failed = writing(store, "k", |mut sink| -> Result<(Outgoing, ()), WorldError> {
            sink.write_all(&vec![0; 3 * PIECE]).expect("taken");
            Err(broken())
        });
        assert_eq!(failed.await, Err(broken()));
        let panicked = writing(store, "k", |mut sink| -> Result<(Outgoing, ()), WorldError> {
            sink.write_all(&vec![0; 3 * PIECE]).expect("taken");
            panic!("a fault of ours")
        });
        assert_eq!(panicked.await.expect_err("told").kind, ErrorKind::Internal);
        assert!(store.keys().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_says_is_what_is_told() {
        let world = stage();
        let store = world.store("vault").expect("a store");
        store.plant("k", "there");
        let taken = writing(store, "k", |sink| Ok((sink, ())));
        assert_eq!(taken.await.expect_err("taken").kind, ErrorKind::Conflict);
        let fault = Fault {
            place: "vault".into(),
            verb: "get".into(),
            what: None,
            nth: 1,
            times: 1,
            error: FaultError::BrokenBody,
        };
        world.script(FaultPlan {
            faults: vec![fault],
            ..FaultPlan::default()
        });
        let read = reading(store, "k", |mut body| body.read_to_end(&mut Vec::new()).is_ok());
        assert_eq!(read.await.expect_err("it broke").kind, ErrorKind::LostReply);
        let some = reading(store, "k", |mut body| body.read(&mut [0]).is_ok());
        assert_eq!(some.await, Ok(true), "who has enough may stop");
    }
}
