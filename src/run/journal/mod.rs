//! The journal of one run on this machine: `<state>/runs/<run>/journal.jsonl`, one [`Entry`] a line.
//!
//! It keeps what it is given and gives back what it kept; it does not know what events mean.
//!
//! - **Durable**: [`Journal::append`] writes a batch with one `write` and one `fdatasync`, and returns when
//!   it is on the disk.
//! - **Chained**: each entry holds the SHA-256 of the line before it, so a changed, lost or moved line shows.
//! - **One writer**: while it is open, an operating-system lock on the file `lock` beside it is held. It ends
//!   with the process, however that ends.
//! - **Torn tail**: bytes after the last newline were never acknowledged to anybody. [`Journal::open`] cuts
//!   them off and says so. Damage before that is refused: nothing may be done on the word of a journal that
//!   is not whole.
//! - **Poisoned**: after a failed write or sync nothing more is appended by this process. What a failed sync
//!   left on the disk is unknown, and asking again would get a false yes.
//!
//! ## Why
//!
//! - **A lock file of its own.** Locking the journal itself would keep readers out on systems where locks
//!   are mandatory.
//! - **The last line has no successor** that could show a change in it, if it still parses. A checkpoint
//!   outside this machine is what would.
//! - **Network file systems** may claim a lock that they do not keep. The chain then shows two writers
//!   afterwards, but nothing here prevents it.

mod error;
mod lines;
mod read;
mod restore;
mod tape;
#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use read::{History, Torn};
pub(in crate::run) use restore::piece;
pub use restore::{bring_up, put_back, set_aside};
pub use tape::Tape;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use lines::Lines;

use super::id::hex;
use super::mirror::Head;
use super::{Beginning, Entry, Event, Moment, Operator};

/// The name of the file in a run's folder.
const FILE: &str = "journal.jsonl";

/// The name of the file whose lock is held by the one writer.
const LOCK: &str = "lock";

/// An open journal: the right to append to it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    tape: Box<dyn Tape>,
    next_seq: u64,
    /// Of all whole lines.
    bytes: u64,
    /// Hex SHA-256 of the last line.
    head: String,
    poisoned: bool,
    /// Held for its lock.
    _lock: File,
}

impl Journal {
    /// Begins a journal in a folder of its own, `<runs>/<run>`, readable by nobody else. Returns its first
    /// entry, which is durable, and so is the folder.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`] where the run's folder is there; [`JournalError::Io`].
    pub fn create(runs: &Path, beginning: Beginning, now: Moment) -> Result<(Self, Entry), JournalError> {
        let folder = runs.join(&beginning.run.0);
        make_folders(runs).map_err(|error| JournalError::io("create the folder", runs, error))?;
        make_folder(&folder).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => JournalError::Exists {
                folder: folder.clone(),
            },
            _ => JournalError::io("create the folder", &folder, error),
        })?;
        let lock = take_lock(&folder, &beginning.operator)?;
        let path = folder.join(FILE);
        let file = private(OpenOptions::new().append(true).create_new(true))
            .open(&path)
            .map_err(|error| JournalError::io("create", &path, error))?;
        let mut journal = Self::over(folder, file, lock);
        let entries = journal.append(&[Event::Began(Box::new(beginning))], now)?;
        for folder in [journal.folder.as_path(), runs] {
            sync_folder(folder).map_err(|error| JournalError::io("make durable", folder, error))?;
        }
        match entries.into_iter().next() {
            Some(first) => Ok((journal, first)),
            None => Err(JournalError::Poisoned { path }),
        }
    }

    /// Opens the journal of a run to go on with it.
    ///
    /// # Errors
    ///
    /// [`JournalError::Held`] while another process has it; [`JournalError::Missing`],
    /// [`JournalError::Empty`], [`JournalError::Format`], [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn open(folder: &Path, operator: &Operator) -> Result<(Self, History), JournalError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(JournalError::Missing { path });
        }
        let lock = take_lock(folder, operator)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .map_err(|error| JournalError::io("open", &path, error))?;
        let read::Whole { history, head, bytes } = read::parse(&path, BufReader::new(&file))?;
        if let Some(torn) = &history.torn {
            file.set_len(torn.offset)
                .and_then(|()| file.sync_all())
                .map_err(|error| JournalError::io("cut the torn end off", &path, error))?;
        }
        let mut journal = Self::over(folder.to_owned(), file, lock);
        journal.next_seq = u64::try_from(history.entries.len()).unwrap_or(u64::MAX);
        journal.bytes = bytes;
        journal.head = head;
        Ok((journal, history))
    }

    /// Reads the journal of a run, which another process may be writing. Changes nothing: a torn end is
    /// reported and left as it is.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`], but never [`JournalError::Held`].
    pub fn read(folder: &Path) -> Result<History, JournalError> {
        let path = folder.join(FILE);
        match File::open(&path) {
            Ok(file) => Ok(read::parse(&path, BufReader::new(file))?.history),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(JournalError::Missing { path }),
            Err(error) => Err(JournalError::io("read", &path, error)),
        }
    }

    /// Whether a process has the journal of this run open.
    pub fn is_held(folder: &Path) -> bool {
        let lock = OpenOptions::new().read(true).write(true).open(folder.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that mirrors copy.
    pub(in crate::run) fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// How far it has come, durably.
    pub(in crate::run) fn head(&self) -> Head {
        Head {
            records: self.next_seq,
            bytes: self.bytes,
        }
    }

    /// Appends events with one stamp. When it returns they are on the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`], and from then on [`JournalError::Poisoned`].
    pub fn append(&mut self, events: &[Event], now: Moment) -> Result<Vec<Entry>, JournalError> {
        let path = self.folder.join(FILE);
        if self.poisoned {
            return Err(JournalError::Poisoned { path });
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // Whatever happens from here on, only a complete success makes the journal usable again.
        self.poisoned = true;
        let (entries, bytes) = self
            .write(events, now)
            .map_err(|error| JournalError::io("write", &path, error))?;
        self.tape
            .sync()
            .map_err(|error| JournalError::io("make durable", &path, error))?;
        self.next_seq = self
            .next_seq
            .saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        self.bytes = self.bytes.saturating_add(bytes);
        self.poisoned = false;
        Ok(entries)
    }

    /// The entries, and how many bytes they have. If it fails, nothing that it has changed is used again.
    fn write(&mut self, events: &[Event], now: Moment) -> std::io::Result<(Vec<Entry>, u64)> {
        let mut entries = Vec::with_capacity(events.len());
        let mut lines = Lines::on(&mut *self.tape);
        for (seq, event) in (self.next_seq..).zip(events) {
            let entry = Entry {
                seq,
                at: now.at,
                elapsed_ms: now.elapsed_ms,
                prev: std::mem::take(&mut self.head),
                event: event.clone(),
            };
            self.head = lines.push(&entry)?;
            entries.push(entry);
        }
        Ok((entries, lines.end()?))
    }

    /// Has everything from here on written through something else, that hands it on or does not.
    pub(in crate::run) fn through(&mut self, wrap: impl FnOnce(Box<dyn Tape>) -> Box<dyn Tape>) {
        let tape = std::mem::replace(&mut self.tape, Box::new(tape::Nowhere));
        self.tape = wrap(tape);
    }

    fn over(folder: PathBuf, file: File, lock: File) -> Self {
        Self {
            folder,
            tape: Box::new(file),
            next_seq: 0,
            bytes: 0,
            head: String::new(),
            poisoned: false,
            _lock: lock,
        }
    }
}

/// Reads a journal that is in no file of this machine; `name` stands for it in errors.
///
/// # Errors
///
/// As [`Journal::read`].
pub(in crate::run) fn parse(name: &Path, bytes: &[u8]) -> Result<History, JournalError> {
    read::parse(name, bytes).map(|whole| whole.history)
}

/// Hex SHA-256 of a line without its newline.
fn digest(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

/// Takes the lock or says who has it. The file's content is for people only.
pub(in crate::run) fn take_lock(folder: &Path, operator: &Operator) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let io = |error| JournalError::io("lock", &path, error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = private(&mut options).open(&path).map_err(io)?;
    match wait_for_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = read_file(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let folder = folder.to_owned();
            return Err(JournalError::Held { folder, owner });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let words = serde_json::to_vec(operator).unwrap_or_default();
    file.set_len(0)
        .and_then(|()| file.write_all(&words))
        .map_err(io)?;
    Ok(file)
}

/// [`Journal::is_held`] of another process holds the lock for an instant; an owner holds it for longer.
fn wait_for_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..5 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(10)),
            answer => return answer,
        }
    }
    file.try_lock()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the journal is one of the places that touch files"
)]
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// For its owner only: a journal names servers and people.
#[cfg(unix)]
pub(in crate::run) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
pub(in crate::run) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a folder and what is missing above it, all of it durable: a journal in a folder whose name is
/// lost with the power is lost itself.
pub(in crate::run) fn make_folders(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make_folders(parent)?;
    match make_folder(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the names in a folder durable; where folders cannot be opened, the system does it by itself.
pub(in crate::run) fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}
