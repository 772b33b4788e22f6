//! The block at the end of a run: did it recover, how fast, with which data, what is left.

use jiff::tz::TimeZone;

use crate::report::lines::{clean, ends, hang, text};
use crate::report::outcome::{Measure, Summary};
use crate::report::units::moment;
use crate::report::words::{headline, ledger, measure, step_counts, verdict};

/// Where the documents are and how to see this again.
#[derive(Clone, Copy, Debug)]
pub struct Where<'a> {
    /// The report's path, if one was written.
    pub report: Option<&'a str>,
    /// The command that shows it again; empty: there is none.
    pub again: &'a str,
}

/// The block, with a line break at its end.
pub fn closing(summary: &Summary, zone: &TimeZone, places: &Where<'_>, columns: usize) -> String {
    let name = format!("{} · {}", clean(&summary.run.0), moment(summary.began_at, zone));
    let mut out = vec![ends(&headline(summary), &name, columns)];
    out.extend(figures(summary, columns));
    let report = places.report.map(|path| format!("Report: {}", clean(path)));
    let again = Some(places.again).filter(|again| !again.is_empty());
    let again = again.map(|again| format!("Again: {}", clean(again)));
    match (report, again) {
        (Some(report), Some(again)) => out.push(ends(&report, &again, columns)),
        (report, again) => out.extend(report.or(again)),
    }
    text(&out)
}

/// The numbers, each with how it was measured.
pub(super) fn figures(summary: &Summary, columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(declared) = &summary.declared {
        let text = format!("by {}: {}", declared.by, declared.reason);
        out.push(hang("  Declared  ", &clean(&text), columns));
    }
    let decision = summary.decision.as_ref();
    out.extend(decision.map(|one| figure("Decided in", one, summary, columns)));
    out.extend([
        figure("RTO", &summary.rto, summary, columns),
        figure("RPO", &summary.rpo, summary, columns),
        hang("  Steps  ", &clean(&step_counts(summary)), columns),
    ]);
    for fence in &summary.fences {
        out.push(hang("  Stopped  ", &clean(&fence.words()), columns));
    }
    for risk in &summary.risks {
        out.push(hang("  Risk     ", &clean(&risk.words()), columns));
    }
    let label = match summary.ledger.torn_down {
        Some(_) => "  Left behind  ",
        None => "  Objects  ",
    };
    out.push(hang(label, &clean(&ledger(summary)), columns));
    for doubt in &summary.ledger.uncertain {
        out.push(hang("  May have made more  ", &clean(doubt), columns));
    }
    for problem in &summary.problems {
        out.push(hang("  Journal  ", &clean(problem), columns));
    }
    out
}

/// `  RTO    19 s of 30 m       met  how`; a value that is a sentence has its reason below.
fn figure(label: &str, one: &Measure, summary: &Summary, columns: usize) -> String {
    /// `12 m 30 s of 15 m`, the longest that is usual.
    const VALUE: usize = 17;
    let (value, word) = (measure(one, summary), verdict(one, summary));
    if value.len() <= VALUE {
        let head = format!("  {label}    {value:<VALUE$}  {word:<6}  ");
        return hang(&head, &clean(&one.how), columns);
    }
    let word = if word.is_empty() {
        String::new()
    } else {
        format!(", {word}")
    };
    let first = format!("  {label}    {value}{word}");
    format!("{first}\n{}", hang("         ", &clean(&one.how), columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::run::Entry;

    fn block(entries: &[Entry]) -> String {
        let places = Where {
            report: Some("./.lifeboat/runs/shop-d-4k2/report.html"),
            again: "lifeboat report shop-d-4k2",
        };
        closing(&Summary::of(entries).unwrap(), &sample::zone(), &places, 80)
    }

    #[test]
    fn a_recovered_drill_is_told_in_six_lines() {
        insta::assert_snapshot!(block(&sample::recovered()), @r#"
        Drill recovered.                         shop-d-4k2 · 2026-11-22 23:14:07 +01:00
          RTO    19 s of 30 m       met     from the start to the end of answers, the
                                            last of 2 steps that prove health
          RPO    12 m 7 s of 15 m   met     from the backup's consistent point to the
                                            start
          Steps  5 ok, 2 skipped (stop-active: it acts on east; a drill writes only on
                 west; go: no person is asked in a drill)
          Left behind  nothing: 34 created, 37 deleted, by uid (3 of them made by
                       controllers or failed tries)
        Report: ./.lifeboat/runs/shop-d-4k2/report.html
          Again: lifeboat report shop-d-4k2
        "#);
    }

    #[test]
    fn what_was_not_measured_counts_as_missed() {
        insta::assert_snapshot!(block(&sample::failed()), @r#"
        Drill failed.                            shop-d-9q7 · 2026-11-22 23:14:07 +01:00
          RTO    not measured, 30 m wanted, counts as missed
                 health is not proved: web-up failed, answers skipped
          RPO    12 m 7 s of 15 m   met     from the backup's consistent point to the
                                            start
          Steps  3 ok, 1 failed (web-up: west: 2 of 3 replicas ready: web-7d89-x2dnt
                 cannot pull registry.east/shop:4.2 (i/o timeout)), 3 skipped
                 (stop-active: it acts on east; a drill writes only on west; answers:
                 web-up failed; go: no person is asked in a drill)
          Left behind  nothing: 34 created, 34 deleted, by uid
        Report: ./.lifeboat/runs/shop-d-4k2/report.html
          Again: lifeboat report shop-d-4k2
        "#);
    }

    #[test]
    fn what_nobody_can_see_again_is_not_offered() {
        let summary = Summary::of(&sample::recovered()).unwrap();
        let nowhere = Where {
            report: None,
            again: "",
        };
        let block = closing(&summary, &TimeZone::UTC, &nowhere, 80);
        assert!(!block.contains("Again"), "{block}");
    }

    #[test]
    fn what_is_left_behind_is_named() {
        insta::assert_snapshot!(block(&sample::not_torn_down()), @r#"
        Drill ended, and is not torn down.       shop-d-x1x · 2026-11-22 23:14:07 +01:00
          RTO    19 s of 30 m       met     from the start to the end of answers, the
                                            last of 2 steps that prove health
          RPO    12 m 7 s of 15 m   met     from the backup's consistent point to the
                                            start
          Steps  4 ok, 1 failed (drill:tear-down: west: namespace shop-drill-4k2 is
                 Terminating: finalizer acme.example/hold on ConfigMap shop-3), 2
                 skipped (stop-active: it acts on east; a drill writes only on west; go:
                 no person is asked in a drill)
          Left behind  34 objects: Namespace shop-drill-4k2, ConfigMap
                       shop-drill-4k2/policy-0, ConfigMap shop-drill-4k2/policy-1 and 31
                       more (34 created, 0 deleted, by uid); nothing shows that the
                       drill was torn down
        Report: ./.lifeboat/runs/shop-d-4k2/report.html
          Again: lifeboat report shop-d-4k2
        "#);
    }
}
