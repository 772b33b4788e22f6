//! Due times: what five fields of cron mean in a time zone.
//!
//! ## Why not the parser's own search
//!
//! Wall clocks are put forward and back, and whoever writes a schedule means one of two things by an hour. Which
//! of them, decides the hour field, and nothing else:
//!
//! - **An hour is named** (`30 2 * * *`, `0,30 2-4 * * *`): times of the day. Each comes once a day. One that the
//!   clock leaps over comes at the first instant after the gap; of several in one gap, that is one due time. One
//!   that the clock shows twice comes the first time.
//! - **The hour is a star** (`*/15 * * * *`, `0 */2 * * *`): as often as the wall clock shows it. In a gap nothing
//!   is due, and an hour that comes twice counts twice.
//!
//! `croner` reads the five fields and finds dates, which takes no zone. Its own search treats a list of hours like
//! a star, so that a backup at 2 and at 14 o'clock would be left out in the night when the clock is put forward.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// When something is due: cron's five fields, read in a time zone.
#[derive(Clone, PartialEq)]
pub struct Calendar {
    /// As it was written.
    cron: String,
    fields: Cron,
    /// IANA name.
    zone_name: String,
    zone: TimeZone,
    names_hours: bool,
}

impl std::fmt::Debug for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Calendar({})", self.words())
    }
}

/// Why five fields are no calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCalendar {
    /// The fields cannot be read; why.
    Fields(String),
    /// There is no such time zone.
    Zone,
    /// The fields name a day that never comes, such as the 31st of February.
    Never,
}

impl Calendar {
    /// Reads cron's five fields, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    ///
    /// # Errors
    ///
    /// [`BadCalendar`].
    pub fn new(cron: &str, zone: &str) -> Result<Self, BadCalendar> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let fields = parser
            .parse(cron)
            .map_err(|error| BadCalendar::Fields(reason(&error)))?;
        let tz = TimeZone::get(zone).map_err(|_| BadCalendar::Zone)?;
        let calendar = Self {
            names_hours: names_hours(cron),
            cron: cron.to_owned(),
            fields,
            zone_name: zone.to_owned(),
            zone: tz,
        };
        match calendar.civil(DateTime::constant(2024, 1, 1, 0, 0, 0, 0)) {
            Some(_) => Ok(calendar),
            None => Err(BadCalendar::Never),
        }
    }

    /// The five fields as they were written.
    pub fn cron(&self) -> &str {
        &self.cron
    }

    /// The IANA name of the zone.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// The zone.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// `30 2 * * 1, Europe/Berlin`.
    pub fn words(&self) -> String {
        format!("{}, {}", self.cron, self.zone_name)
    }

    /// The first due time after this instant; `None`: none within the years that can be counted.
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        if self.names_hours {
            self.after_by_the_day(instant)
        } else {
            self.after_by_the_clock(instant)
        }
    }

    /// Due times come in the order of their wall-clock times, and those of a gap together at its end.
    fn after_by_the_day(&self, instant: Timestamp) -> Option<Timestamp> {
        let mut wall = self.zone.to_datetime(instant);
        loop {
            wall = self.civil(wall)?;
            let due = self.instant_of(wall)?;
            if due > instant {
                return Some(due);
            }
        }
    }

    /// The first time that a wall clock shows it; in a gap, the end of the gap.
    fn instant_of(&self, wall: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                // Read with the later offset it lies before the leap, whose instant comes next.
                let before = after.to_timestamp(wall).ok()?;
                let mut leaps = self.zone.following(before);
                leaps
                    .find(|leap| leap.offset() == after)
                    .map(|leap| leap.timestamp())
            }
        }
    }

    /// As often as the wall clock shows it: between two leaps of the clock, all is as in a zone without any.
    fn after_by_the_clock(&self, instant: Timestamp) -> Option<Timestamp> {
        let mut from = instant;
        loop {
            let offset = self.zone.to_offset(from);
            let leap = self.zone.following(from).next().map(|leap| leap.timestamp());
            let due = offset.to_timestamp(self.civil(offset.to_datetime(from))?).ok()?;
            match leap {
                Some(leap) if due >= leap => {
                    let offset = self.zone.to_offset(leap);
                    let wall = offset.to_datetime(leap);
                    // The instant of the leap may be due itself.
                    let first = self.civil(wall.checked_sub(jiff::Span::new().nanoseconds(1)).ok()?)?;
                    if first == wall {
                        return Some(leap);
                    }
                    from = leap;
                }
                _ => return Some(due),
            }
        }
    }

    /// The first date and time of day after this one that fits the five fields, on a clock that never leaps.
    fn civil(&self, wall: DateTime) -> Option<DateTime> {
        // The parser steps off the second that it is given, whatever lies behind the comma.
        let wall = wall.to_zoned(TimeZone::UTC).ok()?;
        let next = self.fields.find_next_occurrence(&wall, false).ok()?;
        Some(next.datetime())
    }
}

/// Whether hours are named, so that times of the day are meant.
fn names_hours(cron: &str) -> bool {
    match cron.split_whitespace().nth(1) {
        Some(hours) => !hours.starts_with('*'),
        // `@daily` and its like, but for the one that comes every hour.
        None => !cron.trim().eq_ignore_ascii_case("@hourly"),
    }
}

/// What the parser says, as a fragment.
fn reason(error: &croner::errors::CronError) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(": ").map_or(text.as_str(), |(_, text)| text);
    text.trim_end_matches('.').to_owned()
}
