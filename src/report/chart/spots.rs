//! A picture of one partition: offset over time, with a mark for each copy and observer, and faults as shaded
//! bands.
//!
//! Defines the shapes, the offset axis, and how much is drawn. Lines stretch with the page, but marks and
//! texts do not.

use std::fmt::Write as _;

use super::strip::Frame;
use super::{HEIGHT, WIDTH, escape, put, step};

/// Maximum number of marks per picture, so that a picture has only a few KB.
const MARKS: usize = 72;
/// Maximum number of names per picture.
const NAMES: usize = 10;
/// Space of a name, in percent of the picture's width. The space of a line of text, in percent of its height,
/// follows.
const NAME: f64 = 34.0;
const LINE: f64 = 9.0;
/// Space above and below the outermost offsets, as a share of the height.
const MARGIN: f64 = 12.0;
/// Marks closer than this, in percent of the height, are merged.
const NEAR: f64 = 3.0;

/// The shape of a mark. The shape shows the observer, and the filling shows the finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Ack,
    /// A consumer of the file, or one that kaf6 added.
    Reader,
    Audit,
    /// A re-read by a fresh client.
    Recheck,
}

/// How a mark is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkFill {
    Found,
    Altered,
    Missing,
}

/// One place of a message, or the first and last place of a range.
#[derive(Debug, Clone, Copy)]
pub struct SpotPlace {
    pub shape: Shape,
    pub filling: MarkFill,
    /// Offsets of the first and of the last message.
    pub offsets: (i64, i64),
    /// Times of the first and of the last message, in milliseconds.
    pub ms: (f64, f64),
}

/// A message or a range of messages with an anomaly.
#[derive(Debug, Clone)]
pub struct SpottedMessage {
    pub name: String,
    pub explained: bool,
    /// Its places, ordered by time. Never empty.
    pub places: Vec<SpotPlace>,
    /// Index of the place that is the anomaly.
    pub at: usize,
}

#[derive(Debug, Clone)]
pub struct Drawn {
    pub svg: String,
    /// The labels to the left of it.
    pub axis: String,
    /// Number of cases in it.
    pub cases: usize,
    /// The shapes and fillings that are drawn.
    pub kinds: Vec<(Shape, MarkFill)>,
}

impl Shape {
    /// Id and outline of each shape.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Ack, "k-ack", "M-5 0a5 5 0 1 1 10 0a5 5 0 1 1-10 0z"),
        (Self::Reader, "k-read", "M0-4L4 3.5H-4z"),
        (Self::Audit, "k-audit", "M-3.5-3.5h7v7h-7z"),
        (Self::Recheck, "k-again", "M0-5.5L5.5 0L0 5.5L-5.5 0z"),
    ];
    /// The ring around the anomaly.
    pub const RING: (&'static str, &'static str) = ("k-ring", "M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z");
    pub const STROKE: (&'static str, &'static str) = ("k-stroke", "M-5.5 5.5L5.5-5.5");

    /// The id of the outline.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(shape, ..)| *shape == self).map_or("", |(_, id, _)| id)
    }
}

impl MarkFill {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Found => "here",
            Self::Altered => "bad",
            Self::Missing => "gone",
        }
    }
}

/// The vertical axis, from the lowest offset to the highest, with a margin.
struct Axis {
    low: f64,
    span: f64,
    ticks: Vec<i64>,
}

impl Axis {
    fn of(offsets: impl Iterator<Item = i64> + Clone) -> Self {
        let (low, high) = (offsets.clone().min().unwrap_or(0), offsets.max().unwrap_or(0));
        // A few adjacent offsets do not fill the whole height.
        let (low, high) = (i128::from(low), i128::from(high));
        let is_real = |tick: i128| tick >= low.min(0);
        let lack = (10 - (high - low)).max(0);
        let (bottom, top) = (low - lack / 2, high + (lack - lack / 2));
        let mut step = 1_i128;
        'steps: while (top - bottom) / step > 4 {
            for (from, to) in [(1, 2), (2, 5), (5, 10)] {
                let unit = 10_i128.pow(step.ilog10());
                if step / unit == from {
                    step = unit * to;
                    continue 'steps;
                }
            }
        }
        // No offset is below 0, except in an invalid summary.
        let mut tick = bottom.div_euclid(step) * step;
        let mut ticks = Vec::new();
        while tick <= top {
            ticks.extend(i64::try_from(tick).ok().filter(|_| tick >= bottom && is_real(tick)));
            tick += step;
        }
        #[expect(clippy::cast_precision_loss, reason = "a picture")]
        let (low, span) = (bottom as f64, (top - bottom) as f64);
        Self { low, span, ticks }
    }

    /// The position of an offset, from the top.
    fn y(&self, offset: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a picture")]
        let share = (offset as f64 - self.low) / self.span;
        HEIGHT - MARGIN - share.clamp(0.0, 1.0) * (HEIGHT - 2.0 * MARGIN)
    }

    /// Labels that would be too wide show their distance from this offset.
    fn base(&self) -> i64 {
        let first = self.ticks.first().copied().unwrap_or(0);
        if self.ticks.iter().any(|tick| !(-999_999..10_000_000).contains(tick)) { first } else { 0 }
    }

    fn labels(&self) -> String {
        let base = self.base();
        let mut out = String::from("<svg class=\"axis\" aria-hidden=\"true\">");
        for tick in &self.ticks {
            out.push_str("<text x=\"100%\" dx=\"-6\" dy=\".35em\" y=\"");
            put(&mut out, self.y(*tick));
            let label = match tick.checked_sub(base) {
                Some(_) if base == 0 => tick.to_string(),
                Some(behind) => format!("+{behind}"),
                None => String::new(),
            };
            let _ = write!(out, "%\">{label}</text>");
        }
        out.push_str("</svg>");
        out
    }
}

/// Draws as many of these cases as there is space for.
pub fn spots(id: &str, title: &str, desc: &str, cases: &[SpottedMessage], frame: &Frame) -> Drawn {
    let mut room = MARKS;
    let takes = |case: &&SpottedMessage| {
        room = room.saturating_sub(1 + case.places.len() * 2);
        room > 0
    };
    let cases: Vec<&SpottedMessage> = cases.iter().take_while(takes).collect();
    let places = || cases.iter().flat_map(|case| &case.places);
    let axis = Axis::of(places().flat_map(|place| [place.offsets.0, place.offsets.1]));
    let mut out = String::with_capacity(4096);
    let (title, desc) = (escape(title), escape(desc));
    let _ = write!(
        out,
        "<svg class=\"spots\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{title}</title>\
         <desc id=\"{id}-d\">{desc}</desc><svg width=\"100%\" height=\"100%\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         preserveAspectRatio=\"none\">"
    );
    frame.draw(&mut out);
    lines(&mut out, &axis, &cases, frame);
    out.push_str("</svg>");
    let mut kinds: Vec<(Shape, MarkFill)> = places().map(|place| (place.shape, place.filling)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for (shape, filling) in &kinds {
        let _ = write!(out, "<g class=\"{}\">", filling.class());
        for place in places().filter(|place| (place.shape, place.filling) == (*shape, *filling)) {
            for (x, y) in ends(place, &axis, frame) {
                spot(&mut out, shape.id(), x, y);
                if *filling == MarkFill::Altered {
                    spot(&mut out, Shape::STROKE.0, x, y);
                }
            }
        }
        out.push_str("</g>");
    }
    names(&mut out, &axis, &cases, frame);
    out.push_str("</svg>");
    Drawn { svg: out, axis: axis.labels(), cases: cases.len(), kinds }
}

/// The first and the last place of a range, or only one if they are close together.
fn ends(place: &SpotPlace, axis: &Axis, frame: &Frame) -> Vec<(f64, f64)> {
    let at = |ms: f64, offset: i64| (frame.x(ms) / 10.0, axis.y(offset));
    let (first, last) = (at(place.ms.0, place.offsets.0), at(place.ms.1, place.offsets.1));
    let near = (first.1 - last.1).abs() < NEAR && (first.0 - last.0).abs() < NEAR;
    if near { vec![first] } else { vec![first, last] }
}

fn spot(out: &mut String, id: &str, x: f64, y: f64) {
    let _ = write!(out, "<use href=\"#{id}\" x=\"");
    put(out, x);
    out.push_str("%\" y=\"");
    put(out, y);
    out.push_str("%\"/>");
}

/// Draws lines for the axis, for ranges, and from each copy of a message to the next.
fn lines(out: &mut String, axis: &Axis, cases: &[&SpottedMessage], frame: &Frame) {
    out.push_str("<path class=\"grid\" d=\"");
    for tick in &axis.ticks {
        step(out, 'M', &[0.0, axis.y(*tick)]);
        step(out, 'H', &[WIDTH]);
    }
    out.push_str("\"/><path class=\"way\" d=\"");
    for case in cases.iter().filter(|case| case.places.len() > 1) {
        for (at, place) in case.places.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            step(out, command, &[frame.x(place.ms.0), axis.y(place.offsets.0)]);
        }
    }
    out.push_str("\"/>");
    for (class, is_there) in [("range", true), ("range lack", false)] {
        let _ = write!(out, "<path class=\"{class}\" d=\"");
        let places = cases.iter().flat_map(|case| &case.places).filter(|place| {
            place.offsets.0 != place.offsets.1 && (place.filling == MarkFill::Found) == is_there
        });
        for place in places {
            step(out, 'M', &[frame.x(place.ms.0), axis.y(place.offsets.0)]);
            step(out, 'L', &[frame.x(place.ms.1), axis.y(place.offsets.1)]);
        }
        out.push_str("\"/>");
    }
}

/// Draws a ring around each anomaly, and its name if there is space.
fn names(out: &mut String, axis: &Axis, cases: &[&SpottedMessage], frame: &Frame) {
    let at = |case: &SpottedMessage| {
        let place = case.places.get(case.at).or(case.places.first())?;
        let (first, last) = place.offsets;
        let ends = ends(place, axis, frame);
        Some((ends, frame.x(place.ms.0) / 10.0, axis.y(first).midpoint(axis.y(last))))
    };
    out.push_str("<g class=\"ring\">");
    for (x, y) in cases.iter().filter(|case| !case.explained).filter_map(|case| at(case)).flat_map(|it| it.0)
    {
        spot(out, Shape::RING.0, x, y);
    }
    out.push_str("</g>");
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for case in cases {
        let Some((_, x, y)) = at(case) else { continue };
        let is_left = x > 60.0;
        // On a phone, a name is about a third as wide as the picture.
        let from = if is_left { x - NAME } else { x };
        let free = |y: &f64| {
            let near =
                |(other, height): &(f64, f64)| (other - from).abs() < NAME && (height - y).abs() < LINE;
            !taken.iter().any(near)
        };
        let Some(y) = [y, y - LINE, y + LINE].into_iter().find(free).filter(|_| taken.len() < NAMES) else {
            continue;
        };
        taken.push((from, y));
        let (anchor, shift) = if is_left { ("end", -14) } else { ("start", 14) };
        out.push_str("<text x=\"");
        put(out, x);
        let _ = write!(out, "%\" dx=\"{shift}\" dy=\".35em\" text-anchor=\"{anchor}\" y=\"");
        put(out, y);
        let _ = write!(out, "%\">{}</text>", escape(&case.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shape: Shape, offset: i64, ms: f64) -> SpotPlace {
        SpotPlace { shape, filling: MarkFill::Found, offsets: (offset, offset), ms: (ms, ms) }
    }

    fn case(offset: i64, ms: f64) -> SpottedMessage {
        let places = vec![place(Shape::Ack, offset, ms), place(Shape::Reader, offset, ms + 10.0)];
        SpottedMessage { name: "lost".to_owned(), explained: false, places, at: 1 }
    }

    #[test]
    fn the_axis_fits_the_offsets() {
        let ticks = |offsets: &[i64]| Axis::of(offsets.iter().copied()).ticks;
        assert_eq!(ticks(&[301, 304]), [300, 305]);
        assert_eq!(ticks(&[0]), [0, 5]);
        assert_eq!(ticks(&[470, 509]), [470, 480, 490, 500]);
        assert_eq!(ticks(&[0, 100_000]), [0, 50_000, 100_000]);
        assert_eq!(ticks(&[1, 4]), [0, 5]);
        assert!(ticks(&[i64::MIN, i64::MAX]).len() > 2);
        let axis = Axis::of([470, 509].into_iter());
        assert!((axis.y(470) - 88.0).abs() < 1e-9 && (axis.y(509) - 12.0).abs() < 1e-9);
        let far = Axis::of([9_000_000_000, 9_000_000_040].into_iter()).labels();
        assert!(far.contains(">+0<") && far.contains(">+40<"), "{far}");
    }

    #[test]
    fn it_stays_at_a_few_kilobytes() {
        let cases: Vec<SpottedMessage> = (0..500).map(|k| case(k * 1000, 100.0)).collect();
        let frame = Frame { end_ms: 1000.0, bands: vec![(0.0, 10.0, true); 3] };
        let drawn = spots("a", "t", "d", &cases, &frame);
        assert!(drawn.svg.len() < 6000, "{} bytes", drawn.svg.len());
        assert!(drawn.cases > 10 && drawn.cases < 500);
        assert_eq!(drawn.svg.matches("href=\"#k-ack\"").count(), drawn.cases);
        assert_eq!(drawn.svg.matches("href=\"#k-ring\"").count(), drawn.cases);
    }

    #[test]
    fn a_range_is_a_line_with_two_ends() {
        let wide = SpotPlace { offsets: (0, 100), ms: (100.0, 900.0), ..place(Shape::Ack, 0, 0.0) };
        let lost = SpottedMessage { name: "<lost>".to_owned(), explained: false, places: vec![wide], at: 0 };
        let drawn = spots("a", "t", "d", &[lost], &Frame { end_ms: 1000.0, bands: Vec::new() });
        assert!(drawn.svg.contains("<path class=\"range\" d=\"M100 88L900 12\"/>"), "{}", drawn.svg);
        assert_eq!(drawn.svg.matches("href=\"#k-ack\"").count(), 2);
        assert!(drawn.svg.contains("&lt;lost&gt;</text>"));
    }
}
