//! A graph as a Mermaid flowchart, for wikis and for Markdown that draws it.
//!
//! ## Why
//!
//! Mermaid has no quoting to trust, so every character that is not plainly text is written as a
//! numeric entity (`#60;`). Nodes are numbered; a name is only ever a label.

use std::fmt::Write as _;

use super::{Picture, Tone};
use crate::plan::Plan;
use crate::report::lines::cut;

/// Wider details make boxes that no page shows.
const DETAIL: usize = 48;

/// The plan's graph.
pub fn mermaid(plan: &Plan) -> String {
    mermaid_of(&Picture::of_plan(plan))
}

pub(crate) fn mermaid_of(picture: &Picture) -> String {
    let mut out = String::from("flowchart TD\n");
    for (at, node) in picture.nodes.iter().enumerate() {
        let (name, detail) = (label(&node.name), label(&cut(&node.detail, DETAIL)));
        let _ = writeln!(out, "  n{at}[\"{name}<br/>{detail}\"]:::{}", node.tone.class());
    }
    for (at, needs) in picture.shape.needs.iter().enumerate() {
        for need in needs {
            let _ = writeln!(out, "  n{need} --> n{at}");
        }
    }
    for (tone, style) in STYLES {
        if picture.nodes.iter().any(|node| node.tone == *tone) {
            let _ = writeln!(out, "  classDef {} {style}", tone.class());
        }
    }
    out
}

/// Fixed colours with dark ink, readable on light and dark pages.
const STYLES: &[(Tone, &str)] = &[
    (Tone::Neutral, "fill:#e6eefa,stroke:#1f4e8c,color:#18202b"),
    (Tone::Good, "fill:#e3f3e9,stroke:#17663a,color:#18202b"),
    (Tone::Bad, "fill:#fce8e6,stroke:#b3261e,color:#18202b"),
    (Tone::Doubt, "fill:#fdf1d8,stroke:#875700,color:#18202b"),
    (
        Tone::Muted,
        "fill:#eef1f5,stroke:#5f6a78,color:#18202b,stroke-dasharray:4 3",
    ),
];

fn label(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " -_./:,+?!~»→…".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::outcome::Summary;
    use crate::report::sample;

    #[test]
    fn a_drill_is_a_flowchart_with_few_arrows() {
        insta::assert_snapshot!(mermaid(&sample::drill()), @r#"
        flowchart TD
          n0["drill:open<br/>+ sandbox west shop-drill-4k2, default-deny egr…"]:::neutral
          n1["stop-active<br/>» not done: it acts on east#59; a drill writes onl…"]:::muted
          n2["restore<br/>+ restore west shop-2026-11-22T2300 from vault …"]:::neutral
          n3["web-up<br/>. wait west Deployment shop-drill-4k2/web avail…"]:::neutral
          n4["answers<br/>. probe  GET https://west.acme.example/shop-dri…"]:::neutral
          n5["go<br/>» not done: no person is asked in a drill"]:::muted
          n6["drill:tear-down<br/>- tear down west shop-drill-4k2 and everything …"]:::neutral
          n0 --> n1
          n1 --> n2
          n2 --> n3
          n3 --> n4
          n4 --> n5
          n5 --> n6
          classDef neutral fill:#e6eefa,stroke:#1f4e8c,color:#18202b
          classDef muted fill:#eef1f5,stroke:#5f6a78,color:#18202b,stroke-dasharray:4 3
        "#);
    }

    #[test]
    fn a_hostile_name_stays_a_label() {
        let summary = Summary::of(&sample::hostile()).unwrap();
        let text = mermaid_of(&Picture::of_run(&summary));
        assert!(
            !text.contains('`') && !text.contains("<s") && !text.contains("]'"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.matches('"').count() % 2 == 0),
            "{text}"
        );
        let known = ["flowchart TD", "  n", "  classDef "];
        assert!(
            text.lines()
                .all(|line| known.iter().any(|start| line.starts_with(start))),
            "{text}"
        );
    }
}
