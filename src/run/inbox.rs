//! Orders from other processes: `<run>/inbox/`.
//!
//! Only the process that holds a run's journal may append to it. Another one that has an order puts it into
//! the inbox; the driver takes it, follows or refuses it, and answers beside it:
//!
//! ```text
//! <name>.json      an order, complete (written elsewhere and renamed)
//! <name>.taken     the driver has it
//! <name>.followed  it is in the journal
//! <name>.refused   it is not, and why
//! ```
//!
//! ## Why taken before followed
//!
//! An order must not be followed twice: a second `retry` of an effect that cannot be repeated would be a
//! retry that nobody ordered. So the driver renames it first. If the driver dies between the two, the order
//! may be lost; whoever gave it is told that this is not known, and looks.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::{self, Journal, JournalError};
use super::{Engine, Entry, IllegalEvent, Operator, Order, Refused, Timekeeper, short_id};

/// An order is a few hundred bytes; more is a mistake or an attack.
const ORDER_MAX: u64 = 64 * 1024;

/// How often whoever gave an order looks for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The inbox of one run.
#[derive(Clone, Debug)]
pub struct Inbox {
    folder: PathBuf,
}

/// One order in the inbox: its name without an ending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slip(String);

/// How an order was followed.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// No process drives the run, so this one wrote the order into the journal. `lifeboat resume` goes on.
    Recorded(Box<Entry>),
    /// The process that drives the run has it in the journal.
    Followed,
}

/// Why an order was not followed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The run's present state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal makes no sense.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// The process that drives the run did not take it; it was withdrawn, and nothing has happened.
    #[error("the process that drives the run did not take the order; it was withdrawn")]
    NotTaken,
    /// The process that drives the run took it and did not answer.
    #[error(
        "the process that drives the run took the order and did not answer: it is not known whether it was followed"
    )]
    Unanswered,
}

/// Gives an order to a run: to the process that drives it, or, if there is none, to its journal.
///
/// Waits at most `patience` for an answer.
///
/// # Errors
///
/// See [`SubmitError`]; only [`SubmitError::Unanswered`] leaves open whether it was followed.
pub async fn submit(
    run: &Path,
    order: &Order,
    operator: &Operator,
    patience: Duration,
) -> Result<Submitted, SubmitError> {
    if let Some(done) = record_here(run, order, operator)? {
        return Ok(done);
    }
    let inbox = Inbox::of(run);
    let slip = inbox.put(order).map_err(JournalError::from)?;
    let until = tokio::time::Instant::now() + patience;
    loop {
        if let Some(answer) = inbox.collect(&slip) {
            return Ok(answer.map(|()| Submitted::Followed)?);
        }
        let late = tokio::time::Instant::now() >= until;
        // The driver may have left: then the order is still ours to withdraw, and to record.
        if (late || !Journal::is_held(run)) && inbox.withdraw(&slip) {
            return match record_here(run, order, operator)? {
                Some(done) => Ok(done),
                None => Err(SubmitError::NotTaken),
            };
        }
        if late {
            return Err(SubmitError::Unanswered);
        }
        pause(LOOK_EVERY).await;
    }
}

/// `None`: another process has the journal.
fn record_here(run: &Path, order: &Order, operator: &Operator) -> Result<Option<Submitted>, SubmitError> {
    let (mut journal, history) = match Journal::open(run, operator) {
        Ok(open) => open,
        Err(JournalError::Held { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let event = Engine::replay(&history.entries)?.order(order)?;
    let now = Timekeeper::resume(&history.entries).now();
    let entry = journal.append(&[event], now)?.pop();
    Ok(entry.map(|entry| Submitted::Recorded(Box::new(entry))))
}

#[expect(
    clippy::disallowed_methods,
    reason = "waiting for another process, outside of any run"
)]
async fn pause(for_this: Duration) {
    tokio::time::sleep(for_this).await;
}

impl Inbox {
    /// The inbox in a run's folder.
    pub fn of(run: &Path) -> Self {
        Self {
            folder: run.join("inbox"),
        }
    }

    /// Makes it ready for a driver. What an earlier driver took and did not answer is answered: not known.
    pub(super) fn open(&self) -> std::io::Result<()> {
        journal::make_folders(&self.folder)?;
        for slip in self.slips("taken")? {
            let refused = Refused::new(
                "the process that took this order ended before it answered; look at the journal, then give it again if it is not there",
            );
            self.answer(&slip, &Err(refused));
        }
        Ok(())
    }

    /// Takes all orders, oldest first.
    pub(super) fn take(&self) -> Vec<(Slip, Result<Order, Refused>)> {
        let slips = self.slips("json").unwrap_or_default();
        let claim = |slip: &Slip| std::fs::rename(self.path(slip, "json"), self.path(slip, "taken")).is_ok();
        let claimed = slips.into_iter().filter(claim);
        claimed
            .map(|slip| {
                let order = self.read_order(&slip);
                (slip, order)
            })
            .collect()
    }

    /// Says what became of an order. If that cannot be said, whoever gave it finds out that it is not known.
    pub(super) fn answer(&self, slip: &Slip, answer: &Result<(), Refused>) {
        let (ending, words) = match answer {
            Ok(()) => ("followed", Vec::new()),
            Err(refused) => ("refused", serde_json::to_vec(refused).unwrap_or_default()),
        };
        if self.write(slip, ending, &words).is_ok() {
            drop(std::fs::remove_file(self.path(slip, "taken")));
        }
    }

    /// Puts an order in.
    fn put(&self, order: &Order) -> std::io::Result<Slip> {
        journal::make_folders(&self.folder)?;
        let millis = Timekeeper::begin().now().at.as_millisecond();
        let slip = Slip(format!("{millis}-{}-{}", std::process::id(), short_id()));
        self.write(&slip, "json", &serde_json::to_vec(order)?)?;
        Ok(slip)
    }

    /// The answer to an order, which is removed.
    fn collect(&self, slip: &Slip) -> Option<Result<(), Refused>> {
        let (followed, refused) = (self.path(slip, "followed"), self.path(slip, "refused"));
        if followed.exists() {
            drop(std::fs::remove_file(followed));
            return Some(Ok(()));
        }
        let words = read_small(&refused).ok()?;
        drop(std::fs::remove_file(refused));
        let refusal = serde_json::from_slice(&words);
        Some(Err(refusal.unwrap_or_else(|_| {
            Refused::new("it was refused, and the reason cannot be read")
        })))
    }

    /// Takes an order back that nobody has taken.
    fn withdraw(&self, slip: &Slip) -> bool {
        std::fs::remove_file(self.path(slip, "json")).is_ok()
    }

    fn read_order(&self, slip: &Slip) -> Result<Order, Refused> {
        let words = read_small(&self.path(slip, "taken"))
            .map_err(|error| Refused::new(format!("the order cannot be read: {error}")))?;
        serde_json::from_slice(&words).map_err(|error| Refused::new(format!("this is not an order: {error}")))
    }

    /// Nobody ever sees half a file.
    fn write(&self, slip: &Slip, ending: &str, words: &[u8]) -> std::io::Result<()> {
        let half = self.path(slip, "half");
        let mut options = OpenOptions::new();
        let mut file = journal::private(options.write(true).create(true).truncate(true)).open(&half)?;
        file.write_all(words)?;
        file.sync_all()?;
        std::fs::rename(half, self.path(slip, ending))
    }

    /// Names are put together from a time and a process: plain sorting is oldest first, near enough.
    fn slips(&self, ending: &str) -> std::io::Result<Vec<Slip>> {
        let mut slips = Vec::new();
        for item in std::fs::read_dir(&self.folder)? {
            let path = item?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let Some(stem) = stem
                && path.extension().is_some_and(|found| found == ending)
            {
                slips.push(Slip(stem.to_owned()));
            }
        }
        slips.sort();
        Ok(slips)
    }

    fn path(&self, slip: &Slip, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", slip.0))
    }
}

fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut words = Vec::new();
    OpenOptions::new()
        .read(true)
        .open(path)?
        .take(ORDER_MAX)
        .read_to_end(&mut words)?;
    Ok(words)
}
