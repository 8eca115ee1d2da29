//! A strip of the timeline: one metric over the time of the run, with faults as shaded bands.
//!
//! Draws steps, lines and gaps, and describes the strip for screen readers.

use std::fmt::Write as _;

use super::scale::{BASE, Scale};
use super::{HEIGHT, WIDTH, escape, put, sane, step};

/// Maximum number of points. More are merged, because no screen shows them and the page stays small.
const MAX_POINTS: usize = 600;

/// The time axis of the run and its faults. All strips share it.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// End of the axis in milliseconds.
    pub end_ms: f64,
    /// Start and end of each fault, and whether it took effect.
    pub bands: Vec<(f64, f64, bool)>,
}

impl Frame {
    pub fn x(&self, ms: f64) -> f64 {
        if self.end_ms > 0.0 { (ms / self.end_ms).clamp(0.0, 1.0) * WIDTH } else { 0.0 }
    }

    pub(super) fn draw(&self, out: &mut String) {
        for (start, end, effective) in &self.bands {
            let (left, right) = (self.x(*start), self.x(*end));
            let class = if *effective { "band" } else { "band weak" };
            let _ = write!(out, "<rect class=\"{class}\" y=\"0\" height=\"100\" x=\"");
            put(out, left);
            out.push_str("\" width=\"");
            put(out, (right - left).max(1.5));
            out.push_str("\"/>");
        }
    }
}

#[derive(Debug, Clone)]
pub struct Strip<'a> {
    pub id: String,
    pub title: String,
    pub desc: String,
    /// The CSS class of its line: `rate`, `latency` or `metric`.
    pub class: &'static str,
    pub scale: Scale,
    pub points: &'a Points,
    /// Times of buckets with errors.
    pub error_ms: &'a [f64],
    /// The unit, for the readout.
    pub unit: &'static str,
}

#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Start of each point in milliseconds.
    pub at: Vec<f64>,
    /// Value of each point. `None` is a gap.
    pub value: Vec<Option<f64>>,
    /// End of the last point.
    pub end: f64,
    /// Whether to draw steps, or a line through the middle of each point.
    pub steps: bool,
}

impl Points {
    pub fn buckets(values: &[Option<f64>], bucket_ms: f64, steps: bool, merge: fn(&[f64]) -> f64) -> Self {
        let chunk = values.len().div_ceil(MAX_POINTS).max(1);
        let width = bucket_ms * super::super::format::float(chunk as u64);
        let value: Vec<_> = values
            .chunks(chunk)
            .map(|part| {
                let known: Vec<f64> = part.iter().flatten().map(|v| sane(*v)).collect();
                (!known.is_empty()).then(|| merge(&known))
            })
            .collect();
        let at = (0..value.len()).map(|i| sane(width * super::super::format::float(i as u64))).collect();
        let end = sane(bucket_ms * super::super::format::float(values.len() as u64));
        Self { at, value, end, steps }
    }

    /// Samples at their own times. Each lasts until the next one. If the next one is overdue, there is a gap.
    pub fn samples(at: &[u64], value: &[f64], run_end: f64) -> Self {
        let mut pairs: Vec<(f64, f64)> = at
            .iter()
            .zip(value)
            .map(|(t, v)| (sane(super::super::format::float(*t)), sane(*v)))
            .filter(|(t, _)| *t <= run_end)
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let chunk = pairs.len().div_ceil(MAX_POINTS).max(1);
        let mut out = Self { steps: true, end: run_end, ..Self::default() };
        let mut pauses: Vec<f64> = pairs.windows(2).map(|w| w[1].0 - w[0].0).collect();
        pauses.sort_by(f64::total_cmp);
        let usual = pauses.get(pauses.len() / 2).copied().unwrap_or(run_end);
        let mut last: Option<f64> = None;
        for part in pairs.chunks(chunk) {
            let (t, v) = part[part.len() - 1];
            let start = part[0].0;
            if let Some(before) = last
                && start - before > 2.5 * usual
            {
                out.at.push(before + usual);
                out.value.push(None);
            }
            out.at.push(start);
            out.value.push(Some(v));
            last = Some(t);
        }
        if let Some(last) = last {
            out.end = (last + usual).min(run_end);
        }
        out
    }

    pub fn known(&self) -> impl Iterator<Item = f64> + '_ {
        self.value.iter().flatten().copied()
    }

    fn end_of(&self, i: usize) -> f64 {
        self.at.get(i + 1).copied().unwrap_or(self.end)
    }
}

/// The plot of a strip. [`axis`] draws its labels.
pub fn strip(s: &Strip<'_>, frame: &Frame) -> String {
    let mut out = String::with_capacity(2048);
    let (id, title, desc) = (escape(&s.id), escape(&s.title), escape(&s.desc));
    let _ = write!(
        out,
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         preserveAspectRatio=\"none\" data-unit=\"{}\" data-end=\"{}\"",
        s.unit,
        sane(frame.end_ms)
    );
    readout(&mut out, s.points);
    let _ = write!(out, "><title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{desc}</desc>");
    frame.draw(&mut out);
    out.push_str("<path class=\"grid\" d=\"");
    for tick in s.scale.ticks() {
        step(&mut out, 'M', &[0.0, s.scale.y(tick)]);
        step(&mut out, 'H', &[WIDTH]);
    }
    let _ = write!(out, "\"/><path class=\"line {}\" d=\"", s.class);
    if s.points.steps {
        steps(&mut out, s, frame);
    } else {
        line(&mut out, s, frame);
    }
    out.push_str("\"/>");
    if !s.error_ms.is_empty() {
        out.push_str("<path class=\"err\" d=\"");
        for ms in s.error_ms.iter().take(MAX_POINTS) {
            step(&mut out, 'M', &[frame.x(*ms), HEIGHT]);
            step(&mut out, 'v', &[-12.0]);
        }
        out.push_str("\"/>");
    }
    out.push_str("</svg>");
    out
}

/// The values in a short form, for the readout under the pointer.
fn readout(out: &mut String, points: &Points) {
    let even = points.at.windows(3).all(|w| ((w[2] - w[1]) - (w[1] - w[0])).abs() < 1e-6);
    if !even || points.at.len() < 3 {
        out.push_str(" data-at=\"");
        for (i, at) in points.at.iter().enumerate() {
            let _ = write!(out, "{}{}", if i > 0 { "," } else { "" }, at.round());
        }
        out.push('"');
    } else {
        let _ = write!(out, " data-step=\"{}\"", points.at[1] - points.at[0]);
    }
    out.push_str(" data-v=\"");
    for (i, value) in points.value.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        if let Some(value) = value {
            let digits = if value.abs() >= 100.0 { 1.0 } else { 100.0 };
            let _ = write!(out, "{}", (value * digits).round() / digits);
        }
    }
    out.push('"');
}

fn steps(out: &mut String, s: &Strip<'_>, frame: &Frame) {
    let mut drawing = false;
    let mut height = f64::NAN;
    let points = s.points;
    for i in 0..points.at.len() {
        let Some(value) = points.value[i] else {
            if drawing {
                step(out, 'H', &[frame.x(points.at[i])]);
                step(out, 'V', &[BASE]);
            }
            drawing = false;
            continue;
        };
        let y = (s.scale.y(value) * 10.0).round() / 10.0;
        if !drawing {
            step(out, 'M', &[frame.x(points.at[i]), BASE]);
            step(out, 'V', &[y]);
        } else if y.total_cmp(&height).is_ne() {
            step(out, 'H', &[frame.x(points.at[i])]);
            step(out, 'V', &[y]);
        }
        drawing = true;
        height = y;
    }
    if drawing {
        step(out, 'H', &[frame.x(points.end)]);
        step(out, 'V', &[BASE]);
    }
}

fn line(out: &mut String, s: &Strip<'_>, frame: &Frame) {
    let points = s.points;
    for i in 0..points.at.len() {
        let Some(value) = points.value[i] else { continue };
        let x = frame.x(f64::midpoint(points.at[i], points.end_of(i)));
        let before = i > 0 && points.value[i - 1].is_some();
        let after = points.value.get(i + 1).is_some_and(Option::is_some);
        step(out, if before { 'L' } else { 'M' }, &[x, s.scale.y(value)]);
        if !before && !after {
            // A single point: a line without length whose round ends form a dot.
            out.push_str("h0");
        }
    }
}

/// The labels of a strip's vertical axis: a picture of fixed width to the left of the plot.
pub fn axis(scale: Scale, words: fn(f64) -> String) -> String {
    let mut out = String::from("<svg class=\"axis\" aria-hidden=\"true\">");
    for tick in scale.ticks() {
        let y = scale.y(tick);
        // The lowest label is above its line and the highest is below it, so that both are inside the
        // picture.
        let shift = if y > 90.0 {
            "-.1em"
        } else if y < 15.0 {
            ".75em"
        } else {
            ".35em"
        };
        let _ = write!(out, "<text x=\"100%\" dx=\"-6\" dy=\"{shift}\" y=\"");
        put(&mut out, y);
        let _ = write!(out, "%\">{}</text>", escape(&words(tick)));
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stay_gaps_and_lone_points_are_dots() {
        let points = Points::buckets(&[Some(1.0), None, Some(2.0), Some(2.0)], 100.0, false, |v| {
            v.iter().copied().fold(0.0, f64::max)
        });
        let frame = Frame { end_ms: 400.0, bands: Vec::new() };
        let strip = Strip {
            id: "a".to_owned(),
            title: "<t>".to_owned(),
            desc: String::new(),
            class: "latency",
            scale: Scale::Linear(2.0),
            points: &points,
            error_ms: &[],
            unit: "ms",
        };
        let svg = super::strip(&strip, &frame);
        assert!(svg.contains("d=\"M125 52h0M625 6L875 6\""), "{svg}");
        assert!(svg.contains("&lt;t&gt;") && svg.contains("data-v=\"1,,2,2\""), "{svg}");
    }

    #[test]
    fn overdue_samples_are_a_gap() {
        let points = Points::samples(&[0, 10, 20, 60, 70], &[1.0, 1.0, 2.0, 2.0, 1.0], 100.0);
        assert_eq!(points.at, [0.0, 10.0, 20.0, 30.0, 60.0, 70.0]);
        assert_eq!(points.value[3], None);
        assert!((points.end - 80.0).abs() < 1e-9);
    }

    #[test]
    fn long_series_are_merged() {
        let points = Points::buckets(&[Some(1.0); 5000], 10.0, true, |v| v[0]);
        assert!(points.at.len() <= MAX_POINTS);
        assert!((points.end - 50_000.0).abs() < 1e-6);
    }
}
