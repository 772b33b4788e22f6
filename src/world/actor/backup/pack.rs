//! What is collected, as an archive that streams into a store.

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use super::choose::Chosen;
use super::collect::{After, collect, plainly};
use super::pages::{RESTARTS_MAX, Trouble, expired};
use super::sieve::{Sieve, Sink};
use crate::archive::{Contents, Keys, LeftOut, WriteError, Writer};
use crate::effect::{Attempt, ErrorKind, Selection, WorldError};
use crate::objects::ApiKind;
use crate::world::actor::bytes::{Pieces, body};
use crate::world::actor::site::Site;
use crate::world::port::{PutMode, Store};

/// Objects between two lines of progress: some seconds on a site far away.
const TOLD_EACH: usize = 5_000;

/// One archive to be made.
pub(super) struct Packing<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) store: &'a dyn Store,
    pub(super) keys: &'a Keys,
    pub(super) selection: &'a Selection,
    pub(super) chosen: &'a Chosen,
    /// What all entries carry.
    pub(super) time: Timestamp,
    pub(super) attempt: &'a Attempt,
}

/// What an archive holds, and what was left out of it.
pub(super) type Packed = (Contents, Vec<LeftOut>);

/// An archive in the making. What is compressed is taken out after each page.
struct Archive {
    writer: Writer<Vec<u8>>,
    store: String,
}

impl Sink for Archive {
    fn take(&mut self, kind: &ApiKind, object: Value) -> Result<(), WorldError> {
        self.writer
            .append(kind, object)
            .map_err(|error| unwritable(&self.store, &error))
    }
}

impl Packing<'_> {
    /// Reads, writes, and begins anew where a listing expired whose first pages are in the archive
    /// already: of what was begun the store keeps nothing.
    pub(super) async fn run(&self) -> Result<Packed, WorldError> {
        for _ in 0..=RESTARTS_MAX {
            match self.attempt().await {
                Ok(packed) => return Ok(packed),
                Err(Trouble::Expired(resource)) => (self.attempt.progress)(format!(
                    "the list of {resource} expired while it was read; beginning anew"
                )),
                Err(trouble) => return Err(plainly(self.site, trouble)),
            }
        }
        Err(expired(self.site, "all kinds"))
    }

    async fn attempt(&self) -> Result<Packed, Trouble> {
        let (pieces, body) = body(self.store);
        let key = self.keys.archive();
        let put = self.store.put(&key, body, PutMode::Create);
        let (put, packed) = tokio::join!(put, self.pack(pieces));
        match (put, packed) {
            // If the store refused, nobody took what was packed, and that is not the cause.
            (Err(error), Ok(_) | Err(Trouble::Unwanted)) => Err(Trouble::World(error)),
            (_, packed) => packed,
        }
    }

    async fn pack(&self, pieces: Pieces) -> Result<Packed, Trouble> {
        let store = self.store.address();
        let sieve = Sieve::new(self.site.name, self.selection, self.chosen);
        let writer = Writer::new(Vec::new(), self.time);
        let writer = writer.map_err(|error| Trouble::World(unwritable(&store, &error)))?;
        let archive = Archive {
            writer,
            store: store.clone(),
        };
        let mut onward = Onward {
            pieces,
            attempt: self.attempt,
            told: 0,
        };
        let (sieve, archive) = collect(self.site, self.chosen, sieve, archive, &mut onward).await?;
        let finished = archive.writer.finish();
        let (rest, contents) = finished.map_err(|error| Trouble::World(unwritable(&store, &error)))?;
        if onward.pieces.send(rest).await && onward.pieces.end().await {
            Ok((contents, sieve.left_out()))
        } else {
            Err(Trouble::Unwanted)
        }
    }
}

/// Hands to the store what was compressed, and tells how far it is.
struct Onward<'a> {
    pieces: Pieces,
    attempt: &'a Attempt,
    told: usize,
}

impl After<Archive> for Onward<'_> {
    fn page<'a>(&'a mut self, archive: &'a mut Archive, taken: usize) -> BoxFuture<'a, bool> {
        if taken / TOLD_EACH > self.told {
            self.told = taken / TOLD_EACH;
            (self.attempt.progress)(format!("{taken} objects read"));
        }
        let bytes = std::mem::take(archive.writer.sink());
        Box::pin(async move { self.pieces.send(bytes).await })
    }
}

fn unwritable(store: &str, error: &WriteError) -> WorldError {
    WorldError::new(ErrorKind::Internal, store, error.to_string()).caused_by(error)
}
