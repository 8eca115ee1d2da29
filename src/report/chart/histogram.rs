//! A chart of latencies: a histogram with a logarithmic axis and marked percentiles.
//!
//! Merges buckets, and places the labels so that they do not overlap.

use std::fmt::Write as _;

use super::super::format::{count, float, millis};
use super::super::summary::HistogramSummary;
use super::scale::log_ticks;
use super::{HEIGHT, WIDTH, escape, put, sane};

/// Maximum number of bars. More are merged.
const MAX_BARS: usize = 72;

/// A histogram, and the count of its tallest bar.
#[derive(Debug, Clone)]
pub struct Histogram {
    pub svg: String,
    /// Such as `153 of 1,000`.
    pub tallest: String,
}

/// The chart. `None` if there is no data. `marks` are names and milliseconds, ascending.
pub fn histogram(id: &str, title: &str, data: &HistogramSummary, marks: &[(&str, f64)]) -> Option<Histogram> {
    let bars = bars(data);
    let most = bars.iter().map(|b| b.2).fold(0.0, f64::max);
    let (low, high) = (bars.first()?.0, bars.last()?.1);
    if most <= 0.0 || high <= low {
        return None;
    }
    let share = |ms: f64| ((ms.max(low) / low).log10() / (high / low).log10()).clamp(0.0, 1.0);
    let total = bars.iter().map(|b| b.2).sum::<f64>();
    let mut out = String::with_capacity(4096);
    let (id, title) = (escape(id), escape(title));
    let marked: Vec<String> = marks.iter().map(|(name, ms)| format!("{name} {}", millis(*ms))).collect();
    let desc = format!(
        "{} measured, from {} to {}; {}",
        rounded(total),
        millis(low),
        millis(high),
        marked.join(", ")
    );
    let _ = write!(
        out,
        "<svg class=\"hist\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{title}</title>\
         <desc id=\"{id}-d\">{}</desc>",
        escape(&desc)
    );
    let _ = write!(
        out,
        "<svg y=\"50\" width=\"100%\" height=\"104\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">\
         <path class=\"grid\" d=\"M0 0H1000M0 50H1000\"/><path class=\"bars\" d=\""
    );
    for (from, to, n) in &bars {
        if *n > 0.0 {
            let (left, right) = (share(*from) * WIDTH, share(*to) * WIDTH);
            // Even the smallest count must be visible.
            let height = (n / most * HEIGHT).max(1.2);
            super::step(&mut out, 'M', &[left, HEIGHT]);
            super::step(&mut out, 'v', &[-height]);
            super::step(&mut out, 'H', &[right]);
            super::step(&mut out, 'v', &[height]);
        }
    }
    out.push_str("\"/></svg>");
    let _ = write!(out, "<path class=\"base\" d=\"M0 154.5h9999\"/>");
    draw_marks(&mut out, marks, share);
    for (at, label) in log_ticks(low, high) {
        let _ = write!(out, "<text class=\"tick\" y=\"170\" text-anchor=\"{}\" x=\"", anchor(at, 0.06));
        put(&mut out, at * 100.0);
        let _ = write!(out, "%\">{label}</text>");
    }
    out.push_str("</svg>");
    Some(Histogram { svg: out, tallest: format!("{} of {}", rounded(most), rounded(total)) })
}

/// Width of a label: about a quarter of a narrow chart.
const LABEL: f64 = 0.26;

/// Draws each label in the highest of three rows with enough space. Labels to the right of their line descend
/// from left to right, and labels to the left descend from right to left. So no line crosses a label of the
/// other kind.
fn draw_marks(out: &mut String, marks: &[(&str, f64)], share: impl Fn(f64) -> f64) {
    let placed = marks.iter().map(|(name, ms)| (*name, *ms, share(*ms)));
    let (mut left, right): (Vec<_>, Vec<_>) = placed.partition(|(.., at)| *at > 1.0 - LABEL);
    left.reverse();
    let mut rows: [Vec<(f64, f64)>; 3] = Default::default();
    for (name, ms, at) in right.into_iter().chain(left) {
        let (from, to) = if at > 1.0 - LABEL { (at - LABEL, at) } else { (at, at + LABEL) };
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|(a, b)| *b <= from || *a >= to);
        let row = rows.iter().position(free).unwrap_or(2);
        rows[row].push((from, to));
        let y = 12 + row * 16;
        let x = at * 100.0;
        let mut place = String::new();
        put(&mut place, x);
        let _ =
            write!(out, "<line class=\"mark\" x1=\"{place}%\" x2=\"{place}%\" y1=\"{}\" y2=\"154\"/>", y - 9);
        let (anchor, shift) = if at > 1.0 - LABEL { ("end", -4) } else { ("start", 4) };
        let _ = write!(
            out,
            "<text class=\"mark\" x=\"{place}%\" dx=\"{shift}\" y=\"{y}\" text-anchor=\"{anchor}\"><tspan \
             class=\"name\">{}</tspan> {}</text>",
            escape(name),
            millis(ms)
        );
    }
}

const fn anchor(at: f64, edge: f64) -> &'static str {
    if at < edge {
        "start"
    } else if at > 1.0 - edge {
        "end"
    } else {
        "middle"
    }
}

fn rounded(total: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of counts, saturating"
    )]
    count(total.round() as u64)
}

/// From, to and count of each bar, from the first nonempty bar to the last.
fn bars(data: &HistogramSummary) -> Vec<(f64, f64, f64)> {
    let mut out: Vec<(f64, f64, f64)> = Vec::new();
    let mut from = None;
    for (upper, n) in data.upper_ms.iter().zip(&data.count) {
        let upper = sane(upper.get());
        let before = from.unwrap_or(upper / 1.2);
        if upper <= before || upper <= 0.0 {
            continue;
        }
        from = Some(upper);
        if *n > 0 || !out.is_empty() {
            out.push((before.max(1e-6), upper, sane(float(*n))));
        }
    }
    while out.last().is_some_and(|b| b.2 <= 0.0) {
        out.pop();
    }
    let chunk = out.len().div_ceil(MAX_BARS).max(1);
    out.chunks(chunk).map(|c| (c[0].0, c[c.len() - 1].1, c.iter().map(|b| b.2).sum())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::summary::Num;
    use super::*;

    #[test]
    fn odd_buckets_are_left_out() {
        let data = HistogramSummary {
            upper_ms: [-1.0, 0.0, 2.0, 1.0, 4.0, 8.0].map(Num::new).to_vec(),
            count: vec![9, 9, 5, 5, 0, 0],
        };
        let bars = bars(&data);
        assert_eq!(bars.len(), 1);
        assert!((bars[0].2 - 5.0).abs() < 1e-9);
        assert!(histogram("a", "b", &HistogramSummary::default(), &[]).is_none());
    }

    #[test]
    fn near_marks_take_rows_of_their_own() {
        let data =
            HistogramSummary { upper_ms: [1.0, 10.0, 100.0].map(Num::new).to_vec(), count: vec![5, 5, 1] };
        let svg = histogram("a", "b", &data, &[("p50", 5.0), ("p95", 6.0), ("p99", 7.0)]).unwrap();
        let svg = svg.svg;
        for y in ["y=\"12\"", "y=\"28\"", "y=\"44\""] {
            assert!(svg.contains(y), "{svg}");
        }
    }
}
