//! A graph as one self-contained SVG: legible on paper, on light and on dark screens.

use std::fmt::Write as _;

use super::layout::{BOX_HEIGHT, Segment, layout};
use super::{Node, PALETTE, Picture, escape};
use crate::plan::Plan;
use crate::report::lines::cut;

/// Between a box and its text.
const INSET: f64 = 10.0;
/// A narrow letter of the small text, in pixels: a text that is cut by this may still be too long in
/// a wide font, so the box clips it, too.
const LETTER: f64 = 5.6;

/// The plan's graph as a file of its own.
pub fn svg_graph(plan: &Plan) -> String {
    svg_of(&Picture::of_plan(plan), true)
}

/// A drawing; `alone` as a file of its own, else for a page that has the palette already.
pub(crate) fn svg_of(picture: &Picture, alone: bool) -> String {
    let layout = layout(&picture.shape.needs);
    let (width, height) = (layout.width, layout.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <title>{}</title>\n<desc>{}</desc>\n",
        escape(&picture.title),
        escape(&description(picture)),
    );
    if alone {
        let _ = writeln!(
            out,
            "<style>{PALETTE}{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" style=\"fill:var(--ground)\"/>"
        );
    }
    for segment in &layout.segments {
        out.push_str(&arrow(segment));
    }
    for (node, (x, y)) in picture.nodes.iter().zip(&layout.boxes) {
        out.push_str(&node_box(node, *x, *y, layout.box_width));
    }
    out.push_str("</svg>\n");
    out
}

/// How the classes of a drawing look; a page includes it once.
pub(crate) const STYLE: &str = "\
.graph{font-family:system-ui,'Segoe UI','Liberation Sans',Arial,sans-serif}\
.graph path{fill:none;stroke:var(--soft);stroke-width:1.4}.graph .head{fill:var(--soft);stroke:none}\
.graph rect.box{stroke-width:1.5}.graph .name{font-size:13px;font-weight:600;fill:var(--ink)}.graph .what{font-size:11px;fill:var(--ink)}\
.graph .neutral rect.box{fill:var(--neutral-fill);stroke:var(--neutral)}.graph .good rect.box{fill:var(--good-fill);stroke:var(--good)}\
.graph .bad rect.box{fill:var(--bad-fill);stroke:var(--bad);stroke-width:2.5}.graph .doubt rect.box{fill:var(--doubt-fill);stroke:var(--doubt)}\
.graph .muted rect.box{fill:var(--muted-fill);stroke:var(--muted);stroke-dasharray:5 3}";

fn node_box(node: &Node, x: f64, y: f64, width: f64) -> String {
    let room = width - 2.0 * INSET;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let letters = (room / LETTER) as usize;
    format!(
        "<g class=\"{}\"><title>{}: {}</title><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <svg x=\"{:.1}\" y=\"{y:.1}\" width=\"{room}\" height=\"{BOX_HEIGHT}\">\
         <text class=\"name\" y=\"20\">{}</text><text class=\"what\" y=\"37\">{}</text></svg></g>\n",
        node.tone.class(),
        escape(&node.name),
        escape(&node.detail),
        x + INSET,
        escape(&cut(&node.name, letters * 5 / 6)),
        escape(&cut(&node.detail, letters)),
    )
}

fn arrow(segment: &Segment) -> String {
    let ((x1, y1), (x2, y2)) = (segment.from, segment.to);
    let middle = f64::midpoint(y1, y2);
    if segment.passes {
        let end = y2 + BOX_HEIGHT;
        return format!(
            "<path d=\"M{x1:.1} {y1:.1}C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {y2:.1}V{end:.1}\"/>\n"
        );
    }
    let tip = y2 - 1.0;
    let base = tip - 7.0;
    format!(
        "<path d=\"M{x1:.1} {y1:.1}C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {base:.1}\"/>\
         <path class=\"head\" d=\"M{:.1} {base:.1}L{x2:.1} {tip:.1}L{:.1} {base:.1}Z\"/>\n",
        x2 - 4.0,
        x2 + 4.0,
    )
}

/// The graph in words, for who cannot see it; long ones only in numbers.
fn description(picture: &Picture) -> String {
    const IN_WORDS: usize = 30;
    let nodes = &picture.nodes;
    if nodes.len() > IN_WORDS {
        return format!("{} steps in {} waves.", nodes.len(), picture.shape.waves());
    }
    let one = |(node, needs): (&Node, &Vec<usize>)| {
        let after: Vec<_> = needs.iter().map(|need| nodes[*need].name.as_str()).collect();
        if after.is_empty() {
            format!("{} ({}).", node.name, node.detail)
        } else {
            format!("{} ({}), after {}.", node.name, node.detail, after.join(" and "))
        }
    };
    let all: Vec<_> = nodes.iter().zip(&picture.shape.needs).map(one).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::outcome::Summary;
    use crate::report::sample;

    #[test]
    fn every_step_is_a_box_with_its_whole_text_as_title() {
        let svg = svg_graph(&sample::drill());
        assert_eq!(svg.matches("class=\"box\"").count(), 7);
        assert!(
            svg.contains(
                "<title>drill:tear-down: - tear down west shop-drill-4k2 and everything in it</title>"
            ),
            "{svg}"
        );
        assert!(svg.contains("after web-up."), "{svg}");
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let summary = Summary::of(&sample::hostile()).unwrap();
        let svg = svg_of(&Picture::of_run(&summary), true);
        assert!(
            !svg.contains("<script") && !svg.contains('\u{1b}') && !svg.contains('\u{202e}'),
            "{svg}"
        );
    }

    #[test]
    fn two_hundred_steps_are_drawn_small_enough_to_send() {
        let svg = svg_graph(&sample::mesh(200));
        assert_eq!(svg.matches("class=\"box\"").count(), 200);
        assert!(svg.len() < 400_000, "{}", svg.len());
    }
}
