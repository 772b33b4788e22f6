//! Declared incidents: when the clock of a recovery group started, who said so, and which runs took it up.
//!
//! One record is one small file, `<state>/incidents/<group>/<when>-<id>.json`, and one object of the same name in
//! each mirror of journals. Records are only ever created, so a place that was away lacks some and never
//! contradicts another; the state is a fold over all of them.
//!
//! It decides nothing about a run: the declaration that a run took up stands in the run's own first record.
//!
//! ## Why
//!
//! - **A record of its own, before any run.** The time to decide is a part of what customers wait, and while
//!   people decide there is no run whose journal could hold it.
//! - **Open until a run has recovered, or a person withdraws it.** A failover that was refused or failed does not
//!   end the incident: the next one is measured from the same moment.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal;
use super::mirror::{Fleet, LIST_LIMIT, REQUEST_LIMIT, Shelf, within};
use super::{RunId, short_id};
use crate::effect::{ErrorKind, WorldError};

/// A record is a few hundred bytes; more is a mistake or an attack.
const RECORD_MAX: u64 = 64 * 1024;

/// The folder of all groups' records, here and in mirrors.
const FOLDER: &str = "incidents";

/// Somebody said that the service is down and has to be recovered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Declaration {
    /// Tells it from the group's others.
    pub id: String,
    /// When the clock started.
    pub at: Timestamp,
    /// When that was written down: later, where somebody gave an earlier time.
    pub recorded_at: Timestamp,
    /// Who.
    pub by: String,
    /// On which machine.
    pub host: String,
    /// Mandatory.
    pub reason: String,
    /// What the runbook gave for the decision, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_within_ms: Option<u64>,
}

/// One thing that happened to the incidents of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Version of this format.
    pub format: u32,
    /// The recovery group: the runbook's name.
    pub group: String,
    /// When it was written down.
    pub recorded_at: Timestamp,
    /// What.
    pub what: Happened,
}

impl Notice {
    /// The format that this binary writes.
    pub const FORMAT: u32 = 1;
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Happened {
    /// The clock was started.
    Declared(Declaration),
    /// It was no incident, or it is over without a run.
    Withdrawn {
        /// Which declaration.
        id: String,
        /// Who.
        by: String,
        /// Mandatory.
        reason: String,
    },
    /// A run began that is measured from it.
    TakenUp {
        /// Which declaration.
        id: String,
        /// The run.
        run: RunId,
    },
    /// That run has recovered the service: the incident is over.
    Recovered {
        /// Which declaration.
        id: String,
        /// The run.
        run: RunId,
    },
}

/// A declaration that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The declaration.
    pub declared: Declaration,
    /// Runs that took it up, in their order; none of them has recovered.
    pub runs: Vec<RunId>,
}

/// The declaration that stands, by all records of a group in any order; `None`: there is none.
///
/// Where two stand, because two machines could not see each other, the clock started with the earlier one.
pub fn standing(notices: &[Notice]) -> Option<Incident> {
    let over = |id: &str| {
        notices.iter().any(|notice| match &notice.what {
            Happened::Withdrawn { id: of, .. } | Happened::Recovered { id: of, .. } => of == id,
            Happened::Declared(_) | Happened::TakenUp { .. } => false,
        })
    };
    let declared = notices.iter().filter_map(|notice| match &notice.what {
        Happened::Declared(declared) if !over(&declared.id) => Some(declared),
        _ => None,
    });
    let declared = declared
        .min_by_key(|declared| (declared.at, declared.recorded_at))?
        .clone();
    let mut taken: Vec<(Timestamp, RunId)> = notices
        .iter()
        .filter_map(|notice| match &notice.what {
            Happened::TakenUp { id, run } if *id == declared.id => Some((notice.recorded_at, run.clone())),
            _ => None,
        })
        .collect();
    taken.sort();
    taken.dedup_by(|one, other| one.1 == other.1);
    Some(Incident {
        declared,
        runs: taken.into_iter().map(|(_, run)| run).collect(),
    })
}

/// The records of this machine.
#[derive(Clone, Debug)]
pub struct Incidents {
    folder: PathBuf,
}

impl Incidents {
    /// In the folder of a machine's state.
    pub fn of(state: &Path) -> Self {
        Self {
            folder: state.join(FOLDER),
        }
    }

    /// Groups of which there are records, sorted.
    ///
    /// # Errors
    ///
    /// The folder is there and cannot be read.
    pub fn groups(&self) -> std::io::Result<Vec<String>> {
        let mut names = names_in(&self.folder)?;
        names.retain(|name| crate::text::is_name(name));
        Ok(names)
    }

    /// All records of a group, oldest first.
    ///
    /// # Errors
    ///
    /// One of them cannot be read: half of what people declared is not what they declared.
    pub fn read(&self, group: &str) -> std::io::Result<Vec<Notice>> {
        let folder = self.folder.join(group);
        let names = names_in(&folder)?.into_iter().filter(|name| is_record(name));
        names.map(|name| read_notice(&folder.join(name))).collect()
    }

    /// Makes a record durable, and gives back its name.
    ///
    /// # Errors
    ///
    /// It is not on the disk.
    pub fn keep(&self, notice: &Notice) -> std::io::Result<String> {
        let folder = self.folder.join(&notice.group);
        journal::make_folders(&folder)?;
        let name = name_of(notice);
        let half = folder.join(format!("{name}.half"));
        let mut file = journal::private(OpenOptions::new().write(true).create_new(true)).open(&half)?;
        file.write_all(&serde_json::to_vec(notice)?)?;
        file.sync_all()?;
        std::fs::rename(&half, folder.join(&name))?;
        journal::sync_folder(&folder)?;
        Ok(name)
    }
}

/// Keys sort like times, and two records of one millisecond differ.
fn name_of(notice: &Notice) -> String {
    format!(
        "{:013}-{}.json",
        notice.recorded_at.as_millisecond().max(0),
        short_id()
    )
}

fn is_record(name: &str) -> bool {
    let stem = name.strip_suffix(".json").and_then(|stem| stem.split_once('-'));
    stem.is_some_and(|(digits, _)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Sorted; none where there is no such folder.
fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn read_notice(path: &Path) -> std::io::Result<Notice> {
    let mut text = Vec::new();
    OpenOptions::new()
        .read(true)
        .open(path)?
        .take(RECORD_MAX)
        .read_to_end(&mut text)?;
    let named = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    parse(&text).map_err(|why| named(format!("{}: {why}", path.display())))
}

fn parse(text: &[u8]) -> Result<Notice, String> {
    let notice: Notice = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match notice.format {
        Notice::FORMAT => Ok(notice),
        other => Err(format!(
            "it has format {other}, and this lifeboat knows {}",
            Notice::FORMAT
        )),
    }
}

/// Puts a record into each mirror under its name. What a mirror said that did not take it.
pub async fn spread(fleet: &Fleet, name: &str, notice: &Notice) -> Vec<(String, WorldError)> {
    let text = Bytes::from(serde_json::to_vec(notice).unwrap_or_default());
    let key = format!("{FOLDER}/{}/{name}", notice.group);
    let mut refused = Vec::new();
    for shelf in &fleet.shelves {
        match within(&**shelf, REQUEST_LIMIT, shelf.create(&key, text.clone())).await {
            Ok(()) => {}
            // From a request whose reply was lost; but some stores answer so and have written nothing.
            Err(error) if error.kind == ErrorKind::Conflict && holds(&**shelf, &key, &text).await => {}
            Err(error) => refused.push((shelf.name().to_owned(), error)),
        }
    }
    refused
}

async fn holds(shelf: &dyn Shelf, key: &str, text: &Bytes) -> bool {
    let found = within(shelf, REQUEST_LIMIT, shelf.read(key)).await;
    found.is_ok_and(|found| found == *text)
}

/// The records of a group that mirrors hold, with what those said that could not be read.
pub async fn gathered(fleet: &Fleet, group: &str) -> (Vec<Notice>, Vec<(String, WorldError)>) {
    let (mut all, mut silent) = (Vec::new(), Vec::new());
    for shelf in &fleet.shelves {
        match of_shelf(&**shelf, group).await {
            Ok(found) => all.extend(found.into_iter().filter(|notice| notice.group == group)),
            Err(error) => silent.push((shelf.name().to_owned(), error)),
        }
    }
    (all, silent)
}

async fn of_shelf(shelf: &dyn Shelf, group: &str) -> Result<Vec<Notice>, WorldError> {
    let prefix = format!("{FOLDER}/{group}/");
    let keys = within(shelf, LIST_LIMIT, shelf.keys(&prefix)).await?;
    let mut found = Vec::new();
    for key in keys
        .iter()
        .filter(|key| key.strip_prefix(&prefix).is_some_and(is_record))
    {
        let text = within(shelf, REQUEST_LIMIT, shelf.read(key)).await?;
        let notice = parse(&text)
            .map_err(|why| WorldError::new(ErrorKind::Damaged, shelf.name(), format!("{key}: {why}")))?;
        found.push(notice);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u32) -> Timestamp {
        format!("2026-11-22T03:{minute:02}:00Z").parse().unwrap()
    }

    fn notice(minute: u32, what: Happened) -> Notice {
        Notice {
            format: Notice::FORMAT,
            group: "shop".into(),
            recorded_at: at(minute),
            what,
        }
    }

    fn declared(id: &str, minute: u32) -> Notice {
        notice(
            minute,
            Happened::Declared(Declaration {
                id: id.into(),
                at: at(minute),
                recorded_at: at(minute),
                by: "anna".into(),
                host: "laptop".into(),
                reason: "east is gone".into(),
                decide_within_ms: None,
            }),
        )
    }

    fn run(name: &str) -> RunId {
        RunId(name.into())
    }

    #[test]
    fn a_declaration_stands_until_a_run_has_recovered_or_somebody_withdraws_it() {
        let id = || "a".to_owned();
        let taken = |minute, name: &str| {
            notice(
                minute,
                Happened::TakenUp {
                    id: id(),
                    run: run(name),
                },
            )
        };
        let mut all = vec![
            declared("a", 2),
            taken(9, "shop-f-2"),
            taken(5, "shop-f-1"),
            taken(5, "shop-f-1"),
        ];
        let open = standing(&all).unwrap();
        assert_eq!(open.declared.at, at(2));
        assert_eq!(
            open.runs,
            [run("shop-f-1"), run("shop-f-2")],
            "a failed failover does not end it"
        );
        all.push(notice(
            20,
            Happened::Recovered {
                id: id(),
                run: run("shop-f-2"),
            },
        ));
        assert_eq!(standing(&all), None);
        all.push(declared("b", 40));
        assert_eq!(standing(&all).unwrap().declared.id, "b");
        all.push(notice(
            41,
            Happened::Withdrawn {
                id: "b".into(),
                by: "ben".into(),
                reason: "a false alarm".into(),
            },
        ));
        assert_eq!(standing(&all), None);
    }

    #[test]
    fn of_two_that_could_not_see_each_other_the_earlier_one_counts() {
        assert_eq!(
            standing(&[declared("b", 7), declared("a", 3)])
                .unwrap()
                .declared
                .id,
            "a"
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test damages files")]
    fn records_are_read_back_as_they_were_kept_and_half_a_file_is_none() {
        let state = tempfile::tempdir().unwrap();
        let incidents = Incidents::of(state.path());
        assert_eq!(incidents.read("shop").unwrap(), []);
        let first = incidents.keep(&declared("a", 1)).unwrap();
        incidents.keep(&declared("b", 2)).unwrap();
        std::fs::write(
            state.path().join("incidents/shop/0000000000009-zzzz.json.half"),
            "{",
        )
        .unwrap();
        assert_eq!(
            incidents.read("shop").unwrap(),
            [declared("a", 1), declared("b", 2)]
        );
        assert_eq!(incidents.groups().unwrap(), ["shop"]);
        std::fs::write(state.path().join("incidents/shop").join(&first), "{").unwrap();
        let error = incidents.read("shop").unwrap_err().to_string();
        assert!(error.contains(&first), "{error}");
    }
}
