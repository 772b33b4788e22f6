//! An archive against its manifest: the same objects, byte by byte, and not one byte else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use super::{Archived, Entries, Manifest, Reader, Summary};

/// One thing that is wrong with an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An object is not what was written.
    Changed {
        /// Which.
        path: String,
    },
    /// An object is not there.
    Missing {
        /// Which.
        path: String,
    },
    /// An object is there that was not written.
    Added {
        /// Which.
        path: String,
    },
    /// An object of the same content is there under another path.
    Moved {
        /// As it was written.
        from: String,
        /// As it is there.
        to: String,
    },
    /// The archive could not be read to its end; what follows was not looked at.
    Unreadable {
        /// The reader's words.
        why: String,
    },
    /// All objects are right, and still it is not the file that was written.
    OtherFile {
        /// SHA-256 that was written.
        expected: String,
        /// SHA-256 that is there.
        found: String,
    },
}

/// More would not help anybody to decide.
const WRONGS_MAX: usize = 10;

/// Reads the whole archive and compares it with its manifest.
///
/// # Errors
///
/// The first things that are wrong, at most ten, never none.
pub fn verify<R: Read>(archive: R, manifest: &Manifest) -> Result<Summary, Vec<Wrong>> {
    let mut check = Check::against(manifest);
    // The checksum says more than the object would.
    let mut reader = Reader::new(archive).without_objects();
    for archived in reader.by_ref() {
        match archived {
            Ok(archived) => check.object(&archived),
            Err(error) => {
                let why = chain(&error);
                check.wrongs.push(Wrong::Unreadable { why });
                return Err(check.wrongs);
            }
        }
        if check.wrongs.len() >= WRONGS_MAX {
            return Err(check.wrongs);
        }
    }
    let summary = reader.summary().clone();
    check.finish(&summary, manifest);
    if check.wrongs.is_empty() {
        Ok(summary)
    } else {
        Err(check.wrongs)
    }
}

struct Check<'a> {
    entries: &'a Entries,
    /// So many came as they are in the manifest: the order there is that of the archive.
    in_step: usize,
    /// Made when the first one did not.
    search: Option<Search<'a>>,
    wrongs: Vec<Wrong>,
}

/// Finds entries in an archive whose order is not the manifest's.
struct Search<'a> {
    entries: &'a Entries,
    /// Positions by path.
    expected: BTreeMap<String, usize>,
    /// Positions by checksum.
    by_sum: BTreeMap<&'a [u8; 32], usize>,
    /// Positions.
    found: BTreeSet<usize>,
}

impl<'a> Check<'a> {
    fn against(manifest: &'a Manifest) -> Self {
        Self {
            entries: &manifest.objects,
            in_step: 0,
            search: None,
            wrongs: Vec::new(),
        }
    }

    fn object(&mut self, archived: &Archived) {
        let next = self.entries.get(self.in_step).filter(|_| self.search.is_none());
        if let Some(entry) = next.filter(|entry| entry.is_at(&archived.path)) {
            self.in_step += 1;
            let equal = *entry.sha256 == archived.sha256;
            self.wrongs.extend((!equal).then(|| Wrong::Changed {
                path: archived.path.clone(),
            }));
        } else {
            let (entries, in_step) = (self.entries, self.in_step);
            let search = self.search.get_or_insert_with(|| Search::after(entries, in_step));
            self.wrongs.extend(search.object(archived));
        }
    }

    fn finish(&mut self, summary: &Summary, manifest: &Manifest) {
        let search = &self.search;
        let missing = (self.in_step..self.entries.len()).filter(|at| {
            let found = |search: &Search<'_>| search.found.contains(at);
            !search.as_ref().is_some_and(found)
        });
        let missing = missing.filter_map(|at| self.entries.get(at));
        let wrongs = missing.map(|entry| Wrong::Missing { path: entry.path() });
        self.wrongs.extend(wrongs.take(WRONGS_MAX));
        self.wrongs.truncate(WRONGS_MAX);
        if self.wrongs.is_empty() && summary.archive != manifest.archive {
            self.wrongs.push(Wrong::OtherFile {
                expected: manifest.archive.sha256.clone(),
                found: summary.archive.sha256.clone(),
            });
        }
    }
}

impl<'a> Search<'a> {
    /// The first ones were found already.
    fn after(entries: &'a Entries, found: usize) -> Self {
        let paths = entries.iter().map(|entry| entry.path());
        Self {
            entries,
            expected: paths.zip(0..).collect(),
            by_sum: entries.iter().map(|entry| entry.sha256).zip(0..).collect(),
            found: (0..found).collect(),
        }
    }

    fn object(&mut self, archived: &Archived) -> Option<Wrong> {
        let path = archived.path.clone();
        let entry = |at: &usize| self.entries.get(*at);
        if let Some(&at) = self.expected.get(&archived.path) {
            self.found.insert(at);
            let equal = entry(&at).is_some_and(|entry| *entry.sha256 == archived.sha256);
            return (!equal).then_some(Wrong::Changed { path });
        }
        let Some(&at) = self.by_sum.get(&archived.sha256) else {
            return Some(Wrong::Added { path });
        };
        self.found.insert(at);
        let from = entry(&at).map(|entry| entry.path()).unwrap_or_default();
        Some(Wrong::Moved { from, to: path })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |source| format!("{error}: {}", chain(source)),
    )
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { path } => write!(f, "{path} is not what was written"),
            Self::Missing { path } => write!(f, "{path} is missing"),
            Self::Added { path } => write!(f, "{path} was not written by lifeboat"),
            Self::Moved { from, to } => write!(f, "{from} is now {to}"),
            Self::Unreadable { why } => f.write_str(why),
            Self::OtherFile { expected, found } => {
                write!(
                    f,
                    "all objects are right, but the archive has SHA-256 {found} instead of {expected}"
                )
            }
        }
    }
}
