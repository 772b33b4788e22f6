//! Years of schedules with restarts, crashes, downtime and clocks that are wrong, held against what was due.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::{TimeZone, db};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::report::{Readiness, Ready as State, Reason, Why};
use crate::runbook::{Calendar, Mode, Objectives, Scheduled};
use crate::text::{Span, Spanned};

pub(super) fn line(mode: Mode, cron: &str, zone: &str) -> Scheduled {
    Scheduled {
        name: Spanned::new("nightly".to_owned(), Span::NOWHERE),
        mode,
        calendar: Calendar::new(cron, zone).unwrap(),
        jitter_ms: 0,
        deadline_ms: (mode == Mode::Drill).then_some(Scheduled::DRILL_DEADLINE_MS),
        blocked: Vec::new(),
        unless: None,
        only_if: None,
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 1).unwrap() % sides
    }
}

/// A server of schedules in a world of its own, with a ledger that a crash cannot take.
struct World {
    ledger: Ledger,
    records: Vec<Record>,
    schedules: Schedules,
    /// Runs that exist, each with how often it was begun.
    runs: BTreeMap<String, u32>,
    now: Timestamp,
    held: Option<&'static str>,
}

const NAME: &str = "shop/nightly";

impl World {
    fn of(said: Scheduled, now: Timestamp) -> Self {
        Self {
            ledger: Ledger::default(),
            records: Vec::new(),
            schedules: Schedules::from([(NAME.to_owned(), said)]),
            runs: BTreeMap::new(),
            now,
            held: None,
        }
    }

    fn append(&mut self, records: Vec<Record>) {
        for record in &records {
            self.ledger.record(record).unwrap();
        }
        self.records.extend(records);
    }

    /// One look, up to the first thing that may begin.
    fn look(&mut self) -> Turn {
        let runs = &self.runs;
        let trace = |run: &str| {
            if runs.contains_key(run) {
                Trace::Begun
            } else {
                Trace::Absent
            }
        };
        let settled = settle(&self.ledger, &self.schedules, self.now, &trace);
        self.append(settled);
        let turn = look(
            NAME,
            &self.schedules[NAME],
            &self.ledger.lines[NAME],
            self.now,
            self.held,
        );
        self.append(turn.records.clone());
        turn
    }

    /// What is ready begins, unless the process ends on the way: `crash` 1 before the run, 2 after it.
    fn begin(&mut self, ready: &Ready, crash: i64) {
        let (line, run) = (NAME.to_owned(), format!("shop-d-{}", ready.id));
        let (due, attempt) = (ready.due, ready.attempt);
        let intended = Record::Intended {
            line: line.clone(),
            due,
            run: run.clone(),
            attempt,
        };
        self.append(vec![intended]);
        if crash == 1 {
            return;
        }
        *self.runs.entry(run.clone()).or_default() += 1;
        if crash != 2 {
            self.append(vec![Record::Fired { line, due, run }]);
        }
    }

    /// Each due time with how it stands in the end: what was withdrawn because a clock was set right counts no more.
    fn ends(&self, due: &[Timestamp]) -> BTreeMap<Timestamp, Vec<&'static str>> {
        let mut ends: BTreeMap<Timestamp, Vec<&'static str>> = BTreeMap::new();
        for record in &self.records {
            match record {
                Record::Fired { due, .. } => ends.entry(*due).or_default().push("fired"),
                Record::Skipped { due, .. } => ends.entry(*due).or_default().push("skipped"),
                Record::Missed {
                    due: first,
                    last,
                    count,
                    ..
                } => {
                    let from = due.partition_point(|due| due < first);
                    let to = due.partition_point(|due| due <= last);
                    let open: Vec<_> = due[from..to]
                        .iter()
                        .filter(|due| !ends.get(due).is_some_and(|ends| ends.contains(&"fired")))
                        .collect();
                    assert_eq!(open.len() as u64, *count, "{record:?}");
                    for due in open {
                        ends.entry(*due).or_default().push("missed");
                    }
                }
                Record::SetBack { at } => {
                    for (_, ends) in ends.range_mut(*at..).filter(|(due, _)| *due > at) {
                        ends.retain(|end| *end == "fired");
                    }
                }
                Record::Began { .. } | Record::Withdrawn { .. } | Record::Intended { .. } => {}
            }
        }
        ends
    }

    /// Every due time up to the last look has ended, once; nothing else has; no run was begun twice.
    fn check(&self, due: &[Timestamp]) -> (usize, usize) {
        let ends = self.ends(due);
        let open = self.ledger.lines[NAME].until;
        let began = self.records.iter().find_map(|record| match record {
            Record::Began { at, .. } => Some(*at),
            _ => None,
        });
        for due in due.iter().filter(|due| **due > began.unwrap() && **due <= open) {
            let ended = ends.get(due).map_or(0, Vec::len);
            assert_eq!(ended, 1, "{due} ended {ended} times: {:?}", ends.get(due));
        }
        let known: BTreeSet<_> = due.iter().collect();
        for (due, ends) in &ends {
            assert!(
                ends.is_empty() || known.contains(due),
                "{due} was never due: {ends:?}"
            );
        }
        assert!(self.runs.values().all(|times| *times == 1), "{:?}", self.runs);
        let fired = ends.values().filter(|ends| ends.as_slice() == ["fired"]).count();
        (fired, self.runs.len())
    }

    /// Lives until `end`: mostly well, at times down, crashing, or with a clock that is wrong.
    fn live(&mut self, end: Timestamp, dice: &mut Dice) {
        let mut wrong = SignedDuration::ZERO;
        let mut real = self.now;
        while real < end {
            let turn = self.look();
            if let Some(ready) = &turn.ready {
                self.begin(ready, dice.roll(12));
                continue;
            }
            let wake = turn.wake.unwrap() - wrong;
            real = real.max(wake);
            match dice.roll(40) {
                0 => real += SignedDuration::from_hours(dice.roll(24 * 20)),
                1 => real += SignedDuration::from_mins(dice.roll(180)),
                2 => wrong = SignedDuration::from_mins(dice.roll(4_000) - 2_000),
                3 => wrong = SignedDuration::ZERO,
                _ => {}
            }
            self.now = real + wrong;
        }
        // In the end the clock is right, nothing holds anything up, and nothing crashes.
        self.now = end;
        self.held = None;
        while let Some(ready) = self.look().ready {
            self.begin(&ready, 9);
        }
    }
}

/// The first instant of each date at which its wall clock shows half past two or later: found without cron, and
/// without asking what a gap or a fold is. Every clock of these years differs from UTC by quarters of an hour.
fn half_past_two(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let quarter = SignedDuration::from_mins(15);
    let mut due = Vec::new();
    let mut date = zone.to_datetime(from).date();
    while due.last().is_none_or(|last| *last < to) {
        let wall = date.at(2, 30, 0, 0);
        let shown = |instant: Timestamp| zone.to_datetime(instant) >= wall;
        // Three hours before it would be, if the clock were as it is then.
        let guess = TimeZone::UTC.to_timestamp(wall).unwrap();
        let offset = zone.to_offset(guess - SignedDuration::from_hours(12));
        let mut instant = offset.to_timestamp(wall).unwrap() - SignedDuration::from_hours(3);
        assert!(!shown(instant), "{wall} in {zone:?}");
        while !shown(instant) {
            instant += quarter;
        }
        due.push(instant);
        date = date.tomorrow().unwrap();
    }
    due
}

/// Every zone that this machine knows, for so many years; how many zones and how many due times that were.
fn all_zones(years: i64) -> (usize, usize) {
    let (begin, mut zones, mut times) = (at("2026-01-01T00:00:00Z"), 0, 0);
    let end = begin + SignedDuration::from_hours(years * 8_766);
    for (number, name) in db().available().enumerate() {
        let said = line(Mode::Drill, "30 2 * * *", name.as_str());
        let due = half_past_two(said.calendar.zone(), begin, end + SignedDuration::from_hours(48));
        let mut world = World::of(said, begin);
        world.live(end, &mut Dice(number as u64 + 7));
        let (fired, runs) = world.check(&due);
        let days = usize::try_from(years * 365).unwrap();
        assert_eq!(fired, runs, "{name}");
        assert!(fired > days / 4, "{name}: only {fired} of {days} fired");
        zones += 1;
        times += due.len();
    }
    (zones, times)
}

#[test]
fn a_year_in_every_time_zone_has_neither_a_double_nor_a_silent_miss() {
    let (zones, times) = all_zones(1);
    assert!(zones > 500 && times > 180_000, "{zones} zones, {times} due times");
}

/// Minutes without optimisation: `make torture` has it optimised.
#[test]
#[ignore = "the full number: twenty years in six hundred zones"]
fn twenty_years_in_every_time_zone_have_neither_a_double_nor_a_silent_miss() {
    let (zones, times) = all_zones(20);
    println!("{zones} zones, {times} due times");
    assert!(
        zones > 500 && times > 4_000_000,
        "{zones} zones, {times} due times"
    );
}

#[test]
fn a_week_of_absence_is_one_run_and_the_rest_is_missed() {
    let mut world = World::of(
        line(Mode::Protect, "0 2 * * *", "UTC"),
        at("2026-11-01T00:00:00Z"),
    );
    world.look();
    world.now = at("2026-11-08T09:00:00Z");
    let turn = world.look();
    let ready = turn.ready.unwrap();
    assert_eq!(ready.due, at("2026-11-08T02:00:00Z"));
    assert_eq!(
        turn.records,
        [Record::Missed {
            line: NAME.to_owned(),
            due: at("2026-11-01T02:00:00Z"),
            last: at("2026-11-07T02:00:00Z"),
            count: 7,
            why: NOBODY.to_owned(),
        }]
    );
    // A drill of the night does not begin in the morning.
    let mut world = World::of(line(Mode::Drill, "0 2 * * *", "UTC"), at("2026-11-08T00:00:00Z"));
    world.look();
    world.now = at("2026-11-08T03:00:01Z");
    assert_eq!(world.look().ready, None);
    assert_eq!(world.ledger.lines[NAME].counts.missed, 1);
}

#[test]
fn what_was_missed_by_a_clock_that_ran_ahead_is_open_again_and_what_fired_is_not() {
    let mut world = World::of(
        line(Mode::Protect, "0 2 * * *", "UTC"),
        at("2026-11-01T00:00:00Z"),
    );
    world.look();
    world.now = at("2036-01-01T03:00:00Z");
    let ready = world.look().ready.unwrap();
    world.begin(&ready, 9);
    assert!(world.ledger.lines[NAME].counts.missed > 3_000);
    world.now = at("2026-11-01T12:00:00Z");
    let turn = world.look();
    assert_eq!(world.records.last(), Some(&Record::SetBack { at: world.now }));
    // What came between, while the clock was wrong, was missed by that clock, and not withdrawn.
    assert_eq!((turn.ready, turn.wake), (None, Some(at("2026-11-02T02:00:00Z"))));
    world.now = at("2026-11-02T02:00:00Z");
    assert_eq!(world.look().ready.unwrap().due, world.now);
    // Ten years later the one that fired comes again, and is over.
    world.ledger.lines.get_mut(NAME).unwrap().until = at("2035-12-31T12:00:00Z");
    world.now = at("2036-01-01T03:00:00Z");
    assert_eq!(world.look().ready, None);
}

#[test]
fn a_schedule_that_changes_accounts_for_the_old_due_times_and_begins_anew() {
    let mut world = World::of(
        line(Mode::Protect, "0 2 * * *", "UTC"),
        at("2026-11-01T00:00:00Z"),
    );
    world.look();
    world.now = at("2026-11-03T12:00:00Z");
    world
        .schedules
        .insert(NAME.to_owned(), line(Mode::Protect, "0 3 * * *", "UTC"));
    let turn = world.look();
    let words: Vec<String> = world
        .records
        .iter()
        .skip(1)
        .map(|record| format!("{record:?}"))
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    Missed { line: "shop/nightly", due: 2026-11-01T02:00:00Z, last: 2026-11-03T02:00:00Z, count: 3, why: "the schedule was changed before it began" }
    Withdrawn { line: "shop/nightly", at: 2026-11-03T12:00:00Z }
    Began { line: "shop/nightly", rule: Rule { mode: Protect, cron: "0 3 * * *", zone: "UTC" }, at: 2026-11-03T12:00:00Z }
    "#);
    assert_eq!(turn.wake, Some(at("2026-11-04T03:00:00Z")));
}

#[test]
fn jitter_is_the_same_each_time_and_never_reaches_the_next_due_time() {
    let mut said = line(Mode::Protect, "*/10 * * * *", "UTC");
    said.jitter_ms = 9 * 60 * 1000;
    let mut seen = BTreeSet::new();
    for hour in 0..24 {
        let now = at("2026-11-01T00:00:00Z") + SignedDuration::from_hours(hour);
        let next = next_after(NAME, &said, now).unwrap();
        assert_eq!(Some(next), next_after(NAME, &said, now));
        let due = said.calendar.after(now).unwrap();
        assert!(due <= next && next <= said.calendar.after(due).unwrap());
        seen.insert(next.duration_since(due));
    }
    assert!(seen.len() > 4, "{seen:?}");
    let midnight = at("2026-11-01T00:00:00Z");
    assert_ne!(
        next_after("bank/nightly", &said, midnight),
        next_after(NAME, &said, midnight)
    );
    said.jitter_ms = u64::from(u32::MAX);
    let due = said.calendar.after(midnight).unwrap();
    assert_eq!(next_after(NAME, &said, midnight), said.calendar.after(due));
}

#[test]
fn a_second_end_of_a_due_time_is_refused() {
    let mut world = World::of(line(Mode::Drill, "0 2 * * *", "UTC"), at("2026-11-01T00:00:00Z"));
    world.look();
    world.now = at("2026-11-01T02:00:00Z");
    let ready = world.look().ready.unwrap();
    world.begin(&ready, 9);
    let skipped = Record::Skipped {
        line: NAME.to_owned(),
        due: ready.due,
        why: "once more".to_owned(),
    };
    assert!(world.ledger.record(&skipped).is_err());
    let fired = Record::Fired {
        line: NAME.to_owned(),
        due: at("2026-11-02T02:00:00Z"),
        run: "shop-d-nobody".to_owned(),
    };
    assert!(world.ledger.record(&fired).is_err(), "nobody intended it");
}

/// A board with a service in each of three states.
fn board() -> Board {
    let now = at("2026-11-26T12:00:00Z");
    let mut board = Board::empty(now, TimeZone::UTC);
    for (service, state) in [
        ("shop", State::Ready),
        ("bank<b>", State::NeverProven),
        ("mail", State::NeedsAttention),
    ] {
        let said = line(Mode::Drill, "30 3 * * 2", "Europe/Berlin");
        let because = match state {
            State::Ready => Vec::new(),
            _ => vec![Reason {
                code: Why::NeverDrilled,
                state,
                text: "no drill has ever been made".to_owned(),
            }],
        };
        board.services.push(board::Service {
            readiness: Readiness {
                service: service.to_owned(),
                title: service.to_owned(),
                tier: Some(1),
                state,
                objectives: Objectives {
                    rto_ms: Some(1_800_000),
                    rpo_ms: None,
                },
                proof: None,
                because,
                at: now,
            },
            proof_ms: 86_400_000,
            lines: vec![board::Line {
                next: Some(now + SignedDuration::from_hours(2)),
                last: Some((now, End::Skipped("Black Friday".to_owned()))),
                counts: Counts {
                    fired: 3,
                    skipped: 1,
                    missed: 0,
                },
                ..board::Line::of(&said)
            }],
            under_way: None,
            broken: None,
            runs: Vec::new(),
        });
    }
    board.sort();
    board
}

#[test]
fn the_page_has_the_worst_first_and_escapes_names() {
    let html = page(&board());
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} in {html}"));
    assert!(place("bank&lt;b&gt;") < place("mail") && place("mail") < place(">shop<"));
    assert!(
        html.contains("1 of 3 are not ready or were never proven."),
        "{html}"
    );
    assert!(
        html.contains("skipped, Black Friday") && html.contains("in 2\u{a0}h"),
        "{html}"
    );
    assert!(!html.contains("<script") && html.contains("http-equiv=\"refresh\""));
}

/// One sample of the text: name, labels as they stand, value.
fn samples(text: &str) -> Vec<(String, String, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        (
            name.to_owned(),
            labels.trim_end_matches('}').to_owned(),
            value.parse().unwrap(),
        )
    };
    lines.map(sample).collect()
}

#[test]
fn metrics_say_what_the_page_says_in_the_words_of_openmetrics() {
    let mut board = board();
    board
        .services
        .retain(|service| service.readiness.service != "bank<b>");
    let text = metrics(&board).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = samples(&text);
    let value = |name: &str, labels: &str| {
        let found = samples
            .iter()
            .find(|sample| sample.0 == name && sample.1 == labels);
        found.map(|sample| sample.2)
    };
    assert_eq!(
        value("lifeboat_service_state", "service=\"shop\",state=\"ready\""),
        Some(1.0),
        "{text}"
    );
    assert_eq!(
        value("lifeboat_service_state", "service=\"shop\",state=\"not-ready\""),
        Some(0.0)
    );
    assert_eq!(
        value("lifeboat_looked_timestamp_seconds", ""),
        Some(1_795_694_400.0)
    );
    assert_eq!(
        value(
            "lifeboat_service_reason",
            "service=\"mail\",reason=\"never-drilled\""
        ),
        Some(1.0)
    );
    let line = "service=\"shop\",line=\"nightly\",mode=\"drill\"";
    assert_eq!(
        value("lifeboat_next_due_timestamp_seconds", line),
        Some(1_795_701_600.0)
    );
    assert_eq!(
        value("lifeboat_due_times_total", &format!("{line},end=\"fired\"")),
        Some(3.0)
    );
    // What nobody knows has no sample.
    assert_eq!(
        value("lifeboat_last_proof_timestamp_seconds", "service=\"shop\""),
        None
    );
    // Every family says what it is before its samples, once, and each sample belongs to the family above it.
    let mut families = std::collections::BTreeSet::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(families.insert(family.clone()), "{line}");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&family), "{line} under {family}");
        }
    }
    assert!(families.len() > 15, "{families:?}");
}

/// Where a `promtool` of Prometheus is at hand, it has to find nothing wrong.
#[test]
fn prometheus_itself_reads_the_metrics_where_it_is_at_hand() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let checking = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checking) = checking else {
        println!("promtool is not there: nothing was asked of it");
        return;
    };
    let text = metrics(&board()).unwrap();
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = checking.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
