//! What follows from a schedule, its ledger and the clock. Pure: the clock is an argument, and so is what is known
//! of runs.
//!
//! ## Why a later due time ends an earlier one
//!
//! Somebody who was away for a week comes back to seven backups that were due. One is made, at once; six are
//! missed and counted as missed. Making all seven would keep the machine from the work of today, and prove nothing
//! more.
//!
//! ## Why it is looked whether a run is there
//!
//! Between the word that a run is about to begin and the word that it has begun, the process may end. Only the
//! run itself knows: its name follows from the due time, and its journal is durable before anything is done. So
//! a due time can neither fire twice nor be lost.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ledger::{Ledger, Line, Record, Rule};
use crate::runbook::{Calendar, Scheduled};
use crate::text::sha256_hex;

/// The lines of all schedules by their names, `<service>/<line>`.
pub type Schedules = BTreeMap<String, Scheduled>;

/// What is known of a run that was intended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Its journal has a first record: it has begun.
    Begun,
    /// There is nothing of it.
    Absent,
    /// Its folder is there and has no record: it has not begun, and cannot under this name.
    Wordless,
}

/// A due time that may begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// When it was due.
    pub due: Timestamp,
    /// Since when it may begin: the due time and its jitter.
    pub since: Timestamp,
    /// The run's id.
    pub id: String,
    /// From 1.
    pub attempt: u32,
}

/// What one look at one line shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What has to be recorded first.
    pub records: Vec<Record>,
    /// What may begin then.
    pub ready: Option<Ready>,
    /// When to look again, if nothing else happens.
    pub wake: Option<Timestamp>,
}

/// So many due times are looked at in one turn: two months of one a minute, in a fraction of a second. What is left
/// comes in the next turn.
const TURN_MAX: usize = 100_000;

/// Why a due time was missed that nothing is known to have held up.
pub const NOBODY: &str = "lifeboat did not serve the schedule then, or the clock was put forward";

/// Brings the ledger's lines to what runbooks say now, and its marks to what the clock says.
pub fn settle(
    ledger: &Ledger,
    schedules: &Schedules,
    now: Timestamp,
    trace: &dyn Fn(&str) -> Trace,
) -> Vec<Record> {
    let mut records: Vec<Record> = ledger
        .lines
        .iter()
        .filter_map(|(name, line)| begun(name, line, trace))
        .collect();
    if ledger.lines.values().any(|line| line.until > now) {
        records.push(Record::SetBack { at: now });
    }
    for (name, line) in &ledger.lines {
        let same = schedules
            .get(name)
            .is_some_and(|said| Rule::of(said) == line.rule);
        if !same {
            records.extend(withdraw(name, line, now, trace));
        }
    }
    for (name, said) in schedules {
        let rule = Rule::of(said);
        if ledger.lines.get(name).is_none_or(|line| line.rule != rule) {
            records.push(Record::Began {
                line: name.clone(),
                rule,
                at: now,
            });
        }
    }
    records
}

/// The record of a run that has begun, if that is not recorded.
fn begun(name: &str, line: &Line, trace: &dyn Fn(&str) -> Trace) -> Option<Record> {
    let intent = line.intent.as_ref()?;
    (trace(&intent.run) == Trace::Begun).then(|| Record::Fired {
        line: name.to_owned(),
        due: intent.due,
        run: intent.run.clone(),
    })
}

/// Ends what was due under the old rule.
fn withdraw(name: &str, line: &Line, now: Timestamp, trace: &dyn Fn(&str) -> Trace) -> Vec<Record> {
    let mut until = line.until.min(now);
    if let Some(Record::Fired { due, .. }) = begun(name, line, trace) {
        until = until.max(due.min(now));
    }
    let calendar = Calendar::new(&line.rule.cron, &line.rule.zone).ok();
    let mut lost = Lost::default();
    if let Some(calendar) = calendar {
        let next = |due: &Timestamp| calendar.after(*due);
        let due = std::iter::successors(calendar.after(until), next).take_while(|due| *due <= now);
        for due in due.filter(|due| !line.has_fired(*due)) {
            lost.add(due);
        }
    }
    let mut records: Vec<Record> = lost
        .record(name, "the schedule was changed before it began")
        .into_iter()
        .collect();
    records.push(Record::Withdrawn {
        line: name.to_owned(),
        at: now,
    });
    records
}

/// What is due of one line. `held`: what has kept it from beginning so far.
///
/// The ledger has taken in what [`settle`] says of the same moment.
pub fn turn(name: &str, said: &Scheduled, line: &Line, now: Timestamp, held: Option<&str>) -> Turn {
    let mut turn = Turn::default();
    let (mut lost, mut newest): (Lost, Option<(Timestamp, Timestamp)>) = (Lost::default(), None);
    let mut next = said.calendar.after(line.until);
    let mut looked_at = 0;
    while let Some(due) = next {
        next = said.calendar.after(due);
        if line.has_fired(due) {
            continue;
        }
        let since = since(name, said, due, next);
        if since > now {
            turn.wake = Some(since);
            break;
        }
        looked_at += 1;
        if looked_at > TURN_MAX {
            // A later one has come, so what was looked at is over.
            lost.extend(newest.take());
            turn.wake = Some(now);
            break;
        }
        if let Some((earlier, _)) = newest.replace((due, since)) {
            lost.add(earlier);
        }
    }
    if let Some((due, since)) = newest {
        if is_late(said, since, now) {
            lost.add(due);
        } else {
            turn.ready = Some(ready(name, line, due, since));
        }
    }
    turn.records.extend(lost.record(name, held.unwrap_or(NOBODY)));
    turn
}

/// The first moment after now at which a line's due time may begin.
pub fn next_after(name: &str, said: &Scheduled, now: Timestamp) -> Option<Timestamp> {
    let due = said.calendar.after(now)?;
    Some(since(name, said, due, said.calendar.after(due)))
}

fn ready(name: &str, line: &Line, due: Timestamp, since: Timestamp) -> Ready {
    let attempt = line
        .intent
        .as_ref()
        .filter(|intent| intent.due == due)
        .map_or(1, |intent| intent.attempt);
    Ready {
        due,
        since,
        id: id_of(name, due, attempt),
        attempt,
    }
}

/// The same due time under the next name, where the last one cannot be used any more.
#[must_use]
pub fn renamed(name: &str, ready: &Ready) -> Ready {
    let attempt = ready.attempt.saturating_add(1);
    Ready {
        id: id_of(name, ready.due, attempt),
        attempt,
        ..ready.clone()
    }
}

/// Since when a due time may begin. The same each time: a restart neither hurries nor delays anything.
fn since(name: &str, said: &Scheduled, due: Timestamp, next: Option<Timestamp>) -> Timestamp {
    if said.jitter_ms == 0 {
        return due;
    }
    let hash = sha256_hex(format!("jitter {name} {}", due.as_millisecond()).as_bytes());
    // Sixty bits; a jitter has forty at most, so that nothing comes out noticeably more often.
    let number = hash.get(..15).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let ms = number.unwrap_or(0) % said.jitter_ms.saturating_add(1);
    let since = due
        .saturating_add(jiff::SignedDuration::from_millis(
            i64::try_from(ms).unwrap_or(i64::MAX),
        ))
        .unwrap_or(due);
    next.map_or(since, |next| since.min(next))
}

fn is_late(said: &Scheduled, since: Timestamp, now: Timestamp) -> bool {
    let Some(deadline_ms) = said.deadline_ms else {
        return false;
    };
    let waited = now.as_millisecond().saturating_sub(since.as_millisecond());
    u64::try_from(waited).is_ok_and(|waited| waited > deadline_ms)
}

/// Letters and digits of a run's id that was made from a due time: forty bits. Short enough that a namespace has
/// room for it after the longest name of a runbook.
const ID_LENGTH: usize = 10;

/// The id of the run of a due time: whoever begins it twice would make the same run twice, which no journal does.
pub fn id_of(name: &str, due: Timestamp, attempt: u32) -> String {
    let mut id = sha256_hex(format!("run {name} {} {attempt}", due.as_millisecond()).as_bytes());
    id.truncate(ID_LENGTH);
    id
}

/// Due times in a row of which none began.
#[derive(Default)]
struct Lost {
    range: Option<(Timestamp, Timestamp)>,
    count: u64,
}

impl Lost {
    fn add(&mut self, due: Timestamp) {
        self.range = Some((self.range.map_or(due, |(first, _)| first), due));
        self.count += 1;
    }

    fn extend(&mut self, newest: Option<(Timestamp, Timestamp)>) {
        if let Some((due, _)) = newest {
            self.add(due);
        }
    }

    fn record(self, name: &str, why: &str) -> Option<Record> {
        let (due, last) = self.range?;
        Some(Record::Missed {
            line: name.to_owned(),
            due,
            last,
            count: self.count,
            why: why.to_owned(),
        })
    }
}
