use proptest::prelude::*;

use crate::text::{Diagnostic, Diagnostics, Sources, Span};

fn at(sources: &Sources, file: usize, needle: &str) -> Span {
    let (id, source) = sources.ids().zip(sources.iter()).nth(file).unwrap();
    let start = source.text.find(needle).unwrap();
    let offset = |at: usize| u32::try_from(at).unwrap();
    Span {
        source: id,
        start: offset(start),
        end: offset(start + needle.len()),
    }
}

const TEXT: &str = "\
steps:
  - name: verify
    needs: [traffic]   # verify
  - name: traffic
    needs: [verify]
";

fn sample() -> (Sources, Diagnostics) {
    let mut sources = Sources::default();
    sources.add("playbooks/shop/runbook.yaml", TEXT);
    sources.add("sites.yaml", "\tü: 日本 x\n");
    let mut found = Diagnostics::default();
    let second = Diagnostic::warning("L104", "nothing proves it", at(&sources, 1, "x"), "here")
        .and(at(&sources, 0, "verify"), "this one");
    found.push(second.help("add a `probe`"));
    let circle = Diagnostic::error(
        "L021",
        "steps wait",
        at(&sources, 0, "[traffic]"),
        "verify needs traffic",
    )
    .and(at(&sources, 0, "[verify]"), "traffic needs verify");
    found.push(circle.help("one of the two arrows has to go").help("or both"));
    found.push(Diagnostic::error(
        "L012",
        "no such step",
        at(&sources, 0, "traffic]"),
        "",
    ));
    (sources, found)
}

#[test]
fn diagnostics_are_drawn_as_a_compiler_does_in_the_order_of_their_places() {
    let (sources, found) = sample();
    insta::assert_snapshot!(found.render(&sources, false), @r"
    error[L021]: steps wait
     --> playbooks/shop/runbook.yaml:3:12
      |
    3 |     needs: [traffic]   # verify
      |            ^^^^^^^^^ verify needs traffic
    4 |   - name: traffic
    5 |     needs: [verify]
      |            -------- traffic needs verify
      |
      = help: one of the two arrows has to go
      = help: or both

    error[L012]: no such step
     --> playbooks/shop/runbook.yaml:3:13
      |
    3 |     needs: [traffic]   # verify
      |             ^^^^^^^^

    warning[L104]: nothing proves it
     --> sites.yaml:1:8
      |
    1 |     ü: 日本 x
      |             ^ here
      |
     ::: playbooks/shop/runbook.yaml:2:11
      |
    2 |   - name: verify
      |           ------ this one
      |
      = help: add a `probe`

    2 errors, 1 warning in 2 files.
    ");
}

#[test]
fn colour_only_repeats_what_a_word_says() {
    let (sources, found) = sample();
    let coloured = found.render(&sources, true);
    assert!(coloured.contains("\u{1b}["));
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        found.render(&sources, false)
    );
}

#[test]
fn the_json_form_has_places_as_editors_count() {
    let (sources, found) = sample();
    insta::assert_snapshot!(found.to_json(&sources)[1], @r#"{"code":"L012","severity":"error","message":"no such step","file":"playbooks/shop/runbook.yaml","line":3,"column":13,"endLine":3,"endColumn":21,"label":"","help":[]}"#);
    assert_eq!(found.to_json(&sources)[2]["column"], 8);
}

#[test]
fn long_lines_and_several_lines_are_cut() {
    let mut sources = Sources::default();
    sources.add(
        "long.yaml",
        format!("{}needle{}\n|\n a\n b\n", "x ".repeat(500), " y".repeat(500)),
    );
    let mut found = Diagnostics::default();
    found.push(Diagnostic::error(
        "L001",
        "long",
        at(&sources, 0, "needle"),
        "here",
    ));
    found.push(Diagnostic::error(
        "L001",
        "several",
        at(&sources, 0, "a\n b"),
        "here",
    ));
    insta::assert_snapshot!(found.render(&sources, false), @r"
    error[L001]: long
     --> long.yaml:1:1001
      |
    1 | ...x x x x x x x x x x x x x x x x x x x x x x needle y y y y y y y y y y y y y y y y y y y y y y y y y...
      |                                                ^^^^^^ here

    error[L001]: several
     --> long.yaml:3:2
      |
    3 |  a
      |  ^ here

    2 errors in 1 file.
    ");
}

#[test]
fn a_line_too_long_to_draw_is_still_named() {
    let mut sources = Sources::default();
    sources.add("long.yaml", format!("a\n{}needle", "x".repeat(100_000)));
    let mut found = Diagnostics::default();
    found.push(Diagnostic::error(
        "L001",
        "long",
        at(&sources, 0, "needle"),
        "here",
    ));
    insta::assert_snapshot!(found.render(&sources, false), @r"
    error[L001]: long
    --> long.yaml:2:100001

    1 error in 1 file.
    ");
}

#[test]
fn nobody_is_shown_a_thousand_mistakes_but_they_are_counted() {
    let mut sources = Sources::default();
    sources.add("a.yaml", "x");
    let mut found = Diagnostics::default();
    for number in 0..2_000 {
        found.push(Diagnostic::error(
            "L001",
            format!("mistake {number:04}"),
            at(&sources, 0, "x"),
            "",
        ));
    }
    let text = found.render(&sources, false);
    assert_eq!(text.matches("error[").count(), 100);
    assert!(
        text.ends_with("2000 errors in 1 file. Only the first 100 are shown.\n"),
        "{text}"
    );
}

#[test]
fn errors_that_were_only_counted_still_forbid() {
    let mut found = Diagnostics::default();
    for _ in 0..Diagnostics::KEPT_MAX {
        found.push(Diagnostic::warning("L101", "doubt", Span::default(), ""));
    }
    assert!(!found.has_errors());
    found.push(Diagnostic::error("L001", "mistake", Span::default(), ""));
    assert!(found.has_errors());
}

#[test]
fn nothing_is_drawn_of_nothing() {
    assert_eq!(Diagnostics::default().render(&Sources::default(), false), "");
}

proptest! {
    #[test]
    fn any_span_in_any_text_can_be_drawn(text in any::<String>(), start in 0u32..40, len in 0u32..40, message in any::<String>()) {
        let mut sources = Sources::default();
        let source = sources.add(message.clone(), text);
        let span = Span { source, start, end: start + len };
        let mut found = Diagnostics::default();
        found.push(Diagnostic::error("L001", message.clone(), span, message.clone()).and(Span { start: 3, end: 2, ..span }, "x").help(message));
        prop_assert!(found.render(&sources, false).contains("L001"));
        found.to_json(&sources);
    }
}
