//! Durations, times and counts as people read them. Pure: `now` and the time zone come in.
//!
//! ## Why
//!
//! Durations are rounded *up*: a recovery is never shown faster, nor a backup younger, than it was,
//! and `30 m` beside an objective of 30 m that was missed by a moment reads `30 m 1 s`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Below this a tenth of a second tells two steps apart; above it nobody cares.
const TENTHS_BELOW: u64 = 10 * SECOND;

/// `12 ms`, `0.4 s`, `19 s`, `4 m 52 s`, `1 h 30 m`: exact to what is shown, zero parts left out.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0 => "0 s".to_owned(),
        1..100 => format!("{ms} ms"),
        100..TENTHS_BELOW => tenths(ms),
        _ => parts(ms.div_ceil(SECOND) * SECOND, usize::MAX),
    }
}

/// How old something is, in its two largest units: `12 m 7 s`, `3 h 51 m`, `2 d`.
pub(crate) fn age(ms: u64) -> String {
    let smallest = match ms {
        0..HOUR => SECOND,
        HOUR..DAY => MINUTE,
        _ => HOUR,
    };
    match ms {
        0..SECOND => "under 1 s".to_owned(),
        _ => parts(ms.div_ceil(smallest) * smallest, 2),
    }
}

fn tenths(ms: u64) -> String {
    let tenths = ms.div_ceil(100);
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
}

fn parts(ms: u64, at_most: usize) -> String {
    let all = [
        (ms / DAY, "d"),
        (ms / HOUR % 24, "h"),
        (ms / MINUTE % 60, "m"),
        (ms / SECOND % 60, "s"),
    ];
    let shown: Vec<_> = all.iter().skip_while(|(n, _)| *n == 0).take(at_most).collect();
    let texts: Vec<_> = shown
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    texts.join(" ")
}

/// A running clock: `00:11`, `1:02:03`. Rounded down, as clocks are.
pub(crate) fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / HOUR, ms / MINUTE % 60, ms / SECOND % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// `2026-11-22 23:14:07 +01:00`.
pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// `23:14:07`: for lines under a heading that names day and zone.
pub(crate) fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Milliseconds from one moment to a later one; `None` if it is not later or equal.
pub(crate) fn between_ms(earlier: Timestamp, later: Timestamp) -> Option<u64> {
    u64::try_from(later.duration_since(earlier).as_millis()).ok()
}

/// `1 object`, `2 objects`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

/// `512 B`, `3.4 MiB`: rounded up to a tenth.
pub(crate) fn bytes(n: u64) -> String {
    const STEP: u64 = 1024;
    let mut unit = 1;
    let mut name = "B";
    for bigger in ["KiB", "MiB", "GiB", "TiB"] {
        if n / unit < STEP {
            break;
        }
        unit *= STEP;
        name = bigger;
    }
    if unit == 1 {
        return format!("{n} B");
    }
    let tenths = (n / unit) * 10 + ((n % unit) * 10).div_ceil(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_short_and_never_shorter_than_it_was() {
        let shown = [
            0, 12, 340, 2_000, 2_010, 9_999, 19_000, 19_001, 292_000, 1_800_001, 5_400_000, 90_061_000,
        ]
        .map(duration);
        insta::assert_snapshot!(shown.join(" | "), @"0 s | 12 ms | 0.4 s | 2 s | 2.1 s | 10 s | 19 s | 20 s | 4 m 52 s | 30 m 1 s | 1 h 30 m | 1 d 1 h 1 m 1 s");
    }

    #[test]
    fn an_age_has_at_most_two_units() {
        let shown = [
            400,
            3_000,
            727_000,
            13_860_000,
            13_861_000,
            86_400_000,
            180_000_000,
        ]
        .map(age);
        insta::assert_snapshot!(shown.join(" | "), @"under 1 s | 3 s | 12 m 7 s | 3 h 51 m | 3 h 52 m | 1 d | 2 d 2 h");
    }

    #[test]
    fn sizes_and_clocks_are_readable() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3_500_000), "3.4 MiB");
        assert_eq!(clock(11_900), "00:11");
        assert_eq!(clock(3_723_000), "1:02:03");
    }

    #[test]
    fn a_moment_carries_its_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at: Timestamp = "2026-11-22T22:14:07Z".parse().unwrap();
        assert_eq!(moment(at, &zone), "2026-11-22 23:14:07 +01:00");
        assert_eq!(time_of_day(at, &zone), "23:14:07");
        assert_eq!(between_ms(at, at), Some(0));
    }
}
