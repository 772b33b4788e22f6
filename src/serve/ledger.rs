//! The ledger of due times: what became of each. Each ends exactly once: fired, skipped or missed.
//!
//! State is a fold of records, as a run's is of its events; a record that would end a due time twice is refused.
//!
//! ## Why one mark is enough
//!
//! The due times of a line of a schedule end in their order, so a line knows one instant up to which all have
//! ended. What is open follows from the calendar and the clock, and need not be written down.
//!
//! ## Why a clock that is set back takes marks back
//!
//! A clock that ran ahead has due times end as missed or skipped that have not come yet. When it is set right, they
//! lie in the future again, and leaving them out would be a silent miss for as long as the clock was wrong. So the
//! record of it takes the marks back to the new time; it withdraws those ends and no others. What was fired
//! stays fired, whatever the clock says: its due time never fires again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::runbook::{Mode, Scheduled};

/// What a line of a schedule begins and when, as far as it decides which due times there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// What is begun.
    pub mode: Mode,
    /// The five fields.
    pub cron: String,
    /// Their zone.
    pub zone: String,
}

impl Rule {
    /// Of a line as its runbook says it.
    pub fn of(line: &Scheduled) -> Self {
        Self {
            mode: line.mode,
            cron: line.calendar.cron().to_owned(),
            zone: line.calendar.zone_name().to_owned(),
        }
    }
}

/// One line of the ledger's file. `line` is `<service>/<name of the line>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Record {
    /// From here on due times of a line count.
    Began {
        /// The line.
        line: String,
        /// Which due times it has.
        rule: Rule,
        /// Those after this.
        at: Timestamp,
    },
    /// The runbook has the line no longer, or has changed its rule.
    Withdrawn {
        /// The line.
        line: String,
        /// Those after this are no due times any more.
        at: Timestamp,
    },
    /// The clock was set back: what had not been fired after this moment has not come yet.
    SetBack {
        /// What the clock shows now.
        at: Timestamp,
    },
    /// A run is about to begin. Durable before it does.
    Intended {
        /// The line.
        line: String,
        /// The due time.
        due: Timestamp,
        /// The run, named after line and due time.
        run: String,
        /// From 1: which folder of a run is used, if an earlier one was left without a word in it.
        attempt: u32,
    },
    /// The run has begun; how it ends stands in its own journal.
    Fired {
        /// The line.
        line: String,
        /// The due time.
        due: Timestamp,
        /// The run.
        run: String,
    },
    /// It was left out on purpose.
    Skipped {
        /// The line.
        line: String,
        /// The due time.
        due: Timestamp,
        /// Why.
        why: String,
    },
    /// Nobody began it while it could still begin. Several in a row are one record.
    Missed {
        /// The line.
        line: String,
        /// The first due time.
        due: Timestamp,
        /// The last.
        last: Timestamp,
        /// How many: those from the first to the last that were not fired.
        count: u64,
        /// Why.
        why: String,
    },
}

/// How a due time ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A run began.
    Fired(String),
    /// It was left out; why.
    Skipped(String),
    /// Nobody began it; why.
    Missed(String),
}

impl End {
    /// In a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Fired(_) => "fired",
            Self::Skipped(_) => "skipped",
            Self::Missed(_) => "missed",
        }
    }
}

/// A run that is about to begin, or has begun and was not yet recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The due time.
    pub due: Timestamp,
    /// The run.
    pub run: String,
    /// Which.
    pub attempt: u32,
    /// The clock was set back to before the due time: others before it are open again, and its end does not end
    /// them.
    displaced: bool,
}

/// How many due times ended how. Only grows: also what a clock that was set right has withdrawn stays counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs begun.
    pub fired: u64,
    /// Left out.
    pub skipped: u64,
    /// Not begun.
    pub missed: u64,
}

/// What is known of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which due times it has.
    pub rule: Rule,
    /// Up to here all have ended.
    pub until: Timestamp,
    /// Those that fired. Some twenty bytes each: one a minute makes ten megabytes a year.
    fired: BTreeSet<Timestamp>,
    /// A run that is about to begin.
    pub intent: Option<Intent>,
    /// The last end.
    pub last: Option<(Timestamp, End)>,
    /// The newest run, with its due time.
    pub run: Option<(Timestamp, String)>,
    /// How many ended how.
    pub counts: Counts,
}

impl Line {
    /// Whether this due time has fired.
    pub fn has_fired(&self, due: Timestamp) -> bool {
        self.fired.contains(&due)
    }
}

/// A record that cannot be: a due time would end twice, or a line is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {why}")]
pub struct Illegal {
    /// The line.
    pub line: String,
    /// As a fragment.
    pub why: String,
}

/// What is known of all lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By name.
    pub lines: BTreeMap<String, Line>,
    /// Lines that a runbook had once, for when they come back: what fired stays fired.
    withdrawn: BTreeMap<String, Line>,
}

impl Ledger {
    /// Takes a record in.
    ///
    /// # Errors
    ///
    /// [`Illegal`]; then nothing has changed.
    pub fn record(&mut self, record: &Record) -> Result<(), Illegal> {
        match record {
            Record::Began { line, rule, at } => self.begin(line, rule, *at),
            Record::Withdrawn { line, at } => self.withdraw(line, *at),
            Record::SetBack { at } => {
                self.set_back(*at);
                Ok(())
            }
            Record::Intended {
                line,
                due,
                run,
                attempt,
            } => {
                let intent = Intent {
                    due: *due,
                    run: run.clone(),
                    attempt: *attempt,
                    displaced: false,
                };
                self.open(line, *due)?.intent = Some(intent);
                Ok(())
            }
            Record::Fired { line, due, run } => self.fire(line, *due, run),
            Record::Skipped { line, due, why } => {
                let line = self.open(line, *due)?;
                line.counts.skipped += 1;
                line.end(*due, End::Skipped(why.clone()));
                Ok(())
            }
            Record::Missed {
                line,
                due,
                last,
                count,
                why,
            } => self.miss(line, (*due, *last, *count), why),
        }
    }

    fn begin(&mut self, name: &str, rule: &Rule, at: Timestamp) -> Result<(), Illegal> {
        if self.lines.contains_key(name) {
            return Err(illegal(name, "it began before and was not withdrawn"));
        }
        let line = match self.withdrawn.remove(name) {
            Some(known) => Line {
                rule: rule.clone(),
                until: at,
                intent: None,
                ..known
            },
            None => Line {
                rule: rule.clone(),
                until: at,
                fired: BTreeSet::new(),
                intent: None,
                last: None,
                run: None,
                counts: Counts::default(),
            },
        };
        self.lines.insert(name.to_owned(), line);
        Ok(())
    }

    fn withdraw(&mut self, name: &str, at: Timestamp) -> Result<(), Illegal> {
        let Some(line) = self.lines.remove(name) else {
            return Err(illegal(name, "it is withdrawn and never began"));
        };
        self.withdrawn.insert(name.to_owned(), Line { until: at, ..line });
        Ok(())
    }

    fn set_back(&mut self, at: Timestamp) {
        for line in self.lines.values_mut() {
            line.until = line.until.min(at);
            if let Some(intent) = &mut line.intent {
                intent.displaced |= intent.due > at;
            }
        }
    }

    /// The line, if this due time has not ended.
    fn open(&mut self, name: &str, due: Timestamp) -> Result<&mut Line, Illegal> {
        let Some(line) = self.lines.get_mut(name) else {
            return Err(illegal(name, "no schedule has this line"));
        };
        if due <= line.until || line.fired.contains(&due) {
            return Err(illegal(name, &format!("its due time {due} has ended before")));
        }
        Ok(line)
    }

    fn fire(&mut self, name: &str, due: Timestamp, run: &str) -> Result<(), Illegal> {
        let line = self.open(name, due)?;
        let intent = line.intent.as_ref();
        let Some(intent) = intent.filter(|intent| intent.due == due && intent.run == run) else {
            return Err(illegal(name, &format!("{run} began, and nobody intended it")));
        };
        let until = if intent.displaced { line.until } else { due };
        line.fired.insert(due);
        line.run = Some((due, run.to_owned()));
        line.counts.fired += 1;
        line.end(due, End::Fired(run.to_owned()));
        line.until = until;
        Ok(())
    }

    fn miss(
        &mut self,
        name: &str,
        (due, last, count): (Timestamp, Timestamp, u64),
        why: &str,
    ) -> Result<(), Illegal> {
        let line = self.open(name, due)?;
        if last < due || count == 0 || line.fired.contains(&last) {
            return Err(illegal(
                name,
                &format!("{count} due times from {due} to {last} are none"),
            ));
        }
        line.counts.missed += count;
        line.end(last, End::Missed(why.to_owned()));
        Ok(())
    }
}

impl Line {
    fn end(&mut self, due: Timestamp, end: End) {
        self.until = due;
        self.intent = None;
        self.last = Some((due, end));
    }
}

fn illegal(line: &str, why: &str) -> Illegal {
    Illegal {
        line: line.to_owned(),
        why: why.to_owned(),
    }
}
