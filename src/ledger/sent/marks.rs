//! Approximate times of numbered events in little memory: one mark from time to time.
//!
//! Marks are a tenth of a second apart at first. If they run out, every second one is dropped.

/// Minimum time between two marks at the start.
const FINEST_US: u64 = 100_000;
const MOST: usize = 512;

/// A time that is known to be between two others, in microseconds since the start of the run.
pub type Between = (u64, u64);

/// Marks of a growing number at their times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Numbers and times, both ascending.
    list: Vec<(u64, u64)>,
    /// No mark is set before this time.
    next_us: u64,
    /// How often [`FINEST_US`] was doubled for the minimum time between two marks.
    doubled: u32,
    /// The number and time of the last event.
    last: (u64, u64),
}

impl Marks {
    /// Records that event `number` happened at this time. Ignores numbers that are less than an earlier one.
    pub(crate) fn at(&mut self, number: u64, at_us: u64) {
        if number < self.last.0 {
            return;
        }
        self.last = (number, at_us);
        if at_us < self.next_us {
            return;
        }
        if self.list.len() == MOST {
            let mut keep = false;
            self.list.retain(|_| {
                keep = !keep;
                keep
            });
            self.doubled += 1;
        }
        self.list.push((number, at_us));
        self.next_us = at_us.saturating_add(FINEST_US << self.doubled.min(32));
    }

    /// Creates marks from a sorted list.
    pub(crate) fn of(all: &[(u64, u64)]) -> Self {
        Self { list: all.to_vec(), last: all.last().copied().unwrap_or_default(), ..Self::default() }
    }

    /// All marks, and the last event.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let last = self.list.last().is_some_and(|mark| *mark != self.last).then_some(self.last);
        self.list.iter().copied().chain(last)
    }

    /// The interval in which a number happened; `None` if it is outside the recorded numbers.
    pub(crate) fn when(&self, number: u64) -> Option<Between> {
        if number > self.last.0 {
            return None;
        }
        let behind = self.list.partition_point(|(other, _)| *other <= number);
        let (_, from) = self.list[behind.checked_sub(1)?];
        let to = self.list.get(behind).map_or(self.last.1, |(_, at)| *at);
        Some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_time_lies_between_the_two(steps in prop::collection::vec((1_u64..50, 0_u64..300_000), 0..3000)) {
            let mut marks = Marks::default();
            let (mut number, mut at) = (0, 0);
            let mut all = Vec::new();
            for (up, later) in steps {
                number += up;
                at += later;
                marks.at(number, at);
                all.push((number, at));
            }
            prop_assert!(marks.list.len() <= MOST);
            let widest = (FINEST_US + 300_000) << marks.doubled;
            let again = Marks::of(&marks.iter().collect::<Vec<_>>());
            for (number, at) in all {
                let (from, to) = again.when(number).expect("it was kept");
                prop_assert!(from <= at && at <= to);
                let (from, to) = marks.when(number).expect("it happened");
                prop_assert!(from <= at && at <= to, "{number}: {at} is not in {from}..{to}");
                prop_assert!(to - from <= widest);
            }
            prop_assert_eq!(marks.when(number + 1), None);
        }
    }
}
