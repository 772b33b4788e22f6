//! Due times against an oracle that knows nothing of how they are found: it goes through time minute by minute and
//! looks at the wall clock.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Calendar;

/// What five fields mean, said a second time and by hand.
struct Meant {
    cron: &'static str,
    /// Whether hours are named, so that times of the day are meant.
    of_the_day: bool,
    fits: fn(DateTime) -> bool,
}

const MEANT: &[Meant] = &[
    Meant {
        cron: "30 2 * * *",
        of_the_day: true,
        fits: |wall| (wall.hour(), wall.minute()) == (2, 30),
    },
    Meant {
        cron: "0,10,20,50 1-2 * * *",
        of_the_day: true,
        fits: |wall| [1, 2].contains(&wall.hour()) && [0, 10, 20, 50].contains(&wall.minute()),
    },
    Meant {
        cron: "15 0,2,14 * * 0",
        of_the_day: true,
        fits: |wall| {
            let sunday = wall.weekday() == jiff::civil::Weekday::Sunday;
            sunday && [0, 2, 14].contains(&wall.hour()) && wall.minute() == 15
        },
    },
    Meant {
        cron: "0 0 1,15 * *",
        of_the_day: true,
        fits: |wall| [1, 15].contains(&wall.day()) && (wall.hour(), wall.minute()) == (0, 0),
    },
    Meant {
        cron: "*/15 * * * *",
        of_the_day: false,
        fits: |wall| wall.minute() % 15 == 0,
    },
    Meant {
        cron: "5 */2 * * *",
        of_the_day: false,
        fits: |wall| wall.minute() == 5 && wall.hour() % 2 == 0,
    },
    Meant {
        cron: "@hourly",
        of_the_day: false,
        fits: |wall| wall.minute() == 0,
    },
    Meant {
        cron: "@daily",
        of_the_day: true,
        fits: |wall| (wall.hour(), wall.minute()) == (0, 0),
    },
];

/// Zones that leap by an hour, by half an hour, at midnight, by a day, and never.
const PLACES: &[(&str, &str, &str)] = &[
    ("Europe/Berlin", "2026-03-20T00:00:00Z", "2026-04-05T00:00:00Z"),
    ("Europe/Berlin", "2026-10-20T00:00:00Z", "2026-11-03T00:00:00Z"),
    ("America/New_York", "2027-03-10T00:00:00Z", "2027-03-18T00:00:00Z"),
    ("America/New_York", "2026-10-28T00:00:00Z", "2026-11-05T00:00:00Z"),
    (
        "Australia/Lord_Howe",
        "2026-04-01T00:00:00Z",
        "2026-04-08T00:00:00Z",
    ),
    (
        "Australia/Lord_Howe",
        "2026-10-01T00:00:00Z",
        "2026-10-08T00:00:00Z",
    ),
    ("America/Santiago", "2026-04-01T00:00:00Z", "2026-04-08T00:00:00Z"),
    ("America/Santiago", "2026-09-02T00:00:00Z", "2026-09-09T00:00:00Z"),
    ("Pacific/Apia", "2011-12-28T00:00:00Z", "2012-01-02T00:00:00Z"),
    ("Asia/Kolkata", "2026-12-30T00:00:00Z", "2027-01-02T00:00:00Z"),
];

/// Every due time of a span, by looking at each minute's wall clock.
fn by_minutes(meant: &Meant, zone: &TimeZone, begin: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    let minute = SignedDuration::from_mins(1);
    let mut due = Vec::new();
    // A day before, so that what the clock showed before the span is known.
    let mut now = begin - SignedDuration::from_hours(48);
    let mut shown = zone.to_datetime(now);
    while now < end {
        now += minute;
        let wall = zone.to_datetime(now);
        let mut passed = Vec::new();
        let mut next = shown;
        while next < wall {
            next += minute;
            passed.push(next);
        }
        let comes = if meant.of_the_day {
            passed.into_iter().any(meant.fits)
        } else {
            (meant.fits)(wall)
        };
        shown = shown.max(wall);
        if comes && now > begin && now < end {
            due.push(now);
        }
    }
    due
}

fn by_calendar(calendar: &Calendar, begin: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    std::iter::successors(calendar.after(begin), |due| calendar.after(*due))
        .take_while(|due| *due < end)
        .collect()
}

#[test]
fn due_times_are_those_that_a_look_at_every_minute_finds() {
    let mut looked_at = 0;
    for (zone, begin, end) in PLACES {
        let (begin, end) = (begin.parse().unwrap(), end.parse().unwrap());
        for meant in MEANT {
            let calendar = Calendar::new(meant.cron, zone).unwrap();
            let expected = by_minutes(meant, calendar.zone(), begin, end);
            assert_eq!(
                by_calendar(&calendar, begin, end),
                expected,
                "{} in {zone}",
                meant.cron
            );
            looked_at += expected.len();
        }
    }
    assert!(looked_at > 5_000, "{looked_at}");
}

/// Due times around a moment, as wall clocks with their offsets.
fn around(cron: &str, zone: &str, begin: &str, end: &str) -> String {
    let calendar = Calendar::new(cron, zone).unwrap();
    let due = by_calendar(&calendar, begin.parse().unwrap(), end.parse().unwrap());
    let shown = due.iter().map(|due| {
        let at = due.to_zoned(calendar.zone().clone());
        at.strftime("%m-%d %H:%M %:z").to_string()
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_time_that_the_clock_leaps_over_is_due_right_after_the_gap() {
    let spring = ("2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z");
    // Also one of a list, and only once for all of one gap.
    insta::assert_snapshot!(around("30 2,14 * * *", "Europe/Berlin", spring.0, spring.1), @"
    03-28 14:30 +01:00
    03-29 03:00 +02:00
    03-29 14:30 +02:00
    ");
    insta::assert_snapshot!(around("*/20 2 * * *", "Europe/Berlin", spring.0, spring.1), @"03-29 03:00 +02:00");
    // What names no hour is due as often as the clock shows it.
    insta::assert_snapshot!(around("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"), @"
    03-29 01:30 +01:00
    03-29 03:30 +02:00
    03-29 04:30 +02:00
    ");
}

#[test]
fn a_time_that_the_clock_shows_twice_is_due_the_first_time() {
    let autumn = ("2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z");
    insta::assert_snapshot!(around("30 2 * * *", "Europe/Berlin", autumn.0, autumn.1), @"10-25 02:30 +02:00");
    insta::assert_snapshot!(around("30 * * * *", "Europe/Berlin", autumn.0, autumn.1), @"
    10-25 00:30 +02:00
    10-25 01:30 +02:00
    10-25 02:30 +02:00
    10-25 02:30 +01:00
    10-25 03:30 +01:00
    ");
}

#[test]
fn a_day_that_a_country_left_out_is_no_reason_to_leave_a_due_time_out() {
    // Samoa went from the 29th to the 31st.
    insta::assert_snapshot!(around("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z"), @"
    12-29 12:00 -10:00
    12-31 00:00 +14:00
    12-31 12:00 +14:00
    01-01 12:00 +14:00
    ");
}
