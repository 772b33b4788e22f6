//! What happened when: one row per step, one bar per attempt, the objective as a line. As SVG, and
//! as text for Markdown.

use std::fmt::Write as _;

use super::{Tone, escape};
use crate::report::lines::{clean, cut, pad};
use crate::report::outcome::{AttemptReport, AttemptResult, StepReport, Summary};
use crate::report::units::{clock, duration};

const LEFT: f64 = 180.0;
const AREA: f64 = 640.0;
/// The name of a moment, at most.
const NAME: f64 = 140.0;
/// Room for the duration behind a bar that ends at the right edge.
const RIGHT: f64 = 110.0;
const TOP: f64 = 46.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
/// Narrower bars could not be seen.
const NARROWEST: f64 = 2.0;
/// An objective farther away than this many times the run is named at the edge, not drawn: it would
/// press the run into a corner.
const FAR: u64 = 3;

/// How the classes look; a page includes it once.
pub(crate) const STYLE: &str = "\
.timeline{font-family:system-ui,'Segoe UI','Liberation Sans',Arial,sans-serif}\
.timeline text{font-size:12px;fill:var(--ink)}.timeline .soft{fill:var(--soft);font-size:11px}\
.timeline line{stroke:var(--line);stroke-width:1}.timeline .target{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:6 3}\
.timeline .done{stroke:var(--good);stroke-width:1.5}.timeline .wait{stroke:var(--doubt);stroke-width:2;stroke-dasharray:2 3}\
.timeline rect{stroke-width:1.2}.timeline .good{fill:var(--good);stroke:var(--good)}.timeline .bad{fill:var(--bad-fill);stroke:var(--bad)}\
.timeline .doubt{fill:var(--doubt-fill);stroke:var(--doubt)}.timeline .neutral{fill:var(--neutral-fill);stroke:var(--neutral);stroke-dasharray:4 2}\
.timeline .muted{fill:var(--muted);stroke:var(--muted)}";

/// The clock from left to right.
struct Scale {
    end_ms: u64,
}

impl Scale {
    fn of(summary: &Summary) -> Self {
        let run = summary.elapsed_ms.max(1);
        let target = summary
            .rto
            .target_ms
            .map(|target| target.saturating_sub(summary.decided_ms()))
            .filter(|target| *target <= run.saturating_mul(FAR));
        Self {
            end_ms: run.max(target.unwrap_or(0)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run, far below 2^52")]
    fn x(&self, ms: u64) -> f64 {
        LEFT + AREA * (ms.min(self.end_ms) as f64 / self.end_ms as f64)
    }

    /// Round distances between marks, few enough that their texts do not touch.
    fn marks(&self) -> impl Iterator<Item = u64> + use<> {
        const ROUND_S: [u64; 16] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400,
        ];
        let end = self.end_ms;
        let fits = |step: &u64| end / (step * 1000) <= 8;
        let step = ROUND_S.into_iter().find(fits).unwrap_or(end.div_ceil(8_000)) * 1000;
        (0..).map(move |n| n * step).take_while(move |at| *at <= end)
    }
}

/// The timeline for a page that has the palette.
pub(crate) fn timeline(summary: &Summary) -> String {
    let scale = Scale::of(summary);
    let steps: Vec<_> = summary
        .steps
        .iter()
        .filter(|step| step.started_ms.is_some())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of steps")]
    let bottom = TOP + steps.len() as f64 * ROW;
    let (width, height) = (LEFT + AREA + RIGHT, bottom + 12.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>Timeline of {}</title>\n<desc>{}</desc>\n",
        escape(&summary.run.0),
        escape(&description(&steps)),
    );
    for at in scale.marks() {
        let x = scale.x(at);
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/><text class=\"soft\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            TOP - 6.0,
            clock(at)
        );
    }
    out.push_str(&moments(summary, &scale, bottom));
    let mut y = TOP;
    for step in steps {
        out.push_str(&row(step, &scale, y, summary.elapsed_ms));
        y += ROW;
    }
    out.push_str("</svg>\n");
    out
}

/// The lines of the objective and of the recovery, named above the clock. Both may count from a declaration,
/// and the picture begins with the run.
fn moments(summary: &Summary, scale: &Scale, bottom: f64) -> String {
    let mut out = String::new();
    let in_run = |ms: u64| ms.saturating_sub(summary.decided_ms());
    let mut mark = |ms: u64, class: &str, text: &str, anchor: &str| {
        let x = scale.x(in_run(ms));
        let _ = writeln!(
            out,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"22\" x2=\"{x:.1}\" y2=\"{bottom}\"/><text x=\"{x:.1}\" y=\"16\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        );
    };
    // Neither name covers the other: the earlier one stands to the left of its line.
    let (healthy, target) = match (summary.rto.measured_ms, summary.rto.target_ms) {
        (Some(healthy), Some(target)) if healthy > target => {
            let apart = scale.x(in_run(healthy)) - scale.x(in_run(target));
            (if apart < NAME { "start" } else { "end" }, "end")
        }
        _ => ("end", "start"),
    };
    if let Some(ms) = summary.rto.measured_ms {
        mark(ms, "done", &format!("healthy after {}", duration(ms)), healthy);
    }
    match summary.rto.target_ms {
        Some(ms) if in_run(ms) <= scale.end_ms => {
            mark(ms, "target", &format!("RTO {}", duration(ms)), target);
        }
        Some(ms) => {
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{}\" y=\"16\" text-anchor=\"end\">RTO {} →</text>",
                LEFT + AREA + RIGHT - 4.0,
                duration(ms)
            );
        }
        None => {}
    }
    out
}

fn row(step: &StepReport, scale: &Scale, y: f64, now_ms: u64) -> String {
    let middle = y + ROW / 2.0;
    let mut out = format!(
        "<g><title>{}</title><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        escape(&in_words(step)),
        LEFT - 10.0,
        middle + 4.0,
        escape(&cut(&clean(&step.name), 24)),
    );
    let mut before: Option<u64> = None;
    let mut end = step.started_ms.unwrap_or(0);
    for (effect, attempt) in step.attempts() {
        let until = attempt.ended_ms.unwrap_or(now_ms);
        if let Some(before) = before.filter(|before| *before < attempt.began_ms) {
            let _ = write!(
                out,
                "<line class=\"wait\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>",
                scale.x(before),
                scale.x(attempt.began_ms)
            );
        }
        let tone = if effect.asked.is_some() {
            Tone::Doubt
        } else {
            tone(step, attempt)
        };
        let (x1, x2) = (scale.x(attempt.began_ms), scale.x(until));
        let _ = write!(
            out,
            "<rect class=\"{}\" x=\"{x1:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
            tone.class(),
            middle - BAR / 2.0,
            (x2 - x1).max(NARROWEST)
        );
        before = Some(until);
        end = end.max(until);
    }
    let text = format!(
        "{} {}",
        duration(end.saturating_sub(step.started_ms.unwrap_or(0))),
        word(step)
    );
    let _ = writeln!(
        out,
        "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        scale.x(end) + 6.0,
        middle + 4.0,
        escape(text.trim_end())
    );
    out
}

/// What the colour of a row says, where it is not the usual.
const fn word(step: &StepReport) -> &'static str {
    match Tone::of(step.state) {
        Tone::Good => "",
        _ => step.state.word(),
    }
}

const fn tone(step: &StepReport, attempt: &AttemptReport) -> Tone {
    match attempt.result {
        AttemptResult::Performed { .. } if step.last => Tone::Muted,
        AttemptResult::Performed { .. } | AttemptResult::Answered { .. } => Tone::Good,
        AttemptResult::Failed { .. } => Tone::Bad,
        AttemptResult::Unknown { .. } | AttemptResult::Decided { .. } => Tone::Doubt,
        AttemptResult::Open => Tone::Neutral,
    }
}

fn in_words(step: &StepReport) -> String {
    let from = step
        .started_ms
        .map_or_else(String::new, |ms| format!(" began at {}", clock(ms)));
    let took = step.took_ms().map_or_else(
        || ", has not ended".to_owned(),
        |ms| format!(", took {}", duration(ms)),
    );
    let again = match step.repeats() {
        0 => String::new(),
        1 => ", 1 more try".to_owned(),
        n => format!(", {n} more tries"),
    };
    format!("{}{from}{took}{again}: {}", step.name, step.state.word())
}

fn description(steps: &[&StepReport]) -> String {
    /// Longer texts are not listened to; the table of steps says the same.
    const IN_WORDS: usize = 30;
    if steps.len() > IN_WORDS {
        return format!("{} steps; the table of steps lists them.", steps.len());
    }
    let all: Vec<_> = steps.iter().map(|step| format!("{}.", in_words(step))).collect();
    all.join(" ")
}

/// The same in characters: `=` worked, `x` failed, `?` asked or unknown, `.` waited, `>` not ended.
pub(crate) fn text_timeline(summary: &Summary) -> String {
    const COLUMNS: u64 = 48;
    let end = summary.elapsed_ms.max(1);
    let column = |ms: u64| usize::try_from(ms.saturating_mul(COLUMNS - 1) / end).unwrap_or(0);
    let mut out = String::new();
    for step in summary.steps.iter().filter(|step| step.started_ms.is_some()) {
        let mut cells = vec![' '; usize::try_from(COLUMNS).unwrap_or(0)];
        let mut before: Option<u64> = None;
        for (effect, attempt) in step.attempts() {
            let until = attempt.ended_ms.unwrap_or(end);
            cells[column(before.unwrap_or(attempt.began_ms))..column(attempt.began_ms)].fill('.');
            cells[column(attempt.began_ms)..=column(until)].fill(mark(effect.asked.is_some(), attempt));
            before = Some(until);
        }
        let bar: String = cells.into_iter().collect();
        let took = step.took_ms().map_or_else(|| "not ended".to_owned(), duration);
        let _ = writeln!(out, "{} |{bar}| {took}", pad(&cut(&clean(&step.name), 20), 20));
    }
    out
}

const fn mark(asks: bool, attempt: &AttemptReport) -> char {
    match attempt.result {
        _ if asks => '?',
        AttemptResult::Performed { .. } | AttemptResult::Answered { .. } => '=',
        AttemptResult::Failed { .. } => 'x',
        AttemptResult::Unknown { .. } | AttemptResult::Decided { .. } => '?',
        AttemptResult::Open => '>',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_attempt_is_a_bar_and_waiting_is_seen() {
        let svg = timeline(&Summary::of(&sample::failed()).unwrap());
        assert_eq!(svg.matches("<rect class=\"bad\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"wait\"").count(), 1, "{svg}");
    }

    #[test]
    fn the_text_timeline_reads_from_left_to_right() {
        insta::assert_snapshot!(text_timeline(&Summary::of(&sample::paused()).unwrap()), @r#"
        stop-active          |=====                                           | 3 s
        restore              |    xx...====                                   | 5 s
        web-up               |            ================================    | 20 s
        answers              |                                           ==== | 2 s
        go                   |                                              ??| not ended
        "#);
    }

    #[test]
    fn an_objective_near_the_end_is_drawn_and_a_far_one_is_named() {
        let far = timeline(&Summary::of(&sample::recovered()).unwrap());
        assert!(
            far.contains("RTO 30 m →") && far.contains("healthy after 19 s"),
            "{far}"
        );
        let near = timeline(&Summary::of(&sample::failed()).unwrap());
        assert!(near.contains("class=\"target\""), "{near}");
    }

    #[test]
    fn a_step_number_of_a_damaged_journal_breaks_nothing() {
        let mut entries = sample::recovered();
        entries.remove(4);
        let summary = Summary::of(&entries).unwrap();
        assert!(!summary.problems.is_empty());
        assert!(!timeline(&summary).is_empty() && !text_timeline(&summary).is_empty());
    }
}
