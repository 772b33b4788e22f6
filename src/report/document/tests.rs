//! Both writers over whole runs.

use super::*;
use crate::report::sample;

fn page(entries: &[crate::run::Entry]) -> String {
    html(&Summary::of(entries).unwrap(), None, &sample::zone())
}

fn text(entries: &[crate::run::Entry]) -> String {
    markdown(&Summary::of(entries).unwrap(), None, &sample::zone())
}

fn all() -> [Vec<crate::run::Entry>; 6] {
    [
        sample::recovered(),
        sample::failed(),
        sample::not_torn_down(),
        sample::paused(),
        sample::rejected(),
        sample::hostile(),
    ]
}

#[test]
fn the_markdown_of_a_recovered_drill_reads_well() {
    insta::assert_snapshot!("recovered", text(&sample::recovered()));
}

#[test]
fn the_markdown_of_a_failed_drill_reads_well() {
    insta::assert_snapshot!("failed", text(&sample::failed()));
}

#[test]
fn every_page_is_whole_without_scripts_and_closes_what_it_opens() {
    for entries in all() {
        let page = page(&entries);
        for tag in [
            "section", "table", "tr", "th", "td", "ul", "li", "dl", "div", "p", "svg", "g", "title", "desc",
            "span", "h2",
        ] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        assert!(
            !page.contains("<script") && !page.contains(" src=") && !page.contains("url("),
            "{page}"
        );
        assert_eq!(page.matches("<h1>").count(), 1);
    }
}

#[test]
fn a_hostile_name_stays_text_in_both_documents() {
    let (page, text) = (page(&sample::hostile()), text(&sample::hostile()));
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    let body: String = text.split("```").step_by(2).collect();
    assert!(!body.contains("<script") && !body.contains("\n## x"), "{text}");
    assert!(!page.contains('\u{1b}') && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert_eq!(text.matches("```").count(), 6, "{text}");
}

#[test]
fn a_missing_measurement_has_no_bar_and_counts_as_missed() {
    let page = page(&sample::failed());
    assert!(
        page.contains("not measured, 30\u{a0}m wanted") && page.contains("counts as missed"),
        "{page}"
    );
    assert_eq!(
        page.matches("<svg class=\"bar\"").count(),
        1,
        "only data loss was measured"
    );
}

#[test]
fn what_is_left_behind_is_listed_with_its_uid() {
    let page = page(&sample::not_torn_down());
    assert!(
        page.contains("Namespace shop-drill-4k2</span></th>") && page.contains("ns-0001-9f1b-4e0a-9c7e"),
        "{page}"
    );
}

#[test]
fn a_run_that_says_recovered_and_left_something_is_not_recovered() {
    let mut entries = sample::not_torn_down();
    let last = entries.last_mut().unwrap();
    last.event = crate::run::Event::Finished {
        verdict: crate::run::Verdict::Recovered,
    };
    let summary = Summary::of(&entries).unwrap();
    assert_eq!(summary.ending(), crate::report::Ending::NotTornDown);
    assert!(page(&entries).contains("Drill ended, and is not torn down."));
}

#[test]
fn a_run_of_thousands_of_steps_still_makes_a_page_that_opens() {
    let mut tape = sample::Tape::begin(sample::mesh(2_000), "big");
    for step in 0..2_000 {
        tape.ok(u64::from(step), u64::from(step), step, sample::said("ready"));
    }
    let page = page(&tape.entries);
    assert!(page.contains("2000 steps are too many to draw") && !page.contains("class=\"timeline\""));
    assert!(page.len() < 2_000_000, "{}", page.len());
}

#[test]
fn every_beginning_of_a_journal_makes_a_whole_page() {
    for entries in all() {
        for end in 1..=entries.len() {
            let page = page(&entries[..end]);
            assert!(page.ends_with("</html>\n") && !page.contains("<script"));
        }
    }
}

#[test]
fn notes_of_people_stand_in_the_report_and_their_place_is_kept_where_there_are_none() {
    let summary = Summary::of(&sample::recovered()).unwrap();
    let with = html(
        &summary,
        Some("# Luck\n\nThe cache was *warm*. <script>x</script>"),
        &sample::zone(),
    );
    assert!(with.contains("<h4>Luck</h4>") && with.contains("<em>warm</em>") && !with.contains("<script"));
    assert!(!with.contains("Where we were lucky"));
    assert!(html(&summary, None, &sample::zone()).contains("Where we were lucky"));
    let open = Summary::of(&sample::paused()).unwrap();
    assert!(
        !html(&open, None, &sample::zone()).contains("Where we were lucky"),
        "it is not over"
    );
}

#[test]
fn a_clock_that_nobody_read_is_not_made_up() {
    let mut entries = sample::recovered();
    let crate::run::Event::Began(beginning) = &mut entries[0].event else {
        panic!()
    };
    beginning.plan.mode = crate::runbook::Mode::Failover;
    let text = text(&entries);
    let row = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(&format!("| {name} |")))
            .unwrap()
            .to_owned()
    };
    assert!(row("The impact began").contains("not recorded"), "{text}");
    assert!(row("The service was healthy").contains("2026-11-22 "), "{text}");
}
