//! Latency histograms in microseconds with three significant digits, from 1 us to one hour. Longer latencies
//! count as one hour.

use hdrhistogram::Histogram;

/// Maximum latency that is recorded exactly, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

#[derive(Debug, Clone)]
pub struct Latency {
    /// `None` until the first value. Most scenarios of a large run never measure, and a histogram needs 90
    /// KiB.
    histogram: Option<Histogram<u32>>,
}

impl Latency {
    pub const fn new() -> Self {
        Self { histogram: None }
    }

    fn histogram(&mut self) -> &mut Histogram<u32> {
        self.histogram.get_or_insert_with(|| {
            #[expect(clippy::expect_used, reason = "the bounds are constants that the crate accepts")]
            Histogram::new_with_bounds(1, LONGEST_US, 3).expect("constant bounds")
        })
    }

    pub fn record_us(&mut self, micros: u64) {
        self.record_n_us(micros, 1);
    }

    /// Counts the same latency `count` times.
    pub fn record_n_us(&mut self, micros: u64, count: u32) {
        self.histogram().saturating_record_n(micros.clamp(1, LONGEST_US), count);
    }

    /// Adds the counts of another histogram.
    pub fn add(&mut self, other: &Self) {
        if let Some(other) = &other.histogram {
            // Both have the same bounds, so adding cannot fail.
            let _ = self.histogram().add(other);
        }
    }

    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// A quantile in milliseconds, for a share from 0 to 1. `None` without data.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let h = self.histogram.as_ref()?;
        (!h.is_empty()).then(|| millis(h.value_at_quantile(quantile)))
    }

    /// The longest latency in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        let h = self.histogram.as_ref()?;
        (!h.is_empty()).then(|| millis(h.max()))
    }

    /// The mean latency in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        let h = self.histogram.as_ref()?;
        (!h.is_empty()).then(|| h.mean() / 1e3)
    }

    /// Counts in logarithmic buckets, as (upper bound in milliseconds, count), from the first nonempty bucket
    /// to the last. There are `per_octave` buckets per factor of two.
    pub fn buckets(&self, per_octave: u32) -> Vec<(f64, u64)> {
        let Some(h) = &self.histogram else { return Vec::new() };
        if h.is_empty() {
            return Vec::new();
        }
        let step = 2.0_f64.powf(1.0 / f64::from(per_octave));
        #[expect(clippy::cast_precision_loss, reason = "micros of an hour are far below 2^53")]
        let first = (h.min().max(1) as f64).log(step).floor();
        let mut upper = step.powf(first + 1.0);
        let (mut out, mut count) = (Vec::new(), 0);
        for value in h.iter_recorded() {
            #[expect(clippy::cast_precision_loss, reason = "micros of an hour are far below 2^53")]
            let at = value.value_iterated_to() as f64;
            while at > upper {
                out.push((upper / 1e3, count));
                count = 0;
                upper *= step;
            }
            count += u64::from(value.count_at_value());
        }
        out.push((upper / 1e3, count));
        out
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

fn millis(micros: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "micros of an hour are far below 2^53")]
    let micros = micros as f64;
    micros / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_is_no_number() {
        let l = Latency::new();
        assert_eq!((l.quantile_ms(0.5), l.max_ms(), l.mean_ms()), (None, None, None));
        assert!(l.buckets(2).is_empty());
    }

    #[test]
    fn percentiles_and_buckets_hold_every_value() {
        let mut a = Latency::new();
        let mut b = Latency::new();
        for v in 1..=500 {
            a.record_us(v * 10);
            b.record_us((v + 500) * 10);
        }
        a.add(&b);
        assert_eq!(a.count(), 1000);
        let p50 = a.quantile_ms(0.5).unwrap();
        assert!((p50 - 5.0).abs() < 0.01, "{p50}");
        let buckets = a.buckets(4);
        assert_eq!(buckets.iter().map(|b| b.1).sum::<u64>(), 1000);
        assert!(buckets.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(buckets.last().unwrap().0 >= 10.0);
    }
}
