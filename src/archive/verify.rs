//! An archive against its manifest: the same objects, byte by byte, and not one byte else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use super::{Archived, Entry, Manifest, Reader, Summary};

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
    let mut reader = Reader::new(archive);
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
    expected: BTreeMap<&'a str, &'a Entry>,
    by_sum: BTreeMap<&'a str, &'a str>,
    found: BTreeSet<&'a str>,
    wrongs: Vec<Wrong>,
}

impl<'a> Check<'a> {
    fn against(manifest: &'a Manifest) -> Self {
        let entries = manifest.objects.iter();
        Self {
            expected: entries
                .clone()
                .map(|entry| (entry.path.as_str(), entry))
                .collect(),
            by_sum: entries
                .map(|entry| (entry.sha256.as_str(), entry.path.as_str()))
                .collect(),
            found: BTreeSet::new(),
            wrongs: Vec::new(),
        }
    }

    fn object(&mut self, archived: &Archived) {
        if let Some((path, entry)) = self.expected.get_key_value(archived.path.as_str()) {
            self.found.insert(path);
            if entry.sha256 != archived.sha256 {
                self.wrongs.push(Wrong::Changed {
                    path: archived.path.clone(),
                });
            }
        } else if let Some(from) = self.by_sum.get(archived.sha256.as_str()) {
            self.found.insert(from);
            self.wrongs.push(Wrong::Moved {
                from: (*from).to_owned(),
                to: archived.path.clone(),
            });
        } else {
            self.wrongs.push(Wrong::Added {
                path: archived.path.clone(),
            });
        }
    }

    fn finish(&mut self, summary: &Summary, manifest: &Manifest) {
        let missing = self.expected.keys().filter(|path| !self.found.contains(*path));
        let wrongs = missing.map(|path| Wrong::Missing {
            path: (*path).to_owned(),
        });
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
