//! Copies one local journal into one mirror, as far as the journal has come, for as long as the run is carried.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::survey::{Unusable, survey};
use super::{Head, Kept, OBJECT_MAX, REQUEST_LIMIT, Shelf, astray, key, prefix, records, within};
use crate::effect::{ErrorKind, WorldError};
use crate::run::aside::aside;
use crate::run::journal;
use crate::run::{Entry, RunId};

/// How long to wait after the first failure; doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// A mirror that was away for an hour is noticed within so long when it is back.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Failures in a row before it is said: one is often a lost packet.
const SAID_AFTER: u32 = 2;

/// How one mirror stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Records that it is known to hold, from the first on.
    pub(super) kept: u64,
    /// Why it is late; `None`: it is not, as far as is known.
    pub(super) trouble: Option<WorldError>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// It is of no use any more in this run.
    pub(super) out: Option<Out>,
}

impl Standing {
    /// Before anything is copied.
    pub(super) fn of(known: Kept) -> Self {
        let kept = match known {
            Kept::Upto(head) => head.records,
            Kept::Unknown | Kept::Astray(_) => 0,
        };
        Self {
            kept,
            ..Self::default()
        }
    }

    /// It may take the next record, as far as is known: one failure is often a lost packet.
    pub(super) const fn is_hopeful(&self) -> bool {
        self.out.is_none() && self.failures < SAID_AFTER
    }

    /// Somebody else has written where this process's next record should be.
    pub(super) const fn is_taken(&self) -> bool {
        matches!(self.out, Some(Out::Taken(_)))
    }
}

/// Why a mirror takes no further records of this process.
#[derive(Clone, Debug)]
pub(super) enum Out {
    /// What it holds is not this journal; as a fragment.
    Damaged(String),
    /// From this record on it holds a story that does not count.
    Astray(u64),
    /// Another process goes on with this run: its first record.
    Taken(Box<Entry>),
}

impl Out {
    /// For people.
    pub(super) fn error(&self, mirror: &str) -> WorldError {
        let (kind, message) = match self {
            Self::Damaged(why) => (ErrorKind::Damaged, format!("it is damaged: {why}")),
            Self::Astray(record) => (ErrorKind::Conflict, astray(*record)),
            Self::Taken(_) => (ErrorKind::Conflict, "another process writes there".to_owned()),
        };
        WorldError::new(kind, mirror, message)
    }
}

/// What people should hear of a mirror.
#[derive(Clone, Debug)]
pub(super) enum News {
    Behind(WorldError),
    CaughtUp,
}

/// What one copy came to.
enum Failed {
    /// Later it may work.
    Trouble(WorldError),
    Out(Out),
}

impl From<WorldError> for Failed {
    fn from(error: WorldError) -> Self {
        Self::Trouble(error)
    }
}

/// Who copies into one mirror.
pub(super) struct Follower {
    pub(super) shelf: Arc<dyn Shelf>,
    /// Its place among the standings.
    pub(super) index: usize,
    pub(super) group: String,
    pub(super) run: RunId,
    /// The local journal.
    pub(super) file: PathBuf,
    pub(super) head: watch::Receiver<Head>,
    pub(super) standings: Arc<watch::Sender<Vec<Standing>>>,
    pub(super) news: mpsc::UnboundedSender<(String, News)>,
}

impl Follower {
    /// `known`: what the mirror is known to hold; if that is not known, it is looked for first.
    pub(super) async fn follow(mut self, known: Kept) {
        let mut kept = match known {
            Kept::Unknown => None,
            Kept::Upto(head) => Some(head),
            Kept::Astray(record) => return self.leave(Out::Astray(record)),
        };
        let mut said = false;
        loop {
            let head = *self.head.borrow_and_update();
            if kept.is_some_and(|kept| kept.records >= head.records) {
                self.even(&mut said);
                if self.head.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let done = match kept {
                None => self.locate(head).await,
                Some(kept) => self.copy(kept, head).await,
            };
            match done {
                Ok(now) => {
                    kept = Some(now);
                    self.stand(|standing| {
                        standing.kept = now.records;
                        standing.trouble = None;
                        standing.failures = 0;
                    });
                }
                Err(Failed::Trouble(error)) => self.rest(error, &mut said).await,
                Err(Failed::Out(out)) => return self.leave(out),
            }
        }
    }

    /// How much the mirror holds already; what it holds has to be the beginning of the local journal.
    async fn locate(&self, head: Head) -> Result<Head, Failed> {
        let found = match survey(&*self.shelf, &self.group, &self.run).await {
            Ok(None) => return Ok(Head::default()),
            Ok(Some(found)) => found,
            Err(Unusable::Unread(error)) => return Err(Failed::Trouble(error)),
            Err(Unusable::Damaged(why)) => return Err(Failed::Out(Out::Damaged(why))),
        };
        let own = self.lines(Head::default(), head).await?;
        if own.starts_with(&found.bytes) {
            return Ok(found.head());
        }
        let same = own
            .split_inclusive(|byte| *byte == b'\n')
            .zip(found.bytes.split_inclusive(|byte| *byte == b'\n'))
            .take_while(|(own, found)| own == found)
            .count();
        // The first one differs: that is another run of this name, and nobody goes on with ours.
        match found.history.entries.into_iter().nth(same).filter(|_| same > 0) {
            Some(other) => Err(Failed::Out(Out::Taken(Box::new(other)))),
            None => Err(Failed::Out(Out::Damaged(
                "it holds another run of this name".to_owned(),
            ))),
        }
    }

    /// Creates the next object.
    async fn copy(&self, kept: Head, head: Head) -> Result<Head, Failed> {
        let lines = self.batch(kept, head).await?;
        let key = key(&prefix(&self.group, &self.run), kept.records);
        let place = &*self.shelf;
        match within(place, REQUEST_LIMIT, place.create(&key, lines.clone())).await {
            Ok(()) => Ok(after(kept, &lines)),
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::LostReply) => {
                self.look(kept, head, &key, error).await
            }
            Err(error) => Err(Failed::Trouble(error)),
        }
    }

    /// Was it our own write? A store that says "conflict" may mean that, and one that says nothing too.
    async fn look(&self, kept: Head, head: Head, key: &str, first: WorldError) -> Result<Head, Failed> {
        let place = &*self.shelf;
        let found = match within(place, REQUEST_LIMIT, place.read(key)).await {
            Ok(found) => found,
            // Nothing was written: the same may be tried again.
            Err(error) if error.kind == ErrorKind::NotFound => return Err(Failed::Trouble(first)),
            Err(error) => return Err(Failed::Trouble(error)),
        };
        let own = self.lines(kept, head).await?;
        if !found.is_empty() && own.starts_with(&found) {
            return Ok(after(kept, &found));
        }
        Err(Failed::Out(judge(kept.records, &own, &found)))
    }

    /// The lines of the next object: as many as fit, at least one.
    async fn batch(&self, kept: Head, head: Head) -> Result<Bytes, Failed> {
        let mut lines = self.lines(kept, head).await?;
        if lines.len() > OBJECT_MAX {
            let end = lines[..OBJECT_MAX].iter().rposition(|byte| *byte == b'\n');
            let Some(end) = end else {
                let message = format!(
                    "record {} has more than {} MiB, and a mirror takes no larger one",
                    kept.records,
                    OBJECT_MAX >> 20
                );
                return Err(WorldError::new(ErrorKind::Rejected, self.shelf.name(), message).into());
            };
            lines.truncate(end + 1);
        }
        Ok(lines)
    }

    /// From the local file, which is durable up to its head.
    async fn lines(&self, from: Head, to: Head) -> Result<Bytes, Failed> {
        let file = self.file.clone();
        let read = aside(move || journal::piece(&file, from.bytes, to.bytes)).await;
        let trouble = |why: String| {
            let message = format!("the local journal cannot be read: {why}");
            Failed::Trouble(WorldError::new(ErrorKind::Internal, self.shelf.name(), message))
        };
        match read {
            Ok(Ok(bytes)) => Ok(bytes.into()),
            Ok(Err(error)) => Err(trouble(error.to_string())),
            Err(error) => Err(trouble(error.to_string())),
        }
    }

    /// The mirror holds everything.
    fn even(&self, said: &mut bool) {
        if std::mem::take(said) {
            self.tell(News::CaughtUp);
        }
    }

    /// Says what is wrong, at most once, and waits.
    async fn rest(&self, error: WorldError, said: &mut bool) {
        let before = self.standings.borrow()[self.index].failures;
        let failures = before.saturating_add(1);
        let lasting = !error.kind.passing();
        self.stand(|standing| {
            standing.trouble = Some(error.clone());
            standing.failures = failures;
        });
        if !*said && (lasting || failures >= SAID_AFTER) {
            *said = true;
            self.tell(News::Behind(error));
        }
        let doubled = PAUSE_MIN.saturating_mul(1 << before.min(8));
        tokio::time::sleep_until(Instant::now() + doubled.min(PAUSE_MAX)).await;
    }

    fn leave(&self, out: Out) {
        match &out {
            Out::Damaged(why) => {
                let error = WorldError::new(ErrorKind::Damaged, self.shelf.name(), why.clone());
                self.tell(News::Behind(error));
            }
            Out::Astray(_) => self.tell(News::Behind(out.error(self.shelf.name()))),
            // What that means depends on the other mirrors.
            Out::Taken(_) => {}
        }
        self.stand(|standing| standing.out = Some(out));
    }

    fn stand(&self, change: impl FnOnce(&mut Standing)) {
        self.standings.send_modify(|all| {
            if let Some(standing) = all.get_mut(self.index) {
                change(standing);
            }
        });
    }

    fn tell(&self, news: News) {
        // Whoever carried the run may have left.
        let _ = self.news.send((self.shelf.name().to_owned(), news));
    }
}

/// Where the next object begins.
fn after(kept: Head, lines: &[u8]) -> Head {
    Head {
        records: kept.records + records(lines),
        bytes: kept.bytes + lines.len() as u64,
    }
}

/// Something else is where our record should be. If it goes on from the same record as ours, another process
/// carries this run; else it is nothing that ever belonged there.
fn judge(first: u64, own: &[u8], found: &[u8]) -> Out {
    let ours = own.split(|byte| *byte == b'\n');
    let theirs = found.split(|byte| *byte == b'\n');
    let same = ours
        .zip(theirs.clone())
        .take_while(|(ours, theirs)| ours == theirs)
        .count();
    let prev = |line: &[u8]| serde_json::from_slice::<Entry>(line).ok();
    let (expected, other) = (
        own.split(|byte| *byte == b'\n').nth(same).and_then(prev),
        theirs.clone().nth(same).and_then(prev),
    );
    match (expected, other) {
        (Some(expected), Some(other)) if expected.prev == other.prev && expected.seq == other.seq => {
            Out::Taken(Box::new(other))
        }
        // It has everything of ours, and more.
        (None, Some(other)) if same > 0 && other.seq == first + same as u64 => Out::Taken(Box::new(other)),
        _ => Out::Damaged(format!("what it holds as record {first} is not of this run")),
    }
}
