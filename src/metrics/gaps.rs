//! Gaps: periods without an ack or read that are long enough to matter.
//!
//! A stall is the part of a gap in which an ack or read was expected. A pause in the schedule is not a stall.
//! Recording costs a few atomic operations per batch of messages. The lock is taken only if there is a gap.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shorter gaps are not recorded. All times here are exact to this resolution.
pub const RESOLUTION: Duration = Duration::from_millis(10);
const RESOLUTION_US: u64 = 10_000;
/// Maximum number of gaps. If there are more, the shorter half is dropped.
const MOST: usize = 2048;

/// Clients report here when something was acked or read, and since when something is expected.
#[derive(Debug)]
pub(super) struct GapWatch {
    /// Time of the last ack or read in microseconds, plus one. 0 before the first.
    last: AtomicU64,
    /// Since when an ack or read is expected after the last one, as far as reported. [`NOTHING`] if no client
    /// expects one.
    since: AtomicU64,
    gaps: Mutex<Gaps>,
}

/// No client expects anything.
const NOTHING: u64 = u64::MAX;

impl Default for GapWatch {
    fn default() -> Self {
        Self { last: AtomicU64::new(0), since: AtomicU64::new(NOTHING), gaps: Mutex::default() }
    }
}

impl GapWatch {
    /// Reports an ack or read at this time, in microseconds from the start of the run. Clients that still
    /// wait report that again.
    pub(super) fn done(&self, at_us: u64) {
        let since = self.since.swap(NOTHING, Ordering::Relaxed);
        let before = self.last.fetch_max(at_us.saturating_add(1), Ordering::Relaxed);
        if before == 0 {
            let mut gaps = self.lock();
            gaps.late(at_us);
            gaps.stalls.insert(since, at_us);
            return;
        }
        let last_us = before - 1;
        if at_us > last_us.saturating_add(RESOLUTION_US) {
            let mut gaps = self.lock();
            gaps.all.insert(last_us, at_us);
            gaps.stalls.insert(since.max(last_us), at_us);
        } else if last_us > at_us.saturating_add(RESOLUTION_US) {
            // Another client already reported a later time.
            self.lock().late(at_us);
        }
    }

    /// Reports that an ack or read is expected since this time. Repeating a report costs one atomic load.
    pub(super) fn waits(&self, since_us: u64) {
        if since_us < self.since.load(Ordering::Relaxed) {
            self.since.fetch_min(since_us, Ordering::Relaxed);
        }
    }

    /// Time of the last ack or read, in microseconds from the start of the run.
    pub(super) fn last_us(&self) -> Option<u64> {
        self.last.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Reports that no ack or read is expected after this time, although none has arrived.
    pub(super) fn rests(&self, at_us: u64) {
        let since = self.since.swap(NOTHING, Ordering::Relaxed);
        self.lock().stalls.insert(since.max(self.last_us().unwrap_or_default()), at_us);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gaps> {
        // A panic in another client must not discard what was recorded.
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gaps up to now.
    pub(super) fn snapshot(&self) -> Gaps {
        let mut gaps = self.lock().clone();
        gaps.last_us = self.last_us();
        gaps.waiting_us = Some(self.since.load(Ordering::Relaxed)).filter(|since| *since != NOTHING);
        gaps
    }
}

/// The times of a scenario's acks or reads, stored as the gaps between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    first_us: Option<u64>,
    last_us: Option<u64>,
    /// Since when an ack or read was expected that did not come until the end.
    waiting_us: Option<u64>,
    /// Between one ack or read and the next.
    all: GapParts,
    /// The parts of these, and of the time before the first ack or read, in which one was expected.
    stalls: GapParts,
}

/// Separate periods longer than the resolution, in order. Each has the times before and after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct GapParts {
    list: Vec<(u64, u64)>,
    /// Periods up to this length were dropped, because there were too many. Periods below the resolution are
    /// never kept.
    dropped_us: u64,
}

impl GapParts {
    fn insert(&mut self, from: u64, to: u64) {
        if to.saturating_sub(from) <= RESOLUTION_US.max(self.dropped_us) {
            return;
        }
        let place = self.list.partition_point(|(other, _)| *other < from);
        self.list.insert(place, (from, to));
        if self.list.len() > MOST {
            self.thin();
        }
    }

    /// The period that contains a time, including its start.
    fn around(&self, at: u64) -> Option<usize> {
        self.list.partition_point(|(from, _)| *from < at).checked_sub(1)
    }

    /// An ack or read at this time splits the period that contains it.
    fn split(&mut self, at: u64) {
        if let Some(held) = self.around(at)
            && at < self.list[held].1
        {
            let (from, to) = self.list.remove(held);
            self.insert(from, at);
            self.insert(at, to);
        }
    }

    fn thin(&mut self) {
        let mut by_length = self.list.clone();
        by_length.sort_by_key(|(from, to)| (std::cmp::Reverse(to - from), *from));
        by_length.truncate(MOST / 2);
        self.dropped_us = by_length.last().map_or(0, |(from, to)| to - from);
        by_length.sort_unstable();
        self.list = by_length;
    }
}

impl Gaps {
    /// Gaps between these times, given in any order, as if an ack or read had always been expected.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let watched = GapWatch::default();
        for at in times {
            watched.done(micros(at));
            watched.waits(micros(at));
        }
        watched.snapshot()
    }

    /// Handles the first report, and reports that another client has overtaken.
    fn late(&mut self, at: u64) {
        match self.first_us {
            Some(first) if at >= first => {}
            first => {
                self.first_us = Some(at);
                if let Some(first) = first {
                    self.all.insert(at, first);
                    self.stalls.insert(at, first);
                }
            }
        }
        self.all.split(at);
        self.stalls.split(at);
    }

    /// Time of the first ack or read.
    pub fn first(&self) -> Option<Duration> {
        self.first_us.map(Duration::from_micros)
    }

    /// Time of the last ack or read.
    pub fn last(&self) -> Option<Duration> {
        self.last_us.map(Duration::from_micros)
    }

    /// Since when an ack or read was expected that never came. Not before the last ack or read.
    pub fn waiting(&self) -> Option<Duration> {
        self.waiting_us.map(|since| Duration::from_micros(since.max(self.last_us.unwrap_or(0))))
    }

    /// The first ack or read at or after this time, exact to [`RESOLUTION`]. If the time is not in a gap, it
    /// is the time itself.
    pub fn first_after(&self, at: Duration) -> Option<Duration> {
        let at_us = micros(at);
        if at_us <= self.first_us? {
            return self.first();
        }
        if at_us > self.last_us? {
            return None;
        }
        // Inside a gap, but not at its start, where an ack or read came.
        let end = self.all.around(at_us).map(|held| self.all.list[held].1).filter(|end| *end >= at_us);
        Some(end.map_or(at, Duration::from_micros))
    }

    /// The longest stall that overlaps the period between these times, as a whole: its start and its end.
    ///
    /// `tail` is an additional stall. `None` if no stall is longer than [`RESOLUTION`].
    pub fn longest_within(
        &self,
        from: Duration,
        to: Duration,
        tail: Option<(Duration, Duration)>,
    ) -> Option<(Duration, Duration)> {
        let overlaps = |(start, stop): &(Duration, Duration)| *start < to && *stop > from;
        // Of several, the first.
        let longest = |(start, stop): &(Duration, Duration)| (*stop - *start, std::cmp::Reverse(*start));
        self.stalls(tail).filter(overlaps).max_by_key(longest)
    }

    /// All stalls, and `tail` as an additional one, that are longer than [`RESOLUTION`].
    pub fn stalls(&self, tail: Option<(Duration, Duration)>) -> impl Iterator<Item = (Duration, Duration)> {
        let tail = tail.map(|(from, to)| (micros(from), micros(to)));
        let all = self.stalls.list.iter().copied().chain(tail);
        all.filter(|(start, stop)| stop.saturating_sub(*start) > RESOLUTION_US)
            .map(|(start, stop)| (Duration::from_micros(start), Duration::from_micros(stop)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nothing_seen_is_no_gap_but_the_whole_time() {
        let gaps = Gaps::default();
        assert_eq!(gaps.first_after(ms(0)), None);
        assert_eq!((gaps.waiting(), gaps.longest_within(ms(0), ms(100), None)), (None, None));
        let whole = gaps.longest_within(ms(0), ms(100), Some((ms(5), ms(90))));
        assert_eq!(whole, Some((ms(5), ms(90))));
    }

    #[test]
    fn the_first_moment_after_a_time() {
        let gaps = Gaps::of([20, 25, 400, 405].map(ms));
        assert_eq!(gaps.first_after(ms(0)), Some(ms(20)));
        assert_eq!(gaps.first_after(ms(20)), Some(ms(20)));
        assert_eq!(gaps.first_after(ms(25)), Some(ms(25)), "something came then");
        assert_eq!(gaps.first_after(ms(26)), Some(ms(400)));
        assert_eq!(gaps.first_after(ms(400)), Some(ms(400)));
        assert_eq!(gaps.first_after(ms(405)), Some(ms(405)));
        assert_eq!(gaps.first_after(ms(406)), None);
    }

    #[test]
    fn the_longest_gap_with_and_without_its_end() {
        let gaps = Gaps::of([100, 150, 350, 360].map(ms));
        let longest = |from, to, end| gaps.longest_within(ms(from), ms(to), gaps.waiting().zip(end));
        assert_eq!(longest(0, 10_000, None), Some((ms(150), ms(350))));
        assert_eq!(longest(0, 10_000, Some(ms(600))), Some((ms(360), ms(600))));
        assert_eq!(longest(0, 10_000, Some(ms(365))), Some((ms(150), ms(350))));
        // Gaps that overlap the period, as a whole, but not those that only touch it.
        assert_eq!(longest(100, 160, None), Some((ms(150), ms(350))));
        assert_eq!(longest(100, 150, None), Some((ms(100), ms(150))));
        assert_eq!(longest(350, 360, None), None);
    }

    #[test]
    fn a_time_in_which_nothing_was_to_come_is_none() {
        let watched = GapWatch::default();
        let at = |ms: u64| ms * 1000;
        // The client connects until 300 ms, and its first message is due at 500 ms.
        watched.waits(at(20));
        watched.rests(at(300));
        watched.waits(at(500));
        watched.done(at(530));
        // The next message is due at 2 s. Another client has had one in flight since 510 ms and reports it
        // late.
        watched.waits(at(2000));
        watched.waits(at(510));
        watched.done(at(1530));
        // All messages are acked. The next two are due at 3 s and at 3.1 s.
        watched.waits(at(3000));
        watched.waits(at(3100));
        watched.done(at(3020));
        watched.waits(at(3100));
        let gaps = watched.snapshot();
        let stalls = [(20, 300), (500, 530), (530, 1530), (3000, 3020)];
        assert_eq!(gaps.stalls.list, stalls.map(|(from, to)| (at(from), at(to))));
        assert_eq!(gaps.all.list, [(at(530), at(1530)), (at(1530), at(3020))]);
        assert_eq!(gaps.waiting(), Some(ms(3100)));
        assert_eq!(gaps.first_after(ms(1600)), Some(ms(3020)), "the next one, due or not");
        watched.done(at(3110));
        assert_eq!(watched.snapshot().waiting(), None);
    }

    #[test]
    fn a_slow_schedule_does_not_drive_a_stall_out() {
        let watched = GapWatch::default();
        watched.waits(0);
        watched.done(600_000);
        for second in 1..10_000_u64 {
            watched.waits(second * 1_000_000);
            watched.done(second * 1_000_000 + 3000);
        }
        let gaps = watched.snapshot();
        assert_eq!(gaps.longest_within(ms(0), Duration::MAX, None), Some((ms(0), ms(600))));
    }

    #[test]
    fn memory_is_bounded_and_the_longest_stays() {
        let mut at = 0;
        let times = (0..100_000_u64).map(|i| {
            at += if i == 70_000 { 5000 } else { 20 + i % 7 };
            ms(at)
        });
        let gaps = Gaps::of(times);
        assert!(gaps.all.list.len() <= MOST && gaps.stalls.list.len() <= MOST);
        let (from, to) = gaps.longest_within(ms(0), Duration::MAX, None).unwrap();
        assert_eq!(to - from, ms(5000));
        assert_eq!(gaps.first_after(from + ms(1)), Some(to));
        // Gaps of equal length do not replace each other.
        let even = Gaps::of((0..10_000).map(|i| ms(i * 20)));
        let (from, to) = even.longest_within(ms(0), Duration::MAX, None).unwrap();
        assert_eq!(to - from, ms(20));
    }

    /// A direct implementation of the definitions.
    fn model(times: &[u64]) -> Vec<(u64, u64)> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).map(|w| (w[0], w[1])).filter(|(a, b)| b - a > RESOLUTION_US).collect()
    }

    proptest! {
        #[test]
        fn gaps_agree_with_a_slow_model(
            steps in prop::collection::vec(prop_oneof![0_u64..9_000, 9_000_u64..90_000], 1..80),
            asked in prop::collection::vec(0_u64..2_000_000, 1..10),
            trailing in 0_u64..100_000,
        ) {
            let mut at = 0;
            let times: Vec<u64> = steps.iter().map(|step| { at += step; at }).collect();
            let gaps = Gaps::of(times.iter().copied().map(Duration::from_micros));
            let model = model(&times);
            prop_assert_eq!(&gaps.all.list, &model);
            prop_assert_eq!(&gaps.stalls.list, &model);
            for asked in asked {
                let expected = times.iter().copied().find(|t| *t >= asked);
                let found = gaps.first_after(Duration::from_micros(asked)).map(micros);
                prop_assert_eq!(expected.is_some(), found.is_some());
                if let (Some(expected), Some(found)) = (expected, found) {
                    prop_assert!(found >= asked && expected >= found && expected - found <= RESOLUTION_US);
                }
                let end = at + trailing;
                let mut all = model.clone();
                all.push((at, end));
                let longest = all.iter().filter(|(a, b)| *a < asked + 200_000 && *b > asked && b - a > RESOLUTION_US)
                    .map(|(a, b)| b - a).max();
                let found = gaps.longest_within(
                    Duration::from_micros(asked), Duration::from_micros(asked + 200_000),
                    gaps.waiting().map(|since| (since, Duration::from_micros(end))),
                );
                prop_assert_eq!(longest, found.map(|(a, b)| micros(b - a)));
            }
        }

        /// Several clients report their times in any order.
        #[test]
        fn the_order_of_telling_does_not_matter(
            times in prop::collection::vec(0_u64..60, 1..40).prop_map(|v| v.into_iter().map(|t| t * 11_000).collect::<Vec<_>>()),
        ) {
            let told = Gaps::of(times.iter().copied().map(Duration::from_micros));
            prop_assert_eq!(told.all.list, model(&times));
            prop_assert_eq!(told.first_us, times.iter().min().copied());
            prop_assert_eq!(told.last_us, times.iter().max().copied());
        }
    }
}
