//! Scales: map values to positions, linearly, logarithmically or as time, with ticks at round numbers.
//!
//! Also selects the scale and the ticks.

use super::super::format::{millis, number};

/// Position of the highest tick in a plot of height 100. The space above it is for the width of the line.
const TOP: f64 = 6.0;
pub(in crate::report) const BASE: f64 = 98.0;

/// The vertical scale of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to this value.
    Linear(f64),
    /// From this power of ten to that one.
    Log(i32, i32),
}

impl Scale {
    /// A linear scale from zero.
    pub fn linear(values: impl Iterator<Item = f64>) -> Self {
        Self::Linear(nice_above(values.fold(0.0, f64::max)))
    }

    /// A linear scale if it shows the common values well, or a logarithmic one if a few large values would
    /// flatten them.
    pub fn fitting(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.filter(|v| *v > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return Self::Linear(1.0) };
        if high > 25.0 * sorted[sorted.len() / 2] {
            #[expect(clippy::cast_possible_truncation, reason = "a power of ten of a clamped value")]
            let power = |v: f64| v as i32;
            let top = power(high.log10().ceil());
            Self::Log(power(low.log10().floor()).max(top - 6).min(top - 1), top)
        } else {
            Self::Linear(nice_above(high))
        }
    }

    /// The position of a value, from the top.
    pub fn y(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(top) => value / top,
            Self::Log(low, high) => {
                (value.max(1e-12).log10() - f64::from(low)) / f64::from((high - low).max(1))
            }
        };
        BASE - share.clamp(0.0, 1.0) * (BASE - TOP)
    }

    /// Values with a line and a label, ascending.
    pub fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(top) => vec![0.0, top / 2.0, top],
            Self::Log(low, high) => {
                let step = if high - low > 3 { 2 } else { 1 };
                let mut ticks: Vec<f64> = (low..=high).rev().step_by(step).map(|p| 10_f64.powi(p)).collect();
                ticks.reverse();
                ticks
            }
        }
    }

    /// Whether it is logarithmic, which the chart must state.
    pub const fn is_log(self) -> bool {
        matches!(self, Self::Log(..))
    }
}

/// The smallest round number at or above a value.
pub fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let found = steps.into_iter().find(|s| s * magnitude >= value * (1.0 - 1e-9));
    found.unwrap_or(10.0) * magnitude
}

/// Ticks of a time axis that ends at `end` milliseconds: position in percent, label, and whether it is shown
/// on a narrow page.
pub fn time_ticks(end: f64) -> Vec<(f64, String, bool)> {
    const STEPS: [f64; 26] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3,
        300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 14_400e3, 43_200e3, 86_400e3,
    ];
    if end <= 0.0 || !end.is_finite() {
        return Vec::new();
    }
    let step = STEPS.into_iter().find(|s| end / s <= 8.0).unwrap_or_else(|| nice_above(end / 8.0));
    let mut out = Vec::new();
    let mut at = 0.0;
    while at <= end * 1.000_001 && out.len() < 12 {
        let label = if at == 0.0 { "0".to_owned() } else { millis(at) };
        out.push((at / end * 100.0, label, out.len() % 2 == 0));
        at += step;
    }
    out
}

/// Ticks of a logarithmic axis from `low` to `high`: position as a share, and label.
pub fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let span = (high / low).log10();
    if span <= 0.0 || !span.is_finite() {
        return Vec::new();
    }
    let digits: &[f64] = match span {
        s if s > 2.6 => &[1.0],
        s if s > 1.3 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let mut out = Vec::new();
    #[expect(clippy::cast_possible_truncation, reason = "powers of ten of clamped values")]
    for power in (low.log10().floor() as i32)..=(high.log10().ceil() as i32) {
        for digit in digits {
            let value = digit * 10_f64.powi(power);
            if value >= low * 0.999 && value <= high * 1.001 {
                out.push(((value / low).log10() / span, millis(value)));
            }
        }
    }
    out
}

/// The label of a tick without its unit: `0`, `75`, `1.2k`, `3M`.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e9 => format!("{}G", number(value / 1e9)),
        v if v >= 1e6 => format!("{}M", number(value / 1e6)),
        v if v >= 10_000.0 => format!("{}k", number(value / 1e3)),
        _ => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_numbers_that_people_like() {
        assert!((nice_above(52.0) - 60.0).abs() < 1e-9);
        assert!((nice_above(150.0) - 160.0).abs() < 1e-9);
        assert!((nice_above(200.0) - 200.0).abs() < 1e-9);
        assert!((nice_above(0.0031) - 0.004).abs() < 1e-9);
        let labels = |end| time_ticks(end).into_iter().map(|t| t.1).collect::<Vec<_>>().join(" ");
        assert_eq!(labels(19_990.0), "0 5 s 10 s 15 s");
        assert_eq!(labels(3_601_200.0), "0 10 min 20 min 30 min 40 min 50 min 1 h");
        assert_eq!(labels(850.0), "0 200 ms 400 ms 600 ms 800 ms");
        assert!(labels(1e15).len() > 10);
        let labels: Vec<_> = log_ticks(0.8, 30.0).into_iter().map(|t| t.1).collect();
        assert_eq!(labels, ["1 ms", "3 ms", "10 ms", "30 ms"]);
    }

    #[test]
    fn outliers_make_it_logarithmic() {
        assert_eq!(Scale::fitting([3.0, 4.0, 3.0].into_iter()), Scale::Linear(4.0));
        assert_eq!(Scale::fitting([3.0, 4.0, 2000.0].into_iter()), Scale::Log(0, 4));
        assert_eq!(Scale::fitting(std::iter::empty()), Scale::Linear(1.0));
        for scale in [Scale::Linear(4.0), Scale::Log(0, 4)] {
            for value in [-1.0, 0.0, 1e15, f64::MIN_POSITIVE] {
                assert!((0.0..=100.0).contains(&scale.y(value)));
            }
        }
    }
}
