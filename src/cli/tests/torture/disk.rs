//! The disks of machines: full, torn, failing to sync, and losing what was not synced with the power.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::chronicle::Happening;
use super::mutant::Mutant;
use super::wire::Plug;
use crate::run::Tape;

/// How much of each journal survives a loss of power.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    safe: Arc<Mutex<BTreeMap<PathBuf, u64>>>,
}

impl Disk {
    fn is_safe(&self, file: &Path, bytes: u64) {
        self.safe.lock().unwrap().insert(file.to_owned(), bytes);
    }

    /// The power goes: of what was not synced, only so many permille are there afterwards.
    pub(super) fn loses_power(&self, file: &Path, permille: u64) {
        let Ok(now) = file.metadata().map(|meta| meta.len()) else {
            return;
        };
        let safe = self.safe.lock().unwrap().get(file).copied().unwrap_or(now);
        let left = safe.min(now) + now.saturating_sub(safe) * permille / 1000;
        let open = OpenOptions::new().write(true).open(file).unwrap();
        open.set_len(left).unwrap();
    }

    /// What a process writes to from here on.
    pub(super) fn tape(
        &self,
        inner: Box<dyn Tape>,
        file: &Path,
        plug: &Plug,
        mutant: Option<Mutant>,
    ) -> Box<dyn Tape> {
        let length = file.metadata().unwrap().len();
        self.is_safe(file, length);
        Box::new(BadTape {
            inner,
            disk: self.clone(),
            file: file.to_owned(),
            length,
            late: Vec::new(),
            lost: false,
            plug: PlugOf(plug.clone()),
            mutant,
        })
    }
}

struct PlugOf(Plug);

impl std::fmt::Debug for PlugOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.who)
    }
}

#[derive(Debug)]
struct BadTape {
    inner: Box<dyn Tape>,
    disk: Disk,
    file: PathBuf,
    length: u64,
    /// Of the mutant that says it is written before it is.
    late: Vec<u8>,
    /// A sync has failed.
    lost: bool,
    plug: PlugOf,
    mutant: Option<Mutant>,
}

impl BadTape {
    fn happens(&self, what: &str, rate: u64) -> bool {
        let plug = &self.plug.0;
        let happens = plug
            .weather
            .draw(&plug.who, what, |dice| dice.below(10_000) < rate);
        let happens = happens && !plug.weather.is_over();
        if happens {
            plug.chronicle
                .write(&plug.who, Happening::Fault(format!("disk: {what}")));
        }
        happens
    }
}

impl Tape for BadTape {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let rates = self.plug.0.weather.rates.clone();
        if self.happens("full", rates.disk_full) {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        if self.happens("short write", rates.short_write) {
            self.inner.append(&bytes[..bytes.len() / 2])?;
            return Err(Error::other("input/output error"));
        }
        if self.mutant == Some(Mutant::WritesLater) {
            let now = std::mem::replace(&mut self.late, bytes.to_vec());
            self.length += now.len() as u64;
            return self.inner.append(&now);
        }
        self.length += bytes.len() as u64;
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        let rate = self.plug.0.weather.rates.sync_fails;
        // What the system could not write is gone for good, and the next sync says yes to it.
        self.lost |= self.happens("sync fails", rate);
        if self.lost && self.mutant != Some(Mutant::SyncErrorIgnored) {
            return Err(Error::other("input/output error"));
        }
        if self.lost || self.mutant == Some(Mutant::NoSync) {
            return Ok(());
        }
        self.inner.sync()?;
        self.disk.is_safe(&self.file, self.length);
        Ok(())
    }
}
