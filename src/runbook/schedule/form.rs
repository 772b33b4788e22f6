//! The shape of a schedule, as types whose only use is their JSON Schema; see [`mod@super::super::form`].

#![expect(dead_code, reason = "only the schemas of these types are used")]

use schemars::JsonSchema;

use crate::text::Millis;

/// One line of the schedule.
#[derive(JsonSchema)]
pub(crate) struct ScheduledForm {
    /// Unique in the runbook; without it, the word of the mode.
    #[schemars(extend("format" = "name"))]
    name: Option<String>,
    /// What is begun.
    mode: ScheduledMode,
    /// Cron's five fields: minute, hour, day of the month, month, day of the week; or @daily and its like. Where
    /// hours are named, a time that the clock leaps over is due right after the gap, and one that it shows twice
    /// is due the first time. Where the hour is a star, it is due as often as the clock shows it.
    cron: String,
    /// The IANA time zone of the cron fields and of the windows, such as Europe/Berlin. Default UTC.
    zone: Option<String>,
    /// Each due time is put off by a part of this, always the same one, so that not everything begins at once;
    /// never past the next due time. Default 0s.
    jitter: Option<Millis>,
    /// How late it may still begin; after that, the due time is missed. Default 1h for a drill; for protect,
    /// until the next one is due.
    deadline: Option<Millis>,
    /// When nothing is begun: a due time in such a window is skipped.
    blocked: Option<Vec<WindowForm>>,
    /// A due time is skipped while this is so.
    unless: Option<FlagForm>,
    /// A due time is skipped unless this answers so.
    only_if: Option<AnswersForm>,
}

/// What may begin by itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ScheduledMode {
    /// Rehearse the recovery on the standby, inside walls, and remove every trace.
    Drill,
    /// Make the backups and copies that recovery needs.
    Protect,
}

/// A time in which nothing is begun. Everything that is said has to hold.
#[derive(JsonSchema)]
struct WindowForm {
    /// The first day, such as 2026-12-20.
    from: Option<String>,
    /// The last day.
    until: Option<String>,
    /// Days of the week.
    #[schemars(length(min = 1))]
    days: Option<Vec<DayWord>>,
    /// Times of the day, such as 18:00-02:00; over midnight it belongs to the day on which it begins.
    between: Option<String>,
    /// Why; it stands wherever a due time was skipped for it.
    reason: String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum DayWord {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Something that holds schedules up.
#[derive(JsonSchema)]
struct FlagForm {
    /// A file of the machine that serves; its first line is the reason.
    #[schemars(extend("format" = "path"))]
    file: String,
}

/// An address that has to answer well.
#[derive(JsonSchema)]
struct AnswersForm {
    /// http:// or https://; asked once, redirects are not followed.
    http: String,
    /// Exactly this status. Default 200.
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// The body holds this text.
    body: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::DAYS;

    #[test]
    fn the_days_of_the_schema_are_those_that_are_read() {
        let schema = schemars::schema_for!(DayWord).to_value();
        let words = schema
            .get("enum")
            .or_else(|| schema.get("oneOf"))
            .unwrap()
            .to_string();
        assert!(
            DAYS.iter()
                .all(|(word, _)| words.contains(&format!("\"{word}\""))),
            "{words}"
        );
    }
}
