//! A journal's bytes as bytes: pieces of it for mirrors, and the way back from a mirror.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::read::parse;
use super::{FILE, Journal, JournalError, make_folders, private, read_file, sync_folder, take_lock};
use crate::run::Operator;

/// The bytes between two places of a file that is only ever appended to.
pub(in crate::run) fn piece(file: &Path, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == to.saturating_sub(from) {
        Ok(bytes)
    } else {
        Err(std::io::Error::other("it is shorter than it was"))
    }
}

/// Puts a journal that was read from a mirror where this machine keeps that run's. One that is there and is
/// not whole is kept beside it; its new name is given back.
///
/// # Errors
///
/// [`JournalError::Held`] while a process has it; [`JournalError::Exists`] where a whole one is there;
/// [`JournalError::Io`].
pub fn put_back(folder: &Path, bytes: &[u8], operator: &Operator) -> Result<Option<PathBuf>, JournalError> {
    make_folders(folder).map_err(|error| JournalError::io("create the folder", folder, error))?;
    let _lock = take_lock(folder, operator)?;
    let file = folder.join(FILE);
    let aside = make_room(folder, &file)?;
    let half = folder.join("journal.half");
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut new = private(options.write(true).create(true).truncate(true)).open(&half)?;
        new.write_all(bytes)?;
        new.sync_all()?;
        std::fs::rename(&half, &file)?;
        sync_folder(folder)
    };
    write().map_err(|error| JournalError::io("write", &file, error))?;
    Ok(aside)
}

/// Evidence is not thrown away, however little of it there is.
fn make_room(folder: &Path, file: &Path) -> Result<Option<PathBuf>, JournalError> {
    match Journal::read(folder) {
        Ok(_) => Err(JournalError::Exists {
            folder: folder.to_owned(),
        }),
        Err(JournalError::Missing { .. }) => Ok(None),
        Err(_) => rename(folder, file, "damaged").map(Some),
    }
}

/// Takes the local journal of a run out of use, because mirrors tell another story; gives back its new name.
///
/// # Errors
///
/// [`JournalError::Held`] while a process has it; [`JournalError::Io`].
pub fn set_aside(folder: &Path, operator: &Operator) -> Result<PathBuf, JournalError> {
    let _lock = take_lock(folder, operator)?;
    rename(folder, &folder.join(FILE), "other")
}

fn rename(folder: &Path, file: &Path, what: &str) -> Result<PathBuf, JournalError> {
    let free = (1..).map(|number| folder.join(format!("journal.{what}-{number}")));
    let aside = free.into_iter().find(|path| !path.exists()).unwrap_or_default();
    std::fs::rename(file, &aside).map_err(|error| JournalError::io("set aside", file, error))?;
    Ok(aside)
}

/// Appends to the local journal of a run what only mirrors hold; gives back how many records that were.
/// `bytes` is what a mirror holds; one of the two has to be the beginning of the other.
///
/// # Errors
///
/// [`JournalError::Forked`] where neither is; [`JournalError::Held`]; [`JournalError::Io`].
pub fn bring_up(folder: &Path, bytes: &[u8], operator: &Operator) -> Result<u64, JournalError> {
    let file = folder.join(FILE);
    if !file.is_file() {
        return Err(JournalError::Missing { path: file });
    }
    let _lock = take_lock(folder, operator)?;
    let all = read_file(&file).map_err(|error| JournalError::io("read", &file, error))?;
    let end = all.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // Of a torn end nobody was told. What a mirror holds too is good, since the mirror's was checked.
    let own = &all[..end];
    if !own.is_empty() && own.starts_with(bytes) {
        return Ok(0);
    }
    let more = match bytes.strip_prefix(own) {
        Some(more) if !own.is_empty() => more,
        _ => return Err(differs(file, &all, bytes)),
    };
    let append = || -> std::io::Result<()> {
        let mut open = OpenOptions::new().append(true).open(&file)?;
        open.set_len(end as u64)?;
        open.write_all(more)?;
        open.sync_all()
    };
    append().map_err(|error| JournalError::io("write", &file, error))?;
    Ok(crate::run::mirror::records(more))
}

/// Why a local journal does not go together with what a mirror holds.
fn differs(file: PathBuf, own: &[u8], bytes: &[u8]) -> JournalError {
    if let Err(error) = parse(&file, own) {
        return error;
    }
    let lines = own
        .split(|byte| *byte == b'\n')
        .zip(bytes.split(|byte| *byte == b'\n'));
    let same = lines.take_while(|(own, other)| own == other).count();
    JournalError::Forked {
        path: file,
        record: same as u64,
    }
}
