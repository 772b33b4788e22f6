//! When a runbook is used without a person, as it says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::{TimeZoneNameIter, db};

use super::{list, millis, path, spanned, text, words};
use crate::runbook::{Answers, BadCalendar, Calendar, DAYS, Input, Mode, Scheduled, Step, Window, between};
use crate::text::{Diagnostic, Diagnostics, Node, NodeValue, Span, Spanned, codes, quote};

/// The zone of a schedule that names none.
const ZONE: &str = "UTC";

/// The status of an address that answers well, where none is named.
const STATUS: u16 = 200;

/// What a schedule is for.
type Steps<'a> = (&'a [Step], &'a BTreeMap<String, Input>);

/// Reads what has been held against the schema. Lines that cannot be read are reported and left out.
pub(super) fn read(
    spec: &Node,
    folder: &Path,
    (steps, inputs): Steps<'_>,
    found: &mut Diagnostics,
) -> Vec<Scheduled> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for node in list(spec, "schedule") {
        let Some(one) = scheduled(node, folder, found) else {
            continue;
        };
        if !names.insert(one.name.value.clone()) {
            found.push(twice(&one.name));
        }
        check_mode(&one, node, steps, found);
        all.push(one);
    }
    if let (Some(first), Some(_)) = (list(spec, "schedule").first(), all.first()) {
        check_inputs(first.span, inputs, found);
    }
    all
}

fn scheduled(node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Scheduled> {
    let blocked: Vec<Window> = list(node, "blocked")
        .iter()
        .filter_map(|one| window(one, found))
        .collect();
    let mode = spanned(node, "mode")?;
    let calendar = calendar(node, found);
    let only_if = node.get("only_if").and_then(|one| answers(one, found));
    let kind = Mode::of_word(&mode.value).filter(|mode| matches!(mode, Mode::Drill | Mode::Protect))?;
    let deadline_ms = millis(node, "deadline");
    Some(Scheduled {
        name: spanned(node, "name").unwrap_or(mode),
        mode: kind,
        calendar: calendar?,
        jitter_ms: millis(node, "jitter").unwrap_or(0),
        deadline_ms: match kind {
            Mode::Drill => Some(deadline_ms.unwrap_or(Scheduled::DRILL_DEADLINE_MS)),
            _ => deadline_ms,
        },
        blocked,
        unless: node.get("unless").and_then(|one| path(one, "file", folder)),
        only_if,
    })
}

fn calendar(node: &Node, found: &mut Diagnostics) -> Option<Calendar> {
    let cron = spanned(node, "cron")?;
    let zone = spanned(node, "zone").unwrap_or_else(|| Spanned::new(ZONE.to_owned(), cron.span));
    let diagnostic = match Calendar::new(&cron.value, &zone.value) {
        Ok(calendar) => return Some(calendar),
        Err(BadCalendar::Zone) => {
            let message = format!("there is no time zone {}", quote(&zone.value));
            let names: Vec<String> = zones().map(|name| name.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let unknown = Diagnostic::error(codes::UNKNOWN_ZONE, message, zone.span, "no IANA name");
            match crate::text::closest(&zone.value, names.iter().copied()) {
                Some(near) => unknown.help(format!("did you mean {}?", quote(near))),
                None => unknown.help("write it like Europe/Berlin, America/New_York or UTC"),
            }
        }
        Err(BadCalendar::Fields(why)) => {
            let message = format!("{} are not the five fields of cron: {why}", quote(&cron.value));
            Diagnostic::error(codes::BAD_CRON, message, cron.span, "cannot be read").help(
                "minute, hour, day of the month, month, day of the week: \"30 2 * * 1\" is 02:30 on Mondays",
            )
        }
        Err(BadCalendar::Never) => {
            let message = format!("{} never comes", quote(&cron.value));
            Diagnostic::error(codes::BAD_CRON, message, cron.span, "no such day")
        }
    };
    found.push(diagnostic);
    None
}

fn zones() -> TimeZoneNameIter<'static> {
    db().available()
}

fn twice(name: &Spanned<String>) -> Diagnostic {
    let message = format!("two lines of the schedule are called {}", quote(&name.value));
    Diagnostic::error(codes::DUPLICATE_SCHEDULE, message, name.span, "the second one")
        .help("give each a `name`: its due times are accounted for under it")
}

/// A mode in which nothing is done would succeed each time.
fn check_mode(one: &Scheduled, node: &Node, steps: &[Step], found: &mut Diagnostics) {
    if steps.iter().any(|step| step.modes.contains(&one.mode)) {
        return;
    }
    let span = spanned(node, "mode").map_or(node.span, |mode| mode.span);
    let message = format!("no step takes part in {}", quote(one.mode.word()));
    let idle = Diagnostic::error(codes::IDLE_SCHEDULE, message, span, "nothing would be done");
    found.push(idle.help(format!("name it in a step: `modes: [{}]`", one.mode.word())));
}

/// Nobody is there to give one.
fn check_inputs(span: Span, inputs: &BTreeMap<String, Input>, found: &mut Diagnostics) {
    let without = |input: &Input| input.default.is_none() && input.unattended.is_none();
    for (name, input) in inputs.iter().filter(|(_, input)| without(input)) {
        let message = format!(
            "the input {} has no default, and a schedule gives none",
            quote(name)
        );
        let label = "needs `unattended` or a `default`";
        let needed = Diagnostic::error(codes::SCHEDULE_INPUT, message, input.span, label);
        found.push(needed.and(span, "the schedule is here"));
    }
}

fn window(node: &Node, found: &mut Diagnostics) -> Option<Window> {
    let (from, until) = (day(node, "from", found), day(node, "until", found));
    let days = words(node, "days").into_iter();
    let day_of = |word: String| DAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day);
    let window = Window {
        from,
        until,
        days: days.filter_map(day_of).collect(),
        between: times(node, found),
        reason: text(node, "reason")?,
    };
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        let span = node.get("until").map_or(node.span, |until| until.span);
        let message = format!("the window ends on {until}, before it begins on {from}");
        found.push(Diagnostic::error(codes::BAD_WINDOW, message, span, "too early"));
    }
    let keys = ["from", "until", "days", "between"];
    if matches!(node.value, NodeValue::Mapping(_)) && keys.iter().all(|key| node.get(key).is_none()) {
        let message = "the window does not say when it is";
        let bare = Diagnostic::error(codes::BAD_WINDOW, message, node.span, "always");
        found.push(bare.help("write `from` and `until`, `days`, or `between`"));
    }
    Some(window)
}

fn day(node: &Node, key: &str, found: &mut Diagnostics) -> Option<Date> {
    let day = spanned(node, key)?;
    let parsed = day.value.parse();
    if parsed.is_err() {
        let message = format!("{} is not a day", quote(&day.value));
        let wrong = Diagnostic::error(codes::BAD_WINDOW, message, day.span, "not a day");
        found.push(wrong.help("write it like 2026-12-20"));
    }
    parsed.ok()
}

fn times(node: &Node, found: &mut Diagnostics) -> Option<(jiff::civil::Time, jiff::civil::Time)> {
    let times = spanned(node, "between")?;
    let parsed = between(&times.value);
    if parsed.is_none() {
        let message = format!("{} are not two times of the day", quote(&times.value));
        let wrong = Diagnostic::error(codes::BAD_WINDOW, message, times.span, "not two times");
        found.push(wrong.help("write them like 18:00-02:00"));
    }
    parsed
}

fn answers(node: &Node, found: &mut Diagnostics) -> Option<Answers> {
    let url = spanned(node, "http")?;
    if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
        let message = format!("{} is not an address", quote(&url.value));
        let wrong = Diagnostic::error(codes::REFUSED_VALUE, message, url.span, "not http or https");
        found.push(wrong.help("it begins with http:// or https://"));
    }
    let status = super::integer(node, "status").and_then(|status| u16::try_from(status).ok());
    Some(Answers {
        url: url.value,
        status: status.unwrap_or(STATUS),
        body: text(node, "body"),
    })
}

/// What would surprise whoever relies on it: drills that come too rarely to prove anything, and due times of
/// which every one is blocked. `proof_ms`: for how long a proof is good.
pub(super) fn doubt(spec: &Node, schedule: &[Scheduled], proof_ms: u64, found: &mut Diagnostics) {
    let span = |one: &Scheduled| {
        let node = list(spec, "schedule")
            .iter()
            .find(|node| spanned(node, "name").or_else(|| spanned(node, "mode")).as_ref() == Some(&one.name));
        node.and_then(|node| spanned(node, "cron"))
            .map_or(one.name.span, |cron| cron.span)
    };
    for one in schedule {
        let year = due_in_sample_years(&one.calendar);
        let always = |due: &jiff::Timestamp| one.blocked_at(*due).is_some_and(|window| window.from.is_none());
        if !year.is_empty() && year.iter().all(always) {
            let message = format!("every due time of {} is blocked", quote(&one.name.value));
            found.push(Diagnostic::warning(
                codes::ALWAYS_BLOCKED,
                message,
                span(one),
                "nothing is ever begun",
            ));
        }
    }
    let drills: Vec<&Scheduled> = schedule.iter().filter(|one| one.mode == Mode::Drill).collect();
    let [only] = drills.as_slice() else { return };
    let due = due_in_sample_years(&only.calendar);
    let apart = due
        .windows(2)
        .map(|pair| pair[1].as_millisecond() - pair[0].as_millisecond());
    let apart = u64::try_from(apart.max().unwrap_or(0)).unwrap_or(0);
    if apart > proof_ms {
        let days = |ms: u64| ms / (24 * 60 * 60 * 1000);
        let message = format!(
            "drills come up to {} days apart, and a proof is good for {} days",
            days(apart),
            days(proof_ms)
        );
        found.push(
            Diagnostic::warning(codes::RARE_DRILL, message, span(only), "not often enough")
                .help("drill more often, or say how long a proof is good: `continuity: { proof: 90d }`"),
        );
    }
}

/// Due times at most that are looked at: those of every day in three years. More of them would only say the same.
const SAMPLE_MAX: usize = 1_100;

/// Due times of three years that have a leap year among them. No clock is read: a document is as good today as
/// tomorrow.
fn due_in_sample_years(calendar: &Calendar) -> Vec<jiff::Timestamp> {
    let begin = jiff::Timestamp::constant(1_704_067_200, 0);
    let end = jiff::Timestamp::constant(1_798_761_600, 0);
    let next = |due: &jiff::Timestamp| calendar.after(*due);
    std::iter::successors(calendar.after(begin), next)
        .take_while(|due| *due < end)
        .take(SAMPLE_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::runbook::load::tests::{SHOP, load_text};
    use crate::runbook::{Mode, Scheduled};

    fn with(schedule: &str) -> (Vec<Scheduled>, String) {
        let text = SHOP.replace("  steps:\n", &format!("  schedule:\n{schedule}\n  steps:\n"));
        let (loaded, sources) = load_text(&text);
        let said = loaded.diagnostics.render(&sources, false);
        (loaded.runbook.unwrap().schedule, said)
    }

    #[test]
    fn a_schedule_is_read_with_what_people_leave_out() {
        let (schedule, said) = with(
            "    - { mode: protect, cron: '*/10 * * * *' }
    - name: monthly
      mode: drill
      cron: '30 2 1 * *'
      zone: Europe/Berlin
      jitter: 20m
      blocked:
        - { from: 2026-12-20, until: 2027-01-06, reason: Christmas }
        - { days: [fri, sat], between: '18:00-02:00', reason: peak }
      unless: { file: freeze }
      only_if: { http: 'https://status.example/quiet', body: ok }",
        );
        assert_eq!(said, "");
        let [protect, drill] = schedule.as_slice() else {
            panic!("{schedule:?}")
        };
        assert_eq!(
            (protect.name.value.as_str(), protect.mode),
            ("protect", Mode::Protect)
        );
        assert_eq!((protect.calendar.zone_name(), protect.deadline_ms), ("UTC", None));
        assert_eq!(
            (drill.name.value.as_str(), drill.jitter_ms),
            ("monthly", 1_200_000)
        );
        assert_eq!(drill.deadline_ms, Some(Scheduled::DRILL_DEADLINE_MS));
        assert_eq!(drill.blocked.len(), 2);
        assert_eq!(drill.unless.as_deref(), Some(std::path::Path::new("shop/freeze")));
        assert_eq!(drill.only_if.as_ref().map(|answers| answers.status), Some(200));
    }

    #[test]
    fn every_mistake_in_a_schedule_is_said_where_it_is() {
        let (schedule, said) = with(
            "    - { mode: protect, cron: '0 25 * * *' }
    - { mode: drill, cron: '0 0 31 2 *' }
    - { mode: drill, cron: '0 2 * * *', zone: Europe/Berlim, name: a }
    - { mode: drill, cron: '0 2 * * *', name: b }
    - { mode: drill, cron: '0 3 * * *', name: b, blocked: [{ reason: ever }, { from: 2026-12-20, until: 2026-12-19, reason: no }] }
    - { mode: failover, cron: '0 4 * * *', name: c }
    - { mode: drill, cron: '0 5 * * *', name: d, blocked: [{ between: 18-20, from: tomorrow, reason: no }] }
    - { mode: drill, cron: '0 6 * * *', name: e, only_if: { http: status.example } }",
        );
        assert_eq!(schedule.len(), 4, "{schedule:?}");
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        error[L040]: `0 25 * * *` are not the five fields of cron: Number out of bounds
        error[L040]: `0 0 31 2 *` never comes
        error[L041]: there is no time zone `Europe/Berlim`
        error[L042]: two lines of the schedule are called `b`
        error[L045]: the window does not say when it is
        error[L045]: the window ends on 2026-12-19, before it begins on 2026-12-20
        error[L013]: `failover` is not one of drill, protect
        error[L045]: `18-20` are not two times of the day
        error[L045]: `tomorrow` is not a day
        error[L035]: `status.example` is not an address
        ");
    }

    #[test]
    fn a_schedule_that_would_do_nothing_or_could_not_begin_is_refused() {
        let text = SHOP
            .replace("modes: [protect, switchover]", "modes: [switchover]")
            .replace("default: 3, minimum", "minimum");
        let text = text.replace(
            "  steps:\n",
            "  schedule: [{ mode: protect, cron: '@hourly' }]\n  steps:\n",
        );
        let (loaded, sources) = load_text(&text);
        let said = loaded.diagnostics.render(&sources, false);
        assert!(
            said.contains("error[L043]: no step takes part in `protect`"),
            "{said}"
        );
        assert!(
            said.contains("error[L044]: the input `replicas` has no default"),
            "{said}"
        );
    }

    #[test]
    fn drills_that_prove_too_little_and_windows_that_are_always_are_doubted() {
        let (_, said) = with("    - { mode: drill, cron: '0 2 1 1,7 *' }");
        assert!(
            said.contains("warning[L109]: drills come up to 184 days apart, and a proof is good for 90 days"),
            "{said}"
        );
        let (_, said) = with(
            "    - { mode: drill, cron: '0 2 * * *', blocked: [{ between: '01:00-03:00', reason: no }] }",
        );
        assert!(
            said.contains("warning[L110]: every due time of `drill` is blocked"),
            "{said}"
        );
    }
}
