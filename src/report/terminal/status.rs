//! One screen about a run, finished or not: how it stands, what it waits for, what to type.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::closing::figures;
use super::live::{LiveOptions, Watch};
use super::{Line, Word};
use crate::report::lines::{clean, ends, hang, text};
use crate::report::outcome::{NoBeginning, State, StepReport, StepState, Summary};
use crate::report::units::{age, between_ms, count, duration, moment};
use crate::report::words::headline;
use crate::run::Entry;

/// Lines about steps: with the rest of the text one small screen.
const STEPS: usize = 12;

/// The screen, with a line break at its end. `now` only tells how long ago the last entry was.
///
/// # Errors
///
/// Where the entries are not a run's journal.
pub fn status(
    entries: &[Entry],
    now: Timestamp,
    zone: &TimeZone,
    columns: usize,
) -> Result<String, NoBeginning> {
    let summary = Summary::of(entries)?;
    let mut watch = Watch::new(LiveOptions::default());
    for entry in entries {
        watch.push(entry);
    }
    let name = format!("{} · {}", clean(&summary.run.0), moment(summary.began_at, zone));
    let mut out = vec![
        ends(&headline(&summary), &name, columns),
        hang("  ", &state(&summary, now), columns),
    ];
    let since_ms = between_ms(summary.last_at, now).unwrap_or(0);
    out.extend(steps(
        &summary,
        &watch,
        summary.elapsed_ms.saturating_add(since_ms),
        columns,
    ));
    if let Some(next) = watch.next().filter(|_| !summary.is_over()) {
        out.push(hang("  next  ", &next, columns));
    }
    out.extend(figures(&summary, columns));
    Ok(text(&out))
}

/// What the journal says of the run as a whole, and how fresh that is.
fn state(summary: &Summary, now: Timestamp) -> String {
    let ago = between_ms(summary.last_at, now).map_or_else(
        || "in the future: the clocks disagree".to_owned(),
        |ms| format!("{} ago", age(ms)),
    );
    let resume = format!("lifeboat resume {}", summary.run);
    clean(&match &summary.state {
        State::Ended { .. } => format!("It ended {ago}, after {}.", duration(summary.elapsed_ms)),
        State::Paused { by, reason } => format!("Paused {ago} by {by}: {reason}. Go on: {resume}"),
        State::Stopping { by, reason } => format!("{by} asked for the end: {reason}. Last entry {ago}."),
        State::Unwinding { step } => format!("Being undone because {step} failed. Last entry {ago}."),
        State::Open => format!("Last entry {ago}. If no process carries it any more: {resume}"),
    })
}

/// Steps that go on or went wrong and the newest that ended, in the plan's order; the rest as a
/// number.
fn steps(summary: &Summary, watch: &Watch, now_ms: u64, columns: usize) -> Vec<String> {
    let active = watch.active(now_ms);
    let quiet = |step: &&StepReport| !active.iter().any(|line| line.name == clean(&step.name));
    let over: Vec<_> = summary
        .steps
        .iter()
        .filter(|step| step.state.is_over())
        .filter(quiet)
        .collect();
    let mut newest: Vec<_> = over.iter().collect();
    newest.sort_by_key(|step| std::cmp::Reverse((step.state == StepState::Failed, step.ended_ms)));
    newest.truncate(STEPS.saturating_sub(active.len()));
    let hidden = over.len() - newest.len();
    let mut out = Vec::new();
    if hidden > 0 {
        out.push(format!("  … {} that ended before", count(hidden, "step")));
    }
    let shown = over
        .iter()
        .filter(|step| newest.iter().any(|one| one.name == step.name));
    let lines = shown.map(|step| ended_line(step)).chain(active);
    out.extend(lines.map(|line| hang_line(&line, watch.names, columns)));
    out
}

fn hang_line(line: &Line, names: usize, columns: usize) -> String {
    let head = Line {
        text: "|".to_owned(),
        ..line.clone()
    }
    .draw(names);
    hang(&format!("  {}", head.trim_end_matches('|')), &line.text, columns)
}

fn ended_line(step: &StepReport) -> Line {
    let word = match step.state {
        StepState::Succeeded | StepState::MarkedDone | StepState::Undone => Word::Ok,
        StepState::Skipped => Word::Skip,
        _ => Word::Fail,
    };
    let time = step.took_ms().map(duration).unwrap_or_default();
    Line::new(word, &step.name, time, &step.result())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn screen(entries: &[Entry]) -> String {
        let later = sample::now() + jiff::SignedDuration::from_secs(700);
        status(entries, later, &sample::zone(), 80).unwrap()
    }

    #[test]
    fn a_paused_failover_says_whom_it_waits_for_and_what_to_type() {
        insta::assert_snapshot!(screen(&sample::paused()), @r#"
        Failover is paused.                      shop-f-77c · 2026-11-22 23:14:07 +01:00
          Paused 11 m 10 s ago by lifeboat: go waits for a person and nobody is at the
          terminal. Go on: lifeboat resume shop-f-77c
          ok    stop-active  3 s       0 of 3 replicas left
          ok    restore      5 s       31 created, 2 updated
          ok    web-up       20 s      3 of 3 replicas ready
          ok    answers      2 s       200, twice in a row
          ask   go           11 m 9 s  "Send customers to west?" (incident-commander):
                                       lifeboat approve shop-f-77c go --as <name> --role
                                       incident-commander --reason "…"
          RTO    30 s of 30 m       met     from the start to the end of answers, the
                                            last of 2 steps that prove health
          RPO    12 m 7 s of 15 m   met     from the backup's consistent point to the
                                            start
          Steps  4 ok, 1 asking (go)
          Objects  31 created, 0 deleted, by uid
        "#);
    }

    #[test]
    fn a_run_whose_process_died_is_not_called_running() {
        let entries = sample::recovered();
        insta::assert_snapshot!(screen(&entries[..8]), @r#"
        Drill has not ended.                     shop-d-4k2 · 2026-11-22 23:14:07 +01:00
          Last entry 11 m 38 s ago. If no process carries it any more: lifeboat resume
          shop-d-4k2
          ok    drill:open       0.4 s     1 namespace, closed to the outside
          skip  stop-active                it acts on east; a drill writes only on west
          ok    restore          2.1 s     31 created, 2 skipped (LoadBalancer web,
                                           CronJob nightly suspended)
          skip  go                         no person is asked in a drill
          next  web-up, then drill:tear-down
          RTO    not measured yet, 30 m wanted
                 health is not proved: web-up pending, answers pending
          RPO    12 m 7 s of 15 m   met     from the backup's consistent point to the
                                            start
          Steps  2 ok, 2 skipped (stop-active: it acts on east; a drill writes only on
                 west; go: no person is asked in a drill), 3 pending
          Left behind  34 objects: Namespace shop-drill-4k2, ConfigMap
                       shop-drill-4k2/policy-0, ConfigMap shop-drill-4k2/policy-1 and 31
                       more (34 created, 0 deleted, by uid); not torn down yet
        "#);
    }

    #[test]
    fn a_journal_without_a_beginning_is_refused() {
        assert_eq!(
            status(&sample::paused()[1..], sample::now(), &sample::zone(), 80),
            Err(NoBeginning)
        );
    }
}
