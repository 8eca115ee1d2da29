//! The timeline: rates, latencies and errors over time, in at most 600 buckets for any length of run.
//!
//! Buckets start with a width of 100 ms, which doubles when there are too many. Each bucket has a coarse
//! histogram (3 %) for its p95.

use std::time::Duration;

/// Width of the finest bucket, and of the grid cells in which clients pass on their counts.
const FINEST_MS: u64 = 100;
/// Maximum number of buckets.
const MOST: usize = 600;
/// Number of slots per factor of two in latency.
const SUB: u64 = 16;
/// Enough for 2^40 us.
const SLOTS: usize = 16 * 38;

/// One scenario over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    width_ms: u64,
    cells: Vec<Bucket>,
}

#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// Messages acked or read.
    pub count: u64,
    /// Messages that failed, or whose result is unknown.
    pub failed: u64,
    pub errors: u64,
    /// Messages that were due or acked, but not yet answered or read, at the end of the bucket.
    pub open: u64,
    /// Latency counts by slot. Empty until the first one.
    latency: Vec<u32>,
}

impl Bucket {
    fn record(&mut self, micros: u64, count: u32) {
        if self.latency.is_empty() {
            self.latency = vec![0; SLOTS];
        }
        let slot = &mut self.latency[slot_of(micros)];
        *slot = slot.saturating_add(count);
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.errors += other.errors;
        self.open = other.open;
        if self.latency.is_empty() {
            self.latency.clone_from(&other.latency);
        } else {
            for (mine, theirs) in self.latency.iter_mut().zip(&other.latency) {
                *mine = mine.saturating_add(*theirs);
            }
        }
    }

    /// The 95th percentile of latency in milliseconds. `None` without latencies.
    pub fn p95_ms(&self) -> Option<f64> {
        self.quantile_ms(0.95)
    }

    /// Number of latencies.
    pub fn measured(&self) -> u64 {
        self.latency.iter().map(|c| u64::from(*c)).sum()
    }

    /// A quantile of latency in milliseconds, for a share from 0 to 1, accurate to 3 %. `None` without
    /// latencies.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts stay below 2^53, and a share of them too"
        )]
        let wanted = ((self.measured() as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        for (slot, count) in self.latency.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Some(middle_of(slot) / 1e3);
            }
        }
        None
    }

    /// The mean latency in milliseconds, accurate to 3 %. `None` without latencies.
    pub fn mean_ms(&self) -> Option<f64> {
        let total = self.measured();
        let sum: f64 = self.latency.iter().enumerate().map(|(slot, n)| middle_of(slot) * f64::from(*n)).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        (total > 0).then(|| sum / total as f64 / 1e3)
    }
}

/// The sum of the whole buckets in a part of a timeline.
#[derive(Debug, Clone, Default)]
pub struct BucketWindow {
    /// Their total length. Zero if the part contains no whole bucket.
    pub length: Duration,
    pub total: Bucket,
    /// Messages that were open at their start. `total` has the number at their end.
    pub open: u64,
}

impl BucketWindow {
    /// Messages per second. `None` if there is no whole bucket.
    pub fn rate_per_s(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        (!self.length.is_zero()).then(|| self.total.count as f64 / self.length.as_secs_f64())
    }

    /// Messages that ended in these buckets: acked, read, failed or unknown.
    const fn ended(&self) -> u64 {
        self.total.count.saturating_add(self.total.failed)
    }

    /// Messages that became due in these buckets, or were acked for a reader.
    pub const fn due(&self) -> u64 {
        (self.total.open.saturating_add(self.ended())).saturating_sub(self.open)
    }

    /// Number of messages that could be done: those open at the start, due or ended in these buckets,
    /// whichever is greatest.
    pub fn to_do(&self) -> u64 {
        self.open.max(self.due()).max(self.ended())
    }
}

/// The slot of a latency: exact below 32 us, then 16 slots per factor of two.
fn slot_of(micros: u64) -> usize {
    if micros < 2 * SUB {
        return usize::try_from(micros).unwrap_or(0);
    }
    let octave = u64::from(63 - micros.leading_zeros()); // at least 5
    let shift = octave - 4;
    let slot = (shift + 1) * SUB + ((micros >> shift) - SUB);
    usize::try_from(slot).map_or(SLOTS - 1, |slot| slot.min(SLOTS - 1))
}

/// The middle of a slot, in microseconds.
fn middle_of(slot: usize) -> f64 {
    let slot = slot as u64;
    #[expect(clippy::cast_precision_loss, reason = "slots stand for less than 2^44 us")]
    if slot < 2 * SUB {
        slot as f64
    } else {
        let shift = slot / SUB - 1;
        let low = (slot % SUB + SUB) << shift;
        low as f64 + (1_u64 << shift) as f64 / 2.0
    }
}

impl Timeline {
    pub const fn new() -> Self {
        Self { width_ms: FINEST_MS, cells: Vec::new() }
    }

    /// The grid cell that contains this time, given in microseconds from the start of the run.
    pub const fn grid(at_us: u64) -> u64 {
        at_us / (FINEST_MS * 1000)
    }

    /// The bucket that contains grid cell `grid`.
    fn cell(&mut self, grid: u64) -> &mut Bucket {
        let at_ms = grid * FINEST_MS;
        while at_ms / self.width_ms >= MOST as u64 {
            self.double();
        }
        let index = usize::try_from(at_ms / self.width_ms).unwrap_or(MOST - 1);
        if self.cells.len() <= index {
            self.cells.resize_with(index + 1, Bucket::default);
        }
        &mut self.cells[index]
    }

    fn double(&mut self) {
        self.width_ms *= 2;
        let old = std::mem::take(&mut self.cells);
        for pair in old.chunks(2) {
            let mut cell = pair[0].clone();
            match pair.get(1) {
                Some(second) => cell.add(second),
                // The bucket has not ended. Its value is set at its end.
                None => cell.open = 0,
            }
            self.cells.push(cell);
        }
    }

    /// Sets how many messages of one client were open at the end of a grid cell.
    pub fn open(&mut self, grid: u64, open: u64) {
        if open == 0 {
            return;
        }
        // A wide bucket ends with its last cell. This call widens the buckets if needed.
        self.cell(grid);
        if ((grid + 1) * FINEST_MS).is_multiple_of(self.width_ms) {
            self.cell(grid).open += open;
        }
    }

    /// Counts messages done and failed, errors, and latencies (in microseconds, each with its count) in one
    /// grid cell.
    pub fn record(
        &mut self,
        grid: u64,
        (count, failed): (u64, u64),
        errors: u64,
        latencies_us: &[(u32, u32)],
    ) {
        if count == 0 && failed == 0 && errors == 0 && latencies_us.is_empty() {
            return;
        }
        let cell = self.cell(grid);
        cell.count += count;
        cell.failed += failed;
        cell.errors += errors;
        for (micros, count) in latencies_us {
            cell.record(u64::from(*micros), *count);
        }
    }

    /// Width of a bucket in milliseconds.
    pub const fn width_ms(&self) -> u64 {
        self.width_ms
    }

    /// The buckets, from the start of the run.
    pub fn cells(&self) -> &[Bucket] {
        &self.cells
    }

    /// The whole buckets between two times. Buckets after the last one with counts are empty but included.
    pub fn window(&self, from: Duration, to: Duration) -> BucketWindow {
        let (first, last) = self.whole(from, to);
        self.buckets(first, last)
    }

    /// The buckets from index `first` up to but not including `last`.
    pub fn buckets(&self, first: usize, last: usize) -> BucketWindow {
        let mut total = Bucket::default();
        for cell in self.cells.iter().take(last).skip(first) {
            total.add(cell);
        }
        let open_at = |end: usize| end.checked_sub(1).and_then(|at| self.cells.get(at)).map_or(0, |c| c.open);
        total.open = open_at(last);
        let length = self.start_of(last.max(first)).saturating_sub(self.start_of(first));
        BucketWindow { length, total, open: open_at(first) }
    }

    /// The sum of the whole buckets between two times that do not overlap any of these periods.
    pub fn window_without(
        &self,
        (from, to): (Duration, Duration),
        periods: &[(Duration, Duration)],
    ) -> Bucket {
        let (first, last) = self.whole(from, to);
        let mut total = Bucket::default();
        for (index, cell) in self.cells.iter().enumerate().take(last).skip(first) {
            let (start, end) = (self.start_of(index), self.start_of(index + 1));
            if !periods.iter().any(|(from, to)| *from < end && *to >= start) {
                total.add(cell);
            }
        }
        total
    }

    /// Whether something was done, failed or open in a bucket that overlaps this period.
    pub fn is_busy(&self, from: Duration, to: Duration) -> bool {
        let first = self.whole(Duration::ZERO, from).1;
        let last = self.whole(to, to).0.max(first + 1);
        let window = self.buckets(first, last);
        let within = self.cells.iter().take(last).skip(first);
        window.open > 0 || within.into_iter().any(|cell| cell.count + cell.failed + cell.open > 0)
    }

    /// Indexes of the first whole bucket between two times, and of the one after the last.
    pub fn whole(&self, from: Duration, to: Duration) -> (usize, usize) {
        let width_us = u128::from(self.width_ms) * 1000;
        let number = |n: u128| usize::try_from(n).unwrap_or(usize::MAX);
        (number(from.as_micros().div_ceil(width_us)), number(to.as_micros() / width_us))
    }

    pub fn start_of(&self, bucket: usize) -> Duration {
        Duration::from_millis(self.width_ms.saturating_mul(bucket as u64))
    }

    /// The same timeline with buckets of at least this width, which must be the finest width times a power of
    /// two.
    pub fn widened(mut self, width_ms: u64) -> Self {
        while self.width_ms < width_ms {
            self.double();
        }
        self
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_still_fits() {
        let mut t = Timeline::new();
        let day = 24 * 3600 * 10;
        for grid in (0..day).step_by(100) {
            t.record(grid, (1, 0), 0, &[(1000, 1)]);
        }
        assert!(t.cells().len() <= MOST);
        assert_eq!(t.cells().iter().map(|c| c.count).sum::<u64>(), day / 100);
    }

    #[test]
    fn a_window_holds_whole_buckets_only() {
        let mut t = Timeline::new();
        for grid in 0..10 {
            t.record(
                grid,
                (grid + 1, 0),
                u64::from(grid == 4),
                &[(1000 * (u32::try_from(grid).unwrap() + 1), 1)],
            );
        }
        let ms = Duration::from_millis;
        let part = t.window(ms(201), ms(599));
        assert_eq!((part.length, part.total.count, part.total.errors), (ms(200), 4 + 5, 1));
        assert_eq!(part.rate_per_s(), Some(45.0));
        let exact = t.window(ms(200), ms(400));
        assert_eq!((exact.length, exact.total.count), (ms(200), 3 + 4));
        let (p50, max) = (exact.total.quantile_ms(0.5).unwrap(), exact.total.quantile_ms(1.0).unwrap());
        assert!((p50 - 3.0).abs() < 0.1 && (max - 4.0).abs() < 0.13, "{p50} {max}");
        assert!((exact.total.mean_ms().unwrap() - 3.5).abs() < 0.11);
        let beyond = t.window(ms(900), ms(1200));
        assert_eq!((beyond.length, beyond.total.count), (ms(300), 10), "an empty bucket is a bucket");
        let none = t.window(ms(210), ms(290));
        assert_eq!((none.length, none.rate_per_s(), none.total.quantile_ms(0.5)), (ms(0), None, None));
        assert_eq!(t.window(ms(500), ms(100)).length, ms(0));
    }

    #[test]
    fn what_is_open_is_known_at_the_end_of_each_bucket() {
        let mut t = Timeline::new();
        let ms = Duration::from_millis;
        // Two clients with 3 and 4 messages open from 0.5 s to 70 s.
        for grid in 5..700 {
            t.open(grid, 3);
        }
        assert_eq!(t.cells()[10].open, 3);
        for grid in 5..700 {
            t.open(grid, 4);
        }
        t.record(705, (5, 2), 1, &[]);
        assert_eq!(t.width_ms(), 200);
        let at = |from, to| {
            let window = t.window(ms(from), ms(to));
            (window.open, window.total.open, window.due(), window.to_do())
        };
        assert_eq!(at(0, 1000), (0, 7, 7, 7));
        assert_eq!(at(1000, 2000), (7, 7, 0, 7));
        assert_eq!(at(69_000, 71_000), (7, 0, 0, 7), "all have ended");
        assert_eq!(at(70_000, 71_000), (7, 0, 0, 7));
        assert_eq!(at(70_200, 71_000), (0, 0, 7, 7), "as far as is known");
        assert!(t.is_busy(ms(1010), ms(1020)) && t.is_busy(ms(70_100), ms(70_100)));
        assert!(!t.is_busy(ms(100), ms(190)) && !t.is_busy(ms(71_000), ms(72_000)));
    }

    proptest! {
        #[test]
        fn a_slot_is_within_3_percent(micros in 1_u64..1 << 38) {
            let middle = middle_of(slot_of(micros));
            let off = (middle - micros as f64).abs() / micros as f64;
            prop_assert!(off <= 0.0315, "{micros} became {middle}");
        }

        #[test]
        fn nothing_is_dropped(cells in prop::collection::vec((0_u64..100_000, 0_u64..5, 0_u64..3), 0..200)) {
            let mut t = Timeline::new();
            for (grid, count, errors) in &cells {
                t.record(*grid, (*count, 0), *errors, &[]);
            }
            prop_assert!(t.cells().len() <= MOST);
            prop_assert_eq!(t.cells().iter().map(|c| c.count).sum::<u64>(), cells.iter().map(|c| c.1).sum::<u64>());
            prop_assert_eq!(t.cells().iter().map(|c| c.errors).sum::<u64>(), cells.iter().map(|c| c.2).sum::<u64>());
        }
    }
}
