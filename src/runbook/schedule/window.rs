//! Windows in which nothing begins by itself: peak hours, holidays, the end of the quarter.

use jiff::civil::{Date, DateTime, Time, Weekday};

/// When nothing begins, in the zone of its schedule. Everything that is said has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub until: Option<Date>,
    /// On these days of the week; all where none is named.
    pub days: Vec<Weekday>,
    /// Within a day. Where the end is not after the beginning it lies on the next day.
    pub between: Option<(Time, Time)>,
    /// Why; it stands wherever a run was left out for it.
    pub reason: String,
}

impl Window {
    /// Whether a wall clock that shows this is inside.
    pub fn holds(&self, wall: DateTime) -> bool {
        let Some((begin, end)) = self.between else {
            return self.holds_day(wall.date());
        };
        let time = wall.time();
        if begin < end {
            return begin <= time && time < end && self.holds_day(wall.date());
        }
        // Over midnight: the window belongs to the day on which it begins.
        let today = time >= begin && self.holds_day(wall.date());
        let yesterday = || wall.date().yesterday().is_ok_and(|day| self.holds_day(day));
        today || (time < end && yesterday())
    }

    fn holds_day(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day)
            && self.until.is_none_or(|until| day <= until)
            && (self.days.is_empty() || self.days.contains(&day.weekday()))
    }
}

/// The days of the week as people shorten them.
pub const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// `18:00-02:00` as two times of the day; `24:00` is the midnight at its end.
pub fn between(text: &str) -> Option<(Time, Time)> {
    let (begin, end) = text.split_once('-')?;
    Some((clock(begin)?, clock(end)?))
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    match (hour.parse().ok()?, minute.parse().ok()?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(window: &Window, wall: &str) -> bool {
        window.holds(wall.parse().unwrap())
    }

    fn window(days: &[Weekday], times: &str) -> Window {
        Window {
            from: None,
            until: None,
            days: days.to_vec(),
            between: between(times),
            reason: "peak".to_owned(),
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        // 2026-11-27 is a Friday.
        let friday_night = window(&[Weekday::Friday], "18:00-02:00");
        for (wall, expected) in [
            ("2026-11-27T17:59:59", false),
            ("2026-11-27T18:00:00", true),
            ("2026-11-28T01:59:59", true),
            ("2026-11-28T02:00:00", false),
            ("2026-11-27T01:00:00", false),
            ("2026-11-28T18:00:00", false),
        ] {
            assert_eq!(inside(&friday_night, wall), expected, "{wall}");
        }
        let all_day = window(&[Weekday::Friday], "00:00-24:00");
        assert!(inside(&all_day, "2026-11-27T23:59:59") && inside(&all_day, "2026-11-27T00:00:00"));
        assert!(!inside(&all_day, "2026-11-28T00:00:00") && !inside(&all_day, "2026-11-26T23:59:59"));
    }

    #[test]
    fn days_are_whole_and_the_last_one_counts() {
        let holidays = Window {
            from: Some("2026-12-20".parse().unwrap()),
            until: Some("2027-01-06".parse().unwrap()),
            ..window(&[], "")
        };
        for (wall, expected) in [
            ("2026-12-19T23:59:59", false),
            ("2026-12-20T00:00:00", true),
            ("2027-01-06T23:59:59", true),
            ("2027-01-07T00:00:00", false),
        ] {
            assert_eq!(inside(&holidays, wall), expected, "{wall}");
        }
    }

    #[test]
    fn times_of_the_day_have_two_digits_each() {
        for text in [
            "18-20",
            "8:00-9:00",
            "18:00",
            "25:00-26:00",
            "12:60-13:00",
            "24:30-02:00",
            "a:b-c:d",
        ] {
            assert_eq!(between(text), None, "{text}");
        }
        assert!(between("06:30-07:00").is_some());
    }
}
