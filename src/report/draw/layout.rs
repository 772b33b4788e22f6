//! Where the boxes of a graph go: layers from top to bottom, no more boxes side by side than a page
//! shows, arrows led around boxes.
//!
//! ## Why
//!
//! Own code rather than a crate: about two hundred lines, no float that differs between machines, and
//! layers of bounded width, which layered drawings usually do not have and a step that fans out to a
//! hundred needs. Arrows that run past several layers share one lane per step that they come from or
//! go to, so a hundred of them are one line.

use std::collections::BTreeMap;

/// Boxes side by side at most: five are as wide as a page in landscape.
const ACROSS: usize = 5;
/// Rounds of sorting and of shifting. More change nothing that an eye sees.
const ROUNDS: usize = 8;

/// Widths and heights, in pixels.
pub(super) const BOX_HEIGHT: f64 = 48.0;
const BOX_GAP: f64 = 24.0;
const LANE_GAP: f64 = 14.0;
const ROW: f64 = BOX_HEIGHT + 34.0;
const MARGIN: f64 = 16.0;

/// A box or a place where an arrow passes a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Box(usize),
    /// Of the arrows out of a step.
    Out(usize, usize),
    /// Of the arrows into a step.
    In(usize, usize),
}

/// A piece of an arrow, from the bottom of one item to the top of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    /// Where it passes a layer below, it goes straight on for the height of a box.
    pub(super) passes: bool,
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) box_width: f64,
    /// Left upper corner of each box, by node.
    pub(super) boxes: Vec<(f64, f64)>,
    pub(super) segments: Vec<Segment>,
}

/// The layout of a graph: for each node the nodes before it, each with a smaller index.
pub(super) fn layout(needs: &[Vec<usize>]) -> Layout {
    let layer = layers(needs);
    let (mut rows, links) = rows(needs, &layer);
    let mut graph = Graph::new(&links, box_width(&rows));
    graph.sort(&mut rows);
    let x = graph.shift(&rows);
    placed(needs.len(), &rows, &links, &x, graph.box_width)
}

/// A node's layer lies below all that it needs, and no layer is wider than [`ACROSS`].
fn layers(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut layer: Vec<usize> = Vec::with_capacity(needs.len());
    let mut taken: Vec<usize> = Vec::new();
    for mine in needs {
        let mut at = mine.iter().map(|need| layer[*need] + 1).max().unwrap_or(0);
        while taken.get(at).is_some_and(|n| *n >= ACROSS) {
            at += 1;
        }
        if at >= taken.len() {
            taken.resize(at + 1, 0);
        }
        taken[at] += 1;
        layer.push(at);
    }
    layer
}

type Rows = Vec<Vec<Item>>;
type Links = Vec<(Item, Item)>;

/// Items per layer and the links between neighbouring layers.
fn rows(needs: &[Vec<usize>], layer: &[usize]) -> (Rows, Links) {
    let mut rows = vec![Vec::new(); layer.iter().max().map_or(0, |last| last + 1)];
    for (node, at) in layer.iter().enumerate() {
        rows[*at].push(Item::Box(node));
    }
    let mut fan_out = vec![0_usize; needs.len()];
    for need in needs.iter().flatten() {
        fan_out[*need] += 1;
    }
    let mut links = Links::new();
    for (node, mine) in needs.iter().enumerate() {
        for need in mine {
            let shares_out = fan_out[*need] >= mine.len();
            let mut above = Item::Box(*need);
            for (at, row) in rows
                .iter_mut()
                .enumerate()
                .take(layer[node])
                .skip(layer[*need] + 1)
            {
                let lane = if shares_out {
                    Item::Out(*need, at)
                } else {
                    Item::In(node, at)
                };
                row.push(lane);
                links.push((above, lane));
                above = lane;
            }
            links.push((above, Item::Box(node)));
        }
    }
    for row in &mut rows {
        row.sort_unstable();
        row.dedup();
        lanes_to_the_middle(row);
    }
    links.sort_unstable();
    links.dedup();
    (rows, links)
}

/// Lanes begin between the boxes: where nothing pulls them to a side, they stay there.
fn lanes_to_the_middle(row: &mut [Item]) {
    let boxes = row.iter().filter(|item| matches!(item, Item::Box(_))).count();
    row[boxes / 2..].rotate_left(boxes - boxes / 2);
}

/// Places in a row, counted from its middle.
fn places(row: &[Item]) -> impl Iterator<Item = (Item, f64)> {
    let middle = count(row.len().saturating_sub(1)) / 2.0;
    row.iter()
        .enumerate()
        .map(move |(place, item)| (*item, count(place) - middle))
}

/// Few boxes side by side leave room for more of their text.
fn box_width(rows: &Rows) -> f64 {
    let boxes = |row: &Vec<Item>| row.iter().filter(|item| matches!(item, Item::Box(_))).count();
    match rows.iter().map(boxes).max().unwrap_or(0) {
        0 | 1 => 480.0,
        2 => 340.0,
        _ => 232.0,
    }
}

/// Neighbours above and below.
struct Graph {
    box_width: f64,
    above: BTreeMap<Item, Vec<Item>>,
    below: BTreeMap<Item, Vec<Item>>,
}

impl Graph {
    fn new(links: &Links, box_width: f64) -> Self {
        let (mut above, mut below) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (from, to) in links {
            below.entry(*from).or_default().push(*to);
            above.entry(*to).or_default().push(*from);
        }
        Self {
            box_width,
            above,
            below,
        }
    }

    /// The mean position of an item's neighbours on one side, if it has any there.
    fn mean(&self, item: Item, down: bool, at: &BTreeMap<Item, f64>) -> Option<f64> {
        let side = if down { &self.above } else { &self.below };
        let near = side.get(&item)?;
        let sum: f64 = near.iter().filter_map(|one| at.get(one)).sum();
        Some(sum / count(near.len()))
    }

    /// Orders each row by the middle of its neighbours, so that arrows cross seldom.
    fn sort(&mut self, rows: &mut Rows) {
        let mut at: BTreeMap<Item, f64> = BTreeMap::new();
        for row in rows.iter() {
            at.extend(places(row));
        }
        for round in 0..ROUNDS {
            let down = round % 2 == 0;
            for index in order(rows.len(), down) {
                let row = &mut rows[index];
                let mut keyed: Vec<_> = row
                    .iter()
                    .map(|item| (self.mean(*item, down, &at).unwrap_or(at[item]), *item))
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                *row = keyed.into_iter().map(|(_, item)| item).collect();
                at.extend(places(row));
            }
        }
    }

    /// Centres of all items: as near to the middle of their neighbours as their order allows, and
    /// within the width of the widest row: a graph that leans to one side would lean off the page.
    fn shift(&self, rows: &Rows) -> BTreeMap<Item, f64> {
        let wide = self.box_width;
        let widest = rows.iter().map(|row| packed(row, wide)).fold(0.0, f64::max);
        let mut at = BTreeMap::new();
        for row in rows {
            at.extend(
                row.iter()
                    .copied()
                    .zip(spread(row, &vec![0.0; row.len()], wide, widest)),
            );
        }
        for round in 0..ROUNDS {
            let down = round % 2 == 0;
            for index in order(rows.len(), down) {
                let row = &rows[index];
                let wanted = row
                    .iter()
                    .map(|item| self.mean(*item, down, &at).unwrap_or(at[item]));
                let wanted: Vec<_> = wanted.collect();
                at.extend(row.iter().copied().zip(spread(row, &wanted, wide, widest)));
            }
        }
        at
    }
}

fn order(rows: usize, down: bool) -> Box<dyn Iterator<Item = usize>> {
    if down {
        Box::new(0..rows)
    } else {
        Box::new((0..rows).rev())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of boxes; a drawing has no 2^52 of them"
)]
const fn count(n: usize) -> f64 {
    n as f64
}

/// The centres nearest to the wanted ones that keep order and distance: least squares, by pooling
/// neighbours that push each other.
fn spread(row: &[Item], wanted: &[f64], wide: f64, widest: f64) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(row.len());
    for (at, item) in row.iter().enumerate() {
        if at > 0 {
            offset += f64::midpoint(width(row[at - 1], wide), width(*item, wide)) + gap(row[at - 1], *item);
        }
        offsets.push(offset);
    }
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((want, offset), item) in wanted.iter().zip(&offsets).zip(row) {
        pools.push((want - offset, weight(*item), 1));
        while let [.., (before, heavy, n), (last, light, m)] = pools[..]
            && before > last
        {
            let mean = (before * heavy + last * light) / (heavy + light);
            pools.truncate(pools.len() - 2);
            pools.push((mean, heavy + light, n + m));
        }
    }
    let level = pools
        .into_iter()
        .flat_map(|(mean, _, n)| std::iter::repeat_n(mean, n));
    let mut centres: Vec<_> = level.zip(offsets).map(|(mean, offset)| mean + offset).collect();
    let half = |item: Option<&Item>| item.map_or(0.0, |item| width(*item, wide) / 2.0);
    let left = centres
        .first()
        .map_or(0.0, |x| x - half(row.first()) + widest / 2.0);
    let right = centres
        .last()
        .map_or(0.0, |x| x + half(row.last()) - widest / 2.0);
    let back = if left < 0.0 { -left } else { -right.max(0.0) };
    for x in &mut centres {
        *x += back;
    }
    centres
}

/// How wide a row is when its items touch their gaps.
fn packed(row: &[Item], wide: f64) -> f64 {
    let gaps = row.windows(2).map(|pair| gap(pair[0], pair[1]));
    row.iter().map(|item| width(*item, wide)).chain(gaps).sum()
}

/// A bent lane is uglier than a box that is off the middle.
const fn weight(item: Item) -> f64 {
    match item {
        Item::Box(_) => 1.0,
        Item::Out(..) | Item::In(..) => 20.0,
    }
}

const fn width(item: Item, wide: f64) -> f64 {
    match item {
        Item::Box(_) => wide,
        Item::Out(..) | Item::In(..) => 0.0,
    }
}

const fn gap(a: Item, b: Item) -> f64 {
    match (a, b) {
        (Item::Box(_), Item::Box(_)) => BOX_GAP,
        _ => LANE_GAP,
    }
}

fn placed(nodes: usize, rows: &Rows, links: &Links, x: &BTreeMap<Item, f64>, wide: f64) -> Layout {
    let edge = |side: f64| x.iter().map(move |(item, x)| x + side * width(*item, wide) / 2.0);
    let left = edge(-1.0).fold(f64::INFINITY, f64::min).min(0.0) - MARGIN;
    let right = edge(1.0).fold(0.0, f64::max) + MARGIN;
    let mut y = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        y.extend(row.iter().map(|item| (*item, MARGIN + count(at) * ROW)));
    }
    let mut boxes = vec![(0.0, 0.0); nodes];
    for item in rows.iter().flatten() {
        if let Item::Box(node) = item {
            boxes[*node] = (x[item] - left - wide / 2.0, y[item]);
        }
    }
    let segment = |(from, to): &(Item, Item)| Segment {
        from: (x[from] - left, y[from] + BOX_HEIGHT),
        to: (x[to] - left, y[to]),
        passes: !matches!(to, Item::Box(_)),
    };
    Layout {
        width: (right - left).max(wide + 2.0 * MARGIN),
        height: 2.0 * MARGIN + count(rows.len()) * ROW - (ROW - BOX_HEIGHT),
        box_width: wide,
        boxes,
        segments: links.iter().map(segment).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn boxes_never_overlap_and_arrows_always_go_down(
            raw in prop::collection::vec(prop::collection::vec(0_usize..60, 0..4), 1..60),
        ) {
            let needs: Vec<Vec<usize>> = raw.iter().enumerate()
                .map(|(at, needs)| needs.iter().copied().filter(|need| *need < at).collect()).collect();
            let layout = layout(&needs);
            for (at, a) in layout.boxes.iter().enumerate() {
                prop_assert!(a.0 >= 0.0 && a.0 + layout.box_width <= layout.width + 0.01);
                prop_assert!(a.1 + BOX_HEIGHT <= layout.height);
                for b in &layout.boxes[..at] {
                    prop_assert!((a.0 - b.0).abs() >= layout.box_width - 0.01 || (a.1 - b.1).abs() >= BOX_HEIGHT);
                }
            }
            prop_assert!(layout.segments.iter().all(|segment| segment.from.1 < segment.to.1));
        }
    }

    #[test]
    fn a_hundred_parallel_steps_fit_on_a_page_and_share_their_lanes() {
        let mut needs = vec![vec![]];
        needs.extend((0..100).map(|_| vec![0]));
        needs.push((1..=100).collect());
        let layout = layout(&needs);
        assert!(layout.width < 1500.0, "{}", layout.width);
        assert!(layout.segments.len() < 300, "{}", layout.segments.len());
    }
}
