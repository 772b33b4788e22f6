//! All mirrors of one run: what they hold, what is thereby released, and who is late.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::follow::{Follower, News, Out, Standing};
use super::{Head, Kept, Shelf};
use crate::effect::{ErrorKind, WorldError};
use crate::run::{Entry, Event, Operator, RunId};
use crate::runbook::Release;

/// How long a record may wait for the mirrors that have to hold it. A store that restarts is back by then;
/// somebody who waits for a failover has not yet given up.
pub(in crate::run) const PATIENCE: Duration = Duration::from_secs(30);

/// How long mirrors that are not needed for the release may take to get the last records at the end.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// The mirrors that an inventory names, before a run is carried.
#[derive(Clone)]
pub struct Fleet {
    /// In the order of the inventory.
    pub shelves: Vec<Arc<dyn Shelf>>,
    /// What has to hold a record.
    pub release: Release,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.shelves.iter().map(|shelf| shelf.name()).collect();
        f.debug_struct("Fleet")
            .field("shelves", &names)
            .field("release", &self.release)
            .finish()
    }
}

/// Too few mirrors hold a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Unreleased {
    /// The rule.
    pub release: Release,
    /// How many mirrors have to hold it.
    pub needed: usize,
    /// How many do.
    pub kept: usize,
    /// Those that do not, and why not.
    pub lacking: Vec<(String, WorldError)>,
}

impl Unreleased {
    fn words(&self) -> String {
        let lacking: Vec<String> = self
            .lacking
            .iter()
            .map(|(name, error)| format!("{name}: {}", error.message))
            .collect();
        format!(
            "{} of {} mirrors hold the journal's last record, and `{}` asks for {} ({})",
            self.kept,
            self.kept + self.lacking.len(),
            self.release.word(),
            self.needed,
            lacking.join("; ")
        )
    }
}

/// Another process goes on with this run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Superseded {
    /// The mirror that shows it.
    pub mirror: String,
    /// The first record that is not ours.
    pub record: Box<Entry>,
}

impl Superseded {
    /// Who carries it now, where the record says that.
    pub fn operator(&self) -> Option<&Operator> {
        match &self.record.event {
            Event::Resumed { operator } => Some(operator),
            _ => None,
        }
    }

    fn words(&self) -> String {
        let who = self.operator().map_or_else(
            || "another process".to_owned(),
            |operator| {
                format!(
                    "{} on {} (process {})",
                    operator.name, operator.host, operator.pid
                )
            },
        );
        format!(
            "{who} has taken this run over: record {} in mirror {} is not ours",
            self.record.seq, self.mirror
        )
    }
}

/// A mirror that does not hold everything when the process leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Its name.
    pub mirror: String,
    /// Records that it lacks.
    pub records: u64,
    /// Why.
    pub why: WorldError,
}

/// What keeps a record from being released.
#[derive(Debug)]
pub(in crate::run) enum NotReleased {
    TooFew(Unreleased),
    Taken(Superseded),
}

/// The mirrors of a run that is carried. Dropped, they stop where they are.
#[derive(Debug)]
pub(in crate::run) struct Mirrors {
    names: Vec<String>,
    release: Release,
    head: watch::Sender<Head>,
    /// To change how one stands by what the others hold.
    stands: Arc<watch::Sender<Vec<Standing>>>,
    standings: watch::Receiver<Vec<Standing>>,
    tell: mpsc::UnboundedSender<(String, News)>,
    news: mpsc::UnboundedReceiver<(String, News)>,
    _followers: JoinSet<()>,
}

impl Mirrors {
    /// Begins to copy. `kept` is what each mirror is known to hold.
    pub(in crate::run) fn start(
        fleet: &Fleet,
        group: &str,
        run: &RunId,
        file: &Path,
        kept: &[Kept],
        head: Head,
    ) -> Self {
        let (head, heads) = watch::channel(head);
        let known = |index: usize| kept.get(index).copied().unwrap_or(Kept::Unknown);
        let first = (0..fleet.shelves.len()).map(|index| Standing::of(known(index)));
        let (standings, seen) = watch::channel(first.collect::<Vec<_>>());
        let (standings, (tell, news)) = (Arc::new(standings), mpsc::unbounded_channel());
        let mut followers = JoinSet::new();
        for (index, shelf) in fleet.shelves.iter().enumerate() {
            let follower = Follower {
                shelf: shelf.clone(),
                index,
                group: group.to_owned(),
                run: run.clone(),
                file: file.to_owned(),
                head: heads.clone(),
                standings: standings.clone(),
                news: tell.clone(),
            };
            followers.spawn(follower.follow(known(index)));
        }
        Self {
            names: fleet
                .shelves
                .iter()
                .map(|shelf| shelf.name().to_owned())
                .collect(),
            release: fleet.release,
            head,
            stands: standings,
            standings: seen,
            tell,
            news,
            _followers: followers,
        }
    }

    /// The journal has come so far, durably.
    pub(in crate::run) fn advance(&self, head: Head) {
        self.head.send_replace(head);
    }

    /// Waits until everything up to the head is released.
    ///
    /// A strange record in one mirror does not end the run by itself: whoever wrote it may have reached no other, and then
    /// nobody would go on. As long as enough others may still take ours, they decide.
    pub(in crate::run) async fn released(&mut self, until: Instant) -> Result<(), NotReleased> {
        loop {
            self.pass_over();
            if self.is_kept() {
                return Ok(());
            }
            let waited = !self.hopeless()
                && matches!(
                    tokio::time::timeout_at(until, self.standings.changed()).await,
                    Ok(Ok(()))
                );
            if !waited {
                return Err(self
                    .taken()
                    .map_or_else(|| NotReleased::TooFew(self.unreleased()), NotReleased::Taken));
            }
        }
    }

    /// Whether enough mirrors hold everything, and none a record that may count instead of ours.
    fn is_kept(&self) -> bool {
        let records = self.head.borrow().records;
        let standings = self.standings.borrow();
        let kept = standings.iter().filter(|standing| standing.kept >= records);
        kept.count() >= self.needed() && !standings.iter().any(Standing::is_taken)
    }

    /// Who goes on with the run instead of this process.
    fn taken(&self) -> Option<Superseded> {
        let standings = self.standings.borrow();
        let mut taken = self.names.iter().zip(standings.iter());
        taken.find_map(|(name, standing)| match &standing.out {
            Some(Out::Taken(record)) => Some(Superseded {
                mirror: name.clone(),
                record: record.clone(),
            }),
            _ => None,
        })
    }

    fn needed(&self) -> usize {
        self.release.needed(self.names.len())
    }

    /// Of two records in the same place only one can be released: more than half of the mirrors have to hold it.
    fn majority(&self) -> bool {
        2 * self.needed() > self.names.len()
    }

    /// Mirrors whose strange record has lost: enough of the others hold ours in its place, so that it can never be
    /// released. Where fewer than half are enough for that, both may be, and it never is so.
    fn pass_over(&self) {
        if !self.majority() {
            return;
        }
        let needed = self.needed();
        let mut astray = Vec::new();
        self.stands.send_if_modified(|standings| {
            let kept: Vec<u64> = standings.iter().map(|standing| standing.kept).collect();
            let is_ours = |seq: u64| kept.iter().filter(|kept| **kept > seq).count() >= needed;
            for (standing, name) in standings.iter_mut().zip(&self.names) {
                let seq = match &standing.out {
                    Some(Out::Taken(record)) if is_ours(record.seq) => record.seq,
                    _ => continue,
                };
                standing.out = Some(Out::Astray(seq));
                astray.push((name.clone(), Out::Astray(seq).error(name)));
            }
            !astray.is_empty()
        });
        for (mirror, error) in astray {
            // This end reads it as well.
            let _ = self.tell.send((mirror, News::Behind(error)));
        }
    }

    /// Waiting cannot help: too few mirrors can be used, or one that was taken over is enough.
    fn hopeless(&self) -> bool {
        let standings = self.standings.borrow();
        let usable = standings.iter().filter(|standing| standing.out.is_none()).count();
        usable < self.needed() || (!self.majority() && standings.iter().any(Standing::is_taken))
    }

    fn unreleased(&self) -> Unreleased {
        let lags = self.lags();
        Unreleased {
            release: self.release,
            needed: self.needed(),
            kept: self.names.len() - lags.len(),
            lacking: lags.into_iter().map(|lag| (lag.mirror, lag.why)).collect(),
        }
    }

    /// The mirrors that do not hold everything.
    pub(in crate::run) fn lags(&self) -> Vec<Lag> {
        let records = self.head.borrow().records;
        let standings = self.standings.borrow();
        let late = self
            .names
            .iter()
            .zip(standings.iter())
            .filter(|(_, standing)| standing.kept < records);
        late.map(|(name, standing)| Lag {
            mirror: name.clone(),
            records: records - standing.kept,
            why: reason(name, standing),
        })
        .collect()
    }

    /// What there is to say of a mirror; waits for it.
    pub(in crate::run) async fn news(&mut self) -> Event {
        match self.news.recv().await {
            Some((mirror, News::Behind(error))) => Event::MirrorBehind { mirror, error },
            Some((mirror, News::CaughtUp)) => Event::MirrorCaughtUp { mirror },
            None => std::future::pending().await,
        }
    }

    /// Gives the last records a little time, also to a mirror that refuses one of them once, and says which mirrors lack some
    /// all the same. One that has been failing is not waited for.
    pub(in crate::run) async fn settle(mut self) -> Vec<Lag> {
        let until = Instant::now() + SETTLE_LIMIT;
        loop {
            let records = self.head.borrow().records;
            let coming = |standing: &Standing| standing.kept < records && standing.is_hopeful();
            let under_way = self.standings.borrow().iter().any(coming);
            let over = !under_way
                || !matches!(
                    tokio::time::timeout_at(until, self.standings.changed()).await,
                    Ok(Ok(()))
                );
            if over {
                return self.lags();
            }
        }
    }
}

fn reason(name: &str, standing: &Standing) -> WorldError {
    match (&standing.out, &standing.trouble) {
        (Some(out), _) => out.error(name),
        (None, Some(trouble)) => trouble.clone(),
        (None, None) => WorldError::new(ErrorKind::NotYet, name, "it has not answered yet"),
    }
}
